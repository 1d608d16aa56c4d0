"""Environments in which the chip, too, is chosen: once, by the first step."""

from lrmp.envs.variant_choice.environment import VariantEnv, VariantOneShotEnv


class ChipEnv(VariantEnv):
    """Choose a chip in an area, then the settings of the layers; a program places the copies.

    ## Description
    The problem of `LayerwiseEnv`, with the chip left open, on the ground of CIMNAS (IEEE TCAS-AI,
    2025): crossbar side, bits of a cell, rows driven together, columns per ADC, and how much of the
    area budget is built. The budget is the area of LRMP's chip with the tiles of the plain design,
    in square millimetres and not in tiles: a chip with small tiles has more of them. The first step
    chooses the chip, which then stays; every step chooses the setting of a layer. A chip that does
    not hold the plain design in its area counts as the nearest that does, by places. The ADCs have
    the fewest bits that lose nothing, so the accuracy is that of LRMP's own table on every chip.

    ## Action Space
    `Box(-1, 1, (7,), float32)`: five numbers for the chip, of which only the first step's are
    looked at, and two for the layer, in parts as in `LayerwiseEnv`. With `discrete=True`, places of
    values: `MultiDiscrete([3, 3, 4, 4, 3, 7, 7])`.

    ## Observation Space
    `Box(0, 1, (25,), float32)`: the chip, LRMP's until it is chosen (5); the 14 features of
    `ProceduralEnv` of the layer to decide on this chip; and its running features (6).

    ## Rewards
    0 until the last step; then by the formula `reward` as `LayerwiseEnv` has it, with the gain over
    the plain design on LRMP's chip. What is minimised is the cycles of one inference, its energy
    (`-Energy`), or energy x delay x area of the whole chip (`-EDAP`).

    ## Starting State
    The first layer, LRMP's chip, nothing decided; whatever the seed.

    ## Episode End
    1. Termination: the last layer is decided.

    ## Info
    What `LayerwiseEnv` says of a finished design, by the same keys, in the task of its chip; but
    `score` and `gain` over LRMP's plain chip. And always:

    | Key | Type | Meaning |
    | --- | --- | --- |
    | `layer` | int64 | number of the layer just decided; -1 at reset |
    | `chip_crossbar_side`, ... | int64 | the chip's values, a key per knob of it |
    | `chip_mm2` | float64 | its area |
    | `optimum`, `optimum_bound` | float64 | score of the proven best; none has a higher one |
    | `optimum_without` | float64 | the same on LRMP's chip alone |
    | `optimum_known` | bool | whether these are known; 0 where not |

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `problem` | `str` | the id's own | id of the problem |
    | `discrete` | `bool` | `False` | actions as places of values |
    | `reward` | `str` | `"lrmp"` | the name of a formula |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-ResNet18-Chip-v0", discrete=True)
    >>> observation, info = env.reset()
    >>> for _ in range(21):  # 128 x 128 cells of 4 bits, 16 rows at once, 8 columns per ADC
    ...     observation, reward, terminated, truncated, info = env.step([1, 2, 1, 1, 2, 5, 5])
    >>> round(float(info["gain"]), 2), terminated  # of 7 bits
    (10.77, True)

    ## Registered Configurations
    `LRMP-{LeNet, ResNet20, ResNet18}-Chip-v0`, their `-Chip-Energy-v0`, and
    `LRMP-LeNet-Chip-EDAP-v0`.

    ## Version History
    - v0: first release.
    """


class ChipOneShotEnv(VariantOneShotEnv):
    """Choose a chip in an area and all settings in one action.

    ## Description
    The problem of `ChipEnv`; an episode is one step.

    ## Action Space
    `Box(-1, 1, (5 + 2 L,), float32)` for L layers: five numbers for the chip, then two for every
    layer. With `discrete=True`, places of values.

    ## Observation Space
    `Box(0, 1, (5 + 2 L + 4,), float32)`: the chip, the settings and the totals of `OneShotEnv`;
    before the step of the plain design on LRMP's chip, after it of the chosen one.

    ## Rewards
    That of the design, as in `ChipEnv`.

    ## Starting State
    The plain design, whatever the seed.

    ## Episode End
    1. Termination: always, after the one step.

    ## Info
    As `ChipEnv`, without `layer`.

    ## Arguments
    Those of `ChipEnv`.

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-LeNet-Chip-OneShot-v0", discrete=True)
    >>> observation, info = env.reset()
    >>> *_, info = env.step([0, 1, 3, 3, 2] + [1] * 8)  # 3 bits
    >>> round(float(info["score"]), 3), round(float(info["optimum"]), 3)
    (2.73, 2.75)

    ## Registered Configurations
    `LRMP-*-OneShot-v0` for every id that `ChipEnv` names.

    ## Version History
    - v0: first release.
    """
