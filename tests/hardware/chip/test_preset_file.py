from dataclasses import replace

import pytest

from lrmp.errors import PresetError
from lrmp.hardware import (
    Accelerator,
    Component,
    EventEnergies,
    Provenance,
    load_preset,
    read_preset,
)
from lrmp.hardware.chip.accelerator import PARAMETERS
from lrmp.hardware.chip.event_energies import EVENTS

CHIP = Accelerator(
    name="chip",
    crossbar_rows=64,
    crossbar_columns=32,
    cell_bits=2,
    dac_bits=1,
    active_rows=16,
    columns_per_adc=4,
    clock_mhz=100,
    output_elements_per_cycle=2,
)


def toml(value):
    if isinstance(value, tuple):
        return list(value)
    return f'"{value}"' if isinstance(value, str) else value


def preset(**changes):
    """Write a preset: every parameter of CHIP, with some entries replaced or (None) left out."""
    entries = {
        key: f'{{value = {toml(value)}, status = "assumed", source = "test"}}'
        for key, value in CHIP.parameters.items()
    }
    entries |= changes
    lines = [f"{key} = {entry}" for key, entry in entries.items() if entry is not None]
    return "\n".join(["[parameters]", *lines, ""])


def read(tmp_path, text):
    path = tmp_path / "chip.toml"
    path.write_text(text, encoding="utf-8")
    return read_preset(path)


def test_preset_file_is_read_with_its_provenance(tmp_path):
    chip = read(tmp_path, 'title = "any"\n' + preset())
    assert chip == CHIP
    assert {(p.status, p.source) for p in chip.provenance.values()} == {("assumed", "test")}
    assert list(chip.provenance) == list(PARAMETERS)


def test_what_is_out_of_the_model_need_not_be_given(tmp_path):
    chip = read(tmp_path, preset(noc_hop_cycles=None, tiles=None))
    assert chip == CHIP
    assert set(chip.provenance) == set(PARAMETERS)
    assert chip.provenance["tiles"] == Provenance("assumed", "not given, so left out of the model")


def test_all_faults_are_told_at_once(tmp_path):
    entry = '{{value = {}, status = "{}", source = "test"}}'
    text = preset(
        cell_bits=entry.format(9, "assumed"),
        dac_bits=entry.format(-1, "assumed"),
        clock_ghz=entry.format(1, "assumed"),
        tiles=entry.format(7, "guessed"),
        clock_mhz=None,
        active_rows="16",
    )
    with pytest.raises(PresetError) as error:
        read(tmp_path, text + "[components.adc]\ncount = 1\n[energy]\n[enrgy]\n[noize]\n")
    message = str(error.value)
    assert message.startswith("Expected preset 'chip' without faults, got 10: (1) ")
    for part in (
        "got 'enrgy'. Did you mean 'energy'?",
        "got 'noize'. Did you mean 'noise'?",
        "got 'clock_ghz'",
        "clock_mhz missing",
        "Expected active_rows of preset 'chip' to be a table with exactly value, status and source",
        "got 'guessed'",
        "cell_bits of accelerator 'chip' to be an integer from 1 to 4, got 9",
        "dac_bits of accelerator 'chip' to be an integer from 1 to 8, got -1",
        "component 'adc' of preset 'chip' to give part, per, count",
        "Expected [energy] of preset 'chip' to give every number",
    ):
        assert part in message


def test_a_chip_may_be_like_a_preset(tmp_path):
    isaac = load_preset("isaac_isca_2016")
    clock = 'clock_mhz = {value = 400, status = "published", source = "data sheet"}'
    energy = 'row_drive_fj = {value = 7, status = "derived", source = "measured"}'
    chip = read(
        tmp_path,
        f'like = "isaac_isca_2016"\n[parameters]\n{clock}\n[energy]\n{energy}\n',
    )
    expected = replace(
        isaac, name="chip", clock_mhz=400, energy=replace(isaac.energy, row_drive_fj=7)
    )
    assert chip == expected
    own = {"clock_mhz", "energy.row_drive_fj"}
    assert chip.provenance["clock_mhz"] == Provenance("published", "data sheet")
    assert set(chip.provenance) == set(isaac.provenance)
    for key in set(chip.provenance) - own:
        assert chip.provenance[key].status == "assumed"
        assert chip.provenance[key].source == f"as isaac_isca_2016: {isaac.provenance[key].source}"


def test_what_depends_on_the_node_is_scaled_with_it(tmp_path):
    entry = '{value = 22, status = "assumed", source = "test"}'
    chip = read(tmp_path, f'like = "isaac_isca_2016"\n[parameters]\ntechnology_nm = {entry}\n')
    assert chip == replace(load_preset("isaac_isca_2016").scaled_to(22), name="chip")
    sources = {key: source.source for key, source in chip.provenance.items()}
    assert sources["energy.row_drive_fj"].startswith("as isaac_isca_2016, scaled from 32 nm: ")
    assert sources["cell_bits"].startswith("as isaac_isca_2016: ")
    with pytest.raises(PresetError, match=r"'isaac_isca_2015'\. Did you mean 'isaac_isca_2016'\?"):
        read(tmp_path, 'like = "isaac_isca_2015"')
    with pytest.raises(PresetError, match=r"like of preset 'chip' to name a preset, got 3"):
        read(tmp_path, "like = 3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[parameters\n", r"Expected preset 'chip' to be valid TOML: "),
        ("", r"Expected preset 'chip' to have a \[parameters\] table, got none\."),
        ("parameters = 3", r"Expected preset 'chip' to have a \[parameters\] table"),
        (
            preset(clock_mhz=None),
            r"Expected \[parameters\] of preset 'chip' to give .*; clock_mhz missing\.",
        ),
        (
            preset(clock_mhz=None, cell_bits=None),
            r"Expected \[parameters\] of preset 'chip' to give .*; cell_bits, clock_mhz missing\.",
        ),
        (
            preset(clock_ghz='{value = 1, status = "assumed", source = "test"}'),
            (
                r"Expected each key of \[parameters\] in preset 'chip' to be one of .*; "
                r"got 'clock_ghz'\. Did you mean 'clock_mhz'\?"
            ),
        ),
        (
            preset(cell_bits="2"),
            (
                r"Expected cell_bits of preset 'chip' to be a table with exactly value, status and "
                r"source, got 2\."
            ),
        ),
        (
            preset(cell_bits='{value = 2, status = "assumed"}'),
            (
                r"Expected cell_bits of preset 'chip' to be a table with exactly value, status and "
                r"source, got \{'value': 2, 'status': 'assumed'\}\."
            ),
        ),
        (
            preset(cell_bits='{value = 2, status = "assumed", source = "test", note = ""}'),
            r"Expected cell_bits of preset 'chip' to be a table with exactly value",
        ),
        (
            preset(cell_bits='{value = 2, status = "assumed", source = "  "}'),
            r"Expected cell_bits of preset 'chip' to name its source, got '  '\.",
        ),
        (
            preset(cell_bits='{value = 2, status = "assumed", source = 7}'),
            r"Expected cell_bits of preset 'chip' to name its source, got 7\.",
        ),
        (
            preset(cell_bits='{value = 2, status = "measurd", source = "test"}'),
            (
                r"Expected status of cell_bits in preset 'chip' to be one of assumed, calibrated, "
                r"derived, modelled, published and 1 more; got 'measurd'\."
            ),
        ),
        (
            preset(cell_bits='{value = 2, status = "publish", source = "test"}'),
            r"got 'publish'\. Did you mean 'published'\?",
        ),
        (
            preset(cell_bits='{value = -2, status = "assumed", source = "test"}'),
            r"Expected cell_bits of accelerator 'chip' to be an integer from 1 to 4, got -2\.",
        ),
        (
            preset(cell_bits='{value = 2.0, status = "assumed", source = "test"}'),
            r"Expected cell_bits of accelerator 'chip' to be an integer from 1 to 4, got 2\.0\.",
        ),
        (
            preset(active_rows='{value = 65, status = "assumed", source = "test"}'),
            r"Expected active_rows of accelerator 'chip' to be at most its crossbar_rows \(64\)",
        ),
    ],
    ids=[
        "no TOML",
        "empty",
        "parameters no table",
        "missing key",
        "two missing keys",
        "unknown key",
        "bare value",
        "no source",
        "one entry too many",
        "blank source",
        "source no text",
        "bad status",
        "misspelt status",
        "negative value",
        "float value",
        "more active rows than rows",
    ],
)
def test_malformed_preset_file_is_refused(tmp_path, text, message):
    with pytest.raises(PresetError, match=message):
        read(tmp_path, text)


def test_missing_preset_file_is_named(tmp_path):
    with pytest.raises(PresetError, match=r"Expected a readable preset at .*absent\.toml: "):
        read_preset(tmp_path / "absent.toml")


def test_preset_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PresetError, match=r"Expected a readable preset at .*chip\.toml: "):
        read_preset(path)


NODE = '{value = 32, status = "assumed", source = "test"}'


def energy(**changes):
    """Write an [energy] table of 1.5 fJ per event, with some entries replaced or left out."""
    entries = dict.fromkeys(EVENTS, '{value = 1.5, status = "derived", source = "halves"}')
    lines = [f"{key} = {entry}" for key, entry in (entries | changes).items() if entry is not None]
    return "\n".join(["[energy]", *lines, ""])


def component(**changes):
    """Write [components.edram], with some entries replaced or (None) left out."""
    entries = {
        "part": '"buffer"',
        "per": '"core"',
        "count": "2",
        "area_um2": "83000.5",
        "leakage_uw": "460",
        "status": '"published"',
        "source": '"a table"',
    }
    lines = [f"{key} = {entry}" for key, entry in (entries | changes).items() if entry is not None]
    return "\n".join(["[components.edram]", *lines, ""])


def whole(energies="", components=""):
    return preset(technology_nm=NODE) + energies + components


def test_energies_and_components_are_read_with_their_provenance(tmp_path):
    chip = read(tmp_path, whole(energy(), component(peak_power_uw="20700")))
    assert chip == replace(
        CHIP,
        technology_nm=32,
        energy=EventEnergies(*[1.5] * len(EVENTS)),
        components=(Component("edram", "buffer", "core", 2, 83_000.5, 20_700, 460),),
    )
    assert chip.provenance["energy.adc_conversion_fj"] == Provenance("derived", "halves")
    assert chip.provenance["components.edram"] == Provenance("published", "a table")
    assert len(chip.provenance) == len(PARAMETERS) + len(EVENTS) + 1


def test_ranges_of_what_models_say(tmp_path):
    modelled = '{value = 104, range = [104, 739.5], status = "modelled", source = "a library"}'
    text = whole(
        energy(adc_conversion_fj=modelled),
        component(area_range_um2="[83000, 83000.5]", leakage_range_uw="[2.8, 460]"),
    )
    chip = read(tmp_path, text)
    adc, edram = (chip.provenance[key] for key in ("energy.adc_conversion_fj", "components.edram"))
    assert (adc.status, adc.ranges) == ("modelled", {"value": (104, 739.5)})
    assert edram.ranges == {"area_um2": (83_000, 83_000.5), "leakage_uw": (2.8, 460)}
    assert chip.to_json()["provenance"]["energy.adc_conversion_fj"] == {
        "status": "modelled",
        "source": "a library",
        "ranges": {"value": [104, 739.5]},
    }
    assert chip == read(tmp_path, whole(energy(adc_conversion_fj=modelled), component()))


def test_area_in_squares_of_the_feature_size(tmp_path):
    # 48 F2 at 45 nm: 48 * 0.045 um * 0.045 um.
    node = preset(technology_nm=NODE.replace("32", "45"))
    chip = read(tmp_path, node + component(area_um2=None, area_f2="48"))
    assert chip.components[0].area_um2 == pytest.approx(0.0972, rel=1e-12)


def test_components_keep_the_order_of_the_file(tmp_path):
    another = component().replace("edram", "adc").replace("buffer", "adc")
    chip = read(tmp_path, whole(components=component() + another))
    assert [entry.name for entry in chip.components] == ["edram", "adc"]
    assert chip.components[0].peak_power_uw is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            whole(energy(cell_read_fj='{value = 1, range = 2, status = "modelled", source = "t"}')),
            r"Expected range of cell_read_fj in preset 'chip' as \[least, greatest\], got 2\.",
        ),
        (
            whole(
                energy(
                    cell_read_fj='{value = 1, range = [2, 3], status = "modelled", source = "t"}'
                )
            ),
            r"Expected range of cell_read_fj .* around the value 1, got \[2, 3\]\.",
        ),
        (
            whole(energy(cell_read_fj='{value=1, range=["1", 3], status="modelled", source="t"}')),
            r"Expected range of cell_read_fj in preset 'chip' to be a finite number >= 0, got '1'",
        ),
        (
            whole(components=component(area_range_um2="[1, 2]")),
            r"Expected area_range_um2 of edram in preset 'chip' .* value 83000\.5, got \[1, 2\]\.",
        ),
        (
            preset(cell_bits='{value = 2, range = [1, 2], status = "assumed", source = "test"}'),
            r"Expected cell_bits of preset 'chip' to be a table with exactly value, status and so",
        ),
        (preset() + "[enrgy]\n", r"Expected each section of preset 'chip' to be one of .*'energy'"),
        (f"energy = 3\n{preset()}", r"Expected preset 'chip' to have a \[energy\] table, got 3\."),
        (
            f"components = 3\n{preset()}",
            r"Expected preset 'chip' to have a \[components\] table, got 3\.",
        ),
        (
            whole(energy(adc_conversion_fj=None)),
            r"Expected \[energy\] of preset 'chip' to give .*; adc_conversion_fj missing\.",
        ),
        (
            whole(energy(adc_conversion_fj=None, adc_conversion_pj="1")),
            (
                r"Expected each key of \[energy\] in preset 'chip' to be one of .*; got "
                r"'adc_conversion_pj'\. Did you mean 'adc_conversion_fj'\?"
            ),
        ),
        (
            whole(energy(cell_read_fj="1.83")),
            r"Expected cell_read_fj of preset 'chip' to be a table with exactly value, status and",
        ),
        (
            whole(energy(cell_read_fj='{value = -1, status = "derived", source = "test"}')),
            r"Expected energy cell_read_fj to be a finite number >= 0, got -1\.",
        ),
        (
            whole(energy(cell_read_fj='{value = nan, status = "derived", source = "test"}')),
            r"Expected energy cell_read_fj to be a finite number >= 0, got nan\.",
        ),
        (
            whole(energy(cell_read_fj='{value = inf, status = "derived", source = "test"}')),
            r"Expected energy cell_read_fj to be a finite number >= 0, got inf\.",
        ),
        (
            whole(energy(cell_read_fj='{value = "1", status = "derived", source = "test"}')),
            r"Expected energy cell_read_fj to be a finite number >= 0, got '1'\.",
        ),
        (
            whole(energy(cell_read_fj='{value = 1, status = "guess", source = "test"}')),
            r"Expected status of cell_read_fj in preset 'chip' to be one of .*; got 'guess'\.",
        ),
        (
            whole(energy(cell_read_fj='{value = 1, status = "derived", source = ""}')),
            r"Expected cell_read_fj of preset 'chip' to name its source, got ''\.",
        ),
        (
            preset() + energy(),
            r"Expected accelerator 'chip' with energies or components to give the technology_nm",
        ),
        (
            preset(technology_nm='{value = "32nm", status = "assumed", source = "test"}')
            + component(area_um2=None, area_f2="48"),
            r"Expected technology_nm of accelerator 'chip' to be an integer >= 0 .*, got '32nm'\.",
        ),
        (
            whole(components="[components]\nedram = 3\n"),
            r"Expected component 'edram' of preset 'chip' to be a table, got 3\.",
        ),
        (
            whole(components=component(part=None, leakage_uw=None)),
            (
                r"Expected component 'edram' of preset 'chip' to give part, per, count, "
                r"leakage_uw, status, source; part, leakage_uw missing\."
            ),
        ),
        (
            whole(components=component(source=None)),
            r"Expected component 'edram' of preset 'chip' to give .*; source missing\.",
        ),
        (
            whole(components=component(source='" "')),
            r"Expected edram of preset 'chip' to name its source, got ' '\.",
        ),
        (
            whole(components=component(status='"mesured"')),
            r"Expected status of edram in preset 'chip' to be one of .*; got 'mesured'\.",
        ),
        (
            whole(components=component(area_mm2="0.083")),
            (
                r"Expected each key of component 'edram' of preset 'chip' to be one of .*; "
                r"got 'area_mm2'\. Did you mean 'area_"
            ),
        ),
        (
            whole(components=component(area_um2=None)),
            r"Expected component 'edram' .* to give either area_um2 or area_f2, got neither\.",
        ),
        (
            whole(components=component(area_f2="48")),
            r"to give either area_um2 or area_f2, got area_um2 and area_f2\.",
        ),
        (
            whole(components=component(area_um2=None, area_f2='"48"')),
            r"Expected area_f2 of component 'edram' of preset 'chip' to be a number, got '48'\.",
        ),
        (
            whole(components=component(area_um2=None, area_f2="true")),
            r"Expected area_f2 of component 'edram' of preset 'chip' to be a number, got True\.",
        ),
        (
            whole(components=component(area_um2=None, area_f2="nan")),
            r"Expected area_um2 of component 'edram' to be a finite number >= 0, got nan\.",
        ),
        (
            whole(components=component(count="-1")),
            r"Expected count of component 'edram' to be a finite number >= 0, got -1\.",
        ),
        (
            whole(components=component(leakage_uw="inf")),
            r"Expected leakage_uw of component 'edram' to be a finite number >= 0, got inf\.",
        ),
        (
            whole(components=component(part='"edram"')),
            r"Expected part of component 'edram' to be one of crossbar, .*; got 'edram'\.",
        ),
        (
            whole(components=component(per='"chips"')),
            r"Expected per of component 'edram' to be one of cell, .*; got 'chips'\.",
        ),
    ],
    ids=[
        "range no list",
        "range around another value",
        "range of texts",
        "range around another area",
        "range of a parameter",
        "unknown section",
        "energy no table",
        "components no table",
        "missing energy",
        "wrong unit of an energy",
        "energy without source",
        "negative energy",
        "nan",
        "infinite",
        "text",
        "bad status",
        "empty source",
        "energies without a node",
        "node with its unit",
        "component no table",
        "missing keys of a component",
        "component without source",
        "blank source of a component",
        "bad status of a component",
        "wrong unit of an area",
        "no area",
        "two areas",
        "text area in F2",
        "truth area in F2",
        "nan area in F2",
        "negative count",
        "infinite leakage",
        "unknown part",
        "unknown level",
    ],
)
def test_malformed_energy_or_component_is_refused(tmp_path, text, message):
    with pytest.raises(PresetError, match=message):
        read(tmp_path, text)
