"""Several networks as one list of layers, and the cost of a round of them."""

import pickle

import numpy as np
import pytest

from lrmp.errors import NetworkError
from lrmp.hardware import CostModel, Design, Layer, Network, load_network, load_preset
from lrmp.hardware.cost.cost_report import mean_interval
from lrmp.hardware.networks.shared_network import SharedNetwork
from lrmp.solvers.replication.problem import ReplicationProblem

CHIP = load_preset("lrmp_frontiers_2024")
NETWORKS = [load_network("lenet"), load_network("mlp")]
SHARED = SharedNetwork.of(NETWORKS, [3, 5])


def test_layers_edges_and_runs_stand_network_after_network():
    known = Network("known", (Layer.linear("a", 8, 8), Layer.linear("b", 8, 8)), ((0, 1), (1, 0)))
    shared = SharedNetwork.of([NETWORKS[1], known], [2, 1])
    assert [layer.name for layer in shared.layers] == [
        "0:mlp/fc1",
        "0:mlp/fc2",
        "0:mlp/fc3",
        "1:known/a",
        "1:known/b",
    ]
    assert shared.name == "mlp+known"
    assert shared.edges == ((0, 1), (1, 2), (3, 4), (4, 3))
    assert shared.runs.tolist() == [2, 2, 2, 1, 1]
    assert (shared.sizes, shared.parts) == ((3, 2), (slice(0, 3), slice(3, 5)))
    assert pickle.loads(pickle.dumps(shared)) == shared
    assert SharedNetwork.of([known, known], [1, 1]).runs is None


def test_edges_that_one_network_does_not_know_are_a_chain():
    unknown = Network("unknown", (Layer.linear("a", 8, 8), Layer.linear("b", 8, 8)))
    shared = SharedNetwork.of([unknown, NETWORKS[1]], [1, 1])
    assert shared.edges is None
    assert shared.edges_or_chain == ((0, 1), (2, 3), (3, 4))


def test_one_network_of_a_rate_keeps_its_layers():
    often = SharedNetwork.of([NETWORKS[0]], [7])
    assert often.layers == NETWORKS[0].layers
    assert often.runs.tolist() == [7] * 4


def test_a_round_is_the_sum_of_its_inferences():
    """Cycles and femtojoules of every network alone, times its rate; tiles once."""
    rng, model = np.random.default_rng(0), CostModel(SHARED, CHIP)
    for _ in range(5):
        settings, copies = rng.integers(0, 7, (7, 2)), rng.integers(1, 5, 7)
        report = model.evaluate(Design(model.space, settings, copies))
        tiles = cycles = energy = 0
        slowest = []
        for network, own, rate in zip(NETWORKS, SHARED.parts, SHARED.rates, strict=True):
            alone = CostModel(network, CHIP).evaluate(
                Design(model.space, settings[own], copies[own])
            )
            tiles += alone.tiles
            cycles += rate * alone.latency_cycles
            energy += rate * alone.energy_fj
            slowest.append(rate * alone.bottleneck_cycles)
            assert report.layer_energy_fj[own].tolist() == (rate * alone.layer_energy_fj).tolist()
        assert (report.tiles, report.latency_cycles, report.energy_fj) == (tiles, cycles, energy)
        assert report.network_intervals == tuple(slowest)
        assert report.cost("throughput") == max(slowest)
        assert report.cost("weighted_throughput") == mean_interval(slowest)
        batch = model.evaluate_batch(settings[None], copies[None], with_energy=True)
        assert (batch.latency_cycles[0], batch.energy_fj[0]) == (cycles, energy)
        assert model.layer_cycles(settings, copies).tolist() == report.layer_cycles.tolist()


@pytest.mark.parametrize(
    "objective", ["latency", "throughput", "energy", "edp", "weighted_throughput"]
)
def test_the_replication_problem_of_all_is_that_of_each_put_together(objective):
    model = CostModel(SHARED, CHIP)
    settings = np.random.default_rng(1).integers(0, 7, (7, 2))
    posed = ReplicationProblem.of(model, settings, 500, objective)
    each = [
        ReplicationProblem.of(CostModel(network, CHIP), settings[own], 500, objective)
        for network, own in zip(NETWORKS, SHARED.parts, strict=True)
    ]
    assert posed == ReplicationProblem.together(each, SHARED.rates)


def test_the_mean_interval_is_that_of_throughputs():
    # 1 / 200 and 1 / 600 rounds a cycle are 4 / 600 together: of two networks one in 300.
    assert mean_interval([200, 600]) == pytest.approx(300 * 10**9, rel=1e-11)
    assert mean_interval([10**6]) == 10**6 * 10**9  # 10**17 cycles are whole rounds of it
    assert mean_interval([7]) == 7 * 10**9 + 1  # 10**17 cycles are not; rounded up


@pytest.mark.parametrize(
    ("networks", "rates", "message"),
    [
        ([], [], "at least one network and a rate for each, got 0 networks and 0 rates"),
        (NETWORKS, [1], "a rate for each, got 2 networks and 1 rates"),
        (NETWORKS, [1, 0], r"whole rates of at least 1, got 0\. Multiply fractions"),
        (NETWORKS, [True, 1], "whole rates of at least 1, got True"),
    ],
)
def test_what_cannot_be_is_refused(networks, rates, message):
    with pytest.raises(NetworkError, match=message):
        SharedNetwork.of(networks, rates)


def test_rounds_too_long_for_64_bits_are_refused():
    with pytest.raises(NetworkError, match=r"of a round below 2\*\*62, got .* Lower the rates"):
        CostModel(SharedNetwork.of(NETWORKS, [2**60, 1]), CHIP)
