"""A round of the tracks in which the server counts, and the runs of it."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from lrmp.baselines.study.statistics import interquartile_mean
from lrmp.leaderboard.board.api.dependencies import TheBoard
from lrmp.leaderboard.board.api.schemas import Text
from lrmp.leaderboard.board.pages.charts.xy_chart import Series, XYChart, draw_xy
from lrmp.leaderboard.board.pages.rendering import PageRoute, render
from lrmp.leaderboard.board.service import overview, rankings, rounds, runs
from lrmp.leaderboard.board.service.overview import RunStand
from lrmp.leaderboard.board.service.rounds import RoundRow
from lrmp.leaderboard.board.tracks import LEAST_INSTANCES, budgets_of

MOST_LINES = 7

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/rounds")
def rounds_page(request: Request, board: TheBoard) -> Response:
    """List rounds."""
    return render(request, "rounds.html", rounds=rounds.list_rounds(board))


@router.get("/rounds/{name}")
def round_page(
    request: Request,
    board: TheBoard,
    name: Annotated[Text, Path(max_length=40)],
    evaluations: Annotated[int | None, Query(ge=1, le=1000)] = None,
    as_of: Annotated[str | None, Query(max_length=27)] = None,
) -> Response:
    """Show a round."""
    found = rounds.find(board, name)
    ranking = rankings.agents_of_round(board, name, evaluations=evaluations, as_of=as_of or None)
    stands = overview.runs_of(board, round_name=name)
    return render(
        request,
        "round.html",
        round=found,
        ranking=ranking,
        budgets=budgets_of(found.track),
        least=LEAST_INSTANCES,
        runs=stands,
        curves=_curves(found, [agent.agent for agent in ranking.agents], stands),
    )


@router.get("/runs/{run_id}")
def run_page(
    request: Request, board: TheBoard, run_id: Annotated[Text, Path(max_length=32)]
) -> Response:
    """Show a run."""
    run = runs.find(board, run_id)
    found = rounds.find(board, run.round)
    stand = next(
        (
            each
            for each in overview.runs_of(board, round_name=run.round, agents=[run.agent])
            if each.run == run.id
        ),
        None,
    )
    levels = []
    if stand and stand.optimum is not None and stand.bound is not None:
        most = [(stand.optimum, "best known"), (stand.bound, "proven bound")]
        levels = most if stand.is_bounded else [(stand.optimum, "certified optimum")]
    rises = [(float(number), score) for number, score in runs.curve(board, run_id)]
    curve = draw_xy(
        "Best score by evaluations, as the server counted them",
        "evaluations",
        "score",
        [Series(run.agent, rises, "steps", dots=True)],
        x_log=True,
        levels=levels,
    )
    return render(request, "run.html", run=run, round=found, stand=stand, curve=curve)


def _curves(found: RoundRow, names: list[str], stands: list[RunStand]) -> XYChart | None:
    """Draw what agents reach by how many evaluations."""
    series = []
    for name in names[:MOST_LINES]:
        own = [run for run in stands if run.agent == name]
        points = [
            (float(budget), interquartile_mean([run.score(budget) for run in own]))
            for budget in budgets_of(found.track)
            if own
        ]
        series.append(Series(name, points, "line", dots=True))
    if found.track != "search":
        return None
    return draw_xy(
        f"Share of the certified optimum by evaluations in {found.name}",
        "evaluations, as the server counted them",
        "score / certified optimum",
        series,
        x_log=True,
        y_zero=True,
        levels=[(1.0, "certified optimum")],
    )
