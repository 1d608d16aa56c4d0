"""Tasks, rankings of designs, submissions, jobs."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from lrmp.errors import unknown_name
from lrmp.leaderboard.board.api.dependencies import IdempotencyKey, TheBoard, Who
from lrmp.leaderboard.board.api.schemas import NewSubmission
from lrmp.leaderboard.board.errors import NotFoundError
from lrmp.leaderboard.board.service import checks, jobs, overview, rankings, submissions
from lrmp.leaderboard.design_ranking import DesignRanking, Reference, reference_of
from lrmp.leaderboard.ranked_tasks import ranked_ids, ranked_task, ranked_tasks

router = APIRouter(tags=["designs"])

TaskId = Annotated[str, Path(max_length=120)]
AsOf = Annotated[
    str | None,
    Query(max_length=27, description="As it was then: a number in the log, or a UTC time."),
]
Limit = Annotated[int, Query(ge=1, le=500)]


@router.get("/tasks")
def list_tasks(board: TheBoard) -> list[dict[str, Any]]:
    """List the tasks that are ranked, with how many designs each has."""
    known = overview.tasks(board)
    found = []
    for task in ranked_tasks():
        summary = known.get((task.facts["id"], task.fingerprint))
        designs = summary.designs if summary else 0
        found.append(task.facts | {"fingerprint": task.fingerprint, "designs": designs})
    return found


@router.get("/tasks/{task_id}")
def get_task(board: TheBoard, task_id: TaskId) -> dict[str, Any]:
    """Say what a task is, and what is proven of it."""
    task = ranked_task(task_id)
    if task is None:
        raise NotFoundError(unknown_name("task", task_id, ranked_ids()))
    reference = reference_of(task_id, task.fingerprint)
    row: Reference | None = reference[0] if reference else None
    return task.facts | {"fingerprint": task.fingerprint, "optimum": row and vars(row)}


@router.get("/rankings/designs/{task_id}")
def rank_designs(
    board: TheBoard,
    task_id: TaskId,
    fingerprint: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
    as_of: AsOf = None,
    limit: Limit = 100,
    offset: Annotated[int, Query(ge=0, le=10**6)] = 0,
) -> DesignRanking:
    """Rank the designs of a task; equal ones are known, credit goes by the log."""
    return rankings.designs(
        board, task_id, fingerprint=fingerprint, as_of=as_of, limit=limit, offset=offset
    )


@router.post("/submissions", status_code=202)
def submit(
    board: TheBoard,
    who: Who,
    request: NewSubmission,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> submissions.SubmissionRow:
    """Hand in a record; a worker replays it."""
    line = json.dumps(request.record)
    found = submissions.submit(board, who, request.agent, line, idempotency_key)
    response.headers["Location"] = f"/api/v1/submissions/{found.id}"
    return found


@router.get("/submissions")
def list_submissions(
    board: TheBoard,
    agent: Annotated[str | None, Query(max_length=122)] = None,
    state: Annotated[str | None, Query(max_length=10)] = None,
    limit: Limit = 100,
) -> list[submissions.SubmissionRow]:
    """List submissions, newest first."""
    return submissions.list_submissions(board, agent=agent, state=state, limit=limit)


@router.get("/submissions/{submission_id}")
def get_submission(
    board: TheBoard, submission_id: Annotated[str, Path(max_length=32)]
) -> submissions.SubmissionRow:
    """Look a submission up."""
    return submissions.find(board, submission_id)


@router.get("/submissions/{submission_id}/network")
def get_network_check(
    board: TheBoard, submission_id: Annotated[str, Path(max_length=32)]
) -> checks.CheckRow:
    """Say what running a design on its network gave, or why there is nothing."""
    return checks.find(board, submissions.find(board, submission_id).id)


@router.get("/jobs/{job_id}")
def get_job(board: TheBoard, job_id: int) -> jobs.JobRow:
    """Look a job up."""
    return jobs.find(board, job_id)


@router.post("/jobs/{job_id}/retry")
def retry_job(board: TheBoard, who: Who, job_id: int) -> jobs.JobRow:
    """Queue a failed job again."""
    return jobs.retry(board, who, job_id)
