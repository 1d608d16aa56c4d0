"""The environments in which the filters to prune, too, are chosen: once, by the first step."""

from lrmp.envs.variant_choice.environment import VariantEnv, VariantOneShotEnv


class FiltersEnv(VariantEnv):
    """Choose how many filters are pruned, then the bits of the layers; a program places the copies.

    ## Description
    The problem of `LayerwiseEnv`, with the network's widths left open. A filter, an output channel,
    that is pruned frees its column in the layer that computes it and, in every layer that reads it,
    the rows of its channel; layers whose outputs are added up lose the same ones. So what a layer
    costs depends on what others have lost, and the widths come first: the first step chooses a
    share of filters to prune for each of the G groups of layers that lose filters together, and
    what is left is a narrower network, to the integer. Every step then chooses the bits of a layer.
    The least important filters go, those which the layers that read them weigh least; nothing is
    trained. Chip and budget are those of LRMP's own task.

    ## Action Space
    `Box(-1, 1, (G + 2,), float32)`: a number for each group, of which only the first step's are
    looked at, and two for the layer, in parts as in `LayerwiseEnv`. With `discrete=True`, places of
    values: `MultiDiscrete([5, 5, 5, 7, 7])` for LeNet, whose three groups lose 0, 10, 25, 50 or 75
    percent. ResNet-20 has nine, the first convolution of every block.

    ## Observation Space
    `Box(0, 1, (G + 20,), float32)`: the widths, whole until they are chosen (G); the 14 features of
    `ProceduralEnv` of the layer to decide in the narrower network; and its running features (6),
    whose cycles are in shares of the most that this narrower network takes, and tiles in shares of
    the budget.

    ## Rewards
    0 until the last step; then by the formula `reward` as `LayerwiseEnv` has it, with the gain over
    the plain design of the whole network. What is minimised is the cycles of one inference, those
    between images (`-Throughput`), or the energy of one inference (`-Energy`).

    ## Starting State
    The first layer, the whole network, nothing decided; whatever the seed.

    ## Episode End
    1. Termination: the last layer is decided.

    ## Info
    What `LayerwiseEnv` says of a finished design, by the same keys, in the task of its widths; but
    `score` and `gain` over the whole network. And always:

    | Key | Type | Meaning |
    | --- | --- | --- |
    | `layer` | int64 | number of the layer just decided; -1 at reset |
    | `pruned_filters_conv1`, ... | int64 | share of filters pruned, percent, a key per group |
    | `weights_left` | float64 | share of the whole network's weights |
    | `optimum_known` | bool | whether the optimum of the problem is known |
    | `optimum`, `optimum_bound` | float64 | score of the proven best design, and a bound on all |
    | `optimum_without` | float64 | that of the proven best design of the whole network |

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `problem` | `str` | the id's own | id of the problem |
    | `discrete` | `bool` | `False` | actions as places of values |
    | `reward` | `str` | `"lrmp"` | the name of a formula |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-LeNet-Filters-v0", discrete=True)
    >>> observation, info = env.reset()
    >>> for _ in range(4):  # a quarter of conv1's and a tenth of conv2's filters, 5 bits
    ...     observation, reward, terminated, truncated, info = env.step([2, 1, 0, 3, 3])
    >>> round(float(info["gain"]), 2), round(float(info["weights_left"]), 3), terminated
    (4.95, 0.888, True)

    ## Registered Configurations
    `LRMP-{LeNet, ResNet20}-Filters-v0`, `-Filters-Throughput-v0` and `-Filters-Energy-v0`.

    ## Version History
    - v0: first release.
    """


class FiltersOneShotEnv(VariantOneShotEnv):
    """Choose how many filters are pruned, and all bits, in one action.

    ## Description
    The problem of `FiltersEnv`; an episode is one step.

    ## Action Space
    `Box(-1, 1, (G + 2 L,), float32)` for G groups of filters and L layers: a number for every
    group, then two for every layer. With `discrete=True`, places of values.

    ## Observation Space
    `Box(0, 1, (G + 2 L + 4,), float32)`: the widths, the settings and the totals of `OneShotEnv`;
    before the step of the plain design of the whole network, after it of the chosen one.

    ## Rewards
    That of the design, as in `FiltersEnv`.

    ## Starting State
    The plain design, whatever the seed.

    ## Episode End
    1. Termination: always, after the one step.

    ## Info
    As `FiltersEnv`, without `layer`.

    ## Arguments
    Those of `FiltersEnv`.

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-LeNet-Filters-OneShot-v0", discrete=True)
    >>> observation, info = env.reset()
    >>> *_, info = env.step([2, 1, 0] + [3] * 8)  # 5 bits
    >>> round(float(info["score"]), 3), round(float(info["optimum"]), 3)
    (1.599, 2.434)

    ## Registered Configurations
    `LRMP-*-OneShot-v0` for every id that `FiltersEnv` names.

    ## Version History
    - v0: first release.
    """
