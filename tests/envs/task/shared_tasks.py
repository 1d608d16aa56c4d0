"""Small tasks of several networks, and their cost in Python's integers."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from lrmp.accuracy.model.factories import GivenAccuracy
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.task.task import Task
from lrmp.envs.task.workload import Tenant, Workload
from lrmp.hardware import DesignSpace, Layer, Network, load_preset
from lrmp.hardware.space.precision import PRECISION

WEIGHTS, ACTIVATIONS = PRECISION
SPACE = DesignSpace((replace(WEIGHTS, values=(2, 4, 8)), replace(ACTIVATIONS, values=(3, 8))))
CHIP = load_preset("lrmp_frontiers_2024")
FIRST = Network("first", (Layer.conv2d("a", 3, 40, 3, 6), Layer.linear("b", 200, 150)))
SECOND = Network("second", (Layer.conv2d("a", 8, 64, 3, 4),))
OBJECTIVES = ("latency", "throughput", "energy", "edp", "weighted_throughput")


def tenant(network, seed, allowed_drop=1.0, rate=1):
    rng = np.random.default_rng(seed)
    terms = {
        knob.name: np.sort(rng.exponential(1.0, (len(network), len(knob))), axis=1)[:, ::-1]
        for knob in SPACE
    }
    terms = {name: of_knob - of_knob[:, -1:] for name, of_knob in terms.items()}
    table = TableAccuracy(terms, "drawn", is_estimate=True, space=SPACE)
    return Tenant(network, GivenAccuracy(table), allowed_drop, rate)


def shared(objective="latency", seed=0, rates=(1, 3), budget=40):
    tenants = (
        tenant(FIRST, seed, 2.0 + seed % 3, rates[0]),
        tenant(SECOND, seed + 100, 1.5, rates[1]),
    )
    return Task("Shared", Workload(tenants), CHIP, budget, objective, SPACE)


def cost(task, settings, copies):
    """Count a round in Python's integers."""
    cycles, energies, slowest = [], [], []
    for owner, layers, model in zip(
        task.workload, task.workload.layers, task.cost_models, strict=True
    ):
        of_layers = model.layer_cycles(settings[layers], copies[layers]).tolist()
        one = model.copies_energy_fj(settings[layers], copies[layers][:, None])
        cycles.append(owner.rate * sum(of_layers))
        energies.append(owner.rate * sum(int(energy[0]) for energy in one))
        slowest.append(owner.rate * max(of_layers))
    rounds = sum(10**17 // interval for interval in slowest)
    totals = {
        "latency": sum(cycles),
        "throughput": max(slowest),
        "energy": sum(energies),
        "weighted_throughput": math.ceil(Fraction(len(slowest) * 10**26, rounds)),
    }
    return totals.get(task.objective, sum(cycles) * sum(energies))
