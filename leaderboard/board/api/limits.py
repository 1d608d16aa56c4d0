"""Limits of requests: their size, and how many somebody may send."""

import hashlib

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

USERS_PER_ADDRESS = 10  # an institute behind one address


class LimitSize:
    """Refuses requests whose body is too large, before and while it is read.

    Args:
        app: What to call.
        most: Bytes.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request.

        Args:
            scope: Of ASGI.
            receive: Of ASGI.
            send: Of ASGI.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = Headers(scope=scope).get("content-length", "0")
        if not (told.isascii() and told.isdecimal()) or len(told) > 15 or int(told) > self._most:
            await self._refuse(scope, receive, send)
            return
        # Without a length the body is read up to the limit first, so that the application never
        # sees a part of one.
        messages: list[Message] = []
        size, more = 0, True
        while more:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > self._most:
                await self._refuse(scope, receive, send)
                return
            more = message["type"] == "http.request" and message.get("more_body", False)

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, replay, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = JSONResponse(
            {"detail": f"Expected a request of at most {self._most} bytes. Send less at a time."},
            status_code=413,
        )
        await answer(scope, receive, send)


class LimitRate:
    """Refuses requests of those who send too many: per token, or per address without one.

    An address may send as many for several tokens as ten users, so that inventing tokens is of no
    use. It counts in this process alone: of several processes each lets as many through.

    Args:
        app: What to call.
        per_minute: Requests.
        trust_proxy: Whether ``X-Forwarded-For`` tells the client's address.
    """

    def __init__(self, app: ASGIApp, per_minute: int, *, trust_proxy: bool) -> None:
        self._app, self._trust_proxy = app, trust_proxy
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._own = RateLimitItemPerMinute(per_minute)
        self._shared = RateLimitItemPerMinute(per_minute * USERS_PER_ADDRESS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request.

        Args:
            scope: Of ASGI.
            receive: Of ASGI.
            send: Of ASGI.
        """
        if scope["type"] == "http" and not self._may(scope):
            answer = JSONResponse(
                {"detail": f"Expected at most {self._own.amount} requests a minute. Wait."},
                status_code=429,
                headers={"Retry-After": "10"},
            )
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _may(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        token = headers.get("authorization")
        address = scope["client"][0] if scope.get("client") else "unknown"
        if self._trust_proxy and (forwarded := headers.get("x-forwarded-for")):
            address = forwarded.rpartition(",")[2].strip()[:64]
        if token is None:
            return self._limiter.hit(self._own, address)
        who = hashlib.sha256(token.encode()).hexdigest()
        return self._limiter.hit(self._shared, address) and self._limiter.hit(self._own, who)
