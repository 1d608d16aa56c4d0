"""Verify a board by its address, or its log by the mirror's file."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lrmp.errors import BoardError, ForeignFileError
from lrmp.foreign_file import read_foreign
from lrmp.leaderboard.board.verification.contents import Contents
from lrmp.leaderboard.board.verification.links import check_links, check_prefix
from lrmp.leaderboard.board.verification.shown import check_rankings
from lrmp.leaderboard.client.connection import Connection
from lrmp.leaderboard.log.item import Item

MAX_BYTES = 2**32


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes:
        wrong: What differs, a sentence each.
        items: Items of the log.
        head: Hash of the last one; whoever notes it can tell later that none before was changed.
        key: Public half of the key that signed it.
        replayed: Records that were replayed.
        unknown: Records that this lrmp cannot replay: of tasks that it has not, or has otherwise.
        rescored: Evaluations of closed rounds that were scored again.
        checked: Designs that were run on their networks again.
        unproven: Finished runs of rounds whose secret is not told yet.
    """

    wrong: list[str]
    items: int
    head: str
    key: str
    replayed: int
    unknown: int
    rescored: int
    checked: int
    unproven: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values.

        Returns:
            All attributes.
        """
        return asdict(self)


def verify_url(
    address: str,
    *,
    earlier: Path | None = None,
    first_key: str | None = None,
    with_replays: bool = True,
    with_networks: bool = False,
    progress: Callable[[int], None] = lambda number: None,
) -> Verdict:
    """Verify a board: its log, and the rankings that it shows.

    Args:
        address: Of the board.
        earlier: A mirror of its log that was kept.
        first_key: Public half of its first key, where it is known from elsewhere.
        with_replays: Whether to replay records, which takes seconds each.
        with_networks: Whether to run checked designs on their networks again, which takes minutes.
        progress: Called with the number of every item that was checked.

    Returns:
        The verdict.

    Raises:
        BoardError: If it cannot be reached, or sends no log.
    """
    with Connection(address) as connection:
        items = fetch_items(connection)
        verdict = _verify(items, earlier, first_key, with_replays, with_networks, progress)
        if not verdict.wrong:  # rankings of a log that is not whole say nothing more
            verdict.wrong.extend(check_rankings(connection, items))
        return verdict


def verify_file(
    path: Path,
    *,
    earlier: Path | None = None,
    first_key: str | None = None,
    with_replays: bool = True,
    with_networks: bool = False,
    progress: Callable[[int], None] = lambda number: None,
) -> Verdict:
    """Verify the mirror of a board's log.

    Args:
        path: The mirror.
        earlier: Another one that was kept.
        first_key: Public half of the board's first key, where it is known from elsewhere.
        with_replays: Whether to replay records, which takes seconds each.
        with_networks: Whether to run checked designs on their networks again, which takes minutes.
        progress: Called with the number of every item that was checked.

    Returns:
        The verdict.

    Raises:
        BoardError: If it is no file of a log.
    """
    return _verify(read_mirror(path), earlier, first_key, with_replays, with_networks, progress)


def fetch_items(connection: Connection) -> list[Item]:
    """Read the log of a board.

    Args:
        connection: To the board.

    Returns:
        All items, as they were sent.

    Raises:
        BoardError: If it cannot be reached, or sends no items.
    """
    items: list[Item] = []
    while True:
        page = connection.get("/log", after=items[-1].number if items else 0)
        if not isinstance(page, list):
            raise BoardError(f"Expected items of a log from {connection.address}.")
        found = [Item.from_json(document) for document in page]
        if not found:
            return items
        items += found


def read_mirror(path: Path) -> list[Item]:
    """Read the mirror of a log.

    Args:
        path: JSON lines.

    Returns:
        All whole items.

    Raises:
        BoardError: If it is none.
    """
    try:
        lines = read_foreign(path, MAX_BYTES).decode("utf-8").split("\n")
    except (ForeignFileError, OSError, UnicodeDecodeError) as error:
        raise BoardError(f"Expected the mirror of a log in {path}: {error}.") from error
    items = []
    for number, line in enumerate(lines[:-1], start=1):  # a torn line has no end
        try:
            items.append(Item.from_json(json.loads(line)))
        except (ValueError, RecursionError, BoardError) as error:
            raise BoardError(f"Expected an item in line {number} of {path}: {error}") from error
    return items


def _verify(
    items: Sequence[Item],
    earlier: Path | None,
    first_key: str | None,
    with_replays: bool,
    with_networks: bool,
    progress: Callable[[int], None],
) -> Verdict:
    contents = Contents(with_replays, with_networks)
    contents.wrong += check_links(items, first_key)
    if earlier is not None:
        contents.wrong += check_prefix(items, read_mirror(earlier))
    contents.check(items, progress)
    return Verdict(
        wrong=contents.wrong,
        items=len(items),
        head=items[-1].chain if items else "",
        key=items[-1].key if items else "",
        replayed=contents.replayed,
        unknown=contents.unknown,
        rescored=contents.rescored,
        checked=contents.checked,
        unproven=contents.unproven,
    )
