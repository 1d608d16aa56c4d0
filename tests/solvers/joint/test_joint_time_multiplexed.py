"""The joint optimum of a chip on which layers take turns: a knapsack of settings by accuracy."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from ortools.sat.python import cp_model

from lrmp.envs import make_task
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.hardware import DesignSpace, load_preset
from lrmp.hardware.space.precision import PRECISION

#: Weights in whole cells of 4 bits, activations of 4 to 8 bits in steps of 2.
COARSE = {"weight_bits": (4, 8), "activation_bits": (4, 6, 8)}
#: Energies of LRMP's chip; one tile, on which layers take turns.
TURNS = replace(
    load_preset("lrmp_frontiers_2024"),
    weight_loading="time-multiplexed",
    tiles=1,
    write_cycles=10_000,
)


def coarse(layers):
    allowed = {name: [values] * layers for name, values in COARSE.items()}
    return DesignSpace(PRECISION.knobs, allowed)


def terms_of(task):
    """What every setting of a layer adds to the divergence, the others plain; shape (L, S)."""
    layers, settings = len(task.network), task.space.settings
    plain = task.space.plain_settings(layers)
    terms = np.full((layers, len(settings)), np.nan)
    for layer, number in itertools.product(range(layers), range(len(settings))):
        design = plain.copy()
        design[layer] = settings[number]
        if task.space.allows(design).all():
            terms[layer, number] = task.accuracy.sums(design) - task.accuracy.sums(plain)
    return terms, float(task.accuracy.sums(plain))


def cycles_of(task):
    """Cycles of every setting of a layer, by the published formula; shape (L, S)."""
    chip, settings = task.accelerator, task.space.settings
    bits = task.space.decode(settings)
    return np.array(
        [
            [
                -(-2 * layer.columns * -(-int(w) // chip.cell_bits) // 256)
                * -(-layer.rows // 256)
                * (560 + layer.positions * int(a) * 14)
                for w, a in zip(bits["weight_bits"], bits["activation_bits"], strict=True)
            ]
            for layer in task.network.layers
        ]
    )


def cp_sat(cycles, terms, allowed):
    """Minimise cycles within an allowance; bounds it by terms rounded down, and up."""
    found = []
    scale = 2**40 / allowed
    for rounded in (np.floor, np.ceil):
        model, total, spent = cp_model.CpModel(), [], []
        for own_cycles, own_terms in zip(cycles.tolist(), terms, strict=True):
            number = [n for n in range(len(own_cycles)) if not np.isnan(own_terms[n])]
            choice = [model.new_bool_var("") for _ in number]
            model.add_exactly_one(choice)
            weights = [int(rounded(own_terms[n] * scale)) for n in number]
            total += [own_cycles[n] * x for n, x in zip(number, choice, strict=True)]
            spent += [weight * x for weight, x in zip(weights, choice, strict=True)]
        model.add(sum(spent) <= 2**40)
        model.minimize(sum(total))
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        assert solver.solve(model) == cp_model.OPTIMAL
        found.append(round(solver.objective_value))
    return found


@pytest.mark.parametrize("cell_bits", [2, 4])
@pytest.mark.parametrize("drop", [1.0, 5.0, 10.0])
def test_another_model_finds_the_same_optimum(cell_bits, drop):
    chip = replace(load_preset("cim_aq_date_2026"), cell_bits=cell_bits)
    task = make_task("resnet18", chip, allowed_drop=drop)
    optimum = table_optimum(task)
    terms, plain = terms_of(task)
    cycles = cycles_of(task)
    lower, upper = cp_sat(cycles, terms, task.allowance.limit - plain)
    baseline = task.cost_model.baseline.latency_cycles
    assert lower == upper == round(baseline / math.exp(optimum.value))
    assert optimum.bound == pytest.approx(optimum.value, abs=1e-12)
    assert optimum.design.replication.tolist() == [1] * 21
    assert task.cost_model.evaluate(optimum.design).latency_cycles == lower


@pytest.mark.parametrize("objective", ["latency", "throughput", "energy", "edp"])
@pytest.mark.parametrize("drop", [0.3, 2.0, 100.0])
def test_no_design_is_better(objective, drop):
    task = make_task("lenet", TURNS, objective=objective, allowed_drop=drop, space=coarse(4))
    choices = [task.space.choices(0)] * 4
    settings = [list(itertools.product(*each)) for each in choices]
    designs = np.array(list(itertools.product(*settings)))
    assert len(designs) == 6**4
    ones = np.ones(designs.shape[:2], dtype=np.int64)
    costs = task.cost_model.evaluate_batch(designs, ones, with_energy=True)
    cost = {
        "latency": costs.latency_cycles,
        "throughput": costs.latency_cycles,
        "energy": costs.energy_fj,
        "edp": costs.latency_cycles.astype(object) * costs.energy_fj,
    }[objective]
    within = task.accuracy.divergences(designs, ones) <= task.allowance.limit
    best = math.log(task.cost_model.baseline.cost(objective) / min(cost[within]))
    optimum = table_optimum(task)
    assert optimum.value == pytest.approx(best, abs=1e-12)
    assert best <= optimum.bound <= best + 1e-9


def test_throughput_has_the_optimum_of_latency():
    latency, throughput = (
        table_optimum(make_task("lenet", "cim_aq_date_2026", objective=objective))
        for objective in ("latency", "throughput")
    )
    assert (latency.value, latency.design) == (throughput.value, throughput.design)
