"""The multi-agent environment of a shared chip: an agent per network, all choosing at once."""

from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.forms.action import ActionCode, Discrete, read_action
from lrmp.envs.forms.agents_in_rounds import in_turn
from lrmp.envs.forms.design_agents import DesignAgentsEnv
from lrmp.envs.forms.design_observation import setting_names
from lrmp.envs.forms.layerwise import Action
from lrmp.envs.forms.multi_agent_vector import Credit
from lrmp.envs.scoring.design_info import design_info, fresh, no_design
from lrmp.envs.scoring.observation import Observation, knob_features, total_names
from lrmp.envs.scoring.observation_table import ObservationTable, describe_elements
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import Reward
from lrmp.envs.task.custom_task import TaskLike
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.oracle import SolverName

if TYPE_CHECKING:
    import pettingzoo


class NetworkAgentsEnv(DesignAgentsEnv):
    """An agent per network: all design their layers at once; one program places all copies.

    ## Description
    Several networks share a chip (`lrmp.list_tasks(family="shared")`). Agents are `network_0` to
    `network_{N-1}` for N networks, in the order of the workload. Each sets all layers of its own
    network; they share the tiles, which the oracle gives to whose copies serve the task's objective
    most, and each has an allowed accuracy drop of its own. What one agent saves the others get:
    the team's reward is that of the whole design. With `rounds=1` an episode is one joint choice;
    with more, all networks are designed anew in every round, each knowing how the round before
    stood. Of a task of one network it is `OneShotEnv` for a team of one.

    ## Action Space
    Of agent n, whose network has L_n layers, `Box(-1, 1, (K L_n,), float32)`: for every layer a
    number for each of K knobs, in parts as in `LayerwiseEnv`. With `discrete=True` they are places:
    `MultiDiscrete([7, 7, ...])` for bits; with `discrete="flat"` numbers of settings:
    `MultiDiscrete([49, 49, ...])`. A wrong action, a missing one or one of an unknown agent raises
    `ActionError` and changes nothing.

    ## Observation Space
    Of agent n `Box(0, 1, (K L_n + N + 4,), float32)`; agents do not see each other's settings.
    `env.unwrapped.feature_names[agent]` names the elements, and
    `env.unwrapped.describe_observation()[agent]` says what they mean. For bits:

    | Num | Observation | Meaning | Normalisation |
    | --- | --- | --- | --- |
    | 2 l | weight_bits_l | weight_bits of the network's layer l | place / 6 |
    | 2 l + 1 | activation_bits_l | activation_bits of the network's layer l | place / 6 |
    | 2 L_n | tiles | tiles, one copy of every layer | / budget, or the most of any design |
    | 2 L_n + 1 .. 2 L_n + N | accuracy_spent_m | spent by network m, s | s / (s + 1) |
    | 2 L_n + N + 1 | cycles | cycles of a round, one copy | / the most of any design |
    | 2 L_n + N + 2 | bottleneck | cycles from round to round, one copy | / the most |
    | 2 L_n + N + 3 | rounds_left | rounds to the end | / rounds |

    All are of the round before; layers are plain at first. Accuracy is spent in shares of what the
    network is allowed, so that one half is the limit. `state()`, in `state_space`, is the whole
    design, as in `MultiAgentEnv`.

    ## Rewards
    `credit="team"`: every agent gets the reward of the round's design less all rewards before.
    `credit="difference"`: instead, its network's contribution: the design's reward less that of the
    same design with this network plain, copies placed anew; N oracle calls more.
    `info["team_reward"]` is the former in both.

    ## Starting State
    The plain design, whatever the seed.

    ## Episode End
    1. Termination: of all agents, after `rounds` rounds.

    An episode never truncates.

    ## Info
    Of every agent the same keys at every round and reset: the values of every knob in its layers
    (`weight_bits`, `activation_bits`, shape (L_n,)), `network_drop`, its own accuracy drop in
    percentage points (0 at reset), `team_reward`, `finished`, and of the design of the round, with
    zeros at reset, the keys of `LayerwiseEnv`. `env.unwrapped.action_masks()` says by agent which
    values its layers may have.

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `task` | `str` or `Task` | the id's own | what is solved |
    | `discrete` | `bool` or `str` | `False` | `True` for places of values, `"flat"` for settings |
    | `rounds` | `int` | `1` | how often all networks choose |
    | `credit` | `str` | `"team"` | `"team"` or `"difference"` |
    | `reward` | `str` or function | `"lrmp"` | the name of a formula, or your own |
    | `solver` | `str` | `"exact"` | the oracle's solver: `"exact"`, or `"ilp"` for CP-SAT |
    | `accuracy` | `str` or `None` | the task's own | `"table"`, or `"network"`: run it on images |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    >>> import pettingzoo
    >>> import lrmp.envs.forms.multi_agent
    >>> env = pettingzoo.make("parallel", "LRMP/Shared-Edge-PerNetwork-v0", discrete=True)
    >>> observations, infos = env.reset(seed=0)
    >>> actions = {agent: [4] * env.action_space(agent).shape[0] for agent in env.agents}  # 6 bits
    >>> observations, rewards, terminations, truncations, infos = env.step(actions)
    >>> round(float(infos["network_2"]["gain"]), 3), env.agents
    (2.684, [])

    ## Registered Configurations
    `LRMP/Shared-*-PerNetwork-v0` for every `LRMP-Shared-*-v0`, as `"parallel"` and as `"aec"`.

    ## Version History
    - v0: first release.
    """

    def __init__(
        self,
        task: TaskLike,
        *,
        discrete: Discrete = False,
        rounds: int = 1,
        credit: Credit = "team",
        reward: Reward = "lrmp",
        solver: SolverName = "exact",
        accuracy: AccuracyKind | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(
            task,
            discrete=discrete,
            rounds=rounds,
            credit=credit,
            reward=reward,
            solver=solver,
            accuracy=accuracy,
            render_mode=render_mode,
        )
        space, own_parts = self.task.space, self.task.workload.layers
        parts = {f"network_{network}": own for network, own in enumerate(own_parts)}
        counts = {agent: own.stop - own.start for agent, own in parts.items()}
        codes = {agent: ActionCode(space.sizes, discrete, n) for agent, n in counts.items()}
        every = space.masks(len(self.dynamics))
        self._masks = {
            agent: codes[agent].masks([mask[own] for mask in every]).reshape(-1)
            for agent, own in parts.items()
        }
        seen = (*total_names(self.task), "rounds_left")
        #: Names of the elements of every agent's observation.
        self.feature_names = {
            agent: (*setting_names(space, count), *seen) for agent, count in counts.items()
        }
        observation_spaces: dict[str, gym.Space[Any]] = {
            agent: spaces.Box(0.0, 1.0, (len(names),), np.float32)
            for agent, names in self.feature_names.items()
        }
        self._parts = parts
        self._set_agents(codes, observation_spaces)

    def action_masks(self) -> dict[str, NDArray[np.bool_]]:
        """Say what the layers of the agents' networks may have.

        Returns:
            By agent, layer after layer, of a flat space for every setting whether it is possible,
            else for every value of every knob.
        """
        return {agent: mask.astype(bool) for agent, mask in self._masks.items()}

    def describe_observation(self) -> dict[str, ObservationTable]:
        """Say what the elements of observations mean.

        Returns:
            By agent a row per element.
        """
        return {
            agent: describe_elements(self.task.space, self.feature_names[agent], tenant.network)
            for agent, tenant in zip(self.possible_agents, self.task.workload, strict=True)
        }

    def _decode_one(self, agent: str, action: Action) -> IntArray | None:
        code = self._codes[agent]
        values = read_action(code.space, action)
        return None if values is None else code.places(values)

    def _infos(self, team_reward: float, outcome: Outcome | None) -> dict[str, dict[str, Any]]:
        """Say to every agent what its network has, and how the team stands."""
        assert self._settings is not None
        common = {
            "team_reward": np.float64(team_reward),
            "finished": np.array(not self.agents),
            **(no_design(self.task) if outcome is None else design_info(outcome)),
        }
        drops = (0.0,) * len(self._parts) if outcome is None else outcome.accuracy_drops
        values = self.dynamics.space.numbers(self._settings)
        return {
            agent: {
                **{name: column[own].copy() for name, column in values.items()},
                "network_drop": np.float64(drop),
                **fresh(common),
            }
            for (agent, own), drop in zip(self._parts.items(), drops, strict=True)
        }

    def _observe(self, state: Observation) -> dict[str, Observation]:
        """Describe to every agent its network, and what all agents may see of the state."""
        assert self._settings is not None
        own = knob_features(self.dynamics.space, self._settings)
        seen = state[self._settings.size :]
        return {
            agent: np.concatenate([own[layers].ravel(), seen], dtype=np.float32)
            for agent, layers in self._parts.items()
        }


def parallel_env(task: TaskLike, **settings: Any) -> NetworkAgentsEnv:
    """Build the environment in which all networks act at once.

    Args:
        task: As ``find_task`` takes it, such as ``"LRMP-Shared-Edge-v0"``.
        settings: The other arguments of ``NetworkAgentsEnv``.

    Returns:
        A PettingZoo ``ParallelEnv``.
    """
    return NetworkAgentsEnv(task, **settings)


def env(task: TaskLike, **settings: Any) -> "pettingzoo.AECEnv[str, Observation, Action]":
    """Build the environment in which networks act one after the other, blind to those before.

    Args:
        task: As ``find_task`` takes it, such as ``"LRMP-Shared-Edge-v0"``.
        settings: The other arguments of ``NetworkAgentsEnv``.

    Returns:
        A PettingZoo ``AECEnv``.
    """
    return in_turn(parallel_env(task, **settings))
