"""ONNX files as torch modules: they compute what the file does, layer names and all."""

from importlib.util import find_spec

import numpy as np
import pytest

from lrmp.errors import AccuracyDataError
from lrmp.hardware import Network

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
if find_spec("onnx2pytorch") is None:
    pytest.skip("runs ONNX files with onnx2pytorch", allow_module_level=True)
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from lrmp.accuracy.lab.models.onnx_module import module_from_onnx  # noqa: E402
from lrmp.accuracy.lab.models.staged import layer_modules  # noqa: E402
from lrmp.accuracy.lab.models.traced import trace_stages  # noqa: E402

RNG = np.random.default_rng(0)
WEIGHTS = {
    "stem.weight": RNG.normal(size=(4, 1, 3, 3)),
    "wide.weight": RNG.normal(size=(4, 4, 1, 1)),
    "head.weight": RNG.normal(size=(10, 64)),
    "head.bias": RNG.normal(size=10),
}
SHAPE = np.array([1, 64])


def write(path, nodes, batch=1, opset=17, extra=()):
    kept = [numpy_helper.from_array(v.astype(np.float32), name) for name, v in WEIGHTS.items()]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 10])],
        [*kept, numpy_helper.from_array(SHAPE, "shape"), *extra],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def residual(tail=()):
    """A shortcut, a pooling with an unread second output, and a reshape to one row."""
    return [
        helper.make_node("Conv", ["x", "stem.weight"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "wide.weight"], ["c"]),
        helper.make_node("Add", ["b", "c"], ["d"]),
        helper.make_node("MaxPool", ["d"], ["e"], kernel_shape=[2, 2], strides=[2, 2]),
        *tail,
        helper.make_node("Reshape", ["e", "shape"], ["f"]),
        helper.make_node("Gemm", ["f", "head.weight", "head.bias"], ["y"], transB=1),
    ]


def build(path, images):
    network = Network.from_onnx(path)
    return network, module_from_onnx(path, network.layers, torch.from_numpy(images))


@pytest.fixture
def images():
    return np.random.default_rng(1).normal(size=(5, 1, 8, 8)).astype(np.float32)


def test_a_file_for_one_image_computes_batches(tmp_path, images):
    path = write(tmp_path / "net.onnx", residual())
    network, module = build(path, images)
    with torch.inference_mode():
        found = module(torch.from_numpy(images)).numpy()
    reference = ReferenceEvaluator(str(path))
    expected = np.concatenate([reference.run(None, {"x": one[None]})[0] for one in images])
    np.testing.assert_allclose(found, expected, atol=1e-3)
    names = [layer.name for layer in network.layers]
    assert names == ["stem", "wide", "head"]
    modules = layer_modules(module)
    assert list(modules) == names
    assert [type(modules[name]).__name__ for name in names] == ["Conv2d", "Conv2d", "Linear"]


def test_it_runs_in_stages_so_that_what_is_alike_runs_once(tmp_path, images):
    path = write(tmp_path / "net.onnx", residual(), opset=13)
    _, module = build(path, images)
    stages = trace_stages(module, torch.from_numpy(images))
    assert len(stages.graphs) == 3
    maps = torch.from_numpy(images)
    with torch.inference_mode():
        for stage in stages.of(module):
            maps = stage(maps)
        assert torch.equal(maps, module(torch.from_numpy(images)))


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            helper.make_node("Gelu", ["e"], ["g"], name="act", domain="com.microsoft"),
            "Expected operators of ONNX itself in .*; got com.microsoft.Gelu at 'act'",
        ),
        (helper.make_node("Mystery", ["e"], ["g"], name="act"), r"Mystery at 'act'"),
    ],
)
def test_an_operator_that_is_not_known_is_named(tmp_path, images, node, message):
    nodes = residual((node,))
    nodes[-2].input[0] = "g"
    plain = Network.from_onnx(write(tmp_path / "plain.onnx", residual()))
    path = write(tmp_path / "net.onnx", nodes)
    with pytest.raises(AccuracyDataError, match=message):
        module_from_onnx(path, plain.layers, torch.from_numpy(images))


def test_layers_that_are_not_those_of_the_costs_are_refused(tmp_path, images):
    path = write(tmp_path / "net.onnx", residual())
    layers = Network.from_onnx(path).layers
    with pytest.raises(AccuracyDataError, match=r"to run as 2 layers, stem, wide, as .*got 3"):
        module_from_onnx(path, layers[:2], torch.from_numpy(images))


def test_answers_that_depend_on_the_batch_are_refused(tmp_path, images):
    mean = helper.make_node("ReduceMean", ["e"], ["m"], axes=[0], keepdims=1)
    centred = helper.make_node("Sub", ["e", "m"], ["g"])
    nodes = residual((mean, centred))
    nodes[-2].input[0] = "g"
    path = write(tmp_path / "net.onnx", nodes)
    with pytest.raises(AccuracyDataError, match="answers that depend on the others of a batch"):
        build(path, images)


def test_images_of_another_size_are_one_error(tmp_path, images):
    path = write(tmp_path / "net.onnx", residual())
    network = Network.from_onnx(path)
    with pytest.raises(AccuracyDataError, match=r"to take inputs of shape \(5, 1, 8, 6\)"):
        module_from_onnx(path, network.layers, torch.from_numpy(images[..., :6].copy()))


def test_a_damaged_file_is_one_error(tmp_path, images):
    path = write(tmp_path / "net.onnx", residual())
    layers = Network.from_onnx(path).layers
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(AccuracyDataError, match="to be a whole ONNX file with its weights"):
        module_from_onnx(path, layers, torch.from_numpy(images))


def test_torchvision_is_left_as_it_was(tmp_path, images):
    """It is not needed, and what stands in for it while onnx2pytorch is imported goes again."""
    import sys

    write(tmp_path / "net.onnx", residual())
    build(tmp_path / "net.onnx", images)
    module = sys.modules.get("torchvision")
    assert module is None or module.__spec__ is not None
