"""The knobs of a hybrid of RRAM and SRAM: words beside the crossbars that correct their weights.

Krishnan et al., "Hybrid RRAM/SRAM in-memory computing for robust DNN acceleration", IEEE TCAD 41
(2022), doi 10.1109/TCAD.2022.3197516. A weight is what its cells hold, plus a short word in SRAM
that is multiplied digitally, shifted by a number of bits that the layer chooses, and added. Most
weights have no word: they are pruned in groups.

``weight_bits`` are those of the cells. A word of b bits counts in steps of ``2 ** (shift - b)`` of
the weight's own step: with shift 0 it refines the weight by b bits, and with each more it reaches
twice as far, at half the resolution.
"""

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.knob import Knob

#: Weights that have words, or none, together: neighbouring rows of a column. The group of the paper
#: is not known.
GROUP = 8
_EFFECTS = "lrmp.accuracy.lab.quantization.sram_residual"


def _drop_words(computation: Computation, percent: NDArray[Any]) -> Computation:
    return replace(computation, sram_kept_percent=100 - percent)


def _take_words(computation: Computation, bits: NDArray[Any]) -> Computation:
    return replace(computation, sram_bits=bits)


SRAM_SPARSITY = Knob(
    name="sram_sparsity",
    values=(0, 50, 80, 90, 95, 100),
    plain=100,
    effect=_drop_words,
    network_effect=f"{_EFFECTS}:keep_words",
    unit="percent",
    about="Share of a layer's weights that no word in SRAM corrects; of 100 percent there is no "
    "SRAM.",
    acts_with="weight_bits",
)
SRAM_BITS = Knob(
    name="sram_bits",
    values=(2, 3, 4),
    plain=2,
    effect=_take_words,
    network_effect=f"{_EFFECTS}:size_words",
    unit="bits",
    about="Bits of a word that corrects a weight.",
    acts_with=SRAM_SPARSITY.name,
)
#: The shifter and its bits cost nothing here: an addition per output is counted whatever they are.
SRAM_SHIFT = Knob(
    name="sram_shift",
    values=(0, 1, 2, 3),
    plain=0,
    network_effect=f"{_EFFECTS}:shift_words",
    unit="bits",
    about="Bits that the words' products are shifted by: each makes corrections reach twice as "
    "far, at half the resolution.",
    acts_with=SRAM_SPARSITY.name,
)
