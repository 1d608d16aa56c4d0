"""The gains of uniform designs over the plain 8-bit chip: the table the suite is calibrated by."""

from dataclasses import replace

import pytest

from lrmp.hardware import CostModel, Design, load_network, load_preset
from lrmp.solvers import ReplicationProblem, solve_replication

WIDTHS = (7, 6, 5, 4)

# (network, V) -> gain in latency and in throughput at 7, 6, 5 and 4 bits.
GAINS = {
    ("resnet18", 1): ("2.526 4.136 6.101 8.618", "5.260 11.184 15.076 17.052"),
    ("resnet34", 1): ("2.411 3.826 5.509 7.656", "7.608 12.126 16.178 17.455"),
    ("resnet50", 1): ("2.273 3.255 4.233 5.303", "9.599 13.444 16.416 17.410"),
    ("resnet101", 1): ("2.060 2.660 3.428 4.264", "10.521 15.650 17.171 17.646"),
    ("resnet18", 0): ("2.756 4.997 8.476 14.815", "5.714 12.506 30.014 56.133"),
    ("resnet101", 0): ("2.493 3.656 5.697 9.175", "13.382 34.281 60.028 75.034"),
}

CASES = [
    pytest.param(network, rate, bits, objective, gain, id=f"{network}-V{rate}-{bits}b-{objective}")
    for (network, rate), rows in GAINS.items()
    for objective, row in zip(("latency", "throughput"), rows, strict=True)
    for bits, gain in zip(WIDTHS, row.split(), strict=True)
]
RESNET18 = [case for case in CASES if case.values[:2] == ("resnet18", 1)]


def gain_of(network, rate, bits, objective, solver):
    chip = replace(load_preset("lrmp_frontiers_2024"), output_elements_per_cycle=rate)
    model = CostModel(load_network(network), chip)
    uniform = Design.of(dict.fromkeys(model.space.names, bits), layers=len(model.network))
    problem = ReplicationProblem.of(model, uniform.settings, model.baseline.tiles, objective)
    answer = solve_replication(problem, solver)
    assert answer.proven_optimal
    return f"{model.baseline.cost(objective) / answer.objective_value:.3f}"


def test_tables_are_complete():
    assert len(CASES) == 48
    assert len(RESNET18) == 8


@pytest.mark.parametrize(("network", "rate", "bits", "objective", "gain"), CASES)
def test_gains_of_uniform_designs(network, rate, bits, objective, gain):
    assert gain_of(network, rate, bits, objective, "exact") == gain


@pytest.mark.parametrize(("network", "rate", "bits", "objective", "gain"), RESNET18)
def test_gains_of_uniform_designs_by_ilp(network, rate, bits, objective, gain):
    assert gain_of(network, rate, bits, objective, "ilp") == gain
