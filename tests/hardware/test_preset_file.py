import pytest

from lrmp.errors import PresetError
from lrmp.hardware import Accelerator, read_preset
from lrmp.hardware.accelerator import PARAMETERS

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
                r"derived, published, second-hand; got 'measurd'\."
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
