"""The style sheet and HTMX."""

import hashlib
from functools import cache
from importlib import resources
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from lrmp.leaderboard.board.errors import NotFoundError
from lrmp.leaderboard.board.pages.rendering import PageRoute

#: Version of HTMX, and SHA-256 of its file as the npm registry has it; its licence is beside it.
HTMX = ("2.0.11", "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717")

TYPES = {"board.css": "text/css", "htmx.min.js": "text/javascript"}

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/static/{name}")
def static_file(name: Annotated[str, Path(max_length=40)]) -> Response:
    """Send a file; its address changes with its content."""
    if name not in TYPES:
        raise NotFoundError("Expected a file of the board's pages, got another one.")
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
    }
    return Response(content_of(name), media_type=TYPES[name], headers=headers)


@cache
def content_of(name: str) -> bytes:
    """Read a file.

    Args:
        name: A key of ``TYPES``.

    Returns:
        Its content.
    """
    return resources.files("lrmp.leaderboard.board.pages").joinpath("static", name).read_bytes()


@cache
def address_of(name: str) -> str:
    """Say where a file is.

    Args:
        name: A key of ``TYPES``.

    Returns:
        A path with a part of the content's hash.
    """
    return f"/static/{name}?{hashlib.sha256(content_of(name)).hexdigest()[:12]}"
