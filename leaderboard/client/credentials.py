"""Tokens of boards, as ``lrmp login`` keeps them."""

import json
import os
from pathlib import Path

from lrmp.errors import BoardError
from lrmp.leaderboard.client.connection import Connection
from lrmp.whole_file import write_whole

VARIABLE = "LRMP_TOKEN"


def credentials_path() -> Path:
    """Say where tokens are kept.

    Returns:
        A file in the user's folder for settings; it may not exist.
    """
    folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(folder) / "lrmp" / "boards.json"


def load_token(address: str) -> str | None:
    """Find the token for a board.

    Args:
        address: Of the board.

    Returns:
        That of the environment variable ``LRMP_TOKEN``, or the one that was kept; else None.
    """
    return os.environ.get(VARIABLE) or _load().get(address.rstrip("/"))


def save_token(address: str, token: str | None) -> None:
    """Keep a token, readable by its owner alone.

    Args:
        address: Of the board.
        token: None forgets it.
    """
    known = _load()
    known.pop(address.rstrip("/"), None)
    if token is not None:
        known[address.rstrip("/")] = token
    path = credentials_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = os.umask(0o077)
    try:
        write_whole(path, json.dumps(known, indent=2) + "\n")
    finally:
        os.umask(mask)


def connect(address: str) -> Connection:
    """Connect to a board as whoever is signed in.

    Args:
        address: Of the board.

    Returns:
        The connection.

    Raises:
        BoardError: If nobody is.
    """
    token = load_token(address)
    if token is None:
        raise BoardError(f"Expected a token for {address}, got none. Run `lrmp login {address}`.")
    return Connection(address, token)


def _load() -> dict[str, str]:
    path = credentials_path()
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BoardError(f"Expected tokens in {path}: {error}. Delete the file.") from error
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise BoardError(f"Expected tokens by address in {path}. Delete the file.")
    return found
