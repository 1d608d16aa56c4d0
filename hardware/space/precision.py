"""The knobs of LRMP: bits of weights and activations, layer by layer."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from lrmp.errors import DesignError
from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob

_MIN_BITS, _PLAIN_BITS = 2, 8
_LAYER = "lrmp.accuracy.lab.quantization.layers:QuantizedLayer"


def _cut_weights(computation: Computation, bits: NDArray[Any]) -> Computation:
    return replace(computation, weight_bits=bits)


def _stream_activations(computation: Computation, bits: NDArray[Any]) -> Computation:
    return replace(computation, activation_bits=bits)


def weight_bits(widest: int = _PLAIN_BITS, narrowest: int = _MIN_BITS) -> Knob:
    """Declare the knob.

    Args:
        widest: Most bits.
        narrowest: Fewest bits.

    Returns:
        narrowest..widest bits; plain are 8.
    """
    return Knob(
        name="weight_bits",
        values=tuple(range(narrowest, widest + 1)),
        plain=_PLAIN_BITS,
        effect=_cut_weights,
        network_effect=f"{_LAYER}.round_weights",
        unit="bits",
        about="Bits of every weight of a layer: fewer take fewer cells, and so fewer tiles.",
    )


def activation_bits(widest: int = _PLAIN_BITS, narrowest: int = _MIN_BITS) -> Knob:
    """Declare the knob.

    Args:
        widest: Most bits.
        narrowest: Fewest bits.

    Returns:
        narrowest..widest bits; plain are 8.
    """
    return Knob(
        name="activation_bits",
        values=tuple(range(narrowest, widest + 1)),
        plain=_PLAIN_BITS,
        effect=_stream_activations,
        network_effect=f"{_LAYER}.round_inputs",
        unit="bits",
        about="Bits of every input of a layer: fewer stream in sooner, and so take fewer cycles.",
    )


def precision(widest: int = _PLAIN_BITS, narrowest: int = _MIN_BITS) -> DesignSpace:
    """Declare the space of LRMP, or a wider one; published 16-bit figures need it.

    Args:
        widest: Most bits of weights and activations.
        narrowest: Fewest.

    Returns:
        Bits of weights and activations.
    """
    return DesignSpace((weight_bits(widest, narrowest), activation_bits(widest, narrowest)))


#: What LRMP turns: 2..8 bits of weights and of activations.
PRECISION = precision()

_FEWEST, _MOST = 1, 16


def precision_for(bits: Iterable[int]) -> DesignSpace:
    """Find the space that has these bits: LRMP's own, or one as much wider as they need.

    Args:
        bits: Of weights and activations.

    Returns:
        The space.

    Raises:
        DesignError: If some are not from 1 to 16.
    """
    given = [_MIN_BITS, _PLAIN_BITS, *bits]
    if not _FEWEST <= min(given) <= max(given) <= _MOST:
        wrong = next(b for b in given if not _FEWEST <= b <= _MOST)
        raise DesignError(f"Expected {_FEWEST} to {_MOST} bits, got {wrong}.")
    if min(given) == _MIN_BITS and max(given) == _PLAIN_BITS:
        return PRECISION
    return precision(max(given), min(given))
