"""What is turned while a table is measured, and how a log says it."""

import json

import pytest

from lrmp.accuracy.model.sensitivity_table import measured_terms
from lrmp.accuracy.model.turn import line_of, turned_of, turns
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION
from lrmp.hardware.space.pruning import PRUNING_METHOD, PRUNING_RATIO

SPACE = DesignSpace((*PRECISION, PRUNING_RATIO, PRUNING_METHOD))
PAIR = ("pruning_ratio", "pruning_method")


def test_a_knob_alone_or_every_pair():
    assert list(turns(PRECISION))[:2] == [(("weight_bits",), (2,)), (("weight_bits",), (3,))]
    found = list(turns(SPACE))
    assert len(found) == 7 + 7 + 15
    assert (PAIR, (50, "fine")) in found
    assert (PAIR, (0, "channels")) in found


@pytest.mark.parametrize(
    ("turned", "knob", "value"),
    [
        (("fc", ("weight_bits",), (4,)), "weight_bits", 4),
        (("fc", PAIR, (50, "fine")), "pruning_ratio x pruning_method", [50, "fine"]),
    ],
)
def test_lines_say_both(turned, knob, value):
    line = line_of(turned, 0.25)
    assert line == {"layer": "fc", "knob": knob, "value": value, "divergence": 0.25}
    assert turned_of(json.loads(json.dumps(line))) == turned


def test_pairs_are_laid_out_by_both():
    lines = [line_of(("fc", PAIR, (50, "columns")), 0.5), line_of(("fc", PAIR, (90, "fine")), 0.7)]
    found = measured_terms(lines, SPACE, ["fc"])[PAIR]
    assert found.shape == (1, 5, 3)
    assert (found[0, 2, 1], found[0, 4, 2]) == (0.5, 0.7)
