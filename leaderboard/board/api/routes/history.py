"""The log."""

from typing import Annotated

from fastapi import APIRouter, Query

from lrmp.leaderboard.board.api.dependencies import TheBoard
from lrmp.leaderboard.board.service import history
from lrmp.leaderboard.log.item import Item

router = APIRouter(tags=["log"])


@router.get("/log")
def list_items(
    board: TheBoard,
    after: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=history.MOST_ITEMS)] = history.MOST_ITEMS,
) -> list[Item]:
    """Read items of the log, in order."""
    return history.items(board, after, limit)


@router.get("/log/head")
def get_head(board: TheBoard) -> Item:
    """Read the last item: its chain and signature cover all items."""
    return history.head(board)


@router.get("/log/{number}")
def get_item(board: TheBoard, number: int) -> Item:
    """Read an item of the log."""
    return history.item(board, number)
