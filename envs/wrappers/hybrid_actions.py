"""Actions in parts: a number where a knob counts, a choice where it has labels."""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from lrmp.envs.forms.layerwise import Action, LayerwiseEnv
from lrmp.envs.scoring.observation import Observation
from lrmp.errors import ActionError, TaskError

#: By the name of a knob: a number of -1 to 1, or the place of a label.
HybridAction = Mapping[str, Any]


class HybridActions(gym.ActionWrapper[Observation, HybridAction, Action], RecordConstructorArgs):
    """Take a number for every knob of numbers, and the place of a label for every other.

    Labels have no order that a number could walk along, such as the methods of pruning. The action
    space is ``Dict({"pruning_ratio": Box(-1, 1, (), float32), "pruning_method": Discrete(3),
    ...})``: numbers mean what they mean in the continuous space of `LayerwiseEnv`, which is the
    same choice with a number for the label, too.

    Args:
        env: A layer-wise environment with continuous actions, perhaps in wrappers that keep their
            shape.

    Raises:
        TaskError: If the environment is another.
    """

    def __init__(self, env: gym.Env[Observation, Action]) -> None:
        RecordConstructorArgs.__init__(self)
        super().__init__(env)
        base = env.unwrapped
        if not isinstance(base, LayerwiseEnv) or not isinstance(env.action_space, spaces.Box):
            raise TaskError(
                "Expected a layer-wise environment with continuous actions for HybridActions, got "
                f"{base} with actions of {env.action_space}. Make it without discrete=."
            )
        self._knobs = base.task.space.knobs
        try:
            self._offered = [len(places) for places in env.get_wrapper_attr("places")]
        except AttributeError:
            self._offered = [len(knob) for knob in self._knobs]
        self.action_space = spaces.Dict(
            {
                knob.name: spaces.Discrete(offered)
                if knob.is_label
                else spaces.Box(-1.0, 1.0, (), np.float32)
                for knob, offered in zip(self._knobs, self._offered, strict=True)
            }
        )

    def action(self, action: HybridAction) -> Action:
        """Find the action of the continuous space that means the same.

        Args:
            action: A number or a place for every knob, by name.

        Returns:
            A number for every knob, shape (K,); for a label the middle of its part.

        Raises:
            ActionError: If the action is not in the action space.
        """
        names = [knob.name for knob in self._knobs]
        if not isinstance(action, Mapping) or set(action) != set(names):
            raise ActionError(
                f"Expected an action with {', '.join(names)}, got {action!r:.200}. Give each one."
            )
        found = np.empty(len(names), np.float32)
        for place, (knob, offered) in enumerate(zip(self._knobs, self._offered, strict=True)):
            kinds, low, high = ("iu", 0, offered - 1) if knob.is_label else ("iuf", -1, 1)
            given = _scalar(action[knob.name], kinds)
            if given is None or not low <= given <= high:
                expected = self.action_space[knob.name]  # type: ignore[index]
                raise ActionError(f"Expected {knob.name} in {expected}, got {action[knob.name]!r}.")
            found[place] = (2 * given + 1) / offered - 1 if knob.is_label else given
        return found


def _scalar(given: object, kinds: str) -> float | None:
    """Read one number of some kinds of NumPy's; None if it is none."""
    try:
        number = np.asarray(given)
    except ValueError:  # ragged nesting
        return None
    return number.item() if number.shape == () and number.dtype.kind in kinds else None
