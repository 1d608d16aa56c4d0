"""The product of two activations on a crossbar: both are rounded as activations are."""

from collections.abc import Callable, Hashable
from typing import NoReturn

import torch
from torch import Tensor

from lrmp.accuracy.lab.models.activation_product import ActivationProduct
from lrmp.accuracy.lab.quantization.layers import QuantizedLayer
from lrmp.accuracy.lab.quantization.recipe import Recipe
from lrmp.accuracy.lab.quantization.steps import activation_steps, quantize_activation
from lrmp.accuracy.lab.quantization.weight_grids import WeightGrids
from lrmp.accuracy.lab.quantization.weight_projection import MakeProjection
from lrmp.accuracy.model.bit_widths import MIN_BITS
from lrmp.errors import AccuracyDataError


class QuantizedActivationProduct(QuantizedLayer):
    """Rounds what streams in to ``activation_bits`` and the matrix to ``weight_bits``.

    The matrix is written anew in every inference. Both have one step each, of least squared error
    on the calibration images.

    Args:
        module: The float product.

    Attributes:
        matrix_steps: Seven floats; none before calibration.
        matrix_signed: Whether the matrix has negative values.
    """

    def __init__(self, module: ActivationProduct) -> None:
        super().__init__()
        self.module = module
        self.matrix_steps: list[float] = []
        self.matrix_signed = False
        self._matrices: list[Tensor] = []

    def forward(self, stream: Tensor, matrix: Tensor) -> Tensor:
        """Multiply what is rounded.

        Args:
            stream: As the float product takes it.
            matrix: As the float product takes it.

        Returns:
            As the float product gives it.
        """
        if self.mode == "observe":
            self._observe(stream)
            self.matrix_signed = self.matrix_signed or bool((matrix < 0).any())
            self._matrices.append(self._sample(matrix))
        stream = self._quantize_input(stream)
        if self.weight_bits is not None:
            step = self.matrix_steps[self.weight_bits - MIN_BITS]
            matrix = quantize_activation(matrix, step, self.weight_bits, signed=self.matrix_signed)
        return self._change_outputs(self.module(stream, matrix))

    def start_observing(self) -> None:
        """Forget earlier statistics and collect new ones."""
        super().start_observing()
        self.matrix_steps, self.matrix_signed, self._matrices = [], False, []

    def finish_observing(self, recipe: Recipe) -> None:
        """Choose the steps from what was seen.

        Args:
            recipe: Names the candidates.
        """
        self._finish_inputs(recipe)
        sample = torch.cat(self._matrices)
        self._matrices = []
        self.matrix_steps = activation_steps(
            sample, recipe.activation_clip_ratios, signed=self.matrix_signed
        ).tolist()

    def check_calibrated(self) -> None:
        """Check that the layer has steps.

        Raises:
            AccuracyDataError: If it was not calibrated.
        """
        if not self.matrix_steps:
            raise AccuracyDataError("Expected a calibrated network. Call calibrate first.")

    @property
    def float_weight(self) -> Tensor:  # type: ignore[override]
        """None: the matrix is an activation.

        Raises:
            AccuracyDataError: Always.
        """
        _refuse()

    def project_weights(self, knob: str, value: Hashable, make: MakeProjection) -> None:
        """Refuse: there are no weights.

        Raises:
            AccuracyDataError: Always.
        """
        _refuse()

    def change_weights(self, change: Callable[[Tensor], Tensor]) -> None:
        """Refuse: there are no weights.

        Raises:
            AccuracyDataError: Always.
        """
        _refuse()

    def correct_weights(self, correct: Callable[[Tensor], Tensor]) -> None:
        """Refuse: there are no weights.

        Raises:
            AccuracyDataError: Always.
        """
        _refuse()

    def round_weights_by(self, rounding: Callable[[WeightGrids], Tensor]) -> None:
        """Refuse: there are no weights.

        Raises:
            AccuracyDataError: Always.
        """
        _refuse()

    def _use_weights(self, bits: int | None) -> None:
        """Do nothing: the matrix is rounded when it comes."""


def _refuse() -> NoReturn:
    raise AccuracyDataError(
        "Expected a layer with weights for a knob that changes them, got a product of two "
        "activations. Leave the knob out of the design space of a network with attention."
    )
