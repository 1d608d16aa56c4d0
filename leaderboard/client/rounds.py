"""Which round is played."""

from typing import Any, Literal

from lrmp.errors import BoardError
from lrmp.leaderboard.client.connection import Connection, part

Track = Literal["search", "zero-shot"]


def open_round_of(connection: Connection, track: Track, name: str | None = None) -> dict[str, Any]:
    """Find a round that is open.

    Args:
        connection: To the board.
        track: Of the round.
        name: Of the round; None for the newest one that is open.

    Returns:
        What the board says of it.

    Raises:
        BoardError: If there is none, or that of the name is over or of the other track.
    """
    if name is not None:
        found: dict[str, Any] = connection.get(f"/rounds/{part(name)}")
        if found["track"] != track or found["closed_at"] is not None:
            raise BoardError(
                f"Expected a round of the track {track} that is open, got {name} of the track "
                f"{found['track']}{'' if found['closed_at'] is None else ', which is closed'}."
            )
        return found
    for each in connection.get("/rounds", track=track):
        if each["closed_at"] is None:
            newest: dict[str, Any] = each
            return newest
    raise BoardError(
        f"Expected an open round of the track {track} at {connection.address}, got none."
    )
