"""Accuracy models by kind, of a network on a chip; nothing heavy is imported before use."""

from collections.abc import Callable
from typing import get_args

from lrmp.accuracy.model.accuracy_model import AccuracyKind, AccuracyModel
from lrmp.errors import AccuracyTableError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design_space import DesignSpace

DIGITS = "digits_cnn"

#: Builds the accuracy model of a network on a chip, for the designs of a space.
AccuracyFactory = Callable[[Network, Accelerator, DesignSpace], AccuracyModel]


def table_accuracy(network: Network, accelerator: Accelerator, space: DesignSpace) -> AccuracyModel:
    """Build the model of a measured, or predicted, sensitivity table.

    Args:
        network: One with a shipped table.
        accelerator: The chip; it plays no part.
        space: The knobs.

    Returns:
        The table.
    """
    from lrmp.accuracy.model.sensitivity_table import shipped_accuracy

    return shipped_accuracy(network, space)


def digits_accuracy(
    network: Network, accelerator: Accelerator, space: DesignSpace
) -> AccuracyModel:
    """Build the model that runs the digits network, whose images come with scikit-learn.

    Args:
        network: The digits network.
        accelerator: The chip; it plays no part.
        space: The knobs.

    Returns:
        The model.
    """
    from lrmp.accuracy.model.digits import DigitsAccuracy

    return DigitsAccuracy(network, space)


def network_accuracy(
    network: Network, accelerator: Accelerator, space: DesignSpace
) -> AccuracyModel:
    """Build the model that runs the quantised network itself.

    Args:
        network: The digits network, or one with a protocol, whose data must be at hand.
        accelerator: The chip; it plays no part.
        space: The knobs.

    Returns:
        The model.
    """
    if network.name == DIGITS:
        return digits_accuracy(network, accelerator, space)
    from lrmp.accuracy.lab.network import NetworkAccuracy
    from lrmp.accuracy.lab.protocol import protocol_of

    return NetworkAccuracy(protocol_of(network), space)


def check_kind(kind: str) -> None:
    """Check that a kind of accuracy model is known.

    Args:
        kind: ``"table"`` or ``"network"``.

    Raises:
        AccuracyTableError: If it is another.
    """
    if kind not in get_args(AccuracyKind):
        raise AccuracyTableError(
            f"Expected accuracy to be {' or '.join(map(repr, get_args(AccuracyKind)))}, "
            f"got {kind!r}."
        )
