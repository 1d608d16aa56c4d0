"""Instances of a round: drawn from its secret, and what is told of them.

Nothing here needs a database: whoever has a round's secret draws its instances again.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from lrmp.envs.procedural.features import transfer_feature_names, transfer_features
from lrmp.envs.procedural.generator import draw_task
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.task.task import Task
from lrmp.envs.task.task_definition import task_document
from lrmp.errors import DesignError
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.space.design import Design
from lrmp.leaderboard.board.errors import MalformedError

SECRET_BYTES = 32
REMEMBERED = 256  # instances


@dataclass(frozen=True)
class Scored:
    """What a design of an instance is worth.

    Attributes:
        score: What ranks it: ln(gain), or None beyond the allowed drop.
        reward: What the environment's default return would be.
        gain: Baseline / design, of what the instance minimises.
        accuracy_drop: Percentage points, by the instance's table.
    """

    score: float | None
    reward: float
    gain: float
    accuracy_drop: float


def commitment(secret: str) -> str:
    """Commit to a secret.

    Args:
        secret: 256 bits, hexadecimal.

    Returns:
        SHA-256 of the bytes, hexadecimal.
    """
    return hashlib.sha256(bytes.fromhex(secret)).hexdigest()


def instance_seed(secret: str, round_name: str, agent: str, number: int) -> int:
    """Derive the number of an instance: HMAC-SHA256 of ``round|agent|number``.

    Args:
        secret: Of the round, hexadecimal.
        round_name: Of the round.
        agent: ``team/agent@version``.
        number: Which of the agent's instances, from 0.

    Returns:
        256 bits.
    """
    message = f"{round_name}|{agent}|{number}".encode()
    return int.from_bytes(hmac.digest(bytes.fromhex(secret), message, "sha256"), "big")


@lru_cache(REMEMBERED)
def instance_task(
    secret: str, round_name: str, agent: str, number: int, objective: Objective
) -> Task:
    """Draw an instance, from topologies that no training instance of the family has.

    Args:
        secret: Of the round, hexadecimal.
        round_name: Of the round.
        agent: ``team/agent@version``.
        number: Which of the agent's instances, from 0.
        objective: What it minimises.

    Returns:
        The task; its id tells nothing of the seed.
    """
    seed = instance_seed(secret, round_name, agent, number)
    return replace(draw_task("test", seed, objective), id=f"LRMP-Board-{round_name}-{number}")


def public_instance(task: Task, *, with_harms: bool) -> dict[str, Any]:
    """Describe an instance without its accuracy table.

    Args:
        task: The instance.
        with_harms: Whether to tell what two values of every knob do to the accuracy of every layer,
            as the procedural environments show it: for designs without feedback.

    Returns:
        Plain JSON values: network, chip, budget, objective, space, and features of every layer.
    """
    document = task_document(task)
    (tenant,) = document["workload"]
    del tenant["accuracy"]
    names = [
        name for name in transfer_feature_names(task.space) if with_harms or "_harm_" not in name
    ]
    rows = transfer_features(task, names)
    return document | {"features": {"names": names, "layers": rows.tolist()}}


def read_settings(task: Task, document: Mapping[str, Sequence[Any]]) -> Design:
    """Read the settings of a design.

    Args:
        task: The instance.
        document: By the name of a knob its value in every layer.

    Returns:
        The design, a copy of every layer.

    Raises:
        MalformedError: If it is none of the task's.
    """
    names = [layer.name for layer in task.network.layers]
    try:
        # Copies are the oracle's: whoever sends some has misunderstood.
        if "replication" in document:
            raise DesignError("Expected settings without copies, which the oracle chooses.")
        copies = {"replication": [1] * len(names)}
        return Design.from_json({**document, **copies}, task.space, names)
    except DesignError as error:
        raise MalformedError(str(error)) from error


def score_design(task: Task, design: Design) -> Scored:
    """Score a design with the oracle's copies.

    Args:
        task: The instance.
        design: Of it.

    Returns:
        What it is worth.
    """
    outcome = evaluate_settings(task, design.settings)
    return Scored(outcome.score, outcome.reward(), outcome.gain, outcome.accuracy_drop)
