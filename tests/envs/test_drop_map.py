"""The monotone map from a table's sum to a drop."""

import math

import numpy as np
import pytest

from lrmp.envs.accuracy.drop_map import DropMap, IdentityMap
from lrmp.errors import AccuracyTableError


@pytest.fixture
def bent():
    """0 to 1 points over the first nat, level over the second, 4 points over the third."""
    return DropMap([0, 1, 2, 3], [0, 1, 1, 5], ceiling=9)


@pytest.mark.parametrize(
    ("total", "drop"),
    [(-1, 0), (0, 0), (0.5, 0.5), (1, 1), (1.7, 1), (2.5, 3), (3, 5), (3.5, 7), (4, 9), (99, 9)],
)
def test_map_by_hand(bent, total, drop):
    assert bent(total) == pytest.approx(drop, abs=1e-12)


def test_map_works_on_arrays(bent):
    sums = np.array([[0.5, 2.5], [3.5, 99]])
    assert bent(sums).tolist() == [[0.5, 3.0], [7.0, 9.0]]


@pytest.mark.parametrize(
    ("drop", "total"),
    [(0, 0), (0.25, 0.25), (1, 2), (3, 2.5), (5, 3), (7, 3.5), (9, math.inf), (10, math.inf)],
)
def test_threshold_is_the_largest_sum_allowed(bent, drop, total):
    assert bent.threshold(drop) == pytest.approx(total)


def test_threshold_inverts_random_maps():
    rng = np.random.default_rng(0)
    for _ in range(50):
        sums = np.cumsum([0, *rng.uniform(0.1, 1, 6)])
        drops = np.cumsum([0, *(rng.uniform(0, 2, 6) * rng.integers(0, 2, 6))])
        found = DropMap(sums.tolist(), drops.tolist(), ceiling=50)
        for drop in rng.uniform(0, 12, 5):
            most = found.threshold(drop)
            if math.isfinite(most):
                assert found(most) <= drop + 1e-9
                assert found(most + 1e-6) > drop
            else:
                assert found(1e9) <= drop


def test_level_end_allows_every_sum():
    assert DropMap([0, 1, 2], [0, 1, 1], ceiling=5).threshold(1) == math.inf


def test_fit_recovers_a_map_without_noise():
    rng = np.random.default_rng(0)
    sums = np.exp(rng.uniform(-5, 0.5, 400))
    found = DropMap.fit(sums, 12 * sums, ceiling=90)
    assert found(sums) == pytest.approx(12 * sums, rel=1e-6)


def test_fit_never_decreases_and_starts_at_zero():
    rng = np.random.default_rng(0)
    sums = np.exp(rng.uniform(-5, 0.5, 60))
    noisy = 12 * sums + rng.normal(0, 2, 60)
    found = DropMap.fit(sums, noisy, ceiling=90)
    places = np.linspace(0, 3, 500)
    assert (np.diff(found(places)) >= 0).all()
    assert found(0) == 0
    assert np.abs(found(sums) - 12 * sums)[12 * sums < 5].mean() < 1


def test_fit_stays_below_the_ceiling():
    sums = np.linspace(0.1, 3, 30)
    assert DropMap.fit(sums, 60 * sums, ceiling=80)(100) == 80


@pytest.mark.parametrize(
    ("sums", "drops", "ceiling"),
    [
        ([0, 1], [0, 1, 2], 9),
        ([0], [0], 9),
        ([0.5, 1], [0, 1], 9),
        ([0, 1], [0.5, 1], 9),
        ([0, 1, 1], [0, 1, 2], 9),
        ([0, 1, 2], [0, 2, 1], 9),
        ([0, 1], [0, 10], 9),
        ([0, math.nan], [0, 1], 9),
        ([0, 1], [0, math.inf], 9),
        ([0, 1], [0, 1], math.nan),
    ],
)
def test_knots_that_are_no_such_function_are_refused(sums, drops, ceiling):
    with pytest.raises(AccuracyTableError, match=r"Expected the knots of a drop map to start at"):
        DropMap(sums, drops, ceiling)


@pytest.mark.parametrize("drop", [-0.1, math.nan])
def test_threshold_of_no_drop_is_refused(bent, drop):
    with pytest.raises(AccuracyTableError, match=r"Expected a drop of at least 0 points, got"):
        bent.threshold(drop)


def test_identity_map_returns_points():
    assert IdentityMap()([0.5, 2]).tolist() == [0.5, 2.0]
    assert IdentityMap().threshold(1.5) == 1.5
