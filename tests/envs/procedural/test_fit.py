"""Distributions are read off tables: by hand, on tables that are made of the numbers wanted."""

import numpy as np
import pytest

from lrmp.accuracy.model.drop_map import DropMap
from lrmp.accuracy.model.sensitivity_table import SensitivityTable
from lrmp.envs.procedural import fit
from lrmp.envs.procedural.sensitivities import distributions
from lrmp.hardware.space.precision import PRECISION


def table_of(level, slope, *, exponent, allowance, layers=5):
    """Layers that rise by half a decade from first to last, about a level at 4 bits."""
    bits = np.arange(2, 9)
    depth = np.linspace(-0.5, 0.5, layers)
    spread = np.array([0.1, -0.2, 0.2, -0.2, 0.1])  # sums to 0 and has no trend
    logs = (level + 0.5 * depth + spread)[:, None] + slope * (bits - 4)
    terms = 10 ** (logs / exponent)
    sums = [0.0, 10 ** (allowance / exponent), 10 ** ((allowance + 0.5) / exponent)]
    return SensitivityTable(
        "x",
        "measured",
        tuple("abcde"),
        PRECISION,
        {("weight_bits",): terms, ("activation_bits",): terms},
        DropMap(sums, [0.0, 1.0, 5.0], 90.0),
        {},
        exponent,
    )


@pytest.mark.parametrize("exponent", [1.0, 2.0])
def test_numbers_of_a_table_come_out_again(exponent):
    found = fit.describe_table(table_of(-2.0, -0.6, exponent=exponent, allowance=-1.2))
    assert found["weight_level"] == pytest.approx(-2.0)
    assert found["activation_trend"] == pytest.approx(0.5)
    assert found["weight_slope"] == pytest.approx(-0.6)
    assert found["weight_spread"] == pytest.approx(np.sqrt(0.14 / 5))
    assert found["weight_noise"] == pytest.approx(0, abs=1e-9)
    assert found["weight_slope_spread"] == pytest.approx(0, abs=1e-9)
    assert found["correlation"] == pytest.approx(1)
    assert found["allowance"] == pytest.approx(-1.2)
    assert found["exponent"] == pytest.approx(np.log10(5) / 0.5)
    assert found["ceiling"] == 90


def test_distribution_is_mean_and_deviation_over_tables():
    tables = [
        table_of(-2.0, -0.6, exponent=1.0, allowance=-1.0),
        table_of(-3.0, -0.4, exponent=2.0, allowance=-1.5),
    ]
    found = fit.fit_distributions(tables)
    assert found["weight_level"] == (-2.5, round(1 / np.sqrt(2), 3))
    assert found["activation_slope"] == (-0.5, round(0.2 / np.sqrt(2), 3))
    assert found["allowance"] == (-1.25, round(0.5 / np.sqrt(2), 3))
    assert found.keys() == distributions().keys()
