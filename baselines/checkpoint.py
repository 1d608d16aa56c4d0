"""Checkpoints: tensors as safetensors, everything else as JSON in the same file."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from lrmp.errors import RunError


def save_checkpoint(path: Path, tensors: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write a checkpoint whole or not at all.

    Args:
        path: File to write; replaced in one step.
        tensors: Nested mappings whose leaves are tensors.
        state: Anything JSON can hold.
    """
    flat = {name: tensor.contiguous() for name, tensor in _flatten("", tensors)}
    temporary = path.with_suffix(".partial")
    save_file(flat, temporary, {"state": json.dumps(state)})
    os.replace(temporary, path)


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
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            for name in file.keys():  # noqa: SIM118  not a mapping
                *groups, leaf = name.split("/")
                target = tensors
                for group in groups:
                    target = target.setdefault(group, {})
                target[leaf] = file.get_tensor(name)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"Expected a checkpoint at {path}: {error}. Delete it to start the run afresh."
        ) from error
    return tensors, state


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


def _flatten(prefix: str, tensors: Mapping[str, Any]) -> list[tuple[str, torch.Tensor]]:
    flat: list[tuple[str, torch.Tensor]] = []
    for name, value in tensors.items():
        if isinstance(value, Mapping):
            flat += _flatten(f"{prefix}{name}/", value)
        else:
            flat.append((prefix + name, value))
    return flat
