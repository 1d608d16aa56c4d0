"""Rank designs by the standings that follow from a log: one query for every board."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.leaderboard.design_ranking import REFERENCE, DesignRanking, RankedDesign, reference_of
from lrmp.leaderboard.gap import design_gap
from lrmp.leaderboard.log.database import Database
from lrmp.leaderboard.log.item import Item
from lrmp.leaderboard.log.standings import SHOWN, count_accepted, rebuild
from lrmp.leaderboard.log.tables import (
    Base,
    DesignStanding,
    DisputeStanding,
    NetworkCheck,
    RunStanding,
    tables_of,
)
from lrmp.leaderboard.ranked_tasks import ranked_task

NOT_CHECKED: dict[str, Any] = {
    f"network_{name}": None for name in ("drop", "low", "high", "images", "check")
}


def rank_designs(
    session: Session,
    task_id: str,
    fingerprint: str,
    as_of: int,
    limit: int | None = None,
    offset: int = 0,
) -> DesignRanking:
    """Rank the designs of a task.

    Args:
        session: Any.
        task_id: Of the task.
        fingerprint: Of its definition.
        as_of: Number of the last item of the log that counts.
        limit: How many designs at most; None for all.
        offset: How many to leave out.

    Returns:
        The ranking.
    """
    reference = reference_of(task_id, fingerprint)
    table = DesignStanding
    live = [
        table.fingerprint == fingerprint,  # of the task, too
        table.number <= as_of,
        table.withdrawn_by.is_(None) | (table.withdrawn_by > as_of),
    ]
    withdrawn = sa.select(sa.func.count()).where(live[0], table.withdrawn_by <= as_of)
    total = count_accepted(session, fingerprint, as_of) - (session.scalar(withdrawn) or 0)
    # The sum keeps SQLite from reading all rows by their numbers, to sort them afterwards.
    query = (
        sa.select(table)
        .where(*live[:1], table.number + 0 <= as_of, *live[2:])
        .order_by(table.merit.desc(), table.number)
        .limit(limit)
        .offset(offset)
    )
    rows = list(session.scalars(query))
    hashes = {row.design for row in rows}
    firsts = _firsts(session, live, hashes)
    checks = _checks(session, fingerprint, hashes, as_of)
    optimum = reference[0].value if reference else None
    ranked = []
    for place, row in enumerate(rows, start=offset + 1):
        known: int | None = firsts[row.design]
        if reference and row.design == reference[1]:
            known = REFERENCE
        elif known == row.number:
            known = None
        ranked.append(
            RankedDesign(
                place=place,
                gap=design_gap(optimum, row.score),
                known_as=known,
                **checks.get(row.design, NOT_CHECKED),
                **{name: getattr(row, name) for name in SHOWN},
            )
        )
    today = ranked_task(task_id)
    is_current = today is not None and today.fingerprint == fingerprint
    return DesignRanking(
        task=task_id,
        fingerprint=fingerprint,
        is_current=is_current,
        accuracy_misses=list(today.accuracy_misses) if today and is_current else None,
        as_of=as_of,
        reference=reference[0] if reference else None,
        total=total,
        designs=ranked,
    )


def rank_log(items: Iterable[Item]) -> list[DesignRanking]:
    """Rank by a log alone: its standings are written anew, in memory.

    Args:
        items: Of the log, in order.

    Returns:
        All designs of every definition of a task that had any, measured tasks before estimates,
        today's definition before others.
    """
    table = DesignStanding
    with Database.in_memory().write() as session:
        Base.metadata.create_all(
            session.connection(),
            tables=tables_of(table, NetworkCheck, RunStanding, DisputeStanding),
        )
        last = rebuild(session, items)
        keys = session.execute(sa.select(table.task, table.fingerprint).distinct()).all()
        found = [rank_designs(session, task, fingerprint, last) for task, fingerprint in keys]
    return sorted(found, key=_order)


def _order(ranking: DesignRanking) -> tuple[bool, str, bool, str]:
    return ranking.is_estimate, ranking.task, not ranking.is_current, ranking.fingerprint


def _firsts(session: Session, live: list[Any], hashes: set[str]) -> dict[str, int]:
    """Find the first item in the log with each design."""
    table = DesignStanding
    query = (
        sa.select(table.design, sa.func.min(table.number))
        .where(*live, table.design.in_(hashes))
        .group_by(table.design)
    )
    return dict(session.execute(query).all())


def _checks(
    session: Session, fingerprint: str, hashes: set[str], as_of: int
) -> dict[str, dict[str, Any]]:
    """Find the newest check on the network of each design."""
    table = NetworkCheck
    query = (
        sa.select(table.design, table.drop, table.low, table.high, table.images, table.number)
        .where(table.fingerprint == fingerprint, table.design.in_(hashes), table.number <= as_of)
        .order_by(table.number)
    )
    return {
        design: dict(zip(NOT_CHECKED, values, strict=True))
        for design, *values in session.execute(query)
    }
