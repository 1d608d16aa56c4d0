"""What runs on a chip: one network, or several that share its tiles."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from lrmp.accuracy.model.factories import AccuracyFactory
from lrmp.errors import TaskError
from lrmp.hardware.networks.network import Network
from lrmp.hardware.short_repr import short_name, short_repr


@dataclass(frozen=True, eq=False)
class Tenant:
    """A network on a chip.

    Attributes:
        network: L layers.
        accuracy_factory: Builds the accuracy model for the network when it is first needed.
        allowed_drop: Percentage points of accuracy that cost nothing.
        rate: Inferences in a round, in which every tenant runs as often as its rate says.

    Raises:
        TaskError: If the allowed drop or the rate is out of range.
    """

    network: Network
    accuracy_factory: AccuracyFactory
    allowed_drop: float = 1.0
    rate: int = 1

    def __post_init__(self) -> None:
        drop: object = self.allowed_drop
        numeric = isinstance(drop, int | float) and not isinstance(drop, bool)
        if not (numeric and 0 <= self.allowed_drop <= 100):  # False for NaN
            raise TaskError(
                f"Expected allowed_drop of {self.network.name} in percentage points, 0 to 100, got "
                f"{self.allowed_drop!r}."
            )
        if type(self.rate) is not int or self.rate < 1:  # True is no rate
            raise TaskError(
                f"Expected rate of {self.network.name} to be a whole number of at least 1, got "
                f"{self.rate!r}. Multiply fractions by their common denominator."
            )

    def __repr__(self) -> str:
        return short_repr(
            self,
            short_name(self.network.name),
            f"rate {self.rate}",
            f"allowed drop {self.allowed_drop:g}",
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tenant):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((self.network.name, self.rate))

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True)
class Workload:
    """One or several networks on one chip. One is the trivial case.

    Attributes:
        tenants: The networks, each with its rate, allowed drop and accuracy.

    Raises:
        TaskError: If there is none.
    """

    tenants: tuple[Tenant, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tenants", tuple(self.tenants))
        if not self.tenants or not all(isinstance(tenant, Tenant) for tenant in self.tenants):
            raise TaskError(f"Expected a workload of at least one tenant, got {self.tenants!r}.")

    def __len__(self) -> int:
        return len(self.tenants)

    def __iter__(self) -> Iterator[Tenant]:
        return iter(self.tenants)

    @property
    def layers(self) -> tuple[slice, ...]:
        """The layers of every tenant among those of all, network after network."""
        ends = np.cumsum([0, *(len(tenant.network) for tenant in self.tenants)]).tolist()
        return tuple(map(slice, ends[:-1], ends[1:]))

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Of all layers; those of several networks begin with their network's number and name."""
        several = len(self.tenants) > 1
        return tuple(
            f"{number}:{tenant.network.name}/{layer.name}" if several else layer.name
            for number, tenant in enumerate(self.tenants)
            for layer in tenant.network.layers
        )

    def to_json(self) -> list[dict[str, Any]]:
        """Return what runs, in few plain JSON values.

        Returns:
            A mapping per tenant.
        """
        return [
            {
                "network": tenant.network.name,
                "layers": len(tenant.network),
                "rate": tenant.rate,
                "allowed_drop": tenant.allowed_drop,
            }
            for tenant in self.tenants
        ]
