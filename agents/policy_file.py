"""Policies on disk: weights as safetensors, settings as JSON in the header; nothing is pickled."""

import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import device, nn

from lrmp.agents.tensor_file import read_tensors
from lrmp.errors import ForeignTextError, PolicyError
from lrmp.foreign_text import parse_json
from lrmp.whole_file import replacing

#: No size, and no number of blocks, of a policy is larger.
MAX_SETTING = 4096

#: What constructors and torch raise on settings that make no sense.
_UNFIT = (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError)


class PolicyModule(nn.Module, ABC):
    """A network that is a `Policy`: it acts on observations of one size and saves itself.

    Subclasses take keyword arguments that JSON can hold, ``observation_size`` among them, and keep
    them in ``settings``.

    Attributes:
        kind: Name of the class in files, with its version.
        settings: Arguments of the constructor.
    """

    kind: ClassVar[str]
    settings: dict[str, Any]

    @abstractmethod
    def greedy(self, observation: torch.Tensor) -> torch.Tensor:
        """Choose an action without exploration.

        Args:
            observation: Shape (observation_size,).

        Returns:
            The action.
        """

    def act(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Choose an action without exploration.

        Args:
            observation: Shape (observation_size,).

        Returns:
            Shape (action_size,), in -1..1.

        Raises:
            PolicyError: If the observation has another size.
        """
        if observation.shape != (self.settings["observation_size"],):
            raise PolicyError(
                f"Expected an observation of {self.settings['observation_size']} elements, got "
                f"shape {observation.shape}: the policy was trained on another environment."
            )
        with torch.no_grad():
            action: NDArray[np.float32] = self.greedy(torch.from_numpy(observation)).numpy()
        return action

    def save(self, path: Path) -> None:
        """Write weights and settings.

        Args:
            path: File to write.
        """
        header = json.dumps({"kind": self.kind, **self.settings})
        with replacing(path) as temporary:
            save_file(self.state_dict(), temporary, {"policy": header})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a policy written by ``save``.

        Args:
            path: File to read.

        Returns:
            The policy.

        Raises:
            PolicyError: If the file is missing, is no policy of this kind, or its weights do not
                fit its settings.
        """
        kind, settings, weights = _read(path)
        if kind != cls.kind:
            raise PolicyError(
                f"Expected {path} to hold a policy of kind {cls.kind!r}, got {kind!r}."
            )
        try:
            for name, value in settings.items():
                sizes = value if isinstance(value, list) else [value]
                counts = len(sizes), *(size for size in sizes if isinstance(size, int))
                if not 0 <= min(counts) <= max(counts) <= MAX_SETTING:
                    raise ValueError(f"{name} is not from 0 to {MAX_SETTING}")
            # On no device first, so that settings cost no more memory than the file has weights.
            with device("meta"), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that nothing is initialised there
                expected = cls(**settings).state_dict()
            _check_fit(expected, weights)
            policy = cls(**settings)
            policy.load_state_dict(weights)
        except _UNFIT as error:
            raise PolicyError(
                f"Expected weights in {path} that fit {settings}: {error}."
            ) from error
        return policy


def read_kind(path: Path) -> str | None:
    """Read which kind of policy a file holds.

    Args:
        path: File written by ``PolicyModule.save``.

    Returns:
        The kind; None if the file holds other tensors.

    Raises:
        PolicyError: If the file is missing or broken.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[str | None, dict[str, Any], dict[str, torch.Tensor]]:
    try:
        weights, metadata = read_tensors(path)
        header = parse_json(metadata.get("policy", "null"))
    except (OSError, ForeignTextError) as error:
        raise PolicyError(f"Expected a policy file at {path}: {error}.") from error
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
        return None, {}, weights
    return header.pop("kind"), header, weights


def _check_fit(expected: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]) -> None:
    """Compare names, shapes and types."""
    if expected.keys() != weights.keys():
        other = sorted(expected.keys() ^ weights.keys())
        raise ValueError(f"{', '.join(other[:3])} missing or unknown")
    for name, value in expected.items():
        found = weights[name]
        if (value.shape, value.dtype) != (found.shape, found.dtype):
            raise ValueError(
                f"{name} has shape {tuple(found.shape)} of {found.dtype} instead of "
                f"{tuple(value.shape)} of {value.dtype}"
            )
