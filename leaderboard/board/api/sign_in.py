"""Sign-in of browsers: by an OpenID provider, or by a token."""

import logging
from typing import Annotated, Any

from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import OAuth
from fastapi import APIRouter, Form, Request
from joserfc.errors import JoseError
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from lrmp.leaderboard.board.api.dependencies import TheBoard
from lrmp.leaderboard.board.api.session import begin_session, end_session, public_address
from lrmp.leaderboard.board.errors import NotAllowedError, NotSignedInError
from lrmp.leaderboard.board.service import accounts, tokens
from lrmp.leaderboard.board.settings import OpenIDProvider

logger = logging.getLogger("lrmp.board.api")

MAX_NEXT = 500


def sign_in_routes(provider: OpenIDProvider | None) -> APIRouter:
    """Make the routes.

    Args:
        provider: Where users sign in; None for tokens alone.

    Returns:
        ``/auth/login``, ``/auth/callback``, ``/auth/token``, ``/auth/logout``.
    """
    router = APIRouter(prefix="/auth", tags=["sign-in"], include_in_schema=False)
    if provider is not None:
        _add_provider(router, provider)

    @router.post("/token")
    def by_token(
        request: Request,
        board: TheBoard,
        token: Annotated[str, Form(max_length=200)],
        next: Annotated[str, Form(max_length=MAX_NEXT)] = "/",  # noqa: A002  the word it is
    ) -> Response:
        """Sign a browser in by a token; the session ends with it."""
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            # Another site's form would sign its visitors in as somebody else.
            raise NotAllowedError("Expected a form of this site. Load the page again.")
        tokens.authenticate(board, token)
        answer = RedirectResponse(local_path(next), status_code=303)
        begin_session(request, answer, token)
        return answer

    @router.post("/logout")
    def logout(request: Request) -> Response:
        """Sign a browser out. Other sites cannot: their requests bring no cookie."""
        answer = RedirectResponse("/", status_code=303)
        end_session(request, answer)
        return answer

    return router


def local_path(path: str) -> str:
    """Refuse to lead anybody to another site.

    Args:
        path: Where to go after signing in, as a stranger may have written it.

    Returns:
        The path, or ``/`` if it is none of this site.
    """
    plain = path.isascii() and path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith("//") else "/"


def _add_provider(router: APIRouter, provider: OpenIDProvider) -> None:
    oauth = OAuth()
    oauth.register(
        "provider",
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        server_metadata_url=f"{provider.issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile", "code_challenge_method": "S256"},
    )

    @router.get("/login")
    async def login(request: Request, next: str = "/") -> Any:  # noqa: A002  the word it is
        """Send a browser to the provider."""
        request.session["next"] = local_path(next[:MAX_NEXT])
        callback = f"{public_address(request)}/auth/callback"
        try:
            return await oauth.provider.authorize_redirect(request, callback)
        except Exception as error:  # of the network, or whatever the provider sends
            raise _not_signed_in(error) from error

    @router.get("/callback")
    async def callback(request: Request, board: TheBoard) -> Response:
        """Take a browser back, and sign it in."""
        try:
            # Checks state, nonce, PKCE, signature, issuer, audience and time.
            found = await oauth.provider.authorize_access_token(request)
            claims = found["userinfo"]
            subject = f"{claims['iss']} {claims['sub']}"
        except (OAuthError, JoseError, KeyError, ValueError) as error:
            raise _not_signed_in(error) from error
        preferred = str(claims.get("preferred_username") or claims.get("nickname") or "user")
        secret = await run_in_threadpool(accounts.sign_in, board, subject, preferred)
        answer = RedirectResponse(request.session.pop("next", "/"), status_code=303)
        begin_session(request, answer, secret)
        return answer


def _not_signed_in(error: Exception) -> NotSignedInError:
    logger.warning("sign-in", extra={"error": repr(error)[:300]})
    return NotSignedInError("Expected the provider to sign you in, got an error. Try again.")
