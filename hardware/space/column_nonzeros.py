"""The knob of TinyADC (DATE 2021): weights other than 0 that a column has among its active rows."""

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from lrmp.errors import DesignError
from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.knob import Knob

_FEWEST = 4
_PUBLISHED_ROWS = 128  # of ISAAC and NeuroSim


def _keep_few(computation: Computation, nonzeros: NDArray[Any]) -> Computation:
    return replace(computation, column_nonzeros=nonzeros)


def column_nonzeros(active_rows: int = _PUBLISHED_ROWS) -> Knob:
    """Declare the knob.

    Args:
        active_rows: p of the chip, at least 4.

    Returns:
        n in p, p/2, ... down to 4, halves rounded down; plain is p, which prunes nothing.

    Raises:
        DesignError: If p is less than 4.
    """
    if active_rows < _FEWEST:
        raise DesignError(
            f"Expected a chip that drives at least {_FEWEST} rows together for column_nonzeros, "
            f"got {active_rows}. Leave the knob out."
        )
    values = [active_rows]
    while values[-1] // 2 >= _FEWEST:
        values.append(values[-1] // 2)
    return Knob(
        name="column_nonzeros",
        values=tuple(reversed(values)),
        plain=active_rows,
        effect=_keep_few,
        network_effect="lrmp.accuracy.lab.quantization.column_pruning:keep_largest",
        unit="weights",
        about="Weights other than 0 that every column has among the rows driven together: half as "
        "many save a bit of the ADC without any error in the sums.",
    )
