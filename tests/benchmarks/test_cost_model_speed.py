"""What the cost model costs: its table, one design, and a batch of designs with its memory."""

import tracemalloc

import numpy as np
import pytest

from lrmp.hardware import CostModel, Design, load_network, load_preset

DESIGNS = 10_000


def model_of(network):
    model = CostModel(load_network(network), load_preset("lrmp_frontiers_2024"))
    _ = model.energy.base_fj  # part of the construction
    return model


def random_designs(model, count):
    rng = np.random.default_rng(0)
    shape = (count, len(model.network))
    return rng.integers(2, 9, shape), rng.integers(2, 9, shape), rng.integers(1, 17, shape)


networks = pytest.mark.parametrize("network", ["resnet18", "resnet101"])


@networks
def test_construction(benchmark, network):
    benchmark.group = "cost model with its energies"
    assert benchmark(model_of, network).network.name == network


@networks
def test_table_of_all_widths(benchmark, network):
    benchmark.group = "cost table of all 49 pairs of widths; goal for resnet101: 1 ms"
    model = model_of(network)
    table = benchmark(model.table)
    assert table.energy_fj.shape == (7, 7, len(model.network))


@networks
def test_one_design(benchmark, network):
    benchmark.group = "one design with its totals; goal: 50 us"
    model = model_of(network)
    design = Design(*(values[0] for values in random_designs(model, 1)))

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
