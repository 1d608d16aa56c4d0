"""Whatever is changed behind the board's back is found."""

import json
import shutil

import pytest
import sqlalchemy as sa

from lrmp.envs import load_task
from lrmp.errors import BoardError
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.log.mirror import Mirror
from lrmp.leaderboard.board.log.signing import load_signer
from lrmp.leaderboard.board.service import accounts
from lrmp.leaderboard.board.settings import BoardSettings
from lrmp.leaderboard.board.verification import verify_file
from lrmp.leaderboard.board.verification.links import check_links, check_prefix
from lrmp.leaderboard.board.verification.shown import check_rankings
from lrmp.leaderboard.board.verification.verify import Verdict, read_mirror
from lrmp.leaderboard.chain import link
from lrmp.leaderboard.log.append import read_items
from lrmp.leaderboard.log.item import Item, canonical, chained
from lrmp.leaderboard.log.tables import LogItem

pytestmark = pytest.mark.long


@pytest.fixture
def busy(board, fill):
    """A board of each kind of database."""
    return fill(board)


@pytest.fixture(scope="module")
def kept(tmp_path_factory, fill):
    """One board for all tests that read only its log."""
    made = Board(BoardSettings(folder=tmp_path_factory.mktemp("kept"), requests_per_minute=0))
    yield fill(made)
    made.close()


@pytest.fixture(scope="module")
def items(kept):
    return log_of(kept)


def log_of(board):
    with board.database.read() as session:
        return read_items(session)


class Served:
    """Asks the test's own board as a client does."""

    def __init__(self, client):
        self._client = client

    def get(self, path, **query):
        answer = self._client.get(path, **query)
        assert answer.status_code == 200
        return answer.json()


def rewritten(items, changed, signer=None):
    """Chain items anew from the changed one on, signed by somebody."""
    found = list(items[: changed.number - 1])
    for item in (changed, *items[changed.number :]):
        row = chained(item.number, item.kind, item.at, item.body, found[-1].chain)
        chain = link(row)
        key = signer.public if signer else item.key
        signature = signer.sign(item.number, chain) if signer else item.signature
        found.append(Item(**row, chain=chain, key=key, signature=signature))
    return found


def edited(item, **changes):
    values = dict(vars(item)) | {"body": canonical(item.content | changes)}
    return Item(**values)


def save(path, items):
    path.write_text("".join(item.to_line() for item in items))
    return path


def test_an_honest_board_has_nothing_wrong(busy, client):
    items = log_of(busy)
    verdict = verify_file(busy.settings.mirror_path)
    assert verdict == Verdict(
        wrong=[],
        items=len(items),
        head=items[-1].chain,
        key=busy.signer.public,
        replayed=3,
        unknown=0,
        rescored=4,
        checked=0,
        unproven=0,
    )
    assert check_rankings(Served(client), items) == []


@pytest.mark.long
def test_a_second_administrators_edit_of_the_ranking_is_found(busy, client):
    items = log_of(busy)
    with busy.database.write() as session:
        session.execute(sa.text("UPDATE design_standings SET score = 9.5"))
    (sentence,) = check_rankings(Served(client), items)
    assert sentence.startswith("ranking of LRMP-Digits-v0")
    with busy.database.write() as session:
        session.execute(sa.text("DELETE FROM run_standings WHERE agent = 'ants/walker@1'"))
    assert len(check_rankings(Served(client), items)) == 4  # at three budgets of the round


@pytest.mark.long
def test_a_forged_or_hidden_dispute_is_found(busy, client, admin_client):
    admin_client.post("/disputes", {"number": 2, "text": "why"})
    items = log_of(busy)
    assert check_rankings(Served(client), items) == []
    for forgery in ("UPDATE disputes SET text = 'fine'", "DELETE FROM disputes"):
        with busy.database.write() as session:
            session.execute(sa.text(forgery))
        assert check_rankings(Served(client), items) == ["disputes: they are not those of the log"]


FORGED_ROW = """
    INSERT INTO design_standings (number, ordinal, submission, task, fingerprint, agent, design,
        score, merit, gain, accuracy_drop, accuracy, latency_cycles, bottleneck_cycles, tiles, at)
    SELECT 1, {ordinal}, submission, {task}, {fingerprint}, agent, design, 9.5, 9.5, 99,
        accuracy_drop, accuracy, latency_cycles, bottleneck_cycles, tiles, at
    FROM design_standings ORDER BY number LIMIT 1
"""
MLP = load_task("LRMP-MLP-v0")


@pytest.mark.long
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        # A row that no item of the log stands behind, on a task that the log has and on another.
        (
            FORGED_ROW.format(ordinal=3, task="task", fingerprint="fingerprint"),
            "place 1 is not what the log gives",
        ),
        (
            FORGED_ROW.format(ordinal=1, task=f"'{MLP.id}'", fingerprint=f"'{MLP.fingerprint}'"),
            "ranking of LRMP-MLP-v0: the log has no design of it",
        ),
        ("UPDATE design_standings SET ordinal = 9", "expected 1 designs, got 8"),
        ("UPDATE design_standings SET agent = 'ants/walker@2'", "place 1 is not what the log"),
        ("UPDATE design_standings SET withdrawn_by = NULL", "expected 1 designs, got 2"),
        ("DELETE FROM design_standings", "expected 1 designs, got 0"),
        ("UPDATE agents SET code = 'https://evil.example.org'", "its name or code is not the one"),
        ("UPDATE rounds SET commitment = secret", "the round r1 is not the one that the log op"),
        ("UPDATE rounds SET secret = commitment", "the round r1 tells another secret than the"),
    ],
)
def test_rows_that_no_item_stands_behind_are_found(busy, client, edit, message):
    with busy.database.write() as session:
        session.execute(sa.text(edit))
    wrong = check_rankings(Served(client), log_of(busy))
    assert any(message in sentence for sentence in wrong), wrong


def test_credit_that_was_taken_is_found(board, fill, client, worker, digits):
    """Equal designs: the second one is known as the first, whatever the rows say."""
    filled = fill(board)
    member = client.of(accounts.add_admin(board, "root"))
    assert member.post("/teams", {"team": "wasps"}).status_code == 201
    assert member.post("/agents", {"agent": "wasps/copy@1"}).status_code == 201
    member.post("/submissions", {"agent": "wasps/copy@1", "record": digits(seed=7)})
    worker()
    items = log_of(filled)
    assert check_rankings(Served(client), items) == []
    row = client.get("/rankings/designs/LRMP-Digits-v0").json()["designs"][1]
    assert row["known_as"] is not None
    with filled.database.write() as session:
        session.execute(
            sa.text("UPDATE design_standings SET design = submission WHERE agent LIKE 'wasps%'")
        )
    row = client.get("/rankings/designs/LRMP-Digits-v0").json()["designs"][1]
    assert row["known_as"] is None
    (sentence,) = check_rankings(Served(client), items)
    assert "place 2 is not what the log gives" in sentence


@pytest.mark.parametrize("answer", [[{}], [7], [{"id": 1}], {}, "x", None, 7])
def test_a_server_that_answers_something_else_is_told_of(items, answer):
    class Hostile:
        address = "https://evil.example.org"

        def get(self, path, **query):
            return answer

    with pytest.raises(BoardError, match="Expected rankings, rounds and agents as a board answers"):
        check_rankings(Hostile(), items)


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE log SET body = replace(body, '\"tiles\"', '\"tilez\"') WHERE kind = 'design'",
        "DELETE FROM log WHERE kind = 'refused'",
        "UPDATE log SET at = '2020-01-01T00:00:00.000000Z' WHERE kind = 'withdrawn'",
        "UPDATE log SET kind = 'design' WHERE kind = 'refused'",
        "UPDATE log SET previous = chain WHERE kind = 'round-opened'",
    ],
)
def test_edited_rows_of_the_log_are_found(kept, edit):
    with kept.database.engine.connect() as connection:
        connection.execute(sa.text(edit))
        rows = connection.execute(sa.select(LogItem).order_by(LogItem.number)).mappings()
        assert check_links([Item(**row) for row in rows])
        connection.rollback()


def test_a_log_chained_anew_lacks_signatures(items, tmp_path):
    design = next(item for item in items if item.kind == "design")
    forged = edited(design, agent="ants/walker@2")
    wrong = check_links(rewritten(items, forged))
    assert wrong[0] == f"item {design.number}: its signature does not hold"
    other = load_signer(tmp_path / "other.pem", make=True)
    wrong = check_links(rewritten(items, forged, other))
    assert f"signed by the key {other.public[:16]}" in wrong[0]


def test_whoever_has_the_key_too_is_found_by_a_mirror_that_was_kept(kept, items, tmp_path):
    design = next(item for item in items if item.kind == "design")
    forged = rewritten(items, edited(design, agent="ants/walker@2"), kept.signer)
    assert check_links(forged) == []
    assert check_prefix(forged, items[: design.number - 1]) == []
    (sentence,) = check_prefix(forged, items)
    assert f"item {design.number}: it was another one" in sentence
    assert check_prefix(items[:-1], items) == [
        f"item {len(items)}: it was there earlier and is gone"
    ]


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("design", {"test_accuracy_drop": -5.0}, "expected test_accuracy_drop"),
        ("design", {"sha256": "0" * 64}, "does not match its SHA-256"),
        ("design", {"claim": {}}, "expected claim"),
        ("run-opened", {"fingerprint": "0" * 64}, "its instance is not"),
        ("run-opened", {"instance": 3}, "expected run 0"),
        ("run-finished", {"optimum": {"value": 0.1, "bound": 0.1}}, "expected an optimum"),
        ("run-finished", {"evaluations": []}, "expected scores"),
        ("round-closed", {"secret": "00" * 32}, "whose hash was published"),
        ("withdrawn", {"number": 1}, "it withdraws item 1, which is key"),
    ],
)
def test_a_board_that_signs_what_is_not_so_is_found(kept, items, tmp_path, kind, change, message):
    changed = edited(next(item for item in items if item.kind == kind), **change)
    path = save(tmp_path / "forged.jsonl", rewritten(items, changed, kept.signer))
    assert any(message in sentence for sentence in verify_file(path).wrong)


def test_a_raised_score_of_one_evaluation_is_found(kept, items, tmp_path):
    item = next(item for item in items if item.kind == "run-finished")
    (settings, score), second = item.content["evaluations"]
    changed = edited(item, evaluations=[[settings, score + 1e-6], second])
    path = save(tmp_path / "forged.jsonl", rewritten(items, changed, kept.signer))
    assert any("evaluation 1: expected score" in each for each in verify_file(path).wrong)


def test_a_run_that_was_hidden_is_found(kept, items, tmp_path):
    """Without the items of a bad run the round looks whole, but the next run's number does not."""
    first = next(item for item in items if item.kind == "run-opened")
    run = first.content["run"]
    others = [item for item in items if item.content.get("run") != run]
    renumbered = [Item(**dict(vars(item)) | {"number": n}) for n, item in enumerate(others, 1)]
    forged = rewritten(renumbered, renumbered[first.number - 1], kept.signer)
    assert check_links(forged) == []
    assert check_prefix(forged, items)


def test_keys_are_rotated_and_the_old_one_signs_it(board):
    old = board.signer.public
    new = board.rotate_key()
    with board.database.write() as session:
        board.log(session, "agent", {"agent": "ants/walker@9", "code": None})
    with board.database.read() as session:
        items = read_items(session)
    assert (items[-2].key, items[-1].key) == (old, new)
    assert check_links(items, first_key=old) == []
    assert check_links(items, first_key=new)
    again = Board(board.settings)  # reads the new key's file
    assert again.signer.public == new
    again.close()


def test_a_rotation_that_was_cut_off_is_finished(board):
    path = board.settings.key_path
    shutil.copy(path, path.with_suffix(".kept"))
    new = board.rotate_key()
    shutil.copy(path, path.with_suffix(".next.pem"))
    shutil.copy(path.with_suffix(".kept"), path)  # the log says the new one, the file the old
    again = Board(board.settings)
    assert again.signer.public == new
    assert not path.with_suffix(".next.pem").exists()
    again.close()


def test_another_key_does_not_start(board):
    board.settings.key_path.unlink()
    with pytest.raises(BoardError, match="Expected a signing key in"):
        Board(board.settings)
    load_signer(board.settings.key_path, make=True)
    with pytest.raises(BoardError, match=r"Expected the signing key .* Restore the file"):
        Board(board.settings)


def test_a_mirror_that_a_crash_tore_is_mended(kept):
    path = kept.settings.mirror_path
    whole = path.read_bytes()
    for cut in (1, 100, len(whole) // 2, len(whole) - 1, len(whole)):
        path.write_bytes(whole[: len(whole) - cut])
        Mirror(path).catch_up(kept.database)
        assert path.read_bytes() == whole


@pytest.mark.parametrize("text", ["{}\n", "[]\n", "nonsense\n", '{"number": 1}\n', "\x00\n"])
def test_what_is_no_mirror_is_refused(tmp_path, text):
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(BoardError, match="Expected an item in line 1"):
        read_mirror(path)


def test_bodies_that_no_board_writes_are_reported_not_fatal(kept, items, tmp_path):
    for number, body in enumerate(("[]", "null", '{"record":[]}', "[" * 5000), start=2):
        changed = Item(**dict(vars(items[number])) | {"body": body})
        path = save(tmp_path / f"{number}.jsonl", rewritten(items, changed, kept.signer))
        assert any("none that a board writes" in each for each in verify_file(path).wrong)


def test_items_are_sent_as_they_are_mirrored(busy, client):
    items, sent = log_of(busy), client.get("/log").json()
    assert [json.dumps(item) + "\n" for item in sent] == [item.to_line() for item in items]
