"""Recurrent layers that round their weights and inputs."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrmp.accuracy.lab.models.recurrent import ResetFirstGRU, State
from lrmp.accuracy.lab.quantization.layers import QuantizedLayer
from lrmp.errors import AccuracyDataError


class QuantizedRecurrent(QuantizedLayer):
    """An LSTM, GRU or plain recurrent layer of one direction that rounds input and state alike.

    A crossbar holds the matrix [W_ih W_hh] of a layer: its rows read the input and the hidden
    state, so the two share one activation width and one step, and its columns, H for every gate,
    have a weight step each. Gates and states stay in float. Biases are not corrected.

    Args:
        module: The float layer; it is never changed.

    Raises:
        AccuracyDataError: If it is bidirectional, has projections, or more than one layer.
    """

    def __init__(self, module: nn.RNNBase) -> None:
        super().__init__()
        if module.bidirectional or module.proj_size or module.num_layers != 1:
            raise AccuracyDataError(
                f"Expected an {module.mode.partition('_')[0]} of one layer, one direction and no "
                f"projection, got {module.num_layers} layers, bidirectional "
                f"{module.bidirectional}, projection {module.proj_size}. Stack one-layer LSTMs "
                "instead."
            )
        self.batch_first, self.kind = module.batch_first, module.mode
        self.resets_first = isinstance(module, ResetFirstGRU)
        parameters = {name: value.detach() for name, value in module.named_parameters()}
        self.float_weight = torch.cat([parameters["weight_ih_l0"], parameters["weight_hh_l0"]], 1)
        zero = self.float_weight.new_zeros(len(self.float_weight))
        self.bias = parameters["bias_ih_l0"] if module.bias else zero
        self.hidden_bias = parameters["bias_hh_l0"] if module.bias else zero
        if self.kind != "GRU":  # elsewhere the two are simply added
            self.bias, self.hidden_bias = self.bias + self.hidden_bias, zero
        self.input_size, self.hidden_size = module.input_size, module.hidden_size
        self._weight = self.float_weight

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Run the sequence step by step.

        Args:
            inputs: Shape (T, N, I), or (N, T, I) with ``batch_first``.
            state: Hidden and, of an LSTM, cell state, shape (1, N, H) each; None for zeros.

        Returns:
            Outputs of every step, and the last states, as torch's own gives them.
        """
        steps = inputs.transpose(0, 1) if self.batch_first else inputs
        zero = inputs.new_zeros(steps.shape[1], self.hidden_size)
        hidden, cell = zero, zero
        if isinstance(state, Tensor):
            hidden = state[0]
        elif state is not None:
            hidden, cell = state[0][0], state[1][0]
        # The part of the input does not wait for the state: one product for all steps.
        rounded = self._quantize_input(steps)
        from_inputs = F.linear(rounded, self._weight[:, : self.input_size], self.bias)
        outputs = []
        for step in from_inputs:
            if self.kind == "LSTM":
                gates = self._change_outputs(step + self._of_hidden(hidden))
                entry, forget, candidate, out = gates.chunk(4, 1)
                cell = forget.sigmoid() * cell + entry.sigmoid() * candidate.tanh()
                hidden = out.sigmoid() * cell.tanh()
            elif self.kind == "GRU":
                hidden = self._gru(step, hidden)
            else:
                total = self._change_outputs(step + self._of_hidden(hidden))
                hidden = total.tanh() if self.kind == "RNN_TANH" else total.relu()
            outputs.append(hidden)
        stacked = torch.stack(outputs)
        if self.mode == "observe":
            self._observe(torch.cat([steps.flatten(), stacked.flatten()]))
        if self.batch_first:
            stacked = stacked.transpose(0, 1)
        return stacked, (hidden[None], cell[None]) if self.kind == "LSTM" else hidden[None]

    def _of_hidden(self, hidden: Tensor, rows: slice = slice(None)) -> Tensor:
        """Multiply the rounded hidden state by its part of the matrix, or of some of its gates."""
        rounded = self._quantize_input(hidden)
        return F.linear(rounded, self._weight[rows, self.input_size :])

    def _gru(self, step: Tensor, hidden: Tensor) -> Tensor:
        """Step on; the part of the input and that of the hidden state meet in three gates."""
        size = self.hidden_size
        gates, candidate = slice(2 * size), slice(2 * size, None)
        if self.resets_first:
            sums = step[:, gates] + self._of_hidden(hidden, gates) + self.hidden_bias[gates]
            reset, update = self._change_outputs(sums).sigmoid().chunk(2, 1)
            new = self._of_hidden(reset * hidden, candidate) + self.hidden_bias[candidate]
            new = self._change_outputs(step[:, candidate] + new)
        else:
            sums = self._of_hidden(hidden) + self.hidden_bias
            both = torch.cat([step[:, gates] + sums[:, gates], sums[:, candidate]], 1)
            changed = self._change_outputs(both)
            reset, update = changed[:, gates].sigmoid().chunk(2, 1)
            new = step[:, candidate] + reset * changed[:, candidate]
        return (1 - update) * new.tanh() + update * hidden

    def _use_weights(self, bits: int | None) -> None:
        weight, grids = self.float_weight, self.grids
        if grids is not None and self._rounding is not None:
            weight = self._rounding(grids)
        elif grids is not None:
            weight = grids.weight if bits is None else grids.rounded(bits).data
        self._weight = self._changed(weight)
