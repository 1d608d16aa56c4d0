"""What runs on a chip: one network, or several that share its tiles."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from lrmp.accuracy.model.factories import AccuracyFactory
from lrmp.errors import TaskError
from lrmp.hardware.networks.network import Network
from lrmp.hardware.networks.shared_network import SharedNetwork, layers_of
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

    @cached_property
    def network(self) -> Network:
        """What is costed: the network, or all of them in a round."""
        if len(self.tenants) == 1 and self.tenants[0].rate == 1:
            return self.tenants[0].network
        return SharedNetwork.of(
            [tenant.network for tenant in self.tenants], [tenant.rate for tenant in self.tenants]
        )

    @property
    def layers(self) -> tuple[slice, ...]:
        """The layers of every tenant among those of all, network after network."""
        return layers_of([len(tenant.network) for tenant in self.tenants])

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Of all layers; those of several networks begin with their network's number and name."""
        return tuple(layer.name for layer in self.network.layers)

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
