"""Latency: the cycles of every layer, component by component."""

import numpy as np

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.cost.conversion import Conversion
from lrmp.hardware.cost.mapping import TileMapping, ceil_div, over
from lrmp.hardware.cost.memory_traffic import MemoryTraffic
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.networks.network import Network
from lrmp.hardware.networks.shared_network import in_a_round
from lrmp.hardware.space.computation import Computation

#: Components of a layer's cycles, in the order of the first axis of its breakdown.
CYCLE_COMPONENTS = (
    "input",
    "mvm",
    "accumulation",
    "output",
    "vector",
    "noc",
    "digital",
    "write",
)


class Latency:
    """Cycles of the layers of a network, for every setting.

    A layer with r copies takes ``ceil(units / r)`` times what one unit of work takes, and what
    copies do not shorten. Copies share output positions, or with ``shared_work = "row-groups"``
    the row groups of every position too, so that a layer with one position can be sped up.
    Time steps of recurrent layers run one after another: copies share the work within a step.

    For a unit, with ``t = ceil(a / dac_bits)`` input steps and the chip's extra ones (times
    ``reads`` and the ``passes`` of circulant blocks), X columns per ADC:

    - input: ``ceil(inputs * a / input_bits_per_cycle)`` for the inputs of one crossbar, or of the
      row group; those of the copy's other crossbars arrive at the same time. Here and on the noc
      floats that share exponents have ``float_input_bits`` in the place of a;
    - mvm: ``t * row groups * (read_cycles + X conversions)``, the bracket that of `Conversion`, a
      single row group where copies share them; all crossbars of a copy work at the same time,
      every ADC steps through all its X columns;
    - accumulation: ``accumulation_cycles`` per pass and level of the adder tree over the row tiles
      of all averaged sets, and one level more to join row groups where copies share several;
    - with ``output_path = "per-copy"`` also output, ``ceil(M / output_elements_per_cycle)``, and
      vector, its share of the layer's operations, rounded up, / ``vector_lanes``.

    These add up, or with ``overlap = "positions"`` the units of a copy pass a pipeline of four
    stages (mvm and accumulation are one): n units take n times the slowest stage, and the other
    stages once, to fill it. In the breakdown of a unit, mvm and accumulation count whole, and of
    input, output and vector, in this order, what exceeds the slowest before; the rest of these
    three is the filling.

    Not shortened by copies:

    - with ``output_path = "shared"``, and on the digital unit, output, ``ceil(P * M /
      output_elements_per_cycle)``, and vector, all operations of the layer / ``vector_lanes``;
    - noc: the layer's distinct inputs / ``noc_bits_per_cycle``, after the first flit's hops;
    - input, output and vector: the filling, once per time step;
    - write: one write of the matrix of a matmul layer kept in crossbars. In a time-multiplexed
      chip every layer is written, in as many rounds as its tiles need, and each round fills the
      pipeline and runs all its units. A write takes no less than the weights of the round, which
      all copies share, take at ``weight_bits_per_cycle``.

    Of networks that share a chip all is counted for a round, in which a layer runs as often as its
    network does.

    A chip whose memory gives ``memory_bits_per_cycle`` takes no less for a layer than its distinct
    inputs and outputs, of as many bits as inputs, take there, and the matrix where it is written in
    every inference; what that is longer counts as input. Copies do not shorten it. Layers of a full
    pipeline are taken to have as much of it each. With ``off_chip_bits_per_cycle`` that is the
    buffer, and `MemoryTraffic` says what goes off the chip instead, which a layer waits for in the
    same way; layers of a full pipeline take turns there.

    A matmul layer on the digital unit is one unit of ``ceil(MACs / digital_macs_per_cycle)``. The
    chip has one digital unit, whose whole rate this is: layers on it take turns.

    Attributes:
        units: Units of work that copies share. This and the others have an axis per knob, of size 1
            where the knob plays no part, and the layers last, as in `Computation`.
        parts: Cycles by component, two axes of size 3 and 8 before the others: those of one unit,
            in all time steps together, those of a round, and the others that copies do not shorten.
            Stationary weights have no rounds; what is once for a round is among the others.
        unit_cycles: Sum of the components of a unit.
        round_cycles: Sum of the components of a round.
        fixed_cycles: Sum of the others.
        least_interval: Cycles of the digital unit in one inference, whatever the settings and
            copies: a pipeline cannot take images faster.
        transfer_cycles: What the memory behind the chip takes for a layer, in all its runs; None
            for a chip without one.
        off_chip_cycles: What the memory off the chip takes of them; None for a chip without one.
        writes: How often weights are written per inference where positions come in blocks, as
            `MemoryTraffic` decides; None for a chip without a memory off it.
        rounds: Times that a time-multiplexed chip writes and runs a layer per inference; None for a
            chip whose weights are stationary.

    Args:
        network: L layers.
        accelerator: The chip.
        computation: What the crossbars compute, for every setting.
        mapping: Where the layers sit.
        conversion: What the ADCs resolve.
    """

    def __init__(
        self,
        network: Network,
        accelerator: Accelerator,
        computation: Computation,
        mapping: TileMapping,
        conversion: Conversion,
    ) -> None:
        chip = accelerator
        width = computation.activation_bits
        arriving = width if computation.shared_exponents is None else chip.float_input_bits
        on = mapping.on_crossbars
        share_groups = chip.shared_work == "row-groups"
        per_copy = chip.output_path == "per-copy"

        one = np.ones((1,) * mapping.row_groups.ndim, dtype=np.int64)
        groups_shared = mapping.row_groups if share_groups else one
        parallel_positions = network.positions // network.time_steps
        self.units: IntArray = read_only(np.where(on, parallel_positions * groups_shared, 1))

        inputs = mapping.inputs_per_row_group if share_groups else mapping.inputs_per_tile
        tree_levels = np.frexp(mapping.added_tiles - 1)[1].astype(np.int64)  # bits of n - 1
        tree_levels = tree_levels + (groups_shared > 1)
        groups_in_turn = mapping.row_groups // groups_shared
        steps = ceil_div(width, chip.dac_bits) + chip.extra_input_steps
        steps = steps * computation.reads * mapping.passes
        mvm = steps * groups_in_turn * conversion.cycles
        accumulation = tree_levels * chip.accumulation_cycles * mapping.passes
        stages = {"input": over(inputs * arriving, chip.input_bits_per_cycle)}
        if per_copy:
            unit_ops = ceil_div(network.vector_ops, network.positions * groups_shared)
            stages["output"] = over(network.columns, chip.output_elements_per_cycle)
            stages["vector"] = over(unit_ops, chip.vector_lanes)
        a_round = {}
        if chip.overlap == "positions":
            slowest = mvm + accumulation
            for name, cycles in stages.items():
                stages[name] = np.maximum(0, cycles - slowest)
                a_round[name] = (cycles - stages[name]) * on * network.time_steps
                slowest = np.maximum(slowest, cycles)
        in_crossbars = {"mvm": mvm, "accumulation": accumulation} | stages
        unit = {name: cycles * on * network.time_steps for name, cycles in in_crossbars.items()}
        unit["digital"] = over(network.macs_by_layer, chip.digital_macs_per_cycle) * ~on

        shared = ~on | (not per_copy)
        elements = network.positions * network.columns
        fixed = {
            "output": over(elements, chip.output_elements_per_cycle) * shared,
            "vector": over(network.vector_ops, chip.vector_lanes) * shared,
        }
        if chip.noc_bits_per_cycle:
            transfer = ceil_div(mapping.input_elements * arriving, chip.noc_bits_per_cycle)
            fixed["noc"] = transfer + chip.noc_hops * chip.noc_hop_cycles
        self.rounds: IntArray | None = None
        written = on & network.is_matmul
        if chip.is_time_multiplexed:
            self.rounds = read_only(np.maximum(1, ceil_div(mapping.tiles, chip.tiles)))
            written = on
        writing = written * chip.write_cycles
        weights: IntArray = computation.rows * computation.columns * computation.weight_bits
        if chip.weight_bits_per_cycle and self.rounds is not None:
            fetched = ceil_div(ceil_div(weights, self.rounds), chip.weight_bits_per_cycle)
            writing = np.maximum(writing, written * fetched)
        a_round["write"] = writing
        weights = np.where(written, weights, 0)

        all_parts = (unit, a_round, fixed)
        shape = np.broadcast_shapes(*(np.shape(c) for part in all_parts for c in part.values()))
        parts = np.stack([_stack(shape, part) for part in all_parts])
        if self.rounds is None:
            parts[2] += parts[1]
            parts[1] = 0
        self.transfer_cycles: IntArray | None = None
        self.off_chip_cycles: IntArray | None = None
        self.writes: IntArray | None = None
        if chip.off_chip_bits_per_cycle or chip.memory_bits_per_cycle:
            parts = self._with_memory(network, chip, mapping, arriving, weights, parts)
        digital = unit["digital"]
        if network.runs is not None:
            parts, digital = (in_a_round(network.runs, cycles) for cycles in (parts, digital))
        self.parts: IntArray = read_only(parts)
        self.unit_cycles: IntArray = read_only(parts[0].sum(axis=0))
        self.round_cycles: IntArray = read_only(parts[1].sum(axis=0))
        self.fixed_cycles: IntArray = read_only(parts[2].sum(axis=0))
        self.least_interval = int(digital.sum())

    def _with_memory(
        self,
        network: Network,
        chip: Accelerator,
        mapping: TileMapping,
        arriving: IntArray | int,
        weights: IntArray,
        parts: IntArray,
    ) -> IntArray:
        """Count what the memory takes; return the parts, with weights written as often as it says.

        Arriving are the bits of an input or output, weights those of what is written.
        """
        runs = 1 if network.runs is None else network.runs
        if not chip.off_chip_bits_per_cycle:
            elements: IntArray = mapping.input_elements + network.positions * network.columns
            transfer = over(elements * arriving + weights, chip.memory_bits_per_cycle)
            self.transfer_cycles = read_only(transfer * runs)
            return parts
        work, of_a_round, rest = parts.sum(axis=1)
        turns = 1 if self.rounds is None else self.rounds
        traffic = MemoryTraffic.of(
            network,
            chip,
            mapping,
            value_bits=arriving,
            weight_bits=weights,
            work_cycles=self.units * work * turns + rest,
            round_cycles=of_a_round * turns,
        )
        self.transfer_cycles = read_only(traffic.cycles * runs)
        self.off_chip_cycles = read_only(traffic.off_chip_cycles * runs)
        self.writes = traffic.blocks
        in_blocks = parts[0], parts[1] * traffic.blocks, parts[2]
        return np.stack(np.broadcast_arrays(*in_blocks))


def _stack(shape: tuple[int, ...], parts: dict[str, IntArray]) -> IntArray:
    """Stack the components in their order; those not given take no time."""
    stacked = np.zeros((len(CYCLE_COMPONENTS), *shape), dtype=np.int64)
    for name, cycles in parts.items():
        stacked[CYCLE_COMPONENTS.index(name)] = cycles
    return stacked
