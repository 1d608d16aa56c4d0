"""The application: routes under ``/api/v1``, health, metrics, and whatever pages are added.

FastAPI, because requests are checked by pydantic, OpenAPI follows from the same types, and plain
functions run in threads, as a synchronous database wants it.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from sqlalchemy.exc import DataError, OperationalError
from starlette.middleware.sessions import SessionMiddleware

import lrmp
from lrmp.errors import BoardError
from lrmp.leaderboard.board.api.limits import LimitRate, LimitSize
from lrmp.leaderboard.board.api.metrics import Metrics, Observe
from lrmp.leaderboard.board.api.routes import router
from lrmp.leaderboard.board.api.schemas import Problem
from lrmp.leaderboard.board.api.sign_in import sign_in_routes
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.migrate import check_migrated

logger = logging.getLogger("lrmp.board.api")


def create_app(board: Board, pages: Sequence[APIRouter] = ()) -> FastAPI:
    """Make the application.

    Args:
        board: What it serves, as ``app.state.board``; closed with the application.
        pages: Routers beside the API.

    Returns:
        The application.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        board.close()

    app = FastAPI(
        title="lrmp board",
        version=lrmp.__version__,
        summary="The hosted leaderboard of lrmp: replayed designs, metered search.",
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        responses={
            status: {"model": Problem}
            for status in (400, 401, 403, 404, 405, 409, 413, 422, 429, 503)
        },
    )
    app.state.board = board
    metrics = Metrics(board)
    app.include_router(router)
    app.include_router(_health(board, metrics))
    app.include_router(sign_in_routes(board.settings.openid))
    for page in pages:
        app.include_router(page)
    app.add_exception_handler(BoardError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(DataError, _no_value)
    app.add_exception_handler(OperationalError, _unavailable)
    # The last one added is the first to see a request.
    settings = board.settings
    if settings.openid is not None:
        app.add_middleware(  # what a sign-in needs between two requests
            SessionMiddleware,
            secret_key=board.cookie_key(),
            session_cookie="lrmp_sign_in",
            max_age=600,
            https_only=settings.address.startswith("https://"),
        )
    app.add_middleware(LimitSize, most=settings.max_body_bytes)
    if settings.requests_per_minute:
        app.add_middleware(
            LimitRate,
            per_minute=settings.requests_per_minute,
            trust_proxy=settings.trust_proxy,
        )
    app.add_middleware(Observe, metrics=metrics)
    return app


def _health(board: Board, metrics: Metrics) -> APIRouter:
    health = APIRouter(tags=["operation"])

    @health.get("/healthz", response_class=PlainTextResponse)
    def healthy() -> str:
        """Say that the process answers."""
        return "ok\n"

    @health.get("/readyz", response_class=PlainTextResponse)
    def ready() -> str:
        """Say that the database answers and has the tables of this lrmp."""
        check_migrated(board.database)
        return "ok\n"

    @health.get("/metrics", response_class=PlainTextResponse)
    def numbers() -> Response:
        """Tell numbers to Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return health


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, BoardError)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return JSONResponse({"detail": str(error)}, status_code=error.status, headers=headers)


async def _malformed(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])[:200]
    return JSONResponse({"detail": f"Expected {place}: {first['msg']}"}, status_code=422)


async def _no_value(_: Request, error: Exception) -> Response:
    # PostgreSQL takes no null characters, which addresses may have.
    return JSONResponse({"detail": "Expected text without null characters."}, status_code=422)


async def _unavailable(_: Request, error: Exception) -> Response:
    logger.error("database", extra={"error": str(error)[:500]})
    return JSONResponse(
        {"detail": "The database does not answer. Try again."},
        status_code=503,
        headers={"Retry-After": "5"},
    )
