"""Run a board: the application under uvicorn, and worker processes beside it."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from fastapi import APIRouter

from lrmp.leaderboard.board.api.app import create_app
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.settings import BoardSettings
from lrmp.leaderboard.board.structured_log import log_as_json

logger = logging.getLogger("lrmp.board.server")

RESTART_S = 2.0


def serve(
    settings: BoardSettings,
    host: str,
    port: int,
    workers: int,
    pages: Sequence[APIRouter] = (),
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: Of the board.
        host: Address to listen on.
        port: To listen on.
        workers: Processes that do jobs.
        pages: Routers beside the API.
    """
    import uvicorn

    log_as_json()
    board = Board(settings)
    logger.info("serving", extra={"address": f"http://{host}:{port}", "workers": workers})
    app = create_app(board, pages)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `LimitRate` reads them where they are trusted
        timeout_graceful_shutdown=10,
    )
    # uvicorn hands the signal on once it has answered all requests.
    signal.signal(signal.SIGTERM, _end)
    with running_workers(settings, workers):
        uvicorn.Server(config).run()


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


@contextmanager
def running_workers(settings: BoardSettings, count: int) -> Iterator[None]:
    """Keep workers running.

    Args:
        settings: Of the board.
        count: How many.

    Yields:
        Nothing.
    """
    stop = threading.Event()
    workers = [_start(settings) for _ in range(count)]

    def watch() -> None:
        while not stop.wait(RESTART_S):
            for place, worker in enumerate(workers):
                if worker.poll() is not None:
                    logger.warning("worker ended", extra={"code": worker.returncode})
                    workers[place] = _start(settings)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        for worker in workers:
            worker.terminate()
        for worker in workers:
            try:
                worker.wait(timeout=30)
            except subprocess.TimeoutExpired:
                worker.kill()


def _start(settings: BoardSettings) -> subprocess.Popen[bytes]:
    # Settings go by the environment: a database's password is none of the process list's business.
    environment = os.environ | settings.to_environment()
    words = [sys.executable, "-m", "lrmp", "board", "work", "--parent", str(os.getpid())]
    return subprocess.Popen(words, env=environment)
