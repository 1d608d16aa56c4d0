"""Who asks, and what they may do."""

from dataclasses import dataclass
from typing import Literal, get_args

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.leaderboard.board.database.models import Agent, Membership
from lrmp.leaderboard.board.errors import NotAllowedError, NotFoundError

Scope = Literal["submit", "manage", "admin"]
SCOPES: tuple[str, ...] = get_args(Scope)

#: What scopes are for, as people read it.
SCOPE_WORDS = {
    "submit": "hand in records and play runs for the agents of one's teams",
    "manage": "make agents, tokens and disputes",
    "admin": "invite, open and close rounds, withdraw, answer disputes; of administrators alone",
}


@dataclass(frozen=True)
class Principal:
    """A user who was recognised by a token.

    Attributes:
        user_id: Of the user.
        user: Their name.
        is_admin: Whether they administer the board.
        scopes: Of the token.
        token_id: Of the token.
    """

    user_id: int
    user: str
    is_admin: bool
    scopes: frozenset[str]
    token_id: str

    def require(self, scope: Scope) -> None:
        """Refuse whoever may not do something.

        Args:
            scope: What it takes.

        Raises:
            NotAllowedError: If the token lacks the scope, or the user is no administrator.
        """
        if scope not in self.scopes:
            raise NotAllowedError(
                f"Expected a token with the scope {scope!r}, got one with "
                f"{', '.join(sorted(self.scopes)) or 'none'}. Make another with `lrmp board token`."
            )
        if scope == "admin" and not self.is_admin:
            raise NotAllowedError(f"Expected an administrator, got {self.user}.")


def owned_agent(session: Session, principal: Principal, full_name: str) -> Agent:
    """Find an agent of one of the user's teams.

    Args:
        session: Any.
        principal: Who asks.
        full_name: ``team/agent@version``.

    Returns:
        The agent.

    Raises:
        NotFoundError: If there is no such agent.
        NotAllowedError: If it is another team's.
    """
    agent = session.scalar(sa.select(Agent).where(Agent.name == full_name))
    if agent is None:
        raise NotFoundError(
            f"Expected an agent that was registered, got {full_name[:130]!r}. Register it first."
        )
    if session.get(Membership, (agent.team_id, principal.user_id)) is None:
        raise NotAllowedError(
            f"Expected an agent of a team of {principal.user}, got {full_name}. Only its owners "
            "add to it."
        )
    return agent
