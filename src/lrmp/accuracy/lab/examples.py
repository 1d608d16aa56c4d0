"""What a network is shown: inputs of any shape, and their classes where somebody knows them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrmp.errors import AccuracyDataError

Array = Tensor | NDArray[Any]


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs of a network, and what they show.

    Attributes:
        inputs: N of them, images or anything else, shape (N, ...); a tensor or an array, of which
            nothing is changed. Numbers of double precision become single.
        labels: Their classes, integers from 0, shape (N,). None where nobody knows them: what the
            float network says then counts as right, so that an accuracy is a share of agreement.

    Raises:
        AccuracyDataError: If there are no inputs, or the labels are no classes of theirs.
    """

    inputs: Array
    labels: Array | None = None

    def __post_init__(self) -> None:
        inputs = _tensor("inputs", self.inputs)
        if inputs.ndim < 1 or not len(inputs):
            raise AccuracyDataError(
                "Expected at least one example, inputs of shape (N, ...), got a shape of "
                f"{tuple(inputs.shape)}."
            )
        if inputs.dtype == torch.float64:
            inputs = inputs.float()
        object.__setattr__(self, "inputs", inputs)
        if self.labels is None:
            return
        labels = _tensor("labels", self.labels)
        whole = not (
            labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool
        )
        if labels.shape != inputs.shape[:1] or not whole:
            raise AccuracyDataError(
                f"Expected {len(inputs)} labels, a whole number for every input, got "
                f"{_kind(labels)} of shape {tuple(labels.shape)}."
            )
        if int(labels.min()) < 0:
            raise AccuracyDataError(
                f"Expected labels to count classes from 0, got {int(labels.min())}."
            )
        object.__setattr__(self, "labels", labels.long())

    def __len__(self) -> int:
        return len(self.inputs)

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Split the examples.

        Args:
            size: Of a batch; the last one may be smaller.

        Yields:
            Inputs and labels.
        """
        inputs, labels = cast(Tensor, self.inputs), cast(Tensor | None, self.labels)
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield inputs[part], None if labels is None else labels[part]

    def first(self, count: int | None) -> "Examples":
        """Leave out all but some.

        Args:
            count: How many at most; None for all.

        Returns:
            The first of these.
        """
        return Examples(self.inputs[:count], None if self.labels is None else self.labels[:count])


def _tensor(name: str, given: object) -> Tensor:
    if isinstance(given, Tensor):
        return given.detach()
    try:
        array = np.asarray(given)
        return torch.from_numpy(array if array.flags.writeable else array.copy())
    except (TypeError, ValueError) as error:
        raise AccuracyDataError(
            f"Expected {name} as a tensor or an array of numbers, got {type(given).__name__}: "
            f"{error}."
        ) from error


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
