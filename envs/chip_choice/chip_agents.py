"""The multi-agent environment of a chip in an area: an agent per layer, and one for the chip."""

from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from numpy.typing import NDArray

from lrmp.envs.chip_choice.chip_info import chip_info
from lrmp.envs.chip_choice.environment import CHIP_KNOBS, chip_rules
from lrmp.envs.chip_choice.problem import ChipProblem, load_chip_problem
from lrmp.envs.forms.action import ActionCode, check_discrete, kinds_of, within
from lrmp.envs.forms.design_agents import in_turn
from lrmp.envs.forms.layerwise import Action
from lrmp.envs.forms.multi_agent_vector import check_rules
from lrmp.envs.procedural.features import transfer_feature_names
from lrmp.envs.rendering.episode_renderer import RENDER_MODES, EpisodeRenderer
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.rendering.shown_episode import ShownEpisode
from lrmp.envs.scoring.observation import TOTALS, Observation, knob_features
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import RewardName, reward_function
from lrmp.envs.task.task import Task
from lrmp.errors import ActionError, MissingExtraError, TaskError, unknown_name
from lrmp.hardware.families.chip import CHIP_SPACE
from lrmp.hardware.frozen_arrays import IntArray

try:
    import pettingzoo
except ImportError as error:
    raise MissingExtraError.of("pettingzoo", "for the multi-agent form", "multiagent") from error

if TYPE_CHECKING:
    from pettingzoo import AECEnv

CHIP = "chip"


class ChipAgentsEnv(ShownEpisode, pettingzoo.ParallelEnv[str, Observation, Action]):  # type: ignore[misc]
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

    metadata = {  # noqa: RUF012  PettingZoo's own way
        "render_modes": [*RENDER_MODES],
        "render_fps": 4,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        problem: str,
        *,
        discrete: bool = False,
        rounds: int = 1,
        reward: RewardName = "lrmp",
        render_mode: str | None = None,
    ) -> None:
        check_rules(rounds, "team")
        reward_function(reward)
        if check_discrete(discrete) == "flat":
            raise TaskError('Expected discrete to be False or True, got "flat".')
        #: What is solved.
        self.problem: ChipProblem = load_chip_problem(problem)
        self.metadata = {**type(self).metadata, "name": self.problem.id}
        self.render_mode, self._renderer = render_mode, EpisodeRenderer(render_mode)
        self.discrete, self.rounds = bool(discrete), rounds
        self._reward: RewardName = reward
        self._set_up(self.problem.plain_chip)
        space, layers = self.task.space, len(self.task.network)
        self.possible_agents = [CHIP, *(f"layer_{layer}" for layer in range(layers))]
        self.agents: list[str] = []
        sizes = dict.fromkeys(self.possible_agents, space.sizes) | {CHIP: CHIP_SPACE.sizes}
        self._codes = {agent: ActionCode(size, self.discrete) for agent, size in sizes.items()}
        self.action_spaces = {agent: code.space for agent, code in self._codes.items()}
        common, knobs = CHIP_KNOBS + len(TOTALS) + 1, len(space)
        of_layer = common + len(transfer_feature_names(space)) + knobs
        self.observation_spaces = {
            agent: spaces.Box(0.0, 1.0, (common if agent == CHIP else of_layer,), np.float32)
            for agent in self.possible_agents
        }
        self.state_space = spaces.Box(0.0, 1.0, (common + knobs * layers,), np.float32)
        self.np_random: np.random.Generator | None = None
        self.np_random_seed: int | None = None
        self._settings: IntArray | None = None  # shape (L, K); None: no episode has begun
        self.outcome: Outcome | None = None  # of the last finished episode

    @property
    def task(self) -> Task:
        """The task of the chip of the round before; LRMP's at first."""
        return self.problem.task(self._chip)

    @property
    def chip(self) -> int:
        """The number of that chip among the problem's."""
        return self._chip

    def observation_space(self, agent: str) -> gym.Space[Any]:
        """Return the space of an agent's observations, always the same object.

        Args:
            agent: One of ``possible_agents``.

        Returns:
            ``Box`` over 0..1.

        Raises:
            TaskError: If there is no such agent.
        """
        return self.observation_spaces[self._known(agent)]

    def action_space(self, agent: str) -> gym.Space[Any]:
        """Return the space of an agent's actions, always the same object.

        Args:
            agent: One of ``possible_agents``.

        Returns:
            ``Box`` or ``MultiDiscrete``.

        Raises:
            TaskError: If there is no such agent.
        """
        return self.action_spaces[self._known(agent)]

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
        if seed is not None or self.np_random is None:
            self.np_random, self.np_random_seed = seeding.np_random(seed)
        self.agents = self.possible_agents[:]
        self._set_up(self.problem.plain_chip)
        self._settings = self._dynamics.plain
        self._elapsed, self._rewarded, self.outcome = 0, 0.0, None
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
        if not self.agents:
            raise gym.error.ResetNeeded("Expected reset() before step(): no episode is running.")
        chip, *settings = self._decode(actions)
        self._set_up(self.problem.nearest(chip))
        self._settings = np.array(settings)
        outcome = self._dynamics.outcome(self._settings)
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

    def state(self) -> Observation:
        """Describe the chip and the whole design, for centralised critics.

        Returns:
            Shape (5 + 2 L + 5,); after an episode what it ended with.

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        if self._settings is None:
            raise gym.error.ResetNeeded("Expected reset() before state(): no episode has begun.")
        chip, behind = self._seen()
        own = knob_features(self._dynamics.space, self._settings).ravel()
        return np.concatenate([chip, own, behind], dtype=np.float32)

    def view(self) -> EpisodeView:
        """Say how the episode stands, for text and pictures.

        Returns:
            The view, of the task of the chip.

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        if self._settings is None:
            raise gym.error.ResetNeeded("Expected reset() before render(): no episode has begun.")
        progress = f"{self._elapsed} of {self.rounds} rounds"
        if not self._elapsed:
            return EpisodeView(self.task, self._settings, 0, progress, None)
        outcome = self._dynamics.outcome(self._settings)
        return EpisodeView(self.task, self._settings, len(self._settings), progress, outcome)

    def _set_up(self, chip: int) -> None:
        self._chip = chip
        self._dynamics, self._described = chip_rules(self.problem, chip)

    def _known(self, agent: str) -> str:
        if agent not in self.action_spaces:
            raise TaskError(unknown_name("agent", agent, self.possible_agents))
        return agent

    def _decode(self, actions: dict[str, Action]) -> list[IntArray]:
        """Turn actions into places of values by agent, or say what is wrong with them."""
        if not isinstance(actions, dict) or set(actions) != set(self.agents):
            raise ActionError(
                f"Expected actions of exactly the agents {CHIP} and {self.agents[1]} to "
                f"{self.agents[-1]}, got "
                f"{list(actions) if isinstance(actions, dict) else actions!r}."
            )
        found = []
        for agent in self.agents:
            space = self.action_spaces[agent]
            try:
                values: NDArray[Any] = np.asarray(actions[agent])
            except ValueError:  # ragged nesting
                values = np.empty(0)
            fits = values.shape == space.shape and values.dtype.kind in kinds_of(space)
            if not fits or not within(space, values).all():
                raise ActionError(
                    f"Expected an action of {agent} in {space}, got {actions[agent]!r}."
                )
            found.append(self._codes[agent].places(values))
        return found

    def _seen(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what all agents see: the chip; totals and the rounds left."""
        assert self._settings is not None
        chip = knob_features(CHIP_SPACE, self.problem.chips[self._chip])
        left = np.array([1 - self._elapsed / self.rounds])
        return chip, np.concatenate([*self._dynamics.design_totals(self._settings[None]), left])

    def _observe(self) -> dict[str, Observation]:
        assert self._settings is not None
        chip, behind = self._seen()
        own = knob_features(self._dynamics.space, self._settings)
        parts = [
            np.concatenate([chip, described, setting, behind], dtype=np.float32)
            for described, setting in zip(self._described, own, strict=True)
        ]
        first = np.concatenate([chip, behind], dtype=np.float32)
        return dict(zip(self.possible_agents, [first, *parts], strict=True))

    def _infos(self, outcome: Outcome | None) -> dict[str, dict[str, Any]]:
        finished = not self.agents
        return {
            agent: chip_info(self.problem, self._chip, outcome, finished=finished)
            for agent in self.possible_agents
        }


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
