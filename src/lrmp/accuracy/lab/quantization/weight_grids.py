"""The weights of a layer on the grids of all bit widths."""

import torch
from torch import Tensor, nn

from lrmp.accuracy.lab.quantization.integer_product import (
    IntegerConvolution,
    IntegerLinear,
    multiply_integers,
)
from lrmp.accuracy.lab.quantization.recipe import Recipe
from lrmp.accuracy.lab.quantization.steps import quantize_weight, weight_range, weight_steps
from lrmp.accuracy.lab.quantization.weight_projection import WeightProjection
from lrmp.accuracy.model.bit_widths import BIT_WIDTHS, MIN_BITS


class WeightGrids:
    """What the weights of a layer are rounded to, at every width; as they are, or projected.

    They are projected before steps are chosen, so that these fit what is left; and the mean error
    of that counts as that of rounding.

    Args:
        weight: In float, shape (M, ...).
        recipe: Names the candidates.
        mean_patches: What every weight is multiplied by on average, shape of the weights; None
            where biases are not corrected.
        projection: What a knob makes of them; None for nothing.

    Attributes:
        projection: As given.
        steps: Shape (7, M) for bits 2..8.
        bias_corrections: Shape (7, M), added to the bias; None without patches.
    """

    def __init__(
        self,
        weight: Tensor,
        recipe: Recipe,
        mean_patches: Tensor | None,
        projection: WeightProjection | None,
    ) -> None:
        self._weight, self.projection = weight, projection
        self._rounded: dict[int, nn.Parameter] = {}
        self._in_integers: dict[int, IntegerConvolution | IntegerLinear] = {}
        if projection is None:
            self.steps = weight_steps(weight, recipe.weight_clip_ratios)
        else:
            shared = projection.gather_shared(self.weight)
            steps = weight_steps(shared, recipe.weight_clip_ratios)
            self.steps = projection.spread_steps(steps)
        self.bias_corrections: Tensor | None = None
        if mean_patches is not None:
            errors = (weight - self.rounded(bits) for bits in BIT_WIDTHS)
            corrections = [(error * mean_patches).flatten(1).sum(1) for error in errors]
            self.bias_corrections = torch.stack(corrections)

    @property
    def weight(self) -> Tensor:
        """The weights in float, projected."""
        if self.projection is None:
            return self._weight
        projected: Tensor = self.projection(self._weight)
        return projected

    def rounded(self, bits: int) -> nn.Parameter:
        """Return the weights as multiples of their steps; computed once.

        Args:
            bits: 2..8.

        Returns:
            Shape of the weights.
        """
        if bits not in self._rounded:
            found = quantize_weight(self.weight, self.steps[bits - MIN_BITS], bits)
            self._rounded[bits] = nn.Parameter(found, requires_grad=False)
        return self._rounded[bits]

    def in_integers(
        self, bits: int, module: nn.Conv2d | nn.Linear
    ) -> IntegerConvolution | IntegerLinear:
        """Return what multiplies integers by the rounded weights; built once.

        Args:
            bits: 2..8.
            module: Of the weights; a convolution gives stride, padding, dilation and groups.

        Returns:
            What computes the layer.
        """
        if bits not in self._in_integers:
            weight, steps = self.rounded(bits), self.steps[bits - MIN_BITS]
            self._in_integers[bits] = multiply_integers(module, weight, steps)
        return self._in_integers[bits]

    def find_steps(self, weight: Tensor) -> Tensor | None:
        """Find steps that other weights are signed bytes of: blocks' or pruned ones, for example.

        Args:
            weight: Shape of the weights.

        Returns:
            Shape (M,), those of a width divided so that a byte holds them; None where none fit.
        """
        for bits in BIT_WIDTHS:
            # Multiples of the steps themselves are multiples of these, and a byte holds them, too.
            steps = self.steps[bits - MIN_BITS] * 2.0 ** (bits - BIT_WIDTHS[-1])
            # Most that do not fit show it in their first output.
            if _are_bytes(weight[:1], steps[:1]) and _are_bytes(weight, steps):
                return steps
        return None

    def forget_rounded(self) -> None:
        """Free what can be computed again; steps and corrections stay."""
        self._rounded.clear()
        self._in_integers.clear()


def _are_bytes(weight: Tensor, steps: Tensor) -> bool:
    """Say whether weights, shape (M, ...), are signed bytes times steps, shape (M,), to the bit."""
    column = steps.view(-1, *[1] * (weight.ndim - 1))
    whole = (weight / column).round_()
    return bool((whole.abs() <= weight_range(BIT_WIDTHS[-1])[1]).all()) and torch.equal(
        whole.mul_(column), weight
    )
