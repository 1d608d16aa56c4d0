"""What crossbars save by weights that are left out."""

from dataclasses import replace

import numpy as np

from lrmp.errors import DesignError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.cost.conversion import check_that_zeros_help
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.pruning import CHANNELS, COLUMNS, FINE


def prune(network: Network, accelerator: Accelerator, computation: Computation) -> Computation:
    """Find out what is left of rows, columns' weights and cells that draw current.

    With ``floor(ratio * n)`` of n things left out:

    - of C input channels of a group: K loses the rows of their kernel elements, and nobody reads
      their inputs. Neither the layer that computes them nor its columns change: others may read
      them. A kernel that is not square counts as one of its longer side, as far as that divides K.
    - of the p rows that are driven together: a column holds n of p weights other than 0 there, and
      its ADC needs the bits that ``column_nonzeros`` of n does. Cells of the others draw no
      current.
    - of all K * M weights of a layer: their cells draw no current. Rows, columns, conversions and
      time stay.

    A product of two activations has no weights to leave out.

    Args:
        network: L layers.
        accelerator: The chip.
        computation: For every setting.

    Returns:
        With ``rows``, ``column_nonzeros``, ``kept_weights`` and ``kept_input_elements`` as they are
        then; the computation itself where no knob prunes.

    Raises:
        DesignError: If another knob says which weights a crossbar holds, too, or the chip gains
            nothing by zeros.
    """
    percent, part = computation.kept_percent, computation.pruned_part
    if percent is None:
        return computation
    for name in ("column_nonzeros", "block_size"):
        if getattr(computation, name) is not None:
            raise DesignError(
                "Expected one knob that says which weights a crossbar can hold, got pruning_ratio "
                f"and {name}. Leave one of them out of the design space."
            )
    part = np.full_like(percent, FINE) if part is None else part
    if network.is_matmul.any():
        percent = np.where(network.is_matmul, 100, percent)
    _check_chip(accelerator, percent, part)

    def kept(total: IntArray | int, of: int) -> IntArray:
        """Count what is left of a part; all where another one is pruned."""
        left: IntArray = total - np.where(part == of, total * (100 - percent) // 100, 0)
        return left

    elements = np.gcd(computation.rows, network.kernel_elements)
    channels = computation.rows // elements
    left = kept(channels, CHANNELS)
    rows, columns = left * elements, computation.columns
    nonzeros = kept(accelerator.active_rows, COLUMNS)
    of_columns = _in_row_groups(rows, nonzeros, accelerator) * columns
    return replace(
        computation,
        rows=rows,
        column_nonzeros=nonzeros,
        kept_weights=np.minimum(of_columns, kept(rows * columns, FINE)),
        kept_input_elements=network.input_elements * left // channels,
    )


def _in_row_groups(rows: IntArray, nonzeros: IntArray, chip: Accelerator) -> IntArray:
    """Count the weights other than 0 that a column has in all its row groups."""
    crossbar = max(1, chip.crossbar_rows // chip.rows_per_weight)
    together = max(1, chip.active_rows // chip.rows_per_weight)

    def in_crossbar(own: IntArray | int) -> IntArray:
        found: IntArray = own // together * np.minimum(nonzeros, together)
        return found + np.minimum(nonzeros, own % together)

    return rows // crossbar * in_crossbar(crossbar) + in_crossbar(rows % crossbar)


def _check_chip(chip: Accelerator, percent: IntArray, part: IntArray) -> None:
    """Refuse a chip that gains nothing by zeros which are no whole rows."""
    if (percent < 100).any() and (part != CHANNELS).any():
        which = "fine" if (part == FINE).any() else "columns"
        check_that_zeros_help(chip, f"pruning_method {which}")
