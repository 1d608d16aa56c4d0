"""Opens ONNX files: limits first, then the graph, and the few values that shapes may depend on."""

from math import prod
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import onnx.inliner
from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto, helper, numpy_helper

from lrmp.errors import NetworkError
from lrmp.foreign_file import open_foreign, read_foreign
from lrmp.hardware.readers.onnx_limits import check_functions, check_nodes

#: The format itself allows no more.
MAX_FILE_BYTES = 2**31 - 1

#: Of a file with values beside the model, of which only a few are read.
MAX_EXTERNAL_BYTES = 2**44

#: Constants of at most this many elements are computed, since they may be shapes.
MAX_COMPUTED = 65_536

#: What onnx and Python raise on fields with senseless content.
DAMAGE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)

_VALUES = ("raw_data", "float_data", "int32_data", "string_data", "int64_data", "double_data")

Array = np.ndarray[Any, Any]


def load_model(path: Path) -> ModelProto:
    """Read a model without its external values, its functions written out.

    Args:
        path: The file.

    Returns:
        The model, which has inputs and operators.

    Raises:
        NetworkError: If it cannot be read, is damaged, too large or empty.
    """
    try:
        data = read_foreign(path, MAX_FILE_BYTES)
        model = onnx.load_model_from_string(data, format="protobuf")
        if model.functions:
            check_functions(model)
            model = onnx.inliner.inline_local_functions(model)
        check_nodes(model.graph)
    except OSError as error:
        raise NetworkError(f"Expected a readable ONNX file at {path}: {error}.") from error
    except (DecodeError, *DAMAGE) as error:
        raise NetworkError(
            f"Expected {path} to be a whole ONNX file: {error}. Export or fetch it again."
        ) from error
    if not model.graph.node or not model.graph.input:
        raise NetworkError(
            f"Expected {path} to hold a graph with inputs and operators, got "
            f"{len(model.graph.input)} inputs and {len(model.graph.node)} operators."
        )
    return model


def tensor_values(tensor: TensorProto, folder: Path) -> Array | None:
    """Read a small constant; where its values lie beside the model, from there.

    Args:
        tensor: Of the model.
        folder: Where the model lies.

    Returns:
        The values; None if there are too many, or the file was written without them.
    """
    count = prod(tensor.dims)
    if count > MAX_COMPUTED:
        return None
    if tensor.data_location == TensorProto.EXTERNAL:
        return _external_values(tensor, folder)
    if count and not any(len(getattr(tensor, field)) for field in _VALUES):
        return None  # a file of shapes alone
    return numpy_helper.to_array(tensor)


def _external_values(tensor: TensorProto, folder: Path) -> Array | None:
    """Read values from a file in the model's folder or below it, and from nowhere else."""
    place = {entry.key: entry.value for entry in tensor.external_data}
    location = place.get("location", "")
    path = PurePosixPath(location)
    outside = path.is_absolute() or ".." in path.parts or PureWindowsPath(location).anchor
    if not path.name or outside:
        return None
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    size = prod(tensor.dims) * dtype.itemsize
    start, length = int(place.get("offset", 0)), int(place.get("length", size))
    if length != size or start < 0:
        return None  # packed types, of which several elements share a byte
    try:
        with open_foreign(folder / path, MAX_EXTERNAL_BYTES, follow_links=False) as file:
            file.seek(start)
            data = file.read(size)
    except OSError:  # weights need not be there
        return None
    if len(data) < size:
        return None
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype).reshape(tuple(tensor.dims))
