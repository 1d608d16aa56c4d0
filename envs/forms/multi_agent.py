"""The multi-agent environment: an agent per layer, all choosing at once; for PettingZoo.

Importing this module registers every task with PettingZoo, which does not find packages by itself.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.forms.action import action_setting, action_space
from lrmp.envs.forms.design_observation import design_feature_names
from lrmp.envs.forms.layerwise import Action
from lrmp.envs.forms.multi_agent_vector import (
    Credit,
    agent_features,
    check_rules,
    contributions,
    observe_layers,
)
from lrmp.envs.forms.refine import observe_refinements
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.features import Feature
from lrmp.envs.scoring.observation import Observation, shown_features
from lrmp.envs.scoring.observation_table import ObservationTable, describe_elements
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import Reward
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.environment_id import multi_agent_id
from lrmp.envs.task.task import TASKS
from lrmp.errors import ActionError, MissingExtraError, TaskError, unknown_name
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.oracle import SolverName

try:
    import pettingzoo
    from pettingzoo.utils import AssertOutOfBoundsWrapper, OrderEnforcingWrapper, parallel_to_aec
except ImportError as error:
    raise MissingExtraError(
        'Expected pettingzoo for the multi-agent form; run pip install "lrmp[multiagent]".'
    ) from error


class MultiAgentEnv(pettingzoo.ParallelEnv[str, Observation, Action]):  # type: ignore[misc]
    """An agent per layer: all choose at once; an integer program places the copies.

    ## Description
    The task is that of `LayerwiseEnv`: chip, network, budget, accuracy and reward are the same, and
    so is the best return. Agents are `layer_0` to `layer_{L-1}` for L layers. They share the tiles
    of the chip and the allowed accuracy drop, but none sees what the others choose in the same
    round. With `rounds=1` an episode is one joint choice; with more, all layers choose anew in
    every round, knowing the design of the round before.

    ## Action Space
    Of every agent `Box(0, 1, (K,), float32)`: a number for each of the K knobs of its layer, such
    as weight bits and activation bits, in parts as in `LayerwiseEnv`. With `discrete=True` they are
    places: `MultiDiscrete([7, 7])` for bits. A wrong action, a missing one or one of an unknown
    agent raises `ActionError` and changes nothing.

    ## Observation Space
    Of every agent `Box(0, 1, (n + K + 5,), float32)`, alike for all agents.
    `env.unwrapped.feature_names` names the elements, `env.unwrapped.describe_observation()` says
    what they mean. For bits (K = 2):

    | Num | Observation | Meaning | Normalisation |
    | --- | --- | --- | --- |
    | 0 .. n - 1 | the layer | features 0 to 11 of `LayerwiseEnv`, of the agent's layer | as there |
    | n | weight_bits | weight_bits of the agent's layer, 8 at first | place / 6 |
    | n + 1 | activation_bits | activation_bits of the agent's layer, 8 at first | place / 6 |
    | n + 2 | tiles | tiles, one copy of every layer | / budget, or the most of any design |
    | n + 3 | accuracy_spent | accuracy spent so far, s; 0 if negative | s / (s + allowance) |
    | n + 4 | cycles | cycles, one copy of every layer | / the most of any design |
    | n + 5 | bottleneck | cycles from image to image, one copy | / the most of any design |
    | n + 6 | rounds_left | rounds to the end | / rounds |

    All are of the round before. n is 10 + K or less: features in which all layers of the network
    are alike are left out. In the first round policies tell layers apart by the n features alone.
    `features` lists what is seen instead, as in `LayerwiseEnv`: names out of this table, and
    functions of your own.

    `state()`, in `state_space`, shows a centralised critic the whole design; it is
    `Box(0, 1, (K L + 5,), float32)`, and `env.unwrapped.state_feature_names` names its elements.

    | Num | State | Meaning | Normalisation |
    | --- | --- | --- | --- |
    | 2 l | weight_bits_l | weight_bits of layer l | place / 6 |
    | 2 l + 1 | activation_bits_l | activation_bits of layer l | place / 6 |
    | 2 L .. 2 L + 3 | the totals | as above | as above |
    | 2 L + 4 | rounds_left | rounds to the end | / rounds |

    ## Rewards
    `credit="team"`: every agent gets the score of the round's design less all rewards before, so
    that its return is the score of the last design (up to rounding if `rounds` is not 1). The score
    is that of `LayerwiseEnv`'s last step, by `reward`.

    `credit="difference"`: every agent gets, instead of the score, its layer's contribution to it:
    the score less that of the same design with the plain setting in this layer, copies placed anew.
    What an agent does changes its own contribution by as much as the score, while what only others
    do mostly cancels (the wonderful life utility of Wolpert and Tumer, Advances in Complex Systems
    4:265-279, 2001, clamped to the plain layer). A round costs L + 1 oracle calls, L of them in one
    batch: for latency and throughput two to twenty times the time of a team's round, more for
    energy, and for the energy-delay products of the large networks minutes. Contributions do not
    add up to the score; `info["team_reward"]` holds what `credit="team"` would give.

    ## Starting State
    The plain design, whatever the seed.

    ## Episode End
    1. Termination: of all agents, after `rounds` rounds. Time is part of the observation, so no
       value follows.

    An episode never truncates.

    ## Info
    Every agent, every round: the value executed in its layer of every knob (`weight_bits` and
    `activation_bits`), `team_reward`, and the design's `gain` and `accuracy_drop` (percentage
    points). The last round also: `design` (settings and copies), `report` (exact cost by layer),
    `accuracy_is_estimate`, `proven_optimal`.

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `task` | `str` or `Task` | the id's own | what is solved |
    | `discrete` | `bool` | `False` | actions as places of values |
    | `rounds` | `int` | `1` | how often all layers choose |
    | `credit` | `str` | `"team"` | `"team"` or `"difference"` |
    | `features` | sequence or `None` | `None` | what is observed, in order; None for all |
    | `reward` | `str` or function | `"lrmp"` | `"lrmp"`, `"haq"`, `"cim-aq"` or your own |
    | `solver` | `str` | `"exact"` | the oracle's solver: `"exact"`, or `"ilp"` for CP-SAT |
    | `accuracy` | `str` or `None` | the task's own | `"table"`, or `"network"`: run it on images |
    | `render_mode` | `str` or `None` | `None` | none |

    >>> import pettingzoo
    >>> import lrmp.envs.forms.multi_agent
    >>> env = pettingzoo.make("parallel", "LRMP/ResNet18-v0", discrete=True)
    >>> observations, infos = env.reset(seed=0)
    >>> actions = {agent: [4, 4] for agent in env.agents}  # 6 bits
    >>> observations, rewards, terminations, truncations, infos = env.step(actions)
    >>> round(infos["layer_0"]["gain"], 3), env.agents
    (4.136, [])

    ## Registered Configurations
    `LRMP/*-v0` for every `LRMP-*-v0` that `LayerwiseEnv` names, such as `LRMP/ResNet18-EDP-v0`,
    once as `"parallel"` and once as `"aec"`, where layers act one after the other without seeing
    what those before chose.

    ## Version History
    - v0: first release.
    """

    metadata = {"render_modes": [], "is_parallelizable": True}  # noqa: RUF012  PettingZoo's own way

    def __init__(
        self,
        task: TaskLike,
        *,
        discrete: bool = False,
        rounds: int = 1,
        credit: Credit = "team",
        features: Sequence[Feature] | None = None,
        reward: Reward = "lrmp",
        solver: SolverName = "exact",
        accuracy: AccuracyKind | None = None,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            raise TaskError(
                f"Expected render_mode None, got {render_mode!r}. The layer-wise form draws."
            )
        check_rules(rounds, credit)
        self.task = find_task(task, accuracy)
        self.metadata = {**type(self).metadata, "name": self.task.id}
        self.render_mode = None
        self.discrete = discrete
        self.rounds = rounds
        self.credit: Credit = credit
        self.dynamics = Dynamics(self.task, reward, solver)
        self._shown = shown_features(self.task, features, agent_features(self.task.space))
        self.feature_names = self._shown.names
        self.state_feature_names = (*design_feature_names(self.dynamics), "rounds_left")

        self.possible_agents = [f"layer_{layer}" for layer in range(len(self.dynamics))]
        self.agents: list[str] = []
        # A space each: every agent's space is seeded by itself.
        self._observation_spaces = {
            agent: spaces.Box(0.0, 1.0, (len(self.feature_names),), np.float32)
            for agent in self.possible_agents
        }
        self._action_spaces = {
            agent: action_space(self.task.space, discrete) for agent in self.possible_agents
        }
        self.state_space = spaces.Box(0.0, 1.0, (len(self.state_feature_names),), np.float32)
        self.np_random: np.random.Generator | None = None
        self.np_random_seed: int | None = None
        self._settings: IntArray | None = None  # shape (L, K); None: no episode has begun
        self.outcome: Outcome | None = None  # of the last finished episode

    def observation_space(self, agent: str) -> gym.Space[Any]:
        """Return the space of an agent's observations, always the same object.

        Args:
            agent: One of ``possible_agents``.

        Returns:
            ``Box`` over 0..1.

        Raises:
            TaskError: If there is no such agent.
        """
        return self._observation_spaces[self._known(agent)]

    def action_space(self, agent: str) -> gym.Space[Any]:
        """Return the space of an agent's actions, always the same object.

        Args:
            agent: One of ``possible_agents``.

        Returns:
            ``Box`` or ``MultiDiscrete``.

        Raises:
            TaskError: If there is no such agent.
        """
        return self._action_spaces[self._known(agent)]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Start with the plain design.

        Args:
            seed: Seeds ``np_random``, which the dynamics do not use.
            options: There are none; what is given is ignored, as PettingZoo's API tests demand.

        Returns:
            Observations and empty infos by agent.
        """
        if seed is not None or self.np_random is None:
            self.np_random, self.np_random_seed = seeding.np_random(seed)
        self.agents = self.possible_agents[:]
        self._settings = self.dynamics.plain
        self._elapsed, self.outcome = 0, None
        self._team_rewarded, self._rewarded = 0.0, np.zeros(len(self.dynamics))
        return self._observe(self._state()), {agent: {} for agent in self.agents}

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
            actions: A number for every knob by agent, each of shape (K,).

        Returns:
            Observations, rewards, terminated, truncated (always False) and infos by agent.

        Raises:
            ActionError: If an agent's action is missing or not in its space, or of no agent.
            InfeasibleBudgetError: If the design, or for difference rewards one with a plain
                layer, does not fit a budget smaller than the registered ones; the episode stays
                where it was.
            gymnasium.error.ResetNeeded: If the episode has ended or not begun.
        """
        if not self.agents:
            raise gym.error.ResetNeeded("Expected reset() before step(): no episode is running.")
        settings = self._decode(actions)
        outcome = self.dynamics.outcome(settings)
        score = outcome.reward(self.dynamics.reward)
        worth = np.full(len(settings), score)
        if self.credit == "difference":
            worth = contributions(self.dynamics, settings[None], np.array([score]))[0]
        agents, self._settings = self.agents, settings
        self._elapsed += 1
        terminated = self._elapsed == self.rounds
        team_reward, rewards = score - self._team_rewarded, worth - self._rewarded
        self._team_rewarded += team_reward
        self._rewarded += rewards
        common: dict[str, Any] = {
            "team_reward": team_reward,
            "gain": outcome.gain,
            "accuracy_drop": outcome.accuracy_drop,
        }
        if terminated:
            self.agents, self.outcome = [], outcome
            common |= outcome.info
        values = {
            name: column.tolist() for name, column in self.dynamics.space.numbers(settings).items()
        }
        infos = {
            agent: {name: column[layer] for name, column in values.items()} | common
            for layer, agent in enumerate(agents)
        }
        return (
            self._observe(self._state()),
            dict(zip(agents, rewards.tolist(), strict=True)),
            dict.fromkeys(agents, terminated),
            dict.fromkeys(agents, False),
            infos,
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

    def render(self) -> None:
        """Draw nothing; the layer-wise form draws."""

    def describe_observation(self) -> ObservationTable:
        """Say what the elements of observations mean.

        Returns:
            A row per element; printed, a table.
        """
        return describe_elements(self.task.space, self.feature_names)

    def describe_state(self) -> ObservationTable:
        """Say what the elements of ``state()`` mean.

        Returns:
            A row per element; printed, a table.
        """
        return describe_elements(self.task.space, self.state_feature_names, self.task.network)

    def _known(self, agent: str) -> str:
        if agent not in self._action_spaces:
            raise TaskError(unknown_name("agent", agent, self.possible_agents))
        return agent

    def _decode(self, actions: dict[str, Action]) -> IntArray:
        """Turn actions into settings, shape (L, K), or say what is wrong with them."""
        if not isinstance(actions, dict) or set(actions) != set(self.agents):
            raise ActionError(
                f"Expected actions of exactly the agents {self.agents[0]} to {self.agents[-1]}, "
                f"got {list(actions) if isinstance(actions, dict) else actions!r}."
            )
        settings = np.empty((len(self.agents), len(self.dynamics.space)), dtype=np.int64)
        for layer, agent in enumerate(self.agents):
            found = action_setting(self.dynamics.space, layer, actions[agent], self.discrete)
            if found is None:
                raise ActionError(
                    f"Expected an action of {agent} in {self._action_spaces[agent]}, "
                    f"got {actions[agent]!r}."
                )
            settings[layer] = found
        return settings

    def _state(self) -> Observation:
        assert self._settings is not None
        state: Observation = observe_refinements(
            self.dynamics, self._settings[None], np.array([self._elapsed]), self.rounds
        )[0]
        return state

    def _observe(self, state: Observation) -> dict[str, Observation]:
        """Describe to every agent its layer, and what all agents may see of the state."""
        assert self._settings is not None
        found = observe_layers(self.dynamics, self._shown, self._settings[None], state[None])[0]
        return dict(zip(self.possible_agents, found, strict=True))


def parallel_env(task: TaskLike, **settings: Any) -> MultiAgentEnv:
    """Build the environment in which all layers act at once.

    Args:
        task: As ``find_task`` takes it, such as ``"LRMP-ResNet18-v0"``.
        settings: The other arguments of ``MultiAgentEnv``.

    Returns:
        A PettingZoo ``ParallelEnv``.
    """
    return MultiAgentEnv(task, **settings)


def env(task: TaskLike, **settings: Any) -> pettingzoo.AECEnv[str, Observation, Action]:
    """Build the environment in which layers act one after the other, blind to those before.

    Args:
        task: As ``find_task`` takes it, such as ``"LRMP-ResNet18-v0"``.
        settings: The other arguments of ``MultiAgentEnv``.

    Returns:
        A PettingZoo ``AECEnv`` that refuses calls out of order and actions out of their space.
    """
    return OrderEnforcingWrapper(
        AssertOutOfBoundsWrapper(parallel_to_aec(parallel_env(task, **settings)))
    )


def register_multi_agent_envs() -> None:
    """Register every task with PettingZoo; calling it again changes nothing."""
    for task_id in TASKS:
        env_id = multi_agent_id(task_id)
        if env_id not in pettingzoo.parallel_registry:
            pettingzoo.register(
                "parallel", env_id, f"{__name__}:parallel_env", kwargs={"task": task_id}
            )
            pettingzoo.register("aec", env_id, f"{__name__}:env", kwargs={"task": task_id})


register_multi_agent_envs()
