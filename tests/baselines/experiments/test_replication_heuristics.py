import numpy as np
import pytest

from lrmp.baselines.experiments.replication_heuristics import HEURISTICS, greedy, proportional
from lrmp.errors import SolverError
from lrmp.solvers import ReplicationProblem, solve_exact

every_heuristic = pytest.mark.parametrize("name", list(HEURISTICS))
objectives = pytest.mark.parametrize("objective", ["latency", "throughput"])


def random_problem(seed, objective):
    rng = np.random.default_rng(seed)
    layers = int(rng.integers(1, 10))
    off_chip = rng.random(layers) < 0.1
    tiles = np.where(off_chip, 0, rng.integers(1, 9, layers))
    return ReplicationProblem(
        tiles,
        np.where(off_chip, 1, rng.integers(1, 300, layers)),
        rng.integers(1, 40, layers),
        rng.integers(0, 200, layers),
        int(tiles.sum() + rng.integers(0, 120)),
        objective,
        least_interval=int(rng.integers(0, 2000)) * int(rng.integers(0, 2)),
    )


@every_heuristic
@objectives
@pytest.mark.parametrize("seed", range(6))
def test_copies_fit_and_never_beat_the_optimum(name, objective, seed):
    problem = random_problem(seed, objective)
    copies = HEURISTICS[name](problem, 0)
    assert (copies >= 1).all()
    assert (copies <= problem.units).all()
    assert problem.tiles_of(copies.tolist()) <= problem.budget
    ones = np.ones(len(problem), np.int64)
    assert problem.objective_value(copies) >= solve_exact(problem).objective_value
    assert problem.objective_value(copies) <= problem.objective_value(ones)


@every_heuristic
def test_the_same_seed_gives_the_same_copies(name):
    problem = random_problem(3, "latency")
    assert HEURISTICS[name](problem, 5).tolist() == HEURISTICS[name](problem, 5).tolist()


@every_heuristic
def test_without_spare_tiles_there_is_one_copy_each(name):
    problem = ReplicationProblem([3, 2], [10, 10], [1, 1], [0, 0], 5, "latency")
    assert HEURISTICS[name](problem, 0).tolist() == [1, 1]


def test_proportional_copies_follow_the_units():
    # 100 tiles for 80 + 20 units of one tile: a copy for every unit.
    problem = ReplicationProblem([1, 1, 1], [80, 20, 1], [1, 1, 1], [0, 0, 0], 51, "throughput")
    copies = proportional(problem)
    assert copies.tolist() == [40, 10, 1]


def test_greedy_takes_the_largest_gain_per_tile():
    # The second layer saves 50 cycles with one tile, the first 60 with two.
    problem = ReplicationProblem([2, 1], [2, 2], [60, 50], [0, 0], 4, "latency")
    assert greedy(problem).tolist() == [1, 2]


def test_greedy_stops_at_the_bottleneck_it_cannot_help():
    problem = ReplicationProblem([5, 1], [2, 2], [60, 50], [0, 0], 9, "throughput")
    assert greedy(problem).tolist() == [1, 1]


@every_heuristic
def test_problems_with_side_constraints_are_refused(name):
    problem = ReplicationProblem([1], [4], [1], [0], 9, "latency", most_copies=[2])
    with pytest.raises(SolverError, match=r"without side constraints for a heuristic"):
        HEURISTICS[name](problem, 0)
