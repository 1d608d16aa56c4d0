"""Problems with variants, of a chip or of widths, stand on the board beside the tasks."""

import json

import pytest
from starlette.testclient import TestClient

from lrmp.envs import TASKS, evaluate_settings
from lrmp.envs.variant_choice.optimum import optimal_design, stored_variant_optimum
from lrmp.envs.variant_choice.problem import load_problem
from lrmp.envs.variant_choice.problem_ids import VARIANT_PROBLEMS
from lrmp.envs.variant_choice.record import record_of
from lrmp.leaderboard.board.api.app import create_app
from lrmp.leaderboard.board.pages.routes import page_routes

pytestmark = pytest.mark.long

LENET = "LRMP-LeNet-Chip-v0"


@pytest.fixture
def record():
    problem = load_problem(LENET)
    number, design = optimal_design(problem, stored_variant_optimum(LENET))
    outcome = evaluate_settings(problem.task(number), design.settings)
    about = {"agent": "x", "seed": 0, "evaluated_designs": 5, "env_steps": 0, "wall_time_s": 0.5}
    return json.loads(record_of(problem, number, outcome, **about).to_line())


@pytest.fixture
def pages(board):
    return TestClient(create_app(board, page_routes()))


def test_they_are_listed_with_what_is_proven_of_them(client):
    rows = {row["id"]: row for row in client.get("/tasks").json()}
    assert list(rows) == [*TASKS, *VARIANT_PROBLEMS]
    row = rows[LENET]
    assert (row["network"], row["objective"], row["layers"]) == ("lenet", "latency", 4)
    assert row["chips"] == len(load_problem(LENET).variants)
    assert row["knobs"][:2] == ["crossbar_side", "cell_bits"]
    one = client.get(f"/tasks/{LENET}").json()
    assert one["fingerprint"] == row["fingerprint"] == load_problem(LENET).fingerprint
    assert one["optimum"]["value"] == stored_variant_optimum(LENET).value


def test_an_unknown_one_is_told_the_nearest(client):
    answer = client.get("/tasks/LRMP-LeNet-Chips-v0")
    assert answer.status_code == 404
    assert "Did you mean 'LRMP-LeNet-Chip-v0'" in answer.text


def test_a_design_is_ranked_and_shown(client, pages, member, worker, record):
    asked = {"agent": "ants/walker@1", "record": record}
    assert member.post("/submissions", asked).status_code == 202
    worker()
    rows = {row["id"]: row for row in client.get("/tasks").json()}
    assert rows[LENET]["designs"] == 1
    board = pages.get("/").text
    assert f'href="/tasks/{LENET}"' in board
    page = pages.get(f"/tasks/{LENET}").text
    for text in (
        "chips hold the plain design",
        "crossbar side, of the chip",
        "which bound all 123 chips",
    ):
        assert text in page
    assert "certified optimum" in page
    assert "Gain by accuracy drop" in page


@pytest.mark.parametrize("problem_id", VARIANT_PROBLEMS)
def test_every_one_has_a_page(pages, problem_id):
    page = pages.get(f"/tasks/{problem_id}")
    assert page.status_code == 200
    assert "None is known for this definition" not in page.text


def test_widths_are_said_of_the_network(pages):
    page = pages.get("/tasks/LRMP-LeNet-Filters-v0").text
    assert "pruned filters conv1, of the network" in page
    assert "which bound all 125 networks" in page
