"""Nobody fills a board alone."""

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from lrmp.leaderboard.board.api.app import create_app
from lrmp.leaderboard.board.api.routes import exports
from lrmp.leaderboard.board.service import allowance

pytestmark = pytest.mark.long


def refused(answer, what):
    assert answer.status_code == 429, answer.text
    assert what in answer.json()["detail"]


def test_submissions_that_wait_are_limited_by_team(board, member, worker, digits):
    board.settings = replace(board.settings, waiting_per_team=2)
    sent = [
        {"agent": f"ants/walker@{1 + seed % 2}", "record": digits(seed=seed)} for seed in range(3)
    ]
    assert [member.post("/submissions", each).status_code for each in sent[:2]] == [202, 202]
    refused(member.post("/submissions", sent[2]), "at most 2 waiting submissions of a team")
    # What was handed in already is answered, and with the replays done there is room again.
    assert member.post("/submissions", sent[0]).status_code == 202
    assert worker() == 2
    assert member.post("/submissions", sent[2]).status_code == 202


@pytest.mark.parametrize(
    ("name", "path", "document", "what"),
    [
        ("tokens.MOST_TOKENS", "/tokens", {"name": "t", "scopes": ["submit"]}, "tokens of a user"),
        (
            "accounts.MOST_INVITATIONS",
            "/invitations",
            {"team": "ants"},
            "open invitations into a team",
        ),
        (
            "moderation.MOST_DISPUTES",
            "/disputes",
            {"number": 1, "text": "why"},
            "open disputes of a user",
        ),
    ],
)
def test_what_one_has_at_once_is_limited(monkeypatch, member, name, path, document, what):
    monkeypatch.setattr(f"lrmp.leaderboard.board.service.{name}", 3)
    answers = [member.post(path, document) for _ in range(4)]
    assert [answer.status_code for answer in answers[:2]] == [201, 201]
    refused(answers[3], f"Expected at most 3 {what} at once")


def test_ended_tokens_do_not_count(monkeypatch, member):
    monkeypatch.setattr("lrmp.leaderboard.board.service.tokens.MOST_TOKENS", 2)
    document = {"name": "t", "scopes": ["submit"]}
    made = member.post("/tokens", document).json()["token"]["id"]
    refused(member.post("/tokens", document), "tokens of a user")
    assert member.delete(f"/tokens/{made}").status_code == 200
    assert member.post("/tokens", document).status_code == 201


def test_agents_of_a_team_and_teams_of_a_user_are_limited(monkeypatch, member):
    monkeypatch.setattr("lrmp.leaderboard.board.service.agents.MOST_AGENTS", 3)
    monkeypatch.setattr("lrmp.leaderboard.board.service.accounts.MOST_TEAMS", 2)
    assert member.post("/agents", {"agent": "ants/walker@3"}).status_code == 201
    refused(member.post("/agents", {"agent": "ants/walker@4"}), "agents of a team")
    assert member.post("/agents", {"agent": "ants/walker@3"}).status_code == 201  # is known
    assert member.post("/teams", {"team": "bees"}).status_code == 201
    refused(member.post("/teams", {"team": "wasps"}), "teams of a user")


def test_limits_leave_room_for_honest_users():
    assert min(allowance.MOST_TOKENS, allowance.MOST_INVITATIONS, allowance.MOST_AGENTS) >= 100
    assert min(allowance.MOST_DISPUTES, allowance.MOST_TEAMS) >= 20


def test_few_whole_rankings_are_written_at_once(monkeypatch, client):
    monkeypatch.setattr(exports, "WAIT_S", 0.01)
    path = "/export/designs/LRMP-Digits-v0"
    for _ in range(exports.AT_ONCE):
        exports._turns.acquire()
    refused(client.get(path), "Expected at most 2 exports at once")
    for _ in range(exports.AT_ONCE):
        exports._turns.release()
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("site", "status"),
    [("cross-site", 403), ("same-site", 403), ("same-origin", 303), ("none", 303), (None, 303)],
)
def test_no_other_site_signs_its_visitors_in(board, member, site, status):
    headers = {} if site is None else {"Sec-Fetch-Site": site}
    http = TestClient(create_app(board))
    answer = http.post(
        "/auth/token", data={"token": member.secret}, headers=headers, follow_redirects=False
    )
    assert answer.status_code == status
    assert ("lrmp_session" in answer.cookies) == (status == 303)
