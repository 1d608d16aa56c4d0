"""Statistics of noisy cells as data: read, checked, part of the chip only where they are given."""

from dataclasses import replace

import pytest

from lrmp.errors import PresetError
from lrmp.hardware import Provenance, list_presets, load_preset, read_preset
from lrmp.hardware.chip.accelerator import RARE
from lrmp.hardware.chip.cell_noise import NOISE, DeviceNoise
from lrmp.hardware.chip.preset import list_noise, load_noise, with_noise

PCM = {"max_conductance_microsiemens": 25.0, "programming_microsiemens": (0.26348, 1.9650, -1.1731)}
RAMP = {"drift_mean": (0.0, 0.05, 0.0, 0.1), "drift_reference_s": 20.0}
SOURCE = 'status = "assumed", source = "test"'


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"max_conductance_microsiemens": 0.0},
            r"^Expected max_conductance_microsiemens of the noise to be positive, got 0\.$",
        ),
        (
            {"elapsed_s": -1.0},
            r"^Expected elapsed_s of the noise to be a finite number >= 0, got -1\.0\.$",
        ),
        (
            {"read_microsiemens": float("nan")},
            r"^Expected read_microsiemens of the noise to be a finite number >= 0, got nan\.$",
        ),
        (
            {"programming_microsiemens": ()},
            r"^Expected programming_microsiemens of the noise as a list .*, got \(\)\.$",
        ),
        (
            {"programming_microsiemens": (0.1, float("inf"))},
            r"^Expected programming_microsiemens of the noise as a list .*, got \(0\.1, inf\)\.$",
        ),
        (
            {"programming_microsiemens": (True,)},
            r"^Expected programming_microsiemens of the noise as a list .*, got \(True,\)\.$",
        ),
        (
            {"drift_mean": (0.0, 0.1)},
            (
                r"^Expected drift_mean of the noise as slope, offset, least, most with 0 <= least "
                r"<= most, got \[0\.0, 0\.1\]\.$"
            ),
        ),
        (
            {"drift_deviation": (0.0, 0.1, 0.2, 0.1), "drift_reference_s": 1.0},
            r"^Expected drift_deviation of the noise as slope, .*, got \[0\.0, 0\.1, 0\.2, 0\.1\]",
        ),
        (
            {"drift_mean": (0.0, 0.05, 0.0, 0.1)},
            (
                r"^Expected noise that drifts to give drift_reference_s, the time after "
                r"programming that drift counts from, got 0\.$"
            ),
        ),
        (
            {"flicker_scale": 0.01, "flicker_most": 0.2},
            (
                r"^Expected noise with flicker to give read_time_s, the time that a read takes, "
                r"got 0\.$"
            ),
        ),
        (
            {"elapsed_s": 5.0},
            (
                r"^Expected noise that changes with time where elapsed_s is given, got neither "
                r"drift nor flicker and elapsed_s 5\.0\. Take statistics of that time\.$"
            ),
        ),
        (
            {"drift_compensation": "local"},
            (
                r"^Expected drift_compensation of the noise to be one of none, global; got "
                r"'local'\.$"
            ),
        ),
    ],
)
def test_noise_that_cannot_be_is_refused(given, message):
    with pytest.raises(PresetError, match=message):
        DeviceNoise(**PCM | given)


def test_a_chip_without_noise_is_defined_as_before():
    for name in list_presets():
        chip = load_preset(name)
        assert chip.noise is None
        assert set(chip.definition) == {"parameters", "energy", "components"}
        assert chip.to_json()["noise"] is None


def test_noise_is_part_of_what_defines_a_chip():
    plain = load_preset("neurram_nature_2022")
    noisy = replace(plain, noise=DeviceNoise(**PCM))
    assert noisy != plain
    assert noisy.definition == plain.definition | {
        "noise": {
            "max_conductance_microsiemens": 25.0,
            "programming_microsiemens": [0.26348, 1.9650, -1.1731],
        }
    }
    # However numbers and lists are given, and what is left out.
    same = DeviceNoise(25, [0.26348, 1.9650, -1.1731], read_microsiemens=0, elapsed_s=0)
    assert replace(plain, noise=same).definition == noisy.definition
    assert hash(same) == hash(noisy.noise)
    later = replace(noisy, noise=DeviceNoise(**PCM | RAMP | {"elapsed_s": 60.0}))
    assert later.definition != noisy.definition
    assert noisy.scaled_to(65).noise == noisy.with_active_rows(32).noise == noisy.noise


@pytest.mark.parametrize("name", list_noise())
def test_every_number_that_ships_has_a_source(name):
    noise, sources = load_noise(name)
    assert set(sources) == {f"noise.{key}" for key in NOISE}
    for key in NOISE[:2]:
        assert sources[f"noise.{key}"].status in ("published", "derived")
    chip = with_noise(load_preset("neurram_nature_2022"), name)
    assert chip.noise == noise
    assert chip.name == f"neurram_nature_2022+{name}"
    assert chip.provenance == load_preset("neurram_nature_2022").provenance | sources


def test_what_is_changed_says_so():
    chip = with_noise(load_preset("hermes_2023"), "pcm_nandakumar_2019", elapsed_s=3600.0)
    assert chip.noise.elapsed_s == 3600
    assert chip.provenance["noise.elapsed_s"] == Provenance("assumed", "chosen for this chip")
    with pytest.raises(PresetError, match=r"^Expected noise to be one of pcm_.*; got 'pcm'"):
        load_noise("pcm")
    with pytest.raises(
        PresetError, match=r"^Expected field of the noise to be one of .*; got 'elapsed'"
    ):
        with_noise(chip, "pcm_nandakumar_2019", elapsed=3600.0)


def test_a_preset_file_may_have_noise(tmp_path):
    parameters = "\n".join(
        f"{key} = {{value = {value!r}, {SOURCE}}}".replace("'", '"')
        for key, value in load_preset("neurram_nature_2022").parameters.items()
        if key not in RARE
    )
    lines = [f"max_conductance_microsiemens = {{value = 25, {SOURCE}}}"]
    lines += [f"programming_microsiemens = {{value = [0.3, 2], {SOURCE}}}"]
    text = "\n".join(["[parameters]", parameters, "[noise]", *lines])
    path = tmp_path / "chip.toml"
    path.write_text(text, encoding="utf-8")
    chip = read_preset(path)
    assert chip.noise == DeviceNoise(25.0, (0.3, 2.0))
    assert chip.provenance["noise.programming_microsiemens"] == Provenance("assumed", "test")
    assert (
        chip.provenance["noise.read_microsiemens"].source == "not given, so left out of the model"
    )

    path.write_text(text.replace("programming_microsiemens", "programming"), encoding="utf-8")
    with pytest.raises(PresetError, match=r"Expected each key of \[noise\] in preset 'chip'"):
        read_preset(path)
    path.write_text(text.replace(lines[1], ""), encoding="utf-8")
    with pytest.raises(
        PresetError, match=r"Expected \[noise\] of preset 'chip' .*programming_microsiemens m"
    ):
        read_preset(path)
    path.write_text(text.replace("[0.3, 2]", "2"), encoding="utf-8")
    with pytest.raises(
        PresetError, match=r"programming_microsiemens of the noise as a list of numbers"
    ):
        read_preset(path)
