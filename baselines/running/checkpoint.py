"""Checkpoints: tensors as safetensors, everything else as JSON in the same file."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from lrmp.agents.tensor_file import read_tensors
from lrmp.errors import ForeignTextError, RunError
from lrmp.foreign_text import parse_json
from lrmp.whole_file import replacing

#: Generators of random numbers have states of 128 bits.
MAX_STATE = 2**128 - 1


def save_checkpoint(path: Path, tensors: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write a checkpoint whole or not at all.

    Args:
        path: File to write; replaced in one step.
        tensors: Nested mappings whose leaves are tensors.
        state: Anything JSON can hold.
    """
    flat = {name: tensor.contiguous() for name, tensor in _flatten("", tensors)}
    with replacing(path) as temporary:
        save_file(flat, temporary, {"state": json.dumps(state)})


def load_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a checkpoint.

    Args:
        path: File written by ``save_checkpoint``.

    Returns:
        The nested tensors and the state.

    Raises:
        RunError: If the file is no checkpoint.
    """
    tensors: dict[str, Any] = {}
    try:
        flat, metadata = read_tensors(path)
        state = parse_json(metadata.get("state", "null"), MAX_STATE)
        if not isinstance(state, dict):
            raise ForeignTextError("it holds no state")
        for name, tensor in flat.items():
            *groups, leaf = name.split("/")
            target = tensors
            for group in groups:
                target = target.setdefault(group, {})
                if not isinstance(target, dict):
                    raise ForeignTextError(f"{name!r} is both a tensor and a group")
            target[leaf] = tensor
    except (OSError, ForeignTextError) as error:
        raise _damaged(path, error) from error
    return tensors, state


@contextmanager
def restoring(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Read a checkpoint to restore things from it.

    Args:
        path: File written by ``save_checkpoint``.

    Yields:
        The nested tensors and the state.

    Raises:
        RunError: If the file is no checkpoint, or not of the things that the block restores.
    """
    tensors, state = load_checkpoint(path)
    try:
        yield tensors, state
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Take the tensors out of an optimiser's state.

    Args:
        optimizer: After at least one step.

    Returns:
        Nested mappings: parameter index, then the optimiser's names.
    """
    return {str(index): dict(s) for index, s in optimizer.state_dict()["state"].items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Any]) -> None:
    """Put tensors from ``optimizer_tensors`` back.

    Args:
        optimizer: Built over the same parameters.
        tensors: What ``optimizer_tensors`` returned.
    """
    state = {int(index): dict(values) for index, values in tensors.items()}
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})


def _damaged(path: Path, error: Exception) -> RunError:
    return RunError(
        f"Expected a checkpoint at {path}, got {error!r}. Delete it to start the run afresh."
    )


def _flatten(prefix: str, tensors: Mapping[str, Any]) -> list[tuple[str, torch.Tensor]]:
    flat: list[tuple[str, torch.Tensor]] = []
    for name, value in tensors.items():
        if isinstance(value, Mapping):
            flat += _flatten(f"{prefix}{name}/", value)
        else:
            flat.append((prefix + name, value))
    return flat
