"""The product of two activations, as a module that can be exchanged."""

import torch
from torch import Tensor, nn


class ActivationProduct(nn.Module):
    """Multiplies what streams in by a matrix that is computed in the same inference.

    Args:
        equation: Of ``einsum``, for the two in this order; empty for a matrix product with
            broadcast leading axes.
    """

    def __init__(self, equation: str = "") -> None:
        super().__init__()
        self.equation = equation

    def forward(self, stream: Tensor, matrix: Tensor) -> Tensor:
        """Multiply.

        Args:
            stream: Shape (..., N, K), or as the equation says.
            matrix: Shape (..., K, M), or as the equation says.

        Returns:
            Shape (..., N, M), or as the equation says.
        """
        if self.equation:
            return torch.einsum(self.equation, stream, matrix)
        return torch.matmul(stream, matrix)

    def extra_repr(self) -> str:
        """Show the equation."""
        return repr(self.equation) if self.equation else ""
