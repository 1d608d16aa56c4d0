"""Operators of onnx2pytorch that hold layers, with these in the open."""

from typing import Any

import torch
from torch import Tensor, nn

from lrmp.accuracy.lab.models.attention import ScaledAttention
from lrmp.accuracy.lab.models.recurrent import RecurrentStack
from lrmp.accuracy.lab.models.transposed import OpenedTransposed, Transposed
from lrmp.errors import AccuracyDataError

#: Attribute of an operator's module: what it is called in the file.
NODE = "lrmp_node"
#: The recurrent operators, and where torch's own module hangs in them.
_RECURRENT = {"LSTMWrapper": "lstm", "GRUWrapper": "gru", "RNNWrapper": "rnn"}
_OF_ATTENTION = ("Q", "K", "V", "attn_mask")


class OpenedAttention(nn.Module):
    """The operator ``Attention`` without a cache of keys.

    Args:
        operator: That of onnx2pytorch.
    """

    def __init__(self, operator: Any) -> None:
        super().__init__()
        self.heads = operator.q_num_heads, operator.kv_num_heads
        self.is_causal, self.scale = operator.is_causal, operator.scale
        self.attention = ScaledAttention()

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Attend.

        Args:
            query: Shape (N, heads, L, D), or (N, L, heads * D).
            key: Shape (N, heads, S, D), or (N, S, heads * D).
            value: As ``key``.
            mask: Added to the scores, or true where they count.

        Returns:
            The outputs of the operator: one, as ``query``.
        """
        flat = query.ndim == 3
        if flat:
            counts = (self.heads[0], self.heads[1], self.heads[1])
            query, key, value = (
                each.reshape(*each.shape[:-1], count, each.shape[-1] // count).transpose(1, 2)
                for each, count in zip((query, key, value), counts, strict=True)
            )
        shared = key.shape[1] != query.shape[1]
        found = self.attention(
            query, key, value, mask, 0.0, self.is_causal, self.scale, enable_gqa=shared
        )
        return (found.transpose(1, 2).flatten(2) if flat else found,)


def open_operator(operator: nn.Module) -> nn.Module:
    """Put the layers of an operator in the open.

    Args:
        operator: A module of onnx2pytorch; it may be changed.

    Returns:
        What computes the same; the operator itself where it holds no layers.

    Raises:
        AccuracyDataError: If it computes what the opened one does not.
    """
    kind = type(operator).__name__
    if kind in _RECURRENT:
        return _open_recurrent(operator, _RECURRENT[kind])
    if kind == "Attention" and type(operator).__module__.startswith("onnx2pytorch."):
        plain = (
            operator.num_outputs == 1
            and not operator.softcap
            and operator.softmax_precision is None
        )
        return OpenedAttention(operator) if plain else operator
    # Its part is the one of torch; what onnx2pytorch has around it crops the outputs.
    return OpenedTransposed(operator) if isinstance(operator, Transposed) else operator


def _open_recurrent(operator: Any, place: str) -> nn.Module:
    if operator.sequence_lens is not None:
        raise AccuracyDataError(
            f"Expected whole sequences, to run a recurrent layer rounded; got lengths of their own "
            f"for {getattr(operator, NODE, place)}. Export it without sequence_lens, or give "
            "--no-accuracy."
        )
    resets_first = place == "gru" and operator.linear_before_reset == 0
    stack = RecurrentStack(getattr(operator, place), reset_first=resets_first)
    setattr(operator, place, stack)
    if resets_first:
        operator.linear_before_reset = 1  # what the stack is given is what it computes
    opened: nn.Module = operator.eval()
    return opened


class OneByOne(nn.Module):
    """A network that was exported for one input, run on every input of a batch by itself.

    Args:
        network: Takes a batch of 1.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> Tensor:
        """Run the network.

        Args:
            inputs: Shape (N, ...).

        Returns:
            What the network gives for each, one after another.
        """
        return torch.cat([self.network(one[None]) for one in inputs])
