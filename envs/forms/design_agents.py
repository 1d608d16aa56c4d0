"""The multi-agent environments' common rules: agents each set a part of the layers, all at once."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.forms.action import ActionCode, Discrete
from lrmp.envs.forms.design_observation import design_feature_names
from lrmp.envs.forms.layerwise import Action
from lrmp.envs.forms.multi_agent_vector import Credit, check_rules, contributions
from lrmp.envs.forms.refine import observe_refinements
from lrmp.envs.rendering.episode_renderer import RENDER_MODES, EpisodeRenderer
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.rendering.shown_episode import ShownEpisode
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.scoring.observation_table import ObservationTable, describe_elements
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import Reward
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import ActionError, MissingExtraError, TaskError, unknown_name
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.oracle import SolverName

try:
    import pettingzoo
    from pettingzoo.utils import AssertOutOfBoundsWrapper, OrderEnforcingWrapper, parallel_to_aec
except ImportError as error:
    raise MissingExtraError.of("pettingzoo", "for the multi-agent form", "multiagent") from error


class DesignAgentsEnv(ShownEpisode, pettingzoo.ParallelEnv[str, Observation, Action]):  # type: ignore[misc]
    """Agents that share a design: each sets the layers of its own.

    Subclasses say which layers are whose, and what agents see.

    Args:
        task: What is solved.
        discrete: How actions say which values are chosen; see `ActionCode`.
        rounds: How often all agents choose.
        credit: ``"team"`` or ``"difference"``.
        reward: What scores a design.
        solver: Which solver places the copies.
        accuracy: ``"table"`` or ``"network"``; None for the task's own kind.
        render_mode: ``"ansi"``, ``"rgb_array"`` or None.

    Raises:
        TaskError: If an argument is none of those above.
    """

    metadata = {  # noqa: RUF012  PettingZoo's own way
        "render_modes": [*RENDER_MODES],
        "render_fps": 4,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        task: TaskLike,
        *,
        discrete: Discrete,
        rounds: int,
        credit: Credit,
        reward: Reward,
        solver: SolverName,
        accuracy: AccuracyKind | None,
        render_mode: str | None,
    ) -> None:
        check_rules(rounds, credit)
        self.task = find_task(task, accuracy)
        self.metadata = {**type(self).metadata, "name": self.task.id}
        self.render_mode, self._renderer = render_mode, EpisodeRenderer(render_mode)
        self.discrete = discrete
        self.rounds = rounds
        self.credit: Credit = credit
        self.dynamics = Dynamics(self.task, reward, solver)
        self.state_feature_names = (*design_feature_names(self.dynamics), "rounds_left")
        self.state_space = spaces.Box(0.0, 1.0, (len(self.state_feature_names),), np.float32)
        self.np_random: np.random.Generator | None = None
        self.np_random_seed: int | None = None
        self._settings: IntArray | None = None  # shape (L, K); None: no episode has begun
        self.outcome: Outcome | None = None  # of the last finished episode

    def _set_agents(
        self,
        parts: Mapping[str, slice],
        codes: Mapping[str, ActionCode],
        observation_spaces: Mapping[str, gym.Space[Any]],
    ) -> None:
        """Say who there is.

        Args:
            parts: The layers of every agent, in order.
            codes: What their actions say.
            observation_spaces: A space each: every agent's is seeded by itself.
        """
        self._parts, self._codes = dict(parts), dict(codes)
        self.possible_agents = [*parts]
        self.agents: list[str] = []
        self.observation_spaces = dict(observation_spaces)
        self.action_spaces = {agent: code.space for agent, code in codes.items()}

    @abstractmethod
    def _decode_one(self, agent: str, action: Action) -> Any:
        """Turn an agent's action into settings of its layers; None if it is none."""

    @abstractmethod
    def _infos(self, team_reward: float, outcome: Outcome | None) -> dict[str, dict[str, Any]]:
        """Say to every agent what its layers have, and how the team stands."""

    @abstractmethod
    def _observe(self, state: Observation) -> dict[str, Observation]:
        """Describe to every agent what it sees."""

    @abstractmethod
    def action_masks(self) -> dict[str, NDArray[np.bool_]]:
        """Say what the agents' layers may have.

        Returns:
            By agent, for every action or value whether it is possible.
        """

    def observation_space(self, agent: str) -> gym.Space[Any]:
        """Return the space of an agent's observations, always the same object.

        Args:
            agent: One of ``possible_agents``.

        Returns:
            ``Box`` over 0..1, or the ``Dict`` of a graph.

        Raises:
            TaskError: If there is no such agent.
        """
        return self.observation_spaces[self._known(agent)]

    def action_space(self, agent: str) -> gym.Space[Any]:
        """Return the space of an agent's actions, always the same object.

        Args:
            agent: One of ``possible_agents``.

        Returns:
            ``Box``, ``MultiDiscrete`` or ``Discrete``.

        Raises:
            TaskError: If there is no such agent.
        """
        return self.action_spaces[self._known(agent)]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Start with the plain design.

        Args:
            seed: Seeds ``np_random``, which the dynamics do not use.
            options: There are none; what is given is ignored, as PettingZoo's API tests demand.

        Returns:
            Observations and infos by agent.
        """
        if seed is not None or self.np_random is None:
            self.np_random, self.np_random_seed = seeding.np_random(seed)
        self.agents = self.possible_agents[:]
        self._settings = self.dynamics.plain
        self._elapsed, self.outcome = 0, None
        self._team_rewarded, self._rewarded = 0.0, np.zeros(len(self._parts))
        return self._observe(self._state()), self._infos(0.0, None)

    def step(
        self, actions: dict[str, Action]
    ) -> tuple[
        dict[str, Observation],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Choose the settings of all layers.

        Args:
            actions: By agent, as its action space says.

        Returns:
            Observations, rewards, terminated, truncated (always False) and infos by agent.

        Raises:
            ActionError: If an agent's action is missing or not in its space, or of no agent.
            InfeasibleBudgetError: If the design, or for difference rewards one with an agent's
                layers plain, does not fit a budget smaller than the registered ones; the episode
                stays where it was.
            gymnasium.error.ResetNeeded: If the episode has ended or not begun.
        """
        if not self.agents:
            raise gym.error.ResetNeeded("Expected reset() before step(): no episode is running.")
        settings = self._decode(actions)
        outcome = self.dynamics.outcome(settings)
        score = outcome.reward(self.dynamics.reward)
        worth = np.full(len(self._parts), score)
        if self.credit == "difference":
            parts = tuple(self._parts.values())
            worth = contributions(self.dynamics, settings[None], np.array([score]), parts)[0]
        agents, self._settings = self.agents, settings
        self._elapsed += 1
        terminated = self._elapsed == self.rounds
        team_reward, rewards = score - self._team_rewarded, worth - self._rewarded
        self._team_rewarded += team_reward
        self._rewarded += rewards
        if terminated:
            self.agents, self.outcome = [], outcome
        return (
            self._observe(self._state()),
            dict(zip(agents, rewards.tolist(), strict=True)),
            dict.fromkeys(agents, terminated),
            dict.fromkeys(agents, False),
            self._infos(team_reward, outcome),
        )

    def state(self) -> Observation:
        """Describe the whole design, for centralised critics.

        Returns:
            Shape (K L + 5,), as in ``state_feature_names``; after an episode what it ended with.

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        if self._settings is None:
            raise gym.error.ResetNeeded("Expected reset() before state(): no episode has begun.")
        return self._state()

    def view(self) -> EpisodeView:
        """Say how the episode stands, for text and pictures.

        Returns:
            The view.

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        if self._settings is None:
            raise gym.error.ResetNeeded("Expected reset() before render(): no episode has begun.")
        progress = f"{self._elapsed} of {self.rounds} rounds"
        if not self._elapsed:
            return EpisodeView(self.task, self._settings, 0, progress, None)
        outcome = self.dynamics.outcome(self._settings)
        return EpisodeView(self.task, self._settings, len(self.dynamics), progress, outcome)

    def describe_state(self) -> ObservationTable:
        """Say what the elements of ``state()`` mean.

        Returns:
            A row per element; printed, a table.
        """
        return describe_elements(self.task.space, self.state_feature_names, self.task.network)

    def _known(self, agent: str) -> str:
        if agent not in self.action_spaces:
            raise TaskError(unknown_name("agent", agent, self.possible_agents))
        return agent

    def _decode(self, actions: dict[str, Action]) -> IntArray:
        """Turn actions into settings, shape (L, K), or say what is wrong with them."""
        if not isinstance(actions, dict) or set(actions) != set(self.agents):
            raise ActionError(
                f"Expected actions of exactly the agents {self.agents[0]} to {self.agents[-1]}, "
                f"got {list(actions) if isinstance(actions, dict) else actions!r}."
            )
        settings = np.empty(self.dynamics.plain.shape, dtype=np.int64)
        for agent in self.agents:
            found = self._decode_one(agent, actions[agent])
            if found is None:
                raise ActionError(
                    f"Expected an action of {agent} in {self.action_spaces[agent]}, "
                    f"got {actions[agent]!r}."
                )
            settings[self._parts[agent]] = found
        return self.dynamics.space.nearest(settings)

    def _state(self) -> Observation:
        assert self._settings is not None
        state: Observation = observe_refinements(
            self.dynamics, self._settings[None], np.array([self._elapsed]), self.rounds
        )[0]
        return state


def in_turn(
    env: pettingzoo.ParallelEnv[str, Observation, Action],
) -> pettingzoo.AECEnv[str, Observation, Action]:
    """Let agents act one after the other, blind to those before.

    Args:
        env: In which all act at once.

    Returns:
        A PettingZoo ``AECEnv`` that refuses calls out of order and actions out of their space.
    """
    return OrderEnforcingWrapper(AssertOutOfBoundsWrapper(parallel_to_aec(env)))
