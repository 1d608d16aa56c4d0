"""What every wrapper of the choice shares: actions to settings and back, and what is reported."""

from collections.abc import Sequence
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lrmp.envs.forms.action import ActionCode, Discrete
from lrmp.envs.forms.layerwise import Action, LayerwiseEnv
from lrmp.envs.scoring.observation import Observation
from lrmp.errors import ActionError, TaskError

Setting = tuple[int, ...]  # places of values, one per knob
Places = tuple[tuple[int, ...], ...]  # for every knob some of its places, ascending


class SettingChoice(gym.Wrapper[Observation, Action, Observation, Action]):
    """A wrapper that stands between the settings an agent asks for and those that are executed.

    It understands all action spaces and may be stacked. The info of every step says what was asked
    of the outermost wrapper, ``requested_weight_bits`` and so on, one per knob, beside what is
    executed; both as the environment has it, labels by their places. ``action_mask`` tells which
    actions of this wrapper's space lead to something that the layer can get.

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
        self.places: Places = _of_inner(env, "places", every)
        self._inner_places = self.places
        self._discrete: Discrete = base.discrete
        self._code = self._inner_code = self._code_of(self.places)
        self._base = base
        self._masks: dict[int, NDArray[np.int8]] = {}  # by layer
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
        if (choices_of := _of_inner(self.env, "choices", None)) is not None:
            inner: Places = choices_of(layer)
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
        observation, info = super().reset(seed=seed, options=options)
        self._executed = []
        plain = tuple(self.space.plain.tolist())
        return observation, info | self._says(plain)

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
        return observation, reward, terminated, truncated, info | self._says(requested)

    def action_masks(self) -> NDArray[np.bool_]:
        """Say which actions lead to something that the layer to decide can get.

        Returns:
            As ``info["action_mask"]``.
        """
        return self._mask().astype(bool)

    def _says(self, requested: Setting) -> dict[str, Any]:
        """Return what the info has beside what the environment says, or in its place."""
        numbers = {
            f"requested_{knob.name}": np.int64(knob.numbers[place])
            for knob, place in zip(self.space, requested, strict=True)
        }
        return {**numbers, "action_mask": self._mask()}

    def _mask(self) -> NDArray[np.int8]:
        layer = self._base.next_layer
        if layer not in self._masks:
            allowed = []
            for places, choices in zip(self.places, self.choices(layer), strict=True):
                # Of the places that lead to the same choice, the nearest.
                near = {nearest(choice, places) for choice in choices}
                allowed.append(np.array([[place in near for place in places]]))
            self._masks[layer] = self._code.masks(allowed)[0]
        return self._masks[layer].copy()

    def _code_of(self, places: Places) -> ActionCode:
        return ActionCode([len(each) for each in places], self._discrete)

    def _decode(self, action: Action) -> Setting:
        """Turn an action into a setting, by the places that this wrapper offers."""
        chosen = self._code.decode(action)
        if chosen is None:
            raise ActionError(f"Expected an action in {self.action_space}, got {action!r}.")
        return tuple(places[i] for places, i in zip(self.places, chosen, strict=True))

    def _encode(self, layer: int, setting: Setting) -> Action:
        """Find the action of the wrapped environment that leads to a setting, or next to it."""
        inner = self._inner_places
        choices = SettingChoice.choices(self, layer)
        index = [
            min(range(len(places)), key=lambda i: abs(nearest(places[i], may) - place))
            for places, may, place in zip(inner, choices, setting, strict=True)
        ]
        action: Action = self._inner_code.encode(index)
        return action


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


def _of_inner(env: gym.Env[Observation, Action], name: str, default: Any) -> Any:
    """Read what the outermost of the wrappers inside says that knows it."""
    try:
        return env.get_wrapper_attr(name)
    except AttributeError:
        return default
