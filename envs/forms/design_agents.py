"""The multi-agent environments' common rules: agents each set a part of the layers, all at once."""

from abc import abstractmethod
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.forms.action import Discrete
from lrmp.envs.forms.agents_in_rounds import AgentsInRounds
from lrmp.envs.forms.design_observation import design_feature_names
from lrmp.envs.forms.layerwise import Action
from lrmp.envs.forms.multi_agent_vector import Credit, contributions
from lrmp.envs.forms.refine import observe_refinements
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.scoring.observation_table import ObservationTable, describe_elements
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import Reward
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.oracle import SolverName


class DesignAgentsEnv(AgentsInRounds):
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
        self.task = find_task(task, accuracy)
        super().__init__(self.task.id, rounds=rounds, credit=credit, render_mode=render_mode)
        self.discrete = discrete
        self.credit: Credit = credit
        self.dynamics = Dynamics(self.task, reward, solver)
        self.state_feature_names = (*design_feature_names(self.dynamics), "rounds_left")
        self.state_space = spaces.Box(0.0, 1.0, (len(self.state_feature_names),), np.float32)
        #: The layers of every agent; subclasses set it.
        self._parts: dict[str, slice]

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
        self._begin(seed)
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
        self._check_running()
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

    def describe_state(self) -> ObservationTable:
        """Say what the elements of ``state()`` mean.

        Returns:
            A row per element; printed, a table.
        """
        return describe_elements(self.task.space, self.state_feature_names, self.task.network)

    def _decode(self, actions: dict[str, Action]) -> IntArray:
        """Turn actions into settings, shape (L, K), or say what is wrong with them."""
        self._check_names(actions, f"{self.agents[0]} to {self.agents[-1]}")
        settings = np.empty(self.dynamics.plain.shape, dtype=np.int64)
        for agent in self.agents:
            found = self._decode_one(agent, actions[agent])
            if found is None:
                raise self._wrong_action(agent, actions[agent])
            settings[self._parts[agent]] = found
        return self.dynamics.space.nearest(settings)

    def _state(self) -> Observation:
        assert self._settings is not None
        state: Observation = observe_refinements(
            self.dynamics, self._settings[None], np.array([self._elapsed]), self.rounds
        )[0]
        return state
