"""What routes are given: the board, and who asks."""

from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.errors import NotSignedInError
from lrmp.leaderboard.board.service import tokens
from lrmp.leaderboard.board.service.principal import Principal
from lrmp.leaderboard.board.service.submissions import MAX_KEY

_bearer = HTTPBearer(auto_error=False, description="A token of `lrmp login` or `lrmp board token`.")


def board_of(request: Request) -> Board:
    """Find the board that an application serves.

    Args:
        request: Any.

    Returns:
        The board.
    """
    found: Board = request.app.state.board
    return found


def principal_of(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    """Recognise who asks.

    Args:
        request: Any.
        credentials: Of the header ``Authorization``.

    Returns:
        The user.

    Raises:
        NotSignedInError: If there is no token, or none that is good.
    """
    if credentials is None:
        raise NotSignedInError("Expected a token in the header `Authorization: Bearer`, got none.")
    return tokens.authenticate(board_of(request), credentials.credentials)


TheBoard = Annotated[Board, Depends(board_of)]
Who = Annotated[Principal, Depends(principal_of)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=MAX_KEY,
        pattern=r"^[!-~]+$",
        description="The same key gives the same answer again, and does nothing twice.",
    ),
]
