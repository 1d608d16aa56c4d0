"""The joint optimum against every design of small tasks, tried."""

import dataclasses
import math
from itertools import product

import numpy as np
import pytest

from lrmp.envs import load_task
from lrmp.errors import InfeasibleBudgetError, SolverError
from lrmp.hardware import Accelerator, CostModel, Layer, Network
from lrmp.solvers import (
    ReplicationBatch,
    ReplicationProblem,
    joint_sum,
    solve_batch,
    solve_exact,
    useful_copies,
)
from lrmp.solvers.joint import solve_joint
from lrmp.solvers.joint_problem import JointProblem, evaluate_joint

PENALTIES = {
    "points": lambda s: max(0.0, s - 1.0),
    "saturating": lambda s: max(0.0, 20 * -math.expm1(-max(s, 0.0) / 10) - 1.0),
    "steps": lambda s: float(max(0, math.floor(4 * s) - 3)) / 2,
    "steep": lambda s: 50 * max(0.0, s - 0.8),
    "plateau": lambda s: 0.0 if s <= 0.2 else 0.15 + 5 * max(0.0, s - 2.0),
    "nothing": lambda s: 0.0,
    "everything": lambda s: 0.3 + max(0.0, s),
}


def small_model(seed, layers):
    rng = np.random.default_rng(seed)
    chip = Accelerator(
        name="small",
        crossbar_rows=32,
        crossbar_columns=32,
        cell_bits=int(rng.integers(1, 3)),
        dac_bits=1,
        active_rows=8,
        columns_per_adc=4,
        clock_mhz=100,
        output_elements_per_cycle=int(rng.integers(0, 3)),
    )
    return CostModel(
        Network(
            "small",
            tuple(
                Layer.conv2d(
                    str(n),
                    int(rng.integers(1, 12)),
                    int(rng.integers(1, 80)),
                    kernel_size=int(rng.choice([1, 3])),
                    input_size=int(rng.integers(3, 12)),
                )
                for n in range(layers)
            ),
        ),
        chip,
    )


def posing(model, objective):
    """Pose problems of a model; energies rise and fall with the copies."""

    def pose(weight_bits, activation_bits, budget):
        if objective in ("latency", "throughput"):
            return ReplicationProblem.of(model, weight_bits, activation_bits, budget, objective)
        plain = ReplicationProblem.of(model, weight_bits, activation_bits, budget, "latency")
        energies = []
        for layer, units in enumerate(plain.units.tolist()):
            copies = useful_copies(units)
            shared = units * int(plain.cycles_per_unit[layer]) * int(plain.tiles[layer])
            energies.append(shared * 977 + 10**5 * -(-units // copies) + 7919 * copies)
        values = {f.name: getattr(plain, f.name) for f in dataclasses.fields(plain)}
        return ReplicationProblem(
            **(values | {"objective": objective, "energy_fj": tuple(energies)})
        )

    return pose


def small_problem(seed, layers, objective, penalty):
    model = small_model(seed, layers)
    pose, budget = posing(model, objective), model.baseline.tiles
    plain = pose(np.full(layers, 8), np.full(layers, 8), budget)
    rng = np.random.default_rng([seed, 1])
    falling = np.sort(rng.gamma(0.5, 1.0, (2, layers, 7)), axis=2)[:, :, ::-1]
    return JointProblem(
        pose=pose,
        budget=budget,
        objective=objective,
        baseline=plain.objective_value(np.ones(layers, np.int64)),
        weight_terms=falling[0],
        activation_terms=falling[1],
        penalty=PENALTIES[penalty],
    )


def best_of_all(problem):
    layers = len(problem.weight_terms)
    bits = np.array(list(product(range(2, 9), repeat=2 * layers))).reshape(-1, 2, layers)
    rows = np.arange(layers)
    terms = (
        problem.weight_terms[rows, bits[:, 0] - 2] + problem.activation_terms[rows, bits[:, 1] - 2]
    )
    penalties = np.array([problem.penalty(s) for s in terms.sum(axis=1).tolist()])
    posed = [problem.pose(weights, activations, problem.budget) for weights, activations in bits]
    if problem.objective in ("latency", "throughput"):
        batch = ReplicationBatch(
            np.stack([p.tiles for p in posed]),
            posed[0].units,
            np.stack([p.cycles_per_unit for p in posed]),
            np.stack([p.fixed_cycles for p in posed]),
            problem.budget,
            problem.objective,
        )
        values = batch.objective_values(solve_batch(batch))
    else:
        values = np.array([float(solve_exact(p).objective_value) for p in posed])
    return float((np.log(problem.baseline / values) - penalties).max())


@pytest.mark.parametrize("objective", ["energy", "edp"])
@pytest.mark.parametrize("penalty", ["points", "steep"])
def test_two_layers_reach_the_least_energy_and_product(penalty, objective):
    problem = small_problem(3, 2, objective, penalty)
    optimum = solve_joint(problem)
    best = best_of_all(problem)
    assert optimum.value == pytest.approx(best, abs=1e-9)
    assert best <= optimum.bound <= best + 1e-6


@pytest.mark.parametrize("objective", ["latency", "throughput"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("seed", range(4))
def test_two_layers_reach_the_best_of_all_designs(seed, penalty, objective):
    problem = small_problem(seed, 2, objective, penalty)
    optimum = solve_joint(problem)
    best = best_of_all(problem)
    assert optimum.value == pytest.approx(best, abs=1e-9)
    assert best <= optimum.bound <= best + 1e-6


@pytest.mark.parametrize("objective", ["latency", "energy", "edp"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("seed", range(3))
def test_bound_holds_where_few_partial_designs_are_kept(seed, penalty, objective, monkeypatch):
    problem = small_problem(seed, 2, objective, penalty)
    best = solve_joint(problem).value  # the best of all: see the tests above
    monkeypatch.setattr(joint_sum, "MOST_PARTIAL_DESIGNS", 2)
    cut_off = solve_joint(problem)
    assert cut_off.value <= best + 1e-9
    assert cut_off.bound >= best


@pytest.mark.parametrize("task_id", ["LRMP-ResNet18-v0", "LRMP-ResNet18-Throughput-v0"])
def test_no_neighbour_of_an_optimum_is_better(task_id):
    from lrmp.baselines.optimum import joint_problem
    from lrmp.envs import stored_optimum

    problem, optimum = joint_problem(load_task(task_id)), stored_optimum(task_id)
    rng = np.random.default_rng(0)
    for _ in range(300):
        bits = np.stack([optimum.design.weight_bits, optimum.design.activation_bits])
        for _ in range(int(rng.integers(1, 4))):
            bits[rng.integers(0, 2), rng.integers(0, bits.shape[1])] = rng.integers(2, 9)
        try:
            value, _ = evaluate_joint(problem, *bits)
        except InfeasibleBudgetError:
            continue
        assert value <= optimum.bound


@pytest.mark.parametrize("objective", ["latency", "edp"])
def test_a_tolerance_costs_no_more_than_it_says(objective):
    from lrmp.baselines.optimum import joint_problem
    from lrmp.envs import stored_optimum

    task_id = f"LRMP-ResNet18-{'EDP-' if objective == 'edp' else ''}v0"
    problem, exact, told = joint_problem(load_task(task_id)), stored_optimum(task_id), []
    rough = solve_joint(problem, told.append, tolerance=1e-3)
    assert rough.value <= exact.bound
    assert rough.bound >= exact.value
    assert rough.gap <= 2.1e-3
    assert tuple(told) == rough.log


def test_the_design_and_its_value_belong_together():
    problem = small_problem(1, 3, "latency", "points")
    optimum = solve_joint(problem)
    design = optimum.design
    assert evaluate_joint(problem, design.weight_bits, design.activation_bits)[0] == optimum.value
    posed = problem.pose(design.weight_bits, design.activation_bits, problem.budget)
    assert solve_exact(posed).copies.tolist() == design.replication.tolist()
    assert optimum.gap == pytest.approx(math.expm1(optimum.bound - optimum.value))


def test_the_log_is_told_line_by_line():
    told = []
    optimum = solve_joint(small_problem(0, 2, "latency", "points"), told.append)
    assert tuple(told) == optimum.log
    assert "Lagrangian bound" in optimum.log[1]


@pytest.mark.parametrize("objective", ["latency", "throughput"])
def test_a_budget_for_nothing_is_infeasible(objective):
    problem = small_problem(0, 2, objective, "points")
    fields = vars(problem) | {"budget": 1}
    with pytest.raises(InfeasibleBudgetError, match=r"Expected a budget .* at 2 bits, got 1 tiles"):
        solve_joint(JointProblem(**fields))


def test_an_objective_of_two_parts_is_refused():
    objective = "throughput_then_latency"
    fields = vars(small_problem(0, 2, "latency", "points")) | {"objective": objective}
    with pytest.raises(SolverError, match=r"throughput, energy or edp, got throughput_then_lat"):
        solve_joint(JointProblem(**fields))
