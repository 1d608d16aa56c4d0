"""Requests that Schemathesis makes of the interface's own description."""

import logging

import pytest
from hypothesis import HealthCheck, Phase, given, settings

schemathesis = pytest.importorskip("schemathesis")
checks = pytest.importorskip("schemathesis.checks")

EXAMPLES = 3


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    from lrmp.leaderboard.board.api.app import create_app
    from lrmp.leaderboard.board.core import Board
    from lrmp.leaderboard.board.service import accounts
    from lrmp.leaderboard.board.settings import BoardSettings

    board = Board(BoardSettings(folder=tmp_path_factory.mktemp("board"), requests_per_minute=0))
    app = create_app(board)
    secret = accounts.add_admin(board, "root")
    yield schemathesis.openapi.from_asgi("/api/v1/openapi.json", app), secret
    board.close()


def test_answers_are_as_described(described):
    """No 500, and no status, type or body that the description does not have."""
    schema, secret = described
    logging.getLogger("lrmp.board").setLevel(logging.ERROR)
    wanted = [
        checks.not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    asked = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        ask(operation, secret, wanted)
        asked.add(operation.label)
    assert len(asked) >= 40


def ask(operation, secret, wanted):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def answers(case):
        headers = {"Authorization": f"Bearer {secret}"}
        case.call_and_validate(headers=headers, checks=wanted)

    answers()
