"""A part of the observation, by the names of its features."""

from collections.abc import Sequence

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from lrmp.envs.forms.layerwise import Action
from lrmp.envs.scoring.observation import Observation
from lrmp.errors import TaskError, unknown_name


class SelectFeatures(
    gym.ObservationWrapper[Observation, Action, Observation], RecordConstructorArgs
):
    """Show some features of the observation only, in the order given.

    Args:
        env: An environment whose ``feature_names`` name the elements of its observation.
        features: Names; each once.

    Attributes:
        feature_names: The names shown.

    Raises:
        TaskError: If there is no such feature, one is named twice, or there is none.
    """

    def __init__(self, env: gym.Env[Observation, Action], features: Sequence[str]) -> None:
        # A list, as JSON gives it back.
        RecordConstructorArgs.__init__(self, features=list(features))
        super().__init__(env)
        if not env.has_wrapper_attr("feature_names"):
            raise TaskError(
                "Expected an environment that names the features of its observation, got "
                f"{env.unwrapped}."
            )
        known: tuple[str, ...] = env.get_wrapper_attr("feature_names")
        for name in features:
            if name not in known:
                raise TaskError(unknown_name("feature", name, known))
        if not features or len(set(features)) < len(features):
            raise TaskError(f"Expected at least one feature and each once, got {list(features)}.")
        self.feature_names = tuple(features)
        self._indices = np.array([known.index(name) for name in features])
        space = env.observation_space
        assert isinstance(space, spaces.Box)  # features are named in flat observations
        self.observation_space = spaces.Box(
            space.low[self._indices], space.high[self._indices], dtype=np.float32
        )

    def observation(self, observation: Observation) -> Observation:
        """Take the features out of a whole observation.

        Args:
            observation: Shape (n,).

        Returns:
            Shape (number of features,), a copy.
        """
        selected: Observation = observation[self._indices]
        return selected
