"""Recurrent networks as layers of one direction each, which is what a crossbar holds."""

from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from lrmp.errors import AccuracyDataError

#: Hidden state, and of an LSTM the cell's.
State = Tensor | tuple[Tensor, Tensor]


class ResetFirstGRU(nn.GRU):
    """A GRU of one layer that resets the hidden state before its product, as ONNX has it.

    Torch's own resets the product.
    """

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Run the sequence.

        Args:
            inputs: Shape (T, N, I).
            state: Shape (1, N, H); None for zeros.

        Returns:
            Hidden states of all steps, shape (T, N, H), and the last.
        """
        size = self.hidden_size
        hidden = inputs.new_zeros(inputs.shape[1], size) if state is None else state[0]
        parameters = dict(self.named_parameters())
        own = parameters["weight_hh_l0"]
        bias = parameters.get("bias_hh_l0", own.new_zeros(len(own)))
        given = nn.functional.linear(
            inputs, parameters["weight_ih_l0"], parameters.get("bias_ih_l0")
        )
        outputs = []
        for step in given:
            gates = step[:, : 2 * size] + nn.functional.linear(
                hidden, own[: 2 * size], bias[: 2 * size]
            )
            reset, update = gates.sigmoid().chunk(2, 1)
            candidate = step[:, 2 * size :] + nn.functional.linear(
                reset * hidden, own[2 * size :], bias[2 * size :]
            )
            hidden = (1 - update) * candidate.tanh() + update * hidden
            outputs.append(hidden)
        return torch.stack(outputs), hidden[None]


class RecurrentStack(nn.Module):
    """What a recurrent module of several layers or directions computes, each a module of its own.

    Args:
        module: Torch's own; its tensors are shared.
        reset_first: Whether a GRU resets the hidden state before its product.
    """

    def __init__(self, module: nn.RNNBase, *, reset_first: bool = False) -> None:
        super().__init__()
        self.first, self.is_lstm = module.batch_first, isinstance(module, nn.LSTM)
        self.num_layers, self.hidden_size = module.num_layers, module.hidden_size
        self.bidirectional, self.batch_first = module.bidirectional, module.batch_first
        self.directions = ("", "_reverse") if module.bidirectional else ("",)
        for layer, direction in product(range(module.num_layers), self.directions):
            ending = f"l{layer}{direction}"
            self.add_module(ending, _one_layer(module, ending, reset_first=reset_first))

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Run the sequence through all layers.

        Args:
            inputs: Shape (T, N, I), or (N, T, I) with ``batch_first``.
            state: Hidden, and of an LSTM cell state, shape (layers * directions, N, H) each; None
                for zeros.

        Returns:
            Outputs of every step, and the last states, as torch's own gives them.
        """
        if not isinstance(inputs, Tensor) or inputs.ndim != 3:
            raise AccuracyDataError(
                "Expected batches of whole sequences for a recurrent layer, got packed ones or a "
                "single one. Pad them, or give --no-accuracy."
            )
        maps = inputs.transpose(0, 1) if self.first else inputs
        last: list[Any] = []
        for layer in range(self.num_layers):
            found = []
            for direction in self.directions:
                own = None if state is None else self._state(state, len(last))
                given = maps.flip(0) if direction else maps
                outputs, after = self.get_submodule(f"l{layer}{direction}")(given, own)
                found.append(outputs.flip(0) if direction else outputs)
                last.append(after)
            maps = torch.cat(found, -1)
        outputs = maps.transpose(0, 1) if self.first else maps
        if self.is_lstm:
            hidden, cell = (torch.cat(each) for each in zip(*last, strict=True))
            return outputs, (hidden, cell)
        return outputs, torch.cat(last)

    def _state(self, state: State, place: int) -> State:
        here = slice(place, place + 1)
        if isinstance(state, Tensor):
            return state[here]
        return state[0][here], state[1][here]


def _one_layer(module: nn.RNNBase, ending: str, *, reset_first: bool) -> nn.RNNBase:
    """Make a module of one layer in one direction, with the tensors of a larger one."""
    weight = getattr(module, f"weight_ih_{ending}")
    kind = ResetFirstGRU if reset_first else type(module)
    options = {"nonlinearity": module.nonlinearity} if isinstance(module, nn.RNN) else {}
    made: nn.RNNBase = kind(
        weight.shape[1], module.hidden_size, bias=module.bias, device="meta", **options
    )
    for part in ("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if module.bias else ())):
        value = getattr(module, f"{part}_{ending}").detach()
        setattr(made, f"{part}_l0", nn.Parameter(value, requires_grad=False))
    return made
