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
from lrmp.hardware import CostModel, Design, load_network, load_preset
from lrmp.solvers import Replication, ReplicationProblem
from lrmp.solvers.replication.problem import useful_copies

reproducible = settings(derandomize=True, deadline=None, max_examples=300)

GOOD = {
    "tiles": [3, 1],
    "units": [10, 4],
    "cycles_per_unit": [5, 7],
    "fixed_cycles": [2, 0],
    "budget": 12,
    "objective": "latency",
}
ENERGY = ([6, 5, 4, 3, 2, 1], [3, 2, 1])  # of 1, 2, 3, 4, 5, 10 copies; of 1, 2, 4
EDP = {"objective": "edp"}
ARRAYS = ("tiles", "units", "cycles_per_unit", "fixed_cycles")


def ceil_div(numerator, denominator):
    return (numerator + denominator - 1) // denominator


@pytest.fixture
def problem():
    return ReplicationProblem(**GOOD)


def test_useful_copies_are_the_fewest_for_each_share():
    for units in range(1, 601):
        fewest = {}
        for copies in range(1, units + 1):
            fewest.setdefault(ceil_div(units, copies), copies)
        assert useful_copies(units).tolist() == list(fewest.values()), units


@given(st.integers(1, 10**7))
@reproducible
def test_useful_copies_skip_no_share_and_repeat_none(units):
    copies = useful_copies(units).tolist()
    assert copies[0] == 1
    assert copies[-1] == units
    for fewer, more in pairwise(copies):
        # Everything between two useful counts is as slow as the smaller one.
        assert ceil_div(units, more - 1) == ceil_div(units, fewer)
        assert ceil_div(units, more) < ceil_div(units, fewer)
    assert len(copies) <= 2 * isqrt(units) + 1


@given(st.integers(1, 10**6), st.data())
@reproducible
def test_any_copy_count_is_dominated_by_a_useful_one(units, data):
    copies = data.draw(st.integers(1, 2 * units))
    useful = useful_copies(units)
    dominating = int(useful[useful <= copies].max())
    assert ceil_div(units, dominating) == ceil_div(units, min(copies, units))


def test_useful_copies_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        useful_copies(12)[0] = 5


def test_objective_is_the_sum_or_the_largest(problem):
    copies = np.array([3, 3])
    assert problem.layer_cycles(copies).tolist() == [22, 14]
    assert problem.objective_value(copies) == 36
    throughput = ReplicationProblem(**(GOOD | {"objective": "throughput"}))
    assert throughput.objective_value(copies) == 22


def test_problem_of_a_design_reads_the_cost_model():
    model = CostModel(load_network("digits_cnn"), load_preset("lrmp_frontiers_2024"))
    bits = {"weight_bits": [2, 3, 4, 5, 6], "activation_bits": [8, 7, 6, 5, 4]}
    settings = Design.of(bits).settings
    problem = ReplicationProblem.of(model, settings, 56, "throughput")
    assert problem.tiles.tolist() == model.tiles_per_copy(settings).tolist()
    assert problem.units.tolist() == [64, 64, 16, 4, 1]
    cycles = model.cycles_per_unit(settings)
    assert problem.cycles_per_unit.tolist() == cycles.tolist()
    assert problem.fixed_cycles.tolist() == model.fixed_cycles(settings).tolist()
    assert (problem.budget, problem.objective, len(problem)) == (56, "throughput", 5)
    assert problem.least_interval == 0
    transformer = CostModel(load_network("bert_base"), load_preset("puma_asplos_2019"))
    plain = transformer.space.plain_settings(len(transformer.network))
    problem = ReplicationProblem.of(transformer, plain, 10**6, "throughput")
    assert problem.least_interval == 273_552


def test_the_interval_has_a_floor():
    values = GOOD | {"least_interval": 30}
    copies = np.array([3, 3])  # layers of 22 and 14 cycles
    problem = ReplicationProblem(**(values | {"objective": "throughput"}))
    assert problem.interval(copies) == problem.objective_value(copies) == 30
    assert problem.interval(np.array([1, 3])) == 52
    both = ReplicationProblem(**(values | {"objective": "throughput_then_latency"}))
    assert both.objective_value(copies) == 30 * 81 + 36
    latency = ReplicationProblem(**values)
    assert latency.objective_value(copies) == 36
    message = r"Expected max_layer_cycles of at least 30, .*, got 29\."
    with pytest.raises(SolverError, match=message):
        ReplicationProblem(**(values | {"max_layer_cycles": 29}))
    assert len(ReplicationProblem(**(values | {"max_layer_cycles": 30}))) == 2


@pytest.mark.parametrize("objective", ["latency", "edp"])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            [[6, 6]] * 4,
            r"Expected settings as places of values, integers of shape \(\.\.\., 5, 2\)",
        ),
        ([[6, 6]] * 4 + [[7, 6]], r"of 0 to 6 for weight_bits, got 7 for layer 4 \(fc\)\."),
        ([[6.0, 6.0]] * 5, r"Expected settings to be integers of at most 64 bits, got float64"),
    ],
)
def test_problem_of_bad_settings_is_refused(settings, message, objective):
    model = CostModel(load_network("digits_cnn"), load_preset("lrmp_frontiers_2024"))
    with pytest.raises(DesignError, match=message):
        ReplicationProblem.of(model, settings, 56, objective)


@pytest.mark.parametrize("objective", ["latency", "edp"])
def test_problem_of_many_designs_is_refused(objective):
    model = CostModel(load_network("digits_cnn"), load_preset("lrmp_frontiers_2024"))
    with pytest.raises(
        SolverError, match=r"tiles to hold one integer per layer, got shape \(2, 5\)"
    ):
        ReplicationProblem.of(model, np.zeros((2, 5, 2), np.int64), 56, objective)


def test_budget_too_small_names_tiles_needed_and_given():
    message = (
        r"Expected a budget of at least 4 tiles for one copy of every layer, got 3\. "
        r"Choose smaller settings or raise the budget\."
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
        ReplicationProblem.of(model, model.space.plain_settings(21), 1607, "latency")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": [10, 4, 1]}, r"units to hold one integer per layer, got shape \(3,\)"),
        ({"fixed_cycles": [2]}, r"fixed_cycles to hold one integer per layer, got shape \(1,\)"),
        ({"tiles": 3}, r"tiles to hold one integer per layer, got shape \(\)"),
        ({"cycles_per_unit": 5}, r"cycles_per_unit to hold one .*, got shape \(\)"),
        ({"tiles": [[3, 1]]}, r"tiles to hold one integer per layer, got shape \(1, 2\)"),
        (
            {name: np.empty(0, np.int64) for name in ARRAYS},
            r"tiles to hold one integer per layer, got shape \(0,\)",
        ),
        ({"tiles": [3, 0]}, r"tiles of at least 1 for a layer of more than one unit, got 0\."),
        ({"tiles": [-3, 1]}, r"tiles of at least 0, got -3\."),
        ({"units": [0, 4]}, r"units of at least 1, got 0\."),
        ({"cycles_per_unit": [5, 0]}, r"cycles_per_unit of at least 1, got 0\."),
        ({"fixed_cycles": [2, -1]}, r"fixed_cycles of at least 0, got -1\."),
        ({"objective": "area"}, r"objective to be one of latency, .*, edp, .*; got 'area'\."),
        ({"objective": None}, r"objective to be one of latency, .*, edp, .*; got None\."),
        ({"objective": "energy"}, r"energy_fj for the objectives .*, got none for energy\."),
        ({"energy_fj": ENERGY}, r"energy_fj for the objectives .*, got some for latency\."),
        (EDP | {"energy_fj": ENERGY[:1]}, r"energy_fj of 2 layers, got 1\."),
        (
            EDP | {"energy_fj": ([1], [2])},
            r"energy_fj of layer 0 for 6 useful copy counts, got shape \(1,\)\.",
        ),
        (EDP | {"energy_fj": (ENERGY[0], [3, -2, 1])}, r"energy_fj of at least 0, got -2\."),
        (EDP | {"energy_fj": (ENERGY[0], [3.0, 2, 1])}, r"energy_fj of layer 1 to be integers"),
        (
            EDP | {"energy_fj": (ENERGY[0], [2**62, 2, 1])},
            r"a total energy below 2\*\*62 femtojoules .*, got 4611686018427387910\.",
        ),
        ({"most_copies": [1]}, r"most_copies to hold one integer per layer, got shape \(1,\)"),
        ({"most_copies": [1, 0]}, r"most_copies of at least 1, got 0\."),
        ({"tied": [0, 0, 1]}, r"tied to hold one integer per layer, got shape \(3,\)"),
        ({"max_layer_cycles": 1.5}, r"max_layer_cycles to be integers"),
        ({"max_layer_cycles": [9, 9]}, r"max_layer_cycles to be one integer, got shape \(2,\)"),
        (
            {"max_layer_cycles": 6},
            r"max_layer_cycles of at least 7, which the most copies reach, got 6\.",
        ),
        (
            {"max_layer_cycles": 11, "most_copies": [4, 4]},
            r"max_layer_cycles of at least 17, which the most copies reach, got 11\.",
        ),
        (
            {"max_layer_cycles": 90, "objective": "throughput"},
            r"no max_layer_cycles beside objective throughput, got 90\.",
        ),
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
        "zero units",
        "zero cycles",
        "negative output cycles",
        "unknown objective",
        "no objective",
        "no energies",
        "energies for latency",
        "energies of too few layers",
        "energies of too few counts",
        "negative energy",
        "fractional energy",
        "too much energy",
        "limits of too few layers",
        "limit of zero copies",
        "ties of too many layers",
        "fractional limit on cycles",
        "limits on cycles by layer",
        "limit below the last unit",
        "limit below the most copies",
        "limit on what is minimised",
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


@pytest.mark.parametrize(("interval", "message"), [(-1, "of at least 0, got -1"), (1.5, "to be")])
def test_malformed_least_interval_is_refused(interval, message):
    with pytest.raises(SolverError, match=f"Expected least_interval {message}"):
        ReplicationProblem(**(GOOD | {"least_interval": interval}))


@pytest.mark.parametrize("budget", [12.0, True, "12", None, 2**64, [12], [12, 12]], ids=str)
def test_budget_that_is_no_integer_is_refused(budget):
    with pytest.raises(SolverError, match=r"Expected budget to be .*, got"):
        ReplicationProblem(**(GOOD | {"budget": budget}))


@pytest.mark.parametrize(
    "changes",
    [
        {"units": [2**31, 1], "cycles_per_unit": [2**31, 1]},
        {"fixed_cycles": [2**62, 0]},
        {"least_interval": 2**62},
        {"fixed_cycles": [2**61, 2**61]},
        {"tiles": [2**61, 2**61], "budget": 2**62},
        {"tiles": [2**31, 1], "units": [2**31, 1], "budget": 2**40},
    ],
    ids=[
        "product",
        "output",
        "least interval",
        "sum of cycles",
        "sum of tiles",
        "tiles of all copies",
    ],
)
def test_numbers_beyond_exact_sums_are_refused(changes):
    message = r"Expected total cycles and tiles below 2\*\*62 so that 64-bit sums are exact, got \d"
    with pytest.raises(SolverError, match=message) as refused:
        ReplicationProblem(**(GOOD | changes))
    assert int(re.search(r"got (\d+)\.", str(refused.value))[1]) >= 2**62


def test_largest_exact_cycles_are_accepted():
    # 10 * 5 + 4 * 7 + output = 2**62 - 1
    output = [2**62 - 1 - 50 - 28, 0]
    problem = ReplicationProblem(**(GOOD | {"fixed_cycles": output}))
    assert problem.objective_value(np.array([1, 1])) == 2**62 - 1


def test_problems_are_values(problem):
    twin = ReplicationProblem(
        **(GOOD | {"tiles": np.array([3, 1], np.int8), "budget": np.int64(12)})
    )
    assert twin == problem
    assert hash(twin) == hash(problem)
    assert problem != "text"


@pytest.mark.parametrize("name", [*ARRAYS, "budget", "objective", "least_interval"])
def test_one_other_number_makes_another_problem(problem, name):
    changes = {name: np.array(GOOD[name]) + 1} if name in ARRAYS else {}
    changes |= {"budget": 13} if name in ("budget", "tiles") else {}
    changes |= {"least_interval": 1} if name == "least_interval" else {}
    changes |= {"objective": "throughput"} if name == "objective" else {}
    assert ReplicationProblem(**(GOOD | changes)) != problem


def replication(**changes):
    values = {
        "copies": np.array([3, 2]),
        "objective_value": 36,
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
        {"objective_value": 37},
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
    assert answer.objective_value == 36
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
        ([3, 2], 37, r"a bound of at most 36; the solver returned 11 tiles and bound 37\."),
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


def test_throughput_floor_beyond_the_budget_is_infeasible():
    # 10 units of 5 cycles and 2 more in 12 cycles: 5 copies of 3 tiles; 4 units of 7 in 12: 4.
    message = r"a budget of at least 19 tiles for layers of at most 12 cycles, got 12\."
    with pytest.raises(InfeasibleBudgetError, match=message):
        ReplicationProblem(**(GOOD | {"max_layer_cycles": 12}))


def test_energy_is_that_of_the_next_useful_count_below():
    values = GOOD | {"objective": "energy", "energy_fj": ENERGY}
    # Useful counts are 1, 2, 3, 4, 5, 10 of ten units and 1, 2, 4 of four.
    values["energy_fj"] = ([60, 50, 40, 30, 20, 10], [3, 2, 1])
    problem = ReplicationProblem(**values)
    for copies, energy in (([1, 1], 63), ([9, 3], 22), ([10, 4], 11), ([12, 9], 11)):
        assert problem.objective_value(np.array(copies)) == energy
    product = ReplicationProblem(**(values | EDP))
    # 9 copies: ceil(10/9) * 5 + 2 = 12 cycles; 3 copies: ceil(4/3) * 7 = 14.
    assert product.objective_value(np.array([9, 3])) == 22 * 26


def test_energy_without_energies_is_refused(problem):
    with pytest.raises(SolverError, match=r"Expected energy_fj in the problem, got None"):
        problem.energy_of(np.array([1, 1]))


def test_problems_of_other_energies_differ():
    values = GOOD | {"objective": "energy", "energy_fj": ([6, 5, 4, 3, 2, 1], [3, 2, 1])}
    problem = ReplicationProblem(**values)
    assert problem == ReplicationProblem(**values)
    assert hash(problem) == hash(ReplicationProblem(**values))
    assert problem != ReplicationProblem(
        **(values | {"energy_fj": ([6, 5, 4, 3, 2, 1], [3, 2, 0])})
    )
    twin = pickle.loads(pickle.dumps(problem))
    assert twin == problem
    with pytest.raises(ValueError, match="read-only"):
        twin.energy_fj[0][0] = 9


def test_throughput_then_latency_is_one_number_in_the_same_order():
    problem = ReplicationProblem(**(GOOD | {"objective": "throughput_then_latency"}))
    # One copy each takes 52 + 28 = 80 cycles: the slowest layer counts in steps of 81.
    assert problem.objective_value(np.array([1, 1])) == 52 * 81 + 80
    assert problem.objective_value(np.array([2, 1])) == 28 * 81 + 27 + 28


@pytest.mark.parametrize(
    ("constraint", "copies", "message"),
    [
        ({"most_copies": [2, 9]}, [3, 2], r"Expected at most \[2 9\] copies; the solver"),
        ({"max_layer_cycles": 30}, [1, 2], r"Expected layers of at most 30 cycles; the solver"),
        ({"tied": [4, 4]}, [3, 2], r"Expected tied layers to have the same copies; the solver"),
    ],
    ids=["limit on copies", "limit on cycles", "tie"],
)
def test_answer_that_breaks_a_side_constraint_is_refused(constraint, copies, message):
    problem = ReplicationProblem(**(GOOD | constraint))
    with pytest.raises(SolverError, match=message):
        Replication.checked(problem, np.array(copies), lower_bound=0, wall_time_s=0.0)
