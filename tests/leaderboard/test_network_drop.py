"""Designs on their real networks, pruned filters and all."""

import numpy as np
import pytest

from lrmp.envs import evaluate_settings
from lrmp.envs.variant_choice.problem import load_problem
from lrmp.envs.variant_choice.record import record_of
from lrmp.errors import RecordError
from lrmp.leaderboard.network_drop import network_drop

LENET = "LRMP-LeNet-Filters-v0"


def record(widths, problem_id=LENET, bits=6):
    problem = load_problem(problem_id)
    number = problem.number_of(np.array(widths))
    outcome = evaluate_settings(problem.task(number), np.full((4, 2), bits))
    about = {"agent": "x", "seed": 0, "evaluated_designs": 5, "env_steps": 0, "wall_time_s": 0.5}
    return record_of(problem, number, outcome, **about)


@pytest.mark.usefixtures("data")
def test_pruned_filters_are_missing_in_the_network():
    whole, pruned = (network_drop(record(widths)) for widths in ([0, 0, 0], [4, 0, 0]))
    assert abs(whole["drop"]) < 0.5
    assert pruned["drop"] > 5  # three quarters of the first layer's filters
    assert whole["protocol"] == pruned["protocol"]


def test_a_narrower_network_is_the_whole_one_without_inputs():
    problem = load_problem(LENET)
    number = problem.number_of(np.array([2, 1, 3]))
    outcome = evaluate_settings(problem.task(number), np.full((4, 2), 3))
    network, design = problem.on_network(number, outcome.design)
    assert network == problem.plain_task.network
    assert design["pruned_inputs"].tolist() == [0, 25, 10, 50]
    assert design["weight_bits"].tolist() == [5] * 4
    assert design.replication.tolist() == outcome.design.replication.tolist()


def test_where_data_are_missing_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("LRMP_DATA", str(tmp_path))
    with pytest.raises(RecordError, match="lenet could not be run: Expected weights at LRMP_DATA"):
        network_drop(record([0, 0, 0]))
