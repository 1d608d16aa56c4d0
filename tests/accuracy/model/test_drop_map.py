"""The strictly increasing map from a table's sum to a drop."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lrmp.accuracy.model import drop_map
from lrmp.accuracy.model.drop_map import DropMap, IdentityMap
from lrmp.accuracy.model.sensitivity_table import load_table
from lrmp.errors import AccuracyTableError


@pytest.fixture
def bent():
    """0 to 1 points over the first nat, half a point over the second, 3.5 over the third."""
    return DropMap([0, 1, 2, 3], [0, 1, 1.5, 5], ceiling=9)


@pytest.mark.parametrize(
    ("total", "drop"),
    # Behind the last knot: 9 - 4 / (1 + 3.5 (s - 3) / 4).
    [(-1, 0), (0, 0), (0.5, 0.5), (1, 1), (1.6, 1.3), (2.5, 3.25), (3, 5), (3 + 8 / 7, 7), (99, 9)],
)
def test_map_by_hand(bent, total, drop):
    assert bent(total) == pytest.approx(drop, abs=0.05 if total == 99 else 1e-12)


def test_map_works_on_arrays(bent):
    sums = np.array([[0.5, 2.5], [3 + 4 / 3.5, 3 + 12 / 3.5]])
    assert bent(sums) == pytest.approx(np.array([[0.5, 3.25], [7.0, 8.0]]))
    assert [float(bent(value)) for value in sums.ravel()] == bent(sums).ravel().tolist()


def test_map_goes_on_with_the_last_slope_and_never_reaches_the_ceiling(bent):
    assert (bent(3 + 1e-7) - bent(3)) / 1e-7 == pytest.approx(3.5, rel=1e-5)
    far = bent(np.geomspace(4, 1e6, 100))
    assert (np.diff(far) > 0).all()
    assert far[-1] < 9
    assert bent(np.inf) == 9


@pytest.mark.parametrize(
    ("drop", "total"),
    [(0, 0), (0.25, 0.25), (1, 1), (3.25, 2.5), (5, 3), (7, 3 + 8 / 7), (9, math.inf)],
)
def test_threshold_by_hand(bent, drop, total):
    assert bent.threshold(drop) == pytest.approx(total)


def rises(least):
    return st.lists(st.floats(least, 1e3), min_size=7, max_size=7)


@st.composite
def maps(draw):
    """Maps of 1 to 7 segments, whose slopes may differ by orders of magnitude."""
    count = draw(st.integers(1, 7))
    sums = np.cumsum([0.0, *draw(rises(1e-6))[:count]]) * draw(st.sampled_from([1, 1e-12, 1e9]))
    drops = np.cumsum([0.0, *draw(rises(1e-6))[:count]])
    return DropMap(sums.tolist(), drops.tolist(), float(drops[-1] + draw(st.floats(1e-3, 1e3))))


@given(maps(), st.data())
def test_threshold_is_the_last_float_that_is_allowed(found, data):
    drop = data.draw(
        st.floats(0, found.ceiling, exclude_max=True) | st.sampled_from(found.drops.tolist())
    )
    most = found.threshold(drop)
    assert type(most) is float
    assert found(most) <= drop < found(math.nextafter(most, math.inf))
    if found.ceiling - drop > 1e-8 * found.ceiling:  # nearer, a float of the drop is many sums
        assert most == pytest.approx(inverse(found, drop), rel=1e-6, abs=1e-9 * found.sums[-1])


def inverse(found, drop):
    """The sum that has the drop, by algebra."""
    if drop >= found.drops[-1]:
        slope = np.diff(found.drops)[-1] / np.diff(found.sums)[-1]
        rest = found.ceiling - found.drops[-1]
        return found.sums[-1] + (rest / (found.ceiling - drop) - 1) * rest / slope
    return np.interp(drop, found.drops, found.sums)


@given(maps(), st.data())
def test_map_never_decreases_in_floats_and_increases_over_any_visible_step(found, data):
    places = st.floats(0, 3 * float(found.sums[-1])) | st.sampled_from(found.sums.tolist())
    low = data.draw(places)
    assert found(low) <= found(math.nextafter(low, math.inf))
    high = max(low * (1 + 1e-9), low + 1e-9 * float(found.sums[-1]))
    rise = (np.diff(found.drops) / np.diff(found.sums)).min() * (high - low)
    if high <= found.sums[-1] and rise > 1e-12 * found.drops[-1]:
        assert found(low) < found(high)


@given(maps(), st.floats(0, 1e12))
def test_every_drop_is_below_the_ceiling_or_at_it_by_rounding(found, total):
    assert 0 <= found(total) <= found.ceiling


@example(5e-324)
@given(st.floats(0, 100, exclude_max=True))
def test_sum_is_allowed_where_its_drop_is(drop):
    shipped = load_table("resnet50").drop_map
    most = shipped.threshold(drop) if drop < shipped.ceiling else math.inf
    sums = np.array([most, np.nextafter(most, np.inf), np.nextafter(most, 0), 0, 0.005, 0.02, 3])
    assert ((sums <= most) == (shipped(sums) <= drop)).all()


# The fit


def test_fit_recovers_a_map_without_noise():
    rng = np.random.default_rng(0)
    sums = np.exp(rng.uniform(-5, 0.5, 400))
    found = DropMap.fit(sums, 12 * sums, np.ones(400), ceiling=90)
    assert found(sums) == pytest.approx(12 * sums, rel=1e-6)


def test_fit_follows_a_cliff():
    sums = np.geomspace(0.01, 1, 400)
    drops = np.where(sums < 0.4, 2 * sums, 0.8 + 40 * (sums - 0.4))
    found = DropMap.fit(sums, drops, np.ones(400), ceiling=90)
    assert np.abs(found(sums) - drops)[sums < 0.3].max() < 0.05
    assert found(0.9) == pytest.approx(20.8, abs=1)


def test_fit_increases_strictly_and_starts_at_zero():
    rng = np.random.default_rng(0)
    sums = np.exp(rng.uniform(-5, 0.5, 60))
    noisy = 12 * sums + rng.normal(0, 2, 60)
    found = DropMap.fit(sums, noisy, np.ones(60), ceiling=90)
    assert (np.diff(found(np.linspace(0, 3, 500))) > 0).all()
    assert found(0) == 0
    assert np.abs(found(sums) - 12 * sums)[12 * sums < 5].mean() < 1


def test_fit_to_level_drops_is_as_steep_as_the_least_slope():
    sums = np.geomspace(0.01, 1, 80)
    drops = np.where(sums < 0.2, 1.0, 20 * sums)
    found = DropMap.fit(sums, drops, np.ones(80), ceiling=90)
    weights = 1 / (0.5 + found(sums)) ** 2
    line = (weights * sums * drops).sum() / (weights * sums**2).sum()
    slopes = np.diff(found.drops) / np.diff(found.sums)
    assert slopes.min() == pytest.approx(drop_map.SLOPE_SHARE * line, rel=0.01)
    assert (slopes > slopes.min() * 1.5).any()


def test_weights_say_which_designs_count():
    sums = np.tile(np.geomspace(0.01, 1, 30), 2)
    drops = np.concatenate([10 * sums[:30], 20 * sums[:30]])
    for heavy, slope in ((slice(0, 30), 10), (slice(30, 60), 20)):
        weights = np.full(60, 1e-6)
        weights[heavy] = 1
        found = DropMap.fit(sums, drops, weights, ceiling=90)
        assert found(sums[:30]) == pytest.approx(slope * sums[:30], rel=0.02)


def test_fit_that_ends_level_below_the_ceiling_goes_on_to_broken_designs():
    """A few neighbours lose alike, and the next designs are lost: between, drops are not level."""
    ends = np.linspace(1.01, 1.1, 8), [1.5, 1.7, 2.0, 3.0]
    sums = np.concatenate([np.linspace(0.1, 1.0, 40), *ends])
    drops = np.where(sums <= 1.0, 4 * sums, 3.7)
    drops[-4:] = [60, 85, 95, 97]
    found = DropMap.fit(sums, drops, np.where(drops > 15, 0.05, 1.0), ceiling=98)
    assert found(1.05) == pytest.approx(3.7, abs=0.1)
    assert found.drops[-1] == pytest.approx((98 + found.drops[-2]) / 2)
    assert 1.1 < found.threshold(10) < 1.3
    assert 20 < found(1.5) < found(2.0) < 98


def test_fit_stays_below_the_ceiling():
    sums = np.linspace(0.1, 3, 60)
    found = DropMap.fit(sums, 60 * sums, np.ones(60), ceiling=80)
    assert found.drops[-1] < 80
    assert found(1) == pytest.approx(60, abs=3)
    assert 78 < found(100) < 80


@pytest.mark.parametrize(
    ("sums", "drops", "message"),
    [
        ([0.1, 0.2, 0.3], [0, -1, 0], r"whose drops grow with them, got 3 of 0\.1 to 0\.3 with"),
        ([0.1, 0.1, 0.1], [1, 2, 3], r"Expected designs of different sums"),
    ],
)
def test_designs_that_give_no_map_are_refused(sums, drops, message):
    with pytest.raises(AccuracyTableError, match=message):
        DropMap.fit(np.array(sums), np.array(drops, dtype=float), np.ones(3), ceiling=80)


# What is refused


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
        ([0, 1], [0, 9], 9),  # the ceiling would be a level stretch
        ([0, 1e-320], [0, 1], 9),  # too steep for a float
        ([0, 1], [0, 1], math.inf),
        ([0, math.nan], [0, 1], 9),
        ([0, 1], [0, math.inf], 9),
        ([0, 1], [0, 1], math.nan),
    ],
)
def test_knots_that_are_no_such_function_are_refused(sums, drops, ceiling):
    with pytest.raises(AccuracyTableError, match=r"Expected the knots of a drop map to start at"):
        DropMap(sums, drops, ceiling)


@pytest.mark.parametrize(
    ("sums", "drops", "message"),
    [
        ([0, 1, 2, 3], [0, 1, 1, 5], r"got 1\.0 and 1\.0 points at sums 1\.0 and 2\.0\. Where a"),
        ([0, 1, 2], [0, 0, 1], r"got 0\.0 and 0\.0 points at sums 0\.0 and 1\.0"),
        (
            [0, 1, 2],
            [0, 1, 1],
            r"got 1\.0 and 1\.0 points .* raise the later drop, or leave its knot",
        ),
    ],
)
def test_level_stretch_is_refused(sums, drops, message):
    with pytest.raises(
        AccuracyTableError, match=rf"^Expected the drops of a map to increase .*{message}"
    ):
        DropMap(sums, drops, ceiling=9)


@pytest.mark.parametrize("drop", [-0.1, math.nan])
def test_threshold_of_no_drop_is_refused(bent, drop):
    with pytest.raises(AccuracyTableError, match=r"Expected a drop of at least 0 points, got"):
        bent.threshold(drop)


def test_identity_map_returns_points():
    assert IdentityMap()([0.5, 2]).tolist() == [0.5, 2.0]
    assert IdentityMap().threshold(1.5) == 1.5


@given(maps(), st.floats(-1, 1e5))
@example(DropMap([0, 1, 2, 3], [0, 1, 1.5, 5], ceiling=9), math.inf)
@example(DropMap([0, 1, 2, 3], [0, 1, 1.5, 5], ceiling=9), 3.0)
@example(DropMap([0, 2], [0, 5], ceiling=9), 1.0)
def test_one_sum_has_the_drop_that_arrays_give(found, total):
    assert found.of_one(total) == float(found(total))
    for knot in found.sums.tolist():
        for near in (knot, math.nextafter(knot, 0), math.nextafter(knot, math.inf)):
            assert found.of_one(near) == float(found(near))


def test_one_sum_of_points_is_itself():
    assert IdentityMap().of_one(-0.5) == -0.5
