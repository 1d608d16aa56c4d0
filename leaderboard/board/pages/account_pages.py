"""Signing in, and what users have: teams, agents, tokens."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from lrmp.leaderboard.board.api.dependencies import TheBoard
from lrmp.leaderboard.board.api.schemas import MAX_AGENT, Text
from lrmp.leaderboard.board.api.session import begin_session
from lrmp.leaderboard.board.api.sign_in import MAX_NEXT, local_path
from lrmp.leaderboard.board.names import MAX_NAME
from lrmp.leaderboard.board.pages.rendering import PageRoute, Sender, User, render
from lrmp.leaderboard.board.service import accounts, agents, submissions, tokens
from lrmp.leaderboard.board.service.principal import SCOPE_WORDS

MOST_SHOWN = 50

router = APIRouter(include_in_schema=False, route_class=PageRoute)

Name = Annotated[Text, Form(max_length=MAX_NAME)]


@router.get("/sign-in")
def sign_in_page(
    request: Request,
    next: Annotated[str, Query(max_length=MAX_NEXT)] = "/",  # noqa: A002  the word it is
) -> Response:
    """Show the ways to sign in."""
    return render(request, "sign_in.html", next=local_path(next))


@router.post("/sign-in")
def sign_in(
    request: Request,
    board: TheBoard,
    token: Annotated[Text, Form(max_length=200)],
    next: Annotated[str, Form(max_length=MAX_NEXT)] = "/",  # noqa: A002  the word it is
) -> Response:
    """Sign a browser in by a token; the session ends with it."""
    tokens.authenticate(board, token.strip())
    answer = RedirectResponse(local_path(next), status_code=303)
    begin_session(request, answer, token.strip())
    return answer


@router.get("/join")
def join_page(request: Request) -> Response:
    """Show the form for an invitation."""
    return render(request, "join.html")


@router.post("/join")
def join(
    request: Request,
    board: TheBoard,
    code: Annotated[Text, Form(max_length=100)],
    user: Name,
    team: Name = "",
) -> Response:
    """Become a user, and be signed in."""
    secret = accounts.accept_invitation(board, code.strip(), user.strip(), team.strip() or None)
    answer = render(request, "secret.html", secret=secret, what="token", first=True)
    begin_session(request, answer, secret)
    return answer


@router.get("/account")
def account_page(request: Request, board: TheBoard, user: User) -> Response:
    """Show teams, agents, submissions and tokens of a user."""
    found = accounts.account(board, user)
    own = [each for team in found.teams for each in agents.list_agents(board, team=team)]
    recent = [
        row
        for agent in own[:MOST_SHOWN]
        for row in submissions.list_submissions(board, agent=agent.name, limit=5)
    ]
    return render(
        request,
        "account.html",
        account=found,
        agents=own,
        submissions=sorted(recent, key=lambda row: row.created_at, reverse=True)[:MOST_SHOWN],
        tokens=tokens.list_tokens(board, user)[:MOST_SHOWN],
        scopes=[
            (name, about)
            for name, about in SCOPE_WORDS.items()
            if name in user.scopes and (name != "admin" or user.is_admin)
        ],
        own_token=user.token_id,
    )


@router.post("/account/teams")
def found_team(board: TheBoard, user: Sender, team: Name) -> Response:
    """Found a team."""
    accounts.found_team(board, user, team.strip())
    return RedirectResponse("/account", status_code=303)


@router.post("/account/agents")
def register_agent(
    board: TheBoard,
    user: Sender,
    agent: Annotated[Text, Form(max_length=MAX_AGENT)],
    code: Annotated[Text, Form(max_length=500)] = "",
) -> Response:
    """Register an agent."""
    agents.register(board, user, agent.strip(), code.strip() or None)
    return RedirectResponse("/account", status_code=303)


@router.post("/account/tokens")
def create_token(
    request: Request,
    board: TheBoard,
    user: Sender,
    name: Annotated[Text, Form(min_length=1, max_length=80)],
    scope: Annotated[list[str], Form(max_length=3)],
    days: Annotated[float, Form(gt=0, le=366)] = 90,
) -> Response:
    """Make a token, and show it once."""
    secret, _ = tokens.create(board, user, name, scope, days)
    return render(request, "secret.html", secret=secret, what="token", first=False)


@router.post("/account/tokens/{token_id}/revoke")
def revoke_token(
    board: TheBoard, user: Sender, token_id: Annotated[str, Path(max_length=32)]
) -> Response:
    """End a token."""
    tokens.revoke(board, user, token_id)
    return RedirectResponse("/account", status_code=303)


@router.post("/account/invitations")
def invite(request: Request, board: TheBoard, user: Sender, team: Name = "") -> Response:
    """Make an invitation's code, and show it once."""
    code = accounts.invite(board, user, team.strip() or None)
    return render(request, "secret.html", secret=code, what="invitation", first=False)
