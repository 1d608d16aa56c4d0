"""The knobs of ReBoc (DATE 2020): blocks of weights that are circulant, and how they are stored.

In a circulant block of k x k weights every row is the one above it, rotated by one: k numbers say
all. A crossbar holds them in a column of k rows, and reads it k times, with the inputs rotated by
one more each time, for the k outputs of the block. With d rotations of the column side by side, it
reads d outputs at a time and k / d times; d = k is the dense block.

Of d and k every pair is a setting: both are powers of 2, and a block is stored in min(d, k)
rotations.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.knob import NO_NETWORK_EFFECT, Knob

_SIZES, _ROTATIONS = (16, 8, 4, 2, 1), (1, 2, 4, 8)


def _block(size: int) -> str:
    return f"{size}x{size}"


def side(block: str) -> int:
    """Read the size of a block.

    Args:
        block: A value of the knob ``block_size``, such as ``"4x4"``.

    Returns:
        k.
    """
    return int(block.partition("x")[0])


def _make_circulant(computation: Computation, blocks: NDArray[Any]) -> Computation:
    sizes = np.array([side(block) for block in blocks.flat])
    return replace(computation, block_size=sizes.reshape(blocks.shape))


def _rotate(computation: Computation, rotations: NDArray[Any]) -> Computation:
    return replace(computation, rotations=rotations)


BLOCK_SIZE = Knob(
    name="block_size",
    values=tuple(map(_block, _SIZES)),
    plain=_block(1),
    effect=_make_circulant,
    network_effect="lrmp.accuracy.lab.quantization.block_circulant:make_circulant",
    about="Blocks of channels whose weights are circulant: larger ones are stored in fewer columns "
    "and read more often.",
)
#: 16 rotations, of blocks of 16, would be the dense layer with the weights of fewer.
ROTATIONS = Knob(
    name="rotations",
    values=_ROTATIONS,
    plain=1,
    effect=_rotate,
    network_effect=NO_NETWORK_EFFECT,
    unit="columns",
    about="Rotations of the column of a circulant block that are stored side by side, at most as "
    "many as the block has: more take more columns and fewer reads.",
)
