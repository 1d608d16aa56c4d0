import json
import socket
import threading
from dataclasses import dataclass, replace
from typing import Any

import pytest

from lrmp.envs import Record, evaluate
from lrmp.errors import RecordError
from lrmp.leaderboard import Store, replay, submit
from lrmp.leaderboard.client.connection import Connection

DIGITS = {"weight_bits": [6, 5, 4, 5, 6], "activation_bits": [6, 6, 5, 5, 8]}
ALLOWED = {"weight_bits": 7, "activation_bits": 6}  # within the allowed drop of ResNet-18


def make_record(task_id, values, agent="tester", seed=0, **changes):
    outcome = evaluate(task_id, values)
    record = Record.of(
        outcome, agent=agent, seed=seed, evaluated_designs=100, env_steps=500, wall_time_s=1.5
    )
    return replace(record, **changes)


@pytest.fixture(scope="session")
def digits_record():
    return make_record("LRMP-Digits-v0", DIGITS)


@pytest.fixture(scope="session")
def resnet_record():
    return make_record("LRMP-ResNet18-v0", ALLOWED)


@pytest.fixture(scope="session")
def throughput_record():
    return make_record("LRMP-ResNet18-Throughput-v0", ALLOWED)


@pytest.fixture(scope="session")
def bold_record():
    """A record of a design beyond the allowed drop."""
    return make_record("LRMP-ResNet18-v0", {"weight_bits": 4, "activation_bits": 4}, "bold")


@pytest.fixture(scope="session")
def digits_replay(digits_record):
    return replay(digits_record)


@pytest.fixture
def edit(digits_record):
    """A line like the digits record's with some fields set, such as ``{"claim.score": 9}``."""

    def line(changes, record=digits_record):
        document = json.loads(record.to_line())
        for path, value in changes.items():
            *parents, last = path.split(".")
            target = document
            for parent in parents:
                target = target[parent]
            target[last] = value
        return json.dumps(document)

    return line


@pytest.fixture
def write(tmp_path):
    """Write lines, text or bytes to a file of records."""

    def to_file(content, name="records.jsonl"):
        if isinstance(content, list):
            content = "".join(line.rstrip("\n") + "\n" for line in content)
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to_file


@pytest.fixture(scope="session")
def store_bytes(tmp_path_factory, digits_replay):
    path = tmp_path_factory.mktemp("store") / "leaderboard.sqlite"
    Store(path).add([as_agent(digits_replay, "earlier")])
    return path.read_bytes()


def as_agent(replayed, agent, **changes):
    return replace(replayed, record=replace(replayed.record, agent=agent, **changes))


@pytest.fixture
def refuse(tmp_path, write, store_bytes):
    """Submit something that must be refused, once to no store and once to one with an entry."""

    def submit_refused(content, match):
        path = write(content) if isinstance(content, str | bytes | list) else content
        absent, present = tmp_path / "absent" / "store.sqlite", tmp_path / "present.sqlite"
        present.write_bytes(store_bytes)
        for store in (absent, present):
            with pytest.raises(RecordError, match=match):
                submit(path, store)
        assert not absent.parent.exists()
        assert present.read_bytes() == store_bytes
        assert [e.record.agent for e in Store(present).entries()] == ["earlier"]

    return submit_refused


@dataclass
class LiveBoard:
    """A board that is served on this machine, with a worker.

    Attributes:
        url: Its address.
        board: Itself.
        admin: Token of its administrator, who is in no team.
        member: Token of `ann` of the team `ants`, who has the agents `ants/walker@1` and `@2`.
    """

    url: str
    board: Any
    admin: str
    member: str

    def connection(self, token=None):
        return Connection(self.url, token or self.member)


@pytest.fixture(scope="session")
def live_board(tmp_path_factory):
    for library in ("sqlalchemy", "fastapi", "uvicorn"):
        pytest.importorskip(library)
    import uvicorn

    from lrmp.leaderboard.board.api.app import create_app
    from lrmp.leaderboard.board.core import Board
    from lrmp.leaderboard.board.pages.routes import page_routes
    from lrmp.leaderboard.board.service import accounts, rounds, tokens
    from lrmp.leaderboard.board.settings import BoardSettings
    from lrmp.leaderboard.board.worker.sandbox import Sandbox
    from lrmp.leaderboard.board.worker.worker import Worker

    folder = tmp_path_factory.mktemp("live")
    board = Board(BoardSettings(folder=folder, requests_per_minute=0, network_checks=False))
    secret = accounts.add_admin(board, "root")
    root = tokens.authenticate(board, secret)
    member = accounts.accept_invitation(board, accounts.invite(board, root), "ann", "ants")
    for name, track in (("search-1", "search"), ("zero-1", "zero-shot")):
        rounds.open_round(board, root, name, track, days=1)

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = uvicorn.Config(
        create_app(board, page_routes()), log_config=None, access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    serving = threading.Thread(target=server.run, args=([listening],), daemon=True)
    serving.start()
    stop = threading.Event()
    worker = Worker(board, Sandbox(memory_mb=4096, cpu_s=60))
    working = threading.Thread(target=worker.run, args=(stop,), daemon=True)
    working.start()

    with Connection(url, member) as connection:
        for version in (1, 2):
            connection.post("/agents", {"agent": f"ants/walker@{version}", "code": None})
    yield LiveBoard(url, board, secret, member)
    stop.set()
    server.should_exit = True
    working.join()
    serving.join()
    board.close()
