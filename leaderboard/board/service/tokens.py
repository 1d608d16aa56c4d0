"""Tokens: secrets of 256 bits, stored by their hash, with scopes and an end."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.errors import unknown_name
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.models import Token, User
from lrmp.leaderboard.board.errors import (
    MalformedError,
    NotAllowedError,
    NotFoundError,
    NotSignedInError,
)
from lrmp.leaderboard.board.service.allowance import MOST_TOKENS, refuse_more
from lrmp.leaderboard.board.service.principal import SCOPES, Principal
from lrmp.leaderboard.log.clock import now

PREFIX = "lrmp_"  # so that scanners of repositories know one
MOST_DAYS = 366
DAY_S = 86400.0


@dataclass(frozen=True)
class TokenRow:
    """A token as its owner sees it.

    Attributes:
        id: Names it.
        name: What its owner calls it.
        scopes: What it may do.
        created_at: When it was made.
        expires_at: When it ends.
        revoked_at: When it was revoked, or None.
    """

    id: str
    name: str
    scopes: list[str]
    created_at: str
    expires_at: str
    revoked_at: str | None


def new_secret() -> str:
    """Make a token.

    Returns:
        256 bits, in a form that can stand in a header.
    """
    return PREFIX + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """Hash a secret of 256 bits; it cannot be guessed, so one pass is enough.

    Args:
        secret: A token or an invitation's code.

    Returns:
        SHA-256, hexadecimal.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def issue(
    session: Session, user_id: int, name: str, scopes: Collection[str], days: float
) -> tuple[str, Token]:
    """Make a token for a user.

    Args:
        session: That writes.
        user_id: Of the user.
        name: What to call it.
        scopes: What it may do.
        days: Until it ends.

    Returns:
        The secret, which is not stored, and its row.

    Raises:
        MalformedError: If a scope is unknown, there is none, or the time is out of range.
    """
    for scope in scopes:
        if scope not in SCOPES:
            raise MalformedError(unknown_name("scope", scope, SCOPES))
    if not scopes or not 0 < days <= MOST_DAYS:
        raise MalformedError(
            f"Expected scopes and 0 to {MOST_DAYS} days, got {list(scopes)}, {days:g}."
        )
    secret = new_secret()
    token = Token(
        id=secrets.token_hex(8),
        hash=hash_secret(secret),
        user_id=user_id,
        name=name[:80],
        scopes=sorted(scopes),
        created_at=now(),
        expires_at=now(days * DAY_S),
    )
    session.add(token)
    return secret, token


def authenticate(board: Board, secret: str) -> Principal:
    """Recognise a token.

    Args:
        board: The board.
        secret: As sent.

    Returns:
        Who it is of.

    Raises:
        NotSignedInError: If it is unknown, expired or revoked, or its user may no longer sign in.
    """
    query = (
        sa.select(Token, User)
        .join(User, User.id == Token.user_id)
        .where(Token.hash == hash_secret(secret))
    )
    with board.database.read() as session:
        found = session.execute(query).one_or_none()
    if found is not None:
        token, user = found
        if token.revoked_at is None and token.expires_at > now() and user.disabled_at is None:
            return Principal(user.id, user.name, user.is_admin, frozenset(token.scopes), token.id)
    raise NotSignedInError(
        "Expected a token that is known, not expired and not revoked, got another one. Sign in "
        "with `lrmp login`, or make a token with `lrmp board token`."
    )


def create(
    board: Board, principal: Principal, name: str, scopes: Collection[str], days: float
) -> tuple[str, TokenRow]:
    """Make a token that may do no more than the one that asks.

    Args:
        board: The board.
        principal: Who asks.
        name: What to call it.
        scopes: What it may do.
        days: Until it ends.

    Returns:
        The secret, told only now, and the token.

    Raises:
        NotAllowedError: If the asking token may not make tokens, or lacks one of the scopes.
        MalformedError: If a scope is unknown, there is none, or the time is out of range.
        TooManyError: If the user has as many tokens as one may.
    """
    principal.require("manage")
    if more := set(scopes) & set(SCOPES) - principal.scopes:
        raise NotAllowedError(
            f"Expected scopes of the token itself, got {', '.join(sorted(more))} too."
        )
    with board.database.write() as session:
        good = (Token.revoked_at.is_(None), Token.expires_at > now())
        mine = Token.user_id == principal.user_id
        refuse_more(session, MOST_TOKENS, "tokens of a user", mine, *good)
        secret, token = issue(session, principal.user_id, name, scopes, days)
        return secret, _row(token)


def list_tokens(board: Board, principal: Principal) -> list[TokenRow]:
    """List one's tokens.

    Args:
        board: The board.
        principal: Who asks.

    Returns:
        Newest first.
    """
    query = (
        sa.select(Token)
        .where(Token.user_id == principal.user_id)
        .order_by(Token.created_at.desc(), Token.id)
    )
    with board.database.read() as session:
        return [_row(token) for token in session.scalars(query)]


def revoke(board: Board, principal: Principal, token_id: str) -> TokenRow:
    """End a token now: one's own, or as an administrator anybody's.

    Args:
        board: The board.
        principal: Who asks. The token itself may always be revoked by itself.
        token_id: Of the token.

    Returns:
        The token.

    Raises:
        NotFoundError: If there is no such token that one may revoke.
        NotAllowedError: If the asking token may not make tokens.
    """
    if token_id != principal.token_id:
        principal.require("manage")
    with board.database.write() as session:
        token = session.get(Token, token_id)
        may = token and (
            token.user_id == principal.user_id
            or (principal.is_admin and "admin" in principal.scopes)
        )
        if token is None or not may:
            raise NotFoundError(f"Expected a token of {principal.user}, got {token_id[:40]!r}.")
        token.revoked_at = token.revoked_at or now()
        return _row(token)


def _row(token: Token) -> TokenRow:
    return TokenRow(
        token.id,
        token.name,
        token.scopes,
        token.created_at,
        token.expires_at,
        token.revoked_at,
    )
