"""What rankings are made of: rows that follow from the log and can be written anew from it."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.leaderboard.design_ranking import design_hash
from lrmp.leaderboard.log.item import Item
from lrmp.leaderboard.log.tables import (
    NO_SCORE,
    DesignStanding,
    DisputeStanding,
    NetworkCheck,
    RunStanding,
)

#: What a ranking shows of a design's standing as it is.
SHOWN = (
    "number",
    "submission",
    "agent",
    "score",
    "gain",
    "accuracy_drop",
    "test_accuracy_drop",
    "accuracy",
    "latency_cycles",
    "bottleneck_cycles",
    "tiles",
    "at",
)


def apply(session: Session, item: Item) -> None:
    """Write what follows from an item.

    Args:
        session: That writes.
        item: The next one of the log.
    """
    body = item.content
    match item.kind:
        case "design":
            values = design_standing(item.number, item.at, body)
            ordinal = 1 + count_accepted(session, values["fingerprint"], item.number)
            session.add(DesignStanding(**values, ordinal=ordinal))
        case "checked":
            design = session.get_one(DesignStanding, body["number"])
            session.add(
                NetworkCheck(
                    number=item.number,
                    fingerprint=design.fingerprint,
                    design=design.design,
                    **{name: body[name] for name in ("drop", "low", "high", "images")},
                )
            )
        case "run-opened":
            session.add(
                RunStanding(
                    run=body["run"],
                    round=body["round"],
                    agent=body["agent"],
                    instance=body["instance"],
                    opened=item.number,
                )
            )
        case "run-finished":
            run = session.get_one(RunStanding, body["run"])
            run.finished, run.evaluations = item.number, len(body["evaluations"])
            run.optimum, run.bound = body["optimum"]["value"], body["optimum"]["bound"]
            run.scores = body["scores"]
        case "withdrawn":
            _withdraw(session, body["number"], item.number)
        case "disputed":
            session.add(
                DisputeStanding(
                    number=item.number,
                    id=body["dispute"],
                    log_number=body["number"],
                    user=body["user"],
                    text=body["text"],
                    state="open",
                    created_at=item.at,
                )
            )
        case "answered":
            which = sa.select(DisputeStanding).where(DisputeStanding.id == body["dispute"])
            dispute = session.scalars(which).one()
            dispute.state, dispute.answer = body["verdict"], body["text"]
            dispute.answered_by, dispute.closed_at = item.number, item.at


def rebuild(session: Session, items: Iterable[Item]) -> int:
    """Write all standings anew.

    Args:
        session: That writes.
        items: The whole log.

    Returns:
        Number of the last item; 0 without any.
    """
    for table in (DesignStanding, NetworkCheck, RunStanding, DisputeStanding):
        session.execute(sa.delete(table))
    last = 0
    for item in items:
        apply(session, item)
        last = item.number
    session.flush()
    return last


def count_accepted(session: Session, fingerprint: str, as_of: int) -> int:
    """Count the designs of a task that were accepted, withdrawn ones included.

    Args:
        session: Any.
        fingerprint: Of the task's definition.
        as_of: Number of the last item of the log that counts.

    Returns:
        How many, from the last row's ordinal alone.
    """
    table = DesignStanding
    last = (
        sa.select(table.ordinal)
        .where(table.fingerprint == fingerprint, table.number <= as_of)
        .order_by(table.number.desc())
        .limit(1)
    )
    return session.scalar(last) or 0


def design_standing(number: int, at: str, body: dict[str, Any]) -> dict[str, Any]:
    """Say how an accepted design stands.

    Args:
        number: In the log.
        at: When.
        body: Of the item.

    Returns:
        Values by column, but for the ordinal.
    """
    record, claim = body["record"], body["claim"]
    return {
        "number": number,
        "at": at,
        "submission": body["submission"],
        "task": record["task"],
        "fingerprint": record["task_fingerprint"],
        "agent": body["agent"],
        "design": design_hash(record["design"]),
        **claim,
        "merit": NO_SCORE if claim["score"] is None else claim["score"],
        "test_accuracy_drop": body["test_accuracy_drop"],
        "accuracy": body["accuracy"],
    }


def _withdraw(session: Session, number: int, by: int) -> None:
    session.execute(
        sa.update(DesignStanding).where(DesignStanding.number == number).values(withdrawn_by=by)
    )
    which = (RunStanding.opened == number) | (RunStanding.finished == number)
    session.execute(sa.update(RunStanding).where(which).values(withdrawn_by=by))
