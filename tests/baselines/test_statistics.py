import numpy as np
import pytest

from lrmp.baselines.statistics import bootstrap_interval, interquartile_mean


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], 3.0),
        ([1.0, 2.0, 6.0], 3.0),  # floor(3/4) = 0 dropped
        ([9.0, 1.0, 2.0, 4.0], 3.0),  # 1 dropped at each end: (2 + 4) / 2
        ([5.0, 1.0, 2.0, 3.0, 100.0], 10 / 3),  # (2 + 3 + 5) / 3
        ([8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], 4.5),  # (3 + 4 + 5 + 6) / 4
    ],
)
def test_interquartile_mean_by_hand(values, expected):
    assert interquartile_mean(values) == pytest.approx(expected, rel=1e-15)


def test_interquartile_mean_needs_values():
    with pytest.raises(ValueError, match="at least one number"):
        interquartile_mean([])


def test_bootstrap_interval_of_equal_values_is_a_point():
    assert bootstrap_interval([2.0, 2.0, 2.0]) == (2.0, 2.0)


def test_bootstrap_interval_of_two_values_by_hand():
    # Resamples of {0, 1} average 0, 0.5 or 1 with probabilities 1/4, 1/2, 1/4: the 2.5 % and 97.5 %
    # quantiles are 0 and 1; a 40 % interval (30 % .. 70 %) holds only the middle.
    assert bootstrap_interval([0.0, 1.0]) == (0.0, 1.0)
    assert bootstrap_interval([0.0, 1.0], confidence=0.4) == (0.5, 0.5)


def test_bootstrap_interval_depends_on_nothing_but_its_seed():
    values = np.random.default_rng(7).normal(size=10)
    np.random.default_rng(8).normal(size=5)
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values, seed=3)
    low, high = bootstrap_interval(values)
    assert low < interquartile_mean(values) < high
