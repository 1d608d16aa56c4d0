"""Problems of designs with more knobs than bits."""

from dataclasses import replace

import numpy as np
import pytest

from lrmp.errors import SolverError
from lrmp.hardware import (
    PRECISION,
    CostModel,
    Design,
    DesignSpace,
    Knob,
    load_network,
    load_preset,
)
from lrmp.solvers import (
    ReplicationBatch,
    ReplicationProblem,
    solve_batch,
    solve_exact,
    solve_replication,
)
from lrmp.solvers.replication.poser import Poser


def read_often(computation, values):
    return replace(computation, reads=computation.reads * values)


def keep_rows(computation, labels):
    halved = -(-computation.rows // 2)
    return replace(computation, rows=np.where(labels == "half", halved, computation.rows))


SPACE = DesignSpace(
    (
        Knob("kept_rows", ("half", "all"), "all", effect=keep_rows),
        *PRECISION,
        Knob("reads", (1, 2, 4), 1, effect=read_often),
    )
)


def model_of(network, **changes):
    chip = replace(load_preset("lrmp_frontiers_2024"), provenance={}, **changes)
    return CostModel(load_network(network), chip, SPACE)


@pytest.mark.parametrize("shared_work", ["positions", "row-groups"])
@pytest.mark.parametrize("objective", ["latency", "throughput", "energy", "edp"])
@pytest.mark.parametrize("network", ["digits_cnn", "resnet18"])
def test_the_cost_model_confirms_the_objective(network, objective, shared_work):
    model = model_of(network, shared_work=shared_work)
    layers = len(model.network)
    rng = np.random.default_rng(0)
    for settings in SPACE.sample(rng, layers, 5):
        problem = ReplicationProblem.of(model, settings, 3 * model.baseline.tiles, objective)
        assert problem.units.tolist() == model.units(settings).tolist()
        answer = solve_replication(problem)
        # Copies beyond the next useful number are idle and cost nothing in a problem: compare
        # the useful ones that the answer holds.
        report = model.evaluate(Design(SPACE, settings, answer.copies))
        assert report.cost(objective) == answer.objective_value
        assert report.tiles <= problem.budget
        ones = model.evaluate(Design(SPACE, settings, np.ones(layers, np.int64)))
        assert ones.cost(objective) == problem.objective_value(np.ones(layers, np.int64))


@pytest.mark.parametrize("shared_work", ["positions", "row-groups"])
@pytest.mark.parametrize("objective", ["throughput", "energy"])
def test_problems_posed_again_and_again_are_the_ones_posed_once(objective, shared_work):
    model = model_of("digits_cnn", shared_work=shared_work)
    pose = Poser(model, 3 * model.baseline.tiles, objective)
    for settings in SPACE.sample(np.random.default_rng(0), 5, 20):
        once = ReplicationProblem.of(model, settings, 3 * model.baseline.tiles, objective)
        assert pose(settings) == once


@pytest.mark.parametrize("objective", ["latency", "throughput"])
@pytest.mark.parametrize("network", ["digits_cnn", "resnet18"])
def test_a_batch_gets_the_copies_of_the_single_form(network, objective):
    model = model_of(network)
    assert model.units_are_fixed
    settings = SPACE.sample(np.random.default_rng(0), len(model.network), 40)
    batch = ReplicationBatch.of(model, settings, 3 * model.baseline.tiles, objective)
    copies = solve_batch(batch)
    for row, chosen in enumerate(settings):
        single = ReplicationProblem.of(model, chosen, 3 * model.baseline.tiles, objective)
        assert batch.problem(row) == single
        assert copies[row].tolist() == solve_exact(single).copies.tolist()


def test_settings_that_change_the_units_are_no_batch():
    """Where copies share row groups, half the rows are fewer units."""
    model = model_of("digits_cnn", shared_work="row-groups")
    assert not model.units_are_fixed
    settings = np.stack([SPACE.plain_settings(5)] * 2)
    alike = ReplicationBatch.of(model, settings, 1000, "latency")
    assert alike.units.tolist() == model.units(settings[0]).tolist()
    settings[1, 2, 0] = 0
    with pytest.raises(SolverError, match=r"Expected settings that leave the units of work as th"):
        ReplicationBatch.of(model, settings, 1000, "latency")
    assert model.units(settings)[:, 2].tolist() == [
        ReplicationProblem.of(model, chosen, 1000, "latency").units[2] for chosen in settings
    ]
    assert model.units(settings)[1, 2] < model.units(settings)[0, 2]
