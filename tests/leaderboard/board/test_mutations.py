"""Mutated requests: no 500, none wrongly accepted.

``BOARD_MUTATIONS=20000 pytest tests/leaderboard/board/test_mutations.py`` is the long version.
"""

import copy
import json
import os
import random
from collections import Counter

import pytest
from starlette.testclient import TestClient

from lrmp.errors import LRMPError
from lrmp.leaderboard.board.api.app import create_app
from lrmp.leaderboard.board.instances import instance_task, read_settings
from lrmp.leaderboard.board.verification.contents import Contents
from lrmp.leaderboard.log.append import read_items

MUTATIONS = int(os.environ.get("BOARD_MUTATIONS", "300"))
HOSTILE = [
    *(None, True, False, 0, 1, -1, 2, 9, 0.5, -0.0, 1e308, 2**31, 2**63, 2**64, 10**30),
    *("", " ", "a", "\0", "\ud800", "😀" * 50, "x" * 5000, "../../etc/passwd", "' OR 1=1 --"),
    *("<script>alert(1)</script>", "ants/walker@2", "r1", "%00", "\x1b[31m", "NaN", "1" * 400),
    *([], {}, [[]], {"": None}, [1] * 3000, {"a": {"b": {"c": {"d": [1]}}}}),
]
BYTES = [
    *(b"", b"{", b"[" * 3000, b"NaN", b'{"a": NaN}', b'{"a": 1e999}', b"\xff\xfe", b"\0" * 100),
    *(b'{"first": 1, "first": 2}', b"[1," * 500, b'"' + b"a" * 10000 + b'"', b"1" * 10000),
]
SECRET_HEADERS = [
    *("", "Bearer", "Bearer ", "Bearer x", "Basic YTpi", "Bearer lrmp_" + "A" * 43),
    "Bearer " + "é" * 10,
]


def mutate(value, rng):
    """Change something somewhere in a document."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        target = value
        while True:
            if isinstance(target, dict) and target:
                key = rng.choice(sorted(target, key=str))
            elif isinstance(target, list) and target:
                key = rng.randrange(len(target))
            else:
                break
            if isinstance(target[key], dict | list) and target[key] and rng.random() < 0.75:
                target = target[key]
                continue
            action = rng.random()
            if action < 0.2:
                del target[key]
            elif action < 0.3 and isinstance(target, dict):
                target[rng.choice(("extra", "", "\0", "x" * 200))] = copy.deepcopy(target[key])
            elif action < 0.4 and isinstance(target, list):
                target.insert(key, copy.deepcopy(target[key]))
            elif action < 0.5 and type(target[key]) in (int, float):
                target[key] += rng.choice((1, -1, 1e-6, 1e-12, 2**40))
            else:
                target[key] = copy.deepcopy(rng.choice(HOSTILE))
            break
    return value


@pytest.fixture
def requests(member, admin_client, digits, constant):
    """Requests that are right, as method, path, document and token."""
    admin_client.post("/rounds", {"name": "r1", "track": "search", "days": 1})
    run = member.post("/runs", {"round": "r1", "agent": "ants/walker@1"}).json()["id"]
    instance = member.get(f"/runs/{run}/instance").json()
    token = {"name": "t", "scopes": ["submit"], "days": 1}
    submission = {"agent": "ants/walker@1", "record": digits()}
    evaluations = {"first": 1, "designs": [constant(instance), constant(instance, 5, 5)]}
    mine, root = member.secret, admin_client.secret
    round_ = {"name": "r2", "track": "search", "days": 1, "objective": "latency", "instances": 10}
    posts = [
        *[("/submissions", submission, mine)] * 4,
        *[(f"/runs/{run}/evaluations", evaluations, mine)] * 4,
        ("/runs", {"round": "r1", "agent": "ants/walker@1"}, mine),
        ("/agents", {"agent": "ants/walker@3", "code": "https://x.org/a"}, mine),
        ("/tokens", token, mine),
        ("/teams", {"team": "bees"}, mine),
        ("/invitations", {"team": "ants"}, mine),
        ("/invitations/accept", {"code": "x", "user": "bob", "team": "bees"}, None),
        ("/disputes", {"number": 1, "text": "why"}, mine),
        ("/withdrawals", {"number": 1, "reason": "why"}, root),
        ("/rounds", round_, root),
    ]
    gets = [
        ("/rankings/designs/LRMP-Digits-v0", {"as_of": "1", "limit": 5, "offset": 0}, None),
        ("/rankings/rounds/r1", {"evaluations": 100, "as_of": "2026-01-01"}, None),
        ("/log", {"after": 1, "limit": 5}, None),
        ("/log/1", {}, None),
        ("/jobs/1", {}, None),
        ("/submissions", {"agent": "ants/walker@1", "state": "waiting"}, None),
        ("/submissions/x", {}, None),
        (f"/runs/{run}", {}, None),
        (f"/runs/{run}/instance", {}, mine),
        ("/runs", {"round": "r1", "agent": "ants/walker@1"}, None),
        ("/agents", {"team": "ants", "after": ""}, None),
        ("/agents/ants/walker@1", {}, None),
        ("/disputes", {"number": 1, "state": "open"}, None),
        ("/export/designs/LRMP-Digits-v0", {"to": "csv"}, None),
        ("/badges/rounds/r1/ants/walker@1.svg", {}, None),
        ("/tasks/LRMP-Digits-v0", {}, None),
    ]
    return [("POST", *each) for each in posts] + [("GET", *each) for each in gets]


@pytest.mark.long
def test_no_mutated_request_is_a_fault_or_wrongly_accepted(board, requests, worker):
    http = TestClient(create_app(board), raise_server_exceptions=False)
    rng, statuses = random.Random(11), Counter()
    for number in range(MUTATIONS):
        method, path, document, secret = rng.choice(requests)
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        if rng.random() < 0.05:
            headers["Authorization"] = rng.choice(SECRET_HEADERS).encode()
        if rng.random() < 0.1:
            headers["Idempotency-Key"] = rng.choice(("k", "", "x" * 200, "\x7f")).encode()
        if rng.random() < 0.1:
            at = rng.randrange(len(path) + 1)
            path = path[:at] + rng.choice(("%00", "/", "..", "%ff", "é", "'", "9" * 30)) + path[at:]
        changed = mutate(document, rng)
        if method == "GET":
            query = {name: _text(value) for name, value in changed.items()}
            answer = http.get(f"/api/v1{path}", params=query, headers=headers)
        else:
            content = rng.choice(BYTES) if rng.random() < 0.1 else json.dumps(changed).encode()
            headers["Content-Type"] = "application/json"
            answer = http.post(f"/api/v1{path}", content=content, headers=headers)
        statuses[answer.status_code] += 1
        assert answer.status_code < 500, (number, method, path, changed, answer.text)
    worker()
    print(f"{MUTATIONS} mutations: {dict(statuses)}")

    # What was accepted is as it says: everything is computed again from the log.
    with board.database.read() as session:
        items = read_items(session)
    contents = Contents()
    contents.check(items)
    assert contents.wrong == []


def test_evaluations_that_were_counted_are_designs(board, requests, member):
    """Mutations of a request with designs alone: what is counted can be read back."""
    ((_, path, document, _), *_) = [each for each in requests if "evaluations" in each[1]]
    rng = random.Random(5)
    run = path.split("/")[2]
    for _ in range(MUTATIONS // 3):
        first = member.get(f"/runs/{run}").json()["evaluations"] + 1
        content = json.dumps(mutate(document | {"first": first}, rng))
        headers = member.headers | {"Content-Type": "application/json"}
        member.http.post(f"/api/v1{path}", content=content, headers=headers)
    from lrmp.leaderboard.board.database.models import Evaluation, Round

    with board.database.read() as session:
        secret = session.get_one(Round, "r1").secret
        rows = session.query(Evaluation).all()
    task = instance_task(secret, "r1", "ants/walker@1", 0, "latency")
    for row in rows:
        try:
            read_settings(task, json.loads(row.settings))
        except LRMPError as error:
            pytest.fail(f"{row.settings}: {error}")
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))


def _text(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode()[:3000]
