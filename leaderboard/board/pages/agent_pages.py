"""An agent over all tasks and rounds, and several agents side by side."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from lrmp.baselines.study.statistics import probability_of_improvement
from lrmp.leaderboard.board.api.dependencies import TheBoard
from lrmp.leaderboard.board.api.schemas import MAX_AGENT, Text
from lrmp.leaderboard.board.errors import MalformedError
from lrmp.leaderboard.board.pages.charts.xy_chart import Series, XYChart, draw_xy
from lrmp.leaderboard.board.pages.rendering import PageRoute, render
from lrmp.leaderboard.board.ranking import RankedAgent, rank_agents
from lrmp.leaderboard.board.service import agents, overview, rounds
from lrmp.leaderboard.board.service.overview import AgentDesign, RunStand
from lrmp.leaderboard.board.tracks import budgets_of
from lrmp.leaderboard.design_ranking import reference_of
from lrmp.leaderboard.gap import design_gap

MOST_COMPARED = 4
MOST_LISTED = 500
LEAST_GAP = 1e-4  # where a profile's axis begins

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/agents")
def agents_page(
    request: Request, board: TheBoard, after: Annotated[Text, Query(max_length=MAX_AGENT)] = ""
) -> Response:
    """List agents."""
    found = agents.list_agents(board, after=after, limit=100)
    return render(request, "agents.html", agents=found, page=100)


@router.get("/agents/{name:path}")
def agent_page(
    request: Request, board: TheBoard, name: Annotated[Text, Path(max_length=MAX_AGENT)]
) -> Response:
    """Show an agent."""
    row = agents.find(board, name)
    designs = overview.designs_of(board, name)
    runs = overview.runs_of(board, agents=[name])
    tracks = {found.name: found.track for found in rounds.list_rounds(board)}
    by_round: dict[str, list[RunStand]] = {}
    for run in runs:
        by_round.setdefault(run.round, []).append(run)
    budgets = {
        found: [(n, _standing(name, own, n)) for n in budgets_of(tracks[found])]
        for found, own in by_round.items()
    }
    return render(
        request,
        "agent.html",
        agent=row,
        designs=[(design, _gap(design)) for design in designs],
        profile=_profile({name: designs}),
        rounds=budgets,
        runs=runs,
    )


@router.get("/compare")
def compare_page(
    request: Request,
    board: TheBoard,
    agent: Annotated[list[Annotated[Text, Query(max_length=MAX_AGENT)]] | None, Query()] = None,
    round: Annotated[Text, Query(max_length=40)] = "",  # noqa: A002  the word it is
) -> Response:
    """Show two to four agents side by side."""
    names = list(dict.fromkeys(name for name in agent or [] if name))
    if len(names) > MOST_COMPARED:
        raise MalformedError(f"Expected 2 to {MOST_COMPARED} agents, got {len(names)}.")
    for name in names:
        agents.find(board, name)
    designs = {name: overview.designs_of(board, name) for name in names}
    known = rounds.list_rounds(board)
    chosen = next((found for found in known if found.name == round), None)
    if chosen is None and len(names) > 1:
        common = {run.round for run in overview.runs_of(board, agents=names)}
        chosen = next((found for found in known if found.name in common), None)
    runs: dict[str, list[RunStand]] = {name: [] for name in names}
    if chosen is not None:
        for run in overview.runs_of(board, round_name=chosen.name, agents=names):
            runs[run.agent].append(run)
    budget = budgets_of(chosen.track)[-1] if chosen else 0
    scores = {name: [run.score(budget) for run in own] for name, own in runs.items() if own}
    tasks = sorted({design.task for own in designs.values() for design in own})
    return render(
        request,
        "compare.html",
        names=names,
        known=[each.name for each in agents.list_agents(board, limit=MOST_LISTED)],
        rounds=[found.name for found in known],
        round=chosen,
        budget=budget,
        standings=_ranked({name: runs[name] for name in scores}, scores),
        chances=_chances(scores),
        tasks=[(task, [_gap_on(designs[name], task) for name in names]) for task in tasks],
        profile=_profile(designs) if len(names) > 1 else None,
        most=MOST_COMPARED,
    )


def _standing(name: str, runs: Sequence[RunStand], budget: int) -> Any:
    scores = {name: [run.score(budget) for run in runs]}
    return _ranked({name: runs}, scores)[0]


def _ranked(
    runs: Mapping[str, Sequence[RunStand]], scores: Mapping[str, Sequence[float]]
) -> list[RankedAgent]:
    finished = {name: sum(run.finished is not None for run in own) for name, own in runs.items()}
    bounded = {name: sum(run.is_bounded for run in own) for name, own in runs.items()}
    return rank_agents(scores, finished, bounded)


def _chances(scores: dict[str, list[float]]) -> dict[tuple[str, str], float]:
    """Estimate for every pair how likely a run of the first is better than one of the second."""
    return {
        (one, other): probability_of_improvement(scores[one], scores[other])
        for one in scores
        for other in scores
        if one != other
    }


def _gap(design: AgentDesign) -> float | None:
    reference = reference_of(design.task, design.fingerprint)
    return design_gap(reference[0].value if reference else None, design.score)


def _gap_on(designs: Sequence[AgentDesign], task: str) -> tuple[str, float | None] | None:
    """Find an agent's best design of a task, and its gap."""
    found = [(_gap(design), design.submission) for design in designs if design.task == task]
    if not found:
        return None
    gap, submission = min(found, key=lambda pair: (pair[0] is None, pair[0] or 0.0))
    return submission, gap


def _profile(designs: dict[str, list[AgentDesign]]) -> XYChart | None:
    """Draw on which share of tasks agents are within a gap of the optimum."""
    gaps = {name: [_gap(design) for design in own] for name, own in designs.items()}
    tasks = {design.task for own in designs.values() for design in own}
    series = []
    for name, own in gaps.items():
        known = sorted(max(gap, LEAST_GAP) for gap in own if gap is not None)
        if known:
            rises = [(gap, (place + 1) / len(tasks)) for place, gap in enumerate(known)]
            series.append(Series(name, [(LEAST_GAP, 0.0), *rises], "steps"))
    return draw_xy(
        f"Share of {len(tasks)} tasks within a gap to the certified optimum",
        "gap (1 is 100 %)",
        "share of tasks",
        series,
        x_log=True,
        y_zero=True,
        levels=[(1.0, "all tasks")] if series else [],
        shown_x=[1.0],
    )
