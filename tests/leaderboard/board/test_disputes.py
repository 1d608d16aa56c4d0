"""A dispute and its answer are items of the log, like all that is shown."""

import pytest

from lrmp.leaderboard.board.verification import verify_file
from lrmp.leaderboard.board.verification.shown import check_rankings
from lrmp.leaderboard.log.append import append, read_items
from lrmp.leaderboard.log.standings import rebuild

pytestmark = pytest.mark.long


class Served:
    """Asks the test's own board as a client does."""

    def __init__(self, client):
        self._client = client

    def get(self, path, **query):
        answer = self._client.get(path, **query)
        assert answer.status_code == 200
        return answer.json()


def log_of(board):
    with board.database.read() as session:
        return read_items(session)


@pytest.fixture
def design(board, member, worker, digits):
    """The number of an accepted design."""
    member.post("/submissions", {"agent": "ants/walker@1", "record": digits()})
    worker()
    return log_of(board)[-1].number


@pytest.fixture
def disputed(member, design):
    answer = member.post("/disputes", {"number": design, "text": "it is mine"})
    assert answer.status_code == 201
    return answer.json()


def test_a_dispute_is_an_item(board, design, disputed, client):
    item = log_of(board)[-1]
    assert (item.kind, item.number) == ("disputed", disputed["number"])
    assert item.content == {
        "dispute": disputed["id"],
        "number": design,
        "user": "ann",
        "text": "it is mine",
    }
    assert disputed["created_at"] == item.at
    assert client.get("/disputes").json() == [disputed]
    assert client.get("/disputes", before=disputed["number"]).json() == []


@pytest.mark.parametrize("verdict", ["upheld", "dismissed"])
def test_an_answer_is_an_item_and_an_upheld_one_withdraws(
    board, admin_client, client, design, disputed, verdict
):
    path = f"/disputes/{disputed['id']}/answer"
    row = admin_client.post(path, {"verdict": verdict, "text": "seen"}).json()
    *before, item = log_of(board)
    assert (item.kind, row["answered_by"]) == ("answered", item.number)
    assert item.content == {"dispute": disputed["id"], "verdict": verdict, "text": "seen"}
    withdrawn = [i.content for i in before if i.kind == "withdrawn"]
    assert withdrawn == ([{"number": design, "reason": "seen"}] if verdict == "upheld" else [])
    assert (row["state"], row["answer"], row["closed_at"]) == (verdict, "seen", item.at)
    assert admin_client.post(path, {"verdict": verdict, "text": "again"}).status_code == 409
    assert client.get("/disputes", state=verdict).json() == [row]
    assert verify_file(board.settings.mirror_path, with_replays=False).wrong == []
    assert check_rankings(Served(client), log_of(board)) == []


def test_disputes_are_written_anew_from_the_log(board, admin_client, client, disputed):
    admin_client.post(
        f"/disputes/{disputed['id']}/answer", {"verdict": "upheld", "text": "it is right"}
    )
    before = client.get("/disputes").json()
    items = log_of(board)
    with board.database.write() as session:
        assert rebuild(session, items) == items[-1].number
    assert client.get("/disputes").json() == before


NEVER = {"dispute": "0" * 24, "verdict": "dismissed", "text": "no"}


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("answered", NEVER, "it answers no dispute that was open"),
        ("answered", {"verdict": "upheld"}, "it upholds a dispute, but item"),
        ("answered", {"verdict": "maybe"}, "expected a verdict of upheld or dismissed"),
        ("disputed", {"number": 999}, "it disputes item 999, which was not there"),
        ("disputed", {}, "the dispute was opened before"),
        ("disputed", {"dispute": "1" * 24, "user": ""}, "nobody opened it"),
        ("disputed", {"dispute": "1" * 24, "text": " "}, "with nothing to say"),
    ],
)
def test_a_board_that_signs_a_dispute_that_was_not_so_is_found(
    board, disputed, kind, body, message
):
    known = {name: disputed[name] for name in ("user", "text")} | {
        "number": disputed["log_number"],
        "dispute": disputed["id"],
        "verdict": "dismissed",
    }
    names = ("dispute", "verdict", "text")
    if kind == "disputed":
        names = ("dispute", "number", "user", "text")
    with board.database.write() as session:  # past the standings
        append(session, board.signer, kind, {name: (known | body)[name] for name in names})
    board.mirror.catch_up(board.database)
    wrong = verify_file(board.settings.mirror_path, with_replays=False).wrong
    assert any(message in sentence for sentence in wrong), wrong
