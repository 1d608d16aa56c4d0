"""What all models have in common: a forward pass in stages, and layers with names."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from lrmp.accuracy.lab.models.activation_product import ActivationProduct
from lrmp.errors import AccuracyDataError

Stage = Callable[[Tensor], Tensor]

#: Modules whose matrix sits in crossbars; recurrent ones of one layer and direction.
LAYERS = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, nn.LSTM, nn.GRU, nn.RNN),
    ActivationProduct,
)
#: Modules that hold layers, which can be opened.
OPENED = (nn.MultiheadAttention, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
#: Others of torch whose weights would, but which nothing here rounds.
_UNKNOWN = (nn.modules.conv._ConvNd, nn.RNNCellBase, nn.Bilinear)


#: Attribute of a module that was opened: the name that its layer has elsewhere.
LAYER_NAME = "lrmp_layer"


class StagedModel(nn.Module, ABC):
    """A network that runs as a chain of stages, each a function of the one before alone.

    A measurement that changes a layer may start at that layer's stage from kept inputs. Residual
    connections therefore never reach out of a stage.

    Attributes:
        batch_norms: The batch norm that follows a convolution, by module names. Folding them is
            exact, because nothing stands between the two.
        input_shape: Channels, height and width of an image.
    """

    input_shape: ClassVar[tuple[int, int, int]]

    def __init__(self) -> None:
        super().__init__()
        self.batch_norms: dict[str, str] = {}

    @abstractmethod
    def stages(self) -> list[Stage]:
        """Return the stages in the order in which they run.

        Returns:
            Callables; their composition is ``forward``.
        """

    def forward(self, images: Tensor) -> Tensor:
        """Classify images.

        Args:
            images: Shape (N, channels, height, width), preprocessed as the weights expect.

        Returns:
            Scores before the softmax, shape (N, classes).
        """
        for stage in self.stages():
            images = stage(images)
        return images


def layer_modules(model: nn.Module) -> dict[str, nn.Module]:
    """Find the modules whose matrix sits in crossbars.

    Args:
        model: Any module.

    Returns:
        Modules by layer name, in order of definition, which in all models here is the order in
        which they run. Layers are named as ``Network.from_torch`` names them, those of a
        ``StagedModel`` as ``lrmp.hardware`` does: without the index inside ``downsample``. Modules
        that hold several are among them, as long as nobody has opened them.

    Raises:
        AccuracyDataError: If there are none, or the module is one itself, or there is one of a kind
            that cannot be quantised, or weights of one are computed from others.
    """
    kinds, found = ", ".join(kind.__name__ for kind in LAYERS[:-1]), dict[str, nn.Module]()
    for name, module in _outermost(model):
        if isinstance(module, LAYERS + OPENED):
            found[name] = module
        elif isinstance(module, _UNKNOWN):
            raise AccuracyDataError(
                f"Expected layers of kinds that can be quantised, {kinds}; got "
                f"{type(module).__name__} in {name or 'the module itself'}. Write it with those."
            )
    if not found or "" in found:
        got = "one itself. Wrap it in nn.Sequential." if found else "none."
        raise AccuracyDataError(
            f"Expected {type(model).__name__} to hold layers whose weights crossbars take, "
            f"{kinds}; got {got}"
        )
    for name, module in found.items():
        has_one = isinstance(module, nn.modules.conv._ConvNd | nn.Linear)
        if has_one and module._parameters.get("weight") is None:
            raise AccuracyDataError(
                f"Expected weights of {name} that are a parameter, got such as are computed from "
                "others. Call torch.nn.utils.parametrize.remove_parametrizations, or "
                "torch.nn.utils.remove_weight_norm, first."
            )
    named: dict[str, nn.Module] = {}
    for name, module in found.items():
        if given := getattr(module, LAYER_NAME, ""):
            named[given] = module
        elif isinstance(module, nn.RNNBase):
            named[f"{name}.l0"] = module  # its first layer, and its only one
        else:
            named[layer_name(name) if isinstance(model, StagedModel) else name] = module
    return named


def _outermost(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """List modules by name, without the parts of those that hold several layers."""
    inside = ""
    for name, module in model.named_modules():
        if inside and name.startswith(inside):
            continue
        inside = f"{name}." if isinstance(module, OPENED) else ""
        yield name, module


def layer_name(module_name: str) -> str:
    """Name a layer as ``lrmp.hardware`` does.

    Args:
        module_name: Of a weighted module, such as ``"layer2.0.downsample.0"``.

    Returns:
        The same without the index of a convolution inside ``downsample``.
    """
    return module_name.removesuffix(".0") if module_name.endswith("downsample.0") else module_name


def pad_channels(maps: Tensor, channels: int) -> Tensor:
    """Add channels of zeros, half before and half after.

    Args:
        maps: Shape (N, C, height, width).
        channels: Wanted number, at least C.

    Returns:
        Shape (N, channels, height, width); the same maps where none are wanted, no copy.
    """
    added = channels - maps.shape[1]
    if not added:
        return maps
    margin = added // 2
    return torch.nn.functional.pad(maps, (0, 0, 0, 0, margin, added - margin))
