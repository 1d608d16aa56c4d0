"""Collects a network's layers and vector operations in the order in which they run."""

from dataclasses import replace
from typing import Self

from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network


class NetworkBuilder:
    """A network in the making.

    Vector operations belong to the layer executed last before them; those before the first layer
    belong to the first.

    Args:
        name: Name of the network.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._layers: list[Layer] = []
        self._early_ops = 0

    def add(self, layer: Layer, *, vector_ops: int = 0) -> Self:
        """Append a layer.

        Args:
            layer: The layer.
            vector_ops: Operations right behind it.

        Returns:
            The builder.
        """
        self._layers.append(layer)
        return self.add_vector_ops(self._early_ops if len(self._layers) == 1 else 0).add_vector_ops(
            vector_ops
        )

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
        return Network(self._name, tuple(self._layers))
