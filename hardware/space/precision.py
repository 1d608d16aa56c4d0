"""The knobs of LRMP: bits of weights and activations, layer by layer."""

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob

_MIN_BITS, _PLAIN_BITS = 2, 8
_LAYER = "lrmp.accuracy.lab.quantization.layers:QuantizedLayer"


def _cut_weights(computation: Computation, bits: NDArray[Any]) -> Computation:
    return replace(computation, weight_bits=bits)


def _stream_activations(computation: Computation, bits: NDArray[Any]) -> Computation:
    return replace(computation, activation_bits=bits)


def weight_bits(widest: int = _PLAIN_BITS) -> Knob:
    """Declare the knob.

    Args:
        widest: Most bits.

    Returns:
        2..widest bits; plain are 8.
    """
    return Knob(
        name="weight_bits",
        values=tuple(range(_MIN_BITS, widest + 1)),
        plain=_PLAIN_BITS,
        effect=_cut_weights,
        network_effect=f"{_LAYER}.round_weights",
        unit="bits",
        about="Bits of every weight of a layer: fewer take fewer cells, and so fewer tiles.",
    )


def activation_bits(widest: int = _PLAIN_BITS) -> Knob:
    """Declare the knob.

    Args:
        widest: Most bits.

    Returns:
        2..widest bits; plain are 8.
    """
    return Knob(
        name="activation_bits",
        values=tuple(range(_MIN_BITS, widest + 1)),
        plain=_PLAIN_BITS,
        effect=_stream_activations,
        network_effect=f"{_LAYER}.round_inputs",
        unit="bits",
        about="Bits of every input of a layer: fewer stream in sooner, and so take fewer cycles.",
    )


def precision(widest: int = _PLAIN_BITS) -> DesignSpace:
    """Declare the space of LRMP, or a wider one; published 16-bit figures need it.

    Args:
        widest: Most bits of weights and activations.

    Returns:
        Bits of weights and activations.
    """
    return DesignSpace((weight_bits(widest), activation_bits(widest)))


#: What LRMP turns: 2..8 bits of weights and of activations.
PRECISION = precision()
