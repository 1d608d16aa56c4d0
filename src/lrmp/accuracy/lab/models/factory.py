"""Models by name, and their weights."""

from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from lrmp.accuracy.lab.models.staged import StagedModel
from lrmp.errors import AccuracyDataError, unknown_name
from lrmp.foreign_file import open_foreign
from lrmp.hardware.networks import NETWORKS

#: ResNet-101 takes a sixth of that.
MAX_WEIGHTS_BYTES = 2**30

#: Model by network name, as the catalogue of networks says.
MODELS: dict[str, Callable[[], StagedModel]] = {
    entry.name: resolve_name(f"{__package__}.{entry.torch_model}")
    for entry in NETWORKS.values()
    if entry.torch_model
}


def load_model(name: str, weights: Path | None = None) -> StagedModel:
    """Build a model for inference.

    Args:
        name: A key of ``MODELS``.
        weights: A safetensors file; None leaves the random weights of a fresh model.

    Returns:
        The model in evaluation mode; its parameters take no gradients.

    Raises:
        AccuracyDataError: If there is no such model, or the weights do not fit it exactly.
    """
    if name not in MODELS:
        raise AccuracyDataError(unknown_name("model", name, MODELS))
    model = MODELS[name]()
    if weights is not None:
        load_weights(model, weights)
    return model.requires_grad_(False).eval()


def load_weights(model: torch.nn.Module, path: Path) -> None:
    """Load weights strictly, as float32.

    Args:
        model: Any module.
        path: A safetensors file with the names of the module's state dict. Counters of batch
            norm (``num_batches_tracked``), which inference does not use, may be missing.

    Raises:
        AccuracyDataError: If the file is missing or damaged, or a name or shape differs.
    """
    if not path.is_file():
        raise AccuracyDataError(f"Expected weights at {path}, got no such file.")
    try:
        with open_foreign(path, MAX_WEIGHTS_BYTES):
            tensors = load_file(path)
    except (SafetensorError, OSError, ValueError, LookupError, RuntimeError, TypeError) as error:
        raise AccuracyDataError(
            f"Expected {path} to be a whole safetensors file: {error}. Fetch it again."
        ) from error
    expected = model.state_dict()
    for name, value in expected.items():
        if name.endswith("num_batches_tracked"):
            tensors.setdefault(name, value)
    missing, unexpected = sorted(expected.keys() - tensors), sorted(tensors.keys() - expected)
    wrong = [
        f"{name} of shape {tuple(tensors[name].shape)} instead of {tuple(value.shape)}"
        for name, value in expected.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    if missing or unexpected or wrong:
        raise AccuracyDataError(
            f"Expected {path} to hold exactly the tensors of {type(model).__name__}, got "
            f"{len(missing)} missing {missing[:3]}, {len(unexpected)} unexpected "
            f"{unexpected[:3]}, {len(wrong)} of another shape {wrong[:3]}. Give weights of that "
            "network."
        )
    model.load_state_dict(tensors)
