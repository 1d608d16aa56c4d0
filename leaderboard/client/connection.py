"""A connection to a board: JSON over HTTP, kept open between requests."""

import http.client
import json
import random
import time
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

from lrmp.errors import BoardError

TIMEOUT_S = 60.0
ATTEMPTS = 6  # about a minute; all requests may be sent twice
LONGEST_PAUSE_S = 20.0
MAX_ANSWER = 2**28
AGAIN = (429, 502, 503, 504)
LOCAL = ("127.0.0.1", "::1", "localhost")


class Connection:
    """Asks a board.

    Args:
        address: Of the board, such as ``https://board.example.org``.
        token: Of ``lrmp login`` or ``lrmp board token``; None to ask as nobody.

    Attributes:
        address: As given, without a slash at the end.

    Raises:
        BoardError: If the address is none, or a token would go over the network unencrypted.
    """

    def __init__(self, address: str, token: str | None = None) -> None:
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise BoardError(f"Expected the address of a board, got {address!r}.") from error
        if parts.scheme not in ("http", "https") or not host or parts.query or parts.username:
            raise BoardError(
                f"Expected the address of a board, such as https://board.example.org, got "
                f"{address!r}."
            )
        if token is not None and parts.scheme == "http" and host not in LOCAL:
            raise BoardError(
                f"Expected https, so that nobody reads the token on its way, got {address!r}."
            )
        self.address = address.rstrip("/")
        self._token, self._prefix = token, parts.path.rstrip("/")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else None
        self._http = (kind or http.client.HTTPConnection)(host, port, timeout=TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens it again."""
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """Read something.

        Args:
            path: Behind ``/api/v1``.
            **query: Arguments; None leaves one out.

        Returns:
            The answer.

        Raises:
            BoardError: If the board refuses or cannot be reached.
        """
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", f"{path}?{urlencode(given)}" if given else path)

    def post(self, path: str, document: Any = None, *, key: str | None = None) -> Any:
        """Do something. It may be sent twice: give a key where the board asks for one.

        Args:
            path: Behind ``/api/v1``.
            document: Plain JSON values.
            key: Idempotency key.

        Returns:
            The answer.

        Raises:
            BoardError: If the board refuses or cannot be reached.
        """
        return self._ask("POST", path, document, key)

    def delete(self, path: str) -> Any:
        """End something.

        Args:
            path: Behind ``/api/v1``.

        Returns:
            The answer.

        Raises:
            BoardError: If the board refuses or cannot be reached.
        """
        return self._ask("DELETE", path)

    def _ask(self, method: str, path: str, document: Any = None, key: str | None = None) -> Any:
        body = None if document is None else json.dumps(document, allow_nan=False).encode()
        headers = {"Accept": "application/json", "User-Agent": "lrmp"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        if key is not None:
            headers["Idempotency-Key"] = key
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                self._http.request(method, f"{self._prefix}/api/v1{path}", body, headers)
                answer = self._http.getresponse()
                content = answer.read(MAX_ANSWER)
                # What a dying server cuts off, in the head or the body, `read` does not tell.
                if not content or (answer.length and len(content) < MAX_ANSWER):
                    raise http.client.IncompleteRead(content, answer.length)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if last:
                    raise BoardError(
                        f"Expected a board at {self.address}: {error or type(error).__name__}. "
                        "Check the address, or try again."
                    ) from error
            else:
                if answer.status not in AGAIN or last:
                    return self._read(answer.status, content)
            # Not a random number that decides a result: clients should not come back all at once.
            time.sleep(min(2**attempt, LONGEST_PAUSE_S) * (0.5 + random.random()))
        raise AssertionError("unreachable")

    def _read(self, status: int, content: bytes) -> Any:
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise BoardError(
                f"Expected a board at {self.address}, got another server's answer {status}."
            ) from error
        if 200 <= status < 300:
            return found
        detail = found.get("detail") if isinstance(found, dict) else None
        refused = BoardError(str(detail or f"The board answers {status}.")[:2000])
        refused.status = status
        raise refused


def part(name: str) -> str:
    """Write a name as a part of a path.

    Args:
        name: Any.

    Returns:
        The name with all but letters, digits and ``_.-~`` escaped.
    """
    return quote(name, safe="")
