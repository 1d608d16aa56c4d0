"""The vectorised cost model against a plain one, layer by layer in exact fractions.

The plain one places blocks, counts rows and moves through row groups one by one, and follows the
docstrings of ``TileMapping``, ``OperationUnitMapping``, ``Latency`` and ``Energy``. Energies and
leakages are multiples of a quarter, so that the model's floats are exact and it rounds the same
numbers.
"""

from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import partial
from math import ceil, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrmp.hardware import (
    CYCLE_COMPONENTS,
    ENERGY_COMPONENTS,
    PRECISION,
    Accelerator,
    Component,
    CostModel,
    Design,
    DesignSpace,
    EventEnergies,
    Knob,
    Layer,
    Network,
    load_network,
    load_preset,
)
from lrmp.hardware.chip.accelerator import PARAMETERS
from lrmp.hardware.chip.adc import SAR_32NM
from lrmp.hardware.cost.energy import COPY_COMPONENTS
from lrmp.hardware.cost.setting_table import Places
from lrmp.hardware.space.column_nonzeros import column_nonzeros

reproducible = settings(derandomize=True, deadline=None, max_examples=50)
many = settings(reproducible, max_examples=300)


# ------------------------------------------------------------------------------ plain cost model


def cut(length, piece):
    """Cut a length into pieces, the last one what is left."""
    pieces = [piece] * (length // piece)
    return [*pieces, length % piece] if length % piece else pieces


@dataclass
class Placement:
    """One copy of a layer."""

    tiles: int
    columns: int
    cells: int
    driven_rows: int
    row_tiles: int
    blocks_per_tile: int
    conversions: int
    stacks: int = 1


def units_of(layer, chip, weight_bits):
    """Cut a layer into operation units, by the column of blocks that they belong to."""
    rows, columns = layer.rows * rows_per_weight(chip), layer.columns // layer.groups
    columns *= 2 if chip.weight_encoding == "differential-columns" else 1
    columns += chip.reference_columns if chip.weight_encoding == "offset" else 0
    down = len(cut(rows, chip.active_rows)) * slices_of(chip, weight_bits)
    return [down] * len(cut(columns, chip.active_columns)) * layer.groups, columns * layer.groups


def slices_of(chip, weight_bits):
    """Fill slices with the bits of a weight, one after the other."""
    bits = max(1, weight_bits - 1) if chip.stored_bits == "magnitude" else weight_bits
    widths, slices = list(chip.slice_bits), 0
    while bits > 0:
        bits -= widths.pop(0) if widths else chip.cell_bits
        slices += 1
    return slices


def units_per_tile(chip):
    fitting = [row for row in cut(chip.crossbar_rows, chip.active_rows) if row == chip.active_rows]
    across = cut(chip.crossbar_columns, chip.active_columns)
    return len(fitting) * across.count(chip.active_columns)


def rows_per_weight(chip):
    return 2 if chip.weight_encoding == "differential-rows" else 1


def place_units(layer, chip, weight_bits):
    """Place a layer in a crossbar that reads one operation unit after the other."""
    by_column, columns = units_of(layer, chip, weight_bits)
    units = sum(by_column)
    return Placement(
        tiles=len(cut(units, units_per_tile(chip))),
        columns=columns,
        cells=units * chip.active_rows * chip.active_columns,
        driven_rows=units * chip.active_rows,
        row_tiles=len(cut(by_column[0], units_per_tile(chip))),
        blocks_per_tile=1,
        conversions=units * chip.active_columns,
    )


def place(layer, chip, weight_bits):
    if chip.active_columns:
        return place_units(layer, chip, weight_bits)
    slices = slices_of(chip, weight_bits)
    rows, columns = layer.rows, layer.columns // layer.groups
    reference = 0
    match chip.weight_encoding:
        case "offset":
            reference = chip.reference_columns
        case "differential-columns":
            columns *= 2
        case "differential-rows":
            rows *= 2
    if chip.slice_placement == "packed":
        width = slices + chip.sum_columns
        blocks = [columns * width + reference]  # widths of the blocks of a group
        converted = columns * len(cut(width, chip.slices_per_conversion)) + reference
    else:
        blocks = [columns + reference] * slices
        converted = sum(blocks)
    row_pieces = cut(rows, chip.crossbar_rows)
    tiles = driven_rows = 0
    for width in blocks:
        column_pieces = cut(width, chip.crossbar_columns)
        blocks_per_tile = 1
        if len(row_pieces) == len(column_pieces) == 1:
            while (
                blocks_per_tile < layer.groups
                and rows * (blocks_per_tile + 1) <= chip.crossbar_rows
                and width * (blocks_per_tile + 1) <= chip.crossbar_columns
            ):
                blocks_per_tile += 1
        tiles += len(cut(layer.groups, blocks_per_tile)) * len(row_pieces) * len(column_pieces)
        driven_rows += sum(row_pieces) * len(column_pieces) * layer.groups
    return Placement(
        tiles=tiles,
        columns=converted * layer.groups,
        cells=sum(blocks) * layer.groups * rows,
        driven_rows=driven_rows,
        row_tiles=len(row_pieces),
        blocks_per_tile=blocks_per_tile,
        stacks=len(cut(layer.groups, blocks_per_tile)) * len(column_pieces),
        conversions=converted
        * layer.groups
        * sum(len(cut(piece, chip.active_rows)) for piece in row_pieces),
    )


def row_groups(layer, chip, weight_bits):
    """Fill the row groups of the fullest crossbar and return the distinct inputs of each."""
    rows_per_input = rows_per_weight(chip)
    if chip.active_columns:
        units = sum(units_of(layer, chip, weight_bits)[0])
        inputs = min(layer.rows, ceil(Fraction(chip.active_rows, rows_per_input)))
        return [inputs] * min(units, units_per_tile(chip))
    rows = min(layer.rows * rows_per_input, chip.crossbar_rows)
    groups, free = [], 0
    for _ in range(place(layer, chip, min(PRECISION["weight_bits"].values)).blocks_per_tile):
        if rows > free:  # does not fit as a whole
            groups += cut(rows, chip.active_rows)
            free = chip.active_rows - rows
        else:
            groups[-1] += rows
            free -= rows
    return [ceil(Fraction(group, rows_per_input)) for group in groups]


def over(amount, rate):
    return ceil(Fraction(amount, rate)) if rate else 0


def on_crossbars(layer, chip):
    return layer.kind != "matmul" or chip.dynamic_matmul == "rewrite"


def with_rows(layer, chip, kept_rows):
    """Return what is left of a layer in the crossbars."""
    if kept_rows == "all" or not on_crossbars(layer, chip):
        return layer
    return replace(layer, rows=ceil(Fraction(layer.rows, 2)))


def resolved_bits(layer, chip, nonzeros):
    """Return the bits of a conversion, counted from the sums of a column."""
    if chip.adc in ("fixed", "none"):
        return chip.adc_bits
    weighed = 2 ** (chip.cell_bits * chip.slices_per_conversion) - 1
    largest = chip.active_rows * weighed * (2**chip.dac_bits - 1)
    sums = [largest + 1]  # from 0 on
    if nonzeros is not None and layer.kind != "matmul":
        largest = nonzeros * weighed * (2**chip.dac_bits - 1)
        sums.append(largest + 1 if chip.weight_encoding != "differential-rows" else 2 * largest + 1)
    needed = 0
    while 2**needed < min(sums):
        needed += 1
    return min(needed, chip.adc_bits)


def adc_share(layer, chip, nonzeros):
    """Return what a conversion takes of the energy that the chip states."""
    bits = resolved_bits(layer, chip, nonzeros)
    if bits == chip.adc_bits:
        return Fraction(1)
    fj = {n: Fraction(energy) for n, (energy, _) in SAR_32NM.items()}
    return fj[max(4, bits)] / fj[max(4, chip.adc_bits)]


def plain_cycles(
    layer, chip, weight_bits, activation_bits, copies, reads=1, nonzeros=None, ends=(False, False)
):
    """Return the cycles of a layer by component."""
    return cycles_and_writes(
        layer, chip, weight_bits, activation_bits, copies, reads, nonzeros, ends
    )[0]


def cycles_and_writes(layer, chip, weight_bits, activation_bits, copies, reads, nonzeros, ends):
    """Return the cycles of a layer by component, and how often it is written, if it is."""
    counted = partial(array_cycles, layer, chip, weight_bits, activation_bits, copies, reads)
    if not chip.off_chip_bits_per_cycle:
        cycles, moved = counted(nonzeros), values_of(layer) * activation_bits
        moved += written_bits(layer, chip, weight_bits)
        waiting = over(moved, chip.memory_bits_per_cycle) - sum(cycles.values())
        cycles["input"] += max(0, waiting)
        return cycles, 1
    found = []
    for blocks in tried_blocks(layer, chip, weight_bits):
        cycles = counted(nonzeros, blocks)
        moved = plain_traffic(layer, chip, weight_bits, activation_bits, blocks, ends)
        rates = chip.memory_bits_per_cycle, chip.off_chip_bits_per_cycle
        waiting = max(map(over, moved, rates)) - sum(cycles.values())
        cycles["input"] += max(0, waiting)
        found.append((cycles, blocks or 1))
    return min(found, key=lambda each: sum(each[0].values()))


def values_of(layer):
    return layer.input_elements + layer.columns * layer.positions


def written_bits(layer, chip, weight_bits):
    """Return the bits of a matrix that is written in every inference."""
    written = chip.weight_loading == "time-multiplexed" or layer.kind == "matmul"
    if not written or not on_crossbars(layer, chip):
        return 0
    return layer.rows * layer.columns * weight_bits


def waiting_sums(layer, chip, weight_bits):
    """Walk through the rounds; return the bits of the sums of a stack, and how often they wait."""
    if chip.weight_loading == "stationary" or not on_crossbars(layer, chip):
        return 0, 0
    placement = place(layer, chip, weight_bits)
    per_stack = placement.tiles // placement.stacks
    stack_of = [stack for stack in range(placement.stacks) for _ in range(per_stack)]
    starts = range(chip.tiles, len(stack_of), chip.tiles)
    waits = sum(stack_of[start - 1] == stack_of[start] for start in starts)
    outputs = ceil(Fraction(layer.columns * layer.positions, placement.stacks))
    return outputs * chip.partial_sum_bits * bool(waits), waits


def tried_blocks(layer, chip, weight_bits):
    """Return into how many blocks the positions may be cut, None for all sums in one place."""
    sums, waits = waiting_sums(layer, chip, weight_bits)
    if not waits or not chip.buffer_bits or layer.time_steps > 1:
        return [None]
    blocks = 1
    while ceil(Fraction(sums, blocks)) > chip.buffer_bits:
        blocks += 1
    return [None] if blocks > layer.positions else [None, blocks]


def plain_traffic(layer, chip, weight_bits, activation_bits, blocks, ends):
    """Return the bits of the buffer and those of the memory off the chip."""
    sums, waits = waiting_sums(layer, chip, weight_bits)
    off_chip = written_bits(layer, chip, weight_bits) * (blocks or 1)
    inside = 0
    outputs = layer.columns * layer.positions
    for elements, leaves in zip((layer.input_elements, outputs), ends, strict=True):
        if leaves:
            off_chip += elements * activation_bits
        else:
            inside += elements * activation_bits
    room = chip.buffer_bits
    in_buffer = min(sums, room) if blocks is None else ceil(Fraction(sums, blocks))
    room -= in_buffer
    off_chip += max(0, inside - room)
    buffered = min(inside, room)
    # Written at the end of a round, read in the next.
    if blocks is None:
        off_chip += 2 * waits * (sums - in_buffer)
        buffered += 2 * waits * in_buffer
    else:
        buffered += 2 * waits * sums
    return buffered, off_chip


def array_cycles(
    layer, chip, weight_bits, activation_bits, copies, reads=1, nonzeros=None, blocks=None
):
    """Return the cycles of a layer whose memory is at once."""
    cycles = dict.fromkeys(CYCLE_COMPONENTS, 0)
    placement = place(layer, chip, weight_bits)
    outputs = layer.columns * layer.positions
    if chip.noc_bits_per_cycle:
        cycles["noc"] = over(layer.input_elements * activation_bits, chip.noc_bits_per_cycle)
        cycles["noc"] += chip.noc_hops * chip.noc_hop_cycles
    digital = not on_crossbars(layer, chip)
    if digital or chip.output_path == "shared":
        cycles["output"] = over(outputs, chip.output_elements_per_cycle)
        cycles["vector"] = over(layer.vector_ops, chip.vector_lanes)
    if digital:
        cycles["digital"] = over(layer.macs, chip.digital_macs_per_cycle)
        return cycles

    groups = row_groups(layer, chip, weight_bits)
    in_turn, shared = (1, len(groups)) if chip.shared_work == "row-groups" else (len(groups), 1)
    conversions = ceil(
        Fraction(columns_of_a_read(chip) * chip.conversion_cycles)
        / Fraction(chip.conversions_per_cycle)
        * Fraction(resolved_bits(layer, chip, nonzeros), chip.adc_bits)
    )
    steps = (ceil(Fraction(activation_bits, chip.dac_bits)) + chip.extra_input_steps) * reads
    mvm = steps * in_turn * (chip.read_cycles + conversions)
    levels = ceil(log2(placement.row_tiles)) + (shared > 1)
    of_tile = inputs_of_a_tile(layer, chip, groups)
    inputs = max(groups) if chip.shared_work == "row-groups" else of_tile
    stages = {
        "input": over(inputs * activation_bits, chip.input_bits_per_cycle),
        "mvm": mvm,
        "accumulation": levels * chip.accumulation_cycles,
        "output": 0,
        "vector": 0,
    }
    if chip.output_path == "per-copy":
        stages["output"] = over(layer.columns, chip.output_elements_per_cycle)
        share = ceil(Fraction(layer.vector_ops, layer.positions * shared))
        stages["vector"] = over(share, chip.vector_lanes)
    busiest = ceil(Fraction(layer.positions // layer.time_steps * shared, copies))
    slowest = 0
    for name in ("mvm", "accumulation", "input", "output", "vector"):
        if chip.overlap == "none" or name in ("mvm", "accumulation"):
            spent = busiest * stages[name]
            slowest += stages[name]
        else:  # hidden behind the slower ones but for the first unit
            hidden = min(stages[name], slowest)
            spent = busiest * (stages[name] - hidden) + (blocks or 1) * hidden
            slowest = max(slowest, stages[name])
        stages[name] = spent
    rounds = 0
    if chip.weight_loading == "time-multiplexed":
        rounds = len(cut(placement.tiles, chip.tiles))
    for name, spent in stages.items():
        cycles[name] += spent * layer.time_steps * max(1, rounds)
    cycles["write"] = plain_writes(layer, chip, weight_bits, rounds) * (blocks or 1)
    return cycles


def plain_writes(layer, chip, weight_bits, rounds):
    """Return the cycles of all writes of a layer."""
    if not rounds:
        return chip.write_cycles * (layer.kind == "matmul")
    fetched = over(layer.rows * layer.columns * weight_bits, rounds)
    return rounds * max(chip.write_cycles, over(fetched, chip.weight_bits_per_cycle))


def columns_of_a_read(chip):
    """Return how many columns of one read the busiest ADC converts."""
    if not chip.active_columns:
        return len(cut(chip.columns_per_adc, chip.slices_per_conversion))
    adcs = len(cut(chip.crossbar_columns, chip.columns_per_adc))
    return max(len(range(adc, chip.active_columns, adcs)) for adc in range(adcs))


def inputs_of_a_tile(layer, chip, groups):
    """Return the distinct inputs of the fullest crossbar."""
    if chip.active_columns:
        return min(layer.rows * layer.groups, sum(groups))
    blocks = place(layer, chip, min(PRECISION["weight_bits"].values)).blocks_per_tile
    if chip.weight_encoding != "differential-rows":
        return blocks * min(layer.rows, chip.crossbar_rows)
    pairs = [row // 2 for row in range(2 * layer.rows)]
    first = range(0, len(pairs), chip.crossbar_rows)
    return blocks * max(len(set(pairs[row : row + chip.crossbar_rows])) for row in first)


def plain_energy(
    layer, chip, weight_bits, activation_bits, copies, reads=1, nonzeros=None, ends=(False, False)
):
    """Return the energy of a layer by component, in whole femtojoules."""
    placement = place(layer, chip, weight_bits)
    cycles, writes = cycles_and_writes(
        layer, chip, weight_bits, activation_bits, copies, reads, nonzeros, ends
    )
    fj = {f.name: Fraction(getattr(chip.energy, f.name)) for f in fields(EventEnergies)}
    energy = dict.fromkeys(ENERGY_COMPONENTS, Fraction(0))
    outputs = layer.columns * layer.positions
    windows = layer.rows * layer.groups * layer.positions * activation_bits
    delivered = min(copies * layer.input_elements * activation_bits, windows)
    energy["vector"] = layer.vector_ops * fj["vector_op_fj"] + outputs * fj["requantise_fj"]
    energy["bus"] = windows * fj["bus_fj_per_bit"]
    energy["noc"] = delivered * chip.noc_hops * fj["noc_fj_per_bit_hop"]
    powered = 0
    if not on_crossbars(layer, chip):
        energy["digital"] = layer.macs * fj["digital_mac_fj"]
    else:
        steps = ceil(Fraction(activation_bits, chip.dac_bits)) + chip.extra_input_steps
        reads *= layer.positions * steps
        conversions = reads * placement.conversions
        joined = outputs * (placement.row_tiles - 1)
        sums = layer.positions * placement.columns * placement.row_tiles
        energy["adc"] = conversions * fj["adc_conversion_fj"] * adc_share(layer, chip, nonzeros)
        energy["cells"] = reads * placement.cells * fj["cell_read_fj"]
        energy["cells"] += reads * placement.tiles * fj["tile_read_fj"]
        energy["row_drive"] = reads * placement.driven_rows * fj["row_drive_fj"]
        energy["shift_add"] = (conversions + joined) * fj["shift_add_fj"]
        energy["registers"] = reads * placement.tiles * fj["input_register_fj"]
        energy["registers"] += sums * fj["output_register_fj"]
        energy["bus"] += (
            outputs * placement.row_tiles * chip.partial_sum_bits * fj["bus_fj_per_bit"]
        )
        powered = copies * placement.tiles
        if chip.weight_loading == "time-multiplexed":
            powered = min(powered, chip.tiles)
        if chip.weight_loading == "time-multiplexed" or layer.kind == "matmul":
            energy["write"] = copies * placement.cells * fj["cell_write_fj"] * writes
    if chip.idle_power == "leaking":
        powered = chip.tiles
    per_tile, per_chip = Fraction(0), Fraction(0)
    counts = {
        "cell": chip.crossbar_rows * chip.crossbar_columns,
        "row": chip.crossbar_rows,
        "column": chip.crossbar_columns,
        "adc": len(cut(chip.crossbar_columns, chip.columns_per_adc)),
        "tile": 1,
        "core": Fraction(1, chip.tiles_per_core),
    }
    for component in chip.components:
        leakage = Fraction(component.count) * Fraction(component.leakage_uw)
        if component.part == "adc" and chip.adc == "per-layer":
            leakage *= adc_share(layer, chip, nonzeros)
        if component.per == "chip":
            per_chip += leakage
        else:
            per_tile += leakage * counts[component.per]
    microseconds = Fraction(sum(cycles.values()), 1) / Fraction(chip.clock_mhz)
    energy["leakage"] = (powered * per_tile + per_chip) * microseconds * 1000  # 1 uW * us = 1 pJ
    whole = {name: round(value) for name, value in energy.items()}
    whole["buffer"] = sum(round(bits * fj["buffer_fj_per_bit"]) for bits in (windows, delivered))
    return whole


# -------------------------------------------------------------------------------- more than bits


def read_often(computation, values):
    return replace(computation, reads=computation.reads * values)


def keep_rows(computation, labels):
    halved = -(-computation.rows // 2)
    return replace(computation, rows=np.where(labels == "half", halved, computation.rows))


READS = Knob("reads", (1, 2, 4), 1, effect=read_often)
KEPT_ROWS = Knob("kept_rows", ("half", "all"), "all", effect=keep_rows)
FREE = Knob("free", ("a", "b", "c"), "b")  # costs nothing
SPACES = (
    PRECISION,
    DesignSpace((*PRECISION, READS, KEPT_ROWS)),
    DesignSpace((KEPT_ROWS, PRECISION["activation_bits"], FREE, PRECISION["weight_bits"], READS)),
)


# ------------------------------------------------------------------------- any network, any chip

# Multiples of a quarter, all different.
ENERGIES = EventEnergies(*(3 + n * 7 / 4 for n in range(len(fields(EventEnergies)))))
LEVELS = ("cell", "row", "column", "adc", "tile", "core", "chip")
COMPONENTS = (
    (),
    *((Component(per, "control", per, 3, area_um2=1, leakage_uw=0.75),) for per in LEVELS),
    tuple(Component(per, "control", per, 0.5, area_um2=1, leakage_uw=1.5) for per in LEVELS),
    *((Component(per, "adc", per, 2, area_um2=1, leakage_uw=0.75),) for per in ("adc", "column")),
)


RATES = st.one_of(st.just(0), st.integers(1, 50))  # 0 leaves a component out
CHIP_PARTS = {
    "crossbar_rows": st.integers(1, 40),
    "crossbar_columns": st.integers(1, 40),
    "cell_bits": st.integers(1, 4),
    "dac_bits": st.integers(1, 8),
    "active_rows": st.integers(1, 40),
    "columns_per_adc": st.integers(1, 40),
    "active_columns": st.one_of(st.just(0), st.integers(1, 40)),
    "float_input_bits": st.sampled_from([0, 16]),  # changes nothing without the knob
    "sram_bits_per_tile": st.sampled_from([0, 1000]),  # nor does this one
    "clock_mhz": st.sampled_from([1, 4, 8, 12.5, 20, 100, 125, 250, 1000, 2000]),
    "output_elements_per_cycle": RATES,
    "slice_placement": st.sampled_from(["separate", "packed"]),
    "weight_encoding": st.sampled_from(["offset", "differential-columns", "differential-rows"]),
    "reference_columns": st.integers(0, 3),
    "adc_resolution_bits": st.integers(0, 12),
    "adc": st.sampled_from(["fixed", "per-layer", "early-stop", "none"]),
    "shared_work": st.sampled_from(["positions", "row-groups"]),
    "weight_loading": st.sampled_from(["stationary", "time-multiplexed"]),
    "dynamic_matmul": st.sampled_from(["digital", "rewrite"]),
    "tiles": st.integers(1, 100),
    "tiles_per_core": st.sampled_from([1, 2, 4, 16]),
    "idle_power": st.sampled_from(["gated", "leaking"]),
    "read_cycles": st.integers(0, 20),
    "conversion_cycles": st.integers(1, 5),
    "conversions_per_cycle": st.sampled_from([1, 2, 3, 1.28, 2.5]),
    "input_bits_per_cycle": RATES,
    "accumulation_cycles": st.integers(0, 9),
    "output_path": st.sampled_from(["shared", "per-copy"]),
    "vector_lanes": RATES,
    "noc_bits_per_cycle": RATES,
    "noc_hop_cycles": st.integers(0, 9),
    "overlap": st.sampled_from(["none", "positions"]),
    "write_cycles": st.integers(0, 500),
    "digital_macs_per_cycle": st.integers(1, 100),
    "partial_sum_bits": st.integers(1, 32),
    "slice_bits": st.one_of(st.just(()), st.lists(st.integers(1, 4), max_size=3).map(tuple)),
    "slices_per_conversion": st.sampled_from([1, 1, 2, 3]),
    "stored_bits": st.sampled_from(["all", "magnitude"]),
    "sum_columns": st.sampled_from([0, 0, 2]),
    "extra_input_steps": st.sampled_from([0, 0, 3]),
    "weight_bits_per_cycle": RATES,
    "memory_bits_per_cycle": RATES,
    "off_chip_bits_per_cycle": RATES,
    "buffer_bits": st.one_of(st.just(0), st.integers(1, 20_000)),
    "components": st.sampled_from(COMPONENTS),
}
CHIPS = st.fixed_dictionaries(CHIP_PARTS)
LAYERS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["conv2d", "conv1d", "linear", "recurrent", "matmul"]),
        "rows": st.integers(1, 60),
        "columns": st.integers(1, 60),
        "positions": st.one_of(st.just(1), st.integers(1, 90)),
        "groups": st.one_of(st.just(1), st.integers(1, 20)),
        "time_steps": st.integers(1, 4),
        "input_elements": st.one_of(st.none(), st.integers(1, 3000)),
        "vector_ops": st.integers(0, 1000),
    }
)
COPIES = st.one_of(st.integers(1, 4), st.integers(1, 100))


def layer_of(name, drawn):
    sizes = dict(drawn)
    if sizes["kind"] != "recurrent":
        sizes["time_steps"] = 1
    sizes["positions"] *= sizes["time_steps"]
    sizes["columns"] = sizes["groups"] * (1 + sizes["columns"] // sizes["groups"])
    return Layer(name, **sizes)


def fit_slices(chip):
    """Leave out what contradicts the cells."""
    chip["slice_bits"] = tuple(min(bits, chip["cell_bits"]) for bits in chip["slice_bits"])
    if chip["weight_encoding"] == "offset":
        chip["stored_bits"] = "all"
    if chip["active_columns"]:
        chip["slice_bits"] = ()
    if chip["active_columns"] or chip["slice_placement"] == "separate":
        chip["slices_per_conversion"] = 1
        chip["sum_columns"] = 0
    if chip["weight_loading"] == "stationary":
        chip["weight_bits_per_cycle"] = 0
    if chip["active_columns"] and chip["weight_loading"] == "time-multiplexed":
        chip["off_chip_bits_per_cycle"] = 0
    if not chip["off_chip_bits_per_cycle"]:
        chip["buffer_bits"] = 0
    elif not chip["buffer_bits"]:
        chip["memory_bits_per_cycle"] = 0
    weighed = chip["slices_per_conversion"]
    chip["slices_per_conversion"] = min(weighed, chip["columns_per_adc"])


def chip_of(drawn, fixed):
    chip = drawn | fixed
    for key, limit in (
        ("active_rows", "crossbar_rows"),
        ("columns_per_adc", "crossbar_columns"),
        ("active_columns", "crossbar_columns"),
    ):
        chip[key] = min(chip[key], chip[limit])
    if chip["conversions_per_cycle"] > 1:
        chip["conversion_cycles"] = 1
    kind = chip.pop("adc")
    fit_slices(chip)
    if kind == "none":
        chip["adc_resolution_bits"] = 0
    found = Accelerator("any", technology_nm=32, energy=ENERGIES, **chip)
    if kind == "none":
        pass
    elif found.adc_bits > max(SAR_32NM):  # of which there are no figures
        kind = "fixed"
    elif found.weight_loading == "time-multiplexed" or found.idle_power == "leaking":
        kind = "early-stop" if kind == "per-layer" else kind
    return replace(found, adc=kind)


def can_prune(chip):
    following = chip.adc in ("per-layer", "early-stop")
    if not following or chip.weight_encoding == "offset" or chip.active_rows < 8:
        return False
    return chip.weight_encoding == "differential-columns" or chip.active_rows % 2 == 0


@st.composite
def cases(draw, **fixed):
    """Draw a model and a design for it; copies fit the chip if it is time-multiplexed."""
    chip = chip_of(draw(CHIPS), fixed)
    space = draw(st.sampled_from(SPACES))
    if can_prune(chip) and draw(st.booleans()):
        space = DesignSpace((*space.knobs, column_nonzeros(chip.active_rows)))
    setting = st.tuples(*(st.integers(0, size - 1) for size in space.sizes))
    drawn = draw(st.lists(st.tuples(LAYERS, setting, COPIES), min_size=1, max_size=4))
    layers, settings, copies = zip(*drawn, strict=True)
    network = Network("any", tuple(layer_of(f"l{i}", layer) for i, layer in enumerate(layers)))
    model = CostModel(network, chip, space)
    if chip.weight_loading == "time-multiplexed":
        tiles = model.tiles_per_copy(settings)
        copies = np.clip(chip.tiles // np.maximum(1, tiles), 1, copies)
    return model, Design(space, settings, copies)


def with_copies(design, layer, change):
    copies = design.replication.copy()
    copies[layer] += change
    return Design(design.space, design.settings, copies)


def with_one_copy(design):
    return Design(design.space, design.settings, np.ones_like(design.replication))


# ----------------------------------------------------------------------------------------- tests


def test_every_parameter_of_a_chip_is_drawn():
    assert {*CHIP_PARTS, "technology_nm"} == {*PARAMETERS, "components"}


PRUNABLE = {
    "weight_loading": "stationary",
    "idle_power": "gated",
    "crossbar_rows": 40,
    "cell_bits": 2,
    "dac_bits": 1,
}


# Layers in many rounds, with sums that do not fit, and writes that cost little beside them.
WAITING = {
    "weight_loading": "time-multiplexed",
    "active_columns": 0,
    "crossbar_rows": 6,
    "crossbar_columns": 20,
    "tiles": 2,
    "write_cycles": 3,
    "weight_bits_per_cycle": 0,
    "partial_sum_bits": 24,
    "off_chip_bits_per_cycle": 3,
    "memory_bits_per_cycle": 11,
    "output_elements_per_cycle": 0,
}


@pytest.mark.long
@given(cases())
@many
def test_costs_are_those_of_the_plain_model(case):
    compare_with_plain_model(*case)


@pytest.mark.long
@given(
    st.one_of(
        cases(**PRUNABLE, adc="per-layer", weight_encoding="differential-columns"),
        cases(**PRUNABLE, adc="per-layer", weight_encoding="differential-rows"),
        cases(**PRUNABLE, adc="early-stop", weight_encoding="differential-columns"),
    )
)
@settings(many, max_examples=150)
def test_costs_of_adcs_by_layer_are_those_of_the_plain_model(case):
    compare_with_plain_model(*case)


@pytest.mark.long
@given(st.one_of(cases(**WAITING, buffer_bits=700), cases(**WAITING, buffer_bits=3000)))
@settings(many, max_examples=150)
def test_costs_of_sums_that_wait_are_those_of_the_plain_model(case):
    compare_with_plain_model(*case)


def compare_with_plain_model(model, design):
    report = model.evaluate(design)
    chip = model.accelerator
    for index, layer in enumerate(model.network.layers):
        row = {name: values[index] for name, values in design.to_json().items()}
        w, a, copies = row["weight_bits"], row["activation_bits"], row["replication"]
        reads, nonzeros = row.get("reads", 1), row.get("column_nonzeros")
        layer = with_rows(layer, chip, row.get("kept_rows", "all"))
        placement = place(layer, chip, w)
        ends = index == 0, index == len(model.network) - 1
        cycles = plain_cycles(layer, chip, w, a, copies, reads, nonzeros, ends)
        assert report.layer_tiles[index] == placement.tiles * copies * on_crossbars(layer, chip)
        assert report.component_cycles[:, index].tolist() == list(cycles.values())
        energy = plain_energy(layer, chip, w, a, copies, reads, nonzeros, ends)
        assert report.component_energy_fj[:, index].tolist() == list(energy.values())


@given(cases())
@reproducible
def test_totals_are_exact_sums(case):
    model, design = case
    report = model.evaluate(design)
    cycles, energy = report.component_cycles.tolist(), report.component_energy_fj.tolist()
    assert report.latency_cycles == sum(map(sum, cycles)) == sum(report.cycle_breakdown.values())
    assert report.energy_fj == sum(map(sum, energy)) == sum(report.energy_breakdown_fj.values())
    assert report.tiles == sum(report.layer_tiles.tolist())
    assert report.edp == report.energy_fj * report.latency_cycles
    assert min(map(min, cycles)) >= 0
    assert min(map(min, energy)) >= 0


@given(cases())
@reproducible
def test_intervals_lie_between_bottleneck_and_latency(case):
    model, design = case
    report = model.evaluate(design)
    chip, layers = model.accelerator, model.network.layers
    # Layers of the digital unit one after the other, and the slowest layer of all.
    on_unit = [x for x in layers if x.kind == "matmul" and chip.dynamic_matmul == "digital"]
    digital = sum(over(layer.macs, chip.digital_macs_per_cycle) for layer in on_unit)
    assert model.least_interval == digital
    off_chip = 0
    if chip.off_chip_bits_per_cycle:
        for index, layer in enumerate(layers):
            row = {name: values[index] for name, values in design.to_json().items()}
            layer = with_rows(layer, chip, row.get("kept_rows", "all"))
            ends = index == 0, index == len(layers) - 1
            bits = row["weight_bits"], row["activation_bits"]
            moved = plain_traffic(layer, chip, *bits, None, ends)[1]
            off_chip += over(moved, chip.off_chip_bits_per_cycle)
    slowest = max(*report.layer_cycles.tolist(), digital, off_chip)
    pipelined = model.accelerator.weight_loading == "stationary"
    assert report.bottleneck_cycles == (slowest if pipelined else report.latency_cycles)
    assert report.interval_cycles(1) == report.latency_cycles
    assert report.interval_cycles() == report.bottleneck_cycles
    assert report.interval_cycles(len(design)) == report.bottleneck_cycles
    intervals = [report.interval_cycles(n) for n in range(1, 6)]
    assert intervals == sorted(intervals, reverse=True)
    assert report.fill_cycles + report.bottleneck_cycles == report.latency_cycles


@given(cases())
@reproducible
def test_units_give_the_cycles_of_layers(case):
    model, design = case
    report = model.evaluate(design)
    costs = model.copy_costs(design.settings)
    cycles = -(-costs.units // design.replication) * costs.cycles_per_unit + costs.fixed_cycles
    least = model.least_cycles(design.settings)
    if model.accelerator.weight_loading == "stationary":
        chip = model.accelerator
        waits = bool(chip.memory_bits_per_cycle or chip.off_chip_bits_per_cycle)
        assert (least is not None) == model.waits_for_memory == waits
        assert (
            report.layer_cycles.tolist()
            == np.maximum(cycles, 0 if least is None else least).tolist()
        )
        assert report.layer_tiles.tolist() == (costs.tiles * design.replication).tolist()
    else:  # layers take turns on all tiles with one copy, which is one unit of all their cycles
        assert not costs.tiles.any()
        assert (costs.units == 1).all()
        assert not costs.fixed_cycles.any()
        assert costs.cycles_per_unit.tolist() == model.layer_cycles(design.settings).tolist()
    layer_cycles = model.layer_cycles(design.settings, design.replication)
    assert layer_cycles.tolist() == report.layer_cycles.tolist()


@given(cases(), st.integers(1, 5), st.randoms(use_true_random=False))
@reproducible
def test_batch_equals_single_designs(case, count, random):
    model, design = case
    layers = len(design)
    designs = [design]
    for _ in range(count):
        settings = [[random.randrange(n) for n in model.space.sizes] for _ in range(layers)]
        copies = [1] * layers
        if model.accelerator.weight_loading == "stationary":
            copies = [random.randint(1, 50) for _ in range(layers)]
        designs.append(Design(model.space, settings, copies))
    arrays = [np.stack([getattr(d, name) for d in designs]) for name in ("settings", "replication")]
    batch = model.evaluate_batch(*arrays, with_energy=True)
    reports = [model.evaluate(d) for d in designs]
    for name in ("tiles", "latency_cycles", "bottleneck_cycles", "energy_fj"):
        assert getattr(batch, name).tolist() == [getattr(report, name) for report in reports]
    without = model.evaluate_batch(*arrays)
    assert without.energy_fj is None
    assert without.latency_cycles.tolist() == batch.latency_cycles.tolist()


def test_batch_larger_than_a_block_equals_single_designs():
    model = CostModel(load_network("digits_cnn"), load_preset("lrmp_frontiers_2024"))
    rng = np.random.default_rng(0)
    every = model.space.sample(rng, 5, 2000)
    copies = rng.integers(1, 9, (2000, 5))
    batch = model.evaluate_batch(every, copies, with_energy=True)
    for index in (0, 1637, 1638, 1639, 1999):  # a block holds 8192 // 5 designs
        report = model.evaluate(Design(model.space, every[index], copies[index]))
        assert batch.tiles[index] == report.tiles
        assert batch.latency_cycles[index] == report.latency_cycles
        assert batch.bottleneck_cycles[index] == report.bottleneck_cycles
        assert batch.energy_fj[index] == report.energy_fj


@given(cases())
@reproducible
def test_tables_of_one_copy_equal_single_designs(case):
    model, design = case
    layers = len(design)
    report = model.evaluate(with_one_copy(design))
    places = Places(design.settings, model.space.sizes, layers)
    tiles, cycles = (table.of_settings(places) for table in model.one_copy)
    assert tiles.tolist() == report.layer_tiles.tolist()
    assert cycles.tolist() == report.layer_cycles.tolist()
    # Single layers, as an episode meets them.
    last = Places(design.settings[-1], model.space.sizes, layers, np.array(layers - 1))
    assert [table.of_settings(last) for table in model.one_copy] == [tiles[-1], cycles[-1]]


@given(cases())
@reproducible
def test_energies_of_copies_equal_single_designs(case):
    model, design = case
    counts = [np.unique([1, copies // 2 + 1, copies]) for copies in design.replication]
    energies = model.copies_energy_fj(design.settings, counts)
    for layer, (tried, energy) in enumerate(zip(counts, energies, strict=True)):
        assert energy.shape == tried.shape
        for copies, expected in zip(tried, energy, strict=True):
            change = int(copies - design.replication[layer])
            report = model.evaluate(with_copies(design, layer, change))
            assert report.layer_energy_fj[layer] == expected


@given(cases(), st.data())
@reproducible
def test_less_of_a_knob_never_costs_more(case, data):
    model, design = case
    layer = data.draw(st.integers(0, len(design) - 1))
    report = model.evaluate(design)
    for place, knob in enumerate(model.space):
        settings = design.settings.copy()
        settings[layer, place] = max(0, settings[layer, place] - 1)
        smaller = model.evaluate(Design(model.space, settings, design.replication))
        assert (smaller.layer_tiles <= report.layer_tiles).all()
        if knob == KEPT_ROWS:  # more blocks may share a crossbar, and take turns there
            continue
        assert (smaller.component_cycles.sum(axis=0) <= report.layer_cycles).all()
        assert (smaller.component_energy_fj <= report.component_energy_fj).all()
        assert smaller.bottleneck_cycles <= report.bottleneck_cycles
        if knob == FREE:
            assert smaller == report


@given(cases())
@reproducible
def test_the_order_of_the_knobs_does_not_matter(case):
    model, design = case
    space = DesignSpace(model.space.knobs[::-1])
    turned = CostModel(model.network, model.accelerator, space)
    values = {name: design[name] for name in design.space.names}
    assert turned.baseline == model.baseline
    twin = Design.of(values, design.replication, space=space)
    assert turned.evaluate(twin) == model.evaluate(design)
    batch, other = (
        m.evaluate_batch(d.settings[None], d.replication[None], with_energy=True)
        for m, d in ((model, design), (turned, twin))
    )
    assert batch.energy_fj == other.energy_fj
    for one, two in zip(
        model.copy_costs(design.settings), turned.copy_costs(twin.settings), strict=True
    ):
        assert one.tolist() == two.tolist()


@given(cases(weight_loading="stationary"), st.data())
@reproducible
def test_one_more_copy_takes_its_tiles_and_never_time(case, data):
    model, design = case
    layer = data.draw(st.integers(0, len(design) - 1))
    more = with_copies(design, layer, 1)
    larger, report = model.evaluate(more), model.evaluate(design)
    assert larger.tiles - report.tiles == model.tiles_per_copy(design.settings)[layer]
    assert (larger.layer_cycles <= report.layer_cycles).all()
    fewer = larger.component_cycles <= report.component_cycles
    if model.waits_for_memory:  # what a layer waits for its memory counts as input
        fewer = np.delete(fewer, CYCLE_COMPONENTS.index("input"), axis=0)
    assert fewer.all()


@given(cases(), st.data())
@reproducible
def test_copies_change_only_delivery_writing_and_leakage(case, data):
    model, design = case
    alone = model.evaluate(with_one_copy(design))
    report = model.evaluate(design)
    changed = dict(
        zip(
            ENERGY_COMPONENTS,
            (report.component_energy_fj - alone.component_energy_fj).tolist(),
            strict=True,
        )
    )
    for name, difference in changed.items():
        if name not in COPY_COMPONENTS:
            assert not any(difference)
        elif name != "leakage":
            assert min(difference) >= 0


@given(cases(idle_power="leaking", weight_loading="stationary"))
@reproducible
def test_copies_save_leakage_where_idle_tiles_leak(case):
    model, design = case
    alone = model.evaluate(with_one_copy(design))
    leakage = ENERGY_COMPONENTS.index("leakage")
    saved = alone.component_energy_fj[leakage] - model.evaluate(design).component_energy_fj[leakage]
    assert (saved >= 0).all()


@given(cases())
@reproducible
def test_used_cells_are_a_fraction_of_those_paid_for(case):
    model, design = case
    used = model.utilisation(design.settings)
    chip = model.accelerator
    cells = model.tiles_per_copy(design.settings) * chip.crossbar_rows * chip.crossbar_columns
    rows = design["kept_rows"] if "kept_rows" in model.space.names else ["all"] * len(design)
    placed = [
        place(with_rows(layer, chip, kept), chip, int(w)).cells * (tiles > 0)
        for layer, kept, w, tiles in zip(
            model.network.layers, rows, design["weight_bits"], cells, strict=True
        )
    ]
    assert used * np.maximum(1, cells) == pytest.approx(placed, rel=1e-12)
    assert ((used >= 0) & (used <= 1)).all()
