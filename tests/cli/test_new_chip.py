import json
from dataclasses import replace

import pytest

from lrmp.cli.main import main
from lrmp.hardware import list_presets, load_preset, read_preset


def new(*words):
    return main(["hardware", "new", *map(str, words)])


@pytest.mark.parametrize("like", list_presets())
def test_every_preset_can_be_inherited(like, tmp_path, capsys):
    path = tmp_path / "mine.toml"
    assert new(path, "--like", like) == 0
    assert "0 numbers of its own" in capsys.readouterr().out
    chip, preset = read_preset(path), load_preset(like)
    assert chip == replace(preset, name="mine")
    assert {source.status for source in chip.provenance.values()} == {"assumed"}
    # A comment that is taken up gives the preset's own number and source.
    path.write_text(path.read_text().replace("# cell_bits = ", "cell_bits = "))
    assert read_preset(path).provenance["cell_bits"] == preset.provenance["cell_bits"]


def test_numbers_of_its_own(tmp_path, capsys):
    path = tmp_path / "mine.toml"
    words = ("clock_mhz=181.8", "slice_bits=2,1", "adc_conversion_fj=900", "overlap=none")
    options = [word for each in words for word in ("--set", each)]
    assert new(path, "--like", "isaac_isca_2016", *options, "--title", 'a "chip"', "--json") == 0
    assert json.loads(capsys.readouterr().out)["set"]["slice_bits"] == [2, 1]
    chip, isaac = read_preset(path), load_preset("isaac_isca_2016")
    assert chip == replace(
        isaac,
        name="mine",
        clock_mhz=181.8,
        slice_bits=(2, 1),
        overlap="none",
        energy=replace(isaac.energy, adc_conversion_fj=900),
    )
    assert "say where it is from" in chip.provenance["slice_bits"].source
    assert main(["hardware", "show", str(path)]) == 0
    assert "slice_bits" in capsys.readouterr().out


def test_energies_and_areas_follow_the_node(tmp_path, capsys):
    path = tmp_path / "mine.toml"
    assert new(path, "--like", "isaac_isca_2016", "--set", "technology_nm=22") == 0
    assert "energies and areas of 32 nm are scaled to 22 nm" in capsys.readouterr().err
    assert read_preset(path) == replace(load_preset("isaac_isca_2016").scaled_to(22), name="mine")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "clock=4"], "got 'clock'. Did you mean 'clock_mhz'?"),
        (["--set", "clock_mhz"], "Expected --set as KEY=VALUE, such as clock_mhz=400; got 'clock_"),
        (
            ["--set", "tiles=4", "--set", "tiles=5"],
            "Expected --set once per name, got tiles twice. Several",
        ),
        (["--like", "isaac_2016"], "Did you mean 'isaac_isca_2016'?"),
        (
            ["--set", "cell_bits=9", "--set", "dac_bits=-1", "--set", "tiles=many"],
            "without faults, got 3: (1) Expected cell_bits",
        ),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(words, message, tmp_path, capsys):
    path = tmp_path / "mine.toml"
    assert new(path, *words) == 2
    assert message in capsys.readouterr().err
    assert not path.exists()


def test_no_file_is_overwritten(tmp_path, capsys):
    path = tmp_path / "mine.toml"
    path.write_text("mine")
    assert new(path) == 2
    assert "Expected no file at" in capsys.readouterr().err
    assert path.read_text() == "mine"
