"""Records are handed in, replayed by a worker, logged and ranked."""

import math

import pytest

from lrmp.envs import load_task, stored_optimum

OTHER_DIGITS = {"weight_bits": [6, 6, 5, 5, 6], "activation_bits": [6, 6, 6, 5, 8]}
RANKING = "/rankings/designs/LRMP-Digits-v0"


def submit(client, record, agent="ants/walker@1", **headers):
    return client.post("/submissions", {"agent": agent, "record": record}, **headers)


def test_an_honest_record_is_replayed_logged_and_ranked(client, member, worker, digits):
    answer = submit(member, digits())
    assert answer.status_code == 202
    assert answer.json()["state"] == "waiting"
    assert client.get(f"/jobs/{answer.json()['job']}").json()["state"] == "waiting"
    assert worker() == 1

    found = client.get(f"/submissions/{answer.json()['id']}").json()
    assert found["state"] == "accepted"
    item = client.get(f"/log/{found['log_number']}").json()
    assert item["kind"] == "design"
    ranking = client.get(RANKING).json()
    (row,) = ranking["designs"]
    assert (row["place"], row["agent"], row["known_as"]) == (1, "ants/walker@1", None)
    assert row["score"] == digits()["claim"]["score"]
    optimum = stored_optimum(load_task("LRMP-Digits-v0"))
    assert ranking["reference"]["value"] == optimum.value
    # exp(optimum - score) - 1 is by how much the design is slower than the optimum's.
    assert row["gap"] == pytest.approx(math.exp(optimum.value - row["score"]) - 1)


def test_a_forged_claim_is_refused_and_logged(client, member, worker, digits):
    record = digits()
    record["claim"]["score"] = 9.5
    answer = submit(member, record)
    worker()
    found = client.get(f"/submissions/{answer.json()['id']}").json()
    assert found["state"] == "refused"
    assert "got 9.5" in found["reason"]
    assert client.get(f"/log/{found['log_number']}").json()["kind"] == "refused"
    assert client.get(RANKING).json()["designs"] == []


def test_equal_designs_are_known_and_credit_goes_by_the_log(client, member, worker, digits):
    for agent, record in (
        ("ants/walker@1", digits()),
        ("ants/walker@2", digits(seed=1)),
        ("ants/walker@2", digits(OTHER_DIGITS)),
    ):
        submit(member, record, agent)
        worker()
    rows = client.get(RANKING).json()["designs"]
    by_number = sorted(rows, key=lambda row: row["number"])
    assert [row["known_as"] for row in by_number] == [None, by_number[0]["number"], None]


def test_the_published_optimum_is_nothing_new(client, member, worker, digits):
    task = load_task("LRMP-Digits-v0")
    design = stored_optimum(task).design
    settings = {name: design[name].tolist() for name in design.space.names}
    submit(member, digits(settings))
    worker()
    (row,) = client.get(RANKING).json()["designs"]
    assert (row["known_as"], row["gap"]) == (0, 0.0)


def test_the_same_record_or_key_again_does_nothing_twice(client, member, worker, digits):
    first = submit(member, digits(), **{"Idempotency-Key": "a"}).json()
    assert submit(member, digits(), **{"Idempotency-Key": "a"}).json()["id"] == first["id"]
    assert submit(member, digits()).json()["id"] == first["id"]
    again = submit(member, digits(seed=3), **{"Idempotency-Key": "a"})
    assert again.status_code == 409
    assert worker() == 1
    assert len(client.get(RANKING).json()["designs"]) == 1


def test_as_of_ranks_as_it_was_then(client, member, worker, admin_client, digits):
    submit(member, digits())
    worker()
    before = client.get("/log/head").json()
    submit(member, digits(OTHER_DIGITS))
    worker()
    number = client.get(RANKING).json()["designs"][0]["number"]
    reason = {"number": number, "reason": "a test"}
    assert admin_client.post("/withdrawals", reason).status_code == 201
    assert admin_client.post("/withdrawals", reason).status_code == 409
    assert len(client.get(RANKING).json()["designs"]) == 1
    assert len(client.get(RANKING, as_of=before["number"]).json()["designs"]) == 1
    assert len(client.get(RANKING, as_of=before["number"] + 1).json()["designs"]) == 2
    assert len(client.get(RANKING, as_of=before["at"]).json()["designs"]) == 1
    assert client.get(RANKING, as_of="2020-01-01").json()["designs"] == []
    assert client.get(RANKING, as_of="yesterday").status_code == 422


def test_what_no_replay_is_needed_for_is_refused_at_once(member, digits):
    for change, message in (
        ({"task": "LRMP-Digits-v7"}, "expected a version of LRMP-Digits"),
        ({"task_fingerprint": "0" * 64}, "expected task_fingerprint"),
        ({"seed": -1}, "expected seed to be an integer"),
        ({"extra": 1}, "no other"),
        ({"wall_time_s": -1.0}, "expected wall_time_s"),
    ):
        answer = submit(member, digits() | change)
        assert answer.status_code == 422
        assert message in answer.json()["detail"]


def test_only_an_owner_adds_to_an_agent(board, admin, client, member, digits):
    from lrmp.leaderboard.board.service import accounts

    code = accounts.invite(board, admin)
    stranger = client.of(accounts.accept_invitation(board, code, "bob", "bees"))
    assert submit(stranger, digits()).status_code == 403
    assert submit(client, digits()).status_code == 401
    assert submit(member, digits(), "ants/nobody@1").status_code == 404
    assert stranger.post("/agents", {"agent": "ants/mine@1"}).status_code == 403
