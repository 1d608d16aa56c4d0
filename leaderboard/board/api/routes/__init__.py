"""Routes, a file per resource."""

from fastapi import APIRouter

from lrmp.leaderboard.board.api.routes import (
    accounts,
    designs,
    exports,
    history,
    metered,
    moderation,
)

router = APIRouter(prefix="/api/v1")
for _part in (designs, metered, accounts, moderation, history, exports):
    router.include_router(_part.router)
