"""A browser's session: a token in a cookie that scripts cannot read."""

import hashlib
import hmac

from fastapi import Request
from starlette.responses import Response

from lrmp.leaderboard.board.api.dependencies import board_of
from lrmp.leaderboard.board.errors import NotAllowedError, NotSignedInError
from lrmp.leaderboard.board.service import tokens
from lrmp.leaderboard.board.service.accounts import SESSION_DAYS
from lrmp.leaderboard.board.service.principal import Principal

COOKIE = "lrmp_session"


def session_principal(request: Request) -> Principal | None:
    """Recognise the user of a browser.

    Args:
        request: Any.

    Returns:
        The user, or None if nobody is signed in.
    """
    secret = request.cookies.get(COOKIE)
    if not secret:
        return None
    try:
        return tokens.authenticate(board_of(request), secret)
    except NotSignedInError:
        return None


def begin_session(request: Request, response: Response, secret: str) -> None:
    """Sign a browser in.

    Args:
        request: Which it answers.
        response: To which the cookie is added.
        secret: A token.
    """
    response.set_cookie(
        COOKIE,
        secret,
        max_age=SESSION_DAYS * 86400,
        httponly=True,
        samesite="lax",
        secure=is_secure(request),
    )


def end_session(request: Request, response: Response) -> None:
    """Sign a browser out: its token is revoked.

    Args:
        request: Which it answers.
        response: From which the cookie is removed.
    """
    found = session_principal(request)
    if found is not None:
        tokens.revoke(board_of(request), found, found.token_id)
    response.delete_cookie(COOKIE)


def form_token(request: Request) -> str:
    """Make what a form of this session holds, and no other site knows.

    Args:
        request: Any.

    Returns:
        Hexadecimal; empty if nobody is signed in.
    """
    secret = request.cookies.get(COOKIE)
    return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest() if secret else ""


def check_form_token(request: Request, given: str) -> None:
    """Refuse a form that another site made.

    Args:
        request: Which sent the form.
        given: What the form held.

    Raises:
        NotAllowedError: If it is not the session's.
    """
    expected = form_token(request)
    if not expected or not hmac.compare_digest(expected.encode(), given.encode()):
        raise NotAllowedError("Expected a form of this session. Load the page again.")


def public_address(request: Request) -> str:
    """Say under which address the board is known.

    Args:
        request: Any.

    Returns:
        The one it was set up with, else the one that was asked; without a slash at the end.
    """
    return board_of(request).settings.address.rstrip("/") or str(request.base_url).rstrip("/")


def is_secure(request: Request) -> bool:
    """Say whether cookies go over https alone.

    Args:
        request: Any.

    Returns:
        Whether the board is known under https.
    """
    return public_address(request).startswith("https://")
