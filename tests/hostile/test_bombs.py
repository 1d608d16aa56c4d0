"""Small files that would take much memory or time: refused before it is spent."""

import gzip
import importlib
import io
import json
import struct
import zipfile
import zlib
from contextlib import suppress

import numpy as np
import pytest

from lrmp.errors import AccuracyDataError, NetworkError, PolicyError

resource = pytest.importorskip("resource")  # POSIX


@pytest.fixture(autouse=True)
def little_memory():
    """Fail where a reader would take more than some 700 MB beyond what is taken already."""
    for module in ("torch", "onnx.inliner", "PIL.Image"):  # they take much themselves
        with suppress(ImportError):
            importlib.import_module(module)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 700 * 2**20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def png(width, height):
    """A picture of one colour; its rows pack to almost nothing."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = zlib.compress((b"\0" + bytes(width)) * min(height, 20_000, 2**24 // width), 9)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((1, 20_000), "at most 67108864 pixels when its short side is 256, got 1 x 20000"),
        ((20_000, 1), "at most 67108864 pixels when its short side is 256, got 20000 x 1"),
        ((9_000, 9_000), "of at most 67108864 pixels, got 9000 x 9000"),
        ((100_000, 100_000), "to be a whole image: Image size .*exceeds limit"),
    ],
)
def test_pictures_of_too_many_pixels(tmp_path, size, message):
    pytest.importorskip("PIL")
    from lrmp.accuracy.lab.images.image_folder import read_image

    path = tmp_path / "image.png"
    path.write_bytes(png(*size))
    with pytest.raises(AccuracyDataError, match=message):
        read_image((path, 256, 224))


def test_postscript_is_not_run(tmp_path):
    pytest.importorskip("PIL")
    from lrmp.accuracy.lab.images.image_folder import read_image

    path = tmp_path / "image.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    with pytest.raises(AccuracyDataError, match="cannot identify image file"):
        read_image((path, 8, 8))


def test_sheets_of_too_many_pixels(tmp_path):
    pytest.importorskip("PIL")
    from lrmp.accuracy.lab.images.sheets import read_sheets

    # 16384 x 16384, the most that WebP can say, for which Pillow would make room at once.
    data = struct.pack("<4sI4s4sIBI", b"RIFF", 20, b"WEBP", b"VP8L", 8, 0x2F, 2**28 - 1) + bytes(3)
    arrays = {"webp": np.frombuffer(data, np.uint8), "label": np.zeros(10_000, np.uint8)}
    np.savez(tmp_path / "x.npz", offset=np.arange(11) * len(data), **arrays)
    with pytest.raises(AccuracyDataError, match=r"of 1280 x 800, got 16384 x 16384\. Fetch it"):
        read_sheets([tmp_path / "x.npz"], np.array([0]))


@pytest.mark.long
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2**31, 2**31, 4), r"Expected at most 134217728 bytes behind the header"),  # wraps to 0
        ((2**16, 2**16, 2**32 - 1), r"Expected at most 134217728 bytes"),
        ((3,), r"Expected 3 bytes behind the header of .*, got 4 or more"),
        ((1,) * 9, r"1 to 8 dimensions, got 00 00 08 09"),
    ],
)
def test_idx_that_unpacks_to_much(tmp_path, shape, message):
    from lrmp.accuracy.lab.images.idx import read_idx

    header = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    stream = io.BytesIO()
    with gzip.open(stream, "wb") as file:
        file.write(header)
        for _ in range(600):
            file.write(bytes(2**20))
    (tmp_path / "images.gz").write_bytes(stream.getvalue())
    with pytest.raises(AccuracyDataError, match=message):
        read_idx(tmp_path / "images.gz")


def npz(header, content):
    """An archive with one array, written by hand."""
    stream = io.BytesIO()
    text = header.encode().ljust(117) + b"\n"
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w", force_zip64=True) as file,
    ):
        file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text)
        for block in content:
            file.write(block)
    return stream.getvalue()


HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}"


@pytest.mark.long
@pytest.mark.parametrize(
    ("header", "content", "message"),
    [
        (HEADER.format("|u1", (2**31,)), (bytes(2**20) for _ in range(1100)), "when unpacked"),
        (HEADER.format("|u1", (10**12,)), [b"abc"], r"shape \(1000000000000,\) but 3 bytes"),
        (HEADER.format("<f8", (2**62, 8)), [b""], "but 0 bytes"),
        (HEADER.format("|u1", (-1,)), [b""], "bytes"),
        (HEADER.format("|O", (1,)), [b"abc"], "pickled objects"),
        ("(" * 100, [b""], "whole archive of plain arrays"),
    ],
)
def test_archives_that_announce_or_unpack_to_much(tmp_path, header, content, message):
    from lrmp.accuracy.lab.images.archive import read_arrays

    (tmp_path / "x.npz").write_bytes(npz(header, content))
    with pytest.raises(AccuracyDataError, match=message):
        read_arrays(tmp_path / "x.npz", ("x",))


def test_an_encrypted_archive_is_named(tmp_path):
    from lrmp.accuracy.lab.images.archive import read_arrays

    data = bytearray(npz(HEADER.format("|u1", (3,)), [b"abc"]))
    data[6] |= 1  # of the member
    data[data.index(b"PK\1\2") + 8] |= 1  # of the directory
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(AccuracyDataError, match=r"whole archive of plain arrays: .*encrypted"):
        read_arrays(tmp_path / "x.npz", ("x",))


def test_a_file_that_is_an_array_is_no_archive(tmp_path):
    from lrmp.accuracy.lab.images.archive import read_arrays

    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(AccuracyDataError, match="whole archive of plain arrays"):
        read_arrays(tmp_path / "x.npy", ("x",))


SET = {"kind": "lrmp.set/1", "observation_size": 9, "sizes": [7, 7]}


def policy_file(path, header, tensors=b""):
    text = json.dumps({"__metadata__": {"policy": header}}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + tensors)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"kind": "lrmp.actor/1", "observation_size": 9, "action_size": 2, "hidden": 20_000},
            "4096",
        ),
        (
            {"kind": "lrmp.actor/1", "observation_size": 9, "action_size": 2, "hidden": 4096},
            "missing",
        ),
        (SET | {"width": 4096, "heads": 1}, "missing or unknown"),
        (SET | {"blocks": 10**9}, "blocks is not from 0 to"),
        (SET | {"heads": 0}, "num_heads"),
        (SET | {"sizes": [10**9]}, "sizes is not from 0 to"),
        (SET | {"sizes": [2] * 4097}, "sizes is not from 0 to"),
        (SET | {"sizes": [True, -1]}, "sizes is not from 0 to"),
        (SET | {"sizes": []}, "Expected weights in"),
        (SET | {"sizes": ["x"]}, "Expected weights in"),
        (SET | {"heads": None}, "Expected weights in"),
        (SET | {"kind": "lrmp.categorical/1", "hidden": 4096}, "missing or unknown"),
    ],
)
def test_settings_of_a_policy_cost_what_its_weights_do(tmp_path, settings, message):
    pytest.importorskip("torch")
    from lrmp.agents.policies import load_policy

    path = tmp_path / "policy.safetensors"
    policy_file(path, json.dumps(settings))
    with pytest.raises(PolicyError, match=message):
        load_policy(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("[" * 100_000, "nests more than 32"),
        ("9" * 5000, "digits"),
        ("null", "got None"),
        ('{"kind": ["lrmp.actor/1"]}', "got None"),
    ],
)
def test_headers_of_a_policy(tmp_path, header, message):
    pytest.importorskip("torch")
    from lrmp.agents.policies import load_policy

    policy_file(tmp_path / "policy.safetensors", header)
    with pytest.raises(PolicyError, match=message):
        load_policy(tmp_path / "policy.safetensors")


# -- ONNX ------------------------------------------------------------------------------------


def model(nodes, functions=(), initializers=()):
    helper = pytest.importorskip("onnx.helper")
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", 1, [1, 4])],
        [helper.make_tensor_value_info("y", 1, [1, 4])],
        initializers,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=9)


def function(name, nodes, attributes=()):
    helper = pytest.importorskip("onnx.helper")
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["x"], ["y"], nodes, opsets, attributes)


def call(name, x, y):
    return pytest.importorskip("onnx.helper").make_node(name, [x], [y], domain="own")


def refuse(tmp_path, made, message):
    from lrmp.hardware import Network

    (tmp_path / "net.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(NetworkError, match=message):
        Network.from_onnx(tmp_path / "net.onnx")


def test_functions_that_double_are_not_written_out(tmp_path):
    helper = pytest.importorskip("onnx.helper")
    functions = [function("f0", [helper.make_node("Relu", ["x"], ["y"])])]
    for index in range(1, 40):
        inner = f"f{index - 1}"
        functions.append(function(f"f{index}", [call(inner, "x", "a"), call(inner, "a", "y")]))
    made = model([call("f39", "x", "y")], functions)
    assert made.ByteSize() < 4000
    refuse(tmp_path, made, "functions written out it has more than 50000 operators")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_functions_that_call_themselves(tmp_path, count):
    functions = [function(f"f{i}", [call(f"f{(i + 1) % count}", "x", "y")]) for i in range(count)]
    refuse(tmp_path, model([call("f0", "x", "y")], functions), "its functions call themselves: 'f")


def test_functions_that_nest_deep(tmp_path):
    helper = pytest.importorskip("onnx.helper")
    functions = [function("f0", [helper.make_node("Relu", ["x"], ["y"])])]
    functions += [function(f"f{i}", [call(f"f{i - 1}", "x", "y")]) for i in range(1, 3000)]
    refuse(tmp_path, model([call("f2999", "x", "y")], functions), "100 calls one within the other")


def test_attributes_that_functions_copy(tmp_path):
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    constant = helper.make_node("Constant", [], ["c"])
    constant.attribute.append(
        onnx.AttributeProto(name="value", type=onnx.AttributeProto.TENSOR, ref_attr_name="v")
    )
    inner = [constant, helper.make_node("Relu", ["x"], ["y"])]
    functions = [function("f0", inner, ["v"])]
    values = helper.make_tensor("t", 1, [50_000], np.zeros(50_000, np.float32))
    for index in range(1, 13):
        calls = [call(f"f{index - 1}", "x", "a"), call(f"f{index - 1}", "a", "y")]
        for each in calls:
            each.attribute.append(
                onnx.AttributeProto(name="v", type=onnx.AttributeProto.TENSOR, ref_attr_name="v")
            )
        functions.append(function(f"f{index}", calls, ["v"]))
    outer = call("f12", "x", "y")
    outer.attribute.append(helper.make_attribute("v", values))
    refuse(tmp_path, model([outer], functions), "67108864 bytes of them")


def test_a_graph_of_too_many_operators(tmp_path):
    helper = pytest.importorskip("onnx.helper")
    nodes = [helper.make_node("Relu", ["x"], ["y"]) for _ in range(50_001)]
    refuse(tmp_path, model(nodes), "it has more than 50000 operators")


def test_much_padding_of_a_constant_is_not_computed(tmp_path):
    helper = pytest.importorskip("onnx.helper")
    small = [helper.make_tensor(name, 1, [1, 1, 1], [1.0]) for name in "kw"]
    conv = helper.make_node("Conv", ["k", "w"], ["c"], pads=[0, 2**31], strides=[2**31])
    reshape = helper.make_node("Reshape", ["x", "c"], ["y"])
    refuse(
        tmp_path, model([conv, reshape], (), small), "Expected inputs that fit Reshape|an output"
    )


@pytest.mark.parametrize("where", ["attribute", "initializer", "inner"])
def test_external_values_are_not_read_from_the_current_folder(tmp_path, monkeypatch, where):
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    (tmp_path / "secret").write_bytes(np.array([4, 1], np.int64).tobytes())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    shape = onnx.TensorProto(name="s", data_type=onnx.TensorProto.INT64, dims=[2])
    shape.data_location = onnx.TensorProto.EXTERNAL
    shape.external_data.add(key="location", value="secret")
    reshape = helper.make_node("Reshape", ["x", "s"], ["y"])
    constant = helper.make_node("Constant", [], ["s"], value=shape)
    nodes, functions, initializers = [constant, reshape], [], []
    if where == "initializer":
        nodes, initializers = [reshape], [shape]
    if where == "inner":
        nodes, functions = [call("f", "x", "y")], [function("f", [constant, reshape])]
    made = model(nodes, functions, initializers)
    refuse(tmp_path / "models", made, "Reshape .*shape is known before the run, got .None, None")
