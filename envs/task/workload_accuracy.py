"""The accuracy of several networks on a chip, each held to an allowance of its own."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind, AccuracyModel
from lrmp.envs.task.allowance import Allowance
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TenantAccuracy:
    """What is known of one network of a workload.

    Attributes:
        model: Its accuracy.
        layers: Its own, among those of all.
        allowed_drop: Percentage points that cost nothing.
        allowance: The same in the unit of the model's divergence.
    """

    model: AccuracyModel
    layers: slice
    allowed_drop: float
    allowance: Allowance


class WorkloadAllowance(Allowance):
    """What a workload may lose: all that its networks may, each by itself.

    Divergences of a `WorkloadAccuracy` are shares of it, so the limit is 1, and what they are
    beyond it is the excess.
    """

    def __init__(self) -> None:
        super().__init__(limit=1.0)

    def excess(self, divergence: float) -> float:
        """Say by how much a design exceeds the allowances of its networks.

        Args:
            divergence: Of the design.

        Returns:
            The mean over the networks of ``ln(divergence / allowed divergence)``, 0 for those
            within theirs.
        """
        return max(divergence - self.limit, 0.0)


class WorkloadAccuracy:
    """Several networks in the place of one; see ``AccuracyModel``.

    The *divergence* of a design is, while every network is within its allowance, the largest share
    that one takes of it; beyond, 1 and the mean of the networks' excesses, ``ln(divergence /
    allowed divergence)`` or 0 within. It is 1 at the limit and grows with each network beyond its
    own, so that to mend any of them pays; and random designs are about as far beyond as those of
    one network.

    The *drop* is that of the network worst off, counted from what it is allowed: ``max(drop -
    allowed drop)`` plus the least allowed drop of all. It is at most that exactly where every
    network is within its own, and where all are allowed the same it is the largest drop.

    Args:
        tenants: The networks', in order.
        space: Of all layers.

    Attributes:
        allowed_drop: The least of all, in percentage points.
        drop_map: None: a drop does not follow from a divergence alone.
    """

    drop_map = None

    def __init__(self, tenants: Sequence[TenantAccuracy], space: DesignSpace) -> None:
        self.tenants = tuple(tenants)
        self.allowed_drop = min(float(tenant.allowed_drop) for tenant in self.tenants)
        self._spaces = [space.for_layers(tenant.layers) for tenant in self.tenants]
        self._allowances = [tenant.allowance for tenant in self.tenants]

    @property
    def kind(self) -> AccuracyKind:
        """``"table"`` if all networks have one; else some are run."""
        kinds = {tenant.model.kind for tenant in self.tenants}
        return "table" if kinds == {"table"} else "network"

    @property
    def is_estimate(self) -> bool:
        """Whether the numbers of some network were not measured on it."""
        return any(tenant.model.is_estimate for tenant in self.tenants)

    @property
    def provenance(self) -> str:
        """Where the numbers of the networks come from, in one line."""
        return "; ".join(dict.fromkeys(tenant.model.provenance for tenant in self.tenants))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the networks' own fingerprints and of what each is allowed."""
        parts = [
            [tenant.model.fingerprint, abs(float(tenant.allowed_drop))] for tenant in self.tenants
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def parts(self, design: Design) -> list[Design]:
        """Cut a design up.

        Args:
            design: Of all layers.

        Returns:
            That of every network.
        """
        return [
            Design(space, design.settings[t.layers], design.replication[t.layers])
            for space, t in zip(self._spaces, self.tenants, strict=True)
        ]

    def network_divergences(self, settings: IntArray, replication: IntArray) -> Floats:
        """Return what every network's own model counts.

        Args:
            settings: Of all layers, shape (B, L, K).
            replication: Copies, shape (B, L).

        Returns:
            Shape (B, N).
        """
        columns = [
            tenant.model.divergences(settings[:, tenant.layers], replication[:, tenant.layers])
            for tenant in self.tenants
        ]
        return np.stack(columns, axis=1)

    def shares(self, divergences: Floats) -> Floats:
        """Scale divergences of the networks by what each is allowed.

        Args:
            divergences: Of every network, shape (..., N).

        Returns:
            Same shape, at most 1 exactly for what is within; 0 where every drop is allowed.
        """
        limits = np.array([allowance.limit for allowance in self._allowances])
        scales = np.array([allowance.scale for allowance in self._allowances])
        shares = divergences / scales
        # Where nothing is allowed a little is the scale, and any of it is beyond.
        beyond = np.maximum(shares, np.nextafter(1.0, 2.0))
        found: Floats = np.where(divergences > limits, beyond, np.minimum(shares, 1.0))
        return found

    def divergence(self, design: Design) -> float:
        """Say how far a design is from all that its networks are allowed.

        Args:
            design: Of all layers.

        Returns:
            1 at the limit.
        """
        return float(self.divergences(design.settings[None], design.replication[None])[0])

    def divergences(self, settings: IntArray, replication: IntArray) -> Floats:
        """Return the divergences of many designs, the same as one by one.

        Args:
            settings: Places of values, shape (B, L, K).
            replication: Copies, shape (B, L).

        Returns:
            Shape (B,).
        """
        own = self.network_divergences(settings, replication)
        excess = np.zeros(len(own))
        for column, allowance in zip(own.T, self._allowances, strict=True):
            excess += allowance.excesses(column)
        # The smallest excess is still one, so that what is not within is never taken for it.
        beyond = np.maximum(1.0 + excess / len(self.tenants), np.nextafter(1.0, 2.0))
        return np.where(excess > 0, beyond, self.shares(own).max(axis=1))

    def network_drops(self, settings: IntArray, replication: IntArray) -> Floats:
        """Return the drop of every network.

        Args:
            settings: Places of values, shape (B, L, K).
            replication: Copies, shape (B, L).

        Returns:
            Percentage points, shape (B, N).
        """
        columns = [
            tenant.model.drops(settings[:, tenant.layers], replication[:, tenant.layers])
            for tenant in self.tenants
        ]
        return np.stack(columns, axis=1)

    def drop(self, design: Design) -> float:
        """Return the drop of the network worst off.

        Args:
            design: Of all layers.

        Returns:
            Percentage points, as the class says.
        """
        return float(self.drops(design.settings[None], design.replication[None])[0])

    def drops(self, settings: IntArray, replication: IntArray) -> Floats:
        """Return the drops of many designs, the same as one by one.

        Args:
            settings: Places of values, shape (B, L, K).
            replication: Copies, shape (B, L).

        Returns:
            Percentage points, shape (B,).
        """
        return self._worst(self.network_drops(settings, replication))

    def sensitivities(self) -> Floats | None:
        """Say how much turning one knob of one layer alone matters to its network.

        Returns:
            In shares of the network's allowance, shape (L, K); None if some are not known.
        """
        found = []
        for tenant, allowance in zip(self.tenants, self._allowances, strict=True):
            own = tenant.model.sensitivities()
            if own is None:
                return None
            found.append(own / allowance.unit)
        return np.concatenate(found)

    def test_drop(self, design: Design) -> float | None:
        """Return the drop on images no search has seen, of the network worst off.

        Args:
            design: Of all layers.

        Returns:
            Percentage points, or None where a model has no test images.
        """
        parts = zip(self.tenants, self.parts(design), strict=True)
        drops = [tenant.model.test_drop(part) for tenant, part in parts]
        known = [drop for drop in drops if drop is not None]
        return float(self._worst(np.array(known))) if len(known) == len(drops) else None

    def _worst(self, drops: Floats) -> Floats:
        more = np.array([float(t.allowed_drop) - self.allowed_drop for t in self.tenants])
        worst: Floats = (drops - more).max(axis=-1)
        return worst
