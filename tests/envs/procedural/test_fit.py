"""Distributions are those of the measured tables."""

import numpy as np
import pytest

from lrmp.accuracy.model.sensitivity_table import load_table
from lrmp.envs.procedural import fit
from lrmp.envs.procedural.generator import distributions


def test_distributions_are_those_of_the_measured_tables():
    tables = [load_table(name) for name in fit.FITTED_ON]
    assert {table.kind for table in tables} == {"measured"}
    assert {key: list(pair) for key, pair in fit.fit_distributions(tables).items()} == {
        key: list(pair) for key, pair in distributions().items()
    }
    # By hand, from the one number that is easily read off: the sum that costs one point.
    logs = [np.log10(table.drop_map.threshold(1.0)) for table in tables]
    assert distributions()["allowance"] == pytest.approx(
        (np.mean(logs), np.std(logs, ddof=1)), abs=1e-3
    )
