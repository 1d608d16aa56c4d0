"""Limits, health, numbers, logs, settings."""

import json
import logging
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from lrmp.errors import BoardError
from lrmp.leaderboard.board.api.app import create_app
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.settings import BoardSettings
from lrmp.leaderboard.board.structured_log import JSONFormatter


@pytest.fixture
def make(tmp_path):
    """Make an application with some settings."""
    boards = []

    def app(**changes):
        settings = BoardSettings(folder=tmp_path, **{"requests_per_minute": 0} | changes)
        boards.append(Board(settings))
        return TestClient(create_app(boards[-1]), raise_server_exceptions=False)

    yield app
    for board in boards:
        board.close()


def test_requests_that_are_too_large_are_refused_before_they_are_read(make):
    http = make(max_body_bytes=100)
    answer = http.post("/api/v1/submissions", content=b"x" * 101)
    assert answer.status_code == 413
    assert "at most 100 bytes" in answer.json()["detail"]

    def chunks():
        for _ in range(1000):
            yield b"x" * 50

    assert http.post("/api/v1/submissions", content=chunks()).status_code == 413
    headers = {"Content-Length": "1e9"}
    assert http.post("/api/v1/submissions", content=b"", headers=headers).status_code == 413


def test_whoever_asks_too_often_waits(make):
    http = make(requests_per_minute=3)
    token = {"Authorization": "Bearer x"}
    assert [http.get("/healthz").status_code for _ in range(5)] == [200] * 3 + [429] * 2
    # A token has a limit of its own, but an address only ten times as many for all tokens.
    assert [http.get("/healthz", headers=token).status_code for _ in range(4)] == [200] * 3 + [429]
    found = [
        http.get("/healthz", headers={"Authorization": f"Bearer {n}"}).status_code
        for n in range(40)
    ]
    assert found.count(200) == 30 - 4
    assert http.get("/healthz", headers=token).headers["Retry-After"] == "10"


def test_a_proxys_word_counts_only_where_it_is_trusted(make):
    http = make(requests_per_minute=1)
    headers = [{"X-Forwarded-For": f"10.0.0.{n}"} for n in range(3)]
    assert [http.get("/healthz", headers=h).status_code for h in headers] == [200, 429, 429]
    http = make(requests_per_minute=1, trust_proxy=True)
    assert [http.get("/healthz", headers=h).status_code for h in headers] == [200] * 3


def test_health_and_numbers(make):
    http = make()
    assert http.get("/healthz").text == "ok\n"
    assert http.get("/readyz").text == "ok\n"
    http.get("/api/v1/log/1")
    http.get("/nothing/of/the/kind")
    text = http.get("/metrics").text
    assert 'lrmp_board_jobs{state="waiting"} 0.0' in text
    assert "lrmp_board_log_items 1.0" in text
    assert 'route="none",status="404"' in text
    assert "nothing" not in text


def test_logs_are_json_without_tokens(make, caplog):
    http = make()
    logging.getLogger("lrmp.board").propagate = True
    with caplog.at_level(logging.INFO, "lrmp.board.api"):
        http.get("/api/v1/account", headers={"Authorization": "Bearer lrmp_secret"})
    lines = [JSONFormatter().format(record) for record in caplog.records]
    found = [json.loads(line) for line in lines]
    assert found[-1]["status"] == 401
    assert found[-1]["method"] == "GET"
    assert "lrmp_secret" not in "".join(lines)


def test_the_interface_is_described_and_versioned(make):
    document = make().get("/api/v1/openapi.json").json()
    outside = [path for path in document["paths"] if not path.startswith("/api/v1/")]
    assert outside == ["/healthz", "/readyz", "/metrics"]


def test_settings_of_the_environment(tmp_path):
    environment = {
        "LRMP_BOARD_FOLDER": str(tmp_path),
        "LRMP_BOARD_LEASE_S": "7",
        "LRMP_BOARD_TRUST_PROXY": "1",
        "OTHER": "x",
    }
    found = BoardSettings.from_environment(environment)
    assert (found.folder, found.lease_s, found.trust_proxy) == (tmp_path, 7, True)
    assert BoardSettings.from_environment(found.to_environment()) == found
    assert replace(found, database="x") != found
    for name, value, message in (
        ("LRMP_BOARD_LEASE", "7", "got LRMP_BOARD_LEASE"),
        ("LRMP_BOARD_LEASE_S", "soon", "a whole number, got 'soon'"),
        ("LRMP_BOARD_TRUST_PROXY", "yes", "0 or 1, got 'yes'"),
    ):
        with pytest.raises(BoardError, match=message):
            BoardSettings.from_environment({name: value})
