"""A network: the layers whose weights sit in crossbars, in the order they run."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lrmp.errors import MissingExtraError, NetworkError
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.layer import Layer


@dataclass(frozen=True)
class Network:
    """Layers in network order. Pooling, normalisation and element-wise layers hold no crossbars.

    Attributes:
        name: Such as ``"resnet18"``.
        layers: At least one; names are unique.

    Raises:
        NetworkError: If there is no layer, or two layers share a name.
    """

    name: str
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if not self.layers:
            raise NetworkError(f"Expected network {self.name!r} to have at least one layer, got 0.")
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise NetworkError(
                    f"Expected unique layer names in network {self.name!r}, got {name!r} twice."
                )

    def __len__(self) -> int:
        return len(self.layers)

    @cached_property
    def rows(self) -> IntArray:
        """K of every layer, shape (L,)."""
        return read_only([layer.rows for layer in self.layers])

    @cached_property
    def columns(self) -> IntArray:
        """M of every layer, shape (L,)."""
        return read_only([layer.columns for layer in self.layers])

    @cached_property
    def positions(self) -> IntArray:
        """P of every layer, shape (L,)."""
        return read_only([layer.positions for layer in self.layers])

    @property
    def macs(self) -> int:
        """Multiply-accumulates per inference."""
        return sum(layer.macs for layer in self.layers)

    @classmethod
    def from_torch(
        cls,
        module: Any,
        example_input: Any,
        *,
        name: str | None = None,
        batch_dimension: int | None = 0,
    ) -> "Network":
        """Read the layers of a torch module by running ``torch.export`` on an example input.

        One call of the module is one inference: whatever precedes the features of a linear layer
        multiplies its positions. The module is left as it was; its weights are not read, so it
        may live on the ``meta`` device. A layer is named after its weight: ``layer1.0.conv1`` for
        ``layer1.0.conv1.weight``, ``attn.in_proj`` for ``attn.in_proj_weight``, ``lstm.l0`` for
        ``lstm.weight_ih_l0``; a product of two activations after its module, as in ``attn.qk``
        and ``attn.av`` of an attention, else ``attn.matmul``. Weights used several times are one
        layer, and equal names get a number.

        Args:
            module: A ``torch.nn.Module``, traced in evaluation mode. Its control flow may depend
                on shapes, not on values.
            example_input: A tensor, a tuple of positional or a dictionary of keyword arguments,
                with the shapes of one inference.
            name: Name of the network; None for the module's class.
            batch_dimension: Dimension of the first tensor that must be 1; None for inputs without
                a batch. An LSTM that is not ``batch_first`` has its batch in dimension 1.

        Returns:
            The network.

        Raises:
            MissingExtraError: If torch is not installed.
            NetworkError: If the module cannot be traced on this input, its batch is not 1, it
                has no layer, or it runs an operator that computes and is not known.
        """
        try:
            from lrmp.hardware.from_torch import network_from_torch
        except ImportError as error:
            raise MissingExtraError(
                'Expected torch to read a torch module; run pip install "lrmp[train]".'
            ) from error
        return network_from_torch(module, example_input, name, batch_dimension)


NetworkFactory = Callable[[], Network]
