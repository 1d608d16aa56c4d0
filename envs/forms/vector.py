"""What the vector environments have in common: autoreset, infos, and the order of a step."""

import math
from abc import ABC, abstractmethod
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.scoring.dynamics import Dynamics, Scores
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.scoring.observation_table import ObservationTable, describe_elements
from lrmp.envs.scoring.reward import Reward
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import ActionError, TaskError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.oracle import SolverName

Flags = NDArray[np.bool_]
#: Which episodes, and what they have to say; the first axis of every array is theirs.
Infos = tuple[IntArray, dict[str, NDArray[Any]]]
Advance = tuple[NDArray[np.float64], Flags, list[Infos]]


class TaskVectorEnv(VectorEnv[Observation, NDArray[Any], NDArray[Any]], ABC):
    """Many episodes of one task, in NumPy over the episodes.

    It plays exactly as as many scalar environments do, one by one. Subclasses say what an episode's
    state is and what a step does to it; this class resets, and packs infos as Gymnasium does: for
    every key an array over the episodes, 0 where an episode has none, and under ``_key`` which of
    them have it. The last step's ``design`` comes as ``design_weight_bits`` and
    so on, one per knob, and ``replication``, each of shape (num_envs, L), without a report.

    Args:
        num_envs: Episodes side by side.
        task: A task, or the id of a registered one.
        reward: What scores a design: the name of a formula, or the user's own function.
        solver: Which solver places the copies.
        accuracy: ``"table"`` or ``"network"``; None for the task's own kind.
        autoreset_mode: ``"NextStep"`` (Gymnasium's default): the step after an end resets and
            ignores its action; ``"SameStep"``: the step that ends resets, too, and shows what was
            last in ``final_obs`` and ``final_info``; ``"Disabled"``: ``reset`` with
            ``options={"reset_mask": mask}`` starts the episodes of the mask anew.
        max_episode_steps: The step that truncates an episode, as Gymnasium's ``TimeLimit`` does,
            also if it is the one that terminates; None or -1 for no limit.
        render_mode: None; pictures are drawn by the scalar environment.

    Raises:
        TaskError: If an argument is none of those above.
    """

    feature_names: tuple[str, ...]
    metadata: dict[str, Any] = {  # noqa: RUF012  Gymnasium's own way
        "autoreset_mode": AutoresetMode.NEXT_STEP
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        task: TaskLike | None,
        reward: Reward = "lrmp",
        solver: SolverName = "exact",
        accuracy: AccuracyKind | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        check_num_envs(num_envs)
        if render_mode is not None:
            raise TaskError(
                f"Expected render_mode None, got {render_mode!r}. Render a scalar environment, or "
                'several: vectorization_mode="sync".'
            )
        if max_episode_steps is not None and (
            type(max_episode_steps) is not int or max_episode_steps < -1 or max_episode_steps == 0
        ):
            raise TaskError(
                "Expected max_episode_steps as a number of at least 1, or None for no limit; got "
                f"{max_episode_steps!r}."
            )
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError as error:
            raise TaskError(
                "Expected autoreset_mode to be one of "
                f"{', '.join(mode.value for mode in AutoresetMode)}; got {autoreset_mode!r}."
            ) from error
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}
        self.num_envs = num_envs
        self.task = find_task(task, accuracy)
        self.dynamics = Dynamics(self.task, reward, solver)
        self.max_episode_steps = None if max_episode_steps == -1 else max_episode_steps
        self._ended: Flags | None = None  # None: reset needed
        self._elapsed = np.zeros(num_envs, dtype=np.int64)

    def _set_spaces(self, observation_space: spaces.Box, action_space: gym.Space[Any]) -> None:
        self.single_observation_space = observation_space
        self.single_action_space = action_space
        self.observation_space = batch_space(observation_space, self.num_envs)
        self.action_space = batch_space(action_space, self.num_envs)

    def describe_observation(self) -> ObservationTable:
        """Say what the elements of observations mean.

        Returns:
            A row per element; printed, a table.
        """
        return describe_elements(self.task.space, self.feature_names, self.task.network)

    @abstractmethod
    def _begin(self, rows: Flags) -> None:
        """Put some episodes at their start."""

    def _begin_infos(self) -> dict[str, NDArray[Any]]:
        """Return what the infos of a reset say; the first axis is (num_envs,)."""
        return {}

    @abstractmethod
    def _advance(self, rows: IntArray, actions: NDArray[Any]) -> Advance:
        """Step some episodes.

        Args:
            rows: Their numbers, shape (n,).
            actions: Checked actions, shape (n, ...).

        Returns:
            Rewards, whether they terminated, both of shape (n,), and infos.
        """

    @abstractmethod
    def _observe(self) -> Observation:
        """Describe all episodes, in memory of its own."""

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Start all episodes, or those of a mask.

        Args:
            seed: Seeds ``np_random``, which the dynamics do not use; of a list of num_envs seeds
                the first does.
            options: None, or ``{"reset_mask": mask}`` with booleans of shape (num_envs,).

        Returns:
            Observations of all episodes, and the infos of those that start.

        Raises:
            TaskError: If there are other options, or the mask is none, or the seeds are not as many
                as the episodes.
            gymnasium.error.ResetNeeded: If the first reset is a partial one.
        """
        if isinstance(seed, list | tuple):
            if len(seed) != self.num_envs:
                raise TaskError(
                    f"Expected a seed or {self.num_envs} seeds, one per episode; got {len(seed)}."
                )
            seed = seed[0]
        super().reset(seed=seed)
        options = dict(options or {})
        everyone = np.ones(self.num_envs, dtype=bool)
        mask = options.pop("reset_mask", everyone)
        if options:
            raise TaskError(
                f"Expected no reset option but reset_mask, got {sorted(map(str, options))}."
            )
        if (
            not isinstance(mask, np.ndarray)
            or mask.shape != (self.num_envs,)
            or mask.dtype != bool
            or not mask.any()
        ):
            raise TaskError(
                f"Expected reset_mask to be {self.num_envs} booleans, one of them true; got {mask}."
            )
        if self._ended is None:
            if mask is not everyone:
                raise gym.error.ResetNeeded(
                    "Expected a reset() of all episodes before a partial one."
                )
            self._ended = np.zeros(self.num_envs, dtype=bool)
        infos: dict[str, Any] = {}
        self._restart(mask, infos)
        return self._observe(), infos

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Step all episodes.

        Args:
            actions: Shape (num_envs, ...), as the action space says; those of episodes that reset
                in this step are not looked at.

        Returns:
            Observations, rewards, terminated, truncated, infos.

        Raises:
            ActionError: If an action is not in the action space; nothing has changed.
            gymnasium.error.ResetNeeded: If no episode has begun, or, without autoreset, one ended.
        """
        if self._ended is None:
            raise gym.error.ResetNeeded("Expected reset() before step(): no episode is running.")
        ended = self._ended
        if self.autoreset_mode == AutoresetMode.DISABLED and ended.any():
            raise gym.error.ResetNeeded(
                f"Expected a reset() of the episodes {np.flatnonzero(ended).tolist()} that ended: "
                'autoreset is disabled. Give reset the option "reset_mask".'
            )
        rows = np.flatnonzero(~ended)  # none, where all ended together
        actions = self._checked(actions, rows)
        rewards = np.zeros(self.num_envs)
        terminated, truncated = np.zeros((2, self.num_envs), dtype=bool)
        infos: dict[str, Any] = {}
        if rows.size:
            rewards[rows], terminated[rows], found = self._advance(rows, actions[rows])
            self._elapsed[rows] += 1
            for who, values in found:
                self._pack(infos, values, who)
            if self.max_episode_steps is not None:
                truncated[rows] = self._elapsed[rows] >= self.max_episode_steps
        if ended.any():
            self._restart(ended, infos)
        observations = self._observe()
        self._ended = ended = terminated | truncated
        if self.autoreset_mode == AutoresetMode.SAME_STEP and ended.any():
            infos = self._finish(infos, observations, ended)
            self._restart(ended, infos)
            observations = self._observe()
        return observations, rewards, terminated, truncated, infos

    def _final_infos(
        self,
        settings: IntArray,
        scores: Scores,
        which: Flags | slice = slice(None),
    ) -> dict[str, NDArray[Any]]:
        """Collect what the last step of episodes says, beside the settings executed.

        Args:
            settings: Shape (n, L, K).
            scores: Of these designs, or of more.
            which: Those of the scores that are theirs.

        Returns:
            Arrays whose first axis is (n,).
        """
        return {
            **{
                f"design_{name}": values
                for name, values in self.dynamics.space.numbers(settings).items()
            },
            "replication": scores.replication[which],
            "gain": scores.gain[which],
            "accuracy_drop": scores.accuracy_drop[which],
            "accuracy_is_estimate": np.full(len(settings), self.task.accuracy.is_estimate),
            "proven_optimal": scores.proven_optimal[which],
        }

    def _restart(self, rows: Flags, infos: dict[str, Any]) -> None:
        """Start some episodes, and add what their infos say then."""
        assert self._ended is not None
        self._begin(rows)
        self._elapsed[rows] = 0
        self._ended = self._ended & ~rows
        begun = {key: values[rows] for key, values in self._begin_infos().items()}
        self._pack(infos, begun, np.flatnonzero(rows))

    def _checked(self, actions: Any, rows: IntArray) -> NDArray[Any]:
        """Refuse actions of the wrong shape or, where they count, out of the space."""
        single = self.single_action_space
        shape = self.action_space.shape
        expected = f"Expected actions of shape {shape}, each in {single}"
        try:
            values: NDArray[Any] = np.asarray(actions)
        except ValueError as error:  # ragged nesting
            raise ActionError(f"{expected}, got {actions!r}.") from error
        wrong: Any = values.shape
        if values.shape == shape:
            wrong = values.dtype
            if values.dtype.kind in ("iuf" if isinstance(single, spaces.Box) else "iu"):
                inside = (values >= 0) & (values <= self._most_action())  # False for NaN
                # Not -1: where there is no row, the numbers of one could not be told.
                good = inside[rows].reshape(len(rows), math.prod(values.shape[1:])).all(axis=1)
                if good.all():
                    return values
                wrong = values[rows[~good][0]]
        raise ActionError(f"{expected}, got {wrong!r}.")

    def _most_action(self) -> NDArray[Any]:
        single = self.single_action_space
        if isinstance(single, spaces.Discrete):
            return np.array(single.n - 1)
        return np.array(1.0) if isinstance(single, spaces.Box) else single.nvec - 1  # type: ignore[attr-defined]

    def _pack(self, infos: dict[str, Any], found: dict[str, NDArray[Any]], rows: IntArray) -> None:
        """Spread the infos of some episodes over arrays of all, with a mask of who has them."""
        for key, values in found.items():
            if key not in infos:
                infos[key] = np.zeros((self.num_envs, *values.shape[1:]), dtype=values.dtype)
                infos[f"_{key}"] = np.zeros(self.num_envs, dtype=bool)
            infos[key][rows], infos[f"_{key}"][rows] = values, True

    def _finish(
        self, infos: dict[str, Any], observations: Observation, ended: Flags
    ) -> dict[str, Any]:
        """Move what ended episodes had to say into ``final_info``, as Gymnasium does."""
        final_obs = np.full(self.num_envs, None, dtype=object)
        for row in np.flatnonzero(ended).tolist():
            final_obs[row] = observations[row]
        rest: dict[str, Any] = {}
        final: dict[str, Any] = {}
        for key, mask in infos.items():
            if key.startswith("_"):
                for part, who in ((final, mask & ended), (rest, mask & ~ended)):
                    if who.any():
                        values = np.zeros_like(infos[key[1:]])
                        values[who] = infos[key[1:]][who]
                        part[key[1:]], part[key] = values, who
        return {
            **rest,
            "final_obs": final_obs,
            "_final_obs": ended.copy(),
            "final_info": final,
            "_final_info": ended.copy(),
        }


def check_num_envs(num_envs: int) -> None:
    """Refuse what is no number of episodes.

    Args:
        num_envs: Episodes side by side.

    Raises:
        TaskError: If it is no whole number of at least 1.
    """
    if type(num_envs) is bool or not isinstance(num_envs, int | np.integer) or num_envs < 1:
        raise TaskError(f"Expected num_envs of at least 1, got {num_envs!r}.")
