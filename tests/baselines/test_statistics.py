import numpy as np
import pytest

from lrmp.baselines.statistics import (
    bootstrap_interval,
    interquartile_mean,
    interquartile_means,
    optimality_gaps,
    performance_profile,
    probability_of_improvement,
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], 3.0),
        ([1.0, 2.0, 6.0], 3.0),  # floor(3/4) = 0 dropped
        ([9.0, 1.0, 2.0, 4.0], 3.0),  # 1 dropped at each end: (2 + 4) / 2
        ([5.0, 1.0, 2.0, 3.0, 100.0], 10 / 3),  # (2 + 3 + 5) / 3
        ([8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], 4.5),  # (3 + 4 + 5 + 6) / 4
        ([[8.0, 1.0], [7.0, 2.0], [6.0, 3.0], [5.0, 4.0]], 4.5),  # all tasks pooled
    ],
)
def test_interquartile_mean_by_hand(values, expected):
    assert interquartile_mean(values) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("nothing", [[], [[]]])
def test_interquartile_mean_needs_values(nothing):
    with pytest.raises(ValueError, match="at least one number"):
        interquartile_mean(nothing)


def test_bootstrap_interval_of_equal_values_is_a_point():
    assert bootstrap_interval([2.0, 2.0, 2.0]) == (2.0, 2.0)


def test_bootstrap_interval_of_two_values_by_hand():
    # Resamples of {0, 1} average 0, 0.5 or 1 with probabilities 1/4, 1/2, 1/4: the 2.5 % and 97.5 %
    # quantiles are 0 and 1; a 40 % interval (30 % .. 70 %) holds only the middle.
    assert bootstrap_interval([0.0, 1.0]) == (0.0, 1.0)
    assert bootstrap_interval([0.0, 1.0], confidence=0.4) == (0.5, 0.5)


def test_bootstrap_redraws_runs_within_their_task():
    # Tasks differ, runs of a task do not: every stratified resample is the matrix itself. Redrawing
    # all six numbers together would spread the mean.
    scores = [[0.0, 1.0, 5.0], [0.0, 1.0, 5.0]]
    assert bootstrap_interval(scores, lambda samples: samples.mean(axis=(1, 2))) == (2.0, 2.0)


def test_bootstrap_redraws_the_runs_of_tasks_independently():
    # Two runs, two tasks. Were whole rows redrawn, the gap between the tasks would always be 10.
    scores = [[0.0, 10.0], [1.0, 11.0]]
    gap = bootstrap_interval(scores, lambda s: (s[:, :, 1] - s[:, :, 0]).mean(axis=1))
    assert gap == (9.0, 11.0)


def test_bootstrap_interval_depends_on_nothing_but_its_seed():
    values = np.random.default_rng(7).normal(size=10)
    np.random.default_rng(8).normal(size=5)
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values, seed=3)
    assert bootstrap_interval(values, seed=3) != bootstrap_interval(values, seed=4)
    low, high = bootstrap_interval(values)
    assert low < interquartile_mean(values) < high


def test_bootstrap_interval_covers_the_true_mean():
    # 10 runs on 5 tasks of known, different means: the true interquartile mean is that of the
    # mixture, drawn here with 200,000 runs. A percentile bootstrap of 10 runs covers a little less
    # than it promises (rliable reports the same); 400 repeats have a standard error of 1.3 points.
    rng = np.random.default_rng(0)
    centers = np.linspace(0.0, 1.0, 5)
    true = interquartile_mean(rng.normal(centers, 0.3, (200_000, 5)))
    inside = 0
    for repeat in range(400):
        scores = rng.normal(centers, 0.3, (10, 5))
        low, high = bootstrap_interval(scores, seed=repeat, resamples=400)
        inside += low <= true <= high
    assert 0.88 <= inside / 400 <= 0.98


def test_optimality_gap_by_hand():
    scores = np.array([[0.5, 1.0], [0.75, 1.25]])  # short by 0.5, 0, 0.25, 0
    assert optimality_gaps(scores) == 0.1875
    assert optimality_gaps(np.stack([scores, scores / scores])).tolist() == [0.1875, 0.0]


def test_resamples_are_reduced_as_one_by_one():
    samples = np.random.default_rng(1).normal(size=(6, 7, 3))
    one_by_one = [interquartile_mean(sample) for sample in samples]
    assert interquartile_means(samples).tolist() == pytest.approx(one_by_one, rel=1e-15)


def test_performance_profile_by_hand():
    scores = [[0.2, 0.4], [0.6, 0.8]]
    assert performance_profile(scores, [0.0, 0.4, 0.7, 0.8]).tolist() == [1.0, 0.5, 0.25, 0.0]


def test_probability_of_improvement_by_hand():
    # Task 1: 3 beats 1 and 2, 2 beats 1 and ties with 2: (1 + 1 + 1 + 0.5) / 4. Task 2: never.
    mine, theirs = [[3.0, 0.0], [2.0, 0.0]], [[1.0, 1.0], [2.0, 1.0]]
    assert probability_of_improvement(mine, theirs) == 0.875 / 2
    assert probability_of_improvement(theirs, mine) == 1 - 0.875 / 2


def test_probability_of_improvement_needs_the_same_tasks():
    with pytest.raises(ValueError, match="the same tasks, got 1 and 2 tasks"):
        probability_of_improvement([1.0], [[1.0, 2.0]])
