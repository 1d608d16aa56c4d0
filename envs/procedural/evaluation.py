"""How policies and algorithms stand on the published test split."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import gymnasium as gym
import numpy as np

from lrmp.envs.procedural.certificates import find_certificate
from lrmp.envs.procedural.environment import ProceduralEnv, ProceduralOneShotEnv
from lrmp.envs.procedural.generator import Draws, draw_task
from lrmp.envs.procedural.published_split import PUBLISHED
from lrmp.envs.scoring.outcome import Outcome, evaluate_settings
from lrmp.envs.task.task import Task
from lrmp.errors import TaskError
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.frozen_arrays import IntArray


@dataclass(frozen=True)
class SplitScore:
    """Scores of designs for several instances, between the best constants and the optima.

    A design beyond the allowed drop counts as the plain one, which scores 0. Instances whose best
    constant is optimal tell nobody apart and are left out.

    Attributes:
        mean: Mean over the instances of ``(score - constant) / (optimum - constant)``: 1 for the
            optima, 0 for the best constants. Where the two are close it weighs heavily what is
            worse than the constant.
        pooled: The same of sums over all instances, so that every unit of score weighs the same.
        within_allowance: Share of designs within the allowed drop, of all instances.
        counted: Instances that the two means are over.
        left_out: Those whose best constant is optimal.
    """

    mean: float
    pooled: float
    within_allowance: float
    counted: int
    left_out: int

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> Self:
        """Score designs.

        Args:
            outcomes: One of every instance; what is not proven yet of its task is solved.

        Returns:
            How they stand.

        Raises:
            TaskError: If there is no instance whose optimum is above its best constant.
        """
        scores: list[float] = []
        gained, possible, within = [], [], []
        for outcome in outcomes:
            within.append(outcome.within_allowance)
            known = find_certificate(outcome.task, "solved")
            assert known is not None
            if known.value > known.constant_value:
                score = outcome.score or 0.0
                scores.append(known.normalised(score))
                gained.append(score - known.constant_value)
                possible.append(known.value - known.constant_value)
        if not scores:
            raise TaskError(
                f"Expected an instance whose optimum is above its best constant, got {len(within)} "
                "without. Score other instances."
            )
        return cls(
            mean=float(np.mean(scores)),
            pooled=float(np.sum(gained) / np.sum(possible)),
            within_allowance=float(np.mean(within)),
            counted=len(scores),
            left_out=len(within) - len(scores),
        )


def evaluate_policy(
    act: Callable[[Any], Any], env: gym.Env[Any, Any], instances: int = PUBLISHED
) -> SplitScore:
    """Play an episode of every published test instance.

    Args:
        act: Takes an observation and returns an action.
        env: ``LRMP-Procedural-v0``, ``LRMP-Procedural-Spaces-v0`` or the one-shot form of
            either, with ``split="test"`` and any wrappers.
        instances: How many, from number 0 on.

    Returns:
        How the designs stand.

    Raises:
        TaskError: If the environment does not play the test split, or has not that many instances.
    """
    inner = env.unwrapped
    if not isinstance(inner, ProceduralEnv | ProceduralOneShotEnv):
        raise TaskError(f"Expected an environment of the procedural family, got {inner}.")
    family = inner.family
    if family.tasks is not None or family.split != "test":
        played = "tasks of its own" if family.tasks is not None else f"the {family.split} split"
        raise TaskError(f'Expected an environment of split="test", got one of {played}.')
    if not 1 <= instances <= min(family.count, PUBLISHED):
        raise TaskError(f"Expected 1 to {min(family.count, PUBLISHED)} instances, got {instances}.")

    def play(number: int) -> Outcome:
        observation, _ = env.reset(options={"instance": number})
        ended = False
        while not ended:
            observation, _, terminated, truncated, _ = env.step(act(observation))
            ended = terminated or truncated
        if inner.outcome is None:
            raise TaskError(
                "Expected episodes that end with their last layer, got one that was truncated. "
                "Make the environment without a shorter time limit."
            )
        return inner.outcome

    return SplitScore.of(map(play, range(instances)))


def evaluate_algorithm(
    choose: Callable[[Task], IntArray],
    objective: Objective = "latency",
    instances: int = PUBLISHED,
    draws: Draws = "precision",
) -> SplitScore:
    """Let an algorithm choose a design for every published test instance.

    Args:
        choose: Takes a task and returns the places of its layers' values, shape (L, K).
        objective: What the instances minimise.
        instances: How many, from number 0 on.
        draws: Whether the spaces are drawn, too.

    Returns:
        How the designs stand.

    Raises:
        TaskError: If there is no such objective, or not that many instances.
        DesignError: If settings are out of range or of the wrong shape.
    """
    if not 1 <= instances <= PUBLISHED:
        raise TaskError(f"Expected 1 to {PUBLISHED} instances, got {instances}.")
    tasks = (draw_task("test", number, objective, draws) for number in range(instances))
    return SplitScore.of(evaluate_settings(task, choose(task)) for task in tasks)
