"""What the vector environments have in common: autoreset, infos, and the order of a step."""

import math
from abc import ABC, abstractmethod
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.forms.action import kinds_of, within
from lrmp.envs.forms.design_observation import DesignView
from lrmp.envs.forms.layerwise_view import LayerwiseView
from lrmp.envs.forms.num_envs import check_num_envs
from lrmp.envs.forms.task_spec import OwnSpec
from lrmp.envs.rendering.episode_frame import Frame
from lrmp.envs.rendering.episode_renderer import RENDER_MODES, EpisodeRenderer
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.scoring.design_info import no_designs
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.graph_view import one_of
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.scoring.observation_table import ObservationTable
from lrmp.envs.scoring.reward import Reward
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import ActionError, MissingExtraError, TaskError
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.solvers.replication.oracle import SolverName

try:
    from gymnasium.vector import AutoresetMode, VectorEnv
    from gymnasium.vector.utils import batch_space
except ImportError as error:  # where Gymnasium has no autoreset modes yet
    raise MissingExtraError(
        f"Expected gymnasium 1.1 or newer for vector environments in NumPy, got {gym.__version__}. "
        'Run pip install "gymnasium>=1.1", or make the vector of scalar ones: '
        'vectorization_mode="sync".'
    ) from error

Flags = NDArray[np.bool_]
Seeds = int | list[int | None] | None
#: Which episodes, and what they have to say; the first axis of every array is theirs.
Infos = tuple[IntArray, dict[str, NDArray[Any]]]
Advance = tuple[NDArray[np.floating[Any]], Flags, list[Infos]]


# A property stands for Gymnasium's attribute `spec`.
class EpisodesVectorEnv(  # pyright: ignore
    OwnSpec, VectorEnv[Observation, NDArray[Any], NDArray[Any]], ABC
):
    """Many episodes, side by side.

    It plays exactly as as many scalar environments do, one by one. Subclasses say what an episode's
    state is and what a step does to it; this class resets, and packs infos as Gymnasium does: for
    every key an array over the episodes, 0 where an episode has none, and under ``_key`` which of
    them have it.

    Args:
        num_envs: Episodes side by side.
        autoreset_mode: ``"NextStep"`` (Gymnasium's default): the step after an end resets and
            ignores its action; ``"SameStep"``: the step that ends resets, too, and shows what was
            last in ``final_obs`` and ``final_info``; ``"Disabled"``: ``reset`` with
            ``options={"reset_mask": mask}`` starts the episodes of the mask anew.
        max_episode_steps: The step that truncates an episode, as Gymnasium's ``TimeLimit`` does,
            also if it is the one that terminates; None or -1 for no limit.
        render_mode: ``"ansi"`` (text) or ``"rgb_array"``, of every episode; or None.

    Raises:
        TaskError: If an argument is none of those above.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  Gymnasium's own way
        "autoreset_mode": AutoresetMode.NEXT_STEP,
        "render_modes": [*RENDER_MODES],
        "render_fps": 4,
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        check_num_envs(num_envs)
        self.render_mode, self._renderer = render_mode, EpisodeRenderer(render_mode)
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
        self.max_episode_steps = None if max_episode_steps == -1 else max_episode_steps
        self._ended: Flags | None = None  # None: reset needed
        self._elapsed = np.zeros(num_envs, dtype=np.int64)
        self._every = read_only(np.arange(num_envs))
        self._no_rewards: NDArray[np.floating[Any]] = np.zeros(num_envs)

    def _set_spaces(self, observation_space: gym.Space[Any], action_space: gym.Space[Any]) -> None:
        self.single_observation_space = observation_space
        self.single_action_space = action_space
        self.observation_space = batch_space(observation_space, self.num_envs)
        self.action_space = batch_space(action_space, self.num_envs)

    @abstractmethod
    def describe_observation(self) -> ObservationTable | dict[str, ObservationTable]:
        """Say what the elements of observations mean.

        Returns:
            A row per element; printed, a table. Of several keys a table for each.
        """

    @abstractmethod
    def action_masks(self) -> NDArray[np.bool_]:
        """Say which actions are possible now.

        Returns:
            As ``info["action_mask"]``, shape (num_envs, n).
        """

    @abstractmethod
    def _prepare(self, rows: Flags, seed: Seeds, options: dict[str, Any]) -> None:
        """Take seeds and other options of a reset, or refuse them; ``_begin`` follows."""

    @abstractmethod
    def _begin(self, rows: Flags) -> None:
        """Put some episodes at their start."""

    @abstractmethod
    def _begin_infos(self) -> dict[str, NDArray[Any]]:
        """Return what the infos of a reset say; the first axis is (num_envs,)."""

    @abstractmethod
    def _advance(self, rows: IntArray, actions: NDArray[Any]) -> Advance:
        """Step some episodes.

        Args:
            rows: Their numbers, shape (n,).
            actions: Checked actions, shape (n, ...).

        Returns:
            Rewards, of shape (n,) or (n, objectives), whether they terminated, shape (n,), infos.
        """

    @abstractmethod
    def _observe(self) -> Observation:
        """Describe all episodes, in memory of its own."""

    @abstractmethod
    def _episode_view(self, row: int) -> EpisodeView:
        """Say how an episode stands, for text and pictures."""

    def reset(
        self,
        *,
        seed: Seeds = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Start all episodes, or those of a mask.

        Args:
            seed: What episodes draw with, or one for each; where nothing is drawn it has no
                effect.
            options: None, or ``{"reset_mask": mask}`` with booleans of shape (num_envs,).

        Returns:
            Observations of all episodes, and the infos of those that start.

        Raises:
            TaskError: If there are other options, or the mask is none, or the seeds are not as many
                as the episodes.
            gymnasium.error.ResetNeeded: If the first reset is a partial one.
        """
        if isinstance(seed, list | tuple) and len(seed) != self.num_envs:
            raise TaskError(
                f"Expected a seed or {self.num_envs} seeds, one per episode; got {len(seed)}."
            )
        options = dict(options or {})
        everyone = np.ones(self.num_envs, dtype=bool)
        mask = options.pop("reset_mask", everyone)
        if (
            not isinstance(mask, np.ndarray)
            or mask.shape != (self.num_envs,)
            or mask.dtype != bool
            or not mask.any()
        ):
            raise TaskError(
                f"Expected reset_mask to be {self.num_envs} booleans, one of them true; got {mask}."
            )
        if self._ended is None and mask is not everyone:
            raise gym.error.ResetNeeded("Expected a reset() of all episodes before a partial one.")
        self._prepare(mask, seed, options)
        if self._ended is None:
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
        any_ended = bool(ended.any())
        rows = np.flatnonzero(~ended) if any_ended else self._every
        actions = self._checked(actions, rows)
        rewards = self._no_rewards.copy()
        terminated, truncated = np.zeros((2, self.num_envs), dtype=bool)
        infos: dict[str, Any] = {}
        if rows.size:  # none, where all ended together
            which = rows if any_ended else slice(None)  # which takes less time
            rewards[which], terminated[which], found = self._advance(rows, actions[which])
            self._elapsed[which] += 1
            for who, values in found:
                self._pack(infos, values, who)
            if self.max_episode_steps is not None:
                truncated[which] = self._elapsed[which] >= self.max_episode_steps
        if any_ended:
            self._restart(ended, infos)
        observations = self._observe()
        self._ended = ended = terminated | truncated
        if self.autoreset_mode == AutoresetMode.SAME_STEP and ended.any():
            infos = self._finish(infos, observations, ended)
            self._restart(ended, infos)
            observations = self._observe()
        return observations, rewards, terminated, truncated, infos

    def render(self) -> tuple[str | Frame, ...] | None:
        """Show how the episodes stand.

        Returns:
            For every episode text, or pixels of shape (height, width, 3); None if ``render_mode``
            is None.

        Raises:
            MissingExtraError: If pixels are asked for and matplotlib is not installed.
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        if self.render_mode is None:
            return None
        if self._ended is None:
            raise gym.error.ResetNeeded("Expected reset() before render(): no episode has begun.")
        return tuple(self._renderer.show(self._episode_view(row)) for row in range(self.num_envs))

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
            if values.dtype.kind in kinds_of(single):
                inside = within(single, values)
                if inside.all():
                    return values
                # Not -1: where there is no row, the numbers of one could not be told.
                good = inside[rows].reshape(len(rows), math.prod(values.shape[1:])).all(axis=1)
                if good.all():
                    return values
                wrong = values[rows[~good][0]]
        raise ActionError(f"{expected}, got {wrong!r}.")

    def _pack(self, infos: dict[str, Any], found: dict[str, NDArray[Any]], rows: IntArray) -> None:
        """Spread the infos of some episodes over arrays of all, with a mask of who has them."""
        masks = iter(np.ones((len(found), len(rows)), dtype=bool))
        for key, values in found.items():
            if key in infos:
                infos[key][rows], infos[f"_{key}"][rows] = values, True
            elif len(rows) == self.num_envs:
                infos[key], infos[f"_{key}"] = np.array(values), next(masks)
            else:
                infos[key] = np.zeros((self.num_envs, *values.shape[1:]), dtype=values.dtype)
                infos[f"_{key}"] = np.zeros(self.num_envs, dtype=bool)
                infos[key][rows], infos[f"_{key}"][rows] = values, True

    def _finish(
        self, infos: dict[str, Any], observations: Observation, ended: Flags
    ) -> dict[str, Any]:
        """Move what ended episodes had to say into ``final_info``, as Gymnasium does."""
        final_obs = np.full(self.num_envs, None, dtype=object)
        for row in np.flatnonzero(ended).tolist():
            final_obs[row] = one_of(observations, row)
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


class TaskVectorEnv(EpisodesVectorEnv):
    """Many episodes of one task, in NumPy over the episodes.

    Args:
        num_envs: Episodes side by side.
        task: A task, or the id of a registered one.
        reward: What scores a design: the name of a formula, or the user's own function.
        solver: Which solver places the copies.
        accuracy: ``"table"`` or ``"network"``; None for the task's own kind.
        **settings: As `EpisodesVectorEnv` takes them.

    Raises:
        TaskError: If an argument is none of those above.
    """

    feature_names: tuple[str, ...]
    _view: Any  # a LayerwiseView or a DesignView, as the form has

    def __init__(
        self,
        num_envs: int = 1,
        *,
        task: TaskLike | None,
        reward: Reward = "lrmp",
        solver: SolverName = "exact",
        accuracy: AccuracyKind | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(num_envs, **settings)
        self.task = find_task(task, accuracy)
        self.dynamics = Dynamics(self.task, reward, solver)
        self._no_designs = no_designs(self.task, num_envs)

    def describe_observation(self) -> ObservationTable | dict[str, ObservationTable]:
        """Say what the elements of observations mean.

        Returns:
            A row per element; printed, a table. Of a graph a table for every key.
        """
        view: LayerwiseView | DesignView = self._view
        return view.describe()

    def _prepare(self, rows: Flags, seed: Seeds, options: dict[str, Any]) -> None:
        # The dynamics do not use np_random.
        VectorEnv.reset(self, seed=seed[0] if isinstance(seed, list | tuple) else seed)
        if options:
            raise TaskError(
                f"Expected no reset option but reset_mask, got {sorted(map(str, options))}."
            )
