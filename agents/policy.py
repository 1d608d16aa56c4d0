"""What every agent offers once it is trained."""

from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray


class Policy(Protocol):
    """Map from observations to actions, without exploration."""

    def save(self, path: Path) -> None:
        """Write the policy without pickle.

        Args:
            path: File to write.
        """
        ...

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a policy that ``save`` wrote.

        Args:
            path: File to read.

        Returns:
            The policy.

        Raises:
            PolicyError: If the file holds no such policy.
        """
        ...

    def act(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Choose an action.

        Args:
            observation: Shape of the environment's observation space.

        Returns:
            An action in the environment's action space.
        """
        ...
