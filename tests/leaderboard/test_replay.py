import math
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

from lrmp.envs import TASKS, Claim, Outcome, Record, evaluate, load_task
from lrmp.errors import RecordError, SolverError
from lrmp.hardware import CostModel, Design, load_preset
from lrmp.leaderboard import replay
from lrmp.leaderboard.replay import settle
from lrmp.leaderboard.submission import parse_record
from lrmp.solvers import Replication, ReplicationProblem, solve_exact, solve_ilp

ALLOWED = {"weight_bits": 7, "activation_bits": 6}  # within the allowed drop of ResNet-18


def bits(weight_bits, activation_bits):
    return {"weight_bits": weight_bits, "activation_bits": activation_bits}


def honest(task_id, values, copies=lambda best: best.design.replication):
    """A record whose every number is right for copies that the oracle need not have chosen."""
    task = load_task(task_id)
    best = evaluate(task, values)
    design = replace(best.design, replication=copies(best))
    cost = task.cost_model.evaluate(design).cost(task.objective)
    placed = replace(best.replication, copies=design.replication, objective_value=cost)
    outcome = Outcome(task, design, placed, best.divergence)
    return Record.of(
        outcome, agent="tester", seed=0, evaluated_designs=1, env_steps=0, wall_time_s=0
    )


def problem_of(record):
    """The problem that the copies of a record solve."""
    task = load_task(record.task)
    settings = record.design_for(task).settings
    return ReplicationProblem.of(task.cost_model, settings, task.budget, task.objective)


@pytest.mark.parametrize("name", ["digits_record", "resnet_record", "throughput_record"])
def test_a_true_record_replays_to_its_own_claim(name, request):
    record = request.getfixturevalue(name)
    replayed = replay(record)
    assert replayed.record is record
    assert replayed.claim == record.claim
    task = load_task(record.task)
    objective = "latency_cycles" if task.objective == "latency" else "bottleneck_cycles"
    assert replayed.lower_bound == getattr(record.claim, objective)
    assert replayed.wall_time_s > 0


def test_energy_delay_product_is_proven_where_weighted_sums_are_too_long_for_cp_sat():
    layers = np.arange(54)
    record = honest("LRMP-ResNet50-EDP-v0", bits(2 + layers % 7, 2 + (3 * layers + 2) % 7))
    assert replay(record).claim == record.claim


def test_the_accuracy_of_a_measured_network_comes_with_its_test_drop(digits_record):
    replayed = replay(digits_record)
    task = load_task("LRMP-Digits-v0")
    assert (replayed.accuracy_kind, replayed.accuracy_is_estimate) == ("network", False)
    design = digits_record.design_for(task)
    assert replayed.test_accuracy_drop == task.accuracy.test_drop(design)


@pytest.mark.parametrize(
    ("task_id", "is_estimate"),
    [("LRMP-ResNet18-v0", False), ("LRMP-ResNet34-Predicted-v0", True)],
)
def test_an_estimate_is_called_one(task_id, is_estimate):
    replayed = replay(honest(task_id, ALLOWED))
    assert (replayed.accuracy_kind, replayed.accuracy_is_estimate) == ("table", is_estimate)
    assert replayed.test_accuracy_drop is None


def test_a_record_of_a_chip_on_which_layers_take_turns_replays():
    weights = [8, *[4] * 19, 8]
    record = honest("LRMP-ResNet18-CIMAQ-v0", bits(weights, [8, *[6] * 19, 8]))
    replayed = replay(record)
    assert replayed.claim == record.claim
    assert record.design["replication"] == [1] * 21
    # Two columns of 4-bit cells for every 4 bits of a weight; all of it on 1 tile, in turn.
    layers = load_task(record.task).network.layers
    assert record.claim.tiles == sum(
        -(-2 * layer.columns * w // 4 // 256) * -(-layer.rows // 256)
        for layer, w in zip(layers, weights, strict=True)
    )
    assert replayed.lower_bound == record.claim.latency_cycles == record.claim.bottleneck_cycles
    copied = replace(record, design=record.design | {"replication": [1, 2, *[1] * 19]})
    message = r"expected one copy of every layer of LRMP-ResNet18-CIMAQ-v0, .*, got 2 of one\."
    with pytest.raises(RecordError, match=message):
        replay(copied)


def test_the_score_is_the_logarithm_of_the_gain(resnet_record):
    claim = replay(resnet_record).claim
    baseline = load_task(resnet_record.task).cost_model.baseline.latency_cycles
    assert claim.gain == baseline / claim.latency_cycles
    assert claim.accuracy_drop <= 1.0
    assert claim.score == math.log(claim.gain)


def test_the_score_is_the_return_of_the_environment(digits_record):
    env = gym.make("LRMP-Digits-v0", discrete=True)
    env.reset(seed=0)
    settings = digits_record.design_for(load_task("LRMP-Digits-v0")).settings
    rewards = [env.step(setting)[1] for setting in settings]
    assert sum(rewards) == replay(digits_record).claim.score


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"claim.score": 9.5}, r"expected score 1\.\d+, got 9\.5"),
        ({"claim.gain": 100.0}, r"expected gain \d+\.\d+, got 100\.0"),
        ({"claim.accuracy_drop": 0.5}, r"expected accuracy_drop -?\d+\.\d+, got 0\.5"),
        ({"claim.tiles": 1}, r"expected tiles \d+, got 1\."),
    ],
)
def test_a_forged_number_is_refused_by_name(refuse, edit, resnet_record, changes, message):
    line = edit(changes, resnet_record)
    refuse([line], rf"LRMP-ResNet18-v0, agent tester, seed 0: {message}.* Claims are replayed")


@pytest.mark.parametrize("name", ["latency_cycles", "bottleneck_cycles", "tiles"])
@pytest.mark.parametrize("off", [-1, 1])
def test_an_integer_forged_by_one_is_refused(refuse, edit, resnet_record, name, off):
    true = getattr(resnet_record.claim, name)
    line = edit({f"claim.{name}": true + off}, resnet_record)
    refuse([line], f"expected {name} {true}, got {true + off}")


def test_a_score_forged_in_the_eighth_digit_is_refused(refuse, edit, resnet_record):
    line = edit({"claim.score": resnet_record.claim.score + 1e-8}, resnet_record)
    refuse([line], "expected score")


def test_a_design_beyond_the_allowance_replays_without_a_score(bold_record):
    claim = replay(bold_record).claim
    assert (claim, claim.score) == (bold_record.claim, None)
    assert claim.gain > 1
    assert claim.accuracy_drop > load_task(bold_record.task).allowed_drop


@pytest.mark.parametrize("score", [0, 0.0, -1.5, 2])
def test_a_score_beyond_the_allowance_is_refused(refuse, edit, bold_record, score):
    line = edit({"claim.score": score}, bold_record)
    refuse([line], rf"agent bold, seed 0: expected score null, got {float(score)}\. Claims are")


def test_no_score_within_the_allowance_is_refused(refuse, edit, resnet_record):
    line = edit({"claim.score": None}, resnet_record)
    refuse([line], r"agent tester, seed 0: expected score 1\.\d+, got null\. Claims are replayed")


def test_a_drop_forged_into_the_allowance_is_refused(refuse, edit, bold_record):
    forged = {"claim.score": math.log(bold_record.claim.gain), "claim.accuracy_drop": 0.5}
    line = edit(forged, bold_record)
    refuse([line], r"expected score null, got 2\.\d+; expected accuracy_drop \d+\.\d+, got 0\.5\.")


def test_the_recomputed_numbers_are_kept_not_the_claimed_ones(resnet_record):
    true = resnet_record.claim
    rounded = replace(resnet_record, claim=replace(true, score=true.score + 1e-12))
    assert rounded.claim != true
    assert replay(rounded).claim == true


def test_all_forged_numbers_are_named(refuse, edit, resnet_record):
    line = edit({"claim.score": 9, "claim.tiles": 9}, resnet_record)
    refuse([line], r"expected score .*, got 9\.0; expected tiles \d+, got 9\.")


def test_bits_that_do_not_belong_to_the_claim_are_refused(refuse, edit, digits_record):
    first, *others = digits_record.design["weight_bits"]
    refuse([edit({"design.weight_bits": [first + 1, *others]})], "agent tester, seed 0: expect")


def test_a_design_over_the_budget_is_refused(refuse):
    record = honest("LRMP-ResNet18-v0", ALLOWED, lambda b: 2 * b.design.replication)
    assert record.claim.tiles == 3206
    refuse(
        [record.to_line()],
        "expected a design of at most 1608 tiles, the budget of LRMP-ResNet18-v0, got 3206 tiles.",
    )


def test_a_single_tile_over_the_budget_is_refused(refuse):
    def one_more(best):  # of 8-bit layers the plain chip holds one copy each and nothing else
        copies = best.design.replication.copy()
        copies[0] += 1
        return copies

    record = honest("LRMP-Digits-v0", {}, one_more)
    refuse([record.to_line()], f"at most 56 tiles, .*, got {record.claim.tiles} tiles. Take the")


def test_one_copy_over_the_budget_is_refused(monkeypatch):
    network = load_task("LRMP-ResNet18-v0").network
    accelerator = load_preset("lrmp_frontiers_2024")
    known = load_task("LRMP-ResNet18-v0")
    tight = replace(known, id="LRMP-Tight-v0", budget=1000)
    monkeypatch.setitem(TASKS, tight.id, lambda: tight)
    model = CostModel(network, accelerator)
    design = Design.plain(21)
    record = Record(
        task=tight.id,
        task_fingerprint=tight.fingerprint,
        agent="tester",
        seed=0,
        design=design.to_json(),
        claim=Claim(0.0, 1.0, 0.0, 1, 1, model.evaluate(design).tiles),
        evaluated_designs=1,
        env_steps=0,
        wall_time_s=0.0,
        trained_on="this-task",
        code=None,
        versions={"lrmp": "0.1.0", "python": "3.12"},
    )
    with pytest.raises(
        RecordError,
        match=r"expected one copy of every layer within 1000 tiles, the budget of LRMP-Tight-v0, "
        "got 1608 tiles. Choose settings that take fewer",
    ):
        replay(record)


def test_copies_that_are_not_optimal_are_refused(refuse):
    record = honest("LRMP-ResNet18-v0", ALLOWED, lambda b: [1] * 21)
    best = evaluate("LRMP-ResNet18-v0", ALLOWED).report.latency_cycles
    refuse(
        [record.to_line()],
        f"expected the optimal copies for these settings, {best} cycles of latency, got copies "
        f"with {record.claim.latency_cycles} cycles. Copies come from the oracle",
    )


def test_one_copy_too_few_is_refused(refuse):
    def one_fewer(best):
        copies = best.design.replication.copy()
        copies[copies.argmax()] -= 1
        return copies

    record = honest("LRMP-Digits-v0", bits(5, 6), one_fewer)
    refuse([record.to_line()], "expected the optimal copies for these settings")


def test_other_copies_of_the_same_optimum_are_accepted(throughput_record):
    ilp = solve_ilp(problem_of(throughput_record), canonical=False).copies
    assert ilp.tolist() != throughput_record.design["replication"]
    other = honest(throughput_record.task, ALLOWED, lambda b: ilp)
    assert replay(other).claim.score == replay(throughput_record).claim.score is not None
    assert other.claim.tiles != throughput_record.claim.tiles


def test_an_optimum_that_is_not_found_in_time_is_refused(resnet_record):
    with pytest.raises(
        RecordError,
        match=r"LRMP-ResNet18-v0, agent tester, seed 0: expected the ILP to find copies for these "
        r"settings within 1e-09 deterministic seconds, got none\. Without a proof",
    ):
        replay(resnet_record, deterministic_limit=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"claim.score": 9}, "expected score"),
        ({"claim.tiles": 1}, "expected tiles"),
        ({"design.replication": [9] * 21}, "expected a design of at most 1608 tiles"),
    ],
)
def test_what_is_quickly_refused_is_refused_before_the_proof(edit, resnet_record, changes, message):
    record = parse_record(edit(changes, resnet_record))
    with pytest.raises(RecordError, match=message):
        replay(record, deterministic_limit=1e-9)  # no time for a proof


@pytest.mark.parametrize(
    ("value", "accepted"), [(99, False), (100, True), (105, True), (110, True), (111, False)]
)
def test_an_exact_optimum_must_lie_where_the_ilp_allows_it(value, accepted):
    def answer(objective_value, lower_bound):
        return Replication(
            np.ones(1, dtype=np.int64),
            objective_value,
            lower_bound,
            proven_optimal=objective_value == lower_bound,
            wall_time_s=0.0,
        )

    ilp, exact = answer(110, 100), answer(value, value)
    if accepted:
        assert settle(ilp, exact) is exact
        return
    with pytest.raises(
        SolverError,
        match=f"find an optimum of 100 to 110, as OR-Tools proved, got {value}. This is a fault",
    ):
        settle(ilp, exact)


@pytest.mark.long
def test_honest_edp_designs_are_proven_where_the_ilp_alone_does_not():
    task = load_task("LRMP-ResNet18-EDP-v0")
    unproven = 0
    for seed in range(1, 5):  # the last is one
        rng = np.random.default_rng(seed)
        outcome = evaluate(task, bits(rng.integers(2, 6, 21), rng.integers(2, 9, 21)))
        record = Record.of(
            outcome, agent="x", seed=seed, evaluated_designs=1, env_steps=0, wall_time_s=0.1
        )
        assert replay(record).lower_bound == outcome.report.edp > 2**63
        unproven += not solve_ilp(problem_of(record), canonical=False).proven_optimal
    assert unproven > 0


@pytest.mark.long
def test_a_program_that_the_limit_ends_is_settled_by_the_exact_method():
    task = load_task("LRMP-ResNet50-Throughput-v0")
    rng = np.random.default_rng(7)
    for highest in (9, 6, 5, 4, 9, 6, 5, 4, 9, 6):  # the tenth takes CP-SAT seconds
        values = bits(rng.integers(2, highest, 54), rng.integers(2, 9, 54))
    record = honest(task.id, values)
    limit = 0.5
    ilp = solve_ilp(problem_of(record), limit, canonical=False)
    optimum = solve_exact(problem_of(record)).objective_value
    assert ilp.lower_bound < optimum < ilp.objective_value
    assert replay(record, limit).lower_bound == optimum
    found = honest(task.id, values, lambda best: ilp.copies)
    with pytest.raises(
        RecordError, match=f"these settings, {optimum} cycles of throughput, got copi"
    ):
        replay(found, limit)


@pytest.mark.parametrize(
    ("task_id", "unit"),
    [("LRMP-ResNet18-EDP-v0", "fJ cycles of edp"), ("LRMP-ResNet18-Energy-v0", "fJ of energy")],
)
def test_costs_are_named_in_the_unit_of_the_objective(task_id, unit):
    record = honest(task_id, bits(4, 6), lambda b: 1 + (np.arange(21) == 0))
    with pytest.raises(RecordError, match=rf"these settings, \d+ {unit}, got copies with \d+ fJ"):
        replay(record)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"agent": "my agent"}, 'expected agent to be text matching .*, got "my agent". Give Reco'),
        ({"seed": -1}, "seed -1: expected seed to be an integer from 0 to 4294967295, got -1"),
        ({"evaluated_designs": 0}, "expected evaluated_designs to be an integer from 1"),
        ({"wall_time_s": 2e9}, "expected wall_time_s to be a number from 0 to 1000000000, got 2"),
        ({"wall_time_s": float("nan")}, "expected a record of plain JSON values: "),
        ({"code": "github.com/x"}, 'expected code to be text .*, got "github.com/x"'),
        ({"versions": {1j: "2"}}, "expected a record of plain JSON values: "),
    ],
)
def test_a_record_made_in_python_is_held_to_the_schema(digits_record, changes, message):
    with pytest.raises(RecordError, match=message):
        replay(replace(digits_record, **changes))


def test_a_replay_trusts_nothing_that_a_search_remembered(digits_record):
    task = load_task("LRMP-Digits-v0")
    accuracy, design = task.accuracy, digits_record.design_for(task)
    accuracy.drop(design)
    key = design.settings.tobytes()
    remembered = accuracy._remembered[key]
    accuracy._remembered[key] = remembered - 50
    try:
        assert replay(digits_record).claim.accuracy_drop == remembered
    finally:
        accuracy._remembered[key] = remembered


def test_a_record_of_another_definition_is_refused_without_a_file(digits_record):
    with pytest.raises(RecordError, match="LRMP-Digits-v0, agent tester, seed 0: expected task_f"):
        replay(replace(digits_record, task_fingerprint="0" * 64))


def test_the_baseline_design_has_score_zero():
    record = honest("LRMP-ResNet18-v0", {})
    assert replay(record).claim.score == 0.0
    assert record.claim.tiles == 1608
