"""Users and teams: by invitation, or by an OpenID provider."""

import secrets
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.models import Invitation, Membership, Team, User
from lrmp.leaderboard.board.database.races import again_after_race
from lrmp.leaderboard.board.errors import (
    ConflictError,
    MalformedError,
    NotAllowedError,
    NotFoundError,
)
from lrmp.leaderboard.board.names import check_name, fold
from lrmp.leaderboard.board.service import tokens
from lrmp.leaderboard.board.service.allowance import MOST_INVITATIONS, MOST_TEAMS, refuse_more
from lrmp.leaderboard.board.service.principal import Principal
from lrmp.leaderboard.log.clock import now

INVITATION_DAYS = 14
TOKEN_DAYS = 90
SESSION_DAYS = 7


@dataclass(frozen=True)
class Account:
    """A user with their teams.

    Attributes:
        user: Name.
        is_admin: Whether they administer the board.
        teams: Names of their teams.
    """

    user: str
    is_admin: bool
    teams: list[str]


@again_after_race
def add_admin(board: Board, name: str) -> str:
    """Make an administrator, or let a user be one. For whoever runs the board's machine.

    Args:
        board: The board.
        name: Of the user.

    Returns:
        A token with all scopes, told only now.
    """
    with board.database.write() as session:
        user = session.scalar(sa.select(User).where(User.folded == fold(name)))
        if user is None:
            user = _add_user(session, name)
        elif user.name != name:
            raise ConflictError(
                f"Expected a name that looks like no other, got one like {user.name}."
            )
        user.is_admin = True
        scopes = ("submit", "manage", "admin")
        return tokens.issue(session, user.id, "first", scopes, TOKEN_DAYS)[0]


def invite(board: Board, principal: Principal, team: str | None = None) -> str:
    """Make a code that makes its holder a user, once.

    Args:
        board: The board.
        principal: An administrator; a member of the team may invite into it, too.
        team: To join; None lets the holder found one.

    Returns:
        The code, told only now.

    Raises:
        NotAllowedError: If the asking token may not.
        NotFoundError: If there is no such team.
        TooManyError: If as many invitations into the team are open as may be.
    """
    with board.database.write() as session:
        if team is None:
            principal.require("admin")
        else:
            principal.require("manage")
            found = session.scalar(sa.select(Team).where(Team.name == team))
            if found is None:
                raise NotFoundError(f"Expected a team of the board, got {team[:40]!r}.")
            if not session.get(Membership, (found.id, principal.user_id)):
                principal.require("admin")
            refuse_more(
                session,
                MOST_INVITATIONS,
                "open invitations into a team",
                Invitation.team == team,
                Invitation.used_at.is_(None),
                Invitation.expires_at > now(),
            )
        code = secrets.token_urlsafe(32)
        session.add(
            Invitation(
                hash=tokens.hash_secret(code),
                team=team,
                created_at=now(),
                expires_at=now(INVITATION_DAYS * tokens.DAY_S),
            )
        )
        return code


@again_after_race
def accept_invitation(board: Board, code: str, user: str, team: str | None = None) -> str:
    """Become a user.

    Args:
        board: The board.
        code: Of the invitation.
        user: Name to take.
        team: To found; where the invitation is to a team, None.

    Returns:
        A first token, told only now.

    Raises:
        NotFoundError: If the code is unknown, used or expired.
        ConflictError: If a name looks like one that is taken.
        MalformedError: If a name is none, or a team is missing or in the way.
    """
    with board.database.write() as session:
        invitation = session.scalar(
            sa.select(Invitation)
            .where(Invitation.hash == tokens.hash_secret(code))
            .with_for_update()
        )
        if invitation is None or invitation.used_at or invitation.expires_at <= now():
            raise NotFoundError("Expected the code of an invitation that is open, got another one.")
        if (invitation.team is None) == (team is None):
            wanted = "a team to found" if team is None else f"no team but {invitation.team}"
            raise MalformedError(f"Expected {wanted}, got {team!r}.")
        invitation.used_at = now()
        added = _add_user(session, user)
        if team is None:
            found = session.scalars(sa.select(Team).where(Team.name == invitation.team)).one()
        else:
            found = _add_team(session, team)
        session.add(Membership(team_id=found.id, user_id=added.id))
        return tokens.issue(session, added.id, "first", ("submit", "manage"), TOKEN_DAYS)[0]


@again_after_race
def found_team(board: Board, principal: Principal, team: str) -> str:
    """Found a team and join it.

    Args:
        board: The board.
        principal: Who asks.
        team: Its name.

    Returns:
        The name.

    Raises:
        ConflictError: If the name looks like one that is taken.
        MalformedError: If it is none.
        NotAllowedError: If the asking token may not.
        TooManyError: If the user has as many teams as one may.
    """
    principal.require("manage")
    with board.database.write() as session:
        mine = Membership.user_id == principal.user_id
        refuse_more(session, MOST_TEAMS, "teams of a user", mine)
        added = _add_team(session, team)
        session.add(Membership(team_id=added.id, user_id=principal.user_id))
        return added.name


@again_after_race
def sign_in(board: Board, subject: str, preferred: str) -> str:
    """Let a user in whom an OpenID provider knows; a new one becomes a user.

    Args:
        board: The board.
        subject: Issuer and subject, which never change.
        preferred: Name to take, if it is free; names made of it otherwise.

    Returns:
        A token for the browser's session.

    Raises:
        NotAllowedError: If the user may no longer sign in.
    """
    with board.database.write() as session:
        user = session.scalar(sa.select(User).where(User.subject == subject))
        if user is None:
            user = _add_user(session, _free_name(session, preferred))
            user.subject = subject
        if user.disabled_at is not None:
            raise NotAllowedError(f"Expected a user who may sign in, got {user.name}.")
        scopes = ["submit", "manage"] + ["admin"] * user.is_admin
        return tokens.issue(session, user.id, "browser", scopes, SESSION_DAYS)[0]


def disable(board: Board, principal: Principal, user: str) -> None:
    """Let a user sign in no more; what they did stays.

    Args:
        board: The board.
        principal: An administrator.
        user: Name of the user.

    Raises:
        NotAllowedError: If the asking token may not.
        NotFoundError: If there is no such user.
    """
    principal.require("admin")
    with board.database.write() as session:
        found = session.scalar(sa.select(User).where(User.name == user))
        if found is None:
            raise NotFoundError(f"Expected a user of the board, got {user[:40]!r}.")
        found.disabled_at = found.disabled_at or now()


def account(board: Board, principal: Principal) -> Account:
    """Say who somebody is.

    Args:
        board: The board.
        principal: Who asks.

    Returns:
        Name and teams.
    """
    query = (
        sa.select(Team.name)
        .join(Membership, Membership.team_id == Team.id)
        .where(Membership.user_id == principal.user_id)
        .order_by(Team.name)
    )
    with board.database.read() as session:
        return Account(principal.user, principal.is_admin, list(session.scalars(query)))


def _add_user(session: Session, name: str) -> User:
    _refuse_taken(session, User, check_name("user", name))
    user = User(name=name, folded=fold(name), is_admin=False, created_at=now())
    session.add(user)
    session.flush()
    return user


def _add_team(session: Session, name: str) -> Team:
    _refuse_taken(session, Team, check_name("team", name))
    team = Team(name=name, folded=fold(name), created_at=now())
    session.add(team)
    session.flush()
    return team


def _refuse_taken(session: Session, kind: type[User] | type[Team], name: str) -> None:
    taken = session.scalar(sa.select(kind.name).where(kind.folded == fold(name)))
    if taken is not None:
        raise ConflictError(f"Expected a name that looks like no other, got one like {taken}.")


def _free_name(session: Session, preferred: str) -> str:
    plain = "".join(c for c in preferred if c.isascii() and (c.isalnum() or c in "._-"))
    plain = plain.lstrip("._-")[:32] or "user"
    for number in range(1, 1000):
        name = plain if number == 1 else f"{plain}-{number}"
        if (
            fold(name)
            and session.scalar(sa.select(User.id).where(User.folded == fold(name))) is None
        ):
            return name
    return f"user-{secrets.token_hex(6)}"
