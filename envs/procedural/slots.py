"""Room for the knobs of any task: actions, masks, settings and infos of one size for all spaces."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.forms.action import ActionCode, Discrete, read_action
from lrmp.envs.task.task import Task
from lrmp.errors import ActionError, TaskError
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob

MOST_KNOBS, MOST_VALUES, MOST_SETTINGS = 4, 12, 1024


def _slot(number: int) -> Knob:
    return Knob(f"knob_{number}", tuple(range(MOST_VALUES)), plain=MOST_VALUES - 1)


#: Knobs that stand for the first, second, ... of a task, whatever these are.
SLOTS = DesignSpace(_slot(number + 1) for number in range(MOST_KNOBS))


class Slots:
    """Fits the actions, masks and infos of any task's environment into arrays of one size.

    Knob k of the task sits in slot k. In tasks that all have the knobs of the slots themselves,
    nothing is changed.

    Args:
        space: K slots of V values.
        discrete: What kind of actions there are.
        layers: L, if an action sets several; None for a single one.

    Attributes:
        action_space: As `ActionCode` has it for the slots; of flat actions for the most settings.
    """

    def __init__(self, space: DesignSpace, discrete: Discrete, layers: int | None) -> None:
        self._space, self._discrete, self._layers = space, discrete, layers
        self._loose = space is SLOTS
        if self._loose and discrete == "flat":
            self.action_space: gym.Space[Any] = (
                spaces.Discrete(MOST_SETTINGS)
                if layers is None
                else spaces.MultiDiscrete(np.full(layers, MOST_SETTINGS))
            )
        else:
            self.action_space = ActionCode(space.sizes, discrete, layers).space

    @property
    def are_loose(self) -> bool:
        """Whether tasks have knobs of their own in the slots."""
        return self._loose

    def action(self, action: Any, space: DesignSpace, used: int | None = None) -> Any:
        """Take out of an action what a task has knobs for.

        A place behind the last value, or a number behind the last setting, stands for the last.

        Args:
            action: As given.
            space: Of the task.
            used: How many of the numbers of an action that sets several layers are looked at.

        Returns:
            An action of the task's own environment.

        Raises:
            ActionError: If it is none of `action_space`; where nothing is changed, that environment
                says so.
        """
        if not self._loose:
            return action[:used] if used is not None else action
        values = self._checked(action, used)
        return self.own_actions(values if used is None else values[:used], space)

    def own_actions(self, actions: NDArray[Any], space: DesignSpace) -> NDArray[Any]:
        """Take out of valid actions what a task has knobs for.

        Args:
            actions: Of `action_space`, shape (n,) or, of a flat one, () or (L,).
            space: Of the task.

        Returns:
            Those of the task's own environment, shape (L K,), or as they were.
        """
        if not self._loose:
            return actions
        if self._discrete == "flat":
            last: NDArray[Any] = np.minimum(actions, np.prod(space.sizes) - 1)
            return last
        own = actions.reshape(-1, len(self._space))[:, : len(space)]
        if self._discrete:
            own = np.minimum(own, np.array(space.sizes) - 1)
        return own.reshape(-1)

    def mask(self, masks: NDArray[Any], space: DesignSpace) -> NDArray[Any]:
        """Give masks of a task's actions the shape of the slots.

        Args:
            masks: 1 for what is possible, shape (..., n) for one layer.
            space: Of the task.

        Returns:
            The same for all slots; of one without a knob only the first value is possible.
        """
        if not self._loose:
            return masks
        if self._discrete == "flat":
            found = np.zeros((*masks.shape[:-1], MOST_SETTINGS), masks.dtype)
            found[..., : masks.shape[-1]] = masks
            return found
        found = np.zeros((*masks.shape[:-1], len(self._space), MOST_VALUES), masks.dtype)
        found[..., len(space) :, 0] = 1
        start = 0
        for knob, size in enumerate(space.sizes):
            found[..., knob, :size] = masks[..., start : start + size]
            start += size
        return found.reshape(*masks.shape[:-1], -1)

    def features(self, settings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give scaled settings a column per slot.

        Args:
            settings: Shape (..., K) for the knobs of the task.

        Returns:
            0 in slots without a knob.
        """
        missing = len(self._space) - settings.shape[-1]
        if not missing:
            return settings
        return np.pad(settings, [(0, 0)] * (settings.ndim - 1) + [(0, missing)])

    def info(self, info: dict[str, Any], space: DesignSpace) -> dict[str, Any]:
        """Say of slots what an info says of knobs.

        Args:
            info: Of the task's own environment.
            space: Of the task.

        Returns:
            The same with the names of slots, and 0 for those without a knob.
        """
        if not self._loose:
            return info
        names = dict(zip(space.names, self._space.names, strict=False))
        found = {}
        for key, value in info.items():
            prefix = "design_" if key.startswith("design_") else ""
            name = key.removeprefix(prefix)
            found[prefix + names.get(name, name)] = value
        first = self._space.names[0]
        for prefix in ("", "design_"):
            if prefix + first in found:
                nothing = found[prefix + first] * 0
                for name in self._space.names[len(space) :]:
                    found[prefix + name] = nothing
        return found

    def _checked(self, action: Any, used: int | None) -> NDArray[Any]:
        values = read_action(self.action_space, action, used)
        if values is None:
            raise ActionError(f"Expected an action in {self.action_space}, got {action!r}.")
        return values


def check_fits(task: Task) -> None:
    """Refuse a task whose knobs do not fit the slots.

    Args:
        task: Any.

    Raises:
        TaskError: If it has too many knobs, values or settings.
    """
    space = task.space
    for what, found, most in (
        ("knobs", len(space), MOST_KNOBS),
        ("values of a knob", max(space.sizes), MOST_VALUES),
        ("settings of a layer", int(np.prod(space.sizes)), MOST_SETTINGS),
    ):
        if found > most:
            raise TaskError(
                f"Expected tasks of at most {most} {what}, got {task.id} with {found}. Leave some "
                "out of its space."
            )
