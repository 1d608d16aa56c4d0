"""What the board says no to, each with the HTTP status that says so."""

from lrmp.errors import BoardError


class MalformedError(BoardError):
    """A request or value that is not as documented."""

    status = 422


class NotSignedInError(BoardError):
    """No token, or one that is unknown, expired or revoked."""

    status = 401


class NotAllowedError(BoardError):
    """A token that may not do this, or an agent of another team."""

    status = 403


class NotFoundError(BoardError):
    """There is no such thing."""

    status = 404


class ConflictError(BoardError):
    """Something else is there already, or has changed meanwhile."""

    status = 409


class TooManyError(BoardError):
    """More at once than one may have."""

    status = 429
