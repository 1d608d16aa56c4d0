"""How much of everything somebody may have at once: nobody fills a board alone."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.leaderboard.board.errors import TooManyError

MOST_TOKENS = 100  # of a user, that are good
MOST_INVITATIONS = 100  # into a team, that are open
MOST_DISPUTES = 20  # of a user, that are open
MOST_AGENTS = 1000  # of a team
MOST_TEAMS = 20  # of a user


def refuse_more(session: Session, most: int, what: str, *conditions: Any) -> None:
    """Refuse one more of something.

    Args:
        session: That writes.
        most: How many there may be; 0 for any number.
        what: What they are, in the plural.
        *conditions: Which rows count, all of one table.

    Raises:
        TooManyError: If there are as many already.
    """
    # No more rows are looked at than there may be.
    rows = sa.select(sa.literal(1)).where(*conditions).limit(most).subquery()
    if most and (session.scalar(sa.select(sa.func.count()).select_from(rows)) or 0) >= most:
        raise TooManyError(f"Expected at most {most} {what} at once. Wait, or end some.")
