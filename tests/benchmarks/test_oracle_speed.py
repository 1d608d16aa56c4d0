"""What one oracle call costs; each table compares the exact method with the ILP."""

import numpy as np
import pytest

from lrmp.hardware import CostModel, load_network, load_preset
from lrmp.solvers import ReplicationProblem, solve_replication


def uniform_bits(layers):
    return np.full((2, layers), 5)


def mixed_bits(layers):
    return np.random.default_rng(0).integers(2, 9, (2, layers))


@pytest.mark.parametrize("solver", ["exact", "ilp"])
@pytest.mark.parametrize("objective", ["latency", "throughput"])
@pytest.mark.parametrize("bits", [uniform_bits, mixed_bits])
@pytest.mark.parametrize("network", ["resnet18", "resnet101"])
def test_oracle_call(benchmark, network, bits, objective, solver):
    benchmark.group = f"oracle call: {network}, {bits.__name__}, {objective}"
    model = CostModel(load_network(network), load_preset("lrmp_frontiers_2024"))
    problem = ReplicationProblem.of(
        model, *bits(len(model.network)), model.baseline.tiles, objective
    )
    answer = benchmark(solve_replication, problem, solver)
    assert answer.proven_optimal
