"""The problem of a chip in an area: a task for every chip in question, scored on one scale."""

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from lrmp.envs.chip_choice.problem_ids import CHIP_PROBLEMS, ChipObjective
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import Measured, RewardName, reward_function
from lrmp.envs.task.task import Task, load_task
from lrmp.errors import TaskError, unknown_name
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.families.chip import (
    AREA_PARTS,
    CHIP_SPACE,
    area_um2,
    build_chip,
    chip_name,
    most_tiles,
)
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.networks.catalogue import NETWORKS

#: What a task on one chip minimises where the chip is chosen, too.
_INNER: dict[ChipObjective, Objective] = {"latency": "latency", "energy": "energy", "edap": "edp"}


@dataclass(frozen=True)
class ChipProblem:
    """Choose a chip of at most an area, and a design on it.

    Of every chip that can hold the plain design in its share of the area there is a `Task`, with as
    many tiles as fit. The score of a design is ``ln(baseline / cost)``, where the baseline is the
    plain design on LRMP's chip, which fills the area: the score in the chip's own task and an
    `offset`. With ``"edap"`` the cost is energy x delay x area, that of the whole chip as built.

    Attributes:
        id: Of the environment.
        network: Name of what runs.
        objective: What is minimised.
    """

    id: str
    network: str
    objective: ChipObjective

    @cached_property
    def plain_task(self) -> Task:
        """LRMP's own task of the network, with this objective, on its own chip."""
        suffix = {"latency": "", "energy": "-Energy", "edap": "-EDP"}[self.objective]
        return load_task(f"LRMP-{NETWORKS[self.network].label}{suffix}-v0")

    @cached_property
    def area_budget_um2(self) -> int:
        """The area of LRMP's chip with the tiles of the plain design."""
        return area_um2(self.plain_task.accelerator, self.plain_task.budget)

    @cached_property
    def chips(self) -> IntArray:
        """Settings of ``CHIP_SPACE`` whose chips hold the plain design, shape (C, 5)."""
        fitting = [setting for setting in CHIP_SPACE.settings if self._fits(setting)]
        return read_only(np.array(fitting))

    @cached_property
    def _numbers(self) -> dict[tuple[int, ...], int]:
        return {tuple(setting): number for number, setting in enumerate(self.chips.tolist())}

    def number_of(self, setting: IntArray) -> int | None:
        """Find a chip.

        Args:
            setting: Places of values in ``CHIP_SPACE``, shape (5,).

        Returns:
            Its number among `chips`; None if it does not hold the plain design.
        """
        return self._numbers.get(tuple(int(place) for place in setting))

    def nearest(self, setting: IntArray) -> int:
        """Find a chip, or the one most like it that holds the plain design.

        Args:
            setting: Places of values in ``CHIP_SPACE``, shape (5,).

        Returns:
            Its number among `chips`; of chips as near by places, the first.
        """
        number = self.number_of(setting)
        if number is None:
            number = int(np.abs(self.chips - setting).sum(axis=1).argmin())
        return number

    @property
    def plain_chip(self) -> int:
        """The number of LRMP's own chip."""
        number = self.number_of(CHIP_SPACE.plain)
        assert number is not None
        return number

    def task(self, number: int) -> Task:
        """Return the task of a chip.

        Args:
            number: Among `chips`.

        Returns:
            The network on the chip with the tiles of its area; the same object again.
        """
        return _chip_task(self, number)

    def area_um2(self, number: int) -> int:
        """Return the area that a chip takes.

        Args:
            number: Among `chips`.

        Returns:
            Square micrometres of the chip with all its tiles.
        """
        task = self.task(number)
        return area_um2(task.accelerator, task.budget)

    def offset(self, number: int) -> float:
        """Return what the score on this scale has beyond the score in the chip's own task.

        Args:
            number: Among `chips`.

        Returns:
            The logarithm of the plain design's cost on LRMP's chip over that on this one; 0 for
            LRMP's.
        """
        if number == self.plain_chip:
            return 0.0
        costs = []
        for each in (self.plain_chip, number):
            task = self.task(each)
            cost = task.cost_model.baseline.cost(task.objective)
            costs.append(cost * (self.area_um2(each) if self.objective == "edap" else 1))
        return math.log(costs[0] / costs[1])

    def score(self, number: int, outcome: Outcome) -> float | None:
        """Score a design.

        Args:
            number: Of its chip.
            outcome: In the task of the chip.

        Returns:
            ``ln(baseline / cost)``; None beyond the allowed drop.
        """
        return None if outcome.score is None else outcome.score + self.offset(number)

    def reward(self, number: int, outcome: Outcome, reward: RewardName = "lrmp") -> float:
        """Reward a design by a formula, which sees its gain over LRMP's plain chip.

        Args:
            number: Of its chip.
            outcome: In the task of the chip.
            reward: Which formula.

        Returns:
            The reward.
        """
        gain = outcome.gain * math.exp(self.offset(number))
        excess = outcome.task.allowance.excess(outcome.divergence)
        measured = Measured(gain, excess, outcome.accuracy_drop, outcome.task.allowed_drop)
        return reward_function(reward)(measured)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the objective and of the tasks of all chips."""
        tasks = [self.task(number).fingerprint for number in range(len(self.chips))]
        text = json.dumps([self.id, self.objective, self.chips.tolist(), tasks])
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return what the problem is, in few plain JSON values, as `Task.to_json` does.

        Returns:
            A mapping; ``fingerprint`` covers the whole definition.
        """
        plain = self.plain_task.to_json()
        del plain["budget_tiles"]  # every chip has its own
        return plain | {
            "id": self.id,
            "accelerator": "to be chosen",
            "objective": self.objective,
            "knobs": [*CHIP_SPACE.names, *plain["knobs"]],
            "area_budget_um2": self.area_budget_um2,
            "chips": len(self.chips),
        }

    def _fits(self, setting: IntArray) -> bool:
        chip = build_chip(setting)
        share = CHIP_SPACE.decode(setting)["area_eighths"]
        area = self.area_budget_um2 * int(share) // AREA_PARTS
        needed = _plain_tiles(self.network, setting[:2].tobytes())
        return area_um2(chip, needed) <= area


@cache
def _plain_tiles(network: str, crossbar: bytes) -> int:
    """Count the tiles of the plain design, on crossbars of a side and bits of a cell."""
    from lrmp.hardware.cost.cost_model import CostModel
    from lrmp.hardware.networks import load_network

    setting = CHIP_SPACE.plain.copy()
    setting[:2] = np.frombuffer(crossbar, dtype=np.int64)
    return CostModel(load_network(network), build_chip(setting)).baseline.tiles


@cache
def _chip_task(problem: ChipProblem, number: int) -> Task:
    setting, plain = problem.chips[number], problem.plain_task
    if (setting == CHIP_SPACE.plain).all():
        return plain
    chip = build_chip(setting)
    share = int(CHIP_SPACE.decode(setting)["area_eighths"])
    return Task(
        id=f"{problem.id}:{chip_name(setting)}",
        workload=plain.workload,
        accelerator=chip,
        budget=most_tiles(chip, problem.area_budget_um2 * share // AREA_PARTS),
        objective=_INNER[problem.objective],
        space=plain.space,
    )


@cache
def load_chip_problem(env_id: str) -> ChipProblem:
    """Look up a problem.

    Args:
        env_id: Such as ``"LRMP-LeNet-Chip-v0"``, or that of the one-shot form.

    Returns:
        The problem; the same object for the same id.

    Raises:
        TaskError: If there is none.
    """
    plain = env_id.removeprefix("lrmp:").replace("-OneShot-", "-")
    if plain not in CHIP_PROBLEMS:
        raise TaskError(unknown_name("problem of a chip", env_id, CHIP_PROBLEMS, like=plain))
    if plain != env_id:
        return load_chip_problem(plain)
    name = CHIP_PROBLEMS[plain]
    return ChipProblem(plain, name.network, name.objective)
