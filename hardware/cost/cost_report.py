"""What a design costs, layer by layer and component by component."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from lrmp.errors import DesignError, PresetError
from lrmp.hardware.cost.energy import ENERGY_COMPONENTS
from lrmp.hardware.cost.latency import CYCLE_COMPONENTS
from lrmp.hardware.frozen_arrays import FrozenArrays, IntArray
from lrmp.hardware.layer_table import LayerTable, Row, rows_of
from lrmp.hardware.networks.shared_network import layers_of
from lrmp.hardware.short_repr import short_repr

Objective = Literal["latency", "throughput", "energy", "edp", "weighted_throughput"]
#: Those that say different things of one network; of several, every objective counts a round.
NETWORK_OBJECTIVES: tuple[Objective, ...] = ("latency", "throughput", "energy", "edp")
COST_UNITS: dict[Objective, str] = {
    "latency": "cycles",
    "throughput": "cycles",
    "energy": "fJ",
    "edp": "fJ cycles",
    "weighted_throughput": "billionths of a cycle",
}

#: Cycles in which rounds are counted: so many that the rest is of no account, and so few that the
#: rounds of some networks fit 64 bits.
SPAN = 10**17
BILLION = 10**9

_DIGITAL = CYCLE_COMPONENTS.index("digital")


@dataclass(frozen=True, eq=False)
class CostReport(FrozenArrays, LayerTable):
    """Exact cost of a design.

    Two schedules. *Layer by layer*: the layers of one image run one after the other, so the latency
    is the sum over layers. *Pipelined*: every layer works on an image of its own and hands it on
    when it is done and the next layer is free, so that the first result comes after the latency
    and one more every ``bottleneck_cycles``, those of the slowest layer. The layers on the digital
    unit take turns on it: where its cycles add up to more than the slowest layer's, the unit is the
    bottleneck (layers then wait for it, with a buffer in front of each, and the first result may
    come later), and likewise the memory off the chip, which all layers share. What overlaps within
    a layer is said in `Latency`. The layers of a time-multiplexed chip take turns on its tiles, so
    nothing can be pipelined.

    Attributes:
        layer_tiles: Tiles held by all copies of a layer, shape (L,).
        component_cycles: Cycles by component (``CYCLE_COMPONENTS``) and layer, shape (8, L).
        component_energy_fj: Femtojoules of one inference by component (``ENERGY_COMPONENTS``) and
            layer, shape (12, L); None without known energies.
        clock_hz: Clock in Hz.
        pipelined: Whether images can follow each other layer by layer.
        networks: How many layers every network has, where several share the chip and all is counted
            for a round; empty where there is one.
        off_chip_cycles: Cycles of all layers on a memory off the chip, where they take turns; 0
            for none.
    """

    layer_tiles: IntArray
    component_cycles: IntArray
    component_energy_fj: IntArray | None
    clock_hz: int
    pipelined: bool = True
    networks: tuple[int, ...] = ()
    off_chip_cycles: int = 0

    def __repr__(self) -> str:
        facts = [
            f"{len(self.layer_tiles)} layers",
            f"{self.tiles:,} tiles",
            f"latency {self.latency_s:.4g} s",
            f"throughput {self.throughput_per_s:.4g} /s",
        ]
        if self.component_energy_fj is not None:
            facts.append(f"energy {self.energy_j:.4g} J")
        return short_repr(self, *facts)

    @cached_property
    def layer_cycles(self) -> IntArray:
        """Cycles of every layer, shape (L,)."""
        return _sum_by_layer(self.component_cycles)

    @cached_property
    def layer_energy_fj(self) -> IntArray:
        """Femtojoules of every layer, shape (L,).

        Raises:
            PresetError: If the accelerator gives no energies.
        """
        return _sum_by_layer(self._energy())

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
        """Cycles between two images of a full pipeline: of the slowest layer or what they share."""
        if not self.pipelined:
            return self.latency_cycles
        digital = int(self.component_cycles[_DIGITAL].sum())
        return max(int(self.layer_cycles.max()), digital, self.off_chip_cycles)

    @cached_property
    def network_intervals(self) -> tuple[int, ...]:
        """Cycles of every network's slowest layer in a round, were it alone in the pipeline."""
        if not self.networks:
            return (self.bottleneck_cycles,)
        return tuple(int(self.layer_cycles[own].max()) for own in layers_of(self.networks))

    @property
    def fill_cycles(self) -> int:
        """Cycles to fill the pipeline: n images take these and n times ``bottleneck_cycles``.

        At least these, where layers wait for the digital unit.
        """
        return self.latency_cycles - self.bottleneck_cycles

    @cached_property
    def energy_fj(self) -> int:
        """Femtojoules of one inference.

        Raises:
            PresetError: If the accelerator gives no energies.
        """
        return int(self._energy().sum())

    @property
    def edp(self) -> int:
        """Energy-delay product of one inference in femtojoule-cycles.

        Raises:
            PresetError: If the accelerator gives no energies.
        """
        return self.energy_fj * self.latency_cycles

    @property
    def latency_s(self) -> float:
        """Seconds of one inference."""
        return self.latency_cycles / self.clock_hz

    @property
    def throughput_per_s(self) -> float:
        """Inferences per second of a full pipeline."""
        return self.clock_hz / self.bottleneck_cycles

    @property
    def energy_j(self) -> float:
        """Joules of one inference.

        Raises:
            PresetError: If the accelerator gives no energies.
        """
        return self.energy_fj / 1e15

    @property
    def cycle_breakdown(self) -> dict[str, int]:
        """Cycles of one inference by component; they sum to ``latency_cycles``."""
        totals = self.component_cycles.sum(axis=1).tolist()
        return dict(zip(CYCLE_COMPONENTS, totals, strict=True))

    @property
    def energy_breakdown_fj(self) -> dict[str, int]:
        """Femtojoules of one inference by component; they sum to ``energy_fj``.

        Raises:
            PresetError: If the accelerator gives no energies.
        """
        totals = self._energy().sum(axis=1).tolist()
        return dict(zip(ENERGY_COMPONENTS, totals, strict=True))

    def tiles_text(self, budget: int) -> str:
        """Word how many of a chip's tiles the design takes.

        Args:
            budget: Tiles on the chip.

        Returns:
            Such as ``"120 of 1608"``; where layers take turns, ``"727 in turn on 1"``.
        """
        return f"{self.tiles:,} {'of' if self.pipelined else 'in turn on'} {budget:,}"

    def interval_cycles(self, images_in_flight: int | None = None) -> int:
        """Count the cycles between two results in steady state.

        Args:
            images_in_flight: Images that buffers allow on the chip at the same time; None for as
                many as there are layers. 1 is the layer-by-layer schedule.

        Returns:
            ``max(bottleneck_cycles, ceil(latency_cycles / images_in_flight))``.

        Raises:
            DesignError: If the number is not positive.
        """
        if images_in_flight is None:
            return self.bottleneck_cycles
        if images_in_flight < 1:
            raise DesignError(f"Expected at least 1 image in flight, got {images_in_flight}.")
        return max(self.bottleneck_cycles, -(-self.latency_cycles // images_in_flight))

    def cost(self, objective: Objective) -> int:
        """Return what the objective minimises.

        Args:
            objective: ``"latency"``, ``"throughput"``, ``"energy"``, ``"edp"`` or
                ``"weighted_throughput"``.

        Returns:
            ``latency_cycles``, ``bottleneck_cycles``, ``energy_fj``, ``edp`` or the mean
            interval, ``mean_interval(network_intervals)``.

        Raises:
            PresetError: If the accelerator gives no energies and the objective needs them.
        """
        match objective:
            case "latency":
                return self.latency_cycles
            case "throughput":
                return self.bottleneck_cycles
            case "energy":
                return self.energy_fj
            case "edp":
                return self.edp
            case "weighted_throughput":
                return mean_interval(self.network_intervals)

    def to_table(self) -> list[Row]:
        """Return the cost of every layer, and what it adds up from.

        Returns:
            One mapping per layer: ``"layer"``, its number from 0; ``"tiles"``; ``"cycles"``;
            ``"energy_fj"``; ``"input_cycles"`` and so on by component of ``CYCLE_COMPONENTS``,
            ``"adc_fj"`` and so on by component of ``ENERGY_COMPONENTS``. Energies are None where
            they are not known.
        """
        count, energy = len(self.layer_tiles), self.component_energy_fj
        unknown = [None] * count
        return rows_of(
            {
                "layer": range(count),
                "tiles": self.layer_tiles.tolist(),
                "cycles": self.layer_cycles.tolist(),
                "energy_fj": unknown if energy is None else self.layer_energy_fj.tolist(),
            }
            | {
                f"{name}_cycles": cycles
                for name, cycles in zip(
                    CYCLE_COMPONENTS, self.component_cycles.tolist(), strict=True
                )
            }
            | {
                f"{name}_fj": unknown if energy is None else energy[index].tolist()
                for index, name in enumerate(ENERGY_COMPONENTS)
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return totals, what they add up from, and the layers' shares as plain JSON values.

        Returns:
            A mapping that ``json.dumps`` accepts; energies are None where they are not known.
        """
        known = self.component_energy_fj is not None
        return {
            "tiles": self.tiles,
            "latency_cycles": self.latency_cycles,
            "latency_s": self.latency_s,
            "bottleneck_cycles": self.bottleneck_cycles,
            "throughput_per_s": self.throughput_per_s,
            "energy_fj": self.energy_fj if known else None,
            "energy_j": self.energy_j if known else None,
            "cycle_breakdown": self.cycle_breakdown,
            "energy_breakdown_fj": self.energy_breakdown_fj if known else None,
            "layer_tiles": self.layer_tiles.tolist(),
            "layer_cycles": self.layer_cycles.tolist(),
            "layer_energy_fj": self.layer_energy_fj.tolist() if known else None,
        }

    def _energy(self) -> IntArray:
        if self.component_energy_fj is None:
            raise PresetError(
                "Expected an accelerator that gives the energy of its events, got none. Take "
                "another preset, or add an [energy] table to your own."
            )
        return self.component_energy_fj


def mean_interval(intervals: Sequence[int]) -> int:
    """Average the intervals of networks that share a chip, as weighted throughput does.

    A network of interval I starts a round every I cycles. The mean is that of throughputs, so it is
    the harmonic one of intervals, and the network with the least counts most.

    Args:
        intervals: Cycles from round to round of every network, each at least 1.

    Returns:
        ``n / sum(1 / I)``, in billionths of a cycle, rounded up; the throughputs are counted in
        whole rounds (``rounds_of``), so that sums of them are exact.
    """
    total = sum(map(rounds_of, intervals))
    return -(-len(intervals) * BILLION * SPAN // total)


def rounds_of(interval: int) -> int:
    """Count the rounds that a network starts in ``SPAN`` cycles.

    Args:
        interval: Cycles from round to round, at least 1.

    Returns:
        Whole rounds; 1 if the interval is longer.
    """
    return max(SPAN // interval, 1)


def _sum_by_layer(components: IntArray) -> IntArray:
    total: IntArray = components.sum(axis=0)
    total.setflags(write=False)
    return total
