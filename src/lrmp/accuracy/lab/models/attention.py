"""Attention whose products are modules: torch's own keep them inside."""

import math

import torch
from torch import Tensor, nn

from lrmp.accuracy.lab.models.activation_product import ActivationProduct
from lrmp.errors import AccuracyDataError


class ScaledAttention(nn.Module):
    """``softmax(Q.K^T * scale + mask).V``, as ``scaled_dot_product_attention`` computes it.

    Attributes:
        qk: Multiplies queries by keys.
        av: Multiplies weights by values.
    """

    def __init__(self) -> None:
        super().__init__()
        self.qk, self.av = ActivationProduct(), ActivationProduct()

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Attend.

        Args:
            query: Shape (..., heads, N, D).
            key: Shape (..., heads, S, D); fewer heads where groups of queries share them.
            value: Shape (..., heads, S, E).
            attn_mask: Added to the scores, or true where they count; None for none.
            dropout_p: Plays no part in evaluation mode.
            is_causal: Whether a query attends to no later key.
            scale: Of the scores; None for one over the root of D.
            enable_gqa: Whether heads of keys and values are shared.

        Returns:
            Shape (..., heads, N, E).
        """
        weights = self.attend(query, key, attn_mask, causal=is_causal, scale=scale)
        if enable_gqa:
            value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
        found: Tensor = self.av(weights, value)
        return found

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        mask: Tensor | None = None,
        *,
        causal: bool = False,
        scale: float | None = None,
    ) -> Tensor:
        """Weigh the values.

        Args:
            query: Shape (..., heads, N, D).
            key: Shape (..., heads, S, D), or of fewer heads.
            mask: Added to the scores, or true where they count.
            causal: Whether a query attends to no later key.
            scale: Of the scores; None for one over the root of D.

        Returns:
            Shares of one, shape (..., heads, N, S).
        """
        if key.ndim > 2 and key.shape[-3] != query.shape[-3]:
            key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
        # The scale goes into the query, as the cost model has it.
        scores: Tensor = self.qk(query * scale, key.transpose(-2, -1))
        if causal:
            later = torch.ones_like(scores, dtype=torch.bool).triu(1)
            scores = scores.masked_fill(later, -math.inf)
        if mask is not None:
            if mask.dtype == torch.bool:
                scores = scores.masked_fill(~mask, -math.inf)
            else:
                scores = scores + mask
        return scores.softmax(-1)


class OpenedMultihead(nn.Module):
    """What ``nn.MultiheadAttention`` computes in evaluation mode, with its layers in the open.

    Args:
        module: Torch's own; its tensors are shared.
        packed: Whether queries, keys and values are projected from one tensor, by one layer of
            three times as many columns; else by three.

    Raises:
        AccuracyDataError: If the module appends keys of its own.
    """

    def __init__(self, module: nn.MultiheadAttention, *, packed: bool) -> None:
        super().__init__()
        if module.bias_k is not None or module.add_zero_attn:
            raise AccuracyDataError(
                "Expected attention to the keys that it is given, got nn.MultiheadAttention with "
                "add_bias_kv or add_zero_attn. Write it without, or give --no-accuracy."
            )
        self.heads, self.first = module.num_heads, module.batch_first
        # Torch's encoders look at these, and go round modules of their own kind.
        self.batch_first = self._qkv_same_embed_dim = False
        weight, bias = module.in_proj_weight, module.in_proj_bias
        self.packed = packed
        if packed:
            assert weight is not None
            self.in_proj = nn.ModuleList([_linear(weight, bias)])
        else:
            weights = (
                (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
                if weight is None
                else weight.chunk(3)
            )
            biases = (None, None, None) if bias is None else bias.chunk(3)
            self.in_proj = nn.ModuleList(map(_linear, weights, biases))
        self.attention = ScaledAttention()
        self.out_proj = _linear(module.out_proj.weight, module.out_proj.bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Args:
            query: Shape (L, N, E), or (N, L, E) with ``batch_first``.
            key: Shape (S, N, E), or (N, S, E).
            value: As ``key``.
            key_padding_mask: Added to the scores of keys, or true where they do not count, shape
                (N, S).
            need_weights: Whether the weights are returned.
            attn_mask: Added to the scores, or true where they do not count, shape (L, S) or
                (N * heads, L, S).
            average_attn_weights: Whether the mean over heads is.
            is_causal: That the mask is causal; it is given all the same.

        Returns:
            As ``query``; and weights, or None.
        """
        if self.packed:
            projected = self.in_proj[0](query).chunk(3, -1)
        else:
            given = query, key, value
            projected = [layer(each) for layer, each in zip(self.in_proj, given, strict=True)]
        q, k, v = map(self._split, projected)
        mask = _added(attn_mask, q)
        if mask is not None and mask.ndim == 3:
            mask = mask.view(-1, self.heads, *mask.shape[1:])
        padding = _added(key_padding_mask, q)
        if padding is not None:
            padding = padding[:, None, None]
            mask = padding if mask is None else mask + padding
        weights = self.attention.attend(q, k, mask)
        heads: Tensor = self.attention.av(weights, v)
        outputs = heads.transpose(1, 2).flatten(2)  # (N, L, E)
        outputs = self.out_proj(outputs if self.first else outputs.transpose(0, 1))
        if not need_weights:
            return outputs, None
        return outputs, weights.mean(1) if average_attn_weights else weights

    def _split(self, projected: Tensor) -> Tensor:
        """Part the heads: shape (N, heads, L, E / heads)."""
        batch_first = projected if self.first else projected.transpose(0, 1)
        size = batch_first.shape[-1] // self.heads
        return batch_first.reshape(*batch_first.shape[:-1], self.heads, size).transpose(1, 2)


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """Make a layer of tensors that another module has."""
    made = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    made.weight = nn.Parameter(weight.detach(), requires_grad=False)
    if bias is not None:
        made.bias = nn.Parameter(bias.detach(), requires_grad=False)
    return made


def _added(mask: Tensor | None, like: Tensor) -> Tensor | None:
    """Turn a mask that is true where nothing counts into what is added to scores."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    return like.new_zeros(mask.shape).masked_fill(mask, -math.inf)
