"""A quantised copy of a network."""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lrmp.accuracy.lab.models.staged import WEIGHTED, Stage, StagedModel, layer_name
from lrmp.accuracy.lab.network_effect import network_effect
from lrmp.accuracy.lab.quantization.layers import QuantizedLayer, quantized
from lrmp.accuracy.lab.quantization.recipe import Recipe, load_recipe
from lrmp.errors import AccuracyDataError
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace

#: Part of the recipes: which values are sampled depends on it.
CALIBRATION_BATCH = 8


class QuantizedNetwork:
    """A copy of a network whose layers round their weights and inputs.

    Batch norm is folded into the convolutions first; since every output channel has its own
    step, that changes no rounding. The layers are replaced by quantised ones: there are no
    hooks, and the float network is never modified, though weights that nothing folds are shared.

    Args:
        model: The float network, in evaluation mode.
        recipe: How to quantise.

    Attributes:
        layers: Quantised layers by name, in network order.

    Raises:
        AccuracyDataError: If a layer cannot be quantised.
    """

    def __init__(self, model: nn.Module, recipe: Recipe | str = "ptq-1") -> None:
        self.recipe = load_recipe(recipe) if isinstance(recipe, str) else recipe
        self.model = fold_batch_norm(model)
        self.layers: dict[str, QuantizedLayer] = {}
        for name, module in list(self.model.named_modules()):
            if isinstance(module, WEIGHTED):
                self.layers[layer_name(name)] = self._replace(name, module)
        self.calibrated = False

    def _replace(self, name: str, module: nn.Module) -> QuantizedLayer:
        parent, _, leaf = name.rpartition(".")
        layer = quantized(module)
        setattr(self.model.get_submodule(parent), leaf, layer)
        return layer

    def __call__(self, images: Tensor) -> Tensor:
        """Compute the scores of images with the knobs that are set.

        Args:
            images: As the float network takes them.

        Returns:
            As the float network gives them.
        """
        scores: Tensor = self.model(images)
        return scores

    def stages(self) -> list[Stage]:
        """Return the stages of the copy.

        Returns:
            See ``StagedModel``; any other module is a single stage.
        """
        return self.model.stages() if isinstance(self.model, StagedModel) else [self.model]

    def calibrate(self, images: Tensor | Iterable[Tensor]) -> None:
        """Choose steps and bias corrections.

        Args:
            images: Preprocessed calibration images, or batches of them.

        Raises:
            AccuracyDataError: If there are no images, or a layer does not run.
        """
        batches = list(
            torch.split(images, CALIBRATION_BATCH) if isinstance(images, Tensor) else images
        )
        for layer in self.layers.values():
            layer.start_observing()
        per_batch = max(1, self.recipe.activation_samples // max(1, len(batches)))
        for layer in self.layers.values():
            layer.samples_per_batch = per_batch
        with torch.no_grad():
            for batch in batches:
                self.model(batch)
            for layer in self.layers.values():
                layer.finish_observing(self.recipe)
        self.calibrated = True

    def set_design(self, design: Design) -> None:
        """Do to every layer what the knobs of a design do, in the order of its space.

        Args:
            design: Of L layers.

        Raises:
            AccuracyDataError: If the design has another number of layers, or a knob says nothing of
                networks or cannot have its value there.
        """
        if len(design) != len(self.layers):
            raise AccuracyDataError(
                f"Expected a design of {len(self.layers)} layers, got one of {len(design)}."
            )
        self.set_float()
        for knob in design.space:
            effect = network_effect(knob)
            values = design[knob.name].tolist()
            for layer, value in zip(self.layers.values(), values, strict=True):
                effect(layer, value)

    def check(self, space: DesignSpace) -> None:
        """Check that layers can have all values of all knobs; the first layer stands for all.

        Args:
            space: The knobs.

        Raises:
            AccuracyDataError: If a knob says nothing of networks or has a value that they cannot.
        """
        layer = next(iter(self.layers.values()))
        try:
            for knob in space:
                for value in knob.values:
                    network_effect(knob)(layer, value)
        finally:
            layer.set_float()

    def set_float(self) -> None:
        """Compute in float, as the network this is a copy of."""
        for layer in self.layers.values():
            layer.set_float()


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """Copy a network and fold its batch norms into the convolutions before them.

    Args:
        model: The float network; a ``StagedModel`` names its batch norms, others have none folded.

    Returns:
        The copy, in evaluation mode, without gradients.
    """
    # Parameters are shared, not copied: nothing writes into them, and folding makes new ones.
    shared = {id(value): value for value in (*model.parameters(), *model.buffers())}
    folded = copy.deepcopy(model, shared).eval()
    pairs = model.batch_norms if isinstance(model, StagedModel) else {}
    for conv_name, norm_name in pairs.items():
        conv, norm = folded.get_submodule(conv_name), folded.get_submodule(norm_name)
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        fused = fuse_conv_bn_eval(conv, norm)
        fused.requires_grad_(False)
        folded.set_submodule(conv_name, fused)
        folded.set_submodule(norm_name, nn.Identity())
    if isinstance(folded, StagedModel):
        folded.batch_norms = {}
    return folded
