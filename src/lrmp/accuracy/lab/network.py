"""Accuracy of the real quantised network on real images."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.lab.images import data_root
from lrmp.accuracy.lab.network_effect import check_effects
from lrmp.accuracy.lab.noise_seeds import check_seeds
from lrmp.accuracy.lab.protocol import Protocol, SplitName, identity
from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.accuracy.model.drop_map import IdentityMap
from lrmp.accuracy.model.factories import noise_seeds
from lrmp.accuracy.model.sensitivity_table import shipped_divergences
from lrmp.errors import DesignError, MissingExtraError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

if TYPE_CHECKING:
    from lrmp.accuracy.lab.evaluator import NetworkEvaluator
    from lrmp.accuracy.lab.subject import Subject

REMEMBERED_DESIGNS = 4096


class NetworkAccuracy:
    """Drop of a design by running it: on the search images for searches, on the test images once.

    Weights and images are loaded, and the network is calibrated, when the first design comes. The
    latest 4096 designs are remembered.

    Args:
        source: The protocol of one of lrmp's own networks, or any subject.
        space: The knobs.
        root: The data folder, for a protocol; None for ``LRMP_DATA`` or its default.
        device: Where torch computes.
        noise_seeds: A design that draws noise runs once with each, and its drop is the mean; none
            where no knob draws any. More seeds come nearer to the mean over all.
        chip: The chip that effects of knobs may look at; a task's own where a task makes this.

    Raises:
        AccuracyDataError: If a knob does not say what it does to a network, or the seeds are no
            different whole numbers.
    """

    kind: AccuracyKind = "network"
    drop_map = IdentityMap()
    is_estimate = False

    def __init__(
        self,
        source: "Protocol | Subject",
        space: DesignSpace = PRECISION,
        root: Path | None = None,
        device: str = "cpu",
        noise_seeds: Sequence[int] = (),
        chip: Accelerator | None = None,
    ) -> None:
        check_effects(space)
        self.noise_seeds, self.chip = check_seeds(noise_seeds), chip
        self.source, self.space = source, space
        self._root, self._device = data_root(root), device
        self._remembered: OrderedDict[tuple[SplitName, bytes], float] = OrderedDict()

    @property
    def provenance(self) -> str:
        """Recipe, weights and images, in one line."""
        source = self.source
        if isinstance(source, Protocol):
            return (
                f"quantised {source.network} ({source.recipe}) on {source.search}; {source.about}"
            )
        searched = source.conditions["search"]
        return f"quantised {source.name} ({source.recipe}) on {searched}; {source.about}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of weights, images, recipe and, where there are any, seeds of noise."""
        source = self.source
        found = identity(source) if isinstance(source, Protocol) else source.identity
        if not self.noise_seeds:
            return found
        text = json.dumps({"network": found, "noise_seeds": self.noise_seeds})
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def evaluator(self) -> "NetworkEvaluator":
        """What runs the designs.

        Raises:
            MissingExtraError: If torch or Pillow is not installed.
            AccuracyDataError: If weights or images are missing, the network cannot have a value of
                a knob, or a knob draws noise and there are no seeds.
        """
        try:
            from lrmp.accuracy.lab.evaluator import NetworkEvaluator
        except ImportError as error:
            raise MissingExtraError.of(
                error.name,
                "for accuracies of the network itself",
                "accuracy",
                'use accuracy="table"',
            ) from error
        source = self.source
        subject = source.subject(self._root) if isinstance(source, Protocol) else source
        evaluator = NetworkEvaluator(subject, self._device, self.noise_seeds, self.chip)
        evaluator.network.check(self.space, *self.noise_seeds[:1])
        return evaluator

    def drop(self, design: Design) -> float:
        """Measure the drop on the search images.

        Args:
            design: Of L layers.

        Returns:
            Percentage points against the float network, the mean over the seeds of noise.
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

    def divergence(self, design: Design) -> float:
        """Return the drop: a network that is run shows it itself.

        Args:
            design: Of L layers.

        Returns:
            Percentage points.
        """
        return self.drop(design)

    def divergences(self, settings: IntArray, replication: IntArray) -> NDArray[np.float64]:
        """Return the drops of many designs.

        Args:
            settings: Places of values, shape (B, L, K).
            replication: Copies, shape (B, L).

        Returns:
            Percentage points, shape (B,).
        """
        return self.drops(settings, replication)

    def sensitivities(self) -> NDArray[np.float64] | None:
        """Return those of the network's shipped table, in nats, shape (L, K).

        Returns:
            None if there is no table, or it lacks a knob or a value of the space.
        """
        if not isinstance(self.source, Protocol):
            return None
        table = shipped_divergences(self.source.network, self.space)
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


def accuracy_on(
    protocol: Protocol,
    space: DesignSpace,
    chip: Accelerator,
    root: Path | None,
    before: NetworkAccuracy | None = None,
) -> NetworkAccuracy:
    """Return the accuracy of a network on a chip, for who checks designs of one task after another.

    Args:
        protocol: Of the network.
        space: The knobs.
        chip: Its cells may be noisy; then three seeds are run.
        root: The data folder; None for ``LRMP_DATA`` or its default.
        before: What was returned last; it is calibrated.

    Returns:
        ``before``, where that is of the same network and chip.

    Raises:
        AccuracyDataError: If a knob does not say what it does to a network.
    """
    if before is not None and (before.source, before.chip) == (protocol, chip):
        return before
    return NetworkAccuracy(protocol, space, root, noise_seeds=noise_seeds(chip), chip=chip)
