"""Withdrawals and disputes: items of the log, all of them."""

import secrets
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.errors import ConflictError, MalformedError, NotFoundError
from lrmp.leaderboard.board.service.allowance import MOST_DISPUTES, refuse_more
from lrmp.leaderboard.board.service.principal import Principal
from lrmp.leaderboard.log.append import lock_head
from lrmp.leaderboard.log.item import Item
from lrmp.leaderboard.log.tables import DesignStanding, DisputeStanding, LogItem, RunStanding

MAX_TEXT = 2000
WITHDRAWABLE = ("design", "run-opened", "run-finished")


@dataclass(frozen=True)
class DisputeRow:
    """A dispute.

    Attributes:
        number: In the log, of the item that opens it.
        id: Names it.
        log_number: Of the item that is doubted.
        user: Who doubts.
        text: Why.
        state: ``"open"``, ``"upheld"`` or ``"dismissed"``.
        answered_by: In the log, of the item that answers it, or None.
        answer: What was answered, or None.
        created_at: When it was opened.
        closed_at: When it was closed, or None.
    """

    number: int
    id: str
    log_number: int
    user: str
    text: str
    state: str
    answered_by: int | None
    answer: str | None
    created_at: str
    closed_at: str | None


def withdraw(board: Board, principal: Principal, number: int, reason: str) -> Item:
    """Take an item out of the rankings. It stays in the log, and so does the reason.

    Args:
        board: The board.
        principal: An administrator.
        number: Of an accepted design, or of the opening or end of a run.
        reason: Why.

    Returns:
        The item that says so.

    Raises:
        NotAllowedError: If the asking token may not.
        NotFoundError: If there is no such item.
        ConflictError: If it is of another kind, or withdrawn.
        MalformedError: If the reason is empty or too long.
    """
    principal.require("admin")
    _check_text("reason", reason)
    with board.database.write() as session:
        item = _withdraw(board, session, number, reason)
    board.mirror.catch_up(board.database)
    return item


def dispute(board: Board, principal: Principal, number: int, text: str) -> DisputeRow:
    """Doubt an item of the log.

    Args:
        board: The board.
        principal: Anybody who may sign in.
        number: Of the item.
        text: Why.

    Returns:
        The dispute.

    Raises:
        NotAllowedError: If the asking token may not.
        NotFoundError: If there is no such item.
        MalformedError: If the text is empty or too long.
        TooManyError: If the user has as many open disputes as one may.
    """
    principal.require("manage")
    _check_text("text", text)
    with board.database.write() as session:
        _item(session, number)
        table = DisputeStanding
        mine = (table.user == principal.user, table.state == "open")
        refuse_more(session, MOST_DISPUTES, "open disputes of a user", *mine)
        body = {
            "dispute": secrets.token_hex(12),
            "number": number,
            "user": principal.user,
            "text": text,
        }
        item = board.log(session, "disputed", body)
        row = _row(session, item.content["dispute"])
    board.mirror.catch_up(board.database)
    return row


def answer(
    board: Board, principal: Principal, dispute_id: str, text: str, *, uphold: bool
) -> DisputeRow:
    """Close a dispute; where it is upheld, its item is withdrawn.

    Args:
        board: The board.
        principal: An administrator.
        dispute_id: Of the dispute.
        text: The answer, which is the reason of a withdrawal.
        uphold: Whether it is right.

    Returns:
        The dispute.

    Raises:
        NotAllowedError: If the asking token may not.
        NotFoundError: If there is no such dispute.
        ConflictError: If it is closed, or its item cannot be withdrawn.
        MalformedError: If the text is empty or too long.
    """
    principal.require("admin")
    _check_text("answer", text)
    with board.database.write() as session:
        which = sa.select(DisputeStanding).where(DisputeStanding.id == dispute_id)
        found = session.scalars(which.with_for_update()).one_or_none()
        if found is None:
            raise NotFoundError(f"Expected a dispute of the board, got {dispute_id[:40]!r}.")
        if found.state != "open":
            raise ConflictError(f"Expected a dispute that is open, got one that is {found.state}.")
        if uphold:
            _withdraw(board, session, found.log_number, text)
        verdict = "upheld" if uphold else "dismissed"
        body = {"dispute": dispute_id, "verdict": verdict, "text": text}
        board.log(session, "answered", body)
        row = _row(session, dispute_id)
    board.mirror.catch_up(board.database)
    return row


def list_disputes(
    board: Board,
    *,
    number: int | None = None,
    state: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[DisputeRow]:
    """List disputes.

    Args:
        board: The board.
        number: Only of this item of the log.
        state: Only in this state.
        before: Only those that an earlier item than this one opened.
        limit: How many at most.

    Returns:
        Newest first.
    """
    table = DisputeStanding
    query = _rows().order_by(table.number.desc()).limit(limit)
    if number is not None:
        query = query.where(table.log_number == number)
    if state is not None:
        query = query.where(table.state == state)
    if before is not None:
        query = query.where(table.number < before)
    with board.database.read() as session:
        return [DisputeRow(*row) for row in session.execute(query)]


def _withdraw(board: Board, session: Session, number: int, reason: str) -> Item:
    lock_head(session)  # of two who withdraw the same at once, the second sees the first
    found = _item(session, number)
    if found.kind not in WITHDRAWABLE:
        raise ConflictError(
            f"Expected an item of {', '.join(WITHDRAWABLE)} to withdraw, got {found.kind}."
        )
    run = RunStanding
    withdrawn = sa.union_all(
        sa.select(DesignStanding.withdrawn_by).where(DesignStanding.number == number),
        sa.select(run.withdrawn_by).where((run.opened == number) | (run.finished == number)),
    )
    if session.scalar(withdrawn) is not None:
        raise ConflictError(f"Expected an item that is not withdrawn, got {number}.")
    return board.log(session, "withdrawn", {"number": number, "reason": reason})


def _item(session: Session, number: int) -> LogItem:
    found = session.get(LogItem, number) if 0 < number < 2**31 else None
    if found is None:
        raise NotFoundError(f"Expected an item of the log, got {number}.")
    return found


def _check_text(name: str, text: str) -> None:
    if not text.strip() or len(text) > MAX_TEXT:
        raise MalformedError(f"Expected {name} of 1 to {MAX_TEXT} characters, got {len(text)}.")


def _rows() -> Any:  # SQLAlchemy 2.0 and 2.1 name the type of many columns differently
    return sa.select(*(getattr(DisputeStanding, name) for name in DisputeRow.__dataclass_fields__))


def _row(session: Session, dispute_id: str) -> DisputeRow:
    return DisputeRow(*session.execute(_rows().where(DisputeStanding.id == dispute_id)).one())
