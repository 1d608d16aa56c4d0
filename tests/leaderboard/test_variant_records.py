"""Records of problems with variants: replayed, stored and ranked like any other."""

import json
from dataclasses import replace

import pytest

from lrmp.cli.evaluate import outcome_of_run
from lrmp.envs import evaluate_settings
from lrmp.envs.variant_choice.optimum import optimal_design, stored_variant_optimum
from lrmp.envs.variant_choice.problem import load_problem
from lrmp.envs.variant_choice.problem_ids import VARIANT_PROBLEMS
from lrmp.envs.variant_choice.record import record_of
from lrmp.errors import RecordError
from lrmp.hardware.families.chip import CHIP_SPACE
from lrmp.leaderboard import rank, replay, submit
from lrmp.leaderboard.design_ranking import REFERENCE
from lrmp.leaderboard.gap import optimum_gap
from lrmp.leaderboard.store import Store

LENET = "LRMP-LeNet-Chip-v0"


def record(problem_id, chip=None, settings=None, **about):
    """Write down the proven best, or settings of a chip."""
    problem = load_problem(problem_id)
    number, design = optimal_design(problem, stored_variant_optimum(problem_id))
    if settings is None:
        settings = design.settings
    number = number if chip is None else chip
    outcome = evaluate_settings(problem.task(number), settings)
    about = {"agent": "tester", "seed": 0, "evaluated_designs": 5, "env_steps": 0} | about
    return record_of(problem, number, outcome, wall_time_s=0.5, **about)


@pytest.fixture(scope="module")
def best():
    return record(LENET)


@pytest.mark.parametrize("problem_id", VARIANT_PROBLEMS)
def test_the_proven_best_of_every_problem_is_replayed(problem_id):
    made, proven = record(problem_id), stored_variant_optimum(problem_id)
    found = replay(made)
    assert found.claim == made.claim
    assert found.claim.score == pytest.approx(proven.value, abs=1e-12)
    assert {name: values[0] for name, values in made.design.items() if name in proven.variant} == (
        proven.variant
    )
    assert optimum_gap(made.task, made.task_fingerprint, made.claim.score) < 1e-9


def test_it_is_handed_in_and_ranked_beside_the_proven_best(tmp_path, best):
    plain = load_problem(LENET).plain_variant
    other = record(LENET, plain, [[4, 4]] * 4, agent="other")
    beyond = record(LENET, plain, [[0, 0]] * 4, agent="bold")
    file, store = tmp_path / "records.jsonl", tmp_path / "store.sqlite"
    file.write_text("".join(each.to_line() for each in (other, best, beyond)))
    submit(file, store)
    (ranking,) = rank(Store(store).entries(LENET))
    assert ranking.is_current
    assert ranking.accuracy_misses == []
    assert [each.agent for each in ranking.designs] == ["tester", "other", "bold"]
    assert [each.known_as for each in ranking.designs] == [REFERENCE, None, None]
    assert ranking.designs[2].score is None
    assert ranking.reference.value == stored_variant_optimum(LENET).value


def test_a_line_is_costed_by_the_command(tmp_path, best):
    file = tmp_path / "one.jsonl"
    file.write_text(best.to_line())
    assert outcome_of_run(file).design.to_json()["weight_bits"] == best.design["weight_bits"]


def changed(record, design=(), claim=()):
    document = json.loads(record.to_line())
    document["design"] |= dict(design)
    document["claim"] |= dict(claim)
    return type(record).from_json(document)


@pytest.mark.parametrize(
    ("design", "message"),
    [
        ({"cell_bits": [1, 2, 2, 2]}, "expected one cell_bits for the whole chip .* in each of 4"),
        ({"cell_bits": []}, "expected .*cell_bits"),
        ({"cell_bits": [3] * 4}, "expected cell_bits among 1, 2, 4, got 3"),
        (
            {"crossbar_side": [256] * 4, "columns_per_adc": [4] * 4},
            "expected a chip that holds the plain design of .* got crossbar_side 256,",
        ),
        ({"weight_bits": [9] * 4}, "expected weight_bits between 2 and 8, got 9"),
    ],
)
def test_what_is_no_chip_of_the_problem_is_refused(best, design, message):
    with pytest.raises(RecordError, match=message):
        replay(changed(best, design))


def test_a_chip_that_is_not_said_is_refused(best):
    document = json.loads(best.to_line())
    del document["design"]["active_rows"]
    with pytest.raises(RecordError, match=r"expected one active_rows .* got none"):
        replay(type(best).from_json(document))


def test_claims_are_over_the_plain_design_on_lrmps_chip(best):
    problem = load_problem(LENET)
    number, design = optimal_design(problem, stored_variant_optimum(LENET))
    on_its_own_chip = evaluate_settings(problem.task(number), design.settings)
    assert on_its_own_chip.score != pytest.approx(best.claim.score)
    claim = {"score": on_its_own_chip.score, "gain": on_its_own_chip.gain}
    with pytest.raises(RecordError, match=r"expected score 2\.75.*; expected gain 15\.6"):
        replay(changed(best, claim=claim))


def test_another_chip_costs_another_time(best):
    """The chip of a record is what is costed: LRMP's is slower, with the same settings."""
    problem = load_problem(LENET)
    _, design = optimal_design(problem, stored_variant_optimum(LENET))
    plain = CHIP_SPACE.decode(CHIP_SPACE.plain)
    other = {name: [int(value)] * 4 for name, value in plain.items()}
    outcome = evaluate_settings(problem.plain_task, design.settings)
    other["replication"] = outcome.design.replication.tolist()
    with pytest.raises(RecordError, match="expected score"):
        replay(changed(best, other))


def test_another_definition_is_refused(best):
    document = json.loads(best.to_line()) | {"task_fingerprint": "0" * 64}
    with pytest.raises(RecordError, match=rf"expected task_fingerprint .*, {LENET} as lrmp"):
        replay(type(best).from_json(document))


@pytest.mark.parametrize("problem_id", ["LRMP-LeNet-Chip-v0", "LRMP-LeNet-Filters-v0"])
@pytest.mark.parametrize("length", [1, 3, 5, 1000])
def test_a_variant_is_said_once_for_every_layer(problem_id, length):
    """Else the same design could be handed in again under another hash."""
    made = record(problem_id)
    name = load_problem(problem_id).space.names[0]
    longer = replace(made, design=made.design | {name: made.design[name][:1] * length})
    with pytest.raises(RecordError, match=f"one {name} for the whole .* in each of 4 layers, got"):
        replay(longer)
