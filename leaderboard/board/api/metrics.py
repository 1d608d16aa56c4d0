"""What the board tells of itself: requests in the log, and numbers for Prometheus."""

import logging
import secrets
import time

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.service import history, jobs

logger = logging.getLogger("lrmp.board.api")


class Metrics:
    """Numbers of one process, and of the board.

    Args:
        board: The board.
    """

    def __init__(self, board: Board) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "lrmp_board_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self.seconds = Histogram(
            "lrmp_board_request_seconds",
            "Time to answer.",
            ("method", "route"),
            registry=self._registry,
        )
        self._registry.register(_BoardCollector(board))

    def text(self) -> bytes:
        """Write the numbers.

        Returns:
            In the format of Prometheus.
        """
        return generate_latest(self._registry)


class _BoardCollector(Collector):
    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> "list[GaugeMetricFamily]":
        """Read numbers of the database."""
        waiting = GaugeMetricFamily("lrmp_board_jobs", "Jobs.", labels=["state"])
        for state, number in jobs.count(self._board).items():
            waiting.add_metric([state], number)
        items = GaugeMetricFamily(
            "lrmp_board_log_items", "Items of the log.", history.head(self._board).number
        )
        return [waiting, items]


class Observe:
    """Counts and logs requests.

    Args:
        app: What to call.
        metrics: Where to count.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request.

        Args:
            scope: Of ASGI.
            receive: Of ASGI.
            send: Of ASGI.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, request = time.perf_counter(), 500, secrets.token_hex(8)

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", request.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            # Of the template, not the path: strangers must not make up series.
            route = getattr(scope.get("route"), "path", "none")
            seconds = time.perf_counter() - start
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.seconds.labels(method, route).observe(seconds)
            logger.info(
                "request",
                extra={
                    "request": request,
                    "method": method,
                    "route": route,
                    "status": status,
                    "ms": round(1000 * seconds, 1),
                },
            )


_METHODS = ("GET", "HEAD", "POST", "DELETE")
