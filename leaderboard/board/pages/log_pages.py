"""The log, its items, and disputes about them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from lrmp.leaderboard.board.api.dependencies import TheBoard
from lrmp.leaderboard.board.api.schemas import Text
from lrmp.leaderboard.board.pages.rendering import PageRoute, Sender, render
from lrmp.leaderboard.board.service import history, moderation, overview
from lrmp.leaderboard.board.service.moderation import MAX_TEXT

PAGE = 50

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/log")
def log_page(
    request: Request, board: TheBoard, before: Annotated[int | None, Query(ge=1, lt=2**31)] = None
) -> Response:
    """Show items of the log, newest first."""
    head = history.head(board)
    last = head.number if before is None else min(before - 1, head.number)
    first = max(0, last - PAGE)
    items = history.items(board, first, last - first)[::-1] if last > first else []
    return render(request, "log.html", items=items, head=head, first=first, last=last)


@router.get("/log/{number}")
def item_page(
    request: Request, board: TheBoard, number: Annotated[int, Path(ge=1, lt=2**31)]
) -> Response:
    """Show an item of the log."""
    return render(
        request,
        "item.html",
        item=history.item(board, number),
        withdrawn=overview.withdrawn_by(board, number),
        disputes=moderation.list_disputes(board, number=number),
        most=MAX_TEXT,
        withdrawable=moderation.WITHDRAWABLE,
    )


@router.get("/disputes")
def disputes_page(
    request: Request,
    board: TheBoard,
    state: Annotated[Literal["", "open", "upheld", "dismissed"], Query()] = "",
) -> Response:
    """Show disputes, newest first."""
    found = moderation.list_disputes(board, state=state or None)
    return render(request, "disputes.html", disputes=found, state=state, most=MAX_TEXT)


@router.post("/disputes")
def dispute(
    board: TheBoard,
    user: Sender,
    number: Annotated[int, Form(ge=1, lt=2**31)],
    text: Annotated[Text, Form(max_length=2 * MAX_TEXT)],
) -> Response:
    """Doubt an item of the log."""
    found = moderation.dispute(board, user, number, _lines(text))
    return RedirectResponse(f"/disputes#d{found.id}", status_code=303)


@router.post("/disputes/{dispute_id}/answer")
def answer(
    board: TheBoard,
    user: Sender,
    dispute_id: Annotated[str, Path(max_length=32)],
    verdict: Annotated[Literal["upheld", "dismissed"], Form()],
    text: Annotated[Text, Form(max_length=2 * MAX_TEXT)],
) -> Response:
    """Close a dispute."""
    moderation.answer(board, user, dispute_id, _lines(text), uphold=verdict == "upheld")
    return RedirectResponse(f"/disputes#d{dispute_id}", status_code=303)


@router.post("/withdrawals")
def withdraw(
    board: TheBoard,
    user: Sender,
    number: Annotated[int, Form(ge=1, lt=2**31)],
    reason: Annotated[Text, Form(max_length=2 * MAX_TEXT)],
) -> Response:
    """Take an item out of the rankings."""
    moderation.withdraw(board, user, number, _lines(reason))
    return RedirectResponse(f"/log/{number}", status_code=303)


def _lines(text: str) -> str:
    """Undo what browsers do to the ends of lines."""
    return text.replace("\r\n", "\n").strip()
