"""A submission: its replay, the design layer by layer, and how to replay it yourself."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Path, Request, UploadFile
from starlette.responses import RedirectResponse, Response

from lrmp.envs.records.record import Record
from lrmp.envs.task.task import Task
from lrmp.errors import LRMPError, RecordError
from lrmp.leaderboard.board.api.dependencies import TheBoard
from lrmp.leaderboard.board.api.schemas import MAX_AGENT, Text
from lrmp.leaderboard.board.errors import MalformedError
from lrmp.leaderboard.board.pages.charts.bars import Bars, draw_bars
from lrmp.leaderboard.board.pages.charts.floor_plan import FloorPlan, draw_floor_plan
from lrmp.leaderboard.board.pages.rendering import PageRoute, Sender, User, render
from lrmp.leaderboard.board.service import (
    agents,
    checks,
    history,
    jobs,
    moderation,
    overview,
    submissions,
)
from lrmp.leaderboard.board.service.accounts import account
from lrmp.leaderboard.design_ranking import reference_of
from lrmp.leaderboard.gap import design_gap
from lrmp.leaderboard.submission import check_definition

MOST_AGENTS = 500  # of one's teams, in a form

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True)
class DesignView:
    """A design, layer by layer.

    Attributes:
        header: Of the table.
        rows: A row per layer.
        bars: Cycles of every layer, before and after.
        plan: What the tiles hold; None where that cannot be drawn.
    """

    header: list[str]
    rows: list[list[Any]]
    bars: Bars
    plan: FloorPlan | None


@dataclass(frozen=True)
class Check:
    """A line of a replay's transcript.

    Attributes:
        name: Of the number.
        claimed: What the record says.
        replayed: What the board recomputed.
    """

    name: str
    claimed: Any
    replayed: Any

    @property
    def agrees(self) -> bool:
        """Whether both are the same; real numbers to 1e-9, as the replay asks."""
        if isinstance(self.claimed, float) and isinstance(self.replayed, float):
            return abs(self.claimed - self.replayed) <= 1e-9 * max(1.0, abs(self.replayed))
        return bool(self.claimed == self.replayed)


@router.get("/submissions/{submission_id}")
def submission_page(
    request: Request, board: TheBoard, submission_id: Annotated[str, Path(max_length=32)]
) -> Response:
    """Show a submission, and follow its replay."""
    row = submissions.find(board, submission_id)
    document = json.loads(row.record)
    item = history.item(board, row.log_number) if row.log_number else None
    found = item.content if item else {}
    try:
        task = check_definition(Record.from_json(document))
    except RecordError:  # of another definition, or no design of the task
        task = None
    reference = reference_of(row.task, document["task_fingerprint"])
    claim = found.get("claim", document["claim"])
    return render(
        request,
        "submission.html",
        row=row,
        record=document,
        claim=claim,
        gap=design_gap(reference[0].value if reference else None, claim["score"]),
        item=item,
        found=found,
        job=jobs.find(board, row.job) if row.job else None,
        task=task,
        design=view_design(document, task),
        checks=[Check(n, document["claim"][n], found["claim"][n]) for n in found.get("claim", {})],
        withdrawn=overview.withdrawn_by(board, row.log_number) if row.log_number else None,
        network=checks.find(board, row.id),
        disputes=moderation.list_disputes(board, number=row.log_number) if row.log_number else [],
    )


@router.get("/submissions/{submission_id}/record.jsonl")
def record_file(board: TheBoard, submission_id: Annotated[str, Path(max_length=32)]) -> Response:
    """Send the record as `lrmp submit` takes it."""
    row = submissions.find(board, submission_id)
    headers = {
        "Content-Disposition": f'attachment; filename="{row.id}.jsonl"',
    }
    return Response(row.record + "\n", media_type="application/x-ndjson", headers=headers)


@router.get("/submit")
def submit_form(request: Request, board: TheBoard, user: User) -> Response:
    """Show the form for a record."""
    teams = account(board, user).teams
    own = [
        agent.name
        for team in teams
        for agent in agents.list_agents(board, team=team, limit=MOST_AGENTS)
    ]
    return render(request, "submit.html", agents=own, teams=teams)


@router.post("/submit")
def submit(
    board: TheBoard,
    user: Sender,
    agent: Annotated[Text, Form(max_length=MAX_AGENT)],
    record: Annotated[Text, Form(max_length=2**20)] = "",
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Take a record, from the form or a file."""
    text = record
    if file is not None and file.filename:
        try:
            text = file.file.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedError(f"Expected a record in UTF-8: {error}.") from error
    if not text.strip():
        raise MalformedError("Expected a record, one line of JSON; got none.")
    row = submissions.submit(board, user, agent, text.strip())
    return RedirectResponse(f"/submissions/{row.id}", status_code=303)


def view_design(document: dict[str, Any], task: Task | None) -> DesignView | None:
    """Cost a design layer by layer.

    Args:
        document: A record that was accepted, or at least has the schema.
        task: Its task, as it is defined today; None if it is not.

    Returns:
        The view; None where the design is none of the task's.
    """
    if task is None:
        return None
    try:
        design = Record.from_json(document).design_for(task)
        model = task.cost_model
        report, baseline = model.evaluate(design), model.baseline
        per_copy = model.tiles_per_copy(design.settings)
    except LRMPError:
        return None
    names = [layer.name for layer in task.network.layers]
    columns = [design[name].tolist() for name in task.space.names]
    before, after = baseline.layer_cycles.tolist(), report.layer_cycles.tolist()
    copies, tiles = design.replication.tolist(), report.layer_tiles.tolist()
    plan = None
    if not task.accelerator.is_time_multiplexed:
        plan = draw_floor_plan(names, per_copy.tolist(), copies, task.budget)
    words = [name.replace("_", " ") for name in task.space.names]
    return DesignView(
        ["layer", *words, "copies", "tiles", "cycles before", "after"],
        [list(row) for row in zip(names, *columns, copies, tiles, before, after, strict=True)],
        draw_bars("Cycles of every layer", names, [("plain chip", before), ("design", after)]),
        plan,
    )
