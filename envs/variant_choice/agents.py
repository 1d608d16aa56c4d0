"""The multi-agent form of problems with variants: an agent per layer, and one for the variant."""

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.forms.action import ActionCode, read_action
from lrmp.envs.forms.agents_in_rounds import AgentsInRounds
from lrmp.envs.forms.layerwise import Action
from lrmp.envs.procedural.features import transfer_feature_names
from lrmp.envs.scoring.design_info import fresh
from lrmp.envs.scoring.observation import TOTALS, Observation, knob_features
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import RewardName
from lrmp.envs.variant_choice.chosen_variant import ChosenVariant
from lrmp.envs.variant_choice.variant_info import variant_info
from lrmp.hardware.frozen_arrays import IntArray


class VariantAgentsEnv(ChosenVariant, AgentsInRounds):
    """An agent for the variant and one per layer: all choose at once; a program places the copies.

    Attributes:
        chooser: Name of the agent that chooses the variant.

    Args:
        problem: Id of the problem.
        discrete: Whether actions are places of values.
        rounds: How often all agents choose.
        reward: The name of a formula.
        render_mode: ``"ansi"``, ``"rgb_array"`` or None.
    """

    chooser: ClassVar[str]

    def __init__(
        self,
        problem: str,
        *,
        discrete: bool = False,
        rounds: int = 1,
        reward: RewardName = "lrmp",
        render_mode: str | None = None,
    ) -> None:
        self._pose(problem, discrete, reward)
        super().__init__(self.problem.id, rounds=rounds, credit="team", render_mode=render_mode)
        own, space, layers = self.problem.space, self.task.space, len(self.task.network)
        agents = [self.chooser, *(f"layer_{layer}" for layer in range(layers))]
        sizes = dict.fromkeys(agents, space.sizes) | {self.chooser: own.sizes}
        common, knobs = len(own) + len(TOTALS) + 1, len(space)
        of_layer = common + len(transfer_feature_names(space)) + knobs
        self._set_agents(
            {agent: ActionCode(size, self.discrete) for agent, size in sizes.items()},
            {
                agent: spaces.Box(
                    0.0, 1.0, (common if agent == self.chooser else of_layer,), np.float32
                )
                for agent in agents
            },
        )
        self.state_space = spaces.Box(0.0, 1.0, (common + knobs * layers,), np.float32)

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Start with the plain design of the plain variant.

        Args:
            seed: Seeds ``np_random``, which the dynamics do not use.
            options: There are none; what is given is ignored, as PettingZoo's API tests demand.

        Returns:
            Observations and infos by agent.
        """
        self._take(self.problem.plain_variant)
        self._begin(seed)
        self._rewarded = 0.0
        return self._observe(), self._infos(None)

    def step(
        self, actions: dict[str, Action]
    ) -> tuple[
        dict[str, Observation],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Choose the variant and the settings of all layers.

        Args:
            actions: By agent, as its action space says.

        Returns:
            Observations, rewards, terminated, truncated (always False) and infos by agent.

        Raises:
            ActionError: If an agent's action is missing or not in its space, or of no agent.
            gymnasium.error.ResetNeeded: If the episode has ended or not begun.
        """
        self._check_running()
        variant, *settings = self._decode(actions)
        self._take(self.problem.nearest(variant))
        self._settings = np.array(settings)
        outcome = self.dynamics.outcome(self._settings)
        score = self.problem.reward(self._variant, outcome, self._reward)
        agents, reward = self.agents, score - self._rewarded
        self._elapsed, self._rewarded = self._elapsed + 1, score
        terminated = self._elapsed == self.rounds
        if terminated:
            self.agents, self.outcome = [], outcome
        return (
            self._observe(),
            dict.fromkeys(agents, reward),
            dict.fromkeys(agents, terminated),
            dict.fromkeys(agents, False),
            self._infos(outcome),
        )

    def _state(self) -> Observation:
        assert self._settings is not None
        behind = self._behind()
        own = knob_features(self.dynamics.space, self._settings).ravel()
        return np.concatenate([self._scaled, own, behind], dtype=np.float32)

    def _decode(self, actions: dict[str, Action]) -> list[IntArray]:
        """Turn actions into places of values by agent, or say what is wrong with them."""
        self._check_names(actions, f"{self.chooser} and {self.agents[1]} to {self.agents[-1]}")
        found = []
        for agent in self.agents:
            values = read_action(self.action_spaces[agent], actions[agent])
            if values is None:
                raise self._wrong_action(agent, actions[agent])
            found.append(self._codes[agent].places(values))
        return found

    def _behind(self) -> NDArray[np.float64]:
        """Return what all agents see behind all else: totals and the rounds left."""
        assert self._settings is not None
        left = np.array([1 - self._elapsed / self.rounds])
        return np.concatenate([*self.dynamics.design_totals(self._settings[None]), left])

    def _observe(self) -> dict[str, Observation]:
        assert self._settings is not None
        behind = self._behind()
        own = knob_features(self.dynamics.space, self._settings)
        parts = [
            np.concatenate([self._scaled, described, setting, behind], dtype=np.float32)
            for described, setting in zip(self._described, own, strict=True)
        ]
        first = np.concatenate([self._scaled, behind], dtype=np.float32)
        return dict(zip(self.possible_agents, [first, *parts], strict=True))

    def _infos(self, outcome: Outcome | None) -> dict[str, dict[str, Any]]:
        info = variant_info(self.problem, self._variant, outcome, finished=not self.agents)
        return {agent: fresh(info) for agent in self.possible_agents}
