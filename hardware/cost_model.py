"""The cost model: tiles and cycles of a network on an accelerator, exact and vectorised."""

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from lrmp.errors import DesignError
from lrmp.hardware.accelerator import Accelerator
from lrmp.hardware.cost_report import CostReport
from lrmp.hardware.design import MAX_BITS, Design, as_integers, check_bits
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.network import Network


def ceil_div(numerator: IntArray, denominator: IntArray | int) -> IntArray:
    """Divide positive integers, rounding up, without leaving the integers.

    Args:
        numerator: Any shape.
        denominator: Broadcastable to it.

    Returns:
        The quotients, int64.
    """
    return -(-numerator // denominator)


class CostModel:
    """Cost of designs for one network on one accelerator.

    For a layer with K rows, M columns, P positions, w weight bits, a activation bits and r copies
    on crossbars of R x C cells of c bits, with d input bits and p rows at a time, X columns per
    ADC and V output elements per cycle:

    - tiles per copy: ``ceil(K/R) * ceil(M/C) * ceil(w/c)``; bit slices on separate crossbars,
      copies never share one;
    - cycles per position: ``ceil(a/d) * ceil(min(K,R)/p) * X``; the row tiles of a layer work at
      the same time;
    - multiplication cycles: ``ceil(P/r)`` positions in the busiest copy times that;
    - output cycles: ``ceil(P*M/V)``, not divided by the copies; 0 when V is 0.

    The formulas are a reconstruction that fits LRMP's published ranges; V is calibrated.

    Args:
        network: L layers.
        accelerator: The chip.
    """

    def __init__(self, network: Network, accelerator: Accelerator) -> None:
        self.network = network
        self.accelerator = accelerator
        chip = accelerator
        self._layer_names = [layer.name for layer in network.layers]
        self._tiles_per_slice = ceil_div(network.rows, chip.crossbar_rows) * ceil_div(
            network.columns, chip.crossbar_columns
        )
        row_groups = ceil_div(np.minimum(network.rows, chip.crossbar_rows), chip.active_rows)
        self._cycles_per_input = row_groups * chip.columns_per_adc
        rate = chip.output_elements_per_cycle
        elements = network.positions * network.columns
        #: Cycles of every layer's output path, shape (L,).
        self.output_cycles: IntArray = read_only(
            ceil_div(elements, rate) if rate else np.zeros_like(elements)
        )

    def tiles_per_copy(self, weight_bits: ArrayLike) -> IntArray:
        """Count the tiles that one copy of every layer holds.

        Args:
            weight_bits: Shape (..., L), each 2..8.

        Returns:
            Tiles, shape (..., L).

        Raises:
            DesignError: If the bits are out of range or of the wrong shape.
        """
        bits = check_bits("weight_bits", weight_bits, self._layer_names)
        return self._tiles_per_slice * ceil_div(bits, self.accelerator.cell_bits)

    def cycles_per_position(self, activation_bits: ArrayLike) -> IntArray:
        """Count the cycles of one matrix-vector multiplication of every layer.

        Args:
            activation_bits: Shape (..., L), each 2..8.

        Returns:
            Cycles, shape (..., L).

        Raises:
            DesignError: If the bits are out of range or of the wrong shape.
        """
        bits = check_bits("activation_bits", activation_bits, self._layer_names)
        return self._cycles_per_input * ceil_div(bits, self.accelerator.dac_bits)

    def mvm_cycles(self, activation_bits: ArrayLike, replication: ArrayLike) -> IntArray:
        """Count the cycles of all multiplications of every layer.

        Args:
            activation_bits: Shape (..., L), each 2..8.
            replication: Copies, broadcastable to it, each at least 1.

        Returns:
            Cycles, shape (..., L).

        Raises:
            DesignError: If the bits or copies are out of range or of the wrong shape.
        """
        copies = as_integers("replication", replication)
        if copies.ndim and copies.shape[-1] not in (1, len(self.network)):
            raise DesignError(
                f"Expected {len(self.network)} replication counts, one per layer, "
                f"got {copies.shape[-1]}."
            )
        if (copies < 1).any():
            raise DesignError(f"Expected replication of at least 1, got {copies.min()}.")
        return ceil_div(self.network.positions, copies) * self.cycles_per_position(activation_bits)

    def evaluate(self, design: Design) -> CostReport:
        """Cost a design.

        Args:
            design: Bits and copies of the L layers.

        Returns:
            Its exact cost, layer by layer.

        Raises:
            DesignError: If the design has another number of layers than the network.
        """
        if len(design) != len(self.network):
            raise DesignError(
                f"Expected a design of {len(self.network)} layers for {self.network.name}, "
                f"got {len(design)}."
            )
        return CostReport(
            layer_tiles=read_only(self.tiles_per_copy(design.weight_bits) * design.replication),
            mvm_cycles=read_only(self.mvm_cycles(design.activation_bits, design.replication)),
            output_cycles=self.output_cycles,
            clock_hz=self.accelerator.clock_hz,
        )

    @cached_property
    def baseline(self) -> CostReport:
        """Cost of the plain chip: 8-bit weights and activations, one copy of every layer."""
        return self.evaluate(Design.uniform(len(self.network), MAX_BITS, MAX_BITS))
