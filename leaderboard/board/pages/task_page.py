"""A task: network, chip, space, what is proven of it, and all designs that were handed in."""

from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.front import stored_front
from lrmp.envs.task.optimum import Certificate, stored_optimum
from lrmp.envs.task.task import TASKS, Task, load_task
from lrmp.envs.variant_choice.optimum import optimal_design, stored_variant_optimum
from lrmp.envs.variant_choice.problem import VariantProblem, load_problem
from lrmp.envs.variant_choice.problem_ids import VARIANT_PROBLEMS
from lrmp.errors import TaskError
from lrmp.leaderboard.board.api.dependencies import TheBoard
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.pages.charts.xy_chart import Point, Series, XYChart, draw_xy
from lrmp.leaderboard.board.pages.rendering import PageRoute, render
from lrmp.leaderboard.board.service import overview, rankings
from lrmp.leaderboard.design_ranking import DesignRanking
from lrmp.leaderboard.ranked_tasks import proven_best, ranked_task

PAGE = 50
REMEMBERED = 64  # rankings
MOST_CURVES = 7  # as many colours as there are

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/tasks/{task_id}")
def task_page(
    request: Request,
    board: TheBoard,
    task_id: Annotated[str, Path(max_length=120)],
    fingerprint: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
    as_of: Annotated[str | None, Query(max_length=27)] = None,
    offset: Annotated[int, Query(ge=0, le=10**6)] = 0,
) -> Response:
    """Show a task."""
    with board.database.read() as session:
        last = rankings.position(session, as_of or None)
    ranking = _ranking(board, task_id, fingerprint, last, offset)
    today = ranked_task(task_id) if ranking.is_current else None
    task = load_task(task_id) if today and task_id in TASKS else None
    problem = load_problem(task_id) if today and task_id in VARIANT_PROBLEMS else None
    plain = problem.plain_task if problem else task
    proven = proven_best(task_id, ranking.fingerprint)
    optimum = proven.certificate if proven else None
    bodies = overview.contents(board, [design.number for design in ranking.designs])
    gaps = [design.gap for design in ranking.designs if design.gap is not None]
    return render(
        request,
        "task.html",
        facts=today.facts if today else None,
        plain=plain,
        problem=problem,
        proven=proven,
        optimum=optimum,
        ranking=ranking,
        offset=offset,
        page=PAGE,
        widest=max([*gaps, 1e-9]),
        curves=_curves(ranking, bodies, optimum),
        front=_front(ranking, task, optimum, _optimal_drop(task, problem)),
        chip=_chip(plain) if plain else [],
    )


@lru_cache(REMEMBERED)
def _ranking(
    board: Board, task_id: str, fingerprint: str | None, last: int, offset: int
) -> DesignRanking:
    """Rank as of an item of the log, which stays the same for ever."""
    return rankings.designs(
        board, task_id, fingerprint=fingerprint, as_of=last, limit=PAGE, offset=offset
    )


def _curves(
    ranking: DesignRanking, bodies: dict[int, dict[str, Any]], optimum: Certificate | None
) -> XYChart | None:
    """Draw how the best score of agents rose, as far as they recorded it."""
    series: dict[str, Series] = {}
    for design in ranking.designs:
        if design.score is None or len(series) == MOST_CURVES or design.agent in series:
            continue
        record = bodies[design.number]["record"]
        end = (float(record["evaluated_designs"]), design.score)
        told = record.get("curve") or []
        curve = _rising([(float(x), float(y)) for x, y in told], end)
        kind = "steps" if len(curve) > 1 else "dots"
        series[design.agent] = Series(design.agent, curve, kind, dots=True)
    levels = [] if optimum is None else [(optimum.value, "certified optimum")]
    return draw_xy(
        f"Best score by designs scored on {ranking.task}, as agents recorded it",
        "designs scored (self-reported)",
        "score",
        list(series.values()),
        x_log=True,
        levels=levels,
    )


def _rising(curve: list[Point], end: Point) -> list[Point]:
    """Take what rises from a curve that a stranger wrote, up to the end that was replayed."""
    points: list[Point] = []
    for x, y in sorted(curve):
        if 1 <= x <= end[0] and y < end[1] and (not points or y > points[-1][1]):
            points.append((x, y))
    first = next((x for x, y in sorted(curve) if y >= end[1] and 1 <= x <= end[0]), end[0])
    return [point for point in points if point[0] < first] + [(first, end[1])]


def _front(
    ranking: DesignRanking,
    task: Task | None,
    optimum: Certificate | None,
    drop: tuple[float, float] | None,
) -> XYChart | None:
    """Draw gain by accuracy drop: entries, the certified optimum, and the front that is known."""
    series = []
    front = _front_points(task.id) if task else []
    if front:
        series.append(Series("best designs known", front, quiet=True))
    entries = [(design.accuracy_drop, design.gain) for design in ranking.designs]
    if not entries:
        return None
    series.append(Series("designs handed in", entries, "dots"))
    verticals = []
    if drop is not None and optimum is not None:
        of_optimum, allowed = drop
        point = (of_optimum, float(np.exp(optimum.value)))
        series.append(Series("certified optimum", [point], "dots"))
        verticals = [(allowed, "allowed drop")]
    return draw_xy(
        f"Gain by accuracy drop on {ranking.task}",
        "accuracy drop, percentage points",
        "gain",
        series,
        verticals=verticals,
    )


@lru_cache(64)
def _front_points(task_id: str) -> list[Point]:
    """Cost the stored front of a task: the designs with the most gain for their drop."""
    task = load_task(task_id)
    try:
        front = stored_front(task)
    except TaskError:
        return []
    scores = Dynamics(task).scores(front.settings)
    points: list[Point] = []
    for drop, gain in sorted(zip(scores.accuracy_drop.tolist(), scores.gain.tolist(), strict=True)):
        if not points or gain > points[-1][1]:
            points.append((drop, gain))
    near = 4 * task.allowed_drop  # what is far beyond the allowance would press the rest together
    return [point for point in points if point[0] <= near]


def _optimal_drop(task: Task | None, problem: VariantProblem | None) -> tuple[float, float] | None:
    """Look up the drop of the certified optimum, and what is allowed; None if it is not known."""
    if problem is not None and (found := stored_variant_optimum(problem.id)) is not None:
        number, design = optimal_design(problem, found)
        own = problem.task(number)
        return own.accuracy.drop(design), own.allowed_drop
    if task is not None and (optimum := stored_optimum(task)) is not None:
        return task.accuracy.drop(optimum.design), task.allowed_drop
    return None


def _chip(task: Task) -> list[tuple[str, Any]]:
    """List the numbers of a chip."""
    parameters: dict[str, Any] = task.accelerator.definition["parameters"]
    return [(name.replace("_", " "), value) for name, value in parameters.items()]
