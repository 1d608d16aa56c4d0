"""The multi-agent environment: an agent per layer, all choosing at once; for PettingZoo.

Importing this module registers every task with PettingZoo, which does not find packages by itself.
PettingZoo older than 1.27 has no registry; there ``parallel_env`` and ``env`` make environments.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal, get_args

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.forms import network_agents
from lrmp.envs.forms.action import ActionCode, Discrete
from lrmp.envs.forms.agents_in_rounds import in_turn
from lrmp.envs.forms.design_agents import DesignAgentsEnv
from lrmp.envs.forms.layerwise import Action
from lrmp.envs.forms.multi_agent_vector import (
    Credit,
    agent_features,
    observe_layers,
)
from lrmp.envs.scoring.design_info import design_info, fresh, no_design
from lrmp.envs.scoring.features import Feature
from lrmp.envs.scoring.graph_view import GraphView, one_of
from lrmp.envs.scoring.observation import (
    Observation,
    check_observation,
    shown_features,
    total_names,
)
from lrmp.envs.scoring.observation_table import ObservationTable, describe_elements
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import Reward
from lrmp.envs.task.custom_task import TaskLike
from lrmp.envs.task.environment_id import PER_NETWORK, environment_id, multi_agent_id
from lrmp.envs.task.shared_chip import SHARED
from lrmp.envs.task.task import TASKS, list_tasks
from lrmp.envs.variant_choice.problem_ids import VARIANT_PROBLEMS
from lrmp.errors import MissingExtraError
from lrmp.solvers.replication.oracle import SolverName

if TYPE_CHECKING:
    import pettingzoo

#: The agent's own layer and the totals, or all layers as a graph.
AgentObservation = Literal["layer", "graph"]


class MultiAgentEnv(DesignAgentsEnv):
    """An agent per layer: all choose at once; an integer program places the copies.

    ## Description
    The task is that of `LayerwiseEnv`: chip, network, budget, accuracy and reward are the same, and
    so is the best return. Agents are `layer_0` to `layer_{L-1}` for L layers. They share the tiles
    of the chip and the allowed accuracy drop, but none sees what the others choose in the same
    round. With `rounds=1` an episode is one joint choice; with more, all layers choose anew in
    every round, knowing the design of the round before.

    ## Action Space
    Of every agent `Box(-1, 1, (K,), float32)`: a number for each of the K knobs of its layer, such
    as weight bits and activation bits, in parts as in `LayerwiseEnv`. With `discrete=True` they are
    places: `MultiDiscrete([7, 7])` for bits; with `discrete="flat"` the number of a setting:
    `Discrete(49)`. A wrong action, a missing one or one of an unknown agent raises `ActionError`
    and changes nothing.

    ## Observation Space
    Of every agent `Box(0, 1, (n + K + 5,), float32)`, alike for all agents.
    `env.unwrapped.feature_names` names the elements, `env.unwrapped.describe_observation()` says
    what they mean. For bits (K = 2):

    | Num | Observation | Meaning | Normalisation |
    | --- | --- | --- | --- |
    | 0 .. n - 1 | the layer | features 0 to 11 of `LayerwiseEnv`, of the agent's layer | as there |
    | n | weight_bits | weight_bits of the layer, 8 at first | place / 6 |
    | n + 1 | activation_bits | activation_bits of the layer, 8 at first | place / 6 |
    | n + 2 | tiles | tiles, one copy of every layer | / budget, or the most of any design |
    | n + 3 | accuracy_spent | accuracy spent so far, s; 0 if negative | s / (s + allowance) |
    | n + 4 | cycles | cycles, one copy of every layer | / the most of any design |
    | n + 5 | bottleneck | cycles from image to image, one copy | / the most of any design |
    | n + 6 | rounds_left | rounds to the end | / rounds |

    All are of the round before. n is 10 + K or less: features in which all layers of the network
    are alike are left out. In the first round policies tell layers apart by the n features alone.
    `features` lists what is seen instead, as in `LayerwiseEnv`: names out of this table, and
    functions of your own.

    With `observation="graph"` every agent sees the whole design of the round before, a `Dict`:

    | Key | Space | Meaning |
    | --- | --- | --- |
    | layers | `Box(0, 1, (L, n + K + 1), float32)` | of a layer: features, setting, `own_layer` |
    | edges | `Box(0, L - 1, (E, 2), int64)` | source and target: whose outputs are read by whom |
    | totals | `Box(0, 1, (5,), float32)` | elements n + 2 to n + 6 |

    `own_layer` is 1 for the agent's layer; the rest is the same for all agents. `features` lists
    features of layers only. Edges are those that `LayerwiseEnv` describes.

    `state()`, in `state_space`, shows a centralised critic the whole design; it is
    `Box(0, 1, (K L + 5,), float32)`, and `env.unwrapped.state_feature_names` names its elements.

    | Num | State | Meaning | Normalisation |
    | --- | --- | --- | --- |
    | 2 l | weight_bits_l | weight_bits of layer l | place / 6 |
    | 2 l + 1 | activation_bits_l | activation_bits of layer l | place / 6 |
    | 2 L .. 2 L + 3 | the totals | as above | as above |
    | 2 L + 4 | rounds_left | rounds to the end | / rounds |

    ## Rewards
    `credit="team"`: every agent gets the reward of the round's design less all rewards before, so
    that its return is that of the last design (up to rounding if `rounds` is not 1). The reward of
    a design is that of `LayerwiseEnv`'s last step, by `reward`.

    `credit="difference"`: every agent gets, instead of it, its layer's contribution: the design's
    reward less that of the same design with the plain setting in this layer, copies placed anew.
    What an agent does changes its own contribution by as much as the team's, while what only others
    do mostly cancels (the wonderful life utility of Wolpert and Tumer, Advances in Complex Systems
    4:265-279, 2001, clamped to the plain layer). A round costs L + 1 oracle calls, L of them in one
    batch: for latency and throughput two to twenty times the time of a team's round, more for
    energy, and for the energy-delay products of the large networks minutes. Contributions do not
    add up to it; `info["team_reward"]` holds what `credit="team"` would give.

    ## Starting State
    The plain design, whatever the seed.

    ## Episode End
    1. Termination: of all agents, after `rounds` rounds. Time is part of the observation, so no
       value follows.

    An episode never truncates.

    ## Info
    Of every agent the same keys at every round and reset: the value of every knob in its layer
    (`weight_bits`, `activation_bits`; plain at reset), `team_reward`, `finished` (at the last
    round), and of the design of the round, with zeros at reset, the keys of `LayerwiseEnv`: `gain`,
    `accuracy_drop`, `proven_optimal`, `accuracy_is_estimate`, `accuracy_holds`,
    `design_weight_bits` and so on, `replication`. With `discrete="flat"` also `action_mask`, int8
    of shape (49,) for bits: which actions the agent's layer may take. PettingZoo, and who follows
    it, samples with a mask that it finds, which a `Box` refuses, and a `MultiDiscrete` in this
    form; `action_masks()` has it for all kinds. `env.unwrapped.outcome` is the finished design.

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `task` | `str` or `Task` | the id's own | what is solved |
    | `discrete` | `bool` or `str` | `False` | `True` for places of values, `"flat"` for settings |
    | `rounds` | `int` | `1` | how often all layers choose |
    | `credit` | `str` | `"team"` | `"team"` or `"difference"` |
    | `observation` | `str` | `"layer"` | `"layer"` or `"graph"`: what an agent sees |
    | `features` | sequence or `None` | `None` | what is observed, in order; None for all |
    | `reward` | `str` or function | `"lrmp"` | the name of a formula, or your own |
    | `solver` | `str` | `"exact"` | the oracle's solver: `"exact"`, or `"ilp"` for CP-SAT |
    | `accuracy` | `str` or `None` | the task's own | `"table"`, or `"network"`: run it on images |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    >>> import pettingzoo
    >>> import lrmp.envs.forms.multi_agent
    >>> env = pettingzoo.make("parallel", "LRMP/ResNet18-v0", discrete=True)
    >>> observations, infos = env.reset(seed=0)
    >>> actions = {agent: [4, 4] for agent in env.agents}  # 6 bits
    >>> observations, rewards, terminations, truncations, infos = env.step(actions)
    >>> round(float(infos["layer_0"]["gain"]), 3), env.agents
    (4.136, [])

    ## Registered Configurations
    `LRMP/*-v0` for every `LRMP-*-v0` that `LayerwiseEnv` names, such as `LRMP/ResNet18-EDP-v0`,
    once as `"parallel"` and once as `"aec"`, where layers act one after the other without seeing
    what those before chose. `NetworkAgentsEnv` has an agent per network of a shared chip,
    `ChipAgentsEnv` one more for the chip.

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
        observation: AgentObservation = "layer",
        features: Sequence[Feature] | None = None,
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
        check_observation(observation, get_args(AgentObservation))
        self._graph: GraphView | None = None
        self._shown = shown_features(
            self.task,
            None if observation == "graph" else features,
            agent_features(self.task),
        )
        self.feature_names = self._shown.names
        if observation == "graph":
            totals = (*total_names(self.task), "rounds_left")
            self._graph = GraphView(self.task, features, ("own_layer",), totals)
            self.feature_names = self._graph.names
        space, layers = self.task.space, range(len(self.dynamics))
        agents = [f"layer_{layer}" for layer in layers]
        codes = {agent: ActionCode(space.sizes, discrete) for agent in agents}
        # A space each: every agent's space is seeded by itself.
        observation_spaces: dict[str, gym.Space[Any]] = {
            agent: spaces.Box(0.0, 1.0, (len(self.feature_names),), np.float32)
            if self._graph is None
            else deepcopy(self._graph.space)
            for agent in agents
        }
        parts = {agent: slice(layer, layer + 1) for layer, agent in enumerate(agents)}
        self._parts = parts
        self._set_agents(codes, observation_spaces)
        self._masks = codes[agents[0]].masks(space.masks(len(layers)))

    def action_masks(self) -> dict[str, NDArray[np.bool_]]:
        """Say what the agents' layers may have.

        Returns:
            By agent, of a flat space for every action whether it is possible, else for every value
            of every knob, all in a row.
        """
        return dict(zip(self.possible_agents, self._masks.astype(bool), strict=True))

    def describe_observation(self) -> ObservationTable | dict[str, ObservationTable]:
        """Say what the elements of observations mean.

        Returns:
            A row per element; printed, a table. Of a graph a table for every key.
        """
        if self._graph is not None:
            return self._graph.describe()
        return describe_elements(self.task.space, self.feature_names)

    def _decode_one(self, agent: str, action: Action) -> list[int] | None:
        return self._codes[agent].decode(action)

    def _infos(self, team_reward: float, outcome: Outcome | None) -> dict[str, dict[str, Any]]:
        """Say to every agent what its layer has, and how the team stands."""
        assert self._settings is not None
        common = {
            "team_reward": np.float64(team_reward),
            "finished": np.array(not self.agents),
            **(no_design(self.task) if outcome is None else design_info(outcome)),
        }
        values = self.dynamics.space.numbers(self._settings)
        return {
            agent: {
                **{name: column[layer] for name, column in values.items()},
                # Where PettingZoo meets a mask, it samples with it, and other spaces take none.
                **({"action_mask": self._masks[layer].copy()} if self.discrete == "flat" else {}),
                **fresh(common),
            }
            for layer, agent in enumerate(self.possible_agents)
        }

    def _observe(self, state: Observation) -> dict[str, Observation]:
        """Describe to every agent its layer, and what all agents may see of the state."""
        assert self._settings is not None
        agents = self.possible_agents
        if self._graph is not None:  # the same for all, but for the flag
            count = len(agents)
            settings = np.broadcast_to(self._settings, (count, *self._settings.shape))
            totals = state[self._settings.size :]
            totals = np.broadcast_to(totals, (count, *totals.shape))
            graphs = self._graph.show(settings, totals, [np.eye(count)])
            return {agent: one_of(graphs, layer) for layer, agent in enumerate(agents)}
        found = observe_layers(self.dynamics, self._shown, self._settings[None], state[None])[0]
        return dict(zip(agents, found, strict=True))


def parallel_env(task: TaskLike, **settings: Any) -> MultiAgentEnv:
    """Build the environment in which all layers act at once.

    Args:
        task: As ``find_task`` takes it, such as ``"LRMP-ResNet18-v0"``.
        settings: The other arguments of ``MultiAgentEnv``.

    Returns:
        A PettingZoo ``ParallelEnv``.
    """
    return MultiAgentEnv(task, **settings)


def env(task: TaskLike, **settings: Any) -> "pettingzoo.AECEnv[str, Observation, Action]":
    """Build the environment in which layers act one after the other, blind to those before.

    Args:
        task: As ``find_task`` takes it, such as ``"LRMP-ResNet18-v0"``.
        settings: The other arguments of ``MultiAgentEnv``.

    Returns:
        A PettingZoo ``AECEnv`` that refuses calls out of order and actions out of their space.
    """
    return in_turn(parallel_env(task, **settings))


def register_multi_agent_envs() -> None:
    """Register every task with PettingZoo; calling it again changes nothing.

    Raises:
        MissingExtraError: If PettingZoo is older than its registry.
    """
    import pettingzoo

    if not _has_registry():
        raise MissingExtraError(
            "Expected pettingzoo 1.27 or newer for its registry, got "
            f'{pettingzoo.__version__}. Run pip install "pettingzoo>=1.27", or make environments '
            f"by {__name__}.parallel_env and env."
        )
    for task_id in TASKS:
        _register(multi_agent_id(task_id), __name__, task=task_id)
    for task_id in list_tasks(family=SHARED):
        env_id = multi_agent_id(environment_id(task_id, PER_NETWORK))
        _register(env_id, network_agents.__name__, task=task_id)
    for problem_id, problem in VARIANT_PROBLEMS.items():
        module = f"lrmp.envs.variant_choice.{problem.kind}_agents"
        _register(multi_agent_id(problem_id), module, problem=problem_id)


def _register(env_id: str, module: str, **settings: str) -> None:
    import pettingzoo

    if env_id not in pettingzoo.parallel_registry:
        pettingzoo.register("parallel", env_id, f"{module}:parallel_env", kwargs=settings)
        pettingzoo.register("aec", env_id, f"{module}:env", kwargs=settings)


def _has_registry() -> bool:
    import pettingzoo

    return hasattr(pettingzoo, "parallel_registry")


if _has_registry():
    register_multi_agent_envs()
