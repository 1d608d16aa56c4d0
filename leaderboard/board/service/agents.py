"""Agents: ``team/agent@version``, owned by a team."""

import re
from dataclasses import dataclass

import sqlalchemy as sa

from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.models import Agent, Membership, Team
from lrmp.leaderboard.board.database.races import again_after_race
from lrmp.leaderboard.board.errors import (
    ConflictError,
    MalformedError,
    NotAllowedError,
    NotFoundError,
)
from lrmp.leaderboard.board.names import fold, split_agent
from lrmp.leaderboard.board.service.allowance import MOST_AGENTS, refuse_more
from lrmp.leaderboard.board.service.principal import Principal
from lrmp.leaderboard.log.clock import now
from lrmp.leaderboard.log.tables import DesignStanding, RunStanding
from lrmp.leaderboard.record_schema import load_record_schema


@dataclass(frozen=True)
class AgentRow:
    """An agent.

    Attributes:
        name: ``team/agent@version``.
        code: Address of its code, or None.
        created_at: When it was registered.
        designs: Accepted designs, not withdrawn.
        runs: Runs that it opened.
    """

    name: str
    code: str | None
    created_at: str
    designs: int
    runs: int


@again_after_race
def register(board: Board, principal: Principal, full_name: str, code: str | None) -> AgentRow:
    """Register an agent for a team; the same again changes nothing.

    Args:
        board: The board.
        principal: A member of the team.
        full_name: ``team/agent@version``.
        code: Address of its code, which the schema of records allows, or None.

    Returns:
        The agent.

    Raises:
        MalformedError: If the name is none.
        NotFoundError: If there is no such team.
        NotAllowedError: If it is another team's, or the asking token may not.
        ConflictError: If the name looks like one that is taken, or is known with other code.
        TooManyError: If the team has as many agents as one may.
    """
    principal.require("manage")
    team_name, _, _ = split_agent(full_name)
    if code is not None and not re.fullmatch(_code_pattern(), code):
        raise MalformedError(
            f"Expected the address of code: https, a public host name, no port, no user; got "
            f"{code[:80]!r}."
        )
    with board.database.write() as session:
        team = session.scalar(sa.select(Team).where(Team.name == team_name))
        if team is None:
            raise NotFoundError(f"Expected a team of the board, got {team_name!r}. Found it first.")
        if session.get(Membership, (team.id, principal.user_id)) is None:
            raise NotAllowedError(f"Expected a team of {principal.user}, got {team_name}.")
        known = session.scalar(sa.select(Agent).where(Agent.folded == fold(full_name)))
        if known is None:
            refuse_more(session, MOST_AGENTS, "agents of a team", Agent.team_id == team.id)
            known = Agent(
                team_id=team.id,
                name=full_name,
                folded=fold(full_name),
                code=code,
                created_at=now(),
            )
            session.add(known)
            board.log(session, "agent", {"agent": full_name, "code": code})
        elif known.name != full_name:
            raise ConflictError(
                f"Expected a name that looks like no other, got one like {known.name}."
            )
        elif known.code != code:
            raise ConflictError(
                f"Expected {full_name} with the code {known.code}, got {code}. Register another "
                "version."
            )
    board.mirror.catch_up(board.database)
    return find(board, full_name)


def _code_pattern() -> str:
    pattern: str = load_record_schema()["properties"]["code"]["pattern"]
    return pattern


def find(board: Board, full_name: str) -> AgentRow:
    """Look an agent up.

    Args:
        board: The board.
        full_name: ``team/agent@version``.

    Returns:
        The agent.

    Raises:
        NotFoundError: If there is none.
    """
    found = list_agents(board, name=full_name)
    if not found:
        raise NotFoundError(f"Expected an agent of the board, got {full_name[:130]!r}.")
    return found[0]


def list_agents(
    board: Board,
    *,
    name: str | None = None,
    team: str | None = None,
    limit: int = 100,
    after: str = "",
) -> list[AgentRow]:
    """List agents.

    Args:
        board: The board.
        name: Only this one.
        team: Only of this team.
        limit: How many at most.
        after: The last name that is known.

    Returns:
        By name.
    """
    designs = (
        sa.select(sa.func.count())
        .where(DesignStanding.agent == Agent.name, DesignStanding.withdrawn_by.is_(None))
        .scalar_subquery()
    )
    runs = sa.select(sa.func.count()).where(RunStanding.agent == Agent.name).scalar_subquery()
    query = (
        sa.select(Agent.name, Agent.code, Agent.created_at, designs, runs)
        .where(Agent.name > after)
        .order_by(Agent.name)
        .limit(limit)
    )
    if name is not None:
        query = query.where(Agent.name == name)
    if team is not None:
        query = query.join(Team, Team.id == Agent.team_id).where(Team.name == team)
    with board.database.read() as session:
        return [AgentRow(*row) for row in session.execute(query)]
