import copy
import pickle
import re
from dataclasses import FrozenInstanceError, fields
from itertools import pairwise
from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrmp.errors import DesignError, InfeasibleBudgetError, SolverError
from lrmp.hardware import CostModel, load_network, load_preset
from lrmp.solvers import Replication, ReplicationProblem
from lrmp.solvers.replication import useful_copies

reproducible = settings(derandomize=True, deadline=None, max_examples=300)

GOOD = {
    "tiles": [3, 1],
    "positions": [10, 4],
    "cycles_per_position": [5, 7],
    "output_cycles": [2, 0],
    "budget": 12,
    "objective": "latency",
}
ARRAYS = ("tiles", "positions", "cycles_per_position", "output_cycles")


def ceil_div(numerator, denominator):
    return (numerator + denominator - 1) // denominator


@pytest.fixture
def problem():
    return ReplicationProblem(**GOOD)


def test_useful_copies_are_the_fewest_for_each_share():
    for positions in range(1, 601):
        fewest = {}
        for copies in range(1, positions + 1):
            fewest.setdefault(ceil_div(positions, copies), copies)
        assert useful_copies(positions).tolist() == list(fewest.values()), positions


@given(st.integers(1, 10**7))
@reproducible
def test_useful_copies_skip_no_share_and_repeat_none(positions):
    copies = useful_copies(positions).tolist()
    assert copies[0] == 1
    assert copies[-1] == positions
    for fewer, more in pairwise(copies):
        # Everything between two useful counts is as slow as the smaller one.
        assert ceil_div(positions, more - 1) == ceil_div(positions, fewer)
        assert ceil_div(positions, more) < ceil_div(positions, fewer)
    assert len(copies) <= 2 * isqrt(positions) + 1


@given(st.integers(1, 10**6), st.data())
@reproducible
def test_any_copy_count_is_dominated_by_a_useful_one(positions, data):
    copies = data.draw(st.integers(1, 2 * positions))
    useful = useful_copies(positions)
    dominating = int(useful[useful <= copies].max())
    assert ceil_div(positions, dominating) == ceil_div(positions, min(copies, positions))


def test_useful_copies_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        useful_copies(12)[0] = 5


def test_choices_fit_beside_one_copy_of_every_other_layer(problem):
    # 12 - (3 + 1) = 8 spare tiles: up to 1 + 8 // 3 = 3 copies of layer 0, 1 + 8 of layer 1.
    # Layer 0: ceil(10/r) = 10, 5, 4 positions of 5 cycles, and 2 of output.
    copies, cycles = problem.choices(0)
    assert copies.tolist() == [1, 2, 3]
    assert cycles.tolist() == [52, 27, 22]
    # Layer 1: ceil(4/r) = 4, 2, 2, 1; three copies are as slow as two.
    copies, cycles = problem.choices(1)
    assert copies.tolist() == [1, 2, 4]
    assert cycles.tolist() == [28, 14, 7]


def test_objective_is_the_sum_or_the_largest(problem):
    copies = np.array([3, 3])
    assert problem.layer_cycles(copies).tolist() == [22, 14]
    assert problem.objective_cycles(copies) == 36
    throughput = ReplicationProblem(**(GOOD | {"objective": "throughput"}))
    assert throughput.objective_cycles(copies) == 22


def test_problem_of_a_design_reads_the_cost_model():
    model = CostModel(load_network("digits_cnn"), load_preset("lrmp_frontiers_2024"))
    weight_bits, activation_bits = [2, 3, 4, 5, 6], [8, 7, 6, 5, 4]
    problem = ReplicationProblem.of(model, weight_bits, activation_bits, 56, "throughput")
    assert problem.tiles.tolist() == model.tiles_per_copy(weight_bits).tolist()
    assert problem.positions.tolist() == [64, 64, 16, 4, 1]
    cycles = model.cycles_per_unit(activation_bits)
    assert problem.cycles_per_position.tolist() == cycles.tolist()
    assert problem.output_cycles.tolist() == model.fixed_cycles(activation_bits).tolist()
    assert (problem.budget, problem.objective, len(problem)) == (56, "throughput", 5)


@pytest.mark.parametrize(
    ("weight_bits", "message"),
    [
        ([8] * 4, r"Expected 5 weight_bits, one per layer, got 4\."),
        ([8, 8, 8, 8, 9], r"Expected weight_bits between 2 and 8, got 9 for layer 4 \(fc\)\."),
        ([8.0] * 5, r"Expected weight_bits to be integers of at most 64 bits, got float64"),
    ],
)
def test_problem_of_bad_bits_is_refused(weight_bits, message):
    model = CostModel(load_network("digits_cnn"), load_preset("lrmp_frontiers_2024"))
    with pytest.raises(DesignError, match=message):
        ReplicationProblem.of(model, weight_bits, [8] * 5, 56, "latency")


def test_budget_too_small_names_tiles_needed_and_given():
    message = (
        r"Expected a budget of at least 4 tiles for one copy of every layer, got 3\. "
        r"Lower the weight bits or raise the budget\."
    )
    with pytest.raises(InfeasibleBudgetError, match=message):
        ReplicationProblem(**(GOOD | {"budget": 3}))


@pytest.mark.parametrize("budget", [0, -7])
def test_budget_without_tiles_is_infeasible(budget):
    with pytest.raises(InfeasibleBudgetError, match=rf"at least 4 tiles .*, got {budget}\."):
        ReplicationProblem(**(GOOD | {"budget": budget}))


def test_budget_below_an_eight_bit_network_is_infeasible():
    model = CostModel(load_network("resnet18"), load_preset("lrmp_frontiers_2024"))
    with pytest.raises(InfeasibleBudgetError, match=r"at least 1608 tiles .*, got 1607\."):
        ReplicationProblem.of(model, [8] * 21, [8] * 21, 1607, "latency")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positions": [10, 4, 1]}, r"positions to hold one integer per layer, got shape \(3,\)"),
        ({"output_cycles": [2]}, r"output_cycles to hold one integer per layer, got shape \(1,\)"),
        ({"tiles": 3}, r"tiles to hold one integer per layer, got shape \(\)"),
        ({"cycles_per_position": 5}, r"cycles_per_position to hold one .*, got shape \(\)"),
        ({"tiles": [[3, 1]]}, r"tiles to hold one integer per layer, got shape \(1, 2\)"),
        (
            {name: np.empty(0, np.int64) for name in ARRAYS},
            r"tiles to hold one integer per layer, got shape \(0,\)",
        ),
        ({"tiles": [3, 0]}, r"tiles of at least 1, got 0\."),
        ({"tiles": [-3, 1]}, r"tiles of at least 1, got -3\."),
        ({"positions": [0, 4]}, r"positions of at least 1, got 0\."),
        ({"cycles_per_position": [5, 0]}, r"cycles_per_position of at least 1, got 0\."),
        ({"output_cycles": [2, -1]}, r"output_cycles of at least 0, got -1\."),
        ({"objective": "energy"}, r"objective to be one of latency, throughput; got 'energy'\."),
        ({"objective": None}, r"objective to be one of latency, throughput; got None\."),
    ],
    ids=[
        "one layer too many",
        "one layer too few",
        "scalar tiles",
        "scalar cycles",
        "matrix",
        "no layer",
        "zero tiles",
        "negative tiles",
        "zero positions",
        "zero cycles",
        "negative output cycles",
        "unknown objective",
        "no objective",
    ],
)
def test_malformed_problem_is_refused(changes, message):
    with pytest.raises(SolverError, match="Expected " + message):
        ReplicationProblem(**(GOOD | changes))


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize(
    ("values", "got"),
    [([1.0, 2.0], "float64"), ([True, True], "bool"), ([1, 2**64], "object"), ([[1], [2, 3]], "")],
    ids=["float", "bool", "beyond 64 bits", "ragged"],
)
def test_arrays_of_no_integers_are_refused(name, values, got):
    with pytest.raises(SolverError, match=rf"Expected {name} to be .*integers.*, got {got}"):
        ReplicationProblem(**(GOOD | {name: values}))


@pytest.mark.parametrize("budget", [12.0, True, "12", None, 2**64, [12], [12, 12]], ids=str)
def test_budget_that_is_no_integer_is_refused(budget):
    with pytest.raises(SolverError, match=r"Expected budget to be .*, got"):
        ReplicationProblem(**(GOOD | {"budget": budget}))


@pytest.mark.parametrize(
    "changes",
    [
        {"positions": [2**31, 1], "cycles_per_position": [2**31, 1]},
        {"output_cycles": [2**62, 0]},
        {"output_cycles": [2**61, 2**61]},
        {"tiles": [2**61, 2**61], "budget": 2**62},
        {"tiles": [2**31, 1], "positions": [2**31, 1], "budget": 2**40},
    ],
    ids=["product", "output", "sum of cycles", "sum of tiles", "tiles of all copies"],
)
def test_numbers_beyond_exact_sums_are_refused(changes):
    message = r"Expected total cycles and tiles below 2\*\*62 so that 64-bit sums are exact, got \d"
    with pytest.raises(SolverError, match=message) as refused:
        ReplicationProblem(**(GOOD | changes))
    assert int(re.search(r"got (\d+)\.", str(refused.value))[1]) >= 2**62


def test_largest_exact_cycles_are_accepted():
    # 10 * 5 + 4 * 7 + output = 2**62 - 1
    output = [2**62 - 1 - 50 - 28, 0]
    problem = ReplicationProblem(**(GOOD | {"output_cycles": output}))
    assert problem.objective_cycles(np.array([1, 1])) == 2**62 - 1


def test_problems_are_values(problem):
    twin = ReplicationProblem(
        **(GOOD | {"tiles": np.array([3, 1], np.int8), "budget": np.int64(12)})
    )
    assert twin == problem
    assert hash(twin) == hash(problem)
    assert problem != "text"


@pytest.mark.parametrize("name", [*ARRAYS, "budget", "objective"])
def test_one_other_number_makes_another_problem(problem, name):
    changes = {name: np.array(GOOD[name]) + 1} if name in ARRAYS else {}
    changes |= {"budget": 13} if name in ("budget", "tiles") else {}
    changes |= {"objective": "throughput"} if name == "objective" else {}
    assert ReplicationProblem(**(GOOD | changes)) != problem


def replication(**changes):
    values = {
        "copies": np.array([3, 2]),
        "objective_cycles": 36,
        "lower_bound": 36,
        "proven_optimal": True,
        "wall_time_s": 0.5,
    }
    return Replication(**(values | changes))


def test_answers_are_values_whatever_time_they_took():
    assert replication() == replication(wall_time_s=2.0)
    assert hash(replication()) == hash(replication(wall_time_s=2.0))


@pytest.mark.parametrize(
    "changes",
    [
        {"copies": np.array([2, 3])},
        {"objective_cycles": 37},
        {"lower_bound": 35},
        {"proven_optimal": False},
    ],
    ids=str,
)
def test_one_other_number_makes_another_answer(changes):
    assert replication(**changes) != replication()


def checked(problem):
    return Replication.checked(problem, np.array([3, 2]), lower_bound=30, wall_time_s=0.0)


def array_fields(value):
    return [f.name for f in fields(value) if isinstance(getattr(value, f.name), np.ndarray)]


def test_arrays_of_problem_and_answer_cannot_be_written(problem):
    for value in (problem, checked(problem)):
        for name in array_fields(value):
            with pytest.raises(ValueError, match="read-only"):
                getattr(value, name)[0] = 9


def test_fields_of_problem_and_answer_cannot_be_assigned(problem):
    for value in (problem, checked(problem)):
        for field in fields(value):
            with pytest.raises(FrozenInstanceError, match=f"cannot assign to field '{field.name}'"):
                setattr(value, field.name, None)


@pytest.mark.parametrize(
    "copied",
    [lambda value: pickle.loads(pickle.dumps(value)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deepcopy"],
)
def test_copies_of_problem_and_answer_are_equal_and_read_only(problem, copied):
    for value in (problem, checked(problem)):
        twin = copied(value)
        assert twin == value
        assert hash(twin) == hash(value)
        writeable = [name for name in array_fields(twin) if getattr(twin, name).flags.writeable]
        assert writeable == []


def test_problem_does_not_share_memory_with_its_arguments():
    tiles = np.array([3, 1])
    problem = ReplicationProblem(**(GOOD | {"tiles": tiles}))
    tiles[:] = 9
    assert problem.tiles.tolist() == [3, 1]


def test_checked_answer_is_recomputed_from_the_problem(problem):
    answer = checked(problem)
    # ceil(10/3) * 5 + 2 = 22 and ceil(4/2) * 7 = 14 make 36: above the bound of 30.
    assert answer.copies.tolist() == [3, 2]
    assert answer.objective_cycles == 36
    assert answer.lower_bound == 30
    assert not answer.proven_optimal
    met = Replication.checked(problem, np.array([3, 2]), lower_bound=36, wall_time_s=0.0)
    assert met.proven_optimal


@pytest.mark.parametrize(
    ("copies", "bound", "message"),
    [
        (
            [4, 1],
            0,
            r"Expected copies within 12 tiles and .*; the solver returned 13 tiles and bound 0\.",
        ),
        ([3, 2], 37, r"a bound of at most 36 cycles; the solver returned 11 tiles and bound 37\."),
        ([0, 4], 0, r"Expected at least one copy of each of 2 layers; the solver returned \[0 4\]"),
        ([-1, 4], 0, r"Expected at least one copy of each of 2 layers; .* \[-1  4\]\."),
        ([1, 1, 1], 0, r"Expected at least one copy of each of 2 layers; .* \[1 1 1\]\."),
        ([2], 0, r"Expected at least one copy of each of 2 layers; .* \[2\]\."),
    ],
    ids=[
        "beyond the budget",
        "bound above the objective",
        "no copy",
        "negative copies",
        "one layer too many",
        "one layer too few",
    ],
)
def test_faulty_answer_is_refused(problem, copies, bound, message):
    with pytest.raises(SolverError, match=message):
        Replication.checked(problem, np.array(copies), lower_bound=bound, wall_time_s=0.0)
