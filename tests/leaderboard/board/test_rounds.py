"""Metered search: the server draws, scores and counts."""

import hashlib

import pytest

from lrmp.envs import evaluate_settings
from lrmp.leaderboard.board.instances import commitment, instance_task

INSTANCES = 10


@pytest.fixture
def round_name(admin_client):
    answer = admin_client.post("/rounds", {"name": "r1", "track": "search", "days": 1})
    assert answer.status_code == 201
    return "r1"


def open_run(client, agent="ants/walker@1", round_name="r1", **headers):
    return client.post("/runs", {"round": round_name, "agent": agent}, **headers)


def evaluate(client, run, first, designs):
    document = {"first": first, "designs": designs}
    return client.post(f"/runs/{run['id']}/evaluations", document)


@pytest.mark.long
def test_a_run_from_opening_to_its_rank(client, member, admin_client, round_name, worker, constant):
    for number in range(INSTANCES):
        run = open_run(member).json()
        assert run["instance"] == number
        instance = member.get(f"/runs/{run['id']}/instance").json()
        answer = evaluate(member, run, 1, [constant(instance), constant(instance, 6, 6)])
        assert [row["number"] for row in answer.json()] == [1, 2]
        assert answer.json()[0]["score"] >= 0  # copies alone, at full precision
        assert member.post(f"/runs/{run['id']}/finish").status_code == 202
    assert open_run(member).status_code == 409
    assert worker() == INSTANCES
    (agent,) = client.get("/rankings/rounds/r1").json()["agents"]
    assert (agent["rank"], agent["runs"], agent["finished"]) == (1, INSTANCES, INSTANCES)
    assert 0 < agent["score"] < 1
    assert agent["low"] <= agent["score"] <= agent["high"]

    secret = admin_client.post("/rounds/r1/close").json()["secret"]
    told = client.get("/rounds/r1").json()
    assert hashlib.sha256(bytes.fromhex(secret)).hexdigest() == told["commitment"]
    task = instance_task(secret, "r1", "ants/walker@1", 0, "latency")
    first = client.get("/runs", round="r1").json()[-1]
    assert first["fingerprint"] == task.fingerprint


def test_scores_are_those_of_the_instance_drawn_again(
    client, member, admin_client, round_name, worker, constant
):
    run = open_run(member).json()
    instance = member.get(f"/runs/{run['id']}/instance").json()
    row = evaluate(member, run, 1, [constant(instance, 7, 7)]).json()[0]
    while (closed := admin_client.post("/rounds/r1/close").json())["secret"] is None:
        assert worker()
    task = instance_task(closed["secret"], "r1", "ants/walker@1", 0, "latency")
    outcome = evaluate_settings(
        task, [[task.space[k].values.index(7) for k in task.space.names]] * len(task.network)
    )
    assert row["score"] == outcome.score
    assert row["reward"] == outcome.reward()


def test_the_accuracy_table_and_the_secret_stay_on_the_server(client, member, round_name):
    run = open_run(member).json()
    instance = member.get(f"/runs/{run['id']}/instance").json()
    assert "accuracy" not in instance["workload"][0]
    assert not [name for name in instance["features"]["names"] if "harm" in name]
    assert client.get("/rounds/r1").json()["secret"] is None
    assert client.get(f"/runs/{run['id']}/instance").status_code == 401


def test_evaluations_sent_again_are_answered_and_not_counted(member, round_name, constant):
    run = open_run(member).json()
    instance = member.get(f"/runs/{run['id']}/instance").json()
    a, b = constant(instance), constant(instance, 6, 6)
    first = evaluate(member, run, 1, [a, b]).json()
    assert evaluate(member, run, 1, [a, b]).json() == first
    assert evaluate(member, run, 2, [b]).json() == first[1:]
    assert evaluate(member, run, 1, [b, a]).status_code == 409
    assert evaluate(member, run, 2, [b, a]).status_code == 409
    assert evaluate(member, run, 4, [a]).status_code == 409
    assert member.get(f"/runs/{run['id']}").json()["evaluations"] == 2


def test_a_bad_design_is_refused_and_counts_none_of_its_request(member, round_name, constant):
    run = open_run(member).json()
    good = constant(member.get(f"/runs/{run['id']}/instance").json())
    for bad, message in (
        ({**good, "weight_bits": [9] * len(good["weight_bits"])}, "got 9"),
        ({**good, "weight_bits": good["weight_bits"][1:]}, "one per layer"),
        ({**good, "adc_bits": good["weight_bits"]}, "Expected each part of a design"),
        ({**good, "replication": good["weight_bits"]}, "without copies"),
        ({"weight_bits": good["weight_bits"]}, "activation_bits missing"),
    ):
        answer = evaluate(member, run, 1, [good, bad])
        assert answer.status_code == 422
        assert message in answer.json()["detail"]
    assert member.get(f"/runs/{run['id']}").json()["evaluations"] == 0


def test_the_budget_is_the_servers(member, round_name, constant):
    run = open_run(member).json()
    good = constant(member.get(f"/runs/{run['id']}/instance").json())
    assert evaluate(member, run, 1, [good] * 999).status_code == 200
    answer = evaluate(member, run, 1000, [good, good])
    assert answer.status_code == 409
    assert "1 are left" in answer.json()["detail"]
    assert evaluate(member, run, 1000, [good]).status_code == 200
    assert evaluate(member, run, 1001, [good]).status_code == 409


def test_a_run_that_was_opened_counts_abandoned_or_not(client, member, round_name):
    for _ in range(INSTANCES):
        open_run(member)
    (agent,) = client.get("/rankings/rounds/r1").json()["agents"]
    assert (agent["runs"], agent["finished"], agent["score"]) == (INSTANCES, 0, 0.0)


def test_the_same_key_opens_one_run(member, round_name):
    key = {"Idempotency-Key": "once"}
    first = open_run(member, **key).json()
    assert open_run(member, **key).json() == first
    assert open_run(member).json()["instance"] == 1


def test_designs_without_feedback(client, member, admin_client, worker, constant):
    admin_client.post("/rounds", {"name": "z1", "track": "zero-shot", "days": 1})
    run = open_run(member, round_name="z1").json()
    instance = member.get(f"/runs/{run['id']}/instance").json()
    assert [name for name in instance["features"]["names"] if "harm" in name]
    answer = evaluate(member, run, 1, [constant(instance, 7, 7)])
    assert (answer.status_code, answer.json()) == (200, [])
    assert evaluate(member, run, 2, [constant(instance)]).status_code == 409
    assert client.get(f"/runs/{run['id']}/curve").json() == []
    member.post(f"/runs/{run['id']}/finish")
    worker()
    assert client.get(f"/runs/{run['id']}").json()["state"] == "finished"
    assert client.get("/rankings/rounds/z1").json()["agents"][0]["rank"] is None


def test_only_an_administrator_opens_and_closes(member, admin_client, round_name):
    document = {"name": "r2", "track": "search", "days": 1}
    assert member.post("/rounds", document).status_code == 403
    assert member.post("/rounds/r1/close").status_code == 403
    assert admin_client.post("/rounds", document | {"name": "r1"}).status_code == 409


def test_agents_have_instances_of_their_own(member, round_name):
    prints = {
        open_run(member, f"ants/walker@{version}").json()["fingerprint"] for version in (1, 2)
    }
    assert len(prints) == 2


def test_a_commitment_is_the_hash_of_the_secrets_bytes():
    assert commitment("00" * 32) == hashlib.sha256(bytes(32)).hexdigest()
