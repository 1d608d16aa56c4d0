"""The multi-agent environment of a chip in an area: an agent per layer, and one for the chip."""

from typing import TYPE_CHECKING, Any

from lrmp.envs.forms.agents_in_rounds import in_turn
from lrmp.envs.forms.layerwise import Action
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.variant_choice.agents import VariantAgentsEnv

if TYPE_CHECKING:
    from pettingzoo import AECEnv


class ChipAgentsEnv(VariantAgentsEnv):
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

    chooser = "chip"


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
