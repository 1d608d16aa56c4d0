"""Every choice of copies, tried: the solvers must reach the best of them on small instances."""

import itertools

import numpy as np
import pytest

from lrmp.solvers import (
    ReplicationProblem,
    solve_bisection,
    solve_dynamic_program,
    solve_ilp,
)

INSTANCES_PER_SEED = 110
SEEDS = range(30)  # 3300 instances


def random_instance(rng):
    """Draw 1..4 layers rich in ties, with no spare tile in a sixth of the cases."""
    layers = int(rng.integers(1, 5))
    tied = rng.random() < 0.3
    tiles = rng.integers(1, 5, layers)
    return {
        "tiles": tiles.tolist(),
        "positions": ([int(rng.integers(1, 13))] * layers)
        if tied
        else rng.integers(1, 13, layers).tolist(),
        "cycles_per_position": ([int(rng.integers(1, 7))] * layers)
        if tied
        else rng.integers(1, 7, layers).tolist(),
        "output_cycles": (
            rng.integers(0, 9, layers) if rng.random() < 0.5 else np.zeros(layers, int)
        ).tolist(),
        "budget": int(tiles.sum() + (0 if rng.random() < 1 / 6 else rng.integers(1, 10))),
    }


def brute_force(tiles, positions, cycles_per_position, output_cycles, budget):
    """Try every choice; return the least sum, the least maximum, and all choices reaching it."""
    spare = budget - sum(tiles)
    least_sum = least_largest = float("inf")
    fastest = []
    for copies in itertools.product(*(range(1, 2 + spare // t) for t in tiles)):
        if sum(r * t for r, t in zip(copies, tiles, strict=True)) > budget:
            continue
        times = [
            # Positions dealt out to the copies in turn: the first copy gets the most.
            len(range(0, p, r)) * c + f
            for p, r, c, f in zip(
                positions, copies, cycles_per_position, output_cycles, strict=True
            )
        ]
        least_sum = min(least_sum, sum(times))
        if max(times) < least_largest:
            least_largest, fastest = max(times), []
        if max(times) == least_largest:
            fastest.append(copies)
    return least_sum, least_largest, fastest


def instances(seed):
    rng = np.random.default_rng(seed)
    return [random_instance(rng) for _ in range(INSTANCES_PER_SEED)]


@pytest.mark.parametrize("seed", SEEDS)
def test_exact_solvers_reach_the_best_of_all_choices(seed):
    for instance in instances(seed):
        least_sum, least_largest, fastest = brute_force(**instance)

        latency = solve_dynamic_program(ReplicationProblem(**instance, objective="latency"))
        assert latency.objective_cycles == latency.lower_bound == least_sum, instance
        assert latency.proven_optimal, instance

        throughput = solve_bisection(ReplicationProblem(**instance, objective="throughput"))
        assert throughput.objective_cycles == throughput.lower_bound == least_largest, instance
        assert throughput.proven_optimal, instance
        # The fewest copies of every layer among all choices that are as fast.
        fewest = [min(counts) for counts in zip(*fastest, strict=True)]
        assert throughput.copies.tolist() == fewest, instance


@pytest.mark.parametrize("seed", SEEDS)
def test_ilp_reaches_the_best_of_all_choices(seed):
    for instance in instances(seed)[:70]:
        least_sum, least_largest, _ = brute_force(**instance)
        for objective, best in (("latency", least_sum), ("throughput", least_largest)):
            answer = solve_ilp(ReplicationProblem(**instance, objective=objective))
            assert answer.objective_cycles == answer.lower_bound == best, (instance, objective)
            assert answer.proven_optimal, (instance, objective)


def test_instances_include_the_edge_cases():
    drawn = [instance for seed in SEEDS for instance in instances(seed)]
    assert len(drawn) >= 3000
    assert {len(instance["tiles"]) for instance in drawn} == {1, 2, 3, 4}
    full = sum(instance["budget"] == sum(instance["tiles"]) for instance in drawn)
    assert full > 300
    assert sum(not any(instance["output_cycles"]) for instance in drawn) > 300
    assert sum(len(set(instance["positions"])) == 1 for instance in drawn) > 300
