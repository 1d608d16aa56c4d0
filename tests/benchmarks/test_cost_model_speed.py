"""What the cost model costs: its tables, one design, and a batch of designs with its memory."""

import tracemalloc

import numpy as np
import pytest

from lrmp.hardware import CostModel, Design, load_network, load_preset

DESIGNS = 10_000


def model_of(network):
    model = CostModel(load_network(network), load_preset("lrmp_frontiers_2024"))
    _ = model.energy  # part of the construction
    return model


def random_designs(model, count):
    rng = np.random.default_rng(0)
    layers = len(model.network)
    return model.space.sample(rng, layers, count), rng.integers(1, 17, (count, layers))


networks = pytest.mark.parametrize("network", ["resnet18", "resnet101"])


@networks
def test_construction(benchmark, network):
    benchmark.group = "cost model with its energies"
    assert benchmark(model_of, network).network.name == network


@networks
def test_what_copies_share(benchmark, network):
    benchmark.group = "tiles, units and cycles of one design; goal: 20 us"
    model = model_of(network)
    settings = random_designs(model, 1)[0][0]
    costs = benchmark(model.copy_costs, settings)
    assert costs.tiles.shape == (len(model.network),)


@networks
def test_one_design(benchmark, network):
    benchmark.group = "one design with its totals; goal: 50 us"
    model = model_of(network)
    settings, copies = random_designs(model, 1)
    design = Design(model.space, settings[0], copies[0])

    def evaluate():
        report = model.evaluate(design)
        return (
            *(report.latency_cycles, report.bottleneck_cycles),
            *(report.tiles, report.energy_fj),
        )

    assert min(benchmark(evaluate)) > 0


@networks
@pytest.mark.parametrize("with_energy", [False, True], ids=["cycles", "energy"])
def test_batch_of_designs(benchmark, network, with_energy):
    benchmark.group = f"{DESIGNS} designs at once; goal: 50 ms, 200 000 designs/s"
    model = model_of(network)
    designs = random_designs(model, DESIGNS)
    cost = benchmark(model.evaluate_batch, *designs, with_energy=with_energy)
    assert len(cost.latency_cycles) == DESIGNS
    tracemalloc.start()
    model.evaluate_batch(*designs, with_energy=with_energy)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    benchmark.extra_info["peak_mb"] = peak / 1e6
