"""What every wrapper of the bit choice shares: actions to bits and back, and what is reported."""

from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lrmp.envs.forms.action import unit_to_index
from lrmp.envs.forms.layerwise import Action, LayerwiseEnv
from lrmp.envs.scoring.observation import Observation
from lrmp.errors import ActionError, TaskError
from lrmp.hardware.space.design import BIT_WIDTHS

Bits = tuple[int, int]  # of weights, of activations
Widths = tuple[int, ...]


class BitChoice(gym.Wrapper[Observation, Action, Observation, Action]):
    """A wrapper that stands between the bits an agent asks for and those that are executed.

    It understands both action spaces and may be stacked. The info of every step says what was asked
    of the outermost wrapper, ``requested_weight_bits`` and ``requested_activation_bits``, beside
    the executed ``weight_bits`` and ``activation_bits``.

    Args:
        env: A layer-wise environment, in any wrappers that leave its actions alone or are of this
            class.

    Attributes:
        weight_widths: Weight bits that an action stands for, in order.

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
        self.task, self.dynamics = base.task, base.dynamics
        self.weight_widths: Widths = _outer(env, "weight_widths", BIT_WIDTHS)
        self._inner_widths = self.weight_widths
        self._discrete = base.discrete
        self._executed: list[int] | None = None  # weight bits so far; None: reset needed

    def execute(self, layer: int, bits: Bits) -> Bits:
        """Say what is executed.

        Args:
            layer: Index of the layer to decide.
            bits: Weight and activation bits asked for.

        Returns:
            Weight and activation bits that are executed.
        """
        return bits

    def weight_choices(self, layer: int) -> Widths:
        """Say which weight bits a layer can get.

        Args:
            layer: Its index.

        Returns:
            Bits in rising order.
        """
        choices: Widths = (
            self.env.get_wrapper_attr("weight_choices")(layer)
            if self.env.has_wrapper_attr("weight_choices")
            else self.weight_widths
        )
        return choices

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
        """Decide the bits of the next layer.

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
        bits = self.execute(len(self._executed), requested)
        observation, reward, terminated, truncated, info = super().step(self._encode(bits))
        self._executed = None if terminated else [*self._executed, info["weight_bits"]]
        info |= {"requested_weight_bits": requested[0], "requested_activation_bits": requested[1]}
        return observation, reward, terminated, truncated, info

    def _decode(self, action: Action) -> Bits:
        """Turn an action into bits: a choice by index, or by equal parts of 0..1 (HAQ's map)."""
        try:
            values: NDArray[Any] = np.asarray(action)
        except ValueError:  # ragged nesting
            values = np.empty(0)
        if values.shape == (2,) and values.dtype.kind in ("iu" if self._discrete else "iuf"):
            weight, activation = values.tolist()
            weight_bits = self._width(weight, self.weight_widths)
            activation_bits = self._width(activation, BIT_WIDTHS)
            if weight_bits is not None and activation_bits is not None:
                return weight_bits, activation_bits
        raise ActionError(f"Expected an action in {self.action_space}, got {action!r}.")

    def _width(self, value: float, widths: Widths) -> int | None:
        """Look up the width that half an action stands for; None if it stands for none."""
        count = len(widths)
        if self._discrete:
            return widths[int(value)] if 0 <= value < count else None
        # False for NaN
        return widths[unit_to_index(value, count)] if 0 <= value <= 1 else None

    def _encode(self, bits: Bits) -> Action:
        """Turn bits into an action of the wrapped environment; parts of 0..1 by their middle."""
        weight = self._inner_widths.index(bits[0])
        activation = BIT_WIDTHS.index(bits[1])
        if self._discrete:
            return np.array((weight, activation), dtype=np.int64)
        middles = (weight + 0.5) / len(self._inner_widths), (activation + 0.5) / len(BIT_WIDTHS)
        return np.array(middles, dtype=np.float32)


def _outer(env: gym.Env[Observation, Action], name: str, default: Widths) -> Widths:
    """Read what the outermost wrapper says, or the environment's own."""
    value: Widths = env.get_wrapper_attr(name) if env.has_wrapper_attr(name) else default
    return value
