"""Runs of a round: the server draws the instance, scores designs and counts them."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.envs.task.task import Task
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.models import Agent, Evaluation, Round, Run
from lrmp.leaderboard.board.database.races import again_after_race
from lrmp.leaderboard.board.errors import (
    ConflictError,
    MalformedError,
    NotAllowedError,
    NotFoundError,
)
from lrmp.leaderboard.board.instances import (
    instance_task,
    public_instance,
    read_settings,
    score_design,
)
from lrmp.leaderboard.board.service import jobs
from lrmp.leaderboard.board.service.principal import Principal, owned_agent
from lrmp.leaderboard.board.service.rounds import secret_of
from lrmp.leaderboard.board.tracks import scores_at
from lrmp.leaderboard.log.clock import now
from lrmp.leaderboard.log.item import canonical
from lrmp.leaderboard.log.tables import LogItem
from lrmp.leaderboard.metered_answer import Answer


@dataclass(frozen=True)
class RunRow:
    """A run.

    Attributes:
        id: Names it.
        round: Name of the round.
        track: Of the round.
        agent: ``team/agent@version``.
        instance: Which of the agent's instances, from 0.
        fingerprint: Of the instance.
        state: ``"open"``, ``"finishing"`` while a worker proves the optimum, or ``"finished"``.
        evaluations: Designs scored, as the server counted them.
        budget: How many there may be.
        opened_at: When it was opened.
        finished_at: When it was finished, or None.
        log_number: Its place in the log, once it is finished.
    """

    id: str
    round: str
    track: str
    agent: str
    instance: int
    fingerprint: str
    state: str
    evaluations: int
    budget: int
    opened_at: str
    finished_at: str | None
    log_number: int | None


@again_after_race
def open_run(
    board: Board, principal: Principal, round_name: str, agent: str, key: str | None = None
) -> RunRow:
    """Open a run on the agent's next instance. It counts from now on.

    Args:
        board: The board.
        principal: Of the agent's team.
        round_name: Of the round.
        agent: ``team/agent@version``.
        key: Idempotency key: the same key gives the same run again.

    Returns:
        The run.

    Raises:
        NotFoundError: If there is no such round or agent.
        NotAllowedError: If the agent is another team's, or the token may not submit.
        ConflictError: If the round is over, the agent has opened all its runs, or the key was used
            in another round.
    """
    principal.require("submit")
    with board.database.write() as session:
        owner = owned_agent(session, principal, agent)
        session.refresh(owner, with_for_update=True)  # one run of an agent is opened at a time
        # Whoever closes the round waits until this run is in the log, or this one for the end.
        found = session.get(Round, round_name, with_for_update={"read": True})
        if found is None:
            raise NotFoundError(f"Expected a round of the board, got {round_name[:40]!r}.")
        if key is not None:
            used = session.scalar(sa.select(Run).where(Run.agent_id == owner.id, Run.key == key))
            if used is not None:
                if used.round != round_name:
                    raise ConflictError(
                        f"Expected a key for {round_name}, got one of {used.round}."
                    )
                return _row(session, used)
        if found.closed_at or found.closes_at <= now():
            raise ConflictError(f"Expected a round that is open, got {round_name}, which is over.")
        opened = session.scalar(
            sa.select(sa.func.count()).where(Run.round == round_name, Run.agent_id == owner.id)
        )
        assert opened is not None
        if opened >= found.instances:
            raise ConflictError(
                f"Expected at most {found.instances} runs of an agent in {round_name}, which "
                f"{agent} has opened."
            )
        run = Run(
            id=secrets.token_hex(12),
            round=round_name,
            agent_id=owner.id,
            key=key,
            instance=opened,
            fingerprint=_task(found, agent, opened).fingerprint,
            state="open",
            evaluations=0,
            opened_at=now(),
        )
        session.add(run)
        session.flush()
        board.log(
            session,
            "run-opened",
            {
                "run": run.id,
                "round": round_name,
                "agent": agent,
                "instance": opened,
                "fingerprint": run.fingerprint,
            },
        )
        row = _row(session, run)
    board.mirror.catch_up(board.database)
    return row


def find(board: Board, run_id: str) -> RunRow:
    """Look a run up.

    Args:
        board: The board.
        run_id: Of the run.

    Returns:
        The run.

    Raises:
        NotFoundError: If there is none.
    """
    with board.database.read() as session:
        return _row(session, _get(session, run_id))


def list_runs(
    board: Board, *, round_name: str | None = None, agent: str | None = None, limit: int = 100
) -> list[RunRow]:
    """List runs.

    Args:
        board: The board.
        round_name: Only of this round.
        agent: Only of this agent.
        limit: How many at most.

    Returns:
        Newest first.
    """
    query = sa.select(Run).order_by(Run.opened_at.desc(), Run.id).limit(limit)
    if round_name is not None:
        query = query.where(Run.round == round_name)
    if agent is not None:
        query = query.join(Agent, Agent.id == Run.agent_id).where(Agent.name == agent)
    with board.database.read() as session:
        return [_row(session, run) for run in session.scalars(query)]


def instance_of(board: Board, principal: Principal, run_id: str) -> dict[str, Any]:
    """Describe the instance of a run: all but its accuracy table.

    Args:
        board: The board.
        principal: Of the agent's team.
        run_id: Of the run.

    Returns:
        As `public_instance` does.

    Raises:
        NotFoundError: If there is no such run.
        NotAllowedError: If it is another team's.
    """
    with board.database.read() as session:
        run = _get(session, run_id)
        owner, found = _owned(session, principal, run)
    task = _task(found, owner.name, run.instance)
    return public_instance(task, with_harms=found.track == "zero-shot")


@again_after_race
def evaluate(
    board: Board,
    principal: Principal,
    run_id: str,
    first: int,
    designs: Sequence[Mapping[str, Sequence[Any]]],
) -> list[Answer]:
    """Score designs and count them, in order. Sent again, they are answered again, uncounted.

    Args:
        board: The board.
        principal: Of the agent's team.
        run_id: Of the run.
        first: Which evaluation of the run the first one is, from 1.
        designs: By the name of a knob its value in every layer, each.

    Returns:
        An answer each; without feedback none.

    Raises:
        NotFoundError: If there is no such run.
        NotAllowedError: If it is another team's, or the token may not submit.
        MalformedError: If a design is none of the instance's, or there are too many; none is
            counted.
        ConflictError: If evaluations before them are missing, others were counted in their place,
            the run is over, or its budget would not last.
    """
    principal.require("submit")
    most = board.settings.evaluations_per_request
    if not 1 <= len(designs) <= most:
        raise MalformedError(f"Expected 1 to {most} designs, got {len(designs)}.")
    with board.database.read() as session:
        run = _get(session, run_id)
        owner, found = _owned(session, principal, run)
    task = _task(found, owner.name, run.instance)
    read = [read_settings(task, design) for design in designs]
    texts = [canonical(_settings(design.to_json())) for design in read]
    scored = [score_design(task, design) for design in read]
    with board.database.write() as session:
        run = _get(session, run_id, lock=True)
        last = first + len(designs) - 1
        if first <= run.evaluations:
            _check_repeated(session, run, first, texts)
        else:
            _check_next(run, found, first, last)
            session.execute(
                sa.insert(Evaluation),
                [
                    {"run_id": run.id, "number": number, "settings": text, **vars(each)}
                    for number, text, each in zip(
                        range(first, last + 1), texts, scored, strict=True
                    )
                ],
            )
            run.evaluations = last
    if found.track == "zero-shot":
        return []
    return [Answer(number, **vars(each)) for number, each in enumerate(scored, first)]


def finish(board: Board, principal: Principal, run_id: str) -> RunRow:
    """End a run; a worker proves the instance's optimum and logs it. Again, it changes nothing.

    Args:
        board: The board.
        principal: Of the agent's team.
        run_id: Of the run.

    Returns:
        The run.

    Raises:
        NotFoundError: If there is no such run.
        NotAllowedError: If it is another team's, or the token may not submit.
    """
    principal.require("submit")
    with board.database.write() as session:
        run = _get(session, run_id, lock=True)
        _owned(session, principal, run)
        if run.state == "open":
            finish_run(session, run)
        return _row(session, run)


def finish_run(session: Session, run: Run) -> None:
    """End a run as it is.

    Args:
        session: That writes, and holds the run.
        run: An open run.
    """
    run.state, run.finished_at = "finishing", now()
    jobs.queue(session, "settle", run.id)


def finish_overdue(board: Board) -> int:
    """End runs that have been open for too long.

    Args:
        board: The board.

    Returns:
        How many.
    """
    query = sa.select(Run).where(
        Run.state == "open", Run.opened_at < now(-board.settings.run_days * 86400)
    )
    with board.database.read() as session:
        if session.scalar(query.limit(1)) is None:
            return 0
    with board.database.write() as session:
        runs = list(session.scalars(query.with_for_update(skip_locked=True)))
        for run in runs:
            finish_run(session, run)
        return len(runs)


def settle(board: Board, session: Session, run_id: str, optimum: dict[str, Any]) -> None:
    """Log a run whose optimum was proven.

    Args:
        board: The board.
        session: That writes.
        run_id: Of the run.
        optimum: What is proven of its instance: ``value`` and ``bound``.
    """
    run = session.get_one(Run, run_id)
    found, agent = secret_of(session, run)
    query = sa.select(Evaluation).where(Evaluation.run_id == run_id).order_by(Evaluation.number)
    rows = list(session.scalars(query))
    evaluations = [[json.loads(row.settings), row.score] for row in rows]
    item = board.log(
        session,
        "run-finished",
        {
            "run": run.id,
            "round": run.round,
            "agent": agent.name,
            "instance": run.instance,
            "fingerprint": run.fingerprint,
            "optimum": optimum,
            "evaluations": evaluations,
            "scores": scores_at(found.track, [row.score for row in rows], optimum),
        },
    )
    run.state, run.log_number = "finished", item.number


def curve(board: Board, run_id: str) -> list[tuple[int, float]]:
    """Read how a run's best score rose. Of a run without feedback nothing is told before its end.

    Args:
        board: The board.
        run_id: Of the run.

    Returns:
        Numbers of evaluations at which it rose, and the best score from there.

    Raises:
        NotFoundError: If there is no such run.
    """
    with board.database.read() as session:
        run = _get(session, run_id)
        if session.get_one(Round, run.round).track == "zero-shot" and run.state != "finished":
            return []
        if run.log_number is not None:  # as the log has it
            body = session.get_one(LogItem, run.log_number).body
            scores = [score for _, score in json.loads(body)["evaluations"]]
        else:
            query = sa.select(Evaluation.score).where(Evaluation.run_id == run_id)
            scores = list(session.scalars(query.order_by(Evaluation.number)))
        rises: list[tuple[int, float]] = []
        for number, score in enumerate(scores, start=1):
            if score is not None and (not rises or score > rises[-1][1]):
                rises.append((number, score))
        return rises


def _task(found: Round, agent: str, instance: int) -> Task:
    return instance_task(found.secret, found.name, agent, instance, found.objective)


def _settings(document: dict[str, Any]) -> dict[str, Any]:
    return {name: values for name, values in document.items() if name != "replication"}


def _check_repeated(session: Session, run: Run, first: int, texts: Sequence[str]) -> None:
    query = (
        sa.select(Evaluation.settings)
        .where(
            Evaluation.run_id == run.id,
            Evaluation.number >= first,
            Evaluation.number < first + len(texts),
        )
        .order_by(Evaluation.number)
    )
    if list(session.scalars(query)) != list(texts):
        raise ConflictError(
            f"Expected evaluation {run.evaluations + 1} of the run, or evaluations as they were "
            f"counted, got others from {first} on. Go on from {run.evaluations + 1}."
        )


def _check_next(run: Run, found: Round, first: int, last: int) -> None:
    if run.state != "open":
        raise ConflictError(f"Expected a run that is open, got one that is {run.state}.")
    if found.closes_at <= now():
        raise ConflictError(f"Expected a round that is open, got {found.name}, which is over.")
    if first != run.evaluations + 1:
        raise ConflictError(
            f"Expected evaluation {run.evaluations + 1} of the run next, got {first}."
        )
    if last > found.evaluations:
        raise ConflictError(
            f"Expected at most {found.evaluations} evaluations of a run, got {last}. "
            f"{found.evaluations - run.evaluations} are left."
        )


def _get(session: Session, run_id: str, *, lock: bool = False) -> Run:
    run = session.get(Run, run_id, with_for_update=lock)
    if run is None:
        raise NotFoundError(f"Expected a run of the board, got {run_id[:40]!r}.")
    return run


def _owned(session: Session, principal: Principal, run: Run) -> tuple[Agent, Round]:
    agent = session.get_one(Agent, run.agent_id)
    try:
        owned_agent(session, principal, agent.name)
    except NotAllowedError:
        raise NotAllowedError(
            f"Expected a run of a team of {principal.user}, got another's."
        ) from None
    return agent, session.get_one(Round, run.round)


def _row(session: Session, run: Run) -> RunRow:
    agent, found = session.get_one(Agent, run.agent_id), session.get_one(Round, run.round)
    return RunRow(
        id=run.id,
        round=run.round,
        track=found.track,
        agent=agent.name,
        instance=run.instance,
        fingerprint=run.fingerprint,
        state=run.state,
        evaluations=run.evaluations,
        budget=found.evaluations,
        opened_at=run.opened_at,
        finished_at=run.finished_at,
        log_number=run.log_number,
    )
