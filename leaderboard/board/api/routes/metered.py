"""Rounds, runs and evaluations: the tracks in which the server counts."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from lrmp.leaderboard.board.api.dependencies import IdempotencyKey, TheBoard, Who
from lrmp.leaderboard.board.api.routes.designs import AsOf, Limit
from lrmp.leaderboard.board.api.schemas import NewEvaluations, NewRound, NewRun
from lrmp.leaderboard.board.service import rankings, rounds, runs
from lrmp.leaderboard.board.service.rankings import RoundRanking
from lrmp.leaderboard.board.tracks import Track
from lrmp.leaderboard.metered_answer import Answer

router = APIRouter(tags=["rounds"])

RunId = Annotated[str, Path(max_length=32)]
RoundName = Annotated[str, Path(max_length=40)]


@router.get("/rounds")
def list_rounds(board: TheBoard, track: Track | None = None) -> list[rounds.RoundRow]:
    """List rounds, newest first."""
    return rounds.list_rounds(board, track)


@router.post("/rounds", status_code=201)
def open_round(board: TheBoard, who: Who, request: NewRound) -> rounds.RoundRow:
    """Open a round: its secret is drawn, and the secret's hash published."""
    return rounds.open_round(
        board,
        who,
        request.name,
        request.track,
        days=request.days,
        objective=request.objective,
        instances=request.instances,
    )


@router.get("/rounds/{name}")
def get_round(board: TheBoard, name: RoundName) -> rounds.RoundRow:
    """Look a round up; its secret is told once it is closed."""
    return rounds.find(board, name)


@router.post("/rounds/{name}/close")
def close_round(board: TheBoard, who: Who, name: RoundName) -> rounds.RoundRow:
    """Finish all runs, and close the round once they are logged: ask again until it is closed."""
    return rounds.close_round(board, who, name)


@router.get("/rankings/rounds/{name}")
def rank_agents(
    board: TheBoard,
    name: RoundName,
    evaluations: Annotated[int | None, Query(ge=1, le=1000)] = None,
    as_of: AsOf = None,
) -> RoundRanking:
    """Rank the agents of a round."""
    return rankings.agents_of_round(board, name, evaluations=evaluations, as_of=as_of)


@router.get("/runs")
def list_runs(
    board: TheBoard,
    round: Annotated[str | None, Query(max_length=40)] = None,  # noqa: A002  the word it is
    agent: Annotated[str | None, Query(max_length=122)] = None,
    limit: Limit = 100,
) -> list[runs.RunRow]:
    """List runs, newest first."""
    return runs.list_runs(board, round_name=round, agent=agent, limit=limit)


@router.post("/runs", status_code=201)
def open_run(
    board: TheBoard,
    who: Who,
    request: NewRun,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> runs.RunRow:
    """Open a run on the agent's next instance; it counts from now on."""
    found = runs.open_run(board, who, request.round, request.agent, idempotency_key)
    response.headers["Location"] = f"/api/v1/runs/{found.id}"
    return found


@router.get("/runs/{run_id}")
def get_run(board: TheBoard, run_id: RunId) -> runs.RunRow:
    """Look a run up."""
    return runs.find(board, run_id)


@router.get("/runs/{run_id}/instance")
def get_instance(board: TheBoard, who: Who, run_id: RunId) -> dict[str, Any]:
    """Describe a run's instance: all but its accuracy table."""
    return runs.instance_of(board, who, run_id)


@router.post("/runs/{run_id}/evaluations")
def evaluate(board: TheBoard, who: Who, run_id: RunId, request: NewEvaluations) -> list[Answer]:
    """Have designs scored and counted; sent again, they are answered again and not counted."""
    return runs.evaluate(board, who, run_id, request.first, request.designs)


@router.post("/runs/{run_id}/finish", status_code=202)
def finish(board: TheBoard, who: Who, run_id: RunId) -> runs.RunRow:
    """End a run; a worker proves the instance's optimum and logs the run."""
    return runs.finish(board, who, run_id)


@router.get("/runs/{run_id}/curve")
def get_curve(board: TheBoard, run_id: RunId) -> list[tuple[int, float]]:
    """Read how a run's best score rose: numbers of evaluations, and the score from there."""
    return runs.curve(board, run_id)
