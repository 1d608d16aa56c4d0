"""Bits that files are quantised to, in the words of every tool that writes them."""

import gzip
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from lrmp.cli.main import main
from lrmp.errors import DesignError
from lrmp.hardware import PRECISION, CostModel, Layer, Network, load_preset, read_file_bits

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8
QONNX, FINN, BREVITAS, MICROSOFT = (
    "qonnx.custom_op.general",
    "finn.custom_op.general",
    "onnx.brevitas",
    "com.microsoft",
)


def zeros(name, *shape, dtype=np.float32):
    return numpy_helper.from_array(np.zeros(shape, dtype), name)


def number(name, value, dtype=np.float32):
    return numpy_helper.from_array(np.array(value, dtype), name)


def node(kind, inputs, output="y", domain="", **attributes):
    return helper.make_node(
        kind, inputs.split(" "), output.split(), name=kind, domain=domain, **attributes
    )


@pytest.fixture
def save(tmp_path):
    def save(nodes, constants, *, shape=(1, 16), kind=FLOAT, opset=21, annotations=None):
        graph = helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info("x", kind, shape)],
            [helper.make_tensor_value_info("y", FLOAT, None)],
            constants,
        )
        for name, datatype in (annotations or {}).items():
            entry = graph.quantization_annotation.add(tensor_name=name)
            entry.quant_parameter_tensor_names.add(key="finn_datatype", value=datatype)
        domains = (QONNX, FINN, BREVITAS, MICROSOFT)
        opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
        path = tmp_path / "net.onnx"
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
        return path

    return save


def bits(path, **options):
    found = read_file_bits(path, **options).bits
    return list(zip(found["weight_bits"], found["activation_bits"], strict=True))


@pytest.mark.parametrize("domain", [QONNX, BREVITAS, FINN])
def test_quant(domain, save):
    path = save(
        [
            node("Quant", "w s z b4", "wq", domain, signed=1, narrow=1, rounding_mode="ROUND"),
            node("Quant", "x s z b6", "xq", domain, signed=1, narrow=0, rounding_mode="ROUND"),
            node("MatMul", "xq wq", "h"),
            node("Relu", "h", "r"),
            node("Quant", "r s z fraction", "rq", domain, signed=0, narrow=0),
            node("BipolarQuant", "v s", "vq", domain),
            node("MatMul", "rq vq"),
        ],
        [
            zeros("w", 16, 8),
            zeros("v", 8, 4),
            number("s", 1.0),
            number("z", 0.0),
            number("b4", 4.0),
            number("b6", 6.0),
            number("fraction", 2.5),
        ],
    )
    assert bits(path) == [(4, 6), (1, 3)]
    assert Network.from_onnx(path).layers == (
        Layer.linear("w", 16, 8, vector_ops=8),
        Layer.linear("v", 8, 4),
    )


def test_types_of_qdq(save):
    """Weights of 4 bits, inputs of 16, images of 8; what follows an addition has no grid."""
    path = save(
        [
            node("Cast", "x", "image", to=FLOAT),
            node("DequantizeLinear", "w s", "wd"),
            node("MatMul", "image wd", "h"),
            node("QuantizeLinear", "h s z16", "hq"),
            node("DequantizeLinear", "hq s z16", "hd"),
            node("Relu", "hd", "r"),
            node("MatMul", "r v", "g"),
            node("Add", "g r", "sum"),
            node("MatMul", "sum v"),
        ],
        [
            helper.make_tensor("w", TensorProto.INT4, [16, 8], [0] * 128),
            number("s", 1.0),
            number("z16", 0, np.uint16),
            zeros("v", 8, 8),
        ],
        kind=UINT8,
    )
    found = read_file_bits(path)
    assert dict(found.bits) == {"weight_bits": (4, None), "activation_bits": (8, None)}
    assert found.open_layers == {"weight_bits": ["v"], "activation_bits": ["v"]}


def test_fewer_bits_within_a_type(save):
    """Brevitas writes bits that no type has as a clip between integers."""
    path = save(
        [
            node("QuantizeLinear", "x s z", "xq"),
            node("Clip", "xq low high", "xc"),
            node("DequantizeLinear", "xc s z", "xd"),
            node("Clip", "w minus plus", "wc"),
            node("DequantizeLinear", "wc s zw", "wd"),
            node("MatMul", "xd wd"),
        ],
        [
            zeros("w", 16, 8, dtype=np.int8),
            number("s", 1.0),
            number("z", 0, np.uint8),
            number("zw", 0, np.int8),
            number("low", 0, np.uint8),
            number("high", 31, np.uint8),
            number("minus", -3, np.int8),
            number("plus", 3, np.int8),
        ],
    )
    assert bits(path) == [(3, 5)]


def test_annotations_and_thresholds_of_finn(save):
    path = save(
        [
            node("MatMul", "x w", "h"),
            node("MultiThreshold", "h t", "m", FINN, out_dtype="UINT4"),
            node("MatMul", "m v"),
        ],
        [zeros("w", 16, 8), zeros("v", 8, 4), zeros("t", 8, 15)],
        annotations={"w": "BIPOLAR", "x": "INT8", "v": "INT3", "h": "INT32"},
    )
    assert bits(path) == [(1, 8), (3, 4)]
    assert Network.from_onnx(path).layers[0].vector_ops == 8  # the thresholds


def test_matrices_of_few_bits(save):
    attributes = {"K": 16, "N": 8, "bits": 4, "block_size": 16}
    path = save(
        [node("MatMulNBits", "x w s", "y", MICROSOFT, **attributes)],
        [zeros("w", 8, 1, 8, dtype=np.uint8), zeros("s", 8)],
    )
    assert bits(path) == [(4, None)]
    assert Network.from_onnx(path).layers == (Layer.linear("w", 16, 8),)


def test_a_real_file_of_qonnx(tmp_path):
    path = tmp_path / "espcn.onnx"
    stored = Path(__file__).with_name("real_onnx") / "espcn_nn_quant.onnx.gz"
    path.write_bytes(gzip.decompress(stored.read_bytes()))
    # The first and the last layer have 8 bits, those between 4 (Quant operators of the file).
    assert bits(path) == [(8, 8), (4, 4), (4, 4), (8, 8)]


def test_bits_are_a_design(save):
    path = save(
        [node("Quant", "w s z b", "wq", QONNX), node("MatMul", "x wq")],
        [zeros("w", 16, 8), number("s", 1.0), number("z", 0.0), number("b", 1.0)],
    )
    found = read_file_bits(path)
    design = found.design()
    assert design["weight_bits"].tolist() == [1]  # fewer than LRMP's own 2 to 8
    assert design["activation_bits"].tolist() == [8]  # plain: the file has none
    chip = load_preset("isaac_isca_2016")
    assert CostModel(found.network, chip, design.space).evaluate(design).tiles == 1
    plain = save([node("MatMul", "x w")], [zeros("w", 16, 8)])
    with pytest.raises(DesignError, match="net to have quantised layers, got floats alone"):
        read_file_bits(plain).design()
    wide = save(
        [node("Quant", "w s z b", "wq", QONNX), node("MatMul", "x wq")],
        [zeros("w", 16, 8), number("s", 1.0), number("z", 0.0), number("b", 24.0)],
    )
    with pytest.raises(DesignError, match="Expected 1 to 16 bits, got 24"):
        read_file_bits(wide).design()


def test_command_line_takes_them(save, tmp_path, capsys):
    path = save(
        [
            node("Quant", "w s z b", "wq", QONNX),
            node("MatMul", "x wq", "h"),
            node("MatMul", "h v"),
        ],
        [zeros("w", 16, 8), zeros("v", 8, 4), number("s", 1.0), number("z", 0.0), number("b", 4.0)],
    )
    assert main(["hardware", "cost", str(path), "--set", "from-file", "--json"]) == 0
    printed = capsys.readouterr()
    design = json.loads(printed.out)["design"]
    assert (design["weight_bits"], design["activation_bits"]) == ([4, 8], [8, 8])
    assert printed.err == (
        "lrmp: no weight_bits in the file for v; they have 8\n"
        "lrmp: no activation_bits in the file for w, v; they have 8\n"
    )
    # What is printed is a design wherever one is taken.
    (tmp_path / "design.json").write_text(printed.out)
    (tmp_path / "task.toml").write_text(
        'network = "net.onnx"\naccelerator = "pimcomp_2023"\nbudget = 20\n[accuracy]\n'
        'provenance = "made up"\n'
        + "".join(f'{knob} = {{"*" = [6, 5, 4, 3, 2, 1, 0]}}\n' for knob in PRECISION.names)
    )
    task, given = str(tmp_path / "task.toml"), str(tmp_path / "design.json")
    assert main(["evaluate", "--env-id", task, "--design", given, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["design"]["weight_bits"] == [4, 8]
    assert main(["evaluate", "--env-id", task, "--set", "from-file"]) == 2
    assert "take it as --design" in capsys.readouterr().err
    assert main(["hardware", "cost", "lenet", "--set", "from-file"]) == 2
    assert "Expected an ONNX file beside --set from-file, got lenet" in capsys.readouterr().err


def test_command_line_takes_bits_beyond_the_knobs_own(capsys):
    words = ["hardware", "cost", "lenet", "--one-copy", "--json"]
    assert main([*words, "--set", "weight_bits=1", "--set", "activation_bits=16"]) == 0
    assert json.loads(capsys.readouterr().out)["design"]["weight_bits"] == [1] * 4
    assert main([*words, "--set", "weight_bits=17"]) == 2
    assert "Expected 1 to 16 bits, got 17" in capsys.readouterr().err


# -- what ONNX Runtime writes --------------------------------------------------------------


@pytest.fixture(scope="module")
def block(tmp_path_factory):
    """An encoder block of a transformer, and a small residual network, exported by torch."""
    torch = pytest.importorskip("torch")
    from torch import nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v, self.o = (nn.Linear(32, 32) for _ in range(4))
            self.n1, self.n2 = nn.LayerNorm(32), nn.LayerNorm(32)
            self.f1, self.f2 = nn.Linear(32, 64), nn.Linear(64, 32)

        def forward(self, x):
            q, k, v = (
                each(x).view(1, 6, 4, 8).transpose(1, 2) for each in (self.q, self.k, self.v)
            )
            mixed = torch.softmax(q @ k.transpose(-1, -2) / 8**0.5, -1) @ v
            x = self.n1(x + self.o(mixed.transpose(1, 2).reshape(1, 6, 32)))
            return self.n2(x + self.f2(nn.functional.gelu(self.f1(x))))

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
            self.f = nn.Linear(8, 4)

        def forward(self, x):
            x = torch.relu(self.a(x))
            return self.f((torch.relu(self.b(x)) + x).mean((2, 3)))

    folder = tmp_path_factory.mktemp("runtime")
    for name, module, shape in (
        ("block", Block(), (1, 6, 32)),
        ("residual", Residual(), (1, 3, 8, 8)),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module.eval(),
                (torch.zeros(shape),),
                folder / f"{name}.onnx",
                dynamo=False,
                opset_version=17,
                input_names=["x"],
                verbose=False,
            )
    return folder


def sizes(network):
    """Sort layers by what they are: optimisers run them in another order."""
    return sorted(
        (layer.kind, layer.rows, layer.columns, layer.positions, layer.groups, layer.vector_ops)
        for layer in network.layers
    )


def optimised(runtime, path):
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = f"{path}.optimised.onnx"
    options.log_severity_level = 3
    runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return options.optimized_model_filepath


@pytest.mark.parametrize("name", ["block", "residual"])
def test_optimised_files_have_the_layers_of_plain_ones(name, block):
    runtime = pytest.importorskip("onnxruntime")
    path = block / f"{name}.onnx"
    fused = optimised(runtime, path)
    assert "com.microsoft" in {n.domain for n in onnx.load(fused).graph.node}
    assert sizes(Network.from_onnx(fused)) == sizes(Network.from_onnx(path))


@pytest.mark.parametrize("name", ["block", "residual"])
@pytest.mark.parametrize(
    ("form", "expected"), [("QDQ", 8), ("QOperator", 8), ("dynamic", 8), ("int4", 4)]
)
def test_quantised_files_have_the_layers_of_plain_ones(name, form, expected, block):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxruntime.quantization")
    from onnxruntime import quantization as tools

    plain, path = block / f"{name}.onnx", str(block / f"{name}-{form}.onnx")
    (shape,) = (
        [d.dim_value for d in i.type.tensor_type.shape.dim] for i in onnx.load(plain).graph.input
    )
    images = iter([{"x": np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)}])

    class Reader(tools.CalibrationDataReader):
        def get_next(self):
            return next(images, None)

    if form == "dynamic":
        tools.quantize_dynamic(plain, path)
    else:
        tools.quantize_static(
            plain,
            path,
            Reader(),
            quant_format=tools.QuantFormat["QDQ" if form == "int4" else form],
            weight_type=tools.QuantType.QInt4 if form == "int4" else tools.QuantType.QInt8,
        )
    for each in (path, optimised(runtime, path)):
        found = read_file_bits(each)
        assert found.network.macs == Network.from_onnx(plain).macs
        for layer, width in zip(found.network.layers, found.bits["weight_bits"], strict=True):
            assert width == (
                expected if layer.kind != "matmul" else None if form == "dynamic" else 8
            )
