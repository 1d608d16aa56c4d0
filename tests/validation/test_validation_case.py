from dataclasses import replace

import pytest

from lrmp.baselines.validation import ValidationCase, format_cases

CASE = ValidationCase(
    case="V0",
    what="a chip: area",
    unit="mm2",
    model=(1.02, 3.0),
    published=(1.0, 3.0),
    check="ratio",
    basis="roll-up",
    confidence="H",
    source="Somewhere",
    tolerance=0.02,
)


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"tolerance": 0.019}, False),
        ({"model": (1 / 1.02, 3.0)}, True),
        ({"model": (0.97, 3.0)}, False),
        ({"check": "digits"}, False),
        ({"check": "digits", "decimals": 1}, True),
        ({"check": "digits", "decimals": 1, "model": (1.06, 3.0)}, False),
        ({"check": "range", "published": (1.0, 3.0)}, True),
        ({"check": "range", "published": (1.03, 3.0)}, False),
        ({"check": "range", "published": (1.0, 2.99)}, False),
        ({"model": (1.0,)}, False),
        ({"tested": False}, None),
        ({"tested": False, "model": (7.0, 3.0)}, None),
    ],
)
def test_what_holds(changes, holds):
    assert replace(CASE, **changes).holds is holds


def test_ratios_are_of_pairs():
    assert CASE.ratios == (1.02, 1.0)
    assert replace(CASE, check="range").ratios == ()
    assert replace(CASE, model=(1.0,)).ratios == ()


def test_text_table():
    far = replace(CASE, what="far", tolerance=2, model=(0.2, 9.0))
    shown = replace(CASE, what="shown", tested=False, published=(2.5,), model=(1.0, 2.0))
    within = replace(CASE, what="range", check="range", published=(0.5, 9.25))
    digits = replace(CASE, what="digits", check="digits", decimals=0, unit="")
    assert format_cases([CASE, far, shown, within, digits]).splitlines() == [
        "case  what          unit  lrmp         published    ratio           required    result",
        "V0    a chip: area  mm2   1.02 / 3.00  1.00 / 3.00  1.000 to 1.020  2 %         holds",
        "V0    far           mm2   0.20 / 9.00  1.00 / 3.00  0.200 to 3.000  3 x         FAILS",
        "V0    shown         mm2   1.00 / 2.00  2.50         -               -           shown",
        "V0    range         mm2   1.02 / 3.00  0.5 to 9.25  -               in range    holds",
        "V0    digits              1 / 3        1 / 3        1.000 to 1.020  all digits  holds",
    ]


def test_markdown_table_has_sources_and_notes():
    noted = replace(CASE, note="Because of that")
    assert format_cases(iter([CASE, noted]), markdown=True).splitlines() == [
        (
            "| case | what | unit | lrmp | published | ratio | required | result | basis | "
            "confidence | source, note |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        (
            "| V0 | a chip: area | mm2 | 1.02 / 3.00 | 1.00 / 3.00 | 1.000 to 1.020 | 2 % | holds "
            "| roll-up | H | Somewhere |"
        ),
        (
            "| V0 | a chip: area | mm2 | 1.02 / 3.00 | 1.00 / 3.00 | 1.000 to 1.020 | 2 % | holds "
            "| roll-up | H | Somewhere. Because of that |"
        ),
    ]
