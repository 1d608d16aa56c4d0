"""Requests made from the OpenAPI description: what it says holds, and nothing is a 500."""

import warnings

import pytest

pytest.importorskip("schemathesis")

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.testclient import TestClient

from lrmp.leaderboard.board.api.app import create_app
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.service import accounts, tokens
from lrmp.leaderboard.board.settings import BoardSettings

pytestmark = pytest.mark.long


EXAMPLES = 10  # of every operation


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A board of its own: whoever makes requests at random may close rounds."""
    folder = tmp_path_factory.mktemp("openapi")
    board = Board(BoardSettings(folder=folder, requests_per_minute=0))
    secret = accounts.add_admin(board, "root")
    root = tokens.authenticate(board, secret)
    accounts.found_team(board, root, "ants")
    app = create_app(board)
    client = TestClient(app)
    headers = {"Authorization": f"Bearer {secret}"}
    agent = {"agent": "ants/walker@1"}
    assert client.post("/api/v1/agents", json=agent, headers=headers).status_code == 201
    opening = {"name": "r1", "track": "search", "days": 1}
    assert client.post("/api/v1/rounds", json=opening, headers=headers).status_code == 201
    yield app, board
    board.close()


def test_every_operation_answers_as_it_is_described(served):
    app, board = served
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own libraries
        schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
        operations = [found.ok() for found in schema.get_all_operations()]
        assert len(operations) > 30
        for operation in operations:
            _try(operation, board)


def _try(operation, board):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def answers_as_described(case):
        # A new token each time: some of the requests revoke it. That all that a schema can say is
        # good is accepted cannot hold: names must be known, looks of names must differ.
        secret = accounts.add_admin(board, "root")
        case.call_and_validate(
            headers={"Authorization": f"Bearer {secret}"},
            excluded_checks=[positive_data_acceptance],
        )

    answers_as_described()
