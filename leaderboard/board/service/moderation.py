"""Withdrawals and disputes."""

import secrets
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.models import Dispute, User
from lrmp.leaderboard.board.errors import ConflictError, MalformedError, NotFoundError
from lrmp.leaderboard.board.service.allowance import MOST_DISPUTES, refuse_more
from lrmp.leaderboard.board.service.principal import Principal
from lrmp.leaderboard.log.append import lock_head
from lrmp.leaderboard.log.clock import now
from lrmp.leaderboard.log.item import Item
from lrmp.leaderboard.log.tables import DesignStanding, LogItem, RunStanding

MAX_TEXT = 2000
WITHDRAWABLE = ("design", "run-opened", "run-finished")


@dataclass(frozen=True)
class DisputeRow:
    """A dispute.

    Attributes:
        id: Names it.
        log_number: Of the item that is doubted.
        user: Who doubts.
        text: Why.
        state: ``"open"``, ``"upheld"`` or ``"dismissed"``.
        answer: What was answered, or None.
        created_at: When it was opened.
        closed_at: When it was closed, or None.
    """

    id: str
    log_number: int
    user: str
    text: str
    state: str
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
        mine = (Dispute.user_id == principal.user_id, Dispute.state == "open")
        refuse_more(session, MOST_DISPUTES, "open disputes of a user", *mine)
        added = Dispute(
            id=secrets.token_hex(12),
            log_number=number,
            user_id=principal.user_id,
            text=text,
            state="open",
            created_at=now(),
        )
        session.add(added)
        session.flush()
        return _row(added, principal.user)


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
        found = session.get(Dispute, dispute_id, with_for_update=True)
        if found is None:
            raise NotFoundError(f"Expected a dispute of the board, got {dispute_id[:40]!r}.")
        if found.state != "open":
            raise ConflictError(f"Expected a dispute that is open, got one that is {found.state}.")
        if uphold:
            _withdraw(board, session, found.log_number, text)
        found.state, found.answer = "upheld" if uphold else "dismissed", text
        found.closed_at = now()
        row = _row(found, session.get_one(User, found.user_id).name)
    board.mirror.catch_up(board.database)
    return row


def list_disputes(
    board: Board, *, number: int | None = None, state: str | None = None, limit: int = 100
) -> list[DisputeRow]:
    """List disputes.

    Args:
        board: The board.
        number: Only of this item of the log.
        state: Only in this state.
        limit: How many at most.

    Returns:
        Newest first.
    """
    query = (
        sa.select(Dispute, User.name)
        .join(User, User.id == Dispute.user_id)
        .order_by(Dispute.created_at.desc(), Dispute.id)
        .limit(limit)
    )
    if number is not None:
        query = query.where(Dispute.log_number == number)
    if state is not None:
        query = query.where(Dispute.state == state)
    with board.database.read() as session:
        return [_row(found, user) for found, user in session.execute(query)]


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


def _row(found: Dispute, user: str) -> DisputeRow:
    return DisputeRow(
        found.id,
        found.log_number,
        user,
        found.text,
        found.state,
        found.answer,
        found.created_at,
        found.closed_at,
    )
