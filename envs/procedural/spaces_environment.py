"""Environments in which the knobs, too, are others in every episode."""

from typing import ClassVar

from lrmp.envs.procedural.environment import ProceduralEnv, ProceduralOneShotEnv
from lrmp.envs.procedural.generator import Draws


class ProceduralSpacesEnv(ProceduralEnv):
    """Choose settings layer by layer, with other knobs in every episode.

    ## Description
    As `ProceduralEnv`, but each reset draws the design space, too: of bits of weights or of blocks,
    bits or alignment of inputs, and weights other than 0 per column some are knobs and some are
    not, each with some of its values; in a quarter of the tasks the first and the last layer stay
    plain (`lrmp.envs.procedural.draw_task` documents the distributions). Training and test tasks
    have no topology and no space in common. So an agent cannot learn what the third value of the
    second knob does: it reads what every value does to tiles, time, energy and accuracy, and a
    policy that acts on this acts on any knobs. With `tasks` it plays tasks of yours, or registered
    ones of any family, each with its own knobs, of at most 4 knobs, 12 values and 1024 settings.

    ## Action Space
    The knobs of a task sit in the first of 4 slots; what an action says of other slots is not
    looked at.

    - By default `Box(-1, 1, (4,), float32)`: each interval is cut into as many equal parts as the
      knob has values.
    - `discrete=True`: `MultiDiscrete([12] * 4)`, places of values; one behind the last value counts
      as the last.
    - `discrete="flat"`: `Discrete(1024)`, the number of a setting in the order of
      `task.space.settings`; one behind the last counts as the last.

    ## Observation Space
    A `Dict`:

    | Key | Space | Meaning |
    | --- | --- | --- |
    | layers | `Box(0, 1, (128, 10), float32)` | of `ProceduralEnv` what is no harm |
    | mask | `MultiBinary(128)` | which rows are layers |
    | layer | `Discrete(128)` | which one is to be decided (the last one, at the end) |
    | current | `Box(0, 1, (10,), float32)` | its features |
    | running | `Box(0, 1, (8,), float32)` | the setting before, in 4 slots, and the totals |
    | values | `Box(0, 1, (4, 12, 7), float32)` | what every value does in the layer to decide |
    | value_mask | `MultiBinary([4, 12])` | which values it may have; none in slots without a knob |

    Of a value is told, with all other knobs plain:

    | Num | Observation | Meaning | Normalisation |
    | --- | --- | --- | --- |
    | 0 | place | place of the value among the knob's | / that of the last |
    | 1 | plain | 1 for the plain value | as it is |
    | 2 | tiles | tiles of one copy, r times the plain value's | 1/2 + log2 r / 8 |
    | 3 | cycles | cycles with one copy, r times the plain value's | 1/2 + log2 r / 8 |
    | 4 | energy | energy but that of copies, r times the plain value's | 1/2 + log2 r / 8 |
    | 5 | harm | what the value adds to the accuracy spent, h; 0 if nothing | (log10 h + 5) / 8 |
    | 6 | relief | what it takes off, h; 0 if nothing | (log10 h + 5) / 8 |

    h is over the allowance. With `observation="prefix"` and `"graph"` there are the keys of
    `ProceduralEnv`, with 4 columns for the settings; graphs have `values` and `value_mask` of all
    128 layers.

    ## Rewards
    Those of `ProceduralEnv`.

    ## Starting State
    As in `ProceduralEnv`.

    ## Episode End
    1. Termination: the last layer is decided.

    ## Info
    As in `ProceduralEnv`, but `knob_1` to `knob_4` and `design_knob_1` to `design_knob_4` in place
    of the names of knobs, which differ: values, of labels places, and 0 where there is no knob.
    `env.unwrapped.task.space` has the names. In `action_mask` of a slot without a knob only the
    first value is possible.

    ## Arguments
    Those of `ProceduralEnv`.

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-Procedural-Spaces-v0", split="test")
    >>> for number in range(3):
    ...     observation, info = env.reset(options={"instance": number})
    ...     print(env.unwrapped.task.space.names)
    ('weight_bits', 'activation_bits')
    ('weight_bits',)
    ('alignment_bits',)

    ## Vectorized environment
    As `ProceduralEnv`.

    ## Registered Configurations
    `LRMP-Procedural-Spaces-v0`, and `LRMP-Procedural-Spaces-OneShot-v0` for
    `ProceduralSpacesOneShotEnv`.

    ## Version History
    - v0: first release.
    """

    draws: ClassVar[Draws] = "spaces"


class ProceduralSpacesOneShotEnv(ProceduralOneShotEnv):
    """Choose all settings in one action, with other knobs in every episode.

    ## Description
    As `ProceduralSpacesEnv`, all layers at once: a contextual bandit whose context is a set of
    layers and what every value of every knob does in each of them.

    ## Action Space
    That of `ProceduralSpacesEnv` for 128 layers, `Box(-1, 1, (512,), float32)`; what stands behind
    the last layer is not looked at. With `discrete=True`, `MultiDiscrete([12] * 512)`; with
    `discrete="flat"`, `MultiDiscrete([1024] * 128)`.

    ## Observation Space
    A `Dict`: `layers` and `mask` as in `ProceduralSpacesEnv`, `totals` as in
    `ProceduralOneShotEnv`, `values`, `Box(0, 1, (128, 4, 12, 7), float32)`, and `value_mask`,
    `MultiBinary([128, 4, 12])`, of all layers. With `observation="graph"`, the graph of
    `ProceduralOneShotEnv` with 4 columns for the settings, and these two.

    ## Rewards
    That of the design, as in `OneShotEnv`.

    ## Starting State
    As in `ProceduralEnv`.

    ## Episode End
    1. Termination: always, after the one step.

    ## Info
    As `ProceduralOneShotEnv`, with the names of slots that `ProceduralSpacesEnv` has.

    ## Arguments
    Those of `ProceduralOneShotEnv`.

    >>> import gymnasium as gym
    >>> tasks = ("LRMP-LeNet-ADC-v0", "LRMP-ResNet20-Float-v0")
    >>> env = gym.make("lrmp:LRMP-Procedural-Spaces-OneShot-v0", tasks=tasks)
    >>> observation, info = env.reset(options={"instance": 0})
    >>> mask = observation["value_mask"]
    >>> int(mask[0].any(axis=1).sum())  # knobs
    3

    ## Vectorized environment
    As `ProceduralEnv`.

    ## Registered Configurations
    `LRMP-Procedural-Spaces-OneShot-v0`.

    ## Version History
    - v0: first release.
    """

    draws: ClassVar[Draws] = "spaces"
