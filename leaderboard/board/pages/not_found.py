"""What is at no other address."""

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from lrmp.leaderboard.board.pages.rendering import PageRoute, render

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/{path:path}")
def not_found(request: Request, path: str) -> Response:
    """Say that there is nothing; programs are told in JSON."""
    if path.startswith("api/"):
        raise HTTPException(404, "Not Found")
    return render(request, "error.html", 404, code=404, message="There is no page at this address.")
