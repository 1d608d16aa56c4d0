"""Problems posed again and again are the ones posed and checked one by one."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from lrmp.envs import TASKS, load_task
from lrmp.errors import DesignError, InfeasibleBudgetError, SolverError
from lrmp.hardware import CostModel, load_network, load_preset
from lrmp.solvers import ReplicationProblem, solve_exact, solve_ilp
from lrmp.solvers.replication import energy_table
from lrmp.solvers.replication.poser import Poser

CHIP = load_preset("lrmp_frontiers_2024")


@pytest.mark.parametrize("task_id", TASKS)
def test_problems_of_every_task(task_id):
    task = load_task(task_id)
    for settings in task.space.sample(np.random.default_rng(0), len(task.network), 5):
        parts = task.cost_model, settings, task.budget, task.objective
        problem = task.poser(settings)
        assert problem == ReplicationProblem.of(*parts)
        assert not problem.tiles.flags.writeable
        assert pickle.loads(pickle.dumps(problem)) == problem


@pytest.mark.parametrize("objective", ["latency", "energy", "edp"])
def test_designs_that_change_layer_by_layer_get_the_copies_of_the_other_solver(objective):
    model = CostModel(load_network("lenet"), CHIP)
    pose = Poser(model, model.baseline.tiles, objective)
    rng = np.random.default_rng(1)
    settings = model.space.sample(rng, len(model.network))
    for _ in range(12):
        settings[rng.integers(len(settings)), rng.integers(2)] = rng.integers(7)
        problem = pose(settings)
        assert solve_exact(problem).copies.tolist() == solve_ilp(problem).copies.tolist()


def test_forgotten_energies_are_found_again(monkeypatch):
    monkeypatch.setattr(energy_table, "MOST_REMEMBERED", 7)
    model = CostModel(load_network("lenet"), CHIP)
    pose = Poser(model, model.baseline.tiles, "energy")
    for settings in model.space.sample(np.random.default_rng(2), len(model.network), 9):
        expected = ReplicationProblem.of(model, settings, model.baseline.tiles, "energy")
        assert pose(settings) == expected == pose(settings)
        assert len(pose.energies._found) <= 7 + len(settings)


@pytest.mark.parametrize(
    ("settings", "budget", "error", "message"),
    [
        (np.full((5, 2), 6), 3, InfeasibleBudgetError, "budget of at least"),
        (np.full((5, 2), 7), 10**6, DesignError, "Expected a place of 0 to 6 for weight_bits"),
        (np.full((4, 2), 6), 10**6, DesignError, "got shape"),
        (np.full((1, 5, 2), 6), 10**6, SolverError, "one integer per layer"),
        (np.full((5, 2), 6.0), 10**6, DesignError, "integers"),
    ],
)
def test_what_is_no_problem_is_refused_as_one_by_one(settings, budget, error, message):
    model = CostModel(load_network("digits_cnn"), CHIP)
    with pytest.raises(error, match=message) as refused:
        Poser(model, budget, "latency")(settings)
    with pytest.raises(error) as one_by_one:
        ReplicationProblem.of(model, settings, budget, "latency")
    assert str(refused.value) == str(one_by_one.value)


def test_sums_that_could_overflow_are_checked_problem_by_problem():
    model = CostModel(load_network("digits_cnn"), CHIP)
    most = model.most_copy_costs
    huge = most._replace(fixed_cycles=np.full(5, 2**60))
    model.__dict__["most_copy_costs"] = huge
    pose = Poser(model, model.baseline.tiles, "latency")
    settings = model.space.plain_settings(5)
    assert not pose._is_bounded
    assert pose(settings) == ReplicationProblem.of(model, settings, model.baseline.tiles, "latency")


def test_a_task_keeps_its_poser():
    task = load_task("LRMP-LeNet-v0")
    assert task.poser is task.poser
    settings = task.space.plain_settings(len(task.network))
    smaller = replace(task, budget=task.budget - 1)
    assert smaller.poser is not task.poser
    with pytest.raises(InfeasibleBudgetError):
        smaller.poser(settings)
