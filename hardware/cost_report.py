"""What a design costs, layer by layer."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from lrmp.hardware.frozen_arrays import FrozenArrays, IntArray, read_only

Objective = Literal["latency", "throughput"]


@dataclass(frozen=True, eq=False)
class CostReport(FrozenArrays):
    """Exact cost of a design.

    The layers of one image run one after the other, so the latency is the sum over layers. With
    an image in every layer (a pipeline in steady state) the slowest layer sets the rate, so the
    throughput is the clock divided by its cycles. Nothing else overlaps: within a layer the
    multiplications and the output path add up.

    Attributes:
        layer_tiles: Tiles held by all copies of a layer, shape (L,).
        mvm_cycles: Cycles of a layer's multiplications, divided among its copies, shape (L,).
        output_cycles: Cycles of a layer's output path, shared by its copies, shape (L,).
        clock_hz: Clock in Hz.
    """

    layer_tiles: IntArray
    mvm_cycles: IntArray
    output_cycles: IntArray
    clock_hz: int

    @cached_property
    def layer_cycles(self) -> IntArray:
        """Cycles of every layer, shape (L,): multiplications and output path."""
        return read_only(self.mvm_cycles + self.output_cycles)

    @cached_property
    def tiles(self) -> int:
        """Tiles held by the design."""
        return int(self.layer_tiles.sum())

    @cached_property
    def latency_cycles(self) -> int:
        """Cycles of one inference."""
        return int(self.layer_cycles.sum())

    @cached_property
    def bottleneck_cycles(self) -> int:
        """Cycles of the slowest layer, between two images of a full pipeline."""
        return int(self.layer_cycles.max())

    @property
    def latency_s(self) -> float:
        """Seconds of one inference."""
        return self.latency_cycles / self.clock_hz

    @property
    def throughput_per_s(self) -> float:
        """Inferences per second of a full pipeline."""
        return self.clock_hz / self.bottleneck_cycles

    def cycles(self, objective: Objective) -> int:
        """Return what the objective minimises.

        Args:
            objective: ``"latency"`` or ``"throughput"``.

        Returns:
            ``latency_cycles`` or ``bottleneck_cycles``.
        """
        return self.latency_cycles if objective == "latency" else self.bottleneck_cycles
