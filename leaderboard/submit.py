"""Submit: read, replay, store."""

from pathlib import Path

from lrmp.leaderboard.replay import Replay, replay
from lrmp.leaderboard.store import DEFAULT_STORE, Store
from lrmp.leaderboard.submission import read_submission


def submit(path: Path, store_path: Path = DEFAULT_STORE) -> list[Replay]:
    """Check, replay and store all records of a submission, or none.

    Args:
        path: A run directory, or a file with one record per line.
        store_path: The leaderboard's file; made if there is none.

    Returns:
        What was stored.

    Raises:
        RecordError: If anything is refused; nothing is stored then.
    """
    records, store = read_submission(path), Store(store_path)
    store.refuse_known(records)  # a replay takes seconds
    replays = [replay(record) for record in records]
    store.add(replays)
    return replays
