"""Transformers: an image classifier, an encoder and a decoder of language.

Projections are linear layers with a position per token. The products of two activations, Q.K^T and
A.V, are ``matmul`` layers ``qk`` and ``av`` with a group per head; the softmax belongs to ``qk``,
the scale of the scores folds into the query projection. Embeddings are tables in memory and hold
no crossbars. No network has a softmax behind its last layer.
"""

from collections.abc import Sequence

from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.networks.network_builder import NetworkBuilder, Sources
from lrmp.hardware.networks.vector_operations import layer_norm_ops, rms_norm_ops, softmax_ops


def vit_b_32(blocks: int = 12) -> Network:
    """Lay out ViT-B/32 for 224 x 224 images: 49 patches and the class token, width 768, 12 heads.

    Dosovitskiy et al., ICLR 2021; names as in torchvision's ``vit_b_32``, which projects query,
    key and value by one matrix, normalises before each half of a block, and classifies the class
    token alone.

    Args:
        blocks: Encoder blocks.

    Returns:
        Six layers per block, the patch projection before and the head behind them.
    """
    tokens, width, heads, inner = 50, 768, 12, 3072
    elements = tokens * width
    norm = layer_norm_ops(elements, tokens)
    net = NetworkBuilder("vit_b_32").add(
        Layer.conv2d("conv_proj", 3, width, kernel_size=32, input_size=224, stride=32, padding=0),
        vector_ops=elements,  # position embedding
    )
    for block in range(blocks):
        prefix = f"encoder.layers.encoder_layer_{block}"
        net.add_vector_ops(norm)
        stream = net.output
        net.add(Layer.linear(f"{prefix}.self_attention.in_proj", width, 3 * width, tokens))
        projected = (net.output,) * 3
        _add_attention(net, f"{prefix}.self_attention", projected, tokens, width // heads, heads)
        net.add(
            Layer.linear(f"{prefix}.self_attention.out_proj", width, width, tokens),
            vector_ops=elements + norm,
        )
        stream = net.join(net.output, stream).output
        net.add(Layer.linear(f"{prefix}.mlp.0", width, inner, tokens), vector_ops=tokens * inner)
        net.add(Layer.linear(f"{prefix}.mlp.3", inner, width, tokens), vector_ops=elements)
        net.join(net.output, stream)
    net.add_vector_ops(norm)
    return net.add(Layer.linear("heads.head", width, 1000)).build()


def bert_base(tokens: int = 128, blocks: int = 12) -> Network:
    """Lay out BERT-base: width 768, 12 heads, 128 tokens, no padding mask, the pooler on top.

    Devlin et al., NAACL 2019; names as in Hugging Face's ``BertModel``. Adding the three
    embeddings and their layer norm come before the first layer and belong to it.

    Args:
        tokens: Length of the sequence.
        blocks: Encoder blocks.

    Returns:
        Eight layers per block, and the pooler, which reads the first token.
    """
    width, heads, inner = 768, 12, 3072
    elements = tokens * width
    norm = layer_norm_ops(elements, tokens)
    net = NetworkBuilder("bert_base").add_vector_ops(2 * elements + norm)
    for block in range(blocks):
        prefix = f"encoder.layer.{block}"
        stream, projected = net.output, []
        for part in ("query", "key", "value"):
            layer = Layer.linear(f"{prefix}.attention.self.{part}", width, width, tokens)
            projected.append(net.add(layer, reads=stream).output)
        _add_attention(net, f"{prefix}.attention.self", projected, tokens, width // heads, heads)
        net.add(
            Layer.linear(f"{prefix}.attention.output.dense", width, width, tokens),
            vector_ops=elements + norm,
        )
        stream = net.join(net.output, stream).output
        net.add(
            Layer.linear(f"{prefix}.intermediate.dense", width, inner, tokens),
            vector_ops=tokens * inner,
        )
        net.add(
            Layer.linear(f"{prefix}.output.dense", inner, width, tokens),
            vector_ops=elements + norm,
        )
        net.join(net.output, stream)
    return net.add(Layer.linear("pooler.dense", width, width), vector_ops=width).build()


def llama_7b(tokens: int = 128, blocks: int = 32) -> Network:
    """Lay out LLaMA-7B while it reads a prompt of 128 tokens and gives the scores of the next one.

    Touvron et al., arXiv 2302.13971, 2023: width 4096, 32 heads, gated inner layer of 11008,
    32,000 words. Names as in Hugging Face's ``LlamaForCausalLM``; as in the authors' code the last
    layer sees the last token alone. Rotary position embedding costs three operations per element
    of query and key; the causal mask is added to all scores, so the masked half of Q.K^T is
    computed too.

    Args:
        tokens: Length of the prompt.
        blocks: Decoder blocks.

    Returns:
        Nine layers per block, seven of them with weights, and ``lm_head``.
    """
    width, heads, inner = 4096, 32, 11_008
    elements = tokens * width
    norm = rms_norm_ops(elements, tokens)
    net = NetworkBuilder("llama_7b")
    for block in range(blocks):
        prefix = f"model.layers.{block}"
        net.add_vector_ops(norm)
        stream, projected = net.output, []
        for part in ("q", "k", "v"):
            layer = Layer.linear(f"{prefix}.self_attn.{part}_proj", width, width, tokens)
            projected.append(net.add(layer, reads=stream).output)
        net.add_vector_ops(2 * 3 * elements)  # rotary embedding of query and key
        _add_attention(
            net,
            f"{prefix}.self_attn",
            projected,
            tokens,
            width // heads,
            heads,
            mask_ops=heads * tokens**2,
        )
        net.add(
            Layer.linear(f"{prefix}.self_attn.o_proj", width, width, tokens),
            vector_ops=elements + norm,
        )
        stream = net.join(net.output, stream).output
        gate = Layer.linear(f"{prefix}.mlp.gate_proj", width, inner, tokens)
        gated = net.add(gate, vector_ops=gate.outputs).output  # SiLU
        up = Layer.linear(f"{prefix}.mlp.up_proj", width, inner, tokens)
        net.add(up, vector_ops=up.outputs, reads=stream)  # product with the gate
        net.join(gated, net.output)
        net.add(Layer.linear(f"{prefix}.mlp.down_proj", inner, width, tokens), vector_ops=elements)
        net.join(net.output, stream)
    net.add_vector_ops(norm)
    return net.add(Layer.linear("lm_head", width, 32_000)).build()


def _add_attention(
    net: NetworkBuilder,
    prefix: str,
    projected: Sequence[Sources],
    tokens: int,
    head_size: int,
    heads: int,
    mask_ops: int = 0,
) -> None:
    """Add Q.K^T with its softmax, and A.V, of projected queries, keys and values."""
    query, key, value = projected
    scores = Layer.matmul(f"{prefix}.qk", head_size, tokens, tokens, heads=heads)
    net.add(scores, vector_ops=mask_ops + softmax_ops(scores.outputs), reads=query | key)
    weighted = Layer.matmul(f"{prefix}.av", tokens, head_size, tokens, heads=heads)
    net.add(weighted, reads=net.output | value)
