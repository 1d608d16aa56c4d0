"""A board with contents: the repository's own records, and a round of each track."""

import json
from pathlib import Path

import lrmp
from lrmp.envs.records.record import Record
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.task.task import TASKS, load_task
from lrmp.errors import DesignError
from lrmp.hardware.space.design import Design
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.service import accounts, agents, rounds, submissions, tokens

TEAM = "lrmp"
ROUND_DAYS = 90.0


def study_records() -> Path:
    """Say where the records of the repository's study are.

    Returns:
        A file of JSON lines; in an installed wheel there is none.
    """
    return Path(lrmp.__file__).resolve().parents[2] / "docs" / "results" / "study" / "results.jsonl"


def read_best(path: Path) -> list[Record]:
    """Read the best design of every agent on every task, scored as this lrmp defines the task.

    Args:
        path: Results of a study, perhaps of earlier definitions of its tasks.

    Returns:
        Records of designs within the allowed drop.
    """
    best: dict[tuple[str, str], Record] = {}
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["accuracy"] or row["task"] not in TASKS:
            continue
        task = load_task(row["task"])
        try:
            names = [layer.name for layer in task.network.layers]
            settings = Design.from_json(row["design"], task.space, names).settings
        except DesignError:  # of other knobs or layers
            continue
        outcome = evaluate_settings(task, settings)
        if outcome.score is None:
            continue
        record = Record.of(
            outcome,
            agent=row["agent"],
            seed=row["seed"],
            evaluated_designs=row["evaluated_designs"],
            env_steps=row["env_steps"],
            wall_time_s=row["wall_time_s"],
        )
        known = best.get((task.id, record.agent))
        if known is None or (record.claim.score or 0.0) > (known.claim.score or 0.0):
            best[task.id, record.agent] = record
    return list(best.values())


def seed(board: Board, records: list[Record]) -> str:
    """Fill an empty board: workers replay the records while it is served.

    Args:
        board: The board.
        records: What to hand in.

    Returns:
        A token of its administrator, who is in the team of the records' agents.
    """
    secret = accounts.add_admin(board, "admin")
    admin = tokens.authenticate(board, secret)
    if TEAM not in accounts.account(board, admin).teams:
        accounts.found_team(board, admin, TEAM)
    for name in sorted({record.agent for record in records}):
        agents.register(board, admin, f"{TEAM}/{name}@1", None)
    for record in records:
        submissions.submit(board, admin, f"{TEAM}/{record.agent}@1", record.to_line())
    known = {found.name for found in rounds.list_rounds(board)}
    for name, track in (("search-1", "search"), ("zero-shot-1", "zero-shot")):
        if name not in known:
            rounds.open_round(board, admin, name, track, days=ROUND_DAYS)
    return secret
