"""The lossy knob beside ``column_nonzeros``: ADCs of fewer bits than the sums of columns need."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.knob import Knob

LOSSLESS = "lossless"
_NO_LIMIT = 2**31 - 1


def _limit(computation: Computation, labels: NDArray[Any]) -> Computation:
    lossless = labels == LOSSLESS
    bits = np.where(lossless, "0", labels).astype(np.int64)
    return replace(computation, adc_clip_bits=np.where(lossless, _NO_LIMIT, bits))


#: Sums beyond the largest code are read as that: few columns of a trained network come near.
ADC_CLIP_BITS = Knob(
    name="adc_clip_bits",
    values=("3", "4", "5", "6", "7", LOSSLESS),
    plain=LOSSLESS,
    effect=_limit,
    network_effect="lrmp.accuracy.lab.quantization.adc_clipping:clip_sums",
    unit="bits",
    about="Bits of the ADC, in steps of one cell and input, so that larger sums are clipped; or as "
    "many as lose nothing.",
)
