from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

from lrmp.envs import TASKS, Claim, Outcome, Record, evaluate, load_task
from lrmp.envs.scoring.reward import lrmp_reward
from lrmp.errors import RecordError, SolverError
from lrmp.hardware import CostModel, Design, load_preset
from lrmp.leaderboard import replay
from lrmp.leaderboard.replay import settle
from lrmp.leaderboard.submission import parse_record
from lrmp.solvers import Replication, ReplicationProblem, solve_exact, solve_ilp

SIX = {"weight_bits": 6, "activation_bits": 6}


def bits(weight_bits, activation_bits):
    return {"weight_bits": weight_bits, "activation_bits": activation_bits}


def honest(task_id, values, copies=lambda best: best.design.replication):
    """A record whose every number is right for copies that the oracle need not have chosen."""
    task = load_task(task_id)
    best = evaluate(task, values)
    design = replace(best.design, replication=copies(best))
    outcome = Outcome(
        task, design, best.replication, task.cost_model.evaluate(design), best.accuracy_drop
    )
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
    assert replay(record).claim.reward == record.claim.reward


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
    replayed = replay(honest(task_id, SIX))
    assert (replayed.accuracy_kind, replayed.accuracy_is_estimate) == ("table", is_estimate)
    assert replayed.test_accuracy_drop is None


def test_the_reward_is_the_return_of_the_formula(resnet_record):
    claim = replay(resnet_record).claim
    baseline = load_task(resnet_record.task).cost_model.baseline.latency_cycles
    assert claim.gain == baseline / claim.latency_cycles
    assert claim.reward == lrmp_reward(claim.gain, claim.accuracy_drop, 1.0)


def test_the_reward_is_the_return_of_the_environment(digits_record):
    env = gym.make("LRMP-Digits-v0", discrete=True)
    env.reset(seed=0)
    settings = digits_record.design_for(load_task("LRMP-Digits-v0")).settings
    rewards = [env.step(setting)[1] for setting in settings]
    assert sum(rewards) == replay(digits_record).claim.reward


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"claim.reward": 9.5}, r"expected reward 1\.\d+, got 9\.5"),
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


def test_a_reward_forged_in_the_eighth_digit_is_refused(refuse, edit, resnet_record):
    line = edit({"claim.reward": resnet_record.claim.reward + 1e-8}, resnet_record)
    refuse([line], "expected reward")


def test_the_recomputed_numbers_are_kept_not_the_claimed_ones(resnet_record):
    true = resnet_record.claim
    rounded = replace(resnet_record, claim=replace(true, reward=true.reward + 1e-12))
    assert rounded.claim != true
    assert replay(rounded).claim == true


def test_all_forged_numbers_are_named(refuse, edit, resnet_record):
    line = edit({"claim.reward": 9, "claim.tiles": 9}, resnet_record)
    refuse([line], r"expected reward .*, got 9\.0; expected tiles \d+, got 9\.")


def test_bits_that_do_not_belong_to_the_claim_are_refused(refuse, edit, digits_record):
    first, *others = digits_record.design["weight_bits"]
    refuse([edit({"design.weight_bits": [first + 1, *others]})], "agent tester, seed 0: expect")


def test_a_design_over_the_budget_is_refused(refuse):
    record = honest("LRMP-ResNet18-v0", SIX, lambda b: 2 * b.design.replication)
    assert record.claim.tiles == 3216
    refuse(
        [record.to_line()],
        "expected a design of at most 1608 tiles, the budget of LRMP-ResNet18-v0, got 3216 tiles.",
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
    record = honest("LRMP-ResNet18-v0", SIX, lambda b: [1] * 21)
    best = evaluate("LRMP-ResNet18-v0", SIX).report.latency_cycles
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
    other = honest(throughput_record.task, SIX, lambda b: ilp)
    assert replay(other).claim.reward == replay(throughput_record).claim.reward
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
        ({"claim.reward": 9}, "expected reward"),
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


def test_honest_edp_designs_are_proven_where_the_ilp_alone_does_not():
    task = load_task("LRMP-ResNet18-EDP-v0")
    unproven = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        outcome = evaluate(task, bits(rng.integers(2, 6, 21), rng.integers(2, 9, 21)))
        record = Record.of(
            outcome, agent="x", seed=seed, evaluated_designs=1, env_steps=0, wall_time_s=0.1
        )
        assert replay(record).lower_bound == outcome.report.edp > 2**63
        unproven += not solve_ilp(problem_of(record), canonical=False).proven_optimal
    assert unproven > 0


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


def test_the_baseline_design_has_reward_zero():
    record = honest("LRMP-ResNet18-v0", {})
    assert replay(record).claim.reward == 0.0
    assert record.claim.tiles == 1608
