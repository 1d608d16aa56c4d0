"""The custom of keeping the first and the last layer in the plain setting."""

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from lrmp.envs.forms.layerwise import Action
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.wrappers.setting_choice import Places, Setting, SettingChoice
from lrmp.errors import TaskError
from lrmp.hardware.space.knob import Value


class PinFirstLast(SettingChoice, RecordConstructorArgs):
    """Give the first and the last layer a fixed setting, whatever the agent asks for.

    HAQ (Wang et al., CVPR 2019) and CIM-AQ (arXiv 2601.21737) keep both at 8 bits, since they are
    small and sensitive. The agent still takes their two steps.

    Args:
        env: A layer-wise environment.
        **values: Of knobs by name, for both layers; those left out are plain.

    Raises:
        TaskError: If a value cannot be chosen, or the environment is another.
        DesignError: If there is no such knob.
    """

    def __init__(self, env: gym.Env[Observation, Action], **values: Value) -> None:
        RecordConstructorArgs.__init__(self, **values)  # type: ignore[arg-type]  # names of knobs
        SettingChoice.__init__(self, env)
        for name in values:
            self.space.place(name)
        self._pinned = {0, len(self.task.network) - 1}
        free = [SettingChoice.choices(self, layer) for layer in self._pinned]
        pinned = []
        for knob, *places in zip(self.space, *free, strict=True):
            value = values.get(knob.name, knob.plain)
            known = [knob.values[place] for place in places[0] if place in places[-1]]
            if value not in known:
                raise TaskError(
                    f"Expected {knob.name} of the pinned layers to be one of "
                    f"{', '.join(map(str, known))}; got {value!r}."
                )
            pinned.append(knob.values.index(value))
        self.setting: Setting = tuple(pinned)

    def choices(self, layer: int) -> Places:
        """Say what a layer can get.

        Args:
            layer: Its index.

        Returns:
            For every knob places of values, ascending.
        """
        if layer in self._pinned:
            return tuple((place,) for place in self.setting)
        return super().choices(layer)

    def execute(self, layer: int, setting: Setting) -> Setting:
        """Replace the setting of the first and the last layer.

        Args:
            layer: Index of the layer to decide.
            setting: What is asked for.

        Returns:
            What is executed.
        """
        return self.setting if layer in self._pinned else setting
