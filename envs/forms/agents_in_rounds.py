"""What every multi-agent environment does: agents choose all at once, in one or more rounds."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding

from lrmp.envs.forms.action import ActionCode
from lrmp.envs.forms.layerwise import Action
from lrmp.envs.forms.multi_agent_vector import Credit, check_rules
from lrmp.envs.rendering.episode_renderer import RENDER_MODES, EpisodeRenderer
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.rendering.shown_episode import ShownEpisode
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.scoring.outcome import Outcome
from lrmp.errors import ActionError, MissingExtraError, TaskError, unknown_name
from lrmp.hardware.frozen_arrays import IntArray

try:
    import pettingzoo
    from pettingzoo.utils import AssertOutOfBoundsWrapper, OrderEnforcingWrapper, parallel_to_aec
except ImportError as error:
    raise MissingExtraError.of("pettingzoo", "for the multi-agent form", "multiagent") from error


class AgentsInRounds(ShownEpisode, pettingzoo.ParallelEnv[str, Observation, Action]):  # type: ignore[misc]
    """Agents that share a design, and choose it anew in every round.

    Subclasses set ``dynamics`` and say who there is by `_set_agents`.

    Args:
        name: Id of what is solved.
        rounds: How often all agents choose.
        credit: ``"team"`` or ``"difference"``.
        render_mode: ``"ansi"``, ``"rgb_array"`` or None.

    Raises:
        TaskError: If an argument is none of those above.
    """

    metadata = {  # noqa: RUF012  PettingZoo's own way
        "render_modes": [*RENDER_MODES],
        "render_fps": 4,
        "is_parallelizable": True,
    }

    dynamics: Dynamics

    def __init__(self, name: str, *, rounds: int, credit: Credit, render_mode: str | None) -> None:
        check_rules(rounds, credit)
        self.metadata = {**type(self).metadata, "name": name}
        self.render_mode, self._renderer = render_mode, EpisodeRenderer(render_mode)
        self.rounds = rounds
        self.np_random: np.random.Generator | None = None
        self.np_random_seed: int | None = None
        self._settings: IntArray | None = None  # shape (L, K); None: no episode has begun
        self.outcome: Outcome | None = None  # of the last finished episode

    def _set_agents(
        self,
        codes: Mapping[str, ActionCode],
        observation_spaces: Mapping[str, gym.Space[Any]],
    ) -> None:
        """Say who there is.

        Args:
            codes: What the actions of every agent say, in order.
            observation_spaces: A space each: every agent's is seeded by itself.
        """
        self._codes = dict(codes)
        self.possible_agents = [*codes]
        self.agents: list[str] = []
        self.observation_spaces = dict(observation_spaces)
        self.action_spaces = {agent: code.space for agent, code in codes.items()}

    @abstractmethod
    def _state(self) -> Observation:
        """Describe the design of an episode that has begun."""

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

    def state(self) -> Observation:
        """Describe the whole design, for centralised critics.

        Returns:
            Of ``state_space``; after an episode what it ended with.

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
        task = self.dynamics.task
        if not self._elapsed:
            return EpisodeView(task, self._settings, 0, progress, None)
        outcome = self.dynamics.outcome(self._settings)
        return EpisodeView(task, self._settings, len(self.dynamics), progress, outcome)

    def _begin(self, seed: int | None) -> None:
        """Start an episode with the plain design."""
        if seed is not None or self.np_random is None:
            self.np_random, self.np_random_seed = seeding.np_random(seed)
        self.agents = self.possible_agents[:]
        self._settings = self.dynamics.plain
        self._elapsed, self.outcome = 0, None

    def _known(self, agent: str) -> str:
        if agent not in self.action_spaces:
            raise TaskError(unknown_name("agent", agent, self.possible_agents))
        return agent

    def _check_running(self) -> None:
        if not self.agents:
            raise gym.error.ResetNeeded("Expected reset() before step(): no episode is running.")

    def _check_names(self, actions: object, who: str) -> None:
        """Refuse actions of other agents than there are, who are so called."""
        if not isinstance(actions, dict) or set(actions) != set(self.agents):
            raise ActionError(
                f"Expected actions of exactly the agents {who}, "
                f"got {list(actions) if isinstance(actions, dict) else actions!r}."
            )

    def _wrong_action(self, agent: str, action: object) -> ActionError:
        return ActionError(
            f"Expected an action of {agent} in {self.action_spaces[agent]}, got {action!r}."
        )


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
