"""A quantised copy of a network."""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lrmp.accuracy.lab.models.staged import Stage, StagedModel, layer_modules
from lrmp.accuracy.lab.models.traced import TracedStages
from lrmp.accuracy.lab.network_effect import network_effect
from lrmp.accuracy.lab.noise import NoiseRun
from lrmp.accuracy.lab.quantization.convolution import Convolution
from lrmp.accuracy.lab.quantization.deferred_maps import settled
from lrmp.accuracy.lab.quantization.layers import QuantizedLayer
from lrmp.accuracy.lab.quantization.quantized import quantized
from lrmp.accuracy.lab.quantization.recipe import Recipe, load_recipe
from lrmp.errors import AccuracyDataError
from lrmp.hardware.chip.accelerator import Accelerator
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
        traced: The stages of a network that is no ``StagedModel``; None if it runs in one piece.
        chip: The chip that effects of knobs may look at; None where nobody has said it.

    Attributes:
        noise_run: Seed and images that the layers draw noise for.
        layers: Quantised layers by name, in the order in which they run. Before calibration, which
            finds it, in the order of definition.

    Raises:
        AccuracyDataError: If there is no layer, or one cannot be quantised.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe | str = "ptq-1",
        traced: TracedStages | None = None,
        chip: Accelerator | None = None,
    ) -> None:
        self.recipe = load_recipe(recipe) if isinstance(recipe, str) else recipe
        self._traced, self._chip = traced, chip
        self.noise_run = NoiseRun()
        self.model = fold_batch_norm(model, traced)
        self.layers: dict[str, QuantizedLayer] = {}
        for name, module in layer_modules(self.model).items():
            self.layers[name] = quantized(module)
            self.layers[name].noise_run = self.noise_run
            self.layers[name].enter(1, chip)
            _exchange(self.model, module, self.layers[name])
        self.calibrated = False

    def __call__(self, images: Tensor) -> Tensor:
        """Compute the scores of images with the knobs that are set.

        Args:
            images: As the float network takes them.

        Returns:
            As the float network gives them.
        """
        scores: Tensor = settled(self.model(images))
        return scores

    def stages(self) -> list[Stage]:
        """Return the stages of the copy.

        Returns:
            See ``StagedModel``; those of the trace of any other module, which without one is a
            single stage.
        """
        if isinstance(self.model, StagedModel):
            return self.model.stages()
        return [self.model] if self._traced is None else self._traced.of(self.model)

    def calibrate(self, images: Tensor | Iterable[Tensor]) -> None:
        """Choose steps and bias corrections.

        Args:
            images: Preprocessed calibration images, or batches of them.

        Raises:
            AccuracyDataError: If a layer does not run, such as if there are no images.
        """
        batches = list(
            torch.split(images, CALIBRATION_BATCH) if isinstance(images, Tensor) else images
        )
        for layer in self.layers.values():
            layer.start_observing()
        per_batch = max(1, self.recipe.activation_samples // max(1, len(batches)))
        for layer in self.layers.values():
            layer.samples_per_batch = per_batch
        order: list[str] = []
        hooks = [
            layer.register_forward_pre_hook(lambda *_, name=name: order.append(name))
            for name, layer in self.layers.items()
        ]
        try:
            with torch.no_grad():
                for batch in batches:
                    self.model(batch)
        finally:
            for hook in hooks:
                hook.remove()
        if idle := [name for name in self.layers if name not in order]:
            raise AccuracyDataError(
                f"Expected every layer to run on the calibration images, got {', '.join(idle)}, "
                "which did not. Take it out of the module."
            )
        self.layers = {name: self.layers[name] for name in dict.fromkeys(order)}
        with torch.no_grad():
            for number, layer in enumerate(self.layers.values()):
                layer.number = number
                layer.finish_observing(self.recipe)
        self.calibrated = True

    def set_design(self, design: Design, seed: int | None = None) -> None:
        """Do to every layer what the knobs of a design do, in the order of its space.

        Args:
            design: Of L layers.
            seed: That noise is drawn from; None if there is none.

        Raises:
            AccuracyDataError: If the design has another number of layers, a knob says nothing of
                networks or cannot have its value there, or it draws noise without a seed.
        """
        self.check_length(design)
        self.set_float()
        self.noise_run.seed = seed
        for layer, copies in zip(self.layers.values(), design.replication.tolist(), strict=True):
            layer.enter(copies, self._chip)
        for knob in design.space:
            effect = network_effect(knob)
            values = design[knob.name].tolist()
            for layer, value in zip(self.layers.values(), values, strict=True):
                effect(layer, value)
        for layer in self.layers.values():
            layer.close()

    def check_length(self, design: Design) -> None:
        """Check that a design has as many layers as the network.

        Args:
            design: Any.

        Raises:
            AccuracyDataError: If it has more or fewer.
        """
        if len(design) != len(self.layers):
            raise AccuracyDataError(
                f"Expected a design of {len(self.layers)} layers, got one of {len(design)}."
            )

    def check(self, space: DesignSpace, seed: int | None = None) -> None:
        """Check that layers can have all values of all knobs; the first layer stands for all.

        Args:
            space: The knobs.
            seed: That noise is drawn from; None if there is none.

        Raises:
            AccuracyDataError: If a knob says nothing of networks, has a value that they cannot, or
                draws noise without a seed.
        """
        layer = next(iter(self.layers.values()))
        self.noise_run.seed = seed
        try:
            for knob in space:
                for value in knob.values:
                    network_effect(knob)(layer, value)
        finally:
            layer.set_float()

    def set_float(self) -> None:
        """Compute in float, as the network this is a copy of."""
        self.noise_run.seed = None
        for layer in self.layers.values():
            layer.set_float()


def fold_batch_norm(model: nn.Module, traced: TracedStages | None = None) -> nn.Module:
    """Copy a network and fold its batch norms into the convolutions before them.

    Args:
        model: The float network; a ``StagedModel`` names its batch norms.
        traced: Names those of any other module; None folds none.

    Returns:
        The copy, in evaluation mode, without gradients.
    """
    # Parameters are shared, not copied: nothing writes into them, and folding makes new ones.
    shared = {id(value): value for value in (*model.parameters(), *model.buffers())}
    folded = copy.deepcopy(model, shared).eval()
    pairs = {} if traced is None else traced.batch_norms
    if isinstance(folded, StagedModel):
        pairs, folded.batch_norms = folded.batch_norms, {}
    for conv_name, norm_name in pairs.items():
        conv, norm = folded.get_submodule(conv_name), folded.get_submodule(norm_name)
        assert isinstance(conv, Convolution)
        assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d)
        fused = fuse_conv_bn_eval(conv, norm)
        fused.requires_grad_(False)
        _exchange(folded, conv, fused)
        _exchange(folded, norm, nn.Identity())
    return folded


def _exchange(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put a module in the place of another one, under all names that it has."""
    for parent in list(model.modules()):
        for name, child in parent._modules.items():
            if child is old:
                parent._modules[name] = new
