"""Actions: what numbers, places of values and numbers of settings mean, in every form."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Literal

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.errors import TaskError
from lrmp.hardware.frozen_arrays import IntArray, locked
from lrmp.hardware.space.design_space import every_setting

#: How actions say which values are chosen; see `ActionCode`.
Discrete = bool | Literal["flat"]
_MEANT = {"flat": '"flat"', "true": "True", "false": "False", "1": "True", "0": "False"}


class ActionCode:
    """What an action means: the settings of one layer, or of several.

    - ``discrete=False``: a number of -1 to 1 for every knob. The interval is cut into equal parts,
      one for each of the knob's V values (HAQ's map, moved to where Gaussian policies start):
      ``place = min(V - 1, floor(V (a + 1) / 2))``, in double precision.
    - ``discrete=True``: the place of a value for every knob.
    - ``discrete="flat"``: the number of a setting, in the order of ``DesignSpace.settings``.

    Args:
        sizes: How many values the K knobs have.
        discrete: Which of these.
        layers: L, if an action sets several; None for a single one.

    Attributes:
        sizes: As given.
        space: ``Box(-1, 1, (L K,), float32)``; ``MultiDiscrete`` of how many values the knobs have,
            layer by layer; or ``Discrete(S)``, of several layers ``MultiDiscrete([S] * L)``.

    Raises:
        TaskError: If ``discrete`` is none of these.
    """

    space: gym.Space[Any]

    def __init__(self, sizes: Sequence[int], discrete: Discrete, layers: int | None = None) -> None:
        self.sizes = tuple(sizes)
        self.discrete: Discrete = check_discrete(discrete)
        self._layers = () if layers is None else (layers,)
        self._counts = np.array(self.sizes)
        count = 1 if layers is None else layers
        if discrete == "flat":
            self._settings = every_setting(self.sizes)
            number = len(self._settings)
            self.space = (
                spaces.Discrete(number)
                if layers is None
                else spaces.MultiDiscrete(np.full(count, number))
            )
        elif discrete:
            self.space = spaces.MultiDiscrete(np.array(self.sizes * count))
        else:
            self.space = spaces.Box(-1.0, 1.0, (count * len(self.sizes),), np.float32)
        self._shape, self._kinds = self.space.shape, kinds_of(self.space)

    def decode(self, action: object) -> list[int] | None:
        """Turn one layer's action into its setting.

        Args:
            action: Of the space, an array or a sequence.

        Returns:
            Places of values; None if the action is not in the space.
        """
        try:
            values: NDArray[Any] = np.asarray(action)
        except ValueError:  # ragged nesting
            return None
        if values.shape != self._shape or values.dtype.kind not in self._kinds:
            return None
        if self.discrete == "flat":
            number = values.item()
            if not 0 <= number < len(self._settings):
                return None
            found: list[int] = self._settings[number].tolist()
            return found
        setting: list[int] = values.tolist()
        if self.discrete:
            inside = all(0 <= place < size for place, size in zip(setting, self.sizes, strict=True))
            return setting if inside else None
        for knob, value in enumerate(setting):
            if not -1 <= value <= 1:  # True for NaN
                return None
            size = self.sizes[knob]
            setting[knob] = min(size - 1, int(size * (value + 1) / 2))
        return setting

    def places(self, actions: NDArray[Any]) -> IntArray:
        """Turn many actions of the space into settings.

        Args:
            actions: Shape (..., of an action).

        Returns:
            Places of values, shape (..., K), or (..., L, K) of several layers.
        """
        if self.discrete == "flat":
            settings: IntArray = self._settings[actions]
            return settings
        knobs = len(self.sizes)
        batch = actions.shape[:-1]
        actions = actions.reshape(*batch, *self._layers, knobs)
        if self.discrete:
            return actions.astype(np.int64)
        # In double precision, as Python computes one number.
        place = (self._counts * (actions.astype(np.float64) + 1) / 2).astype(np.int64)
        places: IntArray = np.minimum(self._counts - 1, place)
        return places

    def encode(self, places: Sequence[int]) -> Any:
        """Find the action of one layer that means a setting.

        Args:
            places: Of its values, K numbers.

        Returns:
            An action of the space; of a ``Box`` the middles of the parts.
        """
        if self.discrete == "flat":
            return np.ravel_multi_index(tuple(places), self.sizes)
        if self.discrete:
            return np.array(places, dtype=np.int64)
        middles = (2 * np.array(places) + 1) / self._counts - 1
        return middles.astype(np.float32)

    def masks(self, allowed: Sequence[NDArray[np.bool_]]) -> NDArray[np.int8]:
        """Say which actions of layers are possible, as maskable policies take it.

        Args:
            allowed: For every knob whether a layer may have a value, K arrays of shape (L, V).

        Returns:
            1 for what is possible, shape (L, n): the values of all knobs in a row or, of a flat
            space, all settings. Read-only.
        """
        if self.discrete == "flat":
            each = [mask[:, self._settings[:, knob]] for knob, mask in enumerate(allowed)]
            return locked(np.logical_and.reduce(each).astype(np.int8))
        return locked(np.concatenate(allowed, axis=1).astype(np.int8))


def check_discrete(discrete: object) -> Discrete:
    """Refuse what is no kind of action.

    Args:
        discrete: As given to an environment.

    Returns:
        The same.

    Raises:
        TaskError: If it is neither False, True nor ``"flat"``.
    """
    if isinstance(discrete, bool):
        return discrete
    if isinstance(discrete, str) and discrete == "flat":
        return "flat"
    near = get_close_matches(str(discrete).casefold(), _MEANT, n=1)
    hint = f" Did you mean {_MEANT[near[0]]}?" if near else ""
    raise TaskError(f'Expected discrete to be False, True or "flat", got {discrete!r}.{hint}')


def kinds_of(space: gym.Space[Any]) -> str:
    """Say of which kinds the numbers of a space's actions may be, as ``dtype.kind`` has them."""
    return "iuf" if isinstance(space, spaces.Box) else "iu"


def within(space: gym.Space[Any], values: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which numbers of actions lie between the bounds of a space.

    Args:
        space: ``Box``, or from 0 on ``Discrete`` or ``MultiDiscrete``.
        values: Shape (..., of an action).

    Returns:
        Same shape; False for NaN.
    """
    least: Any = 0
    most: Any
    if isinstance(space, spaces.Box):
        least, most = space.low, space.high
    elif isinstance(space, spaces.Discrete):
        most = space.n - 1
    else:
        assert isinstance(space, spaces.MultiDiscrete)
        most = space.nvec - 1
    inside: NDArray[np.bool_] = (values >= least) & (values <= most)
    return inside


def read_action(
    space: gym.Space[Any], action: object, used: int | None = None
) -> NDArray[Any] | None:
    """Read an action as an array.

    Args:
        space: ``Box``, or from 0 on ``Discrete`` or ``MultiDiscrete``.
        action: An array or a sequence.
        used: How many of its numbers count; None for all.

    Returns:
        The array; None if the action is not in the space.
    """
    try:
        values: NDArray[Any] = np.asarray(action)
    except ValueError:  # ragged nesting
        return None
    if values.shape != space.shape or values.dtype.kind not in kinds_of(space):
        return None
    counted = slice(used) if space.shape else ...
    return values if within(space, values)[counted].all() else None
