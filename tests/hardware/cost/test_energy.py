from dataclasses import replace

import pytest

from lrmp.errors import NetworkError, PresetError
from lrmp.hardware import (
    ENERGY_COMPONENTS,
    Accelerator,
    Component,
    CostModel,
    Design,
    EventEnergies,
    Layer,
    Network,
    load_preset,
)
from lrmp.hardware.chip.event_energies import EVENTS
from lrmp.hardware.cost.energy import COPY_COMPONENTS

# Every number is worked out by hand for one layer of K = 10 rows, M = 5 columns and P = 6 positions
# with w = 6 and a = 5 bits on crossbars of 8 x 8 cells of 2 bits, with 2 input bits at a time and 4
# active rows. So s = 3 slices on crossbars of their own, t = 3 input steps, P * t = 18, and
#   tiles 3 * 2 = 6   columns 3 * 5 = 15   cells 15 * 10 = 150   driven rows 3 * 10 = 30
#   conversions per column 2 + 1 = 3       row tiles 2           cycles 6 * 3 * 2 * 2 = 72
# The chip has 36 / 4 = 9 cores in a 3 x 3 mesh: 2 * (9 - 1) / 9 = 1.8, so 2 hops. A tile leaks
# 2 + 8 / 4 = 4 uW with its share of the core, and 1 uW for a cycle of 10 ns are 10 fJ.
ENERGIES = EventEnergies(
    adc_conversion_fj=10,
    cell_read_fj=1,
    row_drive_fj=2,
    tile_read_fj=100,
    shift_add_fj=3,
    input_register_fj=20,
    output_register_fj=4,
    buffer_fj_per_bit=2,
    bus_fj_per_bit=0.25,
    noc_fj_per_bit_hop=1,
    vector_op_fj=30,
    requantise_fj=5,
    cell_write_fj=7,
    digital_mac_fj=6,
)
CHIP = Accelerator(
    name="toy",
    crossbar_rows=8,
    crossbar_columns=8,
    cell_bits=2,
    dac_bits=2,
    active_rows=4,
    columns_per_adc=2,
    clock_mhz=100,
    output_elements_per_cycle=0,
    technology_nm=32,
    tiles=36,
    tiles_per_core=4,
    energy=ENERGIES,
    components=(
        Component("register", "registers", "tile", count=1, area_um2=10, leakage_uw=2),
        Component("buffer", "buffer", "core", count=2, area_um2=50, leakage_uw=4),
        Component("clock", "global", "chip", count=1, area_um2=100, leakage_uw=10),
    ),
)
LAYER = Layer("layer", "conv2d", rows=10, columns=5, positions=6, input_elements=35, vector_ops=20)
EXPECTED = {
    "adc": 18 * 15 * 3 * 10,  # 810 conversions
    "cells": 18 * 150 * 1 + 18 * 6 * 100,
    "row_drive": 18 * 30 * 2,
    "shift_add": (810 + 6 * 5) * 3,  # every conversion, and one row tile's 30 sums to the other's
    "registers": 18 * 6 * 20 + 6 * 15 * 2 * 4,  # 15 columns in each of the 2 row tiles
    "bus": (6 * 10 * 5 + 6 * 5 * 2 * 16) // 4,  # windows of 300 bits, 60 partial sums of 16 bits
    "vector": 20 * 30 + 30 * 5,
    "digital": 0,
    "buffer": 300 * 2 + 35 * 5 * 2,  # windows read, the 35 distinct inputs written
    "noc": 35 * 5 * 2 * 1,
    "write": 0,
    "leakage": (6 * 4 + 10) * 72 * 10,
}


BITS = {"weight_bits": 6, "activation_bits": 5}


def report_of(layer=LAYER, copies=1, **changes):
    model = CostModel(Network("one", (layer,)), replace(CHIP, **changes))
    return model.evaluate(Design.of(BITS, [copies]))


def energy_of(layer=LAYER, copies=1, **changes):
    return report_of(layer, copies, **changes).energy_breakdown_fj


def only(**energies):
    return EventEnergies(**dict.fromkeys(EVENTS, 0) | energies)


def test_every_component():
    assert energy_of() == EXPECTED
    assert tuple(EXPECTED) == ENERGY_COMPONENTS
    assert report_of().energy_fj == sum(EXPECTED.values())
    assert report_of().energy_j == sum(EXPECTED.values()) / 1e15


@pytest.mark.parametrize(
    ("event", "component"),
    [
        ("adc_conversion_fj", "adc"),
        ("cell_read_fj", "cells"),
        ("row_drive_fj", "row_drive"),
        ("tile_read_fj", "cells"),
        ("shift_add_fj", "shift_add"),
        ("input_register_fj", "registers"),
        ("output_register_fj", "registers"),
        ("buffer_fj_per_bit", "buffer"),
        ("bus_fj_per_bit", "bus"),
        ("noc_fj_per_bit_hop", "noc"),
        ("vector_op_fj", "vector"),
        ("requantise_fj", "vector"),
    ],
)
def test_every_event_counts_to_its_component(event, component):
    one = energy_of(energy=only(**{event: 16}), components=())
    assert {name for name, energy in one.items() if energy} == {component}
    assert energy_of(energy=only(**{event: 32}), components=())[component] == 2 * one[component]


def test_what_copies_change():
    # 4 copies: 2 turns of 12 cycles; min(4 * 35, 60) = 60 inputs delivered; 24 tiles powered.
    assert energy_of(copies=4) == EXPECTED | {
        "buffer": 300 * 2 + 60 * 5 * 2,
        "noc": 60 * 5 * 2 * 1,
        "leakage": (24 * 4 + 10) * 24 * 10,
    }
    assert COPY_COMPONENTS == ("buffer", "noc", "write", "leakage")


def test_gated_tiles_make_idle_copies_cost_energy():
    # ceil(6/3) = ceil(6/5) = 2 turns: the fourth and fifth copy only leak.
    assert energy_of(copies=3)["leakage"] == (18 * 4 + 10) * 24 * 10
    assert energy_of(copies=5)["leakage"] == (30 * 4 + 10) * 24 * 10


def test_leaking_tiles_make_copies_save_energy():
    # All 36 tiles of the chip leak, whichever hold the layer.
    assert energy_of(idle_power="leaking")["leakage"] == (36 * 4 + 10) * 72 * 10
    assert energy_of(idle_power="leaking", copies=3)["leakage"] == (36 * 4 + 10) * 24 * 10


def test_leakage_lasts_as_long_as_the_layer():
    # 8 more cycles on the output path of ceil(30/4).
    assert energy_of(output_elements_per_cycle=4)["leakage"] == (6 * 4 + 10) * 80 * 10
    # At half the clock a cycle leaks twice as much; switching does not depend on it.
    assert energy_of(clock_mhz=50) == EXPECTED | {"leakage": 2 * EXPECTED["leakage"]}


def test_time_multiplexed_chip_writes_all_cells_and_powers_no_more_tiles_than_it_has():
    # 4 tiles: 2 rounds of 50 + 72 cycles. One core: 1 hop, 2 + 8/4 uW per tile.
    turns = {"weight_loading": "time-multiplexed", "tiles": 4, "write_cycles": 50}
    assert energy_of(**turns) == EXPECTED | {
        "noc": 35 * 5 * 1 * 1,
        "write": 150 * 7,
        "leakage": (4 * 4 + 10) * 244 * 10,
    }
    # 18 tiles hold 3 copies: one round of 50 + 24 cycles, all copies written.
    energy = energy_of(**turns | {"tiles": 18}, copies=3)
    assert energy["write"] == 3 * 150 * 7
    assert energy["leakage"] == (18 * 4 + 10) * 74 * 10


def test_stationary_weights_are_not_written():
    assert energy_of(copies=4)["write"] == 0


def test_matmul_on_the_digital_unit():
    # 2 heads of 4 x 3 outputs over 10 inputs: 240 multiply-accumulates in ceil(240/12) = 20 cycles;
    # windows of 2*10*4 elements, each delivered once; 24 outputs requantised, 8 operations.
    layer = Layer.matmul("qk", inner=10, outputs=3, positions=4, heads=2, vector_ops=8)
    expected = dict.fromkeys(ENERGY_COMPONENTS, 0) | {
        "digital": 240 * 6,
        "bus": 80 * 5 // 4,
        "vector": 8 * 30 + 24 * 5,
        "buffer": 400 * 2 + 400 * 2,
        "noc": 400 * 2 * 1,
        "leakage": 10 * 20 * 10,
    }
    assert energy_of(layer, digital_macs_per_cycle=12) == expected
    assert energy_of(layer, digital_macs_per_cycle=12, copies=3) == expected


def test_rewritten_matmul_pays_for_every_copy():
    # 150 cells of 7 fJ; 50 cycles of writing beside the 72.
    layer = replace(LAYER, kind="matmul")
    rewrite = {"dynamic_matmul": "rewrite", "write_cycles": 50}
    written = {"write": 150 * 7, "leakage": (6 * 4 + 10) * 122 * 10}
    assert energy_of(layer, **rewrite) == EXPECTED | written
    assert energy_of(layer, **rewrite, copies=4)["write"] == 4 * 150 * 7


def test_grouped_layer_delivers_the_inputs_of_all_groups():
    # 6 blocks of 3 x 1 over 4 positions: 3 * 6 * 4 = 72 window inputs, 24 of them distinct.
    layer = Layer.conv1d("depthwise", 6, 6, kernel_size=3, input_size=4, groups=6)
    per_bit = only(buffer_fj_per_bit=1)
    buffers = [energy_of(layer, r, energy=per_bit)["buffer"] for r in (1, 2, 3, 4)]
    assert buffers == [5 * (72 + inputs) for inputs in (24, 48, 72, 72)]
    # 3 slices, no sums to join: 4 positions * 3 steps * 6*3 columns, one conversion each.
    adc = only(adc_conversion_fj=1, shift_add_fj=1)
    assert energy_of(layer, energy=adc)["adc"] == 4 * 3 * 18
    assert energy_of(layer, energy=adc)["shift_add"] == 4 * 3 * 18


def test_packed_slices_and_encodings_change_the_counts():
    rows = only(row_drive_fj=1, adc_conversion_fj=1, cell_read_fj=1)
    packed = energy_of(energy=rows, slice_placement="packed")
    assert packed["row_drive"] == 18 * 20  # driven in 2 columns of crossbars, not for 3 slices
    assert packed["adc"] == 18 * 15 * 3
    columns = energy_of(energy=rows, weight_encoding="differential-columns")
    assert columns["adc"] == 2 * 18 * 15 * 3
    assert columns["cells"] == 2 * 18 * 150
    assert columns["row_drive"] == 18 * 60  # 10 columns on 2 crossbars
    pairs = energy_of(energy=rows, weight_encoding="differential-rows")
    assert pairs["adc"] == 18 * 15 * 5  # 20 rows: 2 + 2 + 1 groups
    assert pairs["row_drive"] == 18 * 60


def test_sharing_row_groups_changes_no_energy_but_leakage():
    shared, positions = energy_of(shared_work="row-groups", copies=5), energy_of(copies=5)
    assert shared["leakage"] == (30 * 4 + 10) * 3 * 6 * 10  # ceil(12/5) turns of 6 cycles
    assert shared | {"leakage": 0} == positions | {"leakage": 0}


def test_lossy_adc_changes_cost_only_through_its_own_numbers():
    assert energy_of(adc_resolution_bits=3) == EXPECTED


@pytest.mark.parametrize(
    ("fj_per_bit", "energy"), [(0.5, 88), (0.01, 2), (0.002, 0)]
)  # 175 bits delivered: 87.5, 1.75 and 0.35
def test_energies_are_whole_femtojoules(fj_per_bit, energy):
    assert energy_of(energy=only(noc_fj_per_bit_hop=fj_per_bit / 2))["noc"] == energy


def test_report_has_whole_numbers_that_cannot_be_written():
    report = report_of()
    assert type(report.energy_fj) is int
    assert report.component_energy_fj.shape == (12, 1)
    for array in (report.component_energy_fj, report.layer_energy_fj):
        assert array.dtype == "int64"
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def decoder(tokens):
    """Lay out the projections of a decoder of 6.5e9 weights (LLaMA-7B)."""
    sizes = dict.fromkeys("qkvo", (4096, 4096))
    sizes |= {"gate": (4096, 11008), "up": (4096, 11008), "down": (11008, 4096)}
    return Network(
        "decoder",
        tuple(
            Layer.linear(f"{block}.{name}", *size, positions=tokens)
            for block in range(32)
            for name, size in sizes.items()
        ),
    )


def test_energy_of_a_large_decoder_is_exact():
    # 1 kJ over 16384 tokens: all pairs of widths together would exceed 64 bits.
    report = CostModel(decoder(16_384), load_preset("lrmp_frontiers_2024")).baseline
    assert 1000 < report.energy_j < 1200
    entries = report.component_energy_fj.ravel().tolist()
    assert min(entries) >= 0
    assert report.energy_fj == sum(entries) == sum(report.energy_breakdown_fj.values())


def test_energy_that_does_not_fit_64_bits_is_refused():
    # 790528 tiles that leak for 19 s, 10.7 kJ: more than 2**63 fJ.
    chip = replace(load_preset("lrmp_frontiers_2024"), tiles=790_528, idle_power="leaking")
    model = CostModel(decoder(2048), chip)
    message = (
        r"Expected an inference of decoder on accelerator 'lrmp_frontiers_2024' to take less than "
        r"4\.6 kJ, so that femtojoules fit 64-bit integers, got 10\.7 kJ\. Check the units"
    )
    with pytest.raises(NetworkError, match=message):
        _ = model.baseline
    settings = [model.space.plain_settings(len(model.network))] * 2
    copies = [[1] * len(model.network)] * 2
    with pytest.raises(NetworkError, match=message):
        model.evaluate_batch(settings, copies, with_energy=True)
    assert model.evaluate_batch(settings, copies).energy_fj is None


@pytest.mark.parametrize("event", EVENTS)
def test_event_of_kilojoules_is_refused(event):
    layer, changes = LAYER, {"weight_loading": "time-multiplexed"}
    if event == "digital_mac_fj":
        layer, changes = replace(LAYER, kind="matmul"), {"digital_macs_per_cycle": 1}
    message = r"Expected an inference of one on accelerator 'toy' to take less than 4\.6 kJ"
    for huge in (2**60, 1e18):
        with pytest.raises(NetworkError, match=message):
            report_of(layer, energy=only(**{event: huge}), **changes)


def test_without_energies_there_is_no_energy():
    report = report_of(energy=None)
    assert report.component_energy_fj is None
    assert report.latency_cycles == 72
    message = r"Expected an accelerator that gives the energy of its events, got none\."
    for name in ("energy_fj", "energy_j", "edp", "layer_energy_fj", "energy_breakdown_fj"):
        with pytest.raises(PresetError, match=message):
            getattr(report, name)
    for objective in ("energy", "edp"):
        with pytest.raises(PresetError, match=message):
            report.cost(objective)


def test_model_without_energies_names_the_chip():
    model = CostModel(Network("one", (LAYER,)), replace(CHIP, energy=None))
    message = (
        r"Expected accelerator 'toy' to give the energy of its events, got none\. Take another "
        r"preset, or add an \[energy\] table to your own\."
    )
    with pytest.raises(PresetError, match=message):
        _ = model.energy
    with pytest.raises(PresetError, match=message):
        model.evaluate_batch([[[4, 3]]], [[1]], with_energy=True)
    with pytest.raises(PresetError, match=message):
        model.copies_energy_fj([[4, 3]], [[1]])
    assert model.evaluate_batch([[[4, 3]]], [[1]]).energy_fj is None
