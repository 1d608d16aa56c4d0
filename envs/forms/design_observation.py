"""What an agent sees that changes a whole design: its settings, and how it stands."""

import numpy as np

from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.observation import TOTALS, Observation, knob_features
from lrmp.hardware.frozen_arrays import IntArray


def design_feature_names(dynamics: Dynamics) -> tuple[str, ...]:
    """Name the features of a design.

    Args:
        dynamics: Of the task.

    Returns:
        ``weight_bits_0, activation_bits_0, weight_bits_1, ...``, a name per layer and knob, and the
        four totals.
    """
    return (
        *(f"{name}_{layer}" for layer in range(len(dynamics)) for name in dynamics.space.names),
        *TOTALS,
    )


def observe_designs(dynamics: Dynamics, settings: IntArray) -> Observation:
    """Describe designs.

    Args:
        dynamics: Of the task.
        settings: Shape (B, L, K).

    Returns:
        Shape (B, K L + 4), each in 0..1.
    """
    scaled = knob_features(dynamics.space, settings).reshape(len(settings), -1)
    totals = np.stack(dynamics.design_totals(settings), axis=1)
    return np.concatenate([scaled, totals], axis=1).astype(np.float32)
