"""What one oracle call costs; each table compares the exact method with the ILP."""

import numpy as np
import pytest

from lrmp.hardware import CostModel, Layer, Network, load_network, load_preset
from lrmp.solvers import (
    ReplicationBatch,
    ReplicationProblem,
    solve_batch,
    solve_exact,
    solve_ilp,
)


def uniform_bits(layers):
    return np.full((layers, 2), 3)


def mixed_bits(layers):
    return np.random.default_rng(0).integers(0, 7, (layers, 2))


def model_of(network):
    return CostModel(load_network(network), load_preset("lrmp_frontiers_2024"))


def large_language_model(positions=2048):
    """The matrices of a LLaMA-7B: 225 layers, 806,528 tiles at 8 bits."""
    layers = []
    for block in range(32):
        sizes = dict.fromkeys(("q", "k", "v", "o"), (4096, 4096))
        sizes |= {"gate": (4096, 11008), "up": (4096, 11008), "down": (11008, 4096)}
        layers += [
            Layer(f"{block}.{name}", "linear", rows, columns, positions)
            for name, (rows, columns) in sizes.items()
        ]
    layers.append(Layer("head", "linear", 4096, 32000, positions))
    return CostModel(Network("llama7b", tuple(layers)), load_preset("lrmp_frontiers_2024"))


# CP-SAT without the canonical copies: its own time alone.
SOLVERS = {"exact": solve_exact, "ilp": lambda problem: solve_ilp(problem, canonical=False)}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("objective", ["latency", "throughput"])
@pytest.mark.parametrize("bits", [uniform_bits, mixed_bits])
@pytest.mark.parametrize("network", ["resnet18", "resnet101"])
def test_oracle_call(benchmark, network, bits, objective, solver):
    benchmark.group = f"oracle call: {network}, {bits.__name__}, {objective}"
    model = model_of(network)
    problem = ReplicationProblem.of(
        model, bits(len(model.network)), model.baseline.tiles, objective
    )
    answer = benchmark(SOLVERS[solver], problem)
    assert answer.proven_optimal


@pytest.mark.parametrize("budget", [806_528, 850_000, 3_000_000])
@pytest.mark.parametrize("bits", [uniform_bits, mixed_bits])
def test_oracle_call_for_a_large_language_model(benchmark, bits, budget):
    benchmark.group = "oracle call: LLaMA-7B, latency, proven optimal"
    model = large_language_model()
    problem = ReplicationProblem.of(model, bits(225), budget, "latency")
    assert benchmark(solve_exact, problem).proven_optimal


@pytest.mark.parametrize("objective", ["latency", "throughput"])
def test_a_thousand_problems_at_once(benchmark, objective):
    benchmark.group = "1000 random ResNet-18s, posed and solved as a batch"
    model = model_of("resnet18")
    settings = np.random.default_rng(0).integers(0, 7, (1000, len(model.network), 2))

    def posed_and_solved():
        return solve_batch(ReplicationBatch.of(model, settings, model.baseline.tiles, objective))

    assert benchmark(posed_and_solved).shape == settings.shape[:-1]
