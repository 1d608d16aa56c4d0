"""Several networks that share a chip, seen as one long list of layers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, Self

from lrmp.errors import NetworkError
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Edges, Network

_MOST = 2.0**62  # sums of two such fit 64 bits


@dataclass(frozen=True)
class SharedNetwork(Network):
    """The layers of several networks, network after network, in a round of inferences.

    In a round every network runs as often as its rate says. What is costed of it is a round: a
    layer of rate k takes k times the cycles and energy of one inference, and its tiles once.

    Attributes:
        networks: At least one.
        rates: Inferences of each in a round.
    """

    networks: tuple[Network, ...] = ()
    rates: tuple[int, ...] = ()

    @classmethod
    def of(cls, networks: Sequence[Network], rates: Sequence[int]) -> Self:
        """Put networks together.

        Args:
            networks: At least one.
            rates: Inferences of each in a round, each a whole number of at least 1.

        Returns:
            All layers. Those of several networks begin with their network's number and name.

        Raises:
            NetworkError: If there is not one rate of at least 1 for each network.
        """
        networks, rates = tuple(networks), tuple(rates)
        if not networks or len(networks) != len(rates):
            raise NetworkError(
                f"Expected at least one network and a rate for each, got {len(networks)} networks "
                f"and {len(rates)} rates."
            )
        for rate in rates:
            if type(rate) is not int or rate < 1:  # True is no rate
                raise NetworkError(
                    f"Expected whole rates of at least 1, got {rate!r}. Multiply fractions by "
                    "their common denominator."
                )
        layers = tuple(
            _renamed(layer, number, network) if len(networks) > 1 else layer
            for number, network in enumerate(networks)
            for layer in network.layers
        )
        known = all(network.edges is not None for network in networks)
        return cls(
            name="+".join(network.name for network in networks),
            layers=layers,
            edges=_edges(networks) if known else None,
            networks=networks,
            rates=rates,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return (SharedNetwork.of, (self.networks, self.rates))

    @property
    def edges_or_chain(self) -> Edges:
        """The edges; of networks that do not know theirs, those of a chain."""
        return _edges(self.networks)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many layers every network has."""
        return tuple(map(len, self.networks))

    @cached_property
    def parts(self) -> tuple[slice, ...]:
        """The layers of every network."""
        return layers_of(self.sizes)

    @cached_property
    def runs(self) -> IntArray | None:
        """Inferences of every layer in a round, shape (L,); None if all are one."""
        if set(self.rates) == {1}:
            return None
        return read_only(
            [
                rate
                for network, rate in zip(self.networks, self.rates, strict=True)
                for _ in network.layers
            ]
        )


def in_a_round(runs: IntArray | None, amounts: IntArray) -> IntArray:
    """Multiply what layers take in an inference by how often they run.

    Args:
        runs: Of every layer, shape (L,); None if each runs once.
        amounts: At least 0, shape (..., L).

    Returns:
        The products, same shape; the amounts themselves if every layer runs once.

    Raises:
        NetworkError: If one does not fit 64 bits.
    """
    if runs is None:
        return amounts
    most = float(runs.max()) * float(amounts.max(initial=0))
    if most >= _MOST:
        raise NetworkError(
            f"Expected cycles and energies of a round below 2**62, got {most:.3g}. Lower the rates."
        )
    return runs * amounts


def layers_of(sizes: Sequence[int]) -> tuple[slice, ...]:
    """Say where the layers of every network are among those of all, network after network.

    Args:
        sizes: How many layers every network has.

    Returns:
        A slice per network.
    """
    ends = [0, *accumulate(sizes)]
    return tuple(map(slice, ends[:-1], ends[1:]))


def _renamed(layer: Layer, number: int, network: Network) -> Layer:
    return replace(layer, name=f"{number}:{network.name}/{layer.name}")


def _edges(networks: Sequence[Network]) -> Edges:
    """Number the layers of all networks through; no edge leads from one to another."""
    edges, before = [], 0
    for network in networks:
        edges += [(before + source, before + target) for source, target in network.edges_or_chain]
        before += len(network)
    return tuple(edges)
