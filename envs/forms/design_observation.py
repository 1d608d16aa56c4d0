"""What an agent sees that changes a whole design: its bits, and how it stands."""

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.observation import TOTALS, Observation, bit_feature
from lrmp.hardware.frozen_arrays import IntArray


def design_feature_names(dynamics: Dynamics) -> tuple[str, ...]:
    """Name the features of a design.

    Args:
        dynamics: Of the task.

    Returns:
        ``weight_bits_0, activation_bits_0, weight_bits_1, ...`` and the four totals.
    """
    return (
        *(
            f"{operand}_bits_{layer}"
            for layer in range(len(dynamics))
            for operand in ("weight", "activation")
        ),
        *TOTALS,
    )


def observe_designs(dynamics: Dynamics, bits: IntArray) -> Observation:
    """Describe designs.

    Args:
        dynamics: Of the task.
        bits: Weight and activation bits of every layer, shape (B, L, 2).

    Returns:
        Shape (B, 2 L + 4), each in 0..1.
    """
    scaled: NDArray[np.float64] = bit_feature(bits.astype(np.float64))
    totals = dynamics.design_totals(bits[:, :, 0], bits[:, :, 1])
    return np.concatenate([scaled.reshape(len(bits), -1), np.stack(totals, axis=1)], axis=1).astype(
        np.float32
    )
