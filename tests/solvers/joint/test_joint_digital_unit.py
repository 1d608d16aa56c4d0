"""The joint optimum for throughput where layers take turns on the chip's digital unit."""

import math
from itertools import product

import numpy as np
import pytest

from lrmp.hardware import PRECISION, Accelerator, CostModel, Layer, Network
from lrmp.solvers import ReplicationBatch, ReplicationProblem, solve_batch
from lrmp.solvers.joint.accuracy_terms import AccuracyTerms
from lrmp.solvers.joint.problem import JointProblem
from lrmp.solvers.joint.solve import solve_joint

PAIRS = PRECISION.settings


def model_of(parts, macs_per_cycle):
    chip = Accelerator(
        name="small",
        crossbar_rows=32,
        crossbar_columns=32,
        cell_bits=2,
        dac_bits=1,
        active_rows=8,
        columns_per_adc=4,
        clock_mhz=100,
        output_elements_per_cycle=0,
        digital_macs_per_cycle=macs_per_cycle,
    )
    products = (Layer.matmul(f"qk{n}", 16, 16 // parts, 24) for n in range(parts))
    layers = (Layer.linear("in", 40, 48, 24), *products, Layer.linear("out", 16, 40, 24))
    return CostModel(Network("small", layers), chip)


def joint_problem(model, seed):
    """Weigh the bits of the two projections alone: those of the products cost and gain nothing."""
    layers = len(model.network)
    rng = np.random.default_rng(seed)
    terms = np.zeros((2, layers, 7))
    for layer in (0, -1):
        terms[:, layer] = np.sort(rng.gamma(0.5, 1.0, (2, 7)), axis=1)[:, ::-1]

    def pose(settings, budget):
        return ReplicationProblem.of(model, PAIRS[settings], budget, "throughput")

    return JointProblem(
        pose=pose,
        budget=model.baseline.tiles,
        objective="throughput",
        baseline=model.baseline.bottleneck_cycles,
        accuracy=(
            AccuracyTerms(
                terms[0][:, PAIRS[:, 0]] + terms[1][:, PAIRS[:, 1]],
                lambda sums: np.maximum(0.0, sums - 1.0),
            ),
        ),
    )


def best_of_all(problem, model):
    """Try all bits of the two projections with the batch form, the products at 8 bits."""
    layers = len(model.network)
    ends = np.array(list(product(range(7), repeat=4))).reshape(-1, 2, 2)
    designs = np.full((len(ends), layers, 2), 6)
    designs[:, [0, -1]] = ends
    batch = ReplicationBatch.of(model, designs, problem.budget, "throughput")
    values = batch.objective_values(solve_batch(batch))
    terms = problem.terms[np.arange(layers), designs @ (7, 1)].sum(axis=1)
    return float((np.log(problem.baseline / values) - problem.accuracy[0].penalty(terms)).max())


# A baseline projection takes 24 x 8 x 4 x 4 = 3072 cycles, the product 6144 MACs / rate.
@pytest.mark.parametrize("rate", [1, 2, 3, 6, 12, 60])
@pytest.mark.parametrize("seed", range(4))
def test_the_optimum_is_the_best_of_all_designs(seed, rate):
    model = model_of(1, rate)
    problem = joint_problem(model, seed)
    optimum, best = solve_joint(problem), best_of_all(problem, model)
    assert optimum.value == pytest.approx(best, abs=1e-9)
    assert best <= optimum.bound <= best + 1e-6
    assert optimum.bound <= math.log(problem.baseline / model.least_interval) + 1e-6


@pytest.mark.parametrize("rate", [1, 2, 6])
def test_cutting_a_product_into_parts_does_not_help(rate):
    whole, cut = (solve_joint(joint_problem(model_of(n, rate), 0)) for n in (1, 4))
    assert cut.value == pytest.approx(whole.value, abs=1e-9)


def test_where_the_digital_unit_is_the_bottleneck_nothing_is_gained():
    problem = joint_problem(model_of(2, 1), 0)
    optimum = solve_joint(problem)
    assert problem.baseline == 6144
    assert optimum.value == 0.0
    assert 0.0 <= optimum.bound <= 1e-6
