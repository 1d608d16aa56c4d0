import numpy as np
import pytest

from lrmp.solvers import ReplicationProblem, solve_exact
from lrmp.solvers.replication.problem import useful_copies


def problem(tiles, units, cycles, output, budget):
    return ReplicationProblem(tiles, units, cycles, output, budget, "latency")


def test_no_spare_tile_leaves_one_copy_each():
    answer = solve_exact(problem([3, 2], [10, 10], [1, 1], [0, 0], 5))
    assert answer.copies.tolist() == [1, 1]
    assert answer.objective_value == 20


def test_a_budget_beyond_all_useful_copies_changes_nothing():
    # 9 + 4 copies of 3 and 2 tiles are all that help: 27 + 8 tiles.
    enough = solve_exact(problem([3, 2], [9, 4], [5, 7], [1, 1], 35))
    endless = solve_exact(problem([3, 2], [9, 4], [5, 7], [1, 1], 2**62))
    assert enough.copies.tolist() == endless.copies.tolist() == [9, 4]
    assert endless.objective_value == 5 + 7 + 2


def test_copies_that_save_nothing_are_not_placed():
    # One spare tile; ceil(5/2) = 3 and ceil(1/2) = 1: only the first layer gains.
    assert solve_exact(problem([1, 1], [5, 1], [1, 99], [0, 0], 3)).copies[1] == 1
    # Three copies of a layer with 4 units are as slow as two.
    assert solve_exact(problem([1], [4], [1], [0], 3)).copies.tolist() == [2]


@pytest.mark.parametrize("seed", range(5))
def test_every_copy_count_is_useful(seed):
    rng = np.random.default_rng(seed)
    tiles, units = rng.integers(1, 9, 12), rng.integers(1, 300, 12)
    instance = problem(
        tiles, units, rng.integers(1, 50, 12), rng.integers(0, 99, 12), int(tiles.sum()) + 200
    )
    answer = solve_exact(instance)
    for count, total in zip(answer.copies.tolist(), units.tolist(), strict=True):
        assert count in useful_copies(total)


def test_the_same_problem_gives_the_same_copies():
    tied = problem([2] * 6, [8] * 6, [3] * 6, [0] * 6, 20)
    assert solve_exact(tied) == solve_exact(tied)


def test_the_largest_numbers_stay_exact():
    # 2**62 - 1 cycles with one copy each. 5 units halve to ceil(5/2) = 3.
    cycles, output = [2**58 + 1, 2**57 + 3], [7, 0]
    output[1] = 2**62 - 1 - 5 * cycles[0] - 4 * cycles[1] - output[0]
    answer = solve_exact(problem([1, 1], [5, 4], cycles, output, 3))
    # The one spare tile saves 2 * (2**58 + 1) = 2**59 + 2 or 2 * (2**57 + 3) = 2**58 + 6.
    assert answer.copies.tolist() == [2, 1]
    assert answer.objective_value == 2**62 - 1 - (2**59 + 2)


def test_spare_tiles_of_many_huge_layers_do_not_overflow():
    # All useful copies together would hold 5 * 2**61 tiles; the problem is valid all the same.
    huge = problem([2**31] * 5, [2**30] * 5, [1] * 5, [0] * 5, 5 * 2**31 + 1)
    answer = solve_exact(huge)
    assert answer.copies.tolist() == [1] * 5
    assert answer.objective_value == 5 * 2**30


def test_options_by_the_thousand_are_solved():
    # Equal layers share 10**9 tiles: 500 million copies each leave two units to the busiest.
    problem = ReplicationProblem(
        tiles=[1, 1],
        units=[10**9, 10**9],
        cycles_per_unit=[1, 1],
        fixed_cycles=[0, 0],
        budget=10**9,
        objective="latency",
    )
    assert solve_exact(problem).objective_value == 4


def test_common_divisor_of_the_tiles_changes_nothing():
    rng = np.random.default_rng(0)
    for _ in range(100):
        tiles = rng.integers(1, 4, 3)
        rest = {
            "units": rng.integers(1, 30, 3),
            "cycles_per_unit": rng.integers(1, 9, 3),
            "fixed_cycles": rng.integers(0, 9, 3),
            "objective": "latency",
        }
        budget = int(tiles.sum() + rng.integers(0, 40))
        small = solve_exact(ReplicationProblem(tiles=tiles, budget=budget, **rest))
        large = solve_exact(ReplicationProblem(tiles=tiles * 6, budget=budget * 6 + 5, **rest))
        assert small.copies.tolist() == large.copies.tolist()
