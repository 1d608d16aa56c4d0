"""Many clients at once: what is counted once stays counted once."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.models import Submission
from lrmp.leaderboard.board.service import jobs
from lrmp.leaderboard.board.verification.links import check_links
from lrmp.leaderboard.log.append import read_items

CLIENTS = 32


def at_once(call, arguments=range(CLIENTS)):
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(call, arguments))


@pytest.fixture
def round_name(admin_client):
    admin_client.post("/rounds", {"name": "r1", "track": "search", "days": 1})
    return "r1"


def test_no_agent_opens_a_run_too_many(board, member, round_name):
    document = {"round": "r1", "agent": "ants/walker@1"}
    answers = at_once(lambda _: member.post("/runs", document))
    opened = [answer.json()["instance"] for answer in answers if answer.status_code == 201]
    assert sorted(opened) == list(range(10))
    assert {answer.status_code for answer in answers} == {201, 409}
    with board.database.read() as session:
        items = read_items(session)
    assert check_links(items) == []
    assert [item.kind for item in items].count("run-opened") == 10


def test_evaluations_of_one_run_are_counted_in_one_order(member, round_name, constant):
    run = member.post("/runs", {"round": "r1", "agent": "ants/walker@1"}).json()["id"]
    instance = member.get(f"/runs/{run}/instance").json()

    def post(number):
        designs = [constant(instance, 2 + number % 7, 2 + number // 7)] * 3
        return member.post(f"/runs/{run}/evaluations", {"first": 1, "designs": designs})

    answers = at_once(post)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * (CLIENTS - 1)
    assert member.get(f"/runs/{run}").json()["evaluations"] == 3


def test_the_same_request_at_once_does_one_thing(member, round_name, digits):
    document = {"agent": "ants/walker@1", "record": digits()}
    ids = {
        answer.json()["id"] for answer in at_once(lambda _: member.post("/submissions", document))
    }
    assert len(ids) == 1
    opening = {"round": "r1", "agent": "ants/walker@1"}
    key = {"Idempotency-Key": "once"}
    runs = {
        answer.json()["id"] for answer in at_once(lambda _: member.post("/runs", opening, **key))
    }
    assert len(runs) == 1
    finishes = at_once(lambda _: member.post(f"/runs/{next(iter(runs))}/finish"))
    assert {answer.status_code for answer in finishes} == {202}


def test_names_that_look_alike_taken_at_once_are_taken_by_one(member):
    names = [f"ants/{'w' if n % 2 else 'W'}{'0' if n % 3 else 'o'}rker@1" for n in range(CLIENTS)]
    answers = at_once(lambda name: member.post("/agents", {"agent": name}), names)
    assert {answer.status_code for answer in answers} == {201, 409}
    assert len({answer.json()["name"] for answer in answers if answer.is_success}) == 1


def test_a_job_is_leased_by_one(board, member, digits):
    for seed in range(3):
        member.post("/submissions", {"agent": "ants/walker@1", "record": digits(seed=seed)})
    leases = at_once(lambda _: jobs.lease(board))
    taken = [lease.job_id for lease in leases if lease is not None]
    assert len(taken) == len(set(taken)) == 3


def test_whoever_comes_after_the_lease_writes_nothing(settings, member, digits):
    """A worker that was thought dead ends its job when another has it."""
    impatient = Board(type(settings)(**vars(settings) | {"lease_s": 0}))
    member.post("/submissions", {"agent": "ants/walker@1", "record": digits()})
    first, second = jobs.lease(impatient), jobs.lease(impatient)
    assert (first.job_id, first.attempts, second.attempts) == (second.job_id, 1, 2)
    written = []
    assert not jobs.finish(impatient, first, written.append)
    assert jobs.finish(impatient, second, written.append)
    assert not jobs.finish(impatient, second, written.append)
    assert len(written) == 1
    impatient.close()


def test_a_job_whose_process_dies_is_tried_again_and_given_up(settings, board, member, digits):
    found = member.post("/submissions", {"agent": "ants/walker@1", "record": digits()}).json()
    for _ in range(settings.job_attempts):
        leased = jobs.lease(board)
        jobs.fail(board, leased, "it died", partial(mark, subject=leased.subject))
    job = member.get(f"/jobs/{found['job']}").json()
    assert (job["state"], job["attempts"], job["error"]) == ("failed", 3, "it died")
    assert member.get(f"/submissions/{found['id']}").json()["state"] == "failed"
    assert jobs.lease(board) is None


def mark(session, subject):
    session.get_one(Submission, subject).state = "failed"
