"""What every wrapper of the choice shares: actions to settings and back, and what is reported."""

from collections.abc import Sequence
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lrmp.envs.forms.action import unit_to_place
from lrmp.envs.forms.layerwise import Action, LayerwiseEnv
from lrmp.envs.scoring.observation import Observation
from lrmp.errors import ActionError, TaskError

Setting = tuple[int, ...]  # places of values, one per knob
Places = tuple[tuple[int, ...], ...]  # for every knob some of its places, ascending


class SettingChoice(gym.Wrapper[Observation, Action, Observation, Action]):
    """A wrapper that stands between the settings an agent asks for and those that are executed.

    It understands both action spaces and may be stacked. The info of every step says what was asked
    of the outermost wrapper, ``requested_weight_bits`` and so on, one per knob, beside what is
    executed; both as the environment has it, labels by their places.

    Args:
        env: A layer-wise environment, in any wrappers that leave its actions alone or are of this
            class.

    Attributes:
        places: For every knob the places of values that an action stands for, in order.

    Raises:
        TaskError: If it is another environment.
    """

    def __init__(self, env: gym.Env[Observation, Action]) -> None:
        super().__init__(env)
        base = env.unwrapped
        if not isinstance(base, LayerwiseEnv):
            raise TaskError(
                f"Expected a layer-wise environment for {type(self).__name__}, got {base}."
            )
        self.task, self.dynamics, self.space = base.task, base.dynamics, base.task.space
        every: Places = tuple(tuple(range(size)) for size in self.space.sizes)
        self.places: Places = _outer(env, "places", every)
        self._inner_places = self.places
        self._discrete = base.discrete
        self._executed: list[Setting] | None = None  # so far; None: reset needed

    def execute(self, layer: int, setting: Setting) -> Setting:
        """Say what is executed.

        Args:
            layer: Index of the layer to decide.
            setting: What is asked for.

        Returns:
            What is executed.
        """
        return setting

    def choices(self, layer: int) -> Places:
        """Say what a layer can get.

        Args:
            layer: Its index.

        Returns:
            For every knob places of values, ascending.
        """
        if self.env.has_wrapper_attr("choices"):
            inner: Places = self.env.get_wrapper_attr("choices")(layer)
            return inner
        allowed = (choices.tolist() for choices in self.space.choices(layer))
        return tuple(map(reachable, self._inner_places, allowed))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: Of the environment.
            options: Of the environment.

        Returns:
            The first observation and its info.
        """
        result = super().reset(seed=seed, options=options)
        self._executed = []
        return result

    def step(self, action: Action) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        """Decide the setting of the next layer.

        Args:
            action: In this wrapper's action space.

        Returns:
            Observation, reward, terminated, truncated, info.

        Raises:
            ActionError: If the action is not in the action space.
        """
        if self._executed is None:
            return super().step(action)  # the environment says that it needs a reset
        requested = self._decode(action)
        layer = len(self._executed)
        asked = self._encode(layer, self.execute(layer, requested))
        observation, reward, terminated, truncated, info = super().step(asked)
        executed = tuple(knob.numbers.index(info[knob.name]) for knob in self.space)
        self._executed = None if terminated else [*self._executed, executed]
        info |= {
            f"requested_{knob.name}": knob.numbers[place]
            for knob, place in zip(self.space, requested, strict=True)
        }
        return observation, reward, terminated, truncated, info

    def _decode(self, action: Action) -> Setting:
        """Turn an action into a setting: places, or equal parts of 0..1 (HAQ's map)."""
        try:
            values: NDArray[Any] = np.asarray(action)
        except ValueError:  # ragged nesting
            values = np.empty(0)
        kinds = "iu" if self._discrete else "iuf"
        if values.shape == (len(self.space),) and values.dtype.kind in kinds:
            found = [
                self._place(value, places)
                for value, places in zip(values.tolist(), self.places, strict=True)
            ]
            setting = tuple(place for place in found if place is not None)
            if len(setting) == len(found):
                return setting
        raise ActionError(f"Expected an action in {self.action_space}, got {action!r}.")

    def _place(self, value: float, places: tuple[int, ...]) -> int | None:
        """Look up the place that a number of an action stands for; None if it stands for none."""
        count = len(places)
        if self._discrete:
            return places[int(value)] if 0 <= value < count else None
        # False for NaN
        return places[unit_to_place(value, count)] if 0 <= value <= 1 else None

    def _encode(self, layer: int, setting: Setting) -> Action:
        """Find the action of the wrapped environment that leads to a setting, or next to it.

        Of a Box it is the middle of a part.
        """
        inner = self._inner_places
        choices = SettingChoice.choices(self, layer)
        index = [
            min(range(len(places)), key=lambda i: abs(nearest(places[i], may) - place))
            for places, may, place in zip(inner, choices, setting, strict=True)
        ]
        if self._discrete:
            return np.array(index, dtype=np.int64)
        middles = [(i + 0.5) / len(places) for i, places in zip(index, inner, strict=True)]
        return np.array(middles, dtype=np.float32)


def nearest(place: int, choices: Sequence[int]) -> int:
    """Find what a place becomes where not every one can be had.

    Args:
        place: Of a value.
        choices: What there is, ascending.

    Returns:
        The nearest, the lower of two as near; as ``DesignSpace.nearest`` has it.
    """
    return min(choices, key=lambda choice: abs(choice - place))


def reachable(places: Sequence[int], choices: Sequence[int]) -> tuple[int, ...]:
    """Say what asking for places leads to.

    Args:
        places: What can be asked for.
        choices: What there is, ascending.

    Returns:
        The nearest to each, ascending.
    """
    return tuple(sorted({nearest(place, choices) for place in places}))


def _outer(env: gym.Env[Observation, Action], name: str, default: Places) -> Places:
    """Read what the outermost wrapper says, or the environment's own."""
    value: Places = env.get_wrapper_attr(name) if env.has_wrapper_attr(name) else default
    return value
