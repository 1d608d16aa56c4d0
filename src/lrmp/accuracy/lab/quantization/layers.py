"""Layers that round their weights and inputs."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from functools import partial
from hashlib import sha256
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from lrmp.accuracy.lab.noise import Noise, NoiseRun
from lrmp.accuracy.lab.quantization.convolution import Convolution
from lrmp.accuracy.lab.quantization.deferred_maps import DeferredMaps, defers_exactly
from lrmp.accuracy.lab.quantization.integer_product import (
    Grid,
    IntegerConvolution,
    IntegerLinear,
    integer_inputs,
    multiply_integers,
    takes_integers,
)
from lrmp.accuracy.lab.quantization.recipe import Recipe
from lrmp.accuracy.lab.quantization.steps import (
    activation_range,
    activation_steps,
    input_magnitudes,
    quantize_activation,
)
from lrmp.accuracy.lab.quantization.weight_grids import WeightGrids
from lrmp.accuracy.lab.quantization.weight_projection import MakeProjection, WeightProjection
from lrmp.accuracy.model.bit_widths import BIT_WIDTHS, MIN_BITS
from lrmp.errors import AccuracyDataError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.space.knob import Value

Mode = Literal["run", "observe"]
#: Calibration images whose inputs are kept, as many as Lammie et al. (ISCAS 2024) estimate from.
EXAMPLES = 2
#: Computes outputs of a layer, bias included, of its rounded inputs.
Product = Callable[[Tensor], Tensor]


class QuantizedLayer(nn.Module, ABC):
    """Base of the quantised layers: bits, steps, and what calibration has seen.

    Attributes:
        weight_bits: 2..8, or None for float weights.
        activation_bits: 2..8, or None for float inputs.
        products: What computes the products instead, bias included, from inputs as the float layer
            takes them; None for the layer itself. A knob may set it.
        on_outputs: What else is done to the outputs of the products, bias included, in this order;
            knobs add to it.
        losses: What the products of the layer's inputs lose, bias and ``on_outputs`` apart; knobs
            add to it, where the kind of layer can.
        mode: ``"run"`` computes; ``"observe"`` computes in float and collects statistics.
        signed: Whether the inputs have negative values.
        grids: What the weights are rounded to; None before calibration.
        activation_steps: Seven floats, of least squared error.
        input_limit: What inputs are clipped to, and the steps spread over; None for those steps.
        input_magnitudes: Percentiles of the magnitudes of the inputs, by the values of the knob
            ``input_range``.
        samples_per_batch: Input values that are kept of every calibration batch.
        runs: Counts up whenever the layer runs.
        number: Of the layer in its network, from 0.
        noise_run: What the layers of its network draw noise for.
        reads_copies: Whether a knob has asked for the copies.
        draws_noise: Whether a knob has asked for noise.
        told: What knobs that act together have said so far, by their names.
        rank_inputs: Returns the numbers of the input channels, the most important one to all layers
            that read them first; None where their filters cannot be pruned.
        float_weight: The weights as they were, of the shape of the kind of layer.
    """

    float_weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight_bits: int | None = None
        self.activation_bits: int | None = None
        self.products: Callable[[Tensor], Tensor] | None = None
        self.on_outputs: list[Callable[[Tensor], Tensor]] = []
        self.losses: list[Callable[[Tensor], Tensor]] = []
        self.mode: Mode = "run"
        self.signed = False
        self.grids: WeightGrids | None = None
        self.activation_steps: list[float] = []
        self.input_limit: float | None = None
        self.input_magnitudes: dict[str, float] = {}
        self.samples_per_batch = 2**14
        self.runs = 0
        self.number = 0
        self.noise_run = NoiseRun()
        self.told: dict[str, Value] = {}
        self.rank_inputs: Callable[[], Tensor] | None = None
        self._rounding: Callable[[WeightGrids], Tensor] | None = None
        self._weight_changes: list[Callable[[Tensor], Tensor]] = []
        self._correct: Callable[[Tensor], Tensor] | None = None
        self._all_grids: dict[Hashable, WeightGrids] = {}
        self._projected_by = ""
        self._recipe: Recipe | None = None
        self._mean_patches: Tensor | None = None
        self._chip: Accelerator | None = None
        self._leave()
        self._samples: list[Tensor] = []
        self._seen = 0

    def set_float(self) -> None:
        """Take back all that was set; compute as the float layer does."""
        self.activation_bits = self.products = self.input_limit = None
        self.on_outputs, self.losses, self.told = [], [], {}
        changed = self.changes_weights or self._rounding or self.projection is not None
        if self.weight_bits is not None or changed:
            self.weight_bits, self._rounding = None, None
            self._weight_changes, self._correct = [], None
            self._use_grids(None)
            self._use_weights(None)
        self._leave()

    def _leave(self) -> None:
        """Be no part of a design."""
        self._copies, self._is_open = 1, True
        self.reads_copies = self.draws_noise = False

    def enter(self, copies: int, chip: Accelerator | None) -> None:
        """Be part of a design from now on.

        Args:
            copies: Of the layer.
            chip: That it is on; None where nobody has said it.
        """
        self._copies, self._chip = copies, chip

    def close(self) -> None:
        """Let no knob ask for copies or noise from now on: all that a design needs is known."""
        self._is_open = False

    @property
    def copies(self) -> int:
        """Copies of the layer in the design that it is part of; 1 on its own.

        Raises:
            AccuracyDataError: If the effects of the design's knobs are all applied.
        """
        self._check_open("copies")
        self.reads_copies = True
        return self._copies

    @property
    def chip(self) -> Accelerator:
        """The chip that the layer is on.

        Raises:
            AccuracyDataError: If nobody has said which.
        """
        if self._chip is None:
            raise AccuracyDataError(
                "Expected a chip, which the effect of a knob asks for, got none. Give "
                "NetworkAccuracy, NetworkEvaluator or Measurement chip=..."
            )
        return self._chip

    def noise(self, purpose: str) -> Noise:
        """Return what draws noise.

        Args:
            purpose: Any text; noise for another purpose is other noise.

        Returns:
            The noise of this layer in this run.

        Raises:
            AccuracyDataError: If the run has no seed, or the effects of the design's knobs are all
                applied.
        """
        self._check_open("noise")
        self.draws_noise = True
        return Noise(self.noise_run, self.number, purpose)

    def _check_open(self, what: str) -> None:
        if not self._is_open:
            raise AccuracyDataError(
                f"Expected the effect of a knob to ask for {what} when it is applied, got a layer "
                "that is running. Ask in the effect itself, and let what it adds keep the answer."
            )

    @property
    def state(self) -> Hashable:
        """What the layer computes with, equal where outputs are; None where that is not known."""
        return None

    @property
    def groups(self) -> int:
        """Groups of channels that the layer keeps apart."""
        return 1

    @property
    def weight_steps(self) -> Tensor | None:
        """Steps of the weights, shape (7, M); None before calibration."""
        return None if self.grids is None else self.grids.steps

    @property
    def bias_corrections(self) -> Tensor | None:
        """What is added to the bias, shape (7, M); None where it is not corrected."""
        return None if self.grids is None else self.grids.bias_corrections

    @property
    def projection(self) -> WeightProjection | None:
        """What a knob makes of the weights before they are rounded; None for nothing."""
        return None if self.grids is None else self.grids.projection

    def project_weights(self, knob: str, value: Hashable, make: MakeProjection) -> None:
        """Compute with projected weights from now on.

        Whatever the order of the knobs, weights are projected first, then rounded in steps that fit
        what is left, and then changed.

        Args:
            knob: Whose effect this is.
            value: Of the knob, and what else the projection depends on; what was made for it is
                remembered.
            make: Builds the projection for the float weights.

        Raises:
            AccuracyDataError: If the layer is not calibrated, or another knob projects its weights
                or rounds those that several outputs share.
        """
        self.check_calibrated()
        assert self._recipe is not None
        if self._projected_by not in ("", knob):
            raise AccuracyDataError(
                "Expected one knob that says which weights a crossbar can hold, got "
                f"{self._projected_by} and {knob}. Leave one of them out of the design space."
            )
        which = (knob, value)
        if which not in self._all_grids:
            projection = make(self.float_weight)
            self._all_grids[which] = WeightGrids(
                self.float_weight, self._recipe, self._mean_patches, projection
            )
        self._use_grids(which)
        self._projected_by = knob
        self._check_shared()
        self._use_weights(self.weight_bits)

    def _check_shared(self) -> None:
        """Refuse weights that are stored once for several outputs, and rounded one by one."""
        projection = self.projection
        if self._rounding and projection is not None and projection.step_of is not None:
            raise AccuracyDataError(
                f"Expected weights that {self._projected_by} stores once for several outputs to be "
                "rounded by weight_bits, got another knob that rounds them. Leave one of them out "
                "of the design space."
            )

    def _use_grids(self, which: Hashable) -> None:
        """Round to the grids of a choice from now on; None for those of all weights."""
        if self.grids is not None and self.grids is not self._all_grids[None]:
            self.grids.forget_rounded()
        self.grids = self._all_grids.get(which)
        self._projected_by = ""

    def change_weights(self, change: Callable[[Tensor], Tensor]) -> None:
        """Compute with changed weights from now on.

        Whatever the order of the knobs, weights are projected and rounded first, and then changed
        as often as was asked for, in that order.

        Args:
            change: Gives new weights for those that it is given, of the shape of the layer's kind,
                and leaves these as they are. It may be called more than once.
        """
        self._weight_changes.append(change)
        self._use_weights(self.weight_bits)

    def correct_weights(self, correct: Callable[[Tensor], Tensor]) -> None:
        """Correct the weights that are computed with, after all changes, from now on.

        What an output then still loses on average goes to its bias. A later correction takes the
        place of this one.

        Args:
            correct: Gives new weights for those that it is given, as for ``change_weights``.
        """
        self._correct = correct
        self._use_weights(self.weight_bits)

    @property
    def changes_weights(self) -> bool:
        """Whether weights are changed otherwise than by projecting and rounding."""
        return bool(self._weight_changes) or self._correct is not None

    @property
    def changes_products(self) -> bool:
        """Whether products are not simply those of weights and rounded inputs."""
        return bool(self.losses) or self.products is not None

    def _changed(self, weight: Tensor) -> Tensor:
        for change in self._weight_changes:
            weight = change(weight)
        return weight if self._correct is None else self._correct(weight)

    def round_weights(self, bits: int) -> None:
        """Compute with rounded weights from now on.

        Args:
            bits: 2..8.

        Raises:
            AccuracyDataError: If the width is not 2..8, or the layer is not calibrated.
        """
        self._check_bits("weight_bits", bits)
        self.weight_bits = bits
        self._use_weights(bits)

    def round_weights_by(self, rounding: Callable[[WeightGrids], Tensor]) -> None:
        """Compute with weights that a knob rounds, whatever their bits, from now on.

        The bias takes up their mean error as it does that of ``round_weights``, whose place this
        takes.

        Args:
            rounding: Gives the rounded weights for the grids of the layer, which say what is left
                of the float weights. It may be called more than once.

        Raises:
            AccuracyDataError: If the layer is not calibrated, or several outputs share its weights.
        """
        self.check_calibrated()
        self._rounding = rounding
        self._check_shared()
        self._use_weights(self.weight_bits)

    def round_inputs(self, bits: int) -> None:
        """Round inputs from now on.

        Args:
            bits: 2..8.

        Raises:
            AccuracyDataError: If the width is not 2..8, or the layer is not calibrated.
        """
        self._check_bits("activation_bits", bits)
        self.activation_bits = bits

    def _check_bits(self, name: str, bits: int) -> None:
        if bits not in BIT_WIDTHS:
            raise AccuracyDataError(
                f"Expected {name} that the quantisers have steps for, {BIT_WIDTHS[0]} to "
                f"{BIT_WIDTHS[-1]}, got {bits!r}."
            )
        self.check_calibrated()

    def check_calibrated(self) -> None:
        """Check that the layer has steps.

        Raises:
            AccuracyDataError: If it was not calibrated.
        """
        if self.grids is None:
            raise AccuracyDataError("Expected a calibrated network. Call calibrate first.")

    def start_observing(self) -> None:
        """Forget earlier statistics and collect new ones."""
        self.set_float()
        self.mode = "observe"
        self._samples, self._seen = [], 0
        self._mean_patches, self.grids = None, None
        self._all_grids.clear()
        self.signed = False

    def finish_observing(self, recipe: Recipe) -> None:
        """Choose the steps from what was seen.

        Args:
            recipe: Names the candidates.
        """
        self._finish_inputs(recipe)
        if self._mean_patches is not None:
            self._mean_patches = self._mean_patches / self._seen if recipe.bias_correction else None
        self._recipe = recipe
        self._all_grids[None] = WeightGrids(self.float_weight, recipe, self._mean_patches, None)
        self._use_grids(None)

    def _finish_inputs(self, recipe: Recipe) -> None:
        """Choose the steps of the inputs from what was seen, and run from now on."""
        sample = torch.cat(self._samples)
        self._samples = []
        self.mode = "run"
        self.activation_steps = activation_steps(
            sample, recipe.activation_clip_ratios, signed=self.signed
        ).tolist()
        self.input_magnitudes = input_magnitudes(sample)

    def _observe(self, inputs: Tensor) -> None:
        """Keep a sample of the inputs."""
        self.signed = self.signed or bool((inputs < 0).any())
        self._samples.append(self._sample(inputs))

    def _sample(self, values: Tensor) -> Tensor:
        """Return a sample of values, with the largest of them."""
        flat = values.detach().flatten()
        stride = max(1, flat.numel() // self.samples_per_batch)
        # The largest magnitude bounds the candidates, so it must be in the sample.
        return torch.cat([flat[::stride], flat[flat.abs().argmax()][None]])

    def _quantize_input(self, inputs: Tensor) -> Tensor:
        self.runs += 1
        if self.activation_bits is None:
            limit = self.input_limit
            return inputs if limit is None else inputs.clamp(-limit, limit)
        step = self.input_step(self.activation_bits)
        return quantize_activation(inputs, step, self.activation_bits, signed=self.signed)

    def input_step(self, bits: int) -> float:
        """Return the step that inputs are rounded with.

        Args:
            bits: 2..8.

        Returns:
            Of least squared error, unless a knob has limited the inputs.
        """
        if self.input_limit is None:
            return self.activation_steps[bits - MIN_BITS]
        return self.input_limit / activation_range(bits, signed=self.signed)[1]

    def _change_outputs(self, outputs: Tensor) -> Tensor:
        for change in self.on_outputs:
            outputs = change(outputs)
        return outputs

    @abstractmethod
    def _use_weights(self, bits: int | None) -> None:
        """Run with weights of so many bits, and changed, from now on; None for the float ones."""


class QuantizedProduct(QuantizedLayer):
    """A convolution, grouped or not, or a fully connected layer.

    Args:
        module: The float layer; it shares its tensors with this one and is never changed.

    Attributes:
        example_inputs: Those of the first two calibration images.
    """

    def __init__(self, module: Convolution | nn.Linear) -> None:
        super().__init__()
        # A shallow copy with its own table of parameters: exchanging the weight here leaves the
        # float network alone, and a subclass keeps its own forward pass.
        self.module = copy.copy(module)
        self.module._parameters = dict(module._parameters)
        self.float_weight = module.weight.detach()
        self.float_bias = None if module.bias is None else module.bias.detach()
        self._product_changes: list[Callable[[Product, Tensor], Tensor]] = []
        self.example_inputs: Tensor | None = None
        #: Weights that knobs have rounded or changed, and what multiplies by them in integers.
        self._own_integers: tuple[Tensor, IntegerConvolution | IntegerLinear | None] | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        """Compute the layer on rounded inputs with rounded weights.

        Args:
            inputs: As the float layer takes them.

        Returns:
            As the float layer gives them.
        """
        if self.mode == "observe":
            self._observe(inputs)
            self._observe_patches(inputs)
            inputs = inputs.detach()
        in_integers = self._in_integers(inputs)
        if self.products is not None:
            self.runs += 1
            outputs = self.products(inputs)
        elif in_integers is None or self.activation_bits is None:
            product: Product = self.module
            for change in self._product_changes:
                product = partial(change, product)
            outputs = product(self._quantize_input(inputs))
        else:
            self.runs += 1
            grid = Grid(self.input_step(self.activation_bits), self.activation_bits, self.signed)
            if isinstance(inputs, DeferredMaps):
                integers = inputs.rounded_to(grid)
            else:
                integers = integer_inputs(inputs, grid)
            if isinstance(in_integers, IntegerConvolution) and defers_exactly():
                outputs = DeferredMaps(in_integers, integers, grid, self.module.bias)
            else:
                outputs = in_integers(integers, grid, self.module.bias)
        for loss in self.losses:
            outputs = outputs - loss(inputs)
        return self._change_outputs(outputs)

    @property
    def groups(self) -> int:
        """Groups of channels that the layer keeps apart."""
        return self.module.groups if isinstance(self.module, Convolution) else 1

    @property
    def state(self) -> Hashable:
        """What the layer computes with, equal where outputs are; None where functions change it."""
        changed = self.changes_products or self._product_changes or self.on_outputs
        if changed or self.draws_noise:
            return None
        numbers = [each.detach().cpu().numpy() for each in self.module.parameters()]
        hashes = tuple(sha256(each.tobytes()).digest() for each in numbers)
        widths = self.weight_bits, self.activation_bits, self.input_limit
        return hashes, widths, self.changes_weights

    def set_float(self) -> None:
        """Take back all that was set; compute as the float layer does."""
        super().set_float()
        self._product_changes, self._own_integers = [], None

    @property
    def changes_products(self) -> bool:
        """Whether products are not simply those of weights and rounded inputs."""
        return super().changes_products or bool(self._product_changes)

    def change_product(self, change: Callable[[Product, Tensor], Tensor]) -> None:
        """Compute the product of inputs and weights otherwise from now on.

        Args:
            change: Gives the outputs, of what computed them so far and of the rounded inputs.
        """
        self._product_changes.append(change)

    def _in_integers(self, inputs: Tensor) -> IntegerConvolution | IntegerLinear | None:
        """Return what computes the layer in integers, where its weights and inputs are such."""
        bits, module, grids = self.weight_bits, self.module, self.grids
        if self.activation_bits is None or grids is None or self._product_changes:
            return None
        if bits is None and self._rounding is None:
            return None
        # Gradients, which fine-tuning asks for, do not pass integers.
        if torch.is_grad_enabled() or not takes_integers(module, inputs):
            return None
        assert isinstance(module, nn.Conv2d | nn.Linear)
        if bits is not None and module.weight is grids.rounded(bits):
            return grids.in_integers(bits, module)
        # Knobs have rounded or changed them, so that they may be multiples of no steps.
        if self._own_integers is None or self._own_integers[0] is not module.weight:
            steps = grids.find_steps(module.weight)
            found = None if steps is None else multiply_integers(module, module.weight, steps)
            self._own_integers = module.weight, found
        return self._own_integers[1]

    def _use_weights(self, bits: int | None) -> None:
        bias, grids = self.float_bias, self.grids
        if self._rounding is not None and grids is not None:
            rounded = self._rounding(grids)
            self.module.weight = nn.Parameter(rounded, requires_grad=False)
            bias = self._with_mean_error(rounded)
        elif bits is None or grids is None:
            weight = self.float_weight if grids is None else grids.weight
            self.module.weight = nn.Parameter(weight, requires_grad=False)
        else:
            self.module.weight = grids.rounded(bits)
            if self.bias_corrections is not None:
                correction = self.bias_corrections[bits - MIN_BITS]
                bias = correction if bias is None else bias + correction
        if self.changes_weights:
            changed = self._changed(self.module.weight.data)
            self.module.weight = nn.Parameter(changed, requires_grad=False)
            if self._correct is not None:
                bias = self._with_mean_error(changed)
        self.module.register_parameter(
            "bias", None if bias is None else nn.Parameter(bias, requires_grad=False)
        )

    def _with_mean_error(self, weight: Tensor) -> Tensor | None:
        """Return the bias with what outputs lose on average by weights beside the float ones."""
        bias = self.float_bias
        if self._mean_patches is None:
            return bias
        correction = ((self.float_weight - weight) * self._mean_patches).flatten(1).sum(1)
        return correction if bias is None else bias + correction

    def _observe_patches(self, inputs: Tensor) -> None:
        """Average the inputs that every weight is multiplied by, over images and positions.

        The mean output of a channel is linear in its weights; the coefficients are the gradient.
        So padding, stride and groups need no code here.
        """
        with torch.inference_mode(mode=False), torch.enable_grad():
            weight = self.float_weight.clone().requires_grad_()
            total = self._total(weight, inputs)
            (gradient,) = torch.autograd.grad(total, weight)
        if type(self.module) not in (*get_args(Convolution), nn.Linear):
            rest = self._total(torch.zeros_like(weight), inputs)
            error = (total - rest - (weight * gradient).sum()).abs()
            if not error <= 1e-4 * (weight * gradient).abs().sum():  # nor if it is no number
                raise AccuracyDataError(
                    "Expected layers that multiply their inputs by their weights as they are, got "
                    f"a {type(self.module).__name__}, which computes others from them. Put what it "
                    "computes into a layer of torch's own."
                )
        if self._mean_patches is None:
            self._mean_patches = torch.zeros_like(gradient)
            self.example_inputs = inputs[:EXAMPLES].detach().clone()
        self._mean_patches += gradient
        self._seen += len(inputs)

    def _total(self, weight: Tensor, inputs: Tensor) -> Tensor:
        """Add up the outputs with some weights, averaged over positions."""
        given = (inputs.detach().clone(),)
        outputs: Tensor = torch.func.functional_call(self.module, {"weight": weight}, given)
        if outputs.ndim > 2:  # a fully connected layer has its channels last
            linear = isinstance(self.module, nn.Linear)
            outputs = outputs.flatten(1, -2).mean(1) if linear else outputs.flatten(2).mean(2)
        return outputs.sum()
