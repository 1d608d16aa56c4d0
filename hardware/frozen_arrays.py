"""Frozen dataclasses whose fields are NumPy arrays: read-only, comparable, hashable."""

from dataclasses import fields
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

IntArray = NDArray[np.int64]
Array = TypeVar("Array", bound=NDArray[Any])


def read_only(values: ArrayLike) -> IntArray:
    """Copy integers into an int64 array that cannot be written.

    Args:
        values: Integers of any shape; the caller has checked that they are integers.

    Returns:
        A new array with ``writeable`` off.
    """
    return locked(np.array(values, dtype=np.int64))


def locked(array: Array) -> Array:
    """Switch writing off.

    Args:
        array: Changed in place.

    Returns:
        The same array.
    """
    array.flags.writeable = False
    return array


class FrozenArrays:
    """Equality and hash by value for frozen dataclasses with array fields.

    Use as ``@dataclass(frozen=True, eq=False) class X(FrozenArrays)``.
    """

    @classmethod
    def trusted(cls, **values: Any) -> Self:
        """Make one of values that have been checked already.

        Args:
            **values: Every field without a default. Arrays are of the field's type and are not
                copied; writing is switched off.

        Returns:
            The same as from the constructor, which would check them again.
        """
        made = object.__new__(cls)
        for value in values.values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        made.__dict__.update(values)
        return made

    def __eq__(self, other: object) -> bool:
        if other is self:
            return True
        if type(other) is not type(self):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # nothing in it can change

    def __setstate__(self, state: dict[str, Any]) -> None:
        for value in state.values():  # pickle does not keep the flag
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        self.__dict__.update(state)

    def _key(self) -> tuple[Any, ...]:
        values = (getattr(self, f.name) for f in fields(self) if f.compare)  # type: ignore[arg-type]
        return tuple((v.shape, v.tobytes()) if isinstance(v, np.ndarray) else v for v in values)
