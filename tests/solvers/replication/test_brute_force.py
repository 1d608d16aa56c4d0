"""Every choice of copies, tried: the solvers must find the canonical one of the best."""

import itertools

import numpy as np
import pytest

from lrmp.errors import InfeasibleBudgetError, SolverError
from lrmp.solvers import ReplicationProblem, solve_exact, solve_ilp, useful_copies

OBJECTIVES = ("latency", "throughput", "throughput_then_latency", "energy", "edp")
INSTANCES_PER_SEED = 120
SEEDS = range(6)  # for every objective: 3600 instances


def random_instance(rng, objective):
    """Draw 1..4 layers rich in ties, with no spare tile in a sixth of the cases."""
    layers = int(rng.integers(1, 5))
    alike = rng.integers(0, layers, layers) if rng.random() < 0.3 else np.arange(layers)
    off_chip = rng.random(layers) < 0.1
    tiles = np.where(off_chip, 0, rng.integers(1, 5, layers))[alike]
    units_by_kind = np.where(off_chip, 1, rng.integers(1, 13, layers))
    units = units_by_kind[alike]
    cycles = rng.integers(1, 7, layers)[alike]
    fixed = rng.integers(0, 9, layers) * (rng.random() < 0.5)
    instance = {
        "tiles": tiles.tolist(),
        "units": units.tolist(),
        "cycles_per_unit": cycles.tolist(),
        "fixed_cycles": fixed.tolist(),
        "budget": int(tiles.sum() + (0 if rng.random() < 1 / 6 else rng.integers(1, 12))),
        "objective": objective,
    }
    if objective in ("energy", "edp"):
        tables = [rng.integers(0, 30, len(useful_copies(int(u)))).tolist() for u in units_by_kind]
        instance["energy_fj"] = [tables[kind] for kind in alike]
    if rng.random() < 0.3:
        instance["most_copies"] = rng.integers(1, 8, layers).tolist()
    if rng.random() < 0.3:
        instance["tied"] = rng.integers(0, layers, layers).tolist()
    slowest = int((units * cycles + fixed).max())
    if rng.random() < 0.3:
        instance["least_interval"] = int(rng.integers(0, slowest + 10))
    if not objective.startswith("throughput") and rng.random() < 0.3:
        instance["max_layer_cycles"] = int(rng.integers((cycles + fixed).max(), slowest + 1))
    return instance


def fewest_to_most(copies, instance):
    """The order among equally good copies: fewest tiles, then copies read kind by kind."""
    blocks = {}
    for layer, label in enumerate(instance.get("tied", range(len(copies)))):
        blocks.setdefault(label, []).append(layer)
    kinds = {}
    keys = ["tiles", "units", "cycles_per_unit", "most_copies", "energy_fj"]
    if "max_layer_cycles" in instance or instance["objective"].startswith("throughput"):
        keys.append("fixed_cycles")
    for layers in blocks.values():
        kind = sorted([str(instance[key][n]) for key in keys if key in instance] for n in layers)
        kinds.setdefault(str(kind), []).append(copies[layers[0]])
    tiles = sum(r * t for r, t in zip(copies, instance["tiles"], strict=True))
    return tiles, [count for counts in kinds.values() for count in counts]


def value(copies, instance):
    """What the objective minimises, computed in another way; None if a constraint is broken."""
    layers = range(len(copies))
    if sum(r * t for r, t in zip(copies, instance["tiles"], strict=True)) > instance["budget"]:
        return None
    ties = instance.get("tied", layers)
    if len({*zip(ties, copies, strict=True)}) > len({*ties}):
        return None
    if any(copies[n] > instance.get("most_copies", copies)[n] for n in layers):
        return None
    columns = ("units", "cycles_per_unit", "fixed_cycles")
    cycles = [
        # Units dealt out to the copies in turn: the first copy gets the most.
        len(range(0, units, copies[n])) * per_unit + fixed
        for n, (units, per_unit, fixed) in enumerate(
            zip(*(instance[name] for name in columns), strict=True)
        )
    ]
    interval = max(*cycles, instance.get("least_interval", 0))
    if interval > instance.get("max_layer_cycles", interval):
        return None
    energy = 0
    for n, table in enumerate(instance.get("energy_fj", ())):
        useful = [r for r in useful_copies(instance["units"][n]).tolist() if r <= copies[n]]
        energy += table[len(useful) - 1]
    return {
        "latency": sum(cycles),
        "throughput": interval,
        "throughput_then_latency": (interval, sum(cycles)),
        "energy": energy,
        "edp": energy * sum(cycles),
    }[instance["objective"]]


def brute_force(instance):
    """Return the canonical best copies, or None if no copies are allowed."""
    spare = instance["budget"] - sum(instance["tiles"])
    most = max(instance["units"])
    counts = [range(1, 1 + min(most, 1 + spare // max(t, 1))) for t in instance["tiles"]]
    if "tied" not in instance:  # off the crossbars there is one copy, unless a tie asks for more
        counts = [c if t else range(1, 2) for c, t in zip(counts, instance["tiles"], strict=True)]
    else:
        counts = [
            c if t else range(1, most + 1) for c, t in zip(counts, instance["tiles"], strict=True)
        ]
    best = None
    for copies in itertools.product(*counts):
        reached = value(copies, instance)
        if reached is not None and (best is None or reached <= best[0]):
            rank = reached, fewest_to_most(copies, instance), copies
            best = rank if best is None else min(best, rank)
    return best and list(best[2])


def instances(seed, objective):
    rng = np.random.default_rng([seed, OBJECTIVES.index(objective)])
    return [random_instance(rng, objective) for _ in range(INSTANCES_PER_SEED)]


def solved(solver, instance):
    """Return the solver's copies, or None if the problem is refused as infeasible."""
    try:
        problem = ReplicationProblem(**instance)
    except InfeasibleBudgetError:
        return None
    except SolverError as error:
        if "max_layer_cycles of at least" not in str(error):
            raise
        return None
    answer = solver(problem)
    assert answer.proven_optimal, instance
    assert answer.lower_bound == answer.objective_value, instance
    return answer.copies.tolist()


@pytest.mark.long
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("seed", SEEDS)
def test_exact_finds_the_canonical_best_of_all_choices(seed, objective):
    for instance in instances(seed, objective):
        assert solved(solve_exact, instance) == brute_force(instance), instance


@pytest.mark.long
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_ilp_finds_the_canonical_best_of_all_choices(objective):
    for instance in instances(0, objective):
        assert solved(solve_ilp, instance) == brute_force(instance), instance


@pytest.mark.long
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_ilp_reaches_the_best_of_all_choices_by_itself(objective):
    for instance in instances(1, objective):
        best = brute_force(instance)
        if best is not None:
            problem = ReplicationProblem(**instance)
            own = solve_ilp(problem, canonical=False)
            assert own.proven_optimal, instance
            assert own.objective_value == problem.objective_value(np.array(best)), instance


def test_instances_include_the_edge_cases():
    drawn = [i for seed in SEEDS for objective in OBJECTIVES for i in instances(seed, objective)]
    assert len(drawn) == 3600
    assert {len(i["tiles"]) for i in drawn} == {1, 2, 3, 4}
    full = sum(i["budget"] == sum(i["tiles"]) for i in drawn)
    assert full > 300
    for constraint in ("most_copies", "tied", "max_layer_cycles", "least_interval"):
        assert sum(constraint in i for i in drawn) > 500
    assert sum(0 in i["tiles"] for i in drawn) > 300
    assert sum(brute_force(i) is None for i in drawn[:600]) > 40
