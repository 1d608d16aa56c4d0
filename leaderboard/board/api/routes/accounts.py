"""Users, teams, agents, tokens."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query

from lrmp.leaderboard.board.api.dependencies import TheBoard, Who
from lrmp.leaderboard.board.api.routes.designs import Limit
from lrmp.leaderboard.board.api.schemas import (
    AcceptInvitation,
    Invite,
    NewAgent,
    NewTeam,
    NewToken,
    Secret,
)
from lrmp.leaderboard.board.service import accounts, agents, tokens

router = APIRouter(tags=["accounts"])


@dataclass(frozen=True)
class NewTokenAnswer:
    """A token, and its secret, which is told only now."""

    secret: str
    token: tokens.TokenRow


@router.get("/account")
def get_account(board: TheBoard, who: Who) -> accounts.Account:
    """Say who the token is of."""
    return accounts.account(board, who)


@router.post("/users/{user}/disable", status_code=204)
def disable(board: TheBoard, who: Who, user: Annotated[str, Path(max_length=40)]) -> None:
    """Let a user sign in no more."""
    accounts.disable(board, who, user)


@router.post("/invitations", status_code=201)
def invite(board: TheBoard, who: Who, request: Invite) -> Secret:
    """Make a code that makes its holder a user, once."""
    return Secret(secret=accounts.invite(board, who, request.team))


@router.post("/invitations/accept", status_code=201)
def accept(board: TheBoard, request: AcceptInvitation) -> Secret:
    """Become a user; the answer is a first token."""
    secret = accounts.accept_invitation(board, request.code, request.user, request.team)
    return Secret(secret=secret)


@router.post("/teams", status_code=201)
def found_team(board: TheBoard, who: Who, request: NewTeam) -> accounts.Account:
    """Found a team and join it."""
    accounts.found_team(board, who, request.team)
    return accounts.account(board, who)


@router.get("/agents")
def list_agents(
    board: TheBoard,
    team: Annotated[str | None, Query(max_length=40)] = None,
    after: Annotated[str, Query(max_length=122)] = "",
    limit: Limit = 100,
) -> list[agents.AgentRow]:
    """List agents by name."""
    return agents.list_agents(board, team=team, after=after, limit=limit)


@router.post("/agents", status_code=201)
def register(board: TheBoard, who: Who, request: NewAgent) -> agents.AgentRow:
    """Register an agent; the same again changes nothing."""
    return agents.register(board, who, request.agent, request.code)


@router.get("/agents/{agent:path}")
def get_agent(board: TheBoard, agent: Annotated[str, Path(max_length=122)]) -> agents.AgentRow:
    """Look an agent up."""
    return agents.find(board, agent)


@router.get("/tokens")
def list_tokens(board: TheBoard, who: Who) -> list[tokens.TokenRow]:
    """List one's tokens, newest first, without their secrets."""
    return tokens.list_tokens(board, who)


@router.post("/tokens", status_code=201)
def create_token(board: TheBoard, who: Who, request: NewToken) -> NewTokenAnswer:
    """Make a token that may do no more than the one that asks."""
    secret, row = tokens.create(board, who, request.name, request.scopes, request.days)
    return NewTokenAnswer(secret, row)


@router.delete("/tokens/{token_id}")
def revoke_token(
    board: TheBoard, who: Who, token_id: Annotated[str, Path(max_length=32)]
) -> tokens.TokenRow:
    """End a token now."""
    return tokens.revoke(board, who, token_id)
