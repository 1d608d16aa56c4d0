import numpy as np
import pytest

from lrmp.hardware import CostReport


@pytest.fixture
def report():
    return CostReport(
        layer_tiles=np.array([4, 2, 1]),
        component_cycles=np.array(
            [[0] * 3, [30, 100, 7], [0] * 3, [10, 20, 3], [0] * 3, [0] * 3, [0] * 3, [0] * 3]
        ),
        component_energy_fj=None,
        clock_hz=1_000_000,
    )


def test_totals(report):
    assert report.layer_cycles.tolist() == [40, 120, 10]
    assert report.tiles == 7
    assert report.latency_cycles == 170
    assert report.bottleneck_cycles == 120


def test_seconds(report):
    assert report.latency_s == 170e-6
    assert report.throughput_per_s == 1_000_000 / 120


def test_objective_selects_its_cycles(report):
    assert report.cost("latency") == 170
    assert report.cost("throughput") == 120


def test_totals_are_plain_integers(report):
    totals = (report.tiles, report.latency_cycles, report.bottleneck_cycles)
    assert [type(total) for total in totals] == [int, int, int]
