"""Rankings as files, a feed, badges."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from lrmp.leaderboard.board.api.dependencies import TheBoard
from lrmp.leaderboard.board.api.routes.designs import AsOf, TaskId
from lrmp.leaderboard.board.api.routes.metered import RoundName
from lrmp.leaderboard.board.api.session import public_address
from lrmp.leaderboard.board.errors import TooManyError
from lrmp.leaderboard.board.service import export
from lrmp.leaderboard.board.service.export import MEDIA_TYPES, Format

AT_ONCE, WAIT_S = 2, 5.0
_turns = BoundedSemaphore(AT_ONCE)

router = APIRouter(tags=["exports"])


@router.get("/export/designs/{task_id}", response_class=Response)
def export_designs(
    board: TheBoard, task_id: TaskId, to: Format = "csv", as_of: AsOf = None
) -> Response:
    """Write the ranking of a task's designs."""
    with _turn():
        content = export.export_designs(board, task_id, as_of, to)
    return _file(content, "designs", to)


@router.get("/export/rounds/{name}", response_class=Response)
def export_round(
    board: TheBoard,
    name: RoundName,
    to: Format = "csv",
    evaluations: Annotated[int | None, Query(ge=1, le=1000)] = None,
    as_of: AsOf = None,
) -> Response:
    """Write the ranking of a round's agents."""
    content = export.export_round(board, name, evaluations, as_of, to)
    return _file(content, "round", to)


@router.get("/feed.atom", response_class=Response)
def get_feed(board: TheBoard, request: Request) -> Response:
    """Tell the news of the log."""
    content = export.feed(board, public_address(request))
    return Response(content, media_type="application/atom+xml")


@router.get("/badges/submissions/{submission_id}.svg", response_class=Response)
def get_design_badge(
    board: TheBoard, submission_id: Annotated[str, Path(max_length=32)]
) -> Response:
    """Draw a badge of a submission."""
    return _picture(export.design_badge(board, submission_id))


@router.get("/badges/rounds/{name}/{agent:path}.svg", response_class=Response)
def get_agent_badge(
    board: TheBoard, name: RoundName, agent: Annotated[str, Path(max_length=122)]
) -> Response:
    """Draw a badge of an agent's place in a round."""
    return _picture(export.agent_badge(board, name, agent))


@contextmanager
def _turn() -> Iterator[None]:
    """Write few whole rankings at once: each holds all of its rows in memory."""
    if not _turns.acquire(timeout=WAIT_S):
        raise TooManyError(f"Expected at most {AT_ONCE} exports at once. Try again.")
    try:
        yield
    finally:
        _turns.release()


def _file(content: bytes, stem: str, to: Format) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{stem}.{to}"'}
    return Response(content, media_type=MEDIA_TYPES[to], headers=headers)


def _picture(content: bytes) -> Response:
    headers = {
        "Cache-Control": "max-age=300",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    return Response(content, media_type="image/svg+xml", headers=headers)
