"""Append to the log, within the transaction that does what the item says."""

import json
from dataclasses import asdict
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.leaderboard.chain import link
from lrmp.leaderboard.log.clock import now
from lrmp.leaderboard.log.item import Item, Kind, canonical, chained
from lrmp.leaderboard.log.tables import LogHead, LogItem


class Signs(Protocol):
    """Who signs a log.

    Attributes:
        public: Public half of the key, hexadecimal.
    """

    public: str

    def sign(self, number: int, chain: str) -> str:
        """Sign the head that the log has with an item.

        Args:
            number: Of the item.
            chain: Hash of the item, over all before it.

        Returns:
            The signature, hexadecimal.
        """
        ...


def append(session: Session, signer: Signs | None, kind: Kind, body: dict[str, Any]) -> Item:
    """Append an item.

    Args:
        session: That writes; the item is there when it is committed.
        signer: Of the board; None for a file of one machine, which nobody signs.
        kind: What the item says.
        body: Plain JSON values.

    Returns:
        The item.
    """
    head = lock_head(session)
    number, at, text = head.number + 1, now(), canonical(body)
    row = chained(number, kind, at, text, head.chain)
    chain = link(row)
    key, signature = (signer.public, signer.sign(number, chain)) if signer else ("", "")
    item = Item(**row, chain=chain, key=key, signature=signature)
    session.add(LogItem(**asdict(item)))
    head.number, head.chain = number, chain
    return item


def lock_head(session: Session) -> LogHead:
    """Keep all others who append waiting until the transaction ends.

    Args:
        session: That writes.

    Returns:
        The end of the log.
    """
    return session.scalars(sa.select(LogHead).with_for_update()).one()


def read_items(session: Session, after: int = 0, limit: int | None = None) -> list[Item]:
    """Read the log.

    Args:
        session: Any.
        after: Number of the last item that is known.
        limit: How many at most; None for all.

    Returns:
        Items in order.
    """
    columns = [getattr(LogItem, name) for name in Item.__dataclass_fields__]
    query = sa.select(*columns).where(LogItem.number > after).order_by(LogItem.number).limit(limit)
    return [Item(*row) for row in session.execute(query)]


def read_key(session: Session) -> str | None:
    """Read which key signs the next item.

    Args:
        session: Any.

    Returns:
        Its public half, hexadecimal; None if the log is empty.
    """
    last = sa.select(LogItem.body).where(LogItem.kind == "key").order_by(LogItem.number.desc())
    body = session.scalar(last.limit(1))
    return None if body is None else json.loads(body)["key"]


def read_head(session: Session) -> Item | None:
    """Read the last item.

    Args:
        session: Any.

    Returns:
        The item, or None if the log is empty.
    """
    last = session.scalar(sa.select(sa.func.max(LogItem.number)))
    return None if last is None else read_items(session, last - 1)[0]
