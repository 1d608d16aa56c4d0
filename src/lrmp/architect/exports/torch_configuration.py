"""A design as code that quantises a torch module with Brevitas or torchao.

Neither library has a file format: their configurations are Python. So the design is written as a
short module with the bits by layer and a function that applies them.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from lrmp.architect.exports.policy import check_bits
from lrmp.hardware.space.design import Design
from lrmp.whole_file import write_whole

BREVITAS = '''\
"""Bits of {network}, by layer, for Brevitas: ``model = quantized(model)``, then calibrate or train.

Written by lrmp. Weights are symmetric per output channel, inputs per tensor, of at least 2 bits.
"""

import torch
from brevitas.graph.quantize import layerwise_quantize
from brevitas.nn import QuantConv1d, QuantConv2d, QuantLinear
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerChannelFloat

#: Weight bits and activation bits, by the name of the module.
BITS = {bits}


def quantized(model: torch.nn.Module) -> torch.nn.Module:
    """Exchange the layers for quantised ones; each rounds its weights and its inputs."""
    missing = BITS.keys() - dict(model.named_modules()).keys()
    if missing:
        raise ValueError(f"Expected a model with the layers {{', '.join(sorted(missing))}}.")
    layers = {{
        torch.nn.Conv1d: QuantConv1d,
        torch.nn.Conv2d: QuantConv2d,
        torch.nn.Linear: QuantLinear,
    }}
    modules = dict(model.named_modules())
    if others := [name for name in BITS if not isinstance(modules[name], tuple(layers))]:
        raise ValueError(f"Expected Conv1d, Conv2d and Linear, got {{', '.join(others)}}.")
    options = {{
        "weight_quant": Int8WeightPerChannelFloat,
        "weight_bit_width": lambda module, name: BITS[name][0],
        "input_quant": Int8ActPerTensorFloat,
        "input_bit_width": lambda module, name: BITS[name][1],
        "return_quant_tensor": False,
    }}
    return layerwise_quantize(model, {{kind: (new, options) for kind, new in layers.items()}})
'''
TORCHAO = '''\
"""Weight bits of {network}, by layer, for torchao: ``quantized(model)``.

Written by lrmp. torchao rounds the weights of ``torch.nn.Linear`` alone: convolutions and the bits
of activations are in ``BITS``, and left as they are.
"""

import torch
from torchao.quantization import FqnToConfig, IntxWeightOnlyConfig, quantize_
from torchao.quantization.granularity import PerAxis

#: Weight bits and activation bits, by the name of the module.
BITS = {bits}


def configuration(model: torch.nn.Module) -> FqnToConfig:
    """Return what ``torchao.quantization.quantize_`` takes."""
    modules = dict(model.named_modules())
    found = {{
        name: IntxWeightOnlyConfig(getattr(torch, f"int{{weight}}"), PerAxis(0))
        for name, (weight, _) in BITS.items()
        if isinstance(modules[name], torch.nn.Linear)
    }}
    return FqnToConfig(found)


def quantized(model: torch.nn.Module) -> torch.nn.Module:
    """Round the weights of the linear layers, in place."""
    quantize_(model, configuration(model), filter_fn=None)
    return model
'''


def write_brevitas(design: Design, network: str, layers: Sequence[str], path: Path) -> None:
    """Write the bits for Brevitas.

    Args:
        design: Of bits alone.
        network: Its name.
        layers: Names of the modules, as ``named_modules`` has them.
        path: The file, Python.

    Raises:
        DesignError: If the design has other knobs.
        OSError: If the file cannot be written.
    """
    _write(BREVITAS, design, network, layers, path)


def write_torchao(design: Design, network: str, layers: Sequence[str], path: Path) -> None:
    """Write the bits for torchao.

    Args:
        design: Of bits alone.
        network: Its name.
        layers: Names of the modules, as ``named_modules`` has them.
        path: The file, Python.

    Raises:
        DesignError: If the design has other knobs.
        OSError: If the file cannot be written.
    """
    _write(TORCHAO, design, network, layers, path)


def _write(template: str, design: Design, network: str, layers: Sequence[str], path: Path) -> None:
    check_bits(design)
    pairs = zip(design["weight_bits"].tolist(), design["activation_bits"].tolist(), strict=True)
    # JSON of names and integers is Python, whatever the names hold.
    lines = [f"    {json.dumps(name)}: {pair}," for name, pair in zip(layers, pairs, strict=True)]
    name = "".join(each for each in network if each.isalnum() or each in "._-")
    text = template.format(network=name, bits="{\n" + "\n".join(lines) + "\n}")
    write_whole(path, text)
