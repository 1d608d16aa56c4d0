"""The multi-agent form over many episodes at once, in arrays; for learners, needs no PettingZoo."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.forms.num_envs import check_num_envs
from lrmp.envs.forms.refine import observe_refinements
from lrmp.envs.scoring.dynamics import Dynamics, Scores
from lrmp.envs.scoring.features import Feature
from lrmp.envs.scoring.observation import (
    Observation,
    ShownFeatures,
    knob_features,
    shown_features,
    total_names,
)
from lrmp.envs.scoring.reward import Reward
from lrmp.envs.task.custom_task import TaskLike
from lrmp.envs.task.task import Task
from lrmp.errors import ActionError, TaskError, unknown_name
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.oracle import SolverName

Credit = Literal["team", "difference"]


class MultiAgentVector:
    """Play many episodes of `MultiAgentEnv` side by side, in NumPy, with discrete actions.

    All episodes begin together and end together, after ``rounds`` rounds.

    Args:
        task: What is solved.
        num_envs: Episodes side by side, B.
        rounds: How often all L layers choose.
        credit: ``"team"`` or ``"difference"``.
        features: What is observed, in order; None for all.
        reward: What scores a design: the name of a formula, or the user's own function.
        solver: Which solver places the copies.

    Attributes:
        observation_size: Elements of a layer's observation.
        state_size: Elements of the state.
        sizes: How many values the K knobs have.
        played: Settings, shape (B, L, K), and scores of every round since the last reset.

    Raises:
        TaskError: If there is no such credit, feature or reward, or no round or episode.
        SolverError: If there is no such solver.
    """

    def __init__(
        self,
        task: TaskLike,
        num_envs: int,
        *,
        rounds: int = 1,
        credit: Credit = "team",
        features: Sequence[Feature] | None = None,
        reward: Reward = "lrmp",
        solver: SolverName = "exact",
    ) -> None:
        check_num_envs(num_envs)
        check_rules(rounds, credit)
        self.num_envs, self.rounds, self.credit = num_envs, rounds, credit
        self.dynamics = Dynamics(task, reward, solver)
        self.sizes = self.dynamics.space.sizes
        self._shown = shown_features(
            self.dynamics.task, features, agent_features(self.dynamics.task)
        )
        self.played: list[tuple[IntArray, Scores]] = []
        observations, states = self.reset()
        self.observation_size, self.state_size = observations.shape[-1], states.shape[-1]

    def __len__(self) -> int:
        """Return the number of agents, L."""
        return len(self.dynamics)

    def reset(self) -> tuple[Observation, Observation]:
        """Start all episodes with the plain design.

        Returns:
            Observations, shape (B, L, observation_size), and states, shape (B, state_size).
        """
        shape = (self.num_envs, len(self))
        self.played = []
        self._rewarded = np.zeros(shape)
        plain = self.dynamics.plain
        return self._observe(np.broadcast_to(plain, (self.num_envs, *plain.shape)))

    def step(
        self, actions: NDArray[np.integer]
    ) -> tuple[Observation, Observation, NDArray[np.float64], bool]:
        """Choose the settings of all layers in all episodes.

        Args:
            actions: Places of values, shape (B, L, K).

        Returns:
            Observations and states as from ``reset``, rewards of shape (B, L), and whether all
            episodes ended.

        Raises:
            ActionError: If the actions are no integers, have another shape or are out of range, or
                the episodes have ended; nothing has changed.
        """
        if len(self.played) == self.rounds:
            raise ActionError("Expected reset() before step(): all episodes have ended.")
        settings = self.dynamics.space.nearest(self._checked(actions))
        scores = self.dynamics.scores(settings)
        worth = np.repeat(scores.reward[:, None], len(self), axis=1)
        if self.credit == "difference":
            worth = contributions(self.dynamics, settings, scores.reward)
        rewards = worth - self._rewarded
        self._rewarded += rewards
        self.played.append((settings, scores))
        return *self._observe(settings), rewards, len(self.played) == self.rounds

    def _checked(self, actions: Any) -> IntArray:
        """Refuse actions that are no places of values for every layer of every episode."""
        space = self.dynamics.space
        shape = (self.num_envs, len(self), len(space))
        most = np.array(space.sizes) - 1
        shown = ", ".join(f"0 to {len(knob) - 1} for {knob.name}" for knob in space)
        expected = f"Expected places of values, {shown}, in shape {shape}"
        try:
            values: NDArray[Any] = np.asarray(actions)
        except ValueError as error:  # ragged nesting
            raise ActionError(f"{expected}, got {actions!r}.") from error
        if values.shape != shape or values.dtype.kind not in "iu":
            raise ActionError(f"{expected}, got shape {values.shape} of {values.dtype}.")
        if (values < 0).any() or (values > most).any():
            raise ActionError(f"{expected}, got some from {values.min()} to {values.max()}.")
        return values.astype(np.int64)

    def _observe(self, settings: IntArray) -> tuple[Observation, Observation]:
        elapsed = np.full(len(settings), len(self.played))
        states = observe_refinements(self.dynamics, settings, elapsed, self.rounds)
        return observe_layers(self.dynamics, self._shown, settings, states), states


def agent_features(task: Task) -> tuple[str, ...]:
    """Name what a layer sees beside its own features.

    Args:
        task: What is solved.

    Returns:
        Its setting in the last round, the totals and the rounds left, in order.
    """
    return (*task.space.names, *total_names(task), "rounds_left")


def check_rules(rounds: int, credit: Credit) -> None:
    """Refuse rules that there are not.

    Args:
        rounds: How often all layers choose.
        credit: What a layer is rewarded with.

    Raises:
        TaskError: If there is no round or no such credit.
    """
    if not isinstance(rounds, int) or rounds < 1:
        raise TaskError(f"Expected rounds to be a number of at least 1, got {rounds!r}.")
    if credit not in get_args(Credit):
        raise TaskError(unknown_name("credit", credit, get_args(Credit)))


def contributions(
    dynamics: Dynamics,
    settings: IntArray,
    scores: NDArray[np.float64],
    parts: Sequence[slice] = (),
) -> NDArray[np.float64]:
    """Tell what every agent's settings are worth in designs: the score less that of plain ones.

    Args:
        dynamics: Of the task.
        settings: Shape (B, L, K).
        scores: Of these designs, shape (B,).
        parts: The layers of each of A agents; none for an agent per layer.

    Returns:
        Shape (B, A).

    Raises:
        InfeasibleBudgetError: If the plain layers of an agent do not fit the budget.
    """
    parts = parts or [slice(layer, layer + 1) for layer in range(settings.shape[1])]
    count = len(parts)
    without = np.repeat(settings[:, None], count, axis=1)
    for agent, layers in enumerate(parts):
        without[:, agent, layers] = dynamics.space.plain
    rewards = dynamics.scores(without.reshape(-1, *settings.shape[1:])).reward
    worth: NDArray[np.float64] = scores[:, None] - rewards.reshape(-1, count)
    return worth


def observe_layers(
    dynamics: Dynamics, shown: ShownFeatures, settings: IntArray, states: Observation
) -> Observation:
    """Describe to every layer itself, and what all layers may see of the state.

    Args:
        dynamics: Of the task.
        shown: What is seen, the running features being ``agent_features``.
        settings: Of the last designs, shape (B, L, K).
        states: Shape (B, K L + 5).

    Returns:
        Shape (B, L, number of features shown).
    """
    own = knob_features(dynamics.space, settings)
    parts = (shown.layers, own, states[:, None, settings[0].size :])
    every = [np.broadcast_to(part, (*settings.shape[:2], part.shape[-1])) for part in parts]
    return shown.pick(np.concatenate(every, axis=2, dtype=np.float32))
