"""What environments with variants share: which one is meant, and the rules of it."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.forms.action import check_discrete
from lrmp.envs.procedural.features import transfer_features
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.observation import knob_features
from lrmp.envs.scoring.reward import RewardName, reward_function
from lrmp.envs.task.task import Task
from lrmp.envs.variant_choice.problem import REMEMBERED, VariantProblem, load_problem
from lrmp.errors import TaskError


class ChosenVariant:
    """An environment in which a variant is chosen, the plain one at first.

    Attributes:
        problem: What is solved.
        discrete: Whether actions are places of values.
        dynamics: The rules of the variant's task.
    """

    problem: VariantProblem
    discrete: bool
    dynamics: Dynamics

    @property
    def task(self) -> Task:
        """The task of the variant that was chosen last; of the plain one before one is."""
        return self.problem.task(self._variant)

    @property
    def variant(self) -> int:
        """The number of that variant among the problem's."""
        return self._variant

    def _pose(self, problem: str, discrete: bool, reward: RewardName) -> None:
        """Say what is solved, or what is wrong with it."""
        self.problem = load_problem(problem)
        if check_discrete(discrete) == "flat":
            raise TaskError('Expected discrete to be False or True, got "flat".')
        reward_function(reward)
        self.discrete = bool(discrete)
        self._reward: RewardName = reward
        self._take(self.problem.plain_variant)

    def _take(self, variant: int) -> None:
        """Go on with a variant."""
        self._variant = variant
        self._scaled = knob_features(self.problem.space, self.problem.setting(variant))
        self.dynamics, self._described = variant_rules(self.problem, variant)


@lru_cache(REMEMBERED)
def variant_rules(problem: VariantProblem, variant: int) -> tuple[Dynamics, NDArray[np.float32]]:
    """Return the rules of a variant's task.

    Args:
        problem: What is solved.
        variant: Number of the variant among the problem's.

    Returns:
        The dynamics, and the features of its layers; the same objects again.
    """
    task = problem.task(variant)
    return Dynamics(task), transfer_features(task)
