from lrmp.solvers import ReplicationProblem, solve_exact


def problem(tiles, units, cycles, output, budget):
    return ReplicationProblem(tiles, units, cycles, output, budget, "throughput")


def test_no_spare_tile_leaves_one_copy_each():
    answer = solve_exact(problem([3, 2], [10, 10], [1, 2], [0, 5], 5))
    assert answer.copies.tolist() == [1, 1]
    assert answer.objective_value == 25


def test_only_the_bottleneck_gets_copies():
    # The second layer's output path alone takes 40: the first needs ceil(90/40) = 3 copies.
    answer = solve_exact(problem([1, 1], [90, 1], [1, 1], [0, 39], 1000))
    assert answer.copies.tolist() == [3, 1]
    assert answer.objective_value == 40


def test_a_bottleneck_that_copies_cannot_shorten():
    # Nothing brings one position below its own cycles.
    answer = solve_exact(problem([1, 1], [1, 50], [100, 1], [0, 0], 1000))
    assert answer.copies.tolist() == [1, 1]
    assert answer.objective_value == 100


def test_tied_layers_share_the_tiles():
    answer = solve_exact(problem([2] * 3, [12] * 3, [5] * 3, [0] * 3, 12))
    assert answer.copies.tolist() == [2, 2, 2]
    assert answer.objective_value == 30


def test_the_largest_numbers_stay_exact():
    cycles = 2**59 + 1
    answer = solve_exact(problem([2**40, 1], [3, 1], [cycles, 1], [0, 2**60], 2**41 + 1))
    # Two copies: ceil(3/2) = 2 units, against an output path of 2**60 and one position.
    assert answer.copies.tolist() == [2, 1]
    assert answer.objective_value == 2**60 + 2


def test_tiles_of_a_limit_far_too_tight_do_not_overflow():
    # 2**30 copies of 2**31 tiles in each of five layers: the sum leaves 64 bits.
    answer = solve_exact(problem([2**31] * 5, [2**30] * 5, [1] * 5, [0] * 5, 5 * 2**31 + 1))
    assert answer.copies.tolist() == [1] * 5
    assert answer.objective_value == 2**30
