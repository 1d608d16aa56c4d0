"""Real files that nobody here wrote, against the multiply-accumulates of ONNX Runtime."""

import gzip
import tomllib
from pathlib import Path

import pytest

from lrmp.hardware import Network

onnx = pytest.importorskip("onnx")

FOLDER = Path(__file__).with_name("real_onnx")
SOURCES = tomllib.loads((FOLDER / "sources.toml").read_text("utf-8"))


@pytest.mark.parametrize("name", SOURCES)
def test_layers_have_the_multiplications_that_onnx_runtime_runs(name, tmp_path):
    about = SOURCES[name]
    if about["source"] == "onnx":
        path = Path(onnx.__file__).parent / f"backend/test/data/light/light_{name}.onnx"
        if not path.exists():
            pytest.skip("this onnx comes without its test data")
    else:
        path = tmp_path / "net.onnx"
        path.write_bytes(
            gzip.decompress((FOLDER / f"{about.get('file', name)}.onnx.gz").read_bytes())
        )
    network = Network.from_onnx(
        path,
        input_shapes=about.get("input_shapes"),
        input_values=about.get("input_values"),
        batch_dimension=0 if about.get("has_batch", True) else None,
    )
    assert network.macs == about["macs"]
