"""How many episodes run side by side."""

import numpy as np

from lrmp.errors import TaskError


def check_num_envs(num_envs: int) -> None:
    """Refuse what is no number of episodes.

    Args:
        num_envs: Episodes side by side.

    Raises:
        TaskError: If it is no whole number of at least 1.
    """
    if type(num_envs) is bool or not isinstance(num_envs, int | np.integer) or num_envs < 1:
        raise TaskError(f"Expected num_envs of at least 1, got {num_envs!r}.")
