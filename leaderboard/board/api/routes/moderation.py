"""Disputes and withdrawals."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from lrmp.leaderboard.board.api.dependencies import TheBoard, Who
from lrmp.leaderboard.board.api.routes.designs import Limit
from lrmp.leaderboard.board.api.schemas import Answer, NewDispute, Withdrawal
from lrmp.leaderboard.board.service import moderation
from lrmp.leaderboard.log.item import Item

router = APIRouter(tags=["moderation"])


@router.get("/disputes")
def list_disputes(
    board: TheBoard,
    number: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    state: Literal["open", "upheld", "dismissed"] | None = None,
    before: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    limit: Limit = 100,
) -> list[moderation.DisputeRow]:
    """List disputes, newest first."""
    return moderation.list_disputes(board, number=number, state=state, before=before, limit=limit)


@router.post("/disputes", status_code=201)
def dispute(board: TheBoard, who: Who, request: NewDispute) -> moderation.DisputeRow:
    """Doubt an item of the log."""
    return moderation.dispute(board, who, request.number, request.text)


@router.post("/disputes/{dispute_id}/answer")
def answer(
    board: TheBoard,
    who: Who,
    dispute_id: Annotated[str, Path(max_length=32)],
    request: Answer,
) -> moderation.DisputeRow:
    """Close a dispute; where it is upheld, its item is withdrawn."""
    uphold = request.verdict == "upheld"
    return moderation.answer(board, who, dispute_id, request.text, uphold=uphold)


@router.post("/withdrawals", status_code=201)
def withdraw(board: TheBoard, who: Who, request: Withdrawal) -> Item:
    """Take an item out of the rankings; it stays in the log."""
    return moderation.withdraw(board, who, request.number, request.reason)
