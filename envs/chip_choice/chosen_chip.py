"""What environments of a chip problem share: which chip is meant, and the rules on it."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.chip_choice.problem import ChipProblem, load_chip_problem
from lrmp.envs.forms.action import check_discrete
from lrmp.envs.procedural.features import transfer_features
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.reward import RewardName, reward_function
from lrmp.envs.task.task import Task
from lrmp.errors import TaskError


class ChosenChip:
    """An environment in which a chip is chosen, LRMP's at first.

    Attributes:
        problem: What is solved.
        discrete: Whether actions are places of values.
        dynamics: The rules of the chip's task.
    """

    problem: ChipProblem
    discrete: bool
    dynamics: Dynamics

    @property
    def task(self) -> Task:
        """The task of the chip that was chosen last; LRMP's before one is."""
        return self.problem.task(self._chip)

    @property
    def chip(self) -> int:
        """The number of that chip among the problem's."""
        return self._chip

    def _pose(self, problem: str, discrete: bool, reward: RewardName) -> None:
        """Say what is solved, or what is wrong with it."""
        self.problem = load_chip_problem(problem)
        if check_discrete(discrete) == "flat":
            raise TaskError('Expected discrete to be False or True, got "flat".')
        reward_function(reward)
        self.discrete = bool(discrete)
        self._reward: RewardName = reward
        self._take(self.problem.plain_chip)

    def _take(self, chip: int) -> None:
        """Go on with a chip."""
        self._chip = chip
        self.dynamics, self._described = chip_rules(self.problem, chip)


@cache
def chip_rules(problem: ChipProblem, chip: int) -> tuple[Dynamics, NDArray[np.float32]]:
    """Return the rules of a chip's task.

    Args:
        problem: What is solved.
        chip: Number of the chip among the problem's.

    Returns:
        The dynamics, and the features of its layers; the same objects again.
    """
    task = problem.task(chip)
    return Dynamics(task), transfer_features(task)
