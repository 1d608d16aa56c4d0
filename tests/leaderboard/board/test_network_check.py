"""Accepted designs are run on their networks where the board can; where not, it says so."""

import json
import math
from dataclasses import replace

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from lrmp.envs import Record, evaluate
from lrmp.leaderboard.board.api.app import create_app
from lrmp.leaderboard.board.pages.routes import page_routes
from lrmp.leaderboard.board.service import checks, jobs, rankings
from lrmp.leaderboard.board.verification.contents import Contents
from lrmp.leaderboard.board.verification.shown import check_rankings
from lrmp.leaderboard.board.worker.sandbox import Sandbox
from lrmp.leaderboard.board.worker.worker import Worker
from lrmp.leaderboard.log.append import read_items
from lrmp.leaderboard.log.item import Item, canonical
from lrmp.leaderboard.log.rank import rank_log

pytestmark = pytest.mark.long

TASK = "LRMP-LeNet-v0"
LENET = {"weight_bits": [6, 4, 4, 5], "activation_bits": [5, 5, 6, 8]}
FOUND = {
    "network": "lenet",
    "protocol": "0" * 64,
    "drop": 0.5,
    "low": 0.25,
    "high": 0.75,
    "images": 10000,
    "runs": 1,
    "checked_with": {"lrmp": "0.1.0"},
}


@pytest.fixture
def settings(settings):
    return replace(settings, network_checks=True)


@pytest.fixture(scope="session")
def lenet():
    """Make records of LeNet's task, whose accuracy is a table."""

    def record(values=LENET, seed=0):
        made = Record.of(
            evaluate(TASK, values),
            agent="tester",
            seed=seed,
            evaluated_designs=100,
            env_steps=0,
            wall_time_s=1.5,
        )
        return json.loads(made.to_line())

    return record


class Networks:
    """Stands for the process that runs networks: answers at once, and counts."""

    def __init__(self, answer):
        self.answer, self.called = answer, 0

    def call(self, work, text, **_):
        assert work == "check"
        self.called += 1
        return json.dumps(self.answer)

    def close(self):
        pass


def work(board, sandbox, networks):
    worker, kinds = Worker(board, sandbox, networks), []
    while (leased := jobs.count(board)["waiting"]) and worker.do_one():
        kinds.append(leased)
    return len(kinds)


def submit(member, record, agent="ants/walker@1"):
    answer = member.post("/submissions", {"agent": agent, "record": record})
    assert answer.status_code == 202
    return answer.json()["id"]


def log_of(board):
    with board.database.read() as session:
        return read_items(session)


def test_lenet_is_run_on_the_test_images(board, member, admin_client, sandbox, lenet, data):
    pytest.importorskip("torch")
    from lrmp.accuracy.lab.evaluator import NetworkEvaluator
    from lrmp.accuracy.lab.protocol import load_protocol
    from lrmp.envs import load_task

    networks = Sandbox(board.settings.check_memory_mb, 600)
    mine = submit(member, lenet())
    assert work(board, sandbox, networks) == 2
    found = member.get(f"/submissions/{mine}/network").json()

    task = load_task(TASK)
    subject = load_protocol("lenet").subject(data)
    design = evaluate(TASK, LENET).design
    expected = NetworkEvaluator(subject, chip=task.accelerator).evaluate(design, "test")
    assert (found["state"], found["images"]) == ("checked", expected.images)
    assert found["drop"] == expected.drop
    assert (found["low"], found["high"]) == expected.interval()
    assert found["low"] < found["drop"] < found["high"]

    (design,) = rankings.designs(board, TASK).designs
    assert (design.network_drop, design.network_check) == (expected.drop, found["number"])
    items = log_of(board)
    contents = Contents(with_networks=True)
    contents.check(items)
    assert (contents.wrong, contents.checked) == ([], 1)
    # A board that signs another drop is found.
    forged = [lie(item, drop=0.0, low=0.0) if item.kind == "checked" else item for item in items]
    contents = Contents(with_replays=False, with_networks=True)
    contents.check(forged)
    assert any("expected a drop of" in sentence for sentence in contents.wrong)
    networks.close()


def lie(item, **changes):
    return Item(**dict(vars(item)) | {"body": canonical(item.content | changes)})


def test_where_there_are_no_images_it_says_so(
    board, member, admin_client, sandbox, lenet, tmp_path, monkeypatch
):
    pytest.importorskip("torch")
    monkeypatch.setenv("LRMP_DATA", str(tmp_path / "nothing"))
    networks = Sandbox(board.settings.check_memory_mb, 600)
    mine = submit(member, lenet())
    assert work(board, sandbox, networks) == 2
    networks.close()
    found = member.get(f"/submissions/{mine}/network").json()
    assert found["state"] == "not run"
    assert found["reason"].startswith("lenet could not be run: Expected ")
    assert "LRMP_DATA" in found["reason"]
    assert str(tmp_path) not in found["reason"]
    page = TestClient(create_app(board, page_routes()))
    assert "not run: <span" in page.get(f"/submissions/{mine}").text
    assert "not run</td>" in page.get(f"/tasks/{TASK}").text
    assert [item.kind for item in log_of(board)].count("checked") == 0
    # With the images in place an administrator lets it be tried again.
    with board.database.read() as session:
        (job,) = session.execute(sa.text("SELECT id FROM jobs WHERE kind = 'check'")).scalars()
    assert member.post(f"/jobs/{job}/retry").status_code == 403
    assert admin_client.post(f"/jobs/{job}/retry").json()["state"] == "waiting"
    assert checks.find(board, mine).state == "waiting"
    work(board, sandbox, Networks({"checked": FOUND}))
    assert checks.find(board, mine).drop == 0.5
    assert admin_client.post(f"/jobs/{job}/retry").status_code == 409


def test_a_check_is_an_item_of_the_log_and_shown(board, member, client, sandbox, lenet):
    networks = Networks({"checked": FOUND})
    mine = submit(member, lenet())
    work(board, sandbox, networks)
    design, check = log_of(board)[-2:]
    assert (check.kind, check.content) == (
        "checked",
        FOUND | {"number": design.number, "submission": mine},
    )
    page = TestClient(create_app(board, page_routes()))
    assert (
        "drop 0.50 points, 95 % interval 0.25 to 0.75, on 10"
        in page.get(f"/submissions/{mine}").text
    )
    drop = '0.50 <span class="whole">[0.25, 0.75]</span>'
    assert f'<a href="/log/{check.number}">{drop}</a>' in page.get(f"/tasks/{TASK}").text
    assert "item 4</a> on its network: 0.50 points" in page.get("/log").text
    row = member.get(f"/rankings/designs/{TASK}").json()["designs"][0]
    told = {name: value for name, value in row.items() if name.startswith("network_")}
    assert told == {
        "network_drop": 0.5,
        "network_low": 0.25,
        "network_high": 0.75,
        "network_images": 10000,
        "network_check": check.number,
    }
    earlier = member.get(f"/rankings/designs/{TASK}", as_of=design.number).json()["designs"][0]
    assert earlier["network_drop"] is None
    assert "network_drop" in member.get(f"/export/designs/{TASK}", to="csv").text
    # What is shown of checks follows from the log, and an edit of it is found.
    items = log_of(board)
    assert [vars(d) for d in rank_log(items)[0].designs] == [row]
    assert check_rankings(_Served(client), items) == []
    with board.database.write() as session:
        session.execute(sa.text("UPDATE network_checks SET high = 0.6"))
    (sentence,) = check_rankings(_Served(client), items)
    assert "place 1 is not what the log gives" in sentence


class _Served:
    def __init__(self, client):
        self._client = client

    def get(self, path, **query):
        return self._client.get(path, **query).json()


def test_an_equal_design_is_not_run_again(board, member, sandbox, lenet):
    networks = Networks({"checked": FOUND})
    first, second = submit(member, lenet()), submit(member, lenet(seed=1), "ants/walker@2")
    work(board, sandbox, networks)
    third = submit(member, lenet(seed=2))
    work(board, sandbox, networks)
    assert networks.called == 1
    assert {checks.find(board, each).number for each in (first, second, third)} == {6}
    assert [item.kind for item in log_of(board)].count("checked") == 1


def test_replays_come_before_checks(board, member, sandbox, lenet):
    worker = Worker(board, sandbox, Networks({"checked": FOUND}))
    submit(member, lenet())
    assert worker.do_one()  # accepted; its check waits now
    submit(member, lenet({"weight_bits": 6, "activation_bits": 6}))
    assert worker.do_one()
    assert [item.kind for item in log_of(board)][-2:] == ["design", "design"]
    assert worker.do_one()
    assert log_of(board)[-1].kind == "checked"


def test_what_needs_no_check_is_not_run(board, member, sandbox, digits, lenet):
    networks = Networks({"checked": FOUND})
    own = submit(member, digits())
    bold = submit(member, lenet({"weight_bits": 2, "activation_bits": 2}))
    forged = lenet(seed=3)
    forged["claim"]["tiles"] += 1
    refused = submit(member, forged)
    work(board, sandbox, networks)
    assert networks.called == 0
    reasons = [checks.find(board, each) for each in (own, bold, refused)]
    assert {row.state for row in reasons} == {"not needed"}
    assert [row.reason for row in reasons] == [
        "drops on this task are the network's own",
        "the design is beyond the allowed drop",
        "accepted designs alone are run on the network",
    ]


def test_a_board_may_leave_it_out(settings, sandbox, board, member, lenet):
    board.settings = replace(settings, network_checks=False)
    mine = submit(member, lenet())
    assert work(board, sandbox, Networks({})) == 1
    found = checks.find(board, mine)
    assert (found.state, found.reason) == ("not run", "this board does not run networks")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": 2}, "it checks item 2, which is not that design"),
        ({"number": 99}, "it checks item 99"),
        ({"submission": "x"}, "which is not that design"),
        ({"low": 0.6}, "expected a drop within its interval"),
        ({"drop": 1000.0, "high": 1000.0}, "expected a drop within its interval"),
        ({"images": 0}, "expected a drop within its interval"),
        ({"drop": "x"}, "none that a board writes"),
    ],
)
def test_checks_that_no_board_makes_are_found(tmp_path, sandbox, lenet, change, message, kept_log):
    items = [lie(item, **change) if item.kind == "checked" else item for item in kept_log]
    contents = Contents(with_replays=False)
    contents.check(items)
    assert any(message in sentence for sentence in contents.wrong)


@pytest.fixture(scope="module")
def kept_log(lenet):
    """Items of a log with a design and its check."""
    from lrmp.leaderboard import replay
    from lrmp.leaderboard.entry import handed_in_here, replayed
    from lrmp.leaderboard.submission import parse_record

    record = parse_record(json.dumps(lenet()))
    body = handed_in_here(record, "2026-01-01T00:00:00.000000Z") | replayed(replay(record))
    check = FOUND | {"number": 1, "submission": body["submission"]}
    found = [
        Item(number, kind, "2026-01-01T00:00:00.000000Z", canonical(each), *"pcks")
        for number, (kind, each) in enumerate([("design", body), ("checked", check)], start=1)
    ]
    contents = Contents(with_replays=False)
    contents.check(found)
    assert contents.wrong == []
    assert math.isclose(rank_log(found)[0].designs[0].network_drop, 0.5)
    return found
