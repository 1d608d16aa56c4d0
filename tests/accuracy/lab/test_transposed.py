"""Transposed convolutions, and convolutions of three dimensions: exact, and rounded."""

import itertools
import warnings
from importlib.util import find_spec

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from lrmp.accuracy.lab.evaluator import NetworkEvaluator  # noqa: E402
from lrmp.accuracy.lab.examples import Examples  # noqa: E402
from lrmp.accuracy.lab.models.transposed import OpenedTransposed  # noqa: E402
from lrmp.accuracy.lab.quantization.quantized import quantized  # noqa: E402
from lrmp.accuracy.lab.quantization.row_groups import unfold_rows  # noqa: E402
from lrmp.accuracy.lab.subject import Subject  # noqa: E402
from lrmp.errors import AccuracyDataError  # noqa: E402
from lrmp.hardware import Design, Network  # noqa: E402

KINDS = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def drawn(module, seed=0):
    """Give every weight a value of its own."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.4)
    return module.eval()


def maps(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


GEOMETRIES = [
    (kernel, step, padding, rest, groups, gap)
    for kernel, step, padding, rest, groups, gap in itertools.product(
        (1, 2, 3), (1, 2, 3), (0, 1), (0, 1), (1, 2), (1, 2)
    )
    if rest < max(step, gap) and padding <= gap * (kernel - 1)
]


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_it_computes_what_torch_does(axes):
    """Products of one position, and their overlap, at full precision."""
    places = [5, 4, 3][:axes]
    for kernel, step, padding, rest, groups, gap in GEOMETRIES:
        given = 4, 6, kernel, step, padding, rest, groups, groups == 1, gap
        module = drawn(KINDS[axes - 1](*given)).double()
        opened, inputs = OpenedTransposed(module), maps(2, 4, *places).double()
        with torch.no_grad():
            expected = module(inputs)
            assert torch.allclose(opened(inputs), expected, rtol=0, atol=1e-13)
            assert torch.allclose(opened(inputs[0]), expected[0], rtol=0, atol=1e-13)
            if step > 1:
                size = [each + (rest == 0) for each in expected.shape[2:]]
                wanted = module(inputs, output_size=size)
                assert torch.allclose(opened(inputs, output_size=size), wanted, atol=1e-13)
    with pytest.raises(
        AccuracyDataError, match=r"Expected an output_size that .* a step more give"
    ):
        opened(inputs, output_size=[100] * axes)


class Grows(nn.Module):
    """A small network of each kind, whose layers the costs have by name."""

    def __init__(self, axes):
        super().__init__()
        plain = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
        norm = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[axes - 1]
        self.down = plain(2, 6, 3, stride=2, padding=1)
        self.norm = norm(6)
        self.up = KINDS[axes - 1](6, 4, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.last = plain(4, 3, 2)

    def forward(self, x):
        x = torch.relu(self.norm(self.down(x)))
        return self.last(torch.relu(self.up(x))).flatten(2).mean(2)


SIZES = {1: (2, 8), 2: (2, 8, 6), 3: (2, 6, 4, 4)}


def evaluator_of(axes):
    module = drawn(Grows(axes))
    module.norm.running_mean.fill_(0.1)
    images = maps(40, *SIZES[axes]).numpy()
    layout = Network.from_torch(module, torch.zeros(1, *SIZES[axes]), name="grows")
    subject = Subject(
        "grows",
        module,
        Examples(images[:8]),
        Examples(images[8:], np.arange(32) % 3),
        layout=layout,
    )
    return module, NetworkEvaluator(subject), torch.from_numpy(images), layout


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_every_matrix_is_rounded(axes):
    module, evaluator, images, layout = evaluator_of(axes)
    network = evaluator.network
    assert list(network.layers) == ["down", "up", "last"]
    kernel = 3**axes
    # Half of 6 inputs give half of 4 outputs, with all of the kernel: as the cost model has it.
    up = network.layers["up"]
    assert tuple(up.float_weight.shape[:2]) == (4 * kernel, 3)
    assert [(layer.rows, layer.columns) for layer in layout.layers][1] == (3, 4 * kernel)
    network.set_float()
    with torch.inference_mode():
        expected = module(images)
        assert torch.allclose(network(images), expected, atol=1e-5)
        fine = design(8, 8)
        coarse = design(2, 8)
        network.set_design(fine)
        lost = float((network(images) - expected).abs().mean() / expected.std())
        network.set_design(coarse)
        lost_more = float((network(images) - expected).abs().mean() / expected.std())
    assert 0 < lost < 0.05
    assert lost_more > 4 * lost
    assert len(network.stages()) > 1  # it can be cut, so what is alike runs once


def design(weights, inputs):
    return Design.from_json(
        {"weight_bits": [weights] * 3, "activation_bits": [inputs] * 3, "replication": [1] * 3}
    )


def test_weights_are_rounded_by_column_of_the_crossbar():
    """Each element of a kernel has a step of its own: 8 bits of columns of very unlike size."""
    module = nn.ConvTranspose2d(3, 1, (1, 2), bias=False)
    with torch.no_grad():
        module.weight[..., 0] = torch.tensor([1.0, -0.5, 0.25])[:, None, None]
        module.weight[..., 1] = torch.tensor([1e-4, -5e-5, 2.5e-5])[:, None, None]
    opened = OpenedTransposed(module)
    layer = quantized(opened.product)
    layer.start_observing()
    with torch.no_grad():
        layer(maps(8, 3, 2, 2))
        from lrmp.accuracy.lab.quantization.recipe import load_recipe

        layer.finish_observing(load_recipe("ptq-1"))
        layer.round_weights(8)
    rounded = layer.module.weight.flatten(1)
    assert torch.allclose(rounded, opened.product.weight.flatten(1), rtol=0.02, atol=0)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_rows_of_every_position(axes):
    """Unfolded rows times the weights are the convolution, whatever its dimensions."""
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
    module = drawn(kind(4, 6, 3, stride=2, padding=1, dilation=2, groups=2, bias=False))
    inputs = maps(3, 4, *[9, 8, 7][:axes])
    rows, places = unfold_rows(module, inputs)
    weight = module.weight.flatten(1).unflatten(0, (2, -1))
    outputs = (weight @ rows).flatten(1, 2).unflatten(2, places)
    assert torch.allclose(outputs, module(inputs), atol=1e-5)


needs_onnx2pytorch = pytest.mark.skipif(
    find_spec("onnx2pytorch") is None or find_spec("onnxscript") is None,
    reason="runs ONNX files with onnx2pytorch",
)


@pytest.mark.long
@needs_onnx2pytorch
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_onnx_files_run_with_every_matrix_in_the_open(axes, tmp_path):
    from lrmp.accuracy.lab.models.onnx_module import module_from_onnx

    module = drawn(Grows(axes))
    path = tmp_path / "grows.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (torch.zeros(1, *SIZES[axes]),), path, dynamo=True, verbose=False)
    layers = Network.from_onnx(path).layers
    images = maps(4, *SIZES[axes])
    found = module_from_onnx(path, layers, images)
    with torch.inference_mode():
        assert torch.allclose(found(images), module(images), atol=1e-5)


@needs_onnx2pytorch
@pytest.mark.parametrize(
    ("attributes", "places"),
    [
        ({"strides": [2, 2]}, (8, 8)),
        ({"strides": [2, 2], "pads": [0, 1, 1, 0]}, (8, 8)),
        ({"strides": [3, 2], "output_padding": [1, 0], "dilations": [1, 2]}, (4, 5)),
        ({"strides": [2, 2], "auto_pad": "SAME_UPPER"}, (4, 4)),
        ({"strides": [2, 2], "auto_pad": "SAME_LOWER"}, (4, 4)),
        ({"strides": [2, 2], "output_shape": [9, 8]}, (4, 4)),
        ({"strides": [1, 1], "group": 2}, (4, 4)),
    ],
)
def test_onnx_knows_other_paddings(attributes, places, tmp_path):
    """Beside onnxruntime."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    from lrmp.accuracy.lab.models.onnx_module import module_from_onnx

    helper, rng = onnx.helper, np.random.default_rng(0)
    weight = rng.normal(size=(4, 3, 3, 2)).astype(np.float32)
    nodes = [
        helper.make_node("ConvTranspose", ["x", "w"], ["u"], name="grow", **attributes),
        helper.make_node("GlobalAveragePool", ["u"], ["y"]),
        helper.make_node("Add", ["y", "u"], ["z"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, (1, 4, *places))],
        [helper.make_tensor_value_info("z", 1, None)],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    path = tmp_path / "up.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    inputs = maps(2, 4, *places)
    found = module_from_onnx(path, Network.from_onnx(path).layers, inputs)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = np.concatenate([session.run(None, {"x": one[None].numpy()})[0] for one in inputs])
    with torch.inference_mode():
        assert np.allclose(found(inputs).numpy(), expected, atol=1e-5)
