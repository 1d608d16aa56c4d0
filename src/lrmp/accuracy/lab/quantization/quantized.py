"""The quantised counterparts of layers."""

from torch import nn

from lrmp.accuracy.lab.models.activation_product import ActivationProduct
from lrmp.accuracy.lab.quantization.activation_product import QuantizedActivationProduct
from lrmp.accuracy.lab.quantization.convolution import Convolution
from lrmp.accuracy.lab.quantization.layers import QuantizedLayer, QuantizedProduct
from lrmp.accuracy.lab.quantization.recurrent import QuantizedRecurrent


def quantized(module: nn.Module) -> QuantizedLayer:
    """Build the quantised counterpart of a layer.

    Args:
        module: A convolution, a fully connected or recurrent layer, or a product of activations.

    Returns:
        A layer that computes in float until knobs are set.

    Raises:
        AccuracyDataError: If a recurrent layer has several layers, directions, or projections.
    """
    if isinstance(module, ActivationProduct):
        return QuantizedActivationProduct(module)
    if isinstance(module, nn.RNNBase):
        return QuantizedRecurrent(module)
    assert isinstance(module, Convolution | nn.Linear)
    return QuantizedProduct(module)
