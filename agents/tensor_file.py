"""Tensors in a safetensors file, read as what a stranger may have written."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from lrmp.errors import ForeignFileError
from lrmp.foreign_file import read_foreign

#: Policies and checkpoints; replay buffers are the largest.
MAX_BYTES = 2**30


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read a file whole.

    Args:
        path: A safetensors file of at most ``MAX_BYTES``.

    Returns:
        The tensors and the metadata, both by name.

    Raises:
        OSError: As ``read_foreign``; ``ForeignFileError`` also if it is no such file, or holds a
            type that torch has not.
    """
    data = read_foreign(path, MAX_BYTES)
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, LookupError, RuntimeError, TypeError) as error:
        raise ForeignFileError(f"it is no safetensors file: {error}") from error
    # The library gives metadata of named files alone. It has just checked this very header: JSON
    # of limited depth, whose metadata is text by name.
    size = int.from_bytes(data[:8], "little")
    metadata: dict[str, str] = json.loads(data[8 : 8 + size]).get("__metadata__") or {}
    return tensors, metadata
