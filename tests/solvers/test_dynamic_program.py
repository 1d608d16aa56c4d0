import numpy as np
import pytest

from lrmp.errors import SolverError
from lrmp.solvers import ReplicationProblem, solve_dynamic_program
from lrmp.solvers.replication import useful_copies


def problem(tiles, positions, cycles, output, budget):
    return ReplicationProblem(tiles, positions, cycles, output, budget, "latency")


def test_throughput_is_refused():
    throughput = ReplicationProblem([1], [4], [1], [0], 3, "throughput")
    message = (
        r"Expected objective latency for the dynamic program, got throughput\. "
        r"Use solve_bisection\."
    )
    with pytest.raises(SolverError, match=message):
        solve_dynamic_program(throughput)


def test_no_spare_tile_leaves_one_copy_each():
    answer = solve_dynamic_program(problem([3, 2], [10, 10], [1, 1], [0, 0], 5))
    assert answer.copies.tolist() == [1, 1]
    assert answer.objective_cycles == 20


def test_a_budget_beyond_all_useful_copies_changes_nothing():
    # 9 + 4 copies of 3 and 2 tiles are all that help: 27 + 8 tiles.
    enough = solve_dynamic_program(problem([3, 2], [9, 4], [5, 7], [1, 1], 35))
    endless = solve_dynamic_program(problem([3, 2], [9, 4], [5, 7], [1, 1], 2**62))
    assert enough.copies.tolist() == endless.copies.tolist() == [9, 4]
    assert endless.objective_cycles == 5 + 7 + 2


def test_copies_that_save_nothing_are_not_placed():
    # One spare tile; ceil(5/2) = 3 and ceil(1/2) = 1: only the first layer gains.
    assert solve_dynamic_program(problem([1, 1], [5, 1], [1, 99], [0, 0], 3)).copies[1] == 1
    # Three copies of a layer with 4 positions are as slow as two.
    assert solve_dynamic_program(problem([1], [4], [1], [0], 3)).copies.tolist() == [2]


@pytest.mark.parametrize("seed", range(5))
def test_every_copy_count_is_useful(seed):
    rng = np.random.default_rng(seed)
    tiles, positions = rng.integers(1, 9, 12), rng.integers(1, 300, 12)
    instance = problem(
        tiles, positions, rng.integers(1, 50, 12), rng.integers(0, 99, 12), int(tiles.sum()) + 200
    )
    answer = solve_dynamic_program(instance)
    for count, total in zip(answer.copies.tolist(), positions.tolist(), strict=True):
        assert count in useful_copies(total)


def test_the_same_problem_gives_the_same_copies():
    tied = problem([2] * 6, [8] * 6, [3] * 6, [0] * 6, 20)
    assert solve_dynamic_program(tied) == solve_dynamic_program(tied)


def test_the_largest_numbers_stay_exact():
    # 2**62 - 1 cycles with one copy each. 5 positions halve to ceil(5/2) = 3.
    cycles, output = [2**58 + 1, 2**57 + 3], [7, 0]
    output[1] = 2**62 - 1 - 5 * cycles[0] - 4 * cycles[1] - output[0]
    answer = solve_dynamic_program(problem([1, 1], [5, 4], cycles, output, 3))
    # The one spare tile saves 2 * (2**58 + 1) = 2**59 + 2 or 2 * (2**57 + 3) = 2**58 + 6.
    assert answer.copies.tolist() == [2, 1]
    assert answer.objective_cycles == 2**62 - 1 - (2**59 + 2)


def test_spare_tiles_of_many_huge_layers_do_not_overflow():
    # All useful copies together would hold 5 * 2**61 tiles; the problem is valid all the same.
    huge = problem([2**31] * 5, [2**30] * 5, [1] * 5, [0] * 5, 5 * 2**31 + 1)
    answer = solve_dynamic_program(huge)
    assert answer.copies.tolist() == [1] * 5
    assert answer.objective_cycles == 5 * 2**30


def test_table_beyond_memory_is_refused():
    problem = ReplicationProblem(
        tiles=[1, 1],
        positions=[10**9, 10**9],
        cycles_per_position=[1, 1],
        output_cycles=[0, 0],
        budget=10**9,
        objective="latency",
    )
    with pytest.raises(SolverError, match=r"got 2 x 999999999\. Use solve_ilp"):
        solve_dynamic_program(problem)


def test_common_divisor_of_the_tiles_changes_nothing():
    rng = np.random.default_rng(0)
    for _ in range(100):
        tiles = rng.integers(1, 4, 3)
        rest = {
            "positions": rng.integers(1, 30, 3),
            "cycles_per_position": rng.integers(1, 9, 3),
            "output_cycles": rng.integers(0, 9, 3),
            "objective": "latency",
        }
        budget = int(tiles.sum() + rng.integers(0, 40))
        small = solve_dynamic_program(ReplicationProblem(tiles=tiles, budget=budget, **rest))
        large = solve_dynamic_program(
            ReplicationProblem(tiles=tiles * 6, budget=budget * 6 + 5, **rest)
        )
        assert small.copies.tolist() == large.copies.tolist()
