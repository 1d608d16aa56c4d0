"""A table of one layer, and lines of designs that judge it, as a measurement's log holds them."""

import numpy as np
import pytest

from lrmp.accuracy.model.drop_map import DropMap
from lrmp.accuracy.model.optimised_fidelity import LEAST_NEAR
from lrmp.accuracy.model.sensitivity_table import SensitivityTable
from lrmp.hardware.space.precision import PRECISION

MANY_IMAGES = 10_000


@pytest.fixture
def one_layer():
    """One layer: 0.1 nats per bit of weights below 9, few of activations; 10 points a nat."""
    return SensitivityTable(
        "one",
        "measured",
        ("a",),
        PRECISION,
        {
            ("weight_bits",): np.linspace(0.7, 0.1, 7)[None],
            ("activation_bits",): np.linspace(0.006, 0.0, 7)[None],
        },
        DropMap([0, 1], [0, 10], 90),
        {"recipe": "by hand"},
    )


@pytest.fixture
def write_line():
    """Write a line of a design."""
    return _line


def _line(split, weight_bits, activation_bits=8, *, lost=(), gained=(), images=100, **others):
    return {
        "design": {"weight_bits": [weight_bits], "activation_bits": [activation_bits]},
        "split": split,
        "origins": [{"how": "near", "allowed": 1.0, "judges": True}],
        "divergence": 0.1,
        "divergence_error": 0.01,
        "images": images,
        "float_correct": images - 10,
        "lost_images": list(lost),
        "gained_images": list(gained),
        "expected_drops": [1.0] * 10,
        **others,
    }


def _picked(how, allowed):
    return {"how": how, "objective": "edp", "allowed": allowed, "budget": 1.0, "judges": True}


@pytest.fixture
def judging_lines():
    """Two judging designs: one of 1 point, allowed 1, and one of 2, allowed 3 and 4; and others."""
    first, second = [_picked("best", 1.0)], [_picked("near", 4.0), _picked("near", 3.0)]
    return [
        {"layer": "a", "knob": "weight_bits", "value": 8, "divergence": 0.1},
        _line("search", 8, lost=[5], origins=first, divergence=0.1),
        _line("search", 7, lost=[5, 6, 7], origins=[{"how": "near", "round": 1}, *second]),
        _line("search", 2, lost=range(90), origins=[{"how": "random"}]),
        _line("test", 8, lost=[0, 1], origins=first, divergence=0.1, expected_drops=[1.5] * 10),
        _line("test", 7, lost=[0, 1, 2], gained=[3], origins=second, divergence=0.8),
        _line("test", 2, lost=range(6), divergence=0.7, origins=[{"how": "random"}]),
        _line("test", 4, lost=range(4), divergence=0.5, origins=[{"how": "random"}]),
    ]


@pytest.fixture
def many_lines(one_layer):
    """Write lines of designs that do on the network what the table says, or nearly."""

    def write(best=1, near=LEAST_NEAR, extra=0, search=1.0, test=1.0):
        lines = []
        for place in range(best + near):
            bits = 8 - place // 7, 8 - place % 7
            total = float(one_layer.sums(np.array([[bits[0] - 2, bits[1] - 2]])))
            origins = [_picked("best" if place < best else "near", 10.0)]
            lost = range(round(MANY_IMAGES * total / 10) + extra)
            for split, factor in (("search", search), ("test", test)):
                about = {"images": MANY_IMAGES, "divergence": factor * total, "origins": origins}
                lines.append(_line(split, *bits, lost=lost, **about))
        return lines

    return write
