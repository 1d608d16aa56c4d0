"""The log, as it is read by others."""

from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.errors import NotFoundError
from lrmp.leaderboard.log.append import read_head, read_items
from lrmp.leaderboard.log.item import Item

MOST_ITEMS = 500  # of one answer


def items(board: Board, after: int = 0, limit: int = MOST_ITEMS) -> list[Item]:
    """Read items of the log.

    Args:
        board: The board.
        after: Number of the last item that is known.
        limit: How many at most.

    Returns:
        Items in order.
    """
    with board.database.read() as session:
        return read_items(session, after, min(limit, MOST_ITEMS))


def item(board: Board, number: int) -> Item:
    """Read an item of the log.

    Args:
        board: The board.
        number: Of the item.

    Returns:
        The item.

    Raises:
        NotFoundError: If there is none.
    """
    found = items(board, number - 1, 1) if 0 < number < 2**31 else []
    if not found or found[0].number != number:
        raise NotFoundError(f"Expected an item of the log, got {number}.")
    return found[0]


def newest(board: Board, limit: int = 50) -> list[Item]:
    """Read the last items of the log.

    Args:
        board: The board.
        limit: How many at most.

    Returns:
        Newest first.
    """
    last = head(board).number
    return items(board, max(0, last - min(limit, MOST_ITEMS)))[::-1]


def head(board: Board) -> Item:
    """Read the last item, whose chain and signature cover all items.

    Args:
        board: The board.

    Returns:
        The item.
    """
    with board.database.read() as session:
        found = read_head(session)
    assert found is not None  # the board's key is the first
    return found
