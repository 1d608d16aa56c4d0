"""Boards on both databases. PostgreSQL is started here, in a folder of its own."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("fastapi")

import sqlalchemy as sa
from starlette.testclient import TestClient

from lrmp.envs import Record, evaluate
from lrmp.leaderboard.board.api.app import create_app
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.migrate import migrate
from lrmp.leaderboard.board.service import accounts, tokens
from lrmp.leaderboard.board.settings import BoardSettings
from lrmp.leaderboard.board.worker.sandbox import Sandbox
from lrmp.leaderboard.board.worker.worker import Worker
from lrmp.leaderboard.chain import FIRST
from lrmp.leaderboard.log.database import Database
from lrmp.leaderboard.log.tables import Base, LogHead


@dataclass
class Client:
    """The API, asked with a token or without."""

    http: TestClient
    secret: str | None = None

    def of(self, secret):
        return Client(self.http, secret)

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.secret}"} if self.secret else {}

    def get(self, path, **query):
        return self.http.get(f"/api/v1{path}", params=query, headers=self.headers)

    def post(self, path, document=None, **headers):
        return self.http.post(f"/api/v1{path}", json=document, headers=self.headers | headers)

    def delete(self, path):
        return self.http.delete(f"/api/v1{path}", headers=self.headers)


DIGITS = {"weight_bits": [6, 5, 4, 5, 6], "activation_bits": [6, 6, 5, 5, 8]}


def pytest_generate_tests(metafunc):
    if "database_kind" in metafunc.fixturenames:
        kinds = ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)]
        metafunc.parametrize("database_kind", kinds, scope="session")


def postgresql_binaries():
    """Newest first, as Debian installs them, or those on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    on_path = shutil.which("initdb")
    places = [*found, *([Path(on_path)] if on_path else [])]
    return places[0].parent if places else None


@pytest.fixture(scope="session")
def postgresql():
    """The URL of a server without databases, or a reason to skip."""
    binaries = postgresql_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    as_user = []
    if os.getuid() == 0:  # it does not run as root
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    folder = Path(tempfile.mkdtemp(prefix="lrmp-pg-", dir="/tmp"))
    if as_user:
        shutil.chown(folder, "postgres")
    data, port = folder / "data", unused_port()

    def run(*words):
        subprocess.run([*as_user, *map(str, words)], check=True, capture_output=True, cwd=folder)

    run(binaries / "initdb", "-D", data, "-U", "lrmp", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    options += " -c max_connections=300 -c fsync=off"
    run(binaries / "pg_ctl", "-D", data, "-w", "-o", options, "-l", folder / "log", "start")
    try:
        yield f"postgresql+psycopg://lrmp@127.0.0.1:{port}"
    finally:
        run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def free_port():
    return unused_port()


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    """A file with all tables: migrations take longer than a test."""
    path = tmp_path_factory.mktemp("template") / "board.sqlite"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def postgresql_database(postgresql):
    """The URL of a database with all tables."""
    create_database(postgresql, "board")
    database = Database(f"{postgresql}/board")
    migrate(database)
    database.close()
    return f"{postgresql}/board"


def create_database(server, name):
    import psycopg

    address = server.replace("+psycopg", "")
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")


@pytest.fixture
def empty_database_url(database_kind, tmp_path, request):
    """A database without tables, of each kind."""
    if database_kind == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite'}"
    server = request.getfixturevalue("postgresql")
    name = f"empty_{uuid.uuid4().hex}"
    create_database(server, name)
    return f"{server}/{name}"


@pytest.fixture
def database_url(database_kind, tmp_path, request):
    """A database with all tables, of each kind."""
    if database_kind == "sqlite":
        path = tmp_path / "board.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    url = request.getfixturevalue("postgresql_database")
    empty_tables(url)
    return url


def empty_tables(url):
    """Bring a database to where migrations leave it; making one takes longer than a test."""
    database = Database(url)
    names = ", ".join(table for table in Base.metadata.tables)
    with database.write() as session:
        session.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY"))
        session.add(LogHead(id=1, number=0, chain=FIRST))
    database.close()


@pytest.fixture
def settings(tmp_path, database_url):
    return BoardSettings(
        folder=tmp_path, database=database_url, requests_per_minute=0, network_checks=False
    )


@pytest.fixture
def board(settings):
    made = Board(settings)
    yield made
    made.close()


@pytest.fixture(scope="session")
def sandbox():
    """One for all tests: to import what it needs takes it seconds."""
    made = Sandbox(memory_mb=4096, cpu_s=60)
    yield made
    made.close()


@pytest.fixture
def worker(board, sandbox):
    """Does what is queued, when called."""
    made = Worker(board, sandbox)

    def work():
        count = 0
        while made.do_one():
            count += 1
        return count

    return work


@pytest.fixture
def admin(board):
    return tokens.authenticate(board, accounts.add_admin(board, "root"))


@pytest.fixture
def client(board) -> Client:
    """The API, asked by nobody; `client.of(secret)` asks as somebody."""
    return Client(TestClient(create_app(board)))


@pytest.fixture
def admin_client(board, client):
    return client.of(accounts.add_admin(board, "root"))


@pytest.fixture
def member(board, admin, client):
    """A user with the team `ants` and the agents `ants/walker@1` and `ants/walker@2`."""
    return join(board, admin, client)


def join(board, admin, client):
    code = accounts.invite(board, admin)
    found = client.of(accounts.accept_invitation(board, code, "ann", "ants"))
    for version in (1, 2):
        assert found.post("/agents", {"agent": f"ants/walker@{version}"}).status_code == 201
    return found


@pytest.fixture(scope="session")
def fill(digits, constant, sandbox):
    """Give a board a record accepted, one refused, one withdrawn, and a closed round."""

    def filled(board):
        client = Client(TestClient(create_app(board)))
        secret = accounts.add_admin(board, "root")
        root, worker = client.of(secret), Worker(board, sandbox)
        member = join(board, tokens.authenticate(board, secret), client)
        forged = digits(seed=1)
        forged["claim"]["tiles"] += 1
        for record in (digits(), forged, digits(seed=2)):
            member.post("/submissions", {"agent": "ants/walker@1", "record": record})
        while worker.do_one():
            pass
        last = member.get("/log/head").json()["number"]
        root.post("/withdrawals", {"number": last, "reason": "a test"})
        root.post("/rounds", {"name": "r1", "track": "search", "days": 1})
        for agent in ("ants/walker@1", "ants/walker@2"):
            run = member.post("/runs", {"round": "r1", "agent": agent}).json()
            instance = member.get(f"/runs/{run['id']}/instance").json()
            designs = [constant(instance), constant(instance, 7, 6)]
            path = f"/runs/{run['id']}/evaluations"
            assert member.post(path, {"first": 1, "designs": designs}).status_code == 200
        while root.post("/rounds/r1/close").json()["secret"] is None:
            worker.do_one()
        board.mirror.catch_up(board.database)
        return board

    return filled


@pytest.fixture(scope="session")
def digits():
    """Make records of the digits' task."""

    def record(settings=None, agent="tester", seed=0):
        outcome = evaluate("LRMP-Digits-v0", settings or DIGITS)
        made = Record.of(
            outcome, agent=agent, seed=seed, evaluated_designs=100, env_steps=500, wall_time_s=1.5
        )
        return json.loads(made.to_line())

    return record


@pytest.fixture(scope="session")
def constant():
    """Make settings of an instance, the same for all layers."""

    def settings(instance, weight_bits=8, activation_bits=8):
        layers = len(instance["workload"][0]["layers"])
        return {
            "weight_bits": [weight_bits] * layers,
            "activation_bits": [activation_bits] * layers,
        }

    return settings
