"""By how much a design exceeds what is allowed: in nats, whatever power of them a table adds up."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from lrmp.accuracy.model.drop_map import DropMap
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs import evaluate, load_task, make_task
from lrmp.envs.task.allowance import Allowance

LIMIT = 0.08


def table(**settings):
    """Three layers that cost 0.3 at 2 bits of weights, 0.1 at 3, and nothing else."""
    terms = {"weight_bits": [[0.3, 0.1, 0, 0, 0, 0, 0]] * 3, "activation_bits": np.zeros((3, 7))}
    drop_map = DropMap([0, 1], [0, 2], 90)  # one point is a sum of 0.5
    return TableAccuracy(terms, "made up", is_estimate=True, drop_map=drop_map, **settings)


@pytest.mark.parametrize("ratio", [1 + 1e-9, 1.01, 2.0, 1e6])
def test_an_excess_is_the_logarithm_of_nats(ratio):
    spent = LIMIT * ratio
    excess = Allowance(LIMIT, 2.5).excess(spent)
    assert excess == 2.5 * Allowance(LIMIT).excess(spent)
    assert excess == pytest.approx(math.log(spent**2.5 / LIMIT**2.5), rel=1e-6)


@pytest.mark.parametrize("exponent", [0.25, 1.0, 2.5])
def test_what_is_within_the_allowance_exceeds_nothing(exponent):
    for spent in (0.0, LIMIT / 2, math.nextafter(LIMIT, 0), LIMIT):
        assert Allowance(LIMIT, exponent).excess(spent) == 0.0


@pytest.mark.parametrize("exponent", [5e-324, 1e-300, 0.25, 1.0, 2.5, 99.0])
@pytest.mark.parametrize("limit", [0.0, 5e-324, 1e-9, LIMIT, 1e300])
def test_the_smallest_excess_is_one(limit, exponent):
    assert Allowance(limit, exponent).excess(math.nextafter(limit, math.inf)) > 0


@pytest.mark.parametrize("exponent", [0.25, 2.5])
def test_excesses_of_many_are_those_of_each(exponent):
    spent = np.array([[0.0, LIMIT, math.nextafter(LIMIT, 1)], [0.09, 0.5, 1e9]])
    allowance = Allowance(LIMIT, exponent)
    each = [[allowance.excess(value) for value in row] for row in spent.tolist()]
    assert allowance.excesses(spent).tolist() == each


def test_the_exponent_is_that_of_the_model():
    assert Allowance.of(table(exponent=2.5), 1.0) == Allowance(0.5, 2.5)
    assert Allowance.of(table(), 1.0) == Allowance(0.5, 1.0)
    without = SimpleNamespace(drop_map=table().drop_map)
    assert Allowance.of(without, 1.0) == Allowance(0.5, 1.0)


def test_a_network_that_is_run_on_images_counts_points_themselves():
    task = load_task("LRMP-Digits-v0")
    assert not hasattr(task.accuracy, "exponent")
    assert task.allowance == Allowance(task.allowed_drop, 1.0)


def test_the_exponent_reaches_excess_and_reward_of_a_design():
    nats, powers = (
        evaluate(make_task("mlp", accuracy=table(**settings)), weight_bits=2, activation_bits=8)
        for settings in ({}, {"exponent": 2.5})
    )
    assert powers.divergence == nats.divergence == pytest.approx(0.9)
    assert powers.accuracy_drop == nats.accuracy_drop == pytest.approx(1.8)
    assert nats.excess == pytest.approx(math.log(0.9 / 0.5))
    assert powers.excess == 2.5 * nats.excess
    assert powers.reward() == pytest.approx(-0.5 * 2.5 * math.log(0.9 / 0.5))
