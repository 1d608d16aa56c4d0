"""The board: tasks with the best that was handed in, and rounds with their best agents."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from lrmp.leaderboard.board.api.dependencies import TheBoard
from lrmp.leaderboard.board.api.schemas import Text
from lrmp.leaderboard.board.pages.rendering import PageRoute, render
from lrmp.leaderboard.board.service import history, overview, rankings, rounds
from lrmp.leaderboard.design_ranking import reference_of
from lrmp.leaderboard.gap import design_gap
from lrmp.leaderboard.ranked_tasks import ranked_tasks

MOST_ROUNDS = 4  # shown with their agents
SHOWN_AGENTS = 10

router = APIRouter(include_in_schema=False, route_class=PageRoute)

Sort = Literal["task", "designs", "gap", "newest"]


@dataclass(frozen=True)
class TaskRow:
    """A task on the board.

    Attributes:
        facts: Those of `RankedTask`.
        designs: How many are ranked.
        gap: Of the best one to the certified optimum.
        optimum: Score of the certified optimum, or None.
        newest: When the last one was logged, or None.
    """

    facts: dict[str, Any]
    designs: int
    gap: float | None
    optimum: float | None
    newest: str | None


@router.get("/")
def board_page(
    request: Request,
    board: TheBoard,
    q: Annotated[Text, Query(max_length=80)] = "",
    objective: Annotated[str, Query(max_length=30)] = "",
    accuracy: Annotated[str, Query(max_length=30)] = "",
    all: Annotated[bool, Query()] = False,  # noqa: A002  the word it is
    sort: Sort = "task",
) -> Response:
    """Show what is ranked."""
    known = overview.tasks(board)
    rows = []
    for task in ranked_tasks():
        facts, fingerprint = task.facts, task.fingerprint
        summary = known.get((facts["id"], fingerprint))
        reference = reference_of(facts["id"], fingerprint)
        optimum = reference[0].value if reference else None
        rows.append(
            TaskRow(
                facts,
                summary.designs if summary else 0,
                design_gap(optimum, summary.best_score) if summary else None,
                optimum,
                summary.newest if summary else None,
            )
        )
    objectives = sorted({row.facts["objective"] for row in rows})
    accuracies = sorted({row.facts["accuracy"] for row in rows})
    words = q.casefold().split()
    shown = [
        row
        for row in rows
        if (all or row.designs)
        and objective in ("", row.facts["objective"])
        and accuracy in ("", row.facts["accuracy"])
        and _has(row, words)
    ]
    found = [
        (each, rankings.agents_of_round(board, each.name).agents[:SHOWN_AGENTS])
        for each in rounds.list_rounds(board)[:MOST_ROUNDS]
    ]
    return render(
        request,
        "board.html",
        rows=_sorted(shown, sort),
        total=len(rows),
        rounds=found,
        head=history.head(board),
        chosen={"q": q, "objective": objective, "accuracy": accuracy, "all": all, "sort": sort},
        objectives=objectives,
        accuracies=accuracies,
    )


@router.get("/take-part")
def take_part(request: Request) -> Response:
    """Say how to take part."""
    return render(request, "take_part.html")


def _has(row: TaskRow, words: list[str]) -> bool:
    text = f"{row.facts['id']} {row.facts['network']} {row.facts['accelerator']}".casefold()
    return all(word in text for word in words)


def _sorted(rows: list[TaskRow], sort: Sort) -> list[TaskRow]:
    def key(row: TaskRow) -> Any:
        match sort:
            case "designs":
                return -row.designs, row.facts["id"]
            case "gap":
                return row.gap is None, row.gap or 0.0, row.facts["id"]
            case "newest":
                return row.newest is None, "".join(chr(255 - ord(c)) for c in row.newest or "")
        return row.facts["id"]

    return sorted(rows, key=key)
