"""Block-circulant weights, after ReBoc (Wang et al., DATE 2020).

Input and output channels, those of a group, are cut into blocks of k. At every element of the
kernel the k x k weights between two blocks are circulant: output a reads input b with the weight
``v[(b - a) mod k]``. The nearest such weights have for v the means along the wrapped diagonals, of
the weights that there are: where k does not divide the channels the last block is cut off.

Outputs of a block read the same stored numbers, so they share their steps.
"""

import torch
from torch import Tensor, nn

from lrmp.accuracy.lab.quantization.layers import QuantizedLayer
from lrmp.accuracy.lab.quantization.weight_projection import WeightProjection
from lrmp.hardware.space.block_circulant import side


class CirculantBlocks(WeightProjection):
    """The nearest weights whose blocks are circulant.

    Args:
        weight: Shape (M, C / groups, ...).
        size: k.
        groups: Of channels.
    """

    weights_on: Tensor

    def __init__(self, weight: Tensor, size: int, groups: int = 1) -> None:
        outputs, inputs = weight.shape[0] // groups, weight.shape[1]
        self._size, self._groups = size, groups
        self._room = (-outputs % size, -inputs % size)
        blocks = (outputs + self._room[0]) // size
        within = torch.arange(outputs) // size
        first = blocks * torch.arange(groups)
        places = (first[:, None] + within).flatten()
        super().__init__(weight.new_empty(places.shape, dtype=places.dtype).copy_(places))
        ones = weight.new_ones(weight.shape[:2], dtype=torch.float64)
        self.register_buffer("weights_on", self._diagonals(ones[..., None]).sum(2))

    def vectors(self, weight: Tensor) -> Tensor:
        """Average along the wrapped diagonals.

        Args:
            weight: Shape (M, C / groups, ...).

        Returns:
            v of every block, in double precision, so that means of equal numbers are these numbers:
            shape (groups, blocks of outputs, k, blocks of inputs, elements of the kernel); place d
            is that of the weights from output a to input a + d. 0 where no weight is there.
        """
        by_element = weight.flatten(2) if weight.ndim > 2 else weight[..., None]
        sums = self._diagonals(by_element.double()).sum(2)
        return sums / self.weights_on.clamp(min=1)

    def forward(self, weight: Tensor) -> Tensor:
        """Make the blocks circulant; see the base class."""
        vectors = self.vectors(weight)
        size, groups = self._size, self._groups
        # Rows of every block: v, rotated by a for output a.
        full = torch.stack([vectors.roll(a, 2) for a in range(size)], 2)
        # (groups, blocks, a, b, blocks, elements) -> (groups, outputs, inputs, elements)
        full = full.transpose(3, 4).flatten(3, 4).flatten(1, 2)
        outputs, inputs = weight.shape[0] // groups, weight.shape[1]
        found = full[:, :outputs, :inputs].reshape(weight.shape).to(weight.dtype)
        return torch.empty_like(weight).copy_(found)

    def _diagonals(self, weight: Tensor) -> Tensor:
        """Rotate the rows of every block back, so that a diagonal is a column.

        Args:
            weight: Shape (M, C / groups, elements), filled up with zeros here.

        Returns:
            Shape (groups, blocks of outputs, a, d, blocks of inputs, elements).
        """
        size = self._size
        by_group = weight.reshape(self._groups, -1, *weight.shape[1:])
        filled = nn.functional.pad(by_group, (0, 0, 0, self._room[1], 0, self._room[0]))
        across, along = filled.shape[1] // size, filled.shape[2] // size
        blocks = filled.reshape(len(filled), across, size, along, size, -1).transpose(3, 4)
        return torch.stack([blocks[:, :, a].roll(-a, 2) for a in range(size)], 2)


def make_circulant(layer: QuantizedLayer, block: str) -> None:
    """Make the weights of a layer block-circulant; blocks of one weight are the layer itself.

    Args:
        layer: Calibrated.
        block: Value of the knob, such as ``"4x4"``.

    Raises:
        AccuracyDataError: If the layer is not calibrated, or another knob projects its weights.
    """
    size = side(block)
    if size == 1:
        return
    layer.project_weights(
        "block_size", size, lambda weight: CirculantBlocks(weight, size, layer.groups)
    )
