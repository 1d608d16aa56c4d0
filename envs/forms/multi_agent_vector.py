"""The multi-agent form over many episodes at once, in arrays; for learners, needs no PettingZoo."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.forms.refine import observe_refinements
from lrmp.envs.forms.vector import check_num_envs
from lrmp.envs.scoring.dynamics import Dynamics, Scores
from lrmp.envs.scoring.features import Feature
from lrmp.envs.scoring.observation import (
    TOTALS,
    Observation,
    ShownFeatures,
    bit_feature,
    shown_features,
)
from lrmp.envs.scoring.reward import Reward
from lrmp.envs.task.custom_task import TaskLike
from lrmp.errors import ActionError, TaskError, unknown_name
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import MAX_BITS, MIN_BITS
from lrmp.solvers.replication.oracle import SolverName

Credit = Literal["team", "difference"]
#: What a layer sees beside its own features, in order.
AGENT_FEATURES = ("weight_bits", "activation_bits", *TOTALS, "rounds_left")


class MultiAgentVector:
    """`MultiAgentEnv` with discrete actions in NumPy over episodes; its docstring has the rules.

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
        played: Bits, shape (B, L, 2), and scores of every round since the last reset.

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
        self._shown = shown_features(self.dynamics.task, features, AGENT_FEATURES)
        self.played: list[tuple[IntArray, Scores]] = []
        observations, states = self.reset()
        self.observation_size, self.state_size = observations.shape[-1], states.shape[-1]

    def __len__(self) -> int:
        """Return the number of agents, L."""
        return len(self.dynamics)

    def reset(self) -> tuple[Observation, Observation]:
        """Start all episodes with 8 bits everywhere.

        Returns:
            Observations, shape (B, L, observation_size), and states, shape (B, state_size).
        """
        shape = (self.num_envs, len(self))
        self.played = []
        self._rewarded = np.zeros(shape)
        return self._observe(np.full((*shape, 2), MAX_BITS))

    def step(
        self, actions: NDArray[np.integer]
    ) -> tuple[Observation, Observation, NDArray[np.float64], bool]:
        """Choose the bits of all layers in all episodes.

        Args:
            actions: Bit indices, ``bits = 2 + a``; shape (B, L, 2).

        Returns:
            Observations and states as from ``reset``, rewards of shape (B, L), and whether all
            episodes ended.

        Raises:
            ActionError: If the actions are no integers, have another shape or are out of range, or
                the episodes have ended; nothing has changed.
        """
        if len(self.played) == self.rounds:
            raise ActionError("Expected reset() before step(): all episodes have ended.")
        bits: IntArray = MIN_BITS + self._checked(actions)
        scores = self.dynamics.scores(bits[:, :, 0].copy(), bits[:, :, 1].copy())
        worth = np.repeat(scores.reward[:, None], len(self), axis=1)
        if self.credit == "difference":
            worth = contributions(self.dynamics, bits, scores.reward)
        rewards = worth - self._rewarded
        self._rewarded += rewards
        self.played.append((bits, scores))
        return *self._observe(bits), rewards, len(self.played) == self.rounds

    def _checked(self, actions: Any) -> IntArray:
        """Refuse actions that are no bit indices for every layer of every episode."""
        shape = (self.num_envs, len(self), 2)
        expected = f"Expected bit indices from 0 to {MAX_BITS - MIN_BITS} in shape {shape}"
        try:
            values: NDArray[Any] = np.asarray(actions)
        except ValueError as error:  # ragged nesting
            raise ActionError(f"{expected}, got {actions!r}.") from error
        if values.shape != shape or values.dtype.kind not in "iu":
            raise ActionError(f"{expected}, got shape {values.shape} of {values.dtype}.")
        if values.min() < 0 or values.max() > MAX_BITS - MIN_BITS:
            raise ActionError(f"{expected}, got some from {values.min()} to {values.max()}.")
        return values.astype(np.int64)

    def _observe(self, bits: IntArray) -> tuple[Observation, Observation]:
        elapsed = np.full(len(bits), len(self.played))
        states = observe_refinements(self.dynamics, bits, elapsed, self.rounds)
        return observe_layers(self._shown, bits, states), states


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
    dynamics: Dynamics, bits: IntArray, scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Tell what every layer's bits are worth in designs: the score less that of 8/8 bits there.

    Args:
        dynamics: Of the task.
        bits: Weight and activation bits of every layer, shape (B, L, 2).
        scores: Of these designs, shape (B,).

    Returns:
        Shape (B, L).

    Raises:
        InfeasibleBudgetError: If 8/8 bits in a layer do not fit the budget.
    """
    count = bits.shape[1]
    layers = np.arange(count)
    without = np.repeat(bits[:, None], count, axis=1)
    without[:, layers, layers] = MAX_BITS
    plain = without.reshape(-1, count, 2)
    rewards = dynamics.scores(plain[:, :, 0].copy(), plain[:, :, 1].copy()).reward
    worth: NDArray[np.float64] = scores[:, None] - rewards.reshape(-1, count)
    return worth


def observe_layers(shown: ShownFeatures, bits: IntArray, states: Observation) -> Observation:
    """Describe to every layer itself, and what all layers may see of the state.

    Args:
        shown: What is seen, the running features being ``AGENT_FEATURES``.
        bits: Of the last designs, shape (B, L, 2).
        states: Shape (B, 2 L + 5).

    Returns:
        Shape (B, L, number of features shown).
    """
    own: NDArray[np.float64] = bit_feature(bits.astype(np.float64))
    parts = (shown.layers, own, states[:, None, 2 * bits.shape[1] :])
    every = [np.broadcast_to(part, (*bits.shape[:2], part.shape[-1])) for part in parts]
    return shown.pick(np.concatenate(every, axis=2, dtype=np.float32))
