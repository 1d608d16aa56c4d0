"""Accuracy models by kind, of a network on a chip; nothing heavy is imported before use."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from lrmp.accuracy.model.accuracy_model import AccuracyKind, AccuracyModel
from lrmp.errors import AccuracyTableError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design_space import DesignSpace

DIGITS = "digits_cnn"
NOISE_SEEDS = (0, 1, 2)

#: Builds the accuracy model of a network on a chip, for the designs of a space.
AccuracyFactory = Callable[[Network, Accelerator, DesignSpace], AccuracyModel]


@dataclass(frozen=True, eq=False)
class GivenAccuracy:
    """An accuracy model that is there already, where a task wants what builds one.

    Attributes:
        model: The model.
    """

    model: AccuracyModel

    def __call__(
        self, network: Network, accelerator: Accelerator, space: DesignSpace
    ) -> AccuracyModel:
        """Return the model.

        Args:
            network: Not used; ``make_task`` has checked that the model is the network's.
            accelerator: Not used.
            space: Not used.

        Returns:
            The model.
        """
        return self.model

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GivenAccuracy):
            return NotImplemented
        return self.model.fingerprint == other.model.fingerprint

    def __hash__(self) -> int:
        return hash(self.model.fingerprint)


def table_accuracy(network: Network, accelerator: Accelerator, space: DesignSpace) -> AccuracyModel:
    """Build the model of a measured, or predicted, sensitivity table.

    Args:
        network: One with a shipped table.
        accelerator: The chip, which what some knobs do depends on.
        space: The knobs.

    Returns:
        The table.
    """
    from lrmp.accuracy.model.sensitivity_table import shipped_accuracy

    return shipped_accuracy(network, space, accelerator)


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
        accelerator: The chip, which knobs may look at.
        space: The knobs.

    Returns:
        The model.
    """
    if network.name == DIGITS:
        return digits_accuracy(network, accelerator, space)
    return NoisyAccuracy(noise_seeds(accelerator))(network, accelerator, space)


def noise_seeds(chip: Accelerator) -> tuple[int, ...]:
    """Return what noise is drawn from where nobody says it.

    Args:
        chip: Any.

    Returns:
        Three seeds for a chip whose cells are noisy; none for others.
    """
    return () if chip.noise is None else NOISE_SEEDS


@dataclass(frozen=True)
class NoisyAccuracy:
    """Builds the model that runs the quantised network itself, with noise.

    Attributes:
        noise_seeds: What the noise of knobs is drawn from.
    """

    noise_seeds: tuple[int, ...]

    def __call__(
        self, network: Network, accelerator: Accelerator, space: DesignSpace
    ) -> AccuracyModel:
        """Build the model.

        Args:
            network: One with a protocol, whose data must be at hand.
            accelerator: The chip, which knobs may look at.
            space: The knobs.

        Returns:
            The model.

        Raises:
            AccuracyDataError: If the network has no protocol, or the seeds are no different whole
                numbers.
        """
        from lrmp.accuracy.lab.network import NetworkAccuracy
        from lrmp.accuracy.lab.protocol import protocol_of

        return NetworkAccuracy(
            protocol_of(network), space, noise_seeds=self.noise_seeds, chip=accelerator
        )


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
