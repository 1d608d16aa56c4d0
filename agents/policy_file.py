"""Policies on disk: weights as safetensors, settings as JSON in the header; nothing is pickled."""

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from lrmp.errors import PolicyError


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
            Shape (action_size,), in 0..1.

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
        save_file(self.state_dict(), path, {"policy": header})

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
            policy = cls(**settings)
            policy.load_state_dict(weights)
        except (RuntimeError, TypeError) as error:
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
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("policy", "null"))
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise PolicyError(f"Expected a policy file at {path}: {error}.") from error
    if not isinstance(header, dict):
        return None, {}, weights
    return header.pop("kind", None), header, weights
