"""What every agent offers once it is trained."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Policy(Protocol):
    """Map from observations to actions, without exploration."""

    def act(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Choose an action.

        Args:
            observation: Shape of the environment's observation space.

        Returns:
            An action in the environment's action space.
        """
        ...
