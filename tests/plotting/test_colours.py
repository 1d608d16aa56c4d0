"""Colours of the pictures, seen with normal and with colour-blind eyes.

Simulation: Machado, Oliveira and Fernandes, IEEE TVCG 2009, severity 1. Distances are those of
CIE L*a*b* (CIE76), in which 2 can just be seen beside each other and 10 at a glance.
"""

from itertools import combinations, pairwise

import numpy as np
import pytest

from lrmp.hardware import CYCLE_COMPONENTS, ENERGY_COMPONENTS
from lrmp.plotting.cost_plot import COLOURS
from lrmp.plotting.design_plot import AFTER
from lrmp.plotting.floor_plan import FREE_COLOUR, LAYER_COLOURS
from lrmp.plotting.knob_panel import BEFORE
from lrmp.plotting.knob_panel import COLOURS as KNOB_COLOURS

EYES = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour, eyes):
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(np.array(EYES[eyes]) @ linear, 0, 1) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(one, other, eyes):
    return np.linalg.norm(lab(one, eyes) - lab(other, eyes))


def test_distance_of_black_and_white():
    assert distance("#000000", "#FFFFFF", "normal") == pytest.approx(100, abs=0.1)


def test_red_and_green_of_one_lightness_are_alike_to_some_eyes():
    assert distance("#CC6677", "#7A8A55", "normal") > 40
    assert distance("#CC6677", "#7A8A55", "deuteranopia") < 15


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("names", [CYCLE_COMPONENTS, ENERGY_COMPONENTS])
def test_components_of_a_stack_can_be_told_apart(names, eyes):
    for one, other in combinations((*names, "other"), 2):
        assert distance(COLOURS[one], COLOURS[other], eyes) > 15, (one, other)


@pytest.mark.parametrize("eyes", EYES)
def test_layers_beside_each_other_can_be_told_apart(eyes):
    for one, other in pairwise((*LAYER_COLOURS, LAYER_COLOURS[0])):
        assert distance(one, other, eyes) > 25
    for colour in LAYER_COLOURS:
        assert distance(colour, FREE_COLOUR, eyes) > 15


@pytest.mark.parametrize("eyes", EYES)
def test_knobs_lines_and_before_and_after_can_be_told_apart(eyes):
    assert AFTER in KNOB_COLOURS
    for one, other in combinations((*KNOB_COLOURS, BEFORE), 2):
        assert distance(one, other, eyes) > 25, (one, other)
