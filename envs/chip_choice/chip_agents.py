"""The multi-agent environment of a chip in an area: an agent per layer, and one for the chip."""

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.chip_choice.chip_info import chip_info
from lrmp.envs.chip_choice.chosen_chip import ChosenChip
from lrmp.envs.chip_choice.environment import CHIP_KNOBS
from lrmp.envs.forms.action import ActionCode, read_action
from lrmp.envs.forms.agents_in_rounds import AgentsInRounds, in_turn
from lrmp.envs.forms.layerwise import Action
from lrmp.envs.procedural.features import transfer_feature_names
from lrmp.envs.scoring.design_info import fresh
from lrmp.envs.scoring.observation import TOTALS, Observation, knob_features
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import RewardName
from lrmp.hardware.families.chip import CHIP_SPACE
from lrmp.hardware.frozen_arrays import IntArray

if TYPE_CHECKING:
    from pettingzoo import AECEnv

CHIP = "chip"


class ChipAgentsEnv(ChosenChip, AgentsInRounds):
    """An agent for the chip and one per layer: all choose at once; a program places the copies.

    ## Description
    The problem of `ChipEnv`, and its best return. Agents are `chip` and `layer_0` to
    `layer_{L-1}`. With `rounds=1` an episode is one joint choice, in which the layers do not know
    their chip; with more, all choose anew in every round, and see the chip and the design of the
    round before. A chip that does not hold the plain design counts as the nearest that does.

    ## Action Space
    Of `chip` `Box(-1, 1, (5,), float32)`, of a layer `Box(-1, 1, (2,), float32)`, in parts as in
    `LayerwiseEnv`. With `discrete=True`, places of values: `MultiDiscrete([3, 3, 4, 4, 3])` and
    `MultiDiscrete([7, 7])`. A wrong action, a missing one or one of an unknown agent raises
    `ActionError` and changes nothing.

    ## Observation Space
    Of `chip` `Box(0, 1, (10,), float32)`: the chip (5), the totals of the design with one copy of
    every layer (4), and the rounds left. Of a layer `Box(0, 1, (26,), float32)`: the same with, in
    between, the 14 features of `ProceduralEnv` of the layer on this chip and its setting (2). All
    are of the round before; at first of the plain design on LRMP's chip. `state()`, in
    `state_space`, is `Box(0, 1, (5 + 2 L + 5,), float32)`: chip, settings, totals and rounds left.

    ## Rewards
    Every agent gets the reward of the round's design, by `ChipEnv`'s formula, less all rewards
    before, so that its return is that of the last design.

    ## Starting State
    The plain design on LRMP's chip, whatever the seed.

    ## Episode End
    1. Termination: of all agents, after `rounds` rounds.

    An episode never truncates.

    ## Info
    Of every agent that of `ChipEnv`, without `layer`, of the design of the round; zeros at reset.

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `problem` | `str` | the id's own | id of the problem |
    | `discrete` | `bool` | `False` | actions as places of values |
    | `rounds` | `int` | `1` | how often all agents choose |
    | `reward` | `str` | `"lrmp"` | the name of a formula |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    >>> import pettingzoo
    >>> import lrmp.envs.forms.multi_agent
    >>> env = pettingzoo.make("parallel", "LRMP/LeNet-Chip-v0", discrete=True)
    >>> observations, infos = env.reset(seed=0)
    >>> actions = {agent: [1, 1] for agent in env.agents} | {"chip": [0, 1, 3, 3, 2]}  # 3 bits
    >>> observations, rewards, terminations, truncations, infos = env.step(actions)
    >>> round(float(infos["chip"]["score"]), 3), env.agents
    (2.73, [])

    ## Registered Configurations
    `LRMP/*-Chip*-v0` for every id that `ChipEnv` names, as `"parallel"` and as `"aec"`.

    ## Version History
    - v0: first release.
    """

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
        space, layers = self.task.space, len(self.task.network)
        agents = [CHIP, *(f"layer_{layer}" for layer in range(layers))]
        sizes = dict.fromkeys(agents, space.sizes) | {CHIP: CHIP_SPACE.sizes}
        common, knobs = CHIP_KNOBS + len(TOTALS) + 1, len(space)
        of_layer = common + len(transfer_feature_names(space)) + knobs
        self._set_agents(
            {agent: ActionCode(size, self.discrete) for agent, size in sizes.items()},
            {
                agent: spaces.Box(0.0, 1.0, (common if agent == CHIP else of_layer,), np.float32)
                for agent in agents
            },
        )
        self.state_space = spaces.Box(0.0, 1.0, (common + knobs * layers,), np.float32)

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Start with the plain design on LRMP's chip.

        Args:
            seed: Seeds ``np_random``, which the dynamics do not use.
            options: There are none; what is given is ignored, as PettingZoo's API tests demand.

        Returns:
            Observations and infos by agent.
        """
        self._take(self.problem.plain_chip)
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
        """Choose the chip and the settings of all layers.

        Args:
            actions: By agent, as its action space says.

        Returns:
            Observations, rewards, terminated, truncated (always False) and infos by agent.

        Raises:
            ActionError: If an agent's action is missing or not in its space, or of no agent.
            gymnasium.error.ResetNeeded: If the episode has ended or not begun.
        """
        self._check_running()
        chip, *settings = self._decode(actions)
        self._take(self.problem.nearest(chip))
        self._settings = np.array(settings)
        outcome = self.dynamics.outcome(self._settings)
        score = self.problem.reward(self._chip, outcome, self._reward)
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
        chip, behind = self._seen()
        own = knob_features(self.dynamics.space, self._settings).ravel()
        return np.concatenate([chip, own, behind], dtype=np.float32)

    def _decode(self, actions: dict[str, Action]) -> list[IntArray]:
        """Turn actions into places of values by agent, or say what is wrong with them."""
        self._check_names(actions, f"{CHIP} and {self.agents[1]} to {self.agents[-1]}")
        found = []
        for agent in self.agents:
            values = read_action(self.action_spaces[agent], actions[agent])
            if values is None:
                raise self._wrong_action(agent, actions[agent])
            found.append(self._codes[agent].places(values))
        return found

    def _seen(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what all agents see: the chip; totals and the rounds left."""
        assert self._settings is not None
        chip = knob_features(CHIP_SPACE, self.problem.chips[self._chip])
        left = np.array([1 - self._elapsed / self.rounds])
        return chip, np.concatenate([*self.dynamics.design_totals(self._settings[None]), left])

    def _observe(self) -> dict[str, Observation]:
        assert self._settings is not None
        chip, behind = self._seen()
        own = knob_features(self.dynamics.space, self._settings)
        parts = [
            np.concatenate([chip, described, setting, behind], dtype=np.float32)
            for described, setting in zip(self._described, own, strict=True)
        ]
        first = np.concatenate([chip, behind], dtype=np.float32)
        return dict(zip(self.possible_agents, [first, *parts], strict=True))

    def _infos(self, outcome: Outcome | None) -> dict[str, dict[str, Any]]:
        info = chip_info(self.problem, self._chip, outcome, finished=not self.agents)
        return {agent: fresh(info) for agent in self.possible_agents}


def parallel_env(problem: str, **settings: Any) -> ChipAgentsEnv:
    """Build the environment in which all act at once.

    Args:
        problem: Id, such as ``"LRMP-LeNet-Chip-v0"``.
        settings: The other arguments of ``ChipAgentsEnv``.

    Returns:
        A PettingZoo ``ParallelEnv``.
    """
    return ChipAgentsEnv(problem, **settings)


def env(problem: str, **settings: Any) -> "AECEnv[str, Observation, Action]":
    """Build the environment in which agents act one after the other, blind to those before.

    Args:
        problem: Id, such as ``"LRMP-LeNet-Chip-v0"``.
        settings: The other arguments of ``ChipAgentsEnv``.

    Returns:
        A PettingZoo ``AECEnv``.
    """
    return in_turn(parallel_env(problem, **settings))
