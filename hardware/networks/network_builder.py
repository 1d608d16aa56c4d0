"""Collects a network's layers, edges and vector operations in the order in which they run."""

from dataclasses import replace
from typing import Self

from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network

#: Numbers of the layers whose outputs, added or joined, make up a tensor.
Sources = frozenset[int]


class NetworkBuilder:
    """A network in the making.

    Vector operations belong to the layer executed last before them; those before the first layer
    belong to the first.

    Args:
        name: Name of the network.

    Attributes:
        output: The layers that the tensor at hand is made of, which the next layer reads: the
            layer added last, until ``join``; none before the first.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._layers: list[Layer] = []
        self._edges: list[tuple[int, int]] = []
        self._early_ops = 0
        self.output: Sources = frozenset()

    def add(self, layer: Layer, *, vector_ops: int = 0, reads: Sources | None = None) -> Self:
        """Append a layer.

        Args:
            layer: The layer.
            vector_ops: Operations right behind it.
            reads: Layers whose outputs it reads; None for ``output``.

        Returns:
            The builder.
        """
        number = len(self._layers)
        sources = self.output if reads is None else reads
        self._edges += ((source, number) for source in sources)
        self.output = frozenset({number})
        self._layers.append(layer)
        return self.add_vector_ops(self._early_ops if number == 0 else 0).add_vector_ops(vector_ops)

    def join(self, *parts: Sources) -> Self:
        """Add or concatenate tensors; the next layer reads all of them.

        Args:
            *parts: What ``output`` was behind each of them.

        Returns:
            The builder.
        """
        self.output = frozenset().union(*parts)
        return self

    def add_vector_ops(self, count: int) -> Self:
        """Count operations to the layer added last.

        Args:
            count: Operations.

        Returns:
            The builder.
        """
        if self._layers:
            layer = self._layers[-1]
            self._layers[-1] = replace(layer, vector_ops=layer.vector_ops + count)
        else:
            self._early_ops += count
        return self

    def build(self) -> Network:
        """Make the network.

        Returns:
            The layers in the order in which they were added.

        Raises:
            NetworkError: If there is no layer, or two have the same name.
        """
        return Network(self._name, tuple(self._layers), tuple(self._edges))
