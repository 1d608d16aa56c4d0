"""The joint optimum against an independent solver of mixed-integer programs, on larger tasks."""

import math

import numpy as np
import pytest
from joint_milp import Program, solve_highs
from joint_tasks import random_problem, rephrased

from lrmp.solvers.joint.solve import solve_joint


def assert_agreement(problem, limit):
    """HiGHS minimises the cost within a limit on accuracy; beyond it designs are forbidden."""
    bounded = rephrased(problem, penalty=lambda sums: np.where(sums <= limit, 0.0, np.inf))
    optimum = solve_joint(bounded)
    program = Program.of(bounded, limit)
    chosen, _ = solve_highs(program)
    cost, share = program.worth(chosen)
    assert share <= 1 + 1e-9
    value = math.log(problem.baseline / cost)
    assert value == pytest.approx(optimum.value, abs=1e-9)
    assert optimum.gap <= 1e-9


@pytest.mark.parametrize("objective", ["latency", "energy", "throughput"])
@pytest.mark.parametrize("seed", range(6))
def test_drawn_tasks_of_ten_layers(seed, objective):
    problem = random_problem([seed, 6], objective, "points", "falling", layers=10, settings=8)
    least, median = problem.terms.min(axis=1).sum(), np.median(problem.terms, axis=1).sum()
    limit = least + 0.61803 * (median - least)
    terms = problem.terms - problem.terms.min(axis=1, keepdims=True)
    assert_agreement(rephrased(problem, terms=terms), limit - least)


@pytest.mark.parametrize("network", ["MLP", "LeNet", "ResNet8"])
@pytest.mark.parametrize("suffix", ["", "-Energy", "-Throughput"])
def test_registered_tasks(network, suffix):
    from lrmp.envs import load_task
    from lrmp.envs.scoring.table_optimum import joint_problem

    task = load_task(f"LRMP-{network}{suffix}-v0")
    assert_agreement(joint_problem(task), task.accuracy.drop_map.threshold(task.allowed_drop))
