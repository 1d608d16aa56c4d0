from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrmp.hardware import CostModel, Design, load_network, load_preset
from lrmp.solvers import ReplicationProblem, solve_ilp, solve_replication

reproducible = settings(derandomize=True, deadline=None, max_examples=150)
objectives = st.sampled_from(["latency", "throughput"])


@st.composite
def problems(draw, max_layers=8):
    layers = draw(st.integers(1, max_layers))

    def each(least, most):
        return draw(st.lists(st.integers(least, most), min_size=layers, max_size=layers))

    tiles = each(1, 20)
    return ReplicationProblem(
        tiles,
        each(1, 400),
        each(1, 60),
        each(0, 500),
        sum(tiles) + draw(st.integers(0, 300)),
        draw(objectives),
        least_interval=draw(st.one_of(st.just(0), st.integers(0, 3000))),
    )


def with_budget(problem, budget):
    return replace(problem, budget=budget)


@pytest.mark.parametrize("objective", ["latency", "throughput"])
@pytest.mark.parametrize("layers", [10, 13, 17, 20, 24, 28, 32, 36, 40])
def test_both_solvers_agree_on_larger_problems(layers, objective):
    rng = np.random.default_rng(layers)
    tiles = rng.integers(1, 40, layers)
    problem = ReplicationProblem(
        tiles,
        rng.integers(1, 600, layers),
        rng.integers(1, 50, layers),
        rng.integers(0, 500, layers),
        int(tiles.sum() + rng.integers(50, 800)),
        objective,
    )
    exact, ilp = solve_replication(problem), solve_ilp(problem)
    assert exact.objective_value == ilp.objective_value
    assert exact.proven_optimal
    assert ilp.proven_optimal


@pytest.mark.long
@pytest.mark.parametrize("objective", ["latency", "throughput"])
@pytest.mark.parametrize("network", ["digits_cnn", "resnet18", "resnet50"])
@pytest.mark.parametrize("seed", range(2))
def test_both_solvers_agree_on_mixed_designs(network, seed, objective):
    model = CostModel(load_network(network), load_preset("lrmp_frontiers_2024"))
    drawn = model.space.sample(np.random.default_rng(seed), len(model.network))
    problem = ReplicationProblem.of(model, drawn, model.baseline.tiles, objective)
    exact, ilp = solve_replication(problem), solve_ilp(problem)
    assert exact.objective_value == ilp.objective_value
    assert exact.proven_optimal
    assert ilp.proven_optimal


@pytest.mark.parametrize("objective", ["throughput", "throughput_then_latency"])
@pytest.mark.parametrize("preset", ["puma_asplos_2019", "lrmp_frontiers_2024", "pimcomp_2023"])
def test_both_solvers_agree_on_a_transformer(preset, objective):
    model = CostModel(load_network("vit_b_32"), load_preset(preset))
    drawn = model.space.sample(np.random.default_rng(0), len(model.network))
    problem = ReplicationProblem.of(model, drawn, model.baseline.tiles, objective)
    exact, ilp = solve_replication(problem), solve_ilp(problem)
    assert exact.objective_value == ilp.objective_value
    assert ilp.proven_optimal
    report = model.evaluate(Design(model.space, drawn, exact.copies))
    assert report.bottleneck_cycles == problem.interval(exact.copies) >= model.least_interval


@pytest.mark.parametrize("objective", ["latency", "throughput"])
@pytest.mark.parametrize("bits", [2, 6])
def test_both_solvers_agree_on_a_network_of_many_alike_layers(bits, objective):
    model = CostModel(load_network("resnet101"), load_preset("lrmp_frontiers_2024"))
    uniform = np.full((len(model.network), 2), bits - 2)
    problem = ReplicationProblem.of(model, uniform, model.baseline.tiles, objective)
    exact, ilp = solve_replication(problem), solve_ilp(problem)
    assert exact.objective_value == ilp.objective_value
    assert ilp.proven_optimal


@pytest.mark.parametrize("objective", ["latency", "throughput"])
@pytest.mark.parametrize("seed", range(10))
def test_both_solvers_agree_on_layers_alike_but_for_their_output(seed, objective):
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 3, 15)
    tiles = rng.integers(1, 20, 3)[kinds]
    problem = ReplicationProblem(
        tiles,
        rng.integers(1, 200, 3)[kinds],
        rng.integers(1, 30, 3)[kinds],
        rng.integers(0, 3, 15) * 50,
        int(tiles.sum() + rng.integers(0, 200)),
        objective,
    )
    exact, ilp = solve_replication(problem), solve_ilp(problem)
    assert exact.objective_value == ilp.objective_value
    assert ilp.proven_optimal


@given(problems(max_layers=4), st.integers(0, 100))
@reproducible
def test_both_solvers_agree_on_any_budget(problem, more):
    problem = with_budget(problem, problem.budget + more)
    assert solve_replication(problem).objective_value == solve_ilp(problem).objective_value


@given(problems(), st.integers(1, 200))
@reproducible
def test_a_larger_budget_never_hurts(problem, more):
    larger = with_budget(problem, problem.budget + more)
    assert solve_replication(larger).objective_value <= solve_replication(problem).objective_value


@pytest.mark.long
@given(problems(), st.data())
@reproducible
def test_no_copies_that_fit_are_faster(problem, data):
    spare = problem.budget - int(problem.tiles.sum())
    copies = np.ones(len(problem), np.int64)
    for layer in data.draw(st.permutations(range(len(problem)))):
        more = data.draw(st.integers(0, spare // int(problem.tiles[layer])))
        copies[layer] += more
        spare -= more * int(problem.tiles[layer])
    assert solve_replication(problem).objective_value <= problem.objective_value(copies)


@given(problems(), st.randoms(use_true_random=False))
@reproducible
def test_the_order_of_the_layers_does_not_matter(problem, random):
    order = list(range(len(problem)))
    random.shuffle(order)
    shuffled = ReplicationProblem(
        problem.tiles[order],
        problem.units[order],
        problem.cycles_per_unit[order],
        problem.fixed_cycles[order],
        problem.budget,
        problem.objective,
        least_interval=problem.least_interval,
    )
    assert solve_replication(shuffled).objective_value == solve_replication(problem).objective_value


@given(st.sampled_from(["digits_cnn", "resnet18", "resnet34"]), st.data(), objectives)
@settings(reproducible, max_examples=60)
def test_cost_model_confirms_the_solver(network, data, objective):
    model = CostModel(load_network(network), load_preset("lrmp_frontiers_2024"))
    layers = len(model.network)
    setting = st.tuples(st.integers(0, 6), st.integers(0, 6))
    drawn = np.array(data.draw(st.lists(setting, min_size=layers, max_size=layers)))
    budget = model.baseline.tiles
    problem = ReplicationProblem.of(model, drawn, budget, objective)
    answer = solve_replication(problem)
    report = model.evaluate(Design(model.space, drawn, answer.copies))
    assert report.cost(objective) == answer.objective_value
    assert report.tiles <= budget
