"""Layers that take turns on a chip leave no copies to place: every solver gives them one each."""

from dataclasses import replace

import numpy as np
import pytest

from lrmp.hardware import CostModel, Design, load_network, load_preset
from lrmp.solvers import (
    ReplicationBatch,
    ReplicationProblem,
    solve_batch,
    solve_exact,
    solve_ilp,
)
from lrmp.solvers.replication.poser import Poser

CIM_AQ = load_preset("cim_aq_date_2026")
#: One with energies, whose layers take 1 to 61 rounds of 3 tiles.
TURNS = replace(
    load_preset("lrmp_frontiers_2024"),
    weight_loading="time-multiplexed",
    tiles=3,
    write_cycles=10_000,
)
OBJECTIVES = ("latency", "throughput", "throughput_then_latency", "energy", "edp")


@pytest.fixture(scope="module")
def turns():
    return CostModel(load_network("lenet"), TURNS)


def draw(model, count):
    return model.space.sample(np.random.default_rng(0), len(model.network), count)


@pytest.mark.parametrize("solve", [solve_exact, solve_ilp])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_layer_has_one_copy_and_costs_what_the_report_says(turns, objective, solve):
    for settings in draw(turns, 3):
        problem = ReplicationProblem.of(turns, settings, TURNS.tiles, objective)
        answer = solve(problem)
        assert answer.copies.tolist() == [1, 1, 1, 1]
        assert answer.proven_optimal
        report = turns.evaluate(Design(turns.space, settings, answer.copies))
        assert report.tiles > TURNS.tiles  # what does not fit comes in rounds
        cost = report.cost(objective.removesuffix("_then_latency"))
        assert answer.objective_value == problem.objective_value(answer.copies) == cost


def test_two_layers_by_hand():
    # LeNet's last layers at 8/8 bits on 256 x 256 crossbars of 4-bit cells, two columns a weight:
    # fc1 (400 x 120): ceil(2 * 2 * 120 / 256) * ceil(400 / 256) = 2 * 2 crossbars; fc2 (120 x 84)
    # and fc3 (84 x 10) have 2 * 1 and 1. In turn they are written, 56 us, and multiplied, 8 * 1.4.
    model = CostModel(load_network("lenet"), CIM_AQ)
    layers = {layer.name: layer for layer in model.network.layers}
    problem = ReplicationProblem.of(model, model.space.plain_settings(4), 1, "latency")
    assert problem.tiles.tolist() == [0] * 4
    assert problem.units.tolist() == [1] * 4
    expected = [
        -(-4 * layer.columns // 256)
        * -(-layer.rows // 256)
        * (560 + layer.positions * 8 * 14)  # cycles of 0.1 us
        for layer in layers.values()
    ]
    assert problem.cycles_per_unit.tolist() == expected
    assert problem.fixed_cycles.tolist() == [0] * 4


@pytest.mark.parametrize("objective", ["latency", "throughput"])
@pytest.mark.parametrize("chip", [TURNS, CIM_AQ], ids=["three tiles", "one tile"])
def test_a_batch_holds_the_problems_one_by_one(objective, chip):
    model = CostModel(load_network("vgg8"), chip)
    designs = draw(model, 20)
    batch = ReplicationBatch.of(model, designs, chip.tiles, objective)
    copies = solve_batch(batch)
    assert copies.tolist() == np.ones(copies.shape).tolist()
    costs = model.evaluate_batch(designs, copies)
    assert batch.objective_values(copies).tolist() == costs.latency_cycles.tolist()
    assert costs.latency_cycles.tolist() == costs.bottleneck_cycles.tolist()
    for row in (0, 19):
        posed = ReplicationProblem.of(model, designs[row], chip.tiles, objective)
        assert batch.problem(row) == posed


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_problems_posed_again_and_again_are_the_same(turns, objective):
    pose = Poser(turns, TURNS.tiles, objective)
    for settings in draw(turns, 4):
        expected = ReplicationProblem.of(turns, settings, TURNS.tiles, objective)
        assert pose(settings) == expected


def test_networks_that_take_turns_add_up():
    models = [CostModel(load_network(name), CIM_AQ) for name in ("lenet", "mlp")]
    problems = [
        ReplicationProblem.of(model, model.space.plain_settings(len(model.network)), 1, "latency")
        for model in models
    ]
    together = ReplicationProblem.together(problems, [3, 2])
    answer = solve_exact(together)
    first, second = (model.baseline.latency_cycles for model in models)
    assert answer.objective_value == 3 * first + 2 * second


def test_tiles_at_once(turns):
    plain = turns.space.plain_settings(4)
    per_copy = turns.tiles_per_copy(plain)
    assert per_copy.max() > 3
    assert turns.tiles_at_once(plain) == 3
    least = np.zeros_like(plain)
    # Of layers that fit, the largest counts; two copies of one that fits twice are more.
    roomy = CostModel(turns.network, replace(TURNS, tiles=1000))
    assert roomy.tiles_at_once(least) == turns.tiles_per_copy(least).max()
    largest = int(per_copy.argmax())
    copies = np.where(np.arange(4) == largest, 2, 1)
    assert roomy.tiles_at_once(plain, copies) == 2 * per_copy.max()
    stationary = CostModel(turns.network, load_preset("lrmp_frontiers_2024"))
    assert stationary.tiles_at_once(np.stack([plain, least])).tolist() == [
        stationary.tiles_per_copy(plain).sum(),
        stationary.tiles_per_copy(least).sum(),
    ]


def test_the_plain_budget_is_that_of_the_chip(turns):
    assert turns.plain_budget == 3
    assert turns.baseline.tiles_text(3) == f"{turns.baseline.tiles} in turn on 3"
    stationary = CostModel(turns.network, load_preset("lrmp_frontiers_2024"))
    tiles = stationary.baseline.tiles
    assert stationary.plain_budget == tiles
    assert stationary.baseline.tiles_text(tiles) == f"{tiles} of {tiles}"
