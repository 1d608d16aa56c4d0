"""How others place copies: the published heuristics, for comparison with the exact oracle.

All take a ``ReplicationProblem`` of latency or throughput and return copies that fit. They are
written from the publications' formulas; what does not exist in this cost model is left out and
said so.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import SolverError
from lrmp.hardware.cost.mapping import ceil_div
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.problem import ReplicationProblem, useful_copies

Heuristic = Callable[[ReplicationProblem, int], IntArray]

# PIMSYN (Sun et al., DATE 2024): settings of its published program.
ANNEALING_START, ANNEALING_COOLING, ANNEALING_CANDIDATES = 1000.0, 0.95, 30
ANNEALING_END = 1e-2  # assumed: the end of its schedule is not published
# PIMCOMP (Sun et al., DAC 2023): population and iterations; the rest of the scheme is assumed.
GENETIC_POPULATION, GENETIC_ITERATIONS, GENETIC_SURVIVORS = 100, 200, 0.5


def proportional(problem: ReplicationProblem, seed: int = 0) -> IntArray:
    """Give copies in proportion to the units of work, as ISAAC and PipeLayer balance a pipeline.

    ISAAC (Shafiee et al., ISCA 2016) and PipeLayer (Song et al., HPCA 2017) choose copies so that
    all layers keep the rate of the last one, in proportion to output positions. The factor is the
    largest that fits.

    Args:
        problem: Layers and budget.
        seed: Not used.

    Returns:
        Copies, shape (L,).
    """
    _check(problem)

    def scaled(numerator: int) -> IntArray:
        return np.maximum(1, problem.units * numerator // 2**20)

    low, high = 0, 2**20  # in 2**20 parts of one copy per unit
    while low < high:
        middle = (low + high + 1) // 2
        if problem.tiles_of(scaled(middle).tolist()) <= problem.budget:
            low = middle
        else:
            high = middle - 1
    return scaled(low)


def greedy(problem: ReplicationProblem, seed: int = 0) -> IntArray:
    """Add the copies with the largest gain per tile until none fits.

    For latency the gain is the cycles saved by the next useful copy count; for throughput the
    slowest layer gets it.

    Args:
        problem: Layers and budget.
        seed: Not used.

    Returns:
        Copies, shape (L,).
    """
    _check(problem)
    latency = problem.objective == "latency"
    ladders = [useful_copies(units) for units in problem.units.tolist()]
    step = np.zeros(len(problem), dtype=np.int64)
    copies = np.ones(len(problem), dtype=np.int64)
    spare = problem.budget - problem.tiles_of(copies.tolist())
    blocked = np.zeros(len(problem), dtype=bool)
    following = np.array([ladder[min(1, len(ladder) - 1)] for ladder in ladders])
    while True:
        cycles = problem.layer_cycles(copies)
        needed = (following - copies) * problem.tiles
        blocked |= (needed > spare) | (following == copies)
        if latency:
            gain = np.where(blocked, -1.0, cycles - problem.layer_cycles(following))
            layer = int(np.argmax(gain / np.maximum(needed, 1)))
        else:
            layer = int(np.argmax(cycles))
        if blocked[layer]:
            return copies
        spare -= int(needed[layer])
        copies[layer] = following[layer]
        step[layer] += 1
        following[layer] = ladders[layer][min(step[layer] + 1, len(ladders[layer]) - 1)]


def annealing(problem: ReplicationProblem, seed: int = 0) -> IntArray:
    """Anneal the spread of the steps per copy, as PIMSYN does.

    PIMSYN minimises ``stdev(positions / copies) + 0.1 * stdev(access volume)`` by simulated
    annealing. The second term has no counterpart here and is left out. A candidate moves one copy:
    it adds one to a layer or takes one away.

    Args:
        problem: Layers and budget.
        seed: Of the random moves.

    Returns:
        The copies of least spread that were met, shape (L,).
    """
    _check(problem)
    rng = np.random.default_rng(seed)
    layers = np.flatnonzero(problem.units > 1)
    copies = np.ones(len(problem), dtype=np.int64)
    if not layers.size:
        return copies

    def spread(candidates: IntArray) -> NDArray[np.float64]:
        result: NDArray[np.float64] = (problem.units / candidates).std(axis=-1)
        return result

    energy = float(spread(copies))
    best, least = copies, energy
    temperature = ANNEALING_START
    while temperature > ANNEALING_END:
        moved = rng.choice(layers, ANNEALING_CANDIDATES)
        change = rng.choice([-1, 1], ANNEALING_CANDIDATES, p=[0.25, 0.75])
        luck = rng.random(ANNEALING_CANDIDATES)
        for layer, sign, chance in zip(moved.tolist(), change.tolist(), luck.tolist(), strict=True):
            candidate = copies.copy()
            candidate[layer] = min(max(1, candidate[layer] + sign), problem.units[layer])
            if int((candidate * problem.tiles).sum()) > problem.budget:
                continue
            other = float(spread(candidate))
            if other <= energy or chance < np.exp((energy - other) / temperature):
                copies, energy = candidate, other
                if energy < least:
                    best, least = copies, energy
        temperature *= ANNEALING_COOLING
    return best


def genetic(problem: ReplicationProblem, seed: int = 0) -> IntArray:
    """Evolve copies under the task's own objective, as PIMCOMP does.

    PIMCOMP evolves 100 mappings over 200 iterations by adding and removing replicas, with the
    estimated time as fitness. Its other mutations move parts of layers between cores, which this
    cost model does not distinguish. The better half survives and has one mutated child each.

    Args:
        problem: Layers and budget.
        seed: Of the random moves.

    Returns:
        The best copies that were met, shape (L,).
    """
    _check(problem)
    rng = np.random.default_rng(seed)
    size, layers = GENETIC_POPULATION, len(problem)
    population = np.ones((size, layers), dtype=np.int64)
    for _ in range(10):  # a first generation of unlike mappings
        population = _mutated(problem, population, rng)
    survivors = int(size * GENETIC_SURVIVORS)
    for _ in range(GENETIC_ITERATIONS):
        order = np.argsort(_times(problem, population), kind="stable")
        parents = population[order[:survivors]]
        population = np.concatenate([parents, _mutated(problem, parents, rng)])
    best: IntArray = population[np.argmin(_times(problem, population))]
    return best


def _times(problem: ReplicationProblem, population: IntArray) -> IntArray:
    cycles = ceil_div(problem.units, population) * problem.cycles_per_unit + problem.fixed_cycles
    if problem.objective == "latency":
        latency: IntArray = cycles.sum(axis=1)
        return latency
    intervals: IntArray = np.maximum(cycles.max(axis=1), problem.interval_at_least)
    return intervals


def _mutated(
    problem: ReplicationProblem, population: IntArray, rng: np.random.Generator
) -> IntArray:
    """Remove a few copies of one layer of every mapping and add as many as fit to another."""
    children = population.copy()
    every = np.arange(len(children))
    fewer, more = rng.integers(0, len(problem), (2, len(children)))
    amount = rng.integers(0, 4, len(children))
    children[every, fewer] = np.maximum(1, children[every, fewer] - amount)
    spare = problem.budget - (children * problem.tiles).sum(axis=1)
    fits = spare // np.maximum(problem.tiles[more], 1)
    added = np.minimum(rng.integers(1, 9, len(children)), fits)
    children[every, more] = np.minimum(problem.units[more], children[every, more] + added)
    return children


def _check(problem: ReplicationProblem) -> None:
    plain = problem.most_copies is None and problem.tied is None
    if problem.objective not in ("latency", "throughput") or not plain or problem.max_layer_cycles:
        raise SolverError(
            "Expected a problem of latency or throughput without side constraints for a "
            f"heuristic, got objective {problem.objective}. Use solve_replication."
        )


HEURISTICS: dict[str, Heuristic] = {
    "proportional (ISAAC, PipeLayer)": proportional,
    "greedy marginal gain": greedy,
    "simulated annealing (PIMSYN)": annealing,
    "genetic algorithm (PIMCOMP)": genetic,
}
