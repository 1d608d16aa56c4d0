import math

import pytest

from lrmp.envs import load_task, stored_optimum
from lrmp.leaderboard.gap import gap_text, optimum_gap


def test_the_gap_is_of_what_the_task_minimises():
    task, optimum = load_task("LRMP-MLP-v0"), stored_optimum("LRMP-MLP-v0")
    # A score is the logarithm of a gain: twice the latency is ln 2 less.
    gap = optimum_gap(task.id, task.fingerprint, optimum.value - math.log(2))
    assert gap == pytest.approx(1.0)
    assert optimum_gap(task.id, task.fingerprint, optimum.value) == 0.0


def test_there_is_none_where_nothing_can_be_compared():
    task = load_task("LRMP-MLP-v0")
    assert optimum_gap(task.id, task.fingerprint, None) is None
    assert optimum_gap(task.id, "0" * 64, 1.0) is None
    assert optimum_gap("LRMP-Mine-v0", task.fingerprint, 1.0) is None


@pytest.mark.parametrize(
    ("gap", "text"),
    [(None, "-"), (0.0, "0 %"), (-2e-16, "0 %"), (0.0125, "+1.25 %"), (-0.5, "-50.00 %")],
)
def test_gaps_are_worded(gap, text):
    assert gap_text(gap) == text
