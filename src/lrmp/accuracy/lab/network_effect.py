"""What knobs do to real networks: the functions that they name, imported when first needed."""

from collections.abc import Callable
from functools import cache
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from lrmp.errors import AccuracyDataError
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob, Value

if TYPE_CHECKING:
    from lrmp.accuracy.lab.quantization.layers import QuantizedLayer

#: Sets a layer to a value of a knob; ``QuantizedLayer.set_float`` takes it back.
NetworkEffect = Callable[["QuantizedLayer", Value], object]


def change_nothing(layer: "QuantizedLayer", value: Value) -> None:
    """Leave a layer as it is: what a knob does that costs something and is seen by no network.

    Args:
        layer: Any.
        value: Of the knob.
    """


def check_effects(space: DesignSpace) -> None:
    """Check that the knobs of a space say what they do to a network; nothing is imported.

    Args:
        space: The knobs.

    Raises:
        AccuracyDataError: If one does not.
    """
    for knob in space:
        if not knob.network_effect:
            raise AccuracyDataError(
                "Expected knobs that say what they do to a network, got "
                f"{knob.name}, which does not. Give it network_effect='package.module:function', "
                "or take accuracies from a table."
            )


@cache
def network_effect(knob: Knob) -> NetworkEffect:
    """Import what a knob does to a network.

    Args:
        knob: Of a design space.

    Returns:
        The function that it names.

    Raises:
        AccuracyDataError: If it names none, or there is no such function.
    """
    check_effects(DesignSpace((knob,)))
    try:
        found = resolve_name(knob.network_effect)
        if not callable(found):
            raise TypeError(f"{found!r} is no function")
    except (AttributeError, ImportError, TypeError, ValueError) as error:
        raise AccuracyDataError(
            f"Expected the network_effect of {knob.name} to be 'package.module:function', got "
            f"{knob.network_effect!r}: {error}."
        ) from error
    effect: NetworkEffect = found
    return effect
