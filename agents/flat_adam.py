"""Adam over all parameters of networks at once."""

import torch
from torch import nn
from torch.optim.adam import adam


def flatten_parameters(*networks: nn.Module) -> nn.Parameter:
    """Lay the parameters of networks side by side, and their gradients, too.

    Args:
        networks: Changed in place: their parameters and gradients become views of the vector's.
            Gradients have to stay there: `FlatAdam.zero_gradients`.

    Returns:
        A vector for optimisers and soft updates; its gradient is there from the start, zero.
    """
    parameters = [parameter for network in networks for parameter in network.parameters()]
    vector = nn.Parameter(nn.utils.parameters_to_vector(parameters).detach())
    vector.grad = torch.zeros_like(vector)
    sizes = [parameter.numel() for parameter in parameters]
    own = torch.split(vector.detach(), sizes), torch.split(vector.grad, sizes)
    for parameter, values, slopes in zip(parameters, *own, strict=True):
        parameter.data = values.view_as(parameter)
        parameter.grad = slopes.view_as(parameter)
    return vector


class FlatAdam(nn.Module):
    """Adam of a vector of parameters, with the defaults of ``torch.optim.Adam``.

    That class imports torch's compiler, which takes longer than a short run, and a step of it on a
    small network spends most of its time on lists of parameters. This one has the arithmetic alone.

    Args:
        vector: From ``flatten_parameters``.
        learning_rate: Of the steps.

    Attributes:
        learning_rate: May be changed between steps.
    """

    mean: torch.Tensor
    square: torch.Tensor
    steps: torch.Tensor

    def __init__(self, vector: nn.Parameter, learning_rate: float) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        # In a list, so that the vector is no parameter of this module.
        self._vector: list[torch.Tensor] = [vector]
        self.register_buffer("mean", torch.zeros_like(vector))
        self.register_buffer("square", torch.zeros_like(vector))
        self.register_buffer("steps", torch.zeros(()))

    def zero_gradients(self) -> None:
        """Zero the gradients, which autograd adds to."""
        (vector,) = self._vector
        assert vector.grad is not None
        vector.grad.zero_()

    @torch.no_grad()
    def step(self) -> None:
        """Change the parameters by their gradients."""
        (vector,) = self._vector
        assert vector.grad is not None
        adam(
            self._vector,
            [vector.grad],
            [self.mean],
            [self.square],
            [],
            [self.steps],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
