"""An instance of a round as a task: all but its accuracy is computed here, exactly."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.accuracy.model.drop_map import IdentityMap
from lrmp.accuracy.model.factories import GivenAccuracy
from lrmp.envs.task.task import Task
from lrmp.envs.task.task_definition import task_with_accuracy
from lrmp.errors import BoardError, LRMPError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import Design

#: Asks for the drops, in percentage points, of settings of shape (B, L, K).
AskDrops = Callable[[IntArray], NDArray[np.float64]]


class AskedAccuracy:
    """The accuracy of an instance, which the server alone knows: an `AccuracyModel`.

    To whoever searches it is like a network that is run: only whole designs have a drop, and every
    new one costs an evaluation. A design that was asked before is not asked again.

    Args:
        ask: Asks the server.
        about: Names the instance, for the fingerprint.
    """

    kind: AccuracyKind = "network"
    is_estimate = False
    provenance = "asked of the board, which counts"
    drop_map = IdentityMap()

    def __init__(self, ask: AskDrops, about: str) -> None:
        self._ask, self._known = ask, dict[bytes, float]()
        self.fingerprint = hashlib.sha256(about.encode()).hexdigest()

    def divergence(self, design: Design) -> float:
        """Return the drop.

        Args:
            design: Settings and copies of L layers; copies play no part.

        Returns:
            Percentage points.
        """
        return float(self._drops(design.settings[None])[0])

    def divergences(self, settings: IntArray, replication: IntArray) -> NDArray[np.float64]:
        """Return the drops of many designs, asked for together.

        Args:
            settings: Places of values, shape (B, L, K).
            replication: Copies, which play no part, shape (B, L).

        Returns:
            Percentage points, shape (B,).
        """
        return self._drops(settings)

    drop = divergence
    drops = divergences

    def sensitivities(self) -> None:
        """Say how much turning one knob matters: nobody is told."""

    def test_drop(self, design: Design) -> None:
        """Return the drop on other images: there are none.

        Args:
            design: Any.
        """

    def _drops(self, settings: IntArray) -> NDArray[np.float64]:
        keys = [row.tobytes() for row in np.ascontiguousarray(settings, dtype=np.int64)]
        new = {key: row for key, row in zip(keys, settings, strict=True) if key not in self._known}
        if new:
            drops = self._ask(np.stack(list(new.values())))
            self._known.update(zip(new, drops.tolist(), strict=True))
        return np.array([self._known[key] for key in keys])


def read_instance(document: Any, ask: AskDrops) -> Task:
    """Read the description of an instance.

    Args:
        document: What the server told of it.
        ask: Asks the server for drops.

    Returns:
        The task; ``task.accuracy`` asks.

    Raises:
        BoardError: If it describes no task.
    """
    try:
        about = f"{document['id']} {document['fingerprint']}"
        return task_with_accuracy(document, GivenAccuracy(AskedAccuracy(ask, about)))
    except (LRMPError, LookupError, TypeError) as error:
        raise BoardError(
            f"Expected the description of an instance, got another one: {error}. Use the lrmp that "
            "the board has."
        ) from error


def read_features(document: Any, names: tuple[str, ...], layers: int) -> NDArray[np.float32]:
    """Read what is told of every layer.

    Args:
        document: What the server told of an instance.
        names: Of the features that are expected.
        layers: L.

    Returns:
        Numbers of 0 to 1, shape (L, n).

    Raises:
        BoardError: If it tells other things.
    """
    try:
        told = document["features"]
        table = np.array(told["layers"], dtype=np.float32)
        good = tuple(told["names"]) == names and table.shape == (layers, len(names))
    except (LookupError, TypeError, ValueError):
        good = False
    if not good or not np.all((table >= 0) & (table <= 1)):
        raise BoardError(
            f"Expected the features {', '.join(names)} of {layers} layers, got others. Use the "
            "lrmp that the board has."
        )
    return table
