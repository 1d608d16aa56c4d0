"""What a specification must not say; no component library is asked for it."""

import pytest

from lrmp.errors import PresetError
from lrmp.hardware.derive.derived_chip import derive_chip

LIKE = 'like = "lrmp_frontiers_2024"\n'
ENERGY = '[energy]\nadc_conversion_fj = {value = 1, status = "assumed", source = "x"}\n'
COMPONENT = """[components.adc]
part = "adc"
per = "adc"
count = 1
area_um2 = 1
leakage_uw = 0
status = "assumed"
source = "x"
"""


def own(**parameters):
    lines = [
        f'{key} = {{value = {value}, status = "assumed", source = "mine"}}'
        for key, value in parameters.items()
    ]
    return "\n".join([LIKE, "[parameters]", *lines, ""])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            LIKE,
            r"Expected 'chip' to have tables \[derive\.NAME\] .* one of adc, dac, .*; got None\.",
        ),
        (f"derive = 3\n{LIKE}", r"Expected 'chip' to have tables \[derive\.NAME\] .*; got 3\."),
        (
            f"{LIKE}[derive.adcs]",
            r"Expected each table of \[derive\] in 'chip' .* got 'adcs'\. Did you mean 'adc'\?",
        ),
        (f"{LIKE}[derive]\nadc = 4", r"Expected \[derive\.adc\] in 'chip' to be a table, got 4\."),
        (
            f"{LIKE}[derive.adc]\nrate_mhz = 192",
            r"each key of \[derive\.adc\] in 'chip' .* got 'rate_mhz'\. Did you mean 'rate_msps'\?",
        ),
        (
            f"{LIKE}[derive.buffer]\nsize_kb = 64",
            r"\(1\) .* got 'size_kb'\. Did you mean 'size_kib'\? \(2\) .* give size_kib, which",
        ),
        (
            f"{LIKE}[derive.adc]\nbits = 3",
            r"Expected bits of \[derive\.adc\] in 'chip' to be a whole number .* 4 to 12, got 3\.",
        ),
        (f"{LIKE}[derive.adc]\nbits = 13", r"a whole number from 4 to 12, got 13\."),
        (f"{LIKE}[derive.adc]\nbits = 4.5", r"a whole number from 4 to 12, got 4\.5\."),
        (f"{LIKE}[derive.adc]\nbits = true", r"a whole number from 4 to 12, got True\."),
        (f"{LIKE}[derive.adc]\nrate_msps = nan", r"a number from 0\.001 to 10000, got nan\."),
        (f'{LIKE}[derive.adc]\nrate_msps = "192"', r"a number from 0\.001 to 10000, got '192'\."),
        (
            own(active_rows=1) + "[derive.adc]",
            r"Expected bits of \[derive\.adc\] .* from 4 to 12, got 1 from the chip\.",
        ),
        (
            own(adc='"none"') + "[derive.adc]",
            r"Expected the chip of \[derive\.adc\] in 'chip' to have ADCs, got adc 'none'\.",
        ),
        (
            own(technology_nm=180) + "[derive.adc]",
            r"Expected technology nodes between 14 and 130 nm, got 180 nm\.",
        ),
        (
            f'{LIKE}[derive.adc]\nmodel = "isac"',
            r"Expected model of \[derive\.adc\] in 'chip' .* got 'isac'\. Did you mean 'isaac'\?",
        ),
        (
            f'{LIKE}[derive.adc]\nmodel = "isaac"\nsecond = "isaac"',
            r"Expected model and second of \[derive\.adc\] in 'chip' to differ, got 'isaac' tw",
        ),
        (
            LIKE + ENERGY + "[derive.adc]",
            r"Expected 'chip' to give adc_conversion_fj or to derive it \(\[derive\.adc\]\), go",
        ),
        (
            LIKE + COMPONENT + "[derive.adc]",
            r"Expected 'chip' to give components\.adc or to derive it \(\[derive\.adc\]\), got",
        ),
        ('like = "lrmp"\n[derive.adc]', r"Expected preset to be one of .*; got 'lrmp'\."),
        ("like = \n", r"Expected 'chip' to be valid TOML: "),
        (f"{LIKE}[derive.adc]\n[parameters]\ntiles = 3", r"Expected tiles of preset 'chip' to be"),
        (f"energy = 3\n{LIKE}[derive.adc]", r"to have a \[energy\] table, got 3\."),
        (f"{LIKE}[derive.adc]\n[components]\nadc = 3", r"Expected component 'adc' .* table, got 3"),
        (f"{LIKE}[derive.adc]\n[enrgy]\n", r"Expected each section of preset 'chip' .*'energy'"),
    ],
)
def test_what_is_wrong_is_said(text, message):
    with pytest.raises(PresetError, match=message):
        derive_chip("chip", text)


def test_a_node_that_the_library_does_not_know():
    values = {
        "crossbar_rows": 64, "crossbar_columns": 64, "cell_bits": 1, "dac_bits": 1,
        "active_rows": 9, "columns_per_adc": 8, "clock_mhz": 100, "conversion_cycles": 1,
        "conversions_per_cycle": 1, "output_elements_per_cycle": 1,
        "technology_nm": 5, "tiles_per_core": 1, "partial_sum_bits": 16,
        "slice_placement": '"separate"', "weight_encoding": '"offset"', "adc": '"fixed"',
        "shared_work": '"positions"', "weight_loading": '"stationary"', "overlap": '"none"',
        "dynamic_matmul": '"digital"', "idle_power": '"gated"', "output_path": '"shared"',
    }  # fmt: skip
    text = own(**values).replace(LIKE, "") + "[derive.adc]"
    with pytest.raises(PresetError, match=r"Expected technology_nm of 'chip' from 7 to 130, .*5\."):
        derive_chip("chip", text)


def test_all_that_is_wrong_is_said_at_once():
    text = f"{LIKE}[derive.adc]\nbits = 2\nrate = 1\n[derive.dcc]\n[derive.crossbar]\nread_mv = 0"
    with pytest.raises(PresetError, match=r"without faults, got 7: \(1\) .*\(7\)"):
        derive_chip("chip", text)
