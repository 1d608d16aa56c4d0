"""The multi-agent environment of pruned filters: an agent per layer, and one for the widths."""

from typing import TYPE_CHECKING, Any

from lrmp.envs.forms.agents_in_rounds import in_turn
from lrmp.envs.forms.layerwise import Action
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.variant_choice.agents import VariantAgentsEnv

if TYPE_CHECKING:
    from pettingzoo import AECEnv


class FiltersAgentsEnv(VariantAgentsEnv):
    """An agent for the widths and one per layer: all choose at once; a program places the copies.

    ## Description
    The problem of `FiltersEnv`, and its best return. Agents are `widths`, which says how many
    filters are pruned in each of the G groups, and `layer_0` to `layer_{L-1}`, which choose bits.
    With `rounds=1` an episode is one joint choice, in which the layers do not know what is pruned;
    with more, all choose anew in every round, and see widths and design of the round before.

    ## Action Space
    Of `widths` `Box(-1, 1, (G,), float32)`, of a layer `Box(-1, 1, (2,), float32)`, in parts as in
    `LayerwiseEnv`. With `discrete=True`, places of values: `MultiDiscrete([5, 5, 5])` for LeNet and
    `MultiDiscrete([7, 7])`. A wrong action, a missing one or one of an unknown agent raises
    `ActionError` and changes nothing.

    ## Observation Space
    Of `widths` `Box(0, 1, (G + 5,), float32)`: the widths, the totals of the design with one copy
    of every layer (4), and the rounds left. Of a layer `Box(0, 1, (G + 21,), float32)`: the same
    with, in between, the 14 features of `ProceduralEnv` of the layer in the narrower network and
    its setting (2). All are of the round before; at first of the plain design of the whole network.
    `state()`, in `state_space`, is `Box(0, 1, (G + 2 L + 5,), float32)`: widths, settings, totals
    and rounds left.

    ## Rewards
    Every agent gets the reward of the round's design, by `FiltersEnv`'s formula, less all rewards
    before, so that its return is that of the last design.

    ## Starting State
    The plain design of the whole network, whatever the seed.

    ## Episode End
    1. Termination: of all agents, after `rounds` rounds.

    An episode never truncates.

    ## Info
    Of every agent that of `FiltersEnv`, without `layer`, of the design of the round; zeros at
    reset.

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
    >>> env = pettingzoo.make("parallel", "LRMP/LeNet-Filters-v0", discrete=True)
    >>> observations, infos = env.reset(seed=0)
    >>> actions = {agent: [3, 3] for agent in env.agents} | {"widths": [2, 1, 0]}  # 5 bits
    >>> observations, rewards, terminations, truncations, infos = env.step(actions)
    >>> round(float(infos["widths"]["score"]), 3), env.agents
    (1.599, [])

    ## Registered Configurations
    `LRMP/*-Filters*-v0` for every id that `FiltersEnv` names, as `"parallel"` and as `"aec"`.

    ## Version History
    - v0: first release.
    """

    chooser = "widths"


def parallel_env(problem: str, **settings: Any) -> FiltersAgentsEnv:
    """Build the environment in which all act at once.

    Args:
        problem: Id, such as ``"LRMP-LeNet-Filters-v0"``.
        settings: The other arguments of ``FiltersAgentsEnv``.

    Returns:
        A PettingZoo ``ParallelEnv``.
    """
    return FiltersAgentsEnv(problem, **settings)


def env(problem: str, **settings: Any) -> "AECEnv[str, Observation, Action]":
    """Build the environment in which agents act one after the other, blind to those before.

    Args:
        problem: Id, such as ``"LRMP-LeNet-Filters-v0"``.
        settings: The other arguments of ``FiltersAgentsEnv``.

    Returns:
        A PettingZoo ``AECEnv``.
    """
    return in_turn(parallel_env(problem, **settings))
