"""Accuracy of the real quantised network on the images of its protocol."""

from collections import OrderedDict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.lab.images import data_root
from lrmp.accuracy.lab.network_effect import check_effects
from lrmp.accuracy.lab.protocol import Protocol, SplitName, identity
from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.accuracy.model.sensitivity_table import shipped_divergences
from lrmp.errors import DesignError, MissingExtraError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

if TYPE_CHECKING:
    from lrmp.accuracy.lab.evaluator import NetworkEvaluator

REMEMBERED_DESIGNS = 4096


class NetworkAccuracy:
    """Drop of a design by running it: on the search images for searches, on the test images once.

    Weights and images are loaded, and the network is calibrated, when the first design comes. The
    latest 4096 designs are remembered.

    Args:
        protocol: Weights, images and recipe.
        space: The knobs.
        root: The data folder; None for ``LRMP_DATA`` or its default.
        device: Where torch computes.

    Raises:
        AccuracyDataError: If a knob does not say what it does to a network.
    """

    kind: AccuracyKind = "network"
    is_estimate = False

    def __init__(
        self,
        protocol: Protocol,
        space: DesignSpace = PRECISION,
        root: Path | None = None,
        device: str = "cpu",
    ) -> None:
        check_effects(space)
        self.protocol, self.space = protocol, space
        self._root, self._device = data_root(root), device
        self._remembered: OrderedDict[tuple[SplitName, bytes], float] = OrderedDict()

    @property
    def provenance(self) -> str:
        """Recipe, weights and images, in one line."""
        return (
            f"quantised {self.protocol.network} ({self.protocol.recipe}) on "
            f"{self.protocol.search}; {self.protocol.about}"
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of weights, images and recipe."""
        return identity(self.protocol)

    @cached_property
    def evaluator(self) -> "NetworkEvaluator":
        """What runs the designs.

        Raises:
            MissingExtraError: If torch or Pillow is not installed.
            AccuracyDataError: If weights or images are missing, or the network cannot have a value
                of a knob.
        """
        try:
            from lrmp.accuracy.lab.evaluator import NetworkEvaluator
        except ImportError as error:
            raise MissingExtraError(
                f"Expected {error.name} for accuracies of the network itself; run pip install "
                '"lrmp[accuracy]", or use accuracy="table".'
            ) from error
        evaluator = NetworkEvaluator(self.protocol, self._root, self._device)
        evaluator.network.check(self.space)
        return evaluator

    def drop(self, design: Design) -> float:
        """Measure the drop on the search images.

        Args:
            design: Of L layers.

        Returns:
            Percentage points against the float network.
        """
        return self._drop(design, "search")

    def drops(self, settings: IntArray, replication: IntArray) -> NDArray[np.float64]:
        """Measure the drops of many designs.

        Args:
            settings: Places of values, shape (B, L, K).
            replication: Copies, shape (B, L).

        Returns:
            Percentage points, shape (B,).
        """
        designs = zip(settings, replication, strict=True)
        return np.array([self.drop(Design(self.space, *design)) for design in designs])

    def sensitivities(self) -> NDArray[np.float64] | None:
        """Return those of the network's shipped table, in nats, shape (L, K).

        Returns:
            None if there is no table, or it lacks a knob or a value of the space.
        """
        table = shipped_divergences(self.protocol.network, self.space)
        return None if table is None else table.sensitivities()

    def test_drop(self, design: Design) -> float:
        """Measure the drop on the test images.

        Args:
            design: Of L layers.

        Returns:
            Percentage points against the float network.
        """
        return self._drop(design, "test")

    def _drop(self, design: Design, split: SplitName) -> float:
        if design.space != self.space:
            raise DesignError(
                f"Expected a design of the knobs {', '.join(self.space.names)}, with the values of "
                f"the accuracy model, got one of {', '.join(design.space.names)}."
            )
        key = (split, design.settings.tobytes() + design.replication.tobytes())
        if key not in self._remembered:
            if len(self._remembered) >= REMEMBERED_DESIGNS:
                self._remembered.popitem(last=False)
            self._remembered[key] = self.evaluator.evaluate(design, split).drop
        return self._remembered[key]
