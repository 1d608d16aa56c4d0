"""Count the multiply-accumulates of an ONNX file by running it in ONNX Runtime, and strip it.

    pip install onnxruntime
    python count_macs.py FILE.onnx NAME=1,3,224,224 NAME=1:int64=16000 ... [--strip OUT.onnx]

The shapes come from ONNX Runtime's own profile of the run, operator by operator, with all of its
optimisations off; nothing of lrmp is used. Quantisers of QONNX, which it does not have, are
replaced by Identity. ``--strip`` writes the graph without the values of its weights.
"""

import argparse
import json
import sys
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
#: Constants that may be shapes stay.
FEW = 64


def run(model, feeds, folder):
    """Run once and return the events of the operators."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_profiling = True
    options.profile_file_prefix = str(Path(folder) / "profile")
    options.log_severity_level = 3
    data = model.SerializeToString()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    session.run(None, feeds)
    events = json.loads(Path(session.end_profiling()).read_text())
    return [e for e in events if e["cat"] == "Node" and e["name"].endswith("_kernel_time")]


def shapes(entry):
    """Give the shapes of tensors: [{"float": [1, 3]}, ...]."""
    return [next(iter(each.values())) for each in entry]


def macs(event, attributes):
    """Count one operator by the shapes that it had."""
    kind = event["args"]["op_name"]
    ins, outs = (
        shapes(event["args"]["input_type_shape"]),
        shapes(event["args"]["output_type_shape"]),
    )
    if kind == "Conv":
        return prod(outs[0]) * prod(ins[1][1:])
    if kind == "ConvTranspose":
        return prod(ins[0]) * prod(ins[1][1:])
    if kind == "MatMul":
        return prod(outs[0]) * ins[0][-1]
    if kind == "Gemm":
        side = ins[0][0] if attributes.get("transA") else ins[0][1]
        return prod(outs[0]) * side
    if kind in GATES:  # its weights are packed, so they are not in the profile
        steps, directions, batch, hidden = outs[0]
        return steps * batch * directions * GATES[kind] * hidden * (ins[0][2] + hidden)
    return 0


def attributes_of(graph, found):
    for node in graph.node:
        found[node.name] = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        for a in node.attribute:
            if a.type == onnx.AttributeProto.GRAPH:
                attributes_of(a.g, found)
    return found


def plain(model):
    """Give every operator a name, and replace quantisers."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{number}"
        if node.op_type in ("Quant", "BipolarQuant"):
            node.op_type, node.domain = "Identity", ""
            del node.input[1:], node.attribute[:]
    return model


def strip(graph):
    """Remove the values of weights, in subgraphs and constants, too."""
    tensors = list(graph.initializer)
    for node in graph.node:
        for a in node.attribute:
            if a.type == onnx.AttributeProto.GRAPH:
                strip(a.g)
            elif a.type == onnx.AttributeProto.TENSOR:
                tensors.append(a.t)
    for tensor in tensors:
        if prod(tensor.dims) > FEW:
            for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data"):
                tensor.ClearField(field)
    del graph.value_info[:]


def feed(word):
    name, _, rest = word.partition("=")
    rest, _, value = rest.partition("=")
    sizes, _, dtype = rest.partition(":")
    shape = [int(size) for size in sizes.split(",") if size]
    return name, np.full(shape, float(value or 0.5)).astype(dtype or "float32")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("inputs", nargs="*")
    parser.add_argument("--strip", type=Path)
    options = parser.parse_args()
    model = onnx.load(options.file)
    ready = plain(model)
    with TemporaryDirectory() as folder:
        events = run(ready, dict(map(feed, options.inputs)), folder)
    known = attributes_of(ready.graph, {})
    total = sum(
        macs(event, known.get(event["name"].removesuffix("_kernel_time"), {})) for event in events
    )
    print(total)
    if options.strip:
        strip(model.graph)
        model.doc_string = model.graph.doc_string = ""
        for node in model.graph.node:
            node.doc_string = ""
        onnx.save(model, options.strip)
        print(options.strip.stat().st_size, "bytes", file=sys.stderr)


main()
