"""The presets as chips: everything is sourced, rolls up, and costs networks."""

import re
import tomllib
from importlib import resources

import numpy as np
import pytest

from lrmp.errors import NetworkError, PresetError
from lrmp.hardware import CostModel, Design, list_presets, load_network, load_preset
from lrmp.hardware.chip.accelerator import PARAMETERS, RARE
from lrmp.hardware.chip.event_energies import EVENTS
from lrmp.hardware.chip.peak import peak_ops_per_s

PRESETS = list_presets()
WITH_AREA = [name for name in PRESETS if load_preset(name).components]
WITH_ENERGY = [name for name in PRESETS if load_preset(name).energy]
WITH_POWER = ["isaac_isca_2016", "pimcomp_2023", "puma_asplos_2019"]
WITHOUT_MATMUL = [
    "hermes_2023",
    "isaac_isca_2016",
    "neurosim_v1_3_22nm",
    "neurosim_v1_3_32nm",
    "neurram_nature_2022",
    "raella_isca_2023",
]
DIMENSIONLESS = {
    "crossbar_rows",
    "crossbar_columns",
    "active_rows",
    "columns_per_adc",
    "reference_columns",
    "tiles",
    "tiles_per_core",
    "vector_lanes",
    "extra_input_steps",
    "slices_per_conversion",
    "sum_columns",
}
UNIT = re.compile(
    r"_(bits|cycles|mhz|nm|per_cycle|fj|fj_per_bit|fj_per_bit_hop|um2|f2|uw)$|^(count|title)$"
)


def document(name):
    return tomllib.loads((resources.files("lrmp.hardware.presets") / f"{name}.toml").read_text())


def test_the_published_designs_are_shipped():
    assert PRESETS == [
        "cim_aq_date_2026",
        "colonnade_jssc_2021",
        "hermes_2023",
        "isaac_isca_2016",
        "lrmp_frontiers_2024",
        "neurosim_v1_3_22nm",
        "neurosim_v1_3_32nm",
        "neurram_nature_2022",
        "pimcomp_2023",
        "puma_asplos_2019",
        "raella_isca_2023",
    ]
    assert [name for name in PRESETS if name not in WITH_ENERGY] == [
        "cim_aq_date_2026",
        "pimcomp_2023",
        "raella_isca_2023",
    ]
    without = ["cim_aq_date_2026", "raella_isca_2023"]
    assert [name for name in PRESETS if name not in WITH_AREA] == without


@pytest.mark.parametrize("name", PRESETS)
def test_every_number_has_a_source(name):
    chip = load_preset(name)
    keys = set(PARAMETERS) - (set(RARE) - set(chip.provenance))
    keys |= {f"energy.{event}" for event in EVENTS} if chip.energy else set()
    keys |= {f"components.{component.name}" for component in chip.components}
    assert set(chip.provenance) == keys
    for provenance in chip.provenance.values():
        assert len(provenance.source) > 5


@pytest.mark.parametrize("name", PRESETS)
def test_derived_numbers_say_from_what(name):
    entries = load_preset(name).provenance
    for key, provenance in entries.items():
        for other in re.findall(r"see ([a-z]+_\w+)", provenance.source):
            assert {other, f"energy.{other}", f"components.{other}"} & set(entries), (key, other)


@pytest.mark.parametrize("name", PRESETS)
def test_every_dimensional_key_ends_in_its_unit(name):
    tables = document(name)
    numbers = [*tables["parameters"].items(), *tables.get("energy", {}).items()]
    keys = [key for key, entry in numbers if not isinstance(entry["value"], str)]
    for component in tables.get("components", {}).values():
        keys += [key for key, value in component.items() if not isinstance(value, str)]
    assert [key for key in keys if key not in DIMENSIONLESS and not UNIT.search(key)] == []


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(
    "network", ["lenet", "resnet18", "vgg8", "mobilenet_v2", "lstm_ptb_medium"]
)
def test_every_preset_costs_convolutional_and_recurrent_networks(name, network):
    model = CostModel(load_network(network), load_preset(name))
    wide, narrow = (
        model.baseline,
        model.evaluate(
            Design.of({"weight_bits": 4, "activation_bits": 4}, layers=len(model.network))
        ),
    )
    one_step = model.accelerator.dac_bits == 8
    assert 0 < narrow.latency_cycles < wide.latency_cycles + one_step
    assert 0 < narrow.tiles <= wide.tiles
    if model.accelerator.energy:
        assert 0 < narrow.energy_fj < wide.energy_fj
    else:
        with pytest.raises(PresetError, match="an accelerator that gives the energy of its events"):
            _ = wide.energy_fj


@pytest.mark.parametrize("name", PRESETS)
def test_transformers_need_a_digital_unit_or_rewriting(name):
    if name in WITHOUT_MATMUL:
        with pytest.raises(NetworkError, match="to have a digital unit"):
            CostModel(load_network("vit_b_32"), load_preset(name))
    else:
        assert CostModel(load_network("vit_b_32"), load_preset(name)).baseline.latency_cycles > 0


@pytest.mark.parametrize("name", WITH_AREA)
def test_area_rolls_up(name):
    chip = load_preset(name)
    assert chip.tiles % chip.tiles_per_core == 0
    whole, none = chip.area_um2(chip.tiles), chip.area_um2(0)
    tile = sum(chip.per_tile(c) * c.area_um2 for c in chip.components)
    assert sum(whole.values()) == pytest.approx(sum(none.values()) + chip.tiles * tile, abs=10)
    assert all(area >= 0 for area in whole.values())


@pytest.mark.parametrize("name", WITH_AREA)
def test_power_rolls_up_where_it_is_published(name):
    chip = load_preset(name)
    if name in WITH_POWER:
        tile = sum(chip.per_tile(c) * c.peak_power_uw for c in chip.components)
        total = sum(chip.peak_power_uw(0).values()) + chip.tiles * tile
        assert sum(chip.peak_power_uw(chip.tiles).values()) == pytest.approx(total, abs=10)
    else:
        with pytest.raises(PresetError, match="peak_power_uw of every component"):
            chip.peak_power_uw(chip.tiles)


@pytest.mark.parametrize("name", PRESETS)
def test_peak_is_what_full_crossbars_reach(name):
    """One MVM of a matrix that fills a crossbar, on every tile, in the time the model counts."""
    chip = load_preset(name)
    model = CostModel(load_network("resnet18"), chip)
    latency = model.latency
    group = -(-chip.crossbar_rows // chip.active_rows)
    steps = -(-8 // chip.dac_bits) + chip.extra_input_steps
    cycles = steps * group * chip.read_and_convert_cycles
    full = np.flatnonzero(model.mapping.row_groups == group)
    assert full.size
    assert (latency.parts[0, 1, 0, -1, full] == cycles).all()
    differential = 1 if chip.weight_encoding == "offset" else 2
    slices = len(chip.slice_bits) or -(-8 // chip.cell_bits)  # those of slice_bits hold 8 bits
    cells = (slices + chip.sum_columns) * differential
    macs = chip.crossbar_rows * chip.crossbar_columns / cells
    expected = 2 * macs * chip.tiles / (cycles / chip.clock_hz)
    assert peak_ops_per_s(chip, 8, 8) == pytest.approx(expected)
    assert peak_ops_per_s(chip, 8, 8, tiles=3 * chip.tiles) == pytest.approx(3 * expected)


def test_peak_of_no_tiles_is_refused():
    with pytest.raises(PresetError, match=r"Expected the number of tiles of .*, got 0\."):
        peak_ops_per_s(load_preset("hermes_2023"), 4, 8, tiles=0)


@pytest.mark.parametrize("name", WITH_ENERGY)
def test_energy_per_operation_is_plausible(name):
    """Between a femtojoule and 20 pJ per 8-bit operation, as published chips are."""
    model = CostModel(load_network("resnet18"), load_preset(name))
    per_op = model.baseline.energy_fj / (2 * model.network.macs)
    assert 1 < per_op < 20_000


def test_puma_and_isaac_agree_on_what_they_share():
    """PUMA's components are ISAAC's, so that its converters and cells must cost the same."""
    isaac, puma = load_preset("isaac_isca_2016"), load_preset("puma_asplos_2019")
    assert puma.energy.cell_read_fj == isaac.energy.cell_read_fj
    by_name = {component.name: component for component in isaac.components}
    for component in puma.components:
        if component.name in ("crossbar", "adc", "sample_hold", "hyper_transport"):
            assert component.area_um2 == by_name[component.name].area_um2
    assert puma.energy.adc_conversion_fj == pytest.approx(isaac.energy.adc_conversion_fj, rel=0.11)
