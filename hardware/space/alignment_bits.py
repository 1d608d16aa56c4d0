"""The knob of alignment: how far half-precision inputs are shifted to a shared exponent."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import DesignError
from lrmp.hardware.chip.half_precision import SIGNIFICAND_BITS
from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.knob import Knob

#: An input keeps at least two bits: a sign and another.
FEWEST = 2 - SIGNIFICAND_BITS


def _align(computation: Computation, bits: NDArray[Any]) -> Computation:
    if bits.min() < FEWEST:
        raise DesignError(
            f"Expected alignment_bits of at least {FEWEST}, which leave 2 of the "
            f"{SIGNIFICAND_BITS} bits of a significand, got {bits.min()}."
        )
    return replace(
        computation,
        activation_bits=SIGNIFICAND_BITS + bits,
        shared_exponents=np.ones_like(computation.reads),
    )


ALIGNMENT_BITS = Knob(
    name="alignment_bits",
    # As many cycles as 2..8 integer bits; a whole significand; and what the paper asks for.
    values=(-9, -8, -7, -6, -5, -4, -3, 0, 8),
    plain=8,
    effect=_align,
    network_effect="lrmp.accuracy.lab.quantization.block_float:align_inputs",
    unit="bits",
    about="Bits of every input of a layer beyond the 11 of a half-precision significand, after it "
    "was shifted to the exponent of its row group; below 0 the significand loses bits. Fewer "
    "stream in sooner, and so take fewer cycles.",
)
