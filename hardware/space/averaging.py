"""The knob of averaged copies: crossbar sets that see the same inputs, against noise."""

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.knob import Knob


def _program_again(computation: Computation, copies: NDArray[Any]) -> Computation:
    return replace(computation, averaging_copies=computation.averaging_copies * copies)


def averaging_copies(most: int = 8, plain: int = 1) -> Knob:
    """Declare the knob.

    Replication and averaging take the same tiles, but copies of replication share the positions,
    and so divide the time, while averaged ones divide the variance of the noise.

    Args:
        most: Most copies, a power of two.
        plain: What designs are compared with.

    Returns:
        1, 2, 4, ... copies.
    """
    return Knob(
        name="averaging_copies",
        values=tuple(2**power for power in range(most.bit_length())),
        plain=plain,
        effect=_program_again,
        network_effect="lrmp.accuracy.lab.quantization.noisy_cells:average_copies",
        unit="copies",
        about="Crossbar sets that hold the same weights, read the same inputs and are averaged: "
        "each takes tiles and energy, and their noise falls with the square root.",
    )


#: 1, 2, 4 or 8 averaged copies; the plain chip has one.
AVERAGING_COPIES = averaging_copies()
