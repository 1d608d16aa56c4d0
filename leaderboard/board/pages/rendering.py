"""What all pages share: templates, headers, errors as pages."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import quote

import jinja2
from fastapi import Depends, Form, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

import lrmp
from lrmp.errors import BoardError, TaskError
from lrmp.leaderboard.board.api.dependencies import board_of
from lrmp.leaderboard.board.api.session import (
    check_form_token,
    form_token,
    public_address,
    session_principal,
)
from lrmp.leaderboard.board.errors import NotSignedInError
from lrmp.leaderboard.board.pages import words
from lrmp.leaderboard.board.service.principal import Principal

#: Nothing from elsewhere, nothing inline: what a stranger wrote can run nowhere.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("lrmp.leaderboard.board.pages"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= words.FILTERS
_templates.globals["version"] = lrmp.__version__


class PageRoute(APIRoute):
    """A route whose errors are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler.

        Returns:
            A handler that turns what the board says no to into a page.
        """
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except BoardError as error:
                status, message = error.status, str(error)
            except TaskError as error:
                status, message = 404, str(error)
            except RequestValidationError as error:
                first = error.errors()[0]
                place = ".".join(str(part) for part in first["loc"])[:200]
                status, message = 422, f"Expected {place}: {first['msg']}"
            return await run_in_threadpool(
                render, request, "error.html", status, message=message, code=status
            )

        return handled


def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a page.

    Args:
        request: Which it answers.
        template: Name of the file.
        status: HTTP's.
        **values: For the template.

    Returns:
        The answer, with the headers that all pages have.
    """
    from lrmp.leaderboard.board.pages.static_files import address_of

    shared = {
        "me": session_principal(request),
        "form_token": form_token(request),
        "here": request.url.path,
        "query": request.url.query,
        "address": public_address(request),
        "has_provider": board_of(request).settings.openid is not None,
        "static": address_of,
    }
    text = _templates.get_template(template).render(shared | values)
    return HTMLResponse(text, status, headers=HEADERS)


def signed_in(request: Request) -> Principal:
    """Recognise whoever looks at a page for users.

    Args:
        request: Any.

    Returns:
        The user.

    Raises:
        NotSignedInError: If nobody is signed in.
    """
    found = session_principal(request)
    if found is None:
        raise NotSignedInError("Expected somebody who is signed in, got nobody. Sign in first.")
    return found


def form_sender(request: Request, form: Annotated[str, Form(max_length=64)] = "") -> Principal:
    """Recognise who sent a form, and that it is of this session.

    Args:
        request: With the form.
        form: What ``form_token`` gave the page.

    Returns:
        The user.

    Raises:
        NotSignedInError: If nobody is signed in.
        NotAllowedError: If another site made the form.
    """
    found = signed_in(request)
    check_form_token(request, form)
    return found


def agent_path(name: str) -> str:
    """Say where an agent's page is.

    Args:
        name: ``team/agent@version``.

    Returns:
        A path.
    """
    return f"/agents/{quote(name, safe='/@')}"


_templates.globals["agent_path"] = agent_path

User = Annotated[Principal, Depends(signed_in)]
Sender = Annotated[Principal, Depends(form_sender)]
