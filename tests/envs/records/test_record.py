"""Records: one line of JSON, and an honest comparison."""

import dataclasses
import json
import math

import gymnasium as gym
import numpy as np
import pytest

from lrmp.envs import Claim, Record, evaluate, load_task
from lrmp.envs.records.record import library_versions

VALUES = {"weight_bits": [8, 4, 3, 4, 6], "activation_bits": [8, 5, 4, 4, 7]}


@pytest.fixture(scope="module")
def outcome():
    return evaluate("LRMP-Digits-v0", VALUES)


@pytest.fixture
def record(outcome):
    return Record.of(
        outcome, agent="hand", seed=3, evaluated_designs=1, env_steps=5, wall_time_s=1.23456
    )


def test_record_says_what_the_outcome_shows(record, outcome):
    assert record.task == "LRMP-Digits-v0"
    assert record.task_fingerprint == load_task("LRMP-Digits-v0").fingerprint
    assert record.design == outcome.design.to_json()
    assert record.design_for(load_task("LRMP-Digits-v0")) == outcome.design
    assert record.claim == Claim(
        score=math.log(outcome.gain),
        gain=outcome.gain,
        accuracy_drop=0.0,
        latency_cycles=outcome.report.latency_cycles,
        bottleneck_cycles=outcome.report.bottleneck_cycles,
        tiles=outcome.report.tiles,
    )
    assert (record.agent, record.seed) == ("hand", 3)
    assert (record.evaluated_designs, record.env_steps) == (1, 5)
    assert record.wall_time_s == 1.235
    assert record.trained_on == "this-task"
    assert record.code is None
    assert record.versions == library_versions()


def test_line_round_trips_through_json(record):
    line = record.to_line()
    assert line.endswith("}\n")
    assert line.count("\n") == 1
    read = json.loads(line)
    assert read == record.to_json()
    assert read.pop("schema_version") == 2
    assert set(read) == {field.name for field in dataclasses.fields(Record)}
    assert read["design"] == {
        **VALUES,
        "replication": record.design["replication"],
    }
    assert Record.from_json(read) == record
    assert Claim(**read["claim"]) == record.claim
    for name in ("latency_cycles", "bottleneck_cycles", "tiles"):
        assert type(read["claim"][name]) is int


def test_text_outside_ascii_stays_on_one_line(record):
    odd = dataclasses.replace(record, agent="zoë\n\u2028", code="https://example.org/ä")
    line = odd.to_line()
    assert len(line.splitlines()) == 1
    read = json.loads(line)
    assert (read["agent"], read["code"]) == (odd.agent, odd.code)


def test_episode_makes_the_record_of_its_settings(record, play):
    env = gym.make("LRMP-Digits-v0", discrete=True)
    play(env, np.array([*VALUES.values()]).T - 2)
    assert Claim.of(env.unwrapped.outcome) == record.claim


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["score", "gain", "accuracy_drop"])
def test_number_that_json_lacks_is_refused(record, name, number):
    claim = dataclasses.replace(record.claim, **{name: number})
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        dataclasses.replace(record, claim=claim).to_line()


def test_record_agrees_with_its_own_claim(record):
    assert record.agrees_with(record.claim) == []
    assert record.agrees_with(dataclasses.replace(record.claim)) == []


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Claim)])
def test_number_that_differs_is_named_with_both_values(record, name):
    value = getattr(record.claim, name)
    other = dataclasses.replace(record.claim, **{name: value + 1})
    assert record.agrees_with(other) == [f"expected {name} {value + 1}, got {value}"]


def test_every_number_that_differs_is_named(record):
    other = Claim(*(value + 1 for value in vars(record.claim).values()))
    named = [sentence.split()[1] for sentence in record.agrees_with(other)]
    assert named == [field.name for field in dataclasses.fields(Claim)]


@pytest.mark.parametrize("name", ["latency_cycles", "bottleneck_cycles", "tiles"])
@pytest.mark.parametrize("large", [10**10, 10**15, 2**60])
def test_large_integers_must_be_equal(record, name, large):
    claimed = dataclasses.replace(record.claim, **{name: large})
    changed = dataclasses.replace(record, claim=claimed)
    assert changed.agrees_with(claimed) == []
    for other in (large - 1, large + 1):
        recomputed = dataclasses.replace(claimed, **{name: other})
        assert changed.agrees_with(recomputed) == [f"expected {name} {other}, got {large}"]


@pytest.mark.parametrize("name", ["score", "gain", "accuracy_drop"])
def test_real_numbers_may_differ_in_the_last_digits(record, name):
    for value in (0.0, 0.5, -7.25, 300.0):
        claimed = dataclasses.replace(record.claim, **{name: value})
        changed = dataclasses.replace(record, claim=claimed)
        close = dataclasses.replace(claimed, **{name: value + 5e-10})
        assert changed.agrees_with(close) == []
        far = dataclasses.replace(claimed, **{name: value + 1e-6})
        assert len(changed.agrees_with(far)) == 1


def test_claim_that_is_no_number_never_agrees(record):
    claimed = dataclasses.replace(record.claim, score=math.nan)
    changed = dataclasses.replace(record, claim=claimed)
    assert len(changed.agrees_with(record.claim)) == 1
    assert len(changed.agrees_with(claimed)) == 1


def test_design_beyond_the_allowance_has_no_score():
    bold = evaluate("LRMP-Digits-v0", weight_bits=2, activation_bits=2)
    assert bold.gain > 1
    assert bold.accuracy_drop > bold.task.allowed_drop
    record = Record.of(
        bold, agent="hand", seed=0, evaluated_designs=1, env_steps=0, wall_time_s=0.0
    )
    assert record.claim.score is None
    line = record.to_line()
    assert '"score": null' in line
    assert Record.from_json(json.loads(line)) == record
    assert repr(record).endswith("no score, 1 designs>")


@pytest.mark.parametrize(
    ("claimed", "recomputed"), [(0.0, None), (None, 0.0), (None, 1.5), (1.5, None)]
)
def test_no_score_and_a_score_never_agree(record, claimed, recomputed):
    changed = dataclasses.replace(record, claim=dataclasses.replace(record.claim, score=claimed))
    true = dataclasses.replace(record.claim, score=recomputed)
    expected, got = json.dumps(recomputed), json.dumps(claimed)
    assert "null" in (expected, got)
    assert changed.agrees_with(true) == [f"expected score {expected}, got {got}"]
    assert changed.agrees_with(changed.claim) == []


def test_json_shares_nothing_that_can_be_written(record):
    before = record.to_line()
    written = record.to_json()
    written["claim"].clear()
    written["versions"].clear()
    written["design"]["replication"].clear()
    assert record.to_line() == before


def test_versions_name_what_decides_results():
    versions = library_versions()
    assert {"python", "lrmp", "gymnasium", "numpy", "ortools", "scikit-learn"} <= set(versions)
    assert versions["numpy"] == np.__version__
    assert versions["gymnasium"] == gym.__version__
