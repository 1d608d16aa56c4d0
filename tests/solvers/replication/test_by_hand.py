import pytest

from lrmp.hardware import Accelerator, CostModel, Layer, Network
from lrmp.solvers import ReplicationProblem, solve_ilp, solve_replication

# The toy chip and network of the cost model's tests:
#
#   chip   crossbars of 4 x 4 cells of 2 bits, 2 input bits at a time, 2 rows at a time, 2 columns
#          per ADC, 3 output elements per cycle
#   "a"    K = 9, M = 5, P = 16, 3/5 bits
#            tiles  ceil(9/4) * ceil(5/4) * ceil(3/2) = 3 * 2 * 2 = 12
#            cycles ceil(5/2) * ceil(4/2) * 2 = 3 * 2 * 2 = 12 per position, output ceil(80/3) = 27
#   "b"    K = 5, M = 3, P = 4, 4/3 bits
#            tiles  ceil(5/4) * ceil(3/4) * ceil(4/2) = 2 * 1 * 2 = 4
#            cycles ceil(3/2) * ceil(4/2) * 2 = 2 * 2 * 2 = 8 per position, output ceil(12/3) = 4
#   "c"    K = 3, M = 2, P = 1, 3/8 bits
#            tiles  1 * 1 * ceil(3/2) = 2
#            cycles ceil(8/2) * ceil(3/2) * 2 = 4 * 2 * 2 = 16 per position, output ceil(2/3) = 1
#
# One copy each holds 12 + 4 + 2 = 18 tiles and takes
#   a: 16 * 12 + 27 = 219      b: 4 * 8 + 4 = 36      c: 1 * 16 + 1 = 17
#
# A second copy of c never helps (P = 1). Every other choice:
#   a (12 tiles each)  1: 16 units, 219 | 2: 8, 123 | 3: 6, 99 | 4: 4, 75
#   b ( 4 tiles each)  1:  4 units,  36 | 2: 2,  20 | 3: 2, 20 | 4: 1, 12
SETTINGS = [[1, 3], [2, 1], [1, 6]]  # places of these bits among 2..8
PROBLEM = {
    "tiles": [12, 4, 2],
    "units": [16, 4, 1],
    "cycles_per_unit": [12, 8, 16],
    "fixed_cycles": [27, 4, 1],
}


@pytest.fixture
def toy():
    chip = Accelerator(
        name="toy",
        crossbar_rows=4,
        crossbar_columns=4,
        cell_bits=2,
        dac_bits=2,
        active_rows=2,
        columns_per_adc=2,
        clock_mhz=100,
        output_elements_per_cycle=3,
    )
    layers = (
        Layer.conv2d("a", 1, 5, kernel_size=3, input_size=4),
        Layer.conv2d("b", 5, 3, kernel_size=1, input_size=4, stride=2),
        Layer.linear("c", 3, 2),
    )
    return CostModel(Network("toy", layers), chip)


def test_problem_of_the_toy_design(toy):
    problem = ReplicationProblem.of(toy, SETTINGS, budget=36, objective="latency")
    assert problem == ReplicationProblem(**PROBLEM, budget=36, objective="latency")


@pytest.mark.parametrize("solver", ["exact", "ilp"])
@pytest.mark.parametrize(
    ("budget", "copies", "cycles"),
    [
        # No spare tile: 219 + 36 + 17.
        (18, [1, 1, 1], 272),
        # 4 spare: b twice, 219 + 20 + 17.
        (22, [1, 2, 1], 256),
        # 8 spare: a third copy of b would change nothing, so one more tile row stays free.
        (26, [1, 2, 1], 256),
        # 12 spare: a twice (saves 96) beats b four times (saves 24): 123 + 36 + 17.
        (30, [2, 1, 1], 176),
        # 18 spare: a twice and b twice, 16 of them: 123 + 20 + 17.
        (36, [2, 2, 1], 160),
        # 24 spare: a three times (saves 120) or a twice and b four times (saves 96 + 24 = 120):
        # a tie. Either way 99 + 36 + 17 = 123 + 12 + 17 = 152.
        (42, None, 152),
        # 36 spare: a four times (saves 144); a three times and b four times saves 120 + 24, a tie
        # as well: 75 + 36 + 17 = 99 + 12 + 17 = 128.
        (54, None, 128),
        # 40 spare: a four times and b twice: 75 + 20 + 17.
        (58, [4, 2, 1], 112),
    ],
)
def test_toy_latency(toy, solver, budget, copies, cycles):
    problem = ReplicationProblem.of(toy, SETTINGS, budget=budget, objective="latency")
    answer = solve_replication(problem, solver)
    assert (answer.objective_value, answer.lower_bound) == (cycles, cycles)
    assert answer.proven_optimal
    if copies is not None:
        assert answer.copies.tolist() == copies


@pytest.mark.parametrize(
    ("budget", "copies", "cycles"),
    [
        # a is the bottleneck with 219; less than 12 spare tiles cannot help it.
        (18, [1, 1, 1], 219),
        (29, [1, 1, 1], 219),
        # a twice: 123; it stays the bottleneck, so b and c keep one copy.
        (36, [2, 1, 1], 123),
        (42, [3, 1, 1], 99),
        (54, [4, 1, 1], 75),
        # 16 copies of a, one position each: 12 + 27 = 39, still above b's 36. 180 spare tiles.
        (198, [16, 1, 1], 39),
        # Nothing brings a below 39, so no budget changes this.
        (1000, [16, 1, 1], 39),
    ],
)
def test_toy_throughput(toy, budget, copies, cycles):
    problem = ReplicationProblem.of(toy, SETTINGS, budget=budget, objective="throughput")
    answer = solve_replication(problem)
    assert answer.copies.tolist() == copies
    assert (answer.objective_value, answer.lower_bound) == (cycles, cycles)
    assert answer.proven_optimal
    ilp = solve_ilp(problem)
    assert (ilp.objective_value, ilp.lower_bound) == (cycles, cycles)
