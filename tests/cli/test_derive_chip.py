"""The command that derives a chip: its file, its table, and what it says where it cannot."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from lrmp.cli.main import main
from lrmp.hardware import load_preset, read_preset
from lrmp.hardware.chip.event_energies import EVENTS

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
SPECIFICATION = 'like = "lrmp_frontiers_2024"\n[derive.adc]\n[derive.shift_add]\n'


@pytest.fixture
def specification(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text(SPECIFICATION)
    return path


@pytest.fixture
def library():
    if find_spec("hwcomponents_library") is None:
        pytest.skip("needs lrmp[components] on Python >= 3.12")


def derive(specification, out, *words):
    return main(["hardware", "derive", str(specification), "-o", str(out), *words])


def test_a_chip_is_derived_shown_and_costed(specification, tmp_path, library, capsys):
    out = tmp_path / "mine.toml"
    assert derive(specification, out) == 0
    printed = capsys.readouterr().out
    assert "mine.toml: 6 numbers modelled" in printed
    (line,) = [line for line in printed.splitlines() if line.startswith("adc_conversion_fj")]
    assert line.split() == ["adc_conversion_fj", "fJ", "790.0", "739.0", "104.2", "7.09x"]
    assert "Gains are robust to which model is right, absolute energies are not." in printed
    assert out.read_text().startswith("# Derived from spec.toml by lrmp hardware derive.")
    assert read_preset(out).energy.adc_conversion_fj == pytest.approx(738.999)
    assert main(["hardware", "show", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "738.999 (104.2 to 739.0) fJ" in printed
    assert "modelled" in printed
    assert main(["hardware", "cost", "lenet", "--preset", str(out), "--one-copy"]) == 0
    assert "by the least and the greatest of models" in capsys.readouterr().out


def test_as_json(specification, tmp_path, library, capsys):
    out = tmp_path / "mine.toml"
    assert derive(specification, out, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["file"] == str(out)
    assert found["notes"] == []
    adc = next(n for n in found["numbers"] if n["key"] == "energy.adc_conversion_fj")
    assert adc["before"] == 790
    assert (adc["value"], adc["second"]) == (738.999, 104.167)
    assert adc["spread"] == pytest.approx(738.999 / 104.167)


def test_without_the_library_one_error_says_what_is_needed(
    specification, tmp_path, monkeypatch, capsys
):
    for name in ("hwcomponents_adc", "hwcomponents_adc.main"):
        monkeypatch.setitem(sys.modules, name, None)
    out = tmp_path / "mine.toml"
    assert derive(specification, out) == 2
    error = capsys.readouterr().err
    assert "Expected hwcomponents_adc" in error
    assert "on Python >= 3.12 (this is 3." in error
    assert "to model a chip's components; run pip install " in error
    assert "components]" in error
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the library may be installed there")
def test_before_python_3_12_the_error_is_the_same(specification, tmp_path, capsys):
    assert derive(specification, tmp_path / "mine.toml") == 2
    assert "on Python >= 3.12 (this is 3.11" in capsys.readouterr().err


def test_nothing_is_overwritten_or_half_written(specification, tmp_path, capsys):
    out = tmp_path / "mine.toml"
    out.write_text("mine")
    assert derive(specification, out) == 2
    assert f"Expected no file at {out} yet, got one." in capsys.readouterr().err
    assert out.read_text() == "mine"
    specification.write_text(SPECIFICATION.replace("shift_add", "shiftadd"))
    assert derive(specification, tmp_path / "other.toml") == 2
    assert "got 'shiftadd'. Did you mean 'shift_add'?" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.toml", "spec.toml"]


def test_a_specification_that_is_not_there(tmp_path, capsys):
    assert derive(tmp_path / "none.toml", tmp_path / "mine.toml") == 2
    assert "Expected a readable specification at" in capsys.readouterr().err


def test_the_page_shows_what_the_command_prints(tmp_path, library, capsys):
    docs = Path(__file__).parents[2] / "docs" / "hardware"
    if not docs.is_dir():
        pytest.skip("no docs beside the tests")
    assert derive(docs / "lrmp-derived.toml", tmp_path / "mine.toml") == 0
    done = capsys.readouterr()
    if "CACTI" in done.err:
        pytest.skip(f"CACTI does not run here, .ci/components builds it: {done.err}")
    page = (docs / "energies.md").read_text("utf-8")
    begin, end = "<!-- derived by hwcomponents -->\n```text\n", "\n```\n<!-- end of derived -->"
    assert begin in page
    _, _, table = done.out.partition("\n\n")
    assert page.partition(begin)[2].partition(end)[0] == table.partition("\n\n")[0]


def test_ranges_of_lrmps_preset_are_those_of_the_models(tmp_path, library, capsys):
    docs = Path(__file__).parents[2] / "docs" / "hardware"
    if not docs.is_dir():
        pytest.skip("no docs beside the tests")
    out = tmp_path / "mine.toml"
    assert derive(docs / "lrmp-derived.toml", out) == 0
    if "CACTI" in capsys.readouterr().err:
        pytest.skip("CACTI does not run here, .ci/components builds it")
    preset, derived = load_preset("lrmp_frontiers_2024"), read_preset(out)
    compared = 0
    for key in EVENTS:
        ends = preset.provenance[f"energy.{key}"].ranges.get("value")
        models = derived.provenance[f"energy.{key}"].ranges.get("value")
        if ends and models and derived.provenance[f"energy.{key}"].status == "modelled":
            known = (*models, getattr(preset.energy, key))
            assert ends == pytest.approx((min(known), max(known)), rel=0.01), key
            compared += 1
    assert compared == 7
