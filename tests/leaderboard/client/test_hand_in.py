"""Records handed in: from runs, files, and what RecordDesigns wrote."""

import json
from dataclasses import replace

import gymnasium as gym
import pytest

from lrmp.cli import main
from lrmp.envs.wrappers import RecordDesigns
from lrmp.errors import BoardError, RecordError
from lrmp.leaderboard.client.hand_in import (
    MOST_POINTS,
    best_curve,
    hand_in,
    read_records,
    wait_for,
)
from lrmp.leaderboard.replay import replay

CODE = "https://github.com/ants/walker"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """What a recorder wrote of 12 random designs, and the rewards of them."""
    path = tmp_path_factory.mktemp("recorded") / "designs.jsonl"
    env = RecordDesigns(gym.make("lrmp:LRMP-MLP-v0", discrete=True), path, agent="walker", seed=3)
    env.action_space.seed(0)
    for _ in range(12):
        env.reset()
        ended = False
        while not ended:
            _, _, ended, _, _ = env.step(env.action_space.sample())
    return path


def scores_of(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line["claim"]["score"] for line in lines]


def test_of_a_recorders_file_the_best_design_carries_the_curve(recorded):
    scores = scores_of(recorded)
    best = max(score for score in scores if score is not None)
    (record,) = read_records(recorded, CODE)
    assert record.claim.score == best
    assert record.code == CODE
    assert record.evaluated_designs == 12
    assert record.curve[-1][1] == best
    rises, so_far = [], float("-inf")
    for number, score in enumerate(scores, 1):
        if score is not None and score > so_far:
            so_far = score
            rises.append([number, score])
    assert record.curve == rises
    assert replay(record).claim == record.claim


def test_a_long_curve_keeps_its_ends(recorded):
    (record,) = read_records(recorded)
    many = [
        replace(record, evaluated_designs=n + 1, claim=replace(record.claim, score=n / 1e4))
        for n in range(1200)
    ]
    curve = best_curve(many)
    assert len(curve) == MOST_POINTS
    assert curve[0] == [1, 0.0]
    assert curve[-1] == [1200, 0.1199]
    assert curve == sorted(curve)


def test_designs_beyond_the_allowed_drop_have_no_curve(bold_record):
    assert best_curve([bold_record, bold_record]) is None


def test_files_of_several_runs_are_read_as_they_are(write, digits_record):
    records = [digits_record, replace(digits_record, seed=1)]
    path = write([record.to_line() for record in records])
    assert read_records(path) == records


@pytest.mark.parametrize("line", ['{"schema_version": 2}', "no JSON", "[1]"])
def test_a_damaged_line_is_named(write, digits_record, line):
    path = write([digits_record.to_line(), line])
    with pytest.raises(RecordError, match=r"records.jsonl, line 2: expected"):
        read_records(path)


def test_a_record_is_handed_in_replayed_and_known(live_board, recorded):
    records = read_records(recorded)
    with live_board.connection() as connection:
        (first,) = hand_in(connection, "ants/walker@1", records)
        (again,) = hand_in(connection, "ants/walker@1", records)
        assert first.submission["id"] == again.submission["id"]
        done = wait_for(connection, first, 60)
        assert done.submission["state"] == "accepted"
        logged = json.loads(connection.get(f"/log/{done.submission['log_number']}")["body"])
        ranking = connection.get("/rankings/designs/LRMP-MLP-v0")
    assert logged["record"]["curve"] == records[0].curve
    assert ranking["designs"][0]["score"] == records[0].claim.score


def test_another_teams_agent_is_refused(live_board, digits_record):
    with live_board.connection(live_board.admin) as connection, pytest.raises(BoardError) as caught:
        hand_in(connection, "ants/walker@1", [digits_record])
    assert caught.value.status == 403


def lrmp(capsys, *words):
    code = main([*map(str, words)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.fixture
def signed_in(live_board, monkeypatch):
    monkeypatch.setenv("LRMP_TOKEN", live_board.member)
    return live_board.url


@pytest.mark.long
def test_lrmp_submit_hands_in_and_says_what_became_of_it(capsys, signed_in, write, digits_record):
    path = write([replace(digits_record, seed=71).to_line()])
    words = ("submit", path, "--board", signed_in, "--agent", "ants/new@1", "--code", CODE)
    code, out, _ = lrmp(capsys, *words)
    assert code == 0
    assert "accepted: LRMP-Digits-v0, ants/new@1, log " in out
    assert f"{signed_in}/submissions/" in out
    code, out, _ = lrmp(capsys, "leaderboard", "--board", signed_in, "--task", "LRMP-Digits-v0")
    assert code == 0
    assert "(certified optimum)" in out
    assert "ants/new@1" in out
    assert " %" in out
    found = json.loads(
        lrmp(capsys, "leaderboard", "--board", signed_in, "--round", "search-1", "--json")[1]
    )
    assert found[0]["track"] == "search"


def test_lrmp_submit_ends_with_1_where_the_board_refuses(capsys, signed_in, write, digits_record):
    claim = replace(digits_record.claim, tiles=digits_record.claim.tiles + 1)
    path = write([replace(digits_record, claim=claim).to_line()])
    words = ("submit", path, "--board", signed_in, "--agent", "ants/walker@1")
    code, out, _ = lrmp(capsys, *words)
    assert code == 1
    assert "refused: LRMP-Digits-v0" in out
    assert "expected tiles" in out


def test_lrmp_submit_without_an_agent_says_so(capsys, signed_in, write, digits_record):
    path = write([digits_record.to_line()])
    code, _, err = lrmp(capsys, "submit", path, "--board", signed_in)
    assert code == 2
    assert "Expected --agent TEAM/AGENT@VERSION beside --board" in err


def test_a_dry_run_stores_and_sends_nothing(capsys, signed_in, write, digits_record, tmp_path):
    path, store = write([replace(digits_record, seed=72).to_line()]), tmp_path / "store.sqlite"
    code, out, _ = lrmp(capsys, "submit", path, "--store", store, "--dry-run")
    assert (code, store.exists()) == (0, False)
    assert "replayed, nothing stored: LRMP-Digits-v0, tester, seed 72" in out
    words = ("submit", path, "--board", signed_in, "--agent", "ants/dry@1", "--dry-run")
    code, out, _ = lrmp(capsys, *words)
    assert code == 0
    assert "replayed here, nothing sent" in out


def test_the_local_leaderboard_takes_a_name_and_shows_the_gap(
    capsys, write, digits_record, tmp_path
):
    path, store = write([digits_record.to_line()]), tmp_path / "store.sqlite"
    code, out, _ = lrmp(capsys, "submit", path, "--store", store, "--agent", "by-hand")
    assert code == 0
    assert "replayed and stored: LRMP-Digits-v0, by-hand, seed 0" in out
    assert " to the optimum" in out
    _, out, _ = lrmp(capsys, "leaderboard", "--store", store)
    header, optimum, row = out.splitlines()[5:8]
    assert header.split()[:4] == ["place", "agent", "score", "gap"]
    assert optimum.split()[-2:] == ["0", "%"]
    assert row.split()[1] == "by-hand"
    assert row.split()[3].startswith("+")
    assert "%" in row


def test_lrmp_board_run_plays_a_round(capsys, signed_in):
    pytest.importorskip("tyro")
    words = ("board", "run", "random", "--board", signed_in, "--agent", "ants/cli@1")
    code, out, err = lrmp(capsys, *words, "--runs", 1, "--evaluations", 50)
    assert code == 0
    assert "run 0 (" in out
    assert "50 evaluations, finish" in out
    assert "search-1: 1 runs of at most 1000 evaluations, all of which count" in err
    code, _, err = lrmp(capsys, "board", "run", "--board", signed_in, "--agent", "ants/cli@1")
    assert code == 2
    assert "Expected an algorithm, or --play" in err
