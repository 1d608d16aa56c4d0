"""Layers that round their weights and inputs."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrmp.accuracy.lab.quantization.recipe import Recipe
from lrmp.accuracy.lab.quantization.steps import (
    activation_steps,
    quantize_activation,
    quantize_weight,
    weight_steps,
)
from lrmp.accuracy.model.bit_widths import BIT_WIDTHS, MIN_BITS
from lrmp.errors import AccuracyDataError

Mode = Literal["run", "observe"]


class QuantizedLayer(nn.Module, ABC):
    """Base of the quantised layers: bits, steps, and what calibration has seen.

    Attributes:
        weight_bits: 2..8, or None for float weights.
        activation_bits: 2..8, or None for float inputs.
        on_outputs: What else is done to the outputs of the products, bias included, in this order;
            knobs add to it.
        mode: ``"run"`` computes; ``"observe"`` computes in float and collects statistics.
        signed: Whether the inputs have negative values.
        weight_steps: Shape (7, M).
        activation_steps: Seven floats.
        bias_corrections: Shape (7, M), added to the bias.
        samples_per_batch: Input values that are kept of every calibration batch.
        runs: Counts up whenever the layer runs.
        float_weight: The weights as they were, of the shape of the kind of layer.
    """

    float_weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight_bits: int | None = None
        self.activation_bits: int | None = None
        self.on_outputs: list[Callable[[Tensor], Tensor]] = []
        self.mode: Mode = "run"
        self.signed = False
        self.weight_steps: Tensor | None = None
        self.activation_steps: list[float] = []
        self.bias_corrections: Tensor | None = None
        self.samples_per_batch = 2**14
        self.runs = 0
        self._samples: list[Tensor] = []
        self._seen = 0

    def set_float(self) -> None:
        """Take back all that was set; compute as the float layer does."""
        self.activation_bits = None
        self.on_outputs = []
        if self.weight_bits is not None:
            self.weight_bits = None
            self._use_weights(None)

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
        if self.weight_steps is None:
            raise AccuracyDataError("Expected a calibrated network. Call calibrate first.")

    def start_observing(self) -> None:
        """Forget earlier statistics and collect new ones."""
        self.set_float()
        self.mode = "observe"
        self._samples, self._seen = [], 0
        self.signed = False

    def finish_observing(self, recipe: Recipe) -> None:
        """Choose the steps from what was seen.

        Args:
            recipe: Names the candidates.

        Raises:
            AccuracyDataError: If no input was seen.
        """
        if not self._samples:
            raise AccuracyDataError(
                "Expected every layer to run on the calibration images, got one that did not."
            )
        sample = torch.cat(self._samples)
        self._samples = []
        self.mode = "run"
        self.activation_steps = activation_steps(
            sample, recipe.activation_clip_ratios, signed=self.signed
        ).tolist()
        self.weight_steps = weight_steps(self.float_weight, recipe.weight_clip_ratios)
        self._finish_bias(recipe)

    def _observe(self, inputs: Tensor) -> None:
        """Keep a sample of the inputs, and their largest value."""
        flat = inputs.detach().flatten()
        self.signed = self.signed or bool((flat < 0).any())
        stride = max(1, flat.numel() // self.samples_per_batch)
        # The largest magnitude bounds the candidates, so it must be in the sample.
        self._samples.append(torch.cat([flat[::stride], flat[flat.abs().argmax()][None]]))

    def _quantize_input(self, inputs: Tensor) -> Tensor:
        self.runs += 1
        if self.activation_bits is None:
            return inputs
        step = self.activation_steps[self.activation_bits - MIN_BITS]
        return quantize_activation(inputs, step, self.activation_bits, signed=self.signed)

    def _change_outputs(self, outputs: Tensor) -> Tensor:
        for change in self.on_outputs:
            outputs = change(outputs)
        return outputs

    @abstractmethod
    def _use_weights(self, bits: int | None) -> None:
        """Run with weights of so many bits from now on; None for the float ones."""

    def _finish_bias(self, recipe: Recipe) -> None:
        """Correct the bias, where the kind of layer can."""


class QuantizedProduct(QuantizedLayer):
    """A convolution, grouped or not, or a fully connected layer.

    Args:
        module: The float layer; it shares its tensors with this one and is never changed.
    """

    def __init__(self, module: nn.Conv2d | nn.Linear) -> None:
        super().__init__()
        # A shallow copy with its own table of parameters: exchanging the weight here leaves the
        # float network alone, and a subclass keeps its own forward pass.
        self.module = copy.copy(module)
        self.module._parameters = dict(module._parameters)
        self.float_weight = module.weight.detach()
        self.float_bias = None if module.bias is None else module.bias.detach()
        self._rounded: dict[int, Tensor] = {}
        self._mean_patches: Tensor | None = None

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
        return self._change_outputs(self.module(self._quantize_input(inputs)))

    def rounded_weight(self, bits: int) -> Tensor:
        """Return the weights as multiples of their steps; computed once.

        Args:
            bits: 2..8.

        Returns:
            Shape of the float weights.
        """
        if bits not in self._rounded:
            assert self.weight_steps is not None
            steps = self.weight_steps[bits - MIN_BITS]
            self._rounded[bits] = quantize_weight(self.float_weight, steps, bits)
        return self._rounded[bits]

    def start_observing(self) -> None:
        """Forget earlier statistics and collect new ones."""
        super().start_observing()
        self._rounded.clear()
        self._mean_patches = None

    def _use_weights(self, bits: int | None) -> None:
        weight, bias = self.float_weight, self.float_bias
        if bits is not None:
            weight = self.rounded_weight(bits)
            if self.bias_corrections is not None:
                correction = self.bias_corrections[bits - MIN_BITS]
                bias = correction if bias is None else bias + correction
        self.module.weight = nn.Parameter(weight, requires_grad=False)
        self.module.register_parameter(
            "bias", None if bias is None else nn.Parameter(bias, requires_grad=False)
        )

    def _observe_patches(self, inputs: Tensor) -> None:
        """Average the inputs that every weight is multiplied by, over images and positions.

        The mean output of a channel is linear in its weights; the coefficients are the gradient.
        So padding, stride and groups need no code here.
        """
        with torch.inference_mode(mode=False), torch.enable_grad():
            weight = self.float_weight.clone().requires_grad_()
            outputs = torch.func.functional_call(
                self.module, {"weight": weight}, (inputs.detach().clone(),)
            )
            channels = outputs.flatten(2).mean(2) if outputs.ndim > 2 else outputs
            (gradient,) = torch.autograd.grad(channels.sum(), weight)
        count = len(inputs)
        if self._mean_patches is None:
            self._mean_patches = torch.zeros_like(gradient)
        self._mean_patches += gradient
        self._seen += count

    def _finish_bias(self, recipe: Recipe) -> None:
        assert self._mean_patches is not None
        patches = self._mean_patches / self._seen
        self._mean_patches = None
        if not recipe.bias_correction:
            self.bias_corrections = None
            return
        self.bias_corrections = torch.stack(
            [
                ((self.float_weight - self.rounded_weight(bits)) * patches).flatten(1).sum(1)
                for bits in BIT_WIDTHS
            ]
        )


class QuantizedLSTM(QuantizedLayer):
    """A one-directional LSTM whose products round the input and the hidden state alike.

    A crossbar holds the matrix [W_ih W_hh] of a layer: its rows read the input and the hidden
    state, so the two share one activation width and one step, and its 4H columns have a weight
    step each. Gates and the cell state stay in float. Biases are not corrected.

    Args:
        module: The float LSTM of one layer; it is never changed.

    Raises:
        AccuracyDataError: If it is bidirectional, has projections, or more than one layer.
    """

    def __init__(self, module: nn.LSTM) -> None:
        super().__init__()
        if module.bidirectional or module.proj_size or module.num_layers != 1:
            raise AccuracyDataError(
                "Expected an LSTM of one layer, one direction and no projection, got "
                f"{module.num_layers} layers, bidirectional {module.bidirectional}, projection "
                f"{module.proj_size}. Stack one-layer LSTMs instead."
            )
        self.batch_first = module.batch_first
        parameters = dict(module.named_parameters())
        self.float_weight = torch.cat(
            [parameters["weight_ih_l0"].detach(), parameters["weight_hh_l0"].detach()], 1
        )
        zero = self.float_weight.new_zeros(len(self.float_weight))
        self.bias = (
            parameters["bias_ih_l0"].detach() + parameters["bias_hh_l0"].detach()
            if module.bias
            else zero
        )
        self.hidden_size = module.hidden_size
        self._weight = self.float_weight

    def forward(
        self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run the sequence step by step.

        Args:
            inputs: Shape (T, N, I), or (N, T, I) with ``batch_first``.
            state: Hidden and cell state, shape (1, N, H) each; None for zeros.

        Returns:
            Outputs of every step, and the last hidden and cell state, as ``nn.LSTM`` gives them.
        """
        steps = inputs.transpose(0, 1) if self.batch_first else inputs
        if state is None:
            zero = inputs.new_zeros(steps.shape[1], self.hidden_size)
            hidden, cell = zero, zero
        else:
            hidden, cell = state[0][0], state[1][0]
        split = steps.shape[2]
        # The part of the input does not wait for the state: one product for all steps.
        rounded = self._quantize_input(steps)
        from_inputs = F.linear(rounded, self._weight[:, :split], self.bias)
        outputs = []
        for step in from_inputs:
            gates = step + F.linear(self._quantize_input(hidden), self._weight[:, split:])
            entry, forget, candidate, out = self._change_outputs(gates).chunk(4, 1)
            cell = forget.sigmoid() * cell + entry.sigmoid() * candidate.tanh()
            hidden = out.sigmoid() * cell.tanh()
            outputs.append(hidden)
        stacked = torch.stack(outputs)
        if self.mode == "observe":
            self._observe(torch.cat([steps.flatten(), stacked.flatten()]))
        if self.batch_first:
            stacked = stacked.transpose(0, 1)
        return stacked, (hidden[None], cell[None])

    def _use_weights(self, bits: int | None) -> None:
        if bits is None:
            self._weight = self.float_weight
            return
        assert self.weight_steps is not None
        self._weight = quantize_weight(self.float_weight, self.weight_steps[bits - MIN_BITS], bits)


def quantized(module: nn.Module) -> QuantizedLayer:
    """Build the quantised counterpart of a layer.

    Args:
        module: A convolution, a fully connected layer or an LSTM.

    Returns:
        A layer that computes in float until knobs are set.
    """
    if isinstance(module, nn.LSTM):
        return QuantizedLSTM(module)
    assert isinstance(module, nn.Conv2d | nn.Linear)
    return QuantizedProduct(module)
