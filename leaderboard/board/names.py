"""Names of users, teams and agents: ``team/agent@version``."""

import re

from lrmp.leaderboard.agent_name import skeleton
from lrmp.leaderboard.board.errors import MalformedError

MAX_NAME = 40
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME - 1}}}")
PATTERN = rf"^{_NAME.pattern}$"


def check_name(kind: str, name: str) -> str:
    """Refuse what is no name.

    Args:
        kind: What it names, such as ``"team"``.
        name: As given.

    Returns:
        The same.

    Raises:
        MalformedError: If it holds other characters than ASCII letters, digits and ``._-``, is too
            long, or none of its characters tells it from another name.
    """
    if not _NAME.fullmatch(name) or not skeleton(name):
        raise MalformedError(
            f"Expected the name of a {kind} of 1 to {MAX_NAME} letters, digits, '.', '_' and '-', "
            f"beginning with a letter or digit, got {name[:MAX_NAME]!r}."
        )
    return name


def split_agent(full_name: str) -> tuple[str, str, str]:
    """Take an agent's full name apart.

    Args:
        full_name: ``team/agent@version``.

    Returns:
        Team, agent, version.

    Raises:
        MalformedError: If it is none.
    """
    team, slash, rest = full_name.partition("/")
    agent, at, version = rest.partition("@")
    if not slash or not at:
        raise MalformedError(f"Expected an agent as team/agent@version, got {full_name[:130]!r}.")
    return check_name("team", team), check_name("agent", agent), check_name("version", version)


def fold(full_name: str) -> str:
    """Fold a name to what the eye sees, part by part.

    Args:
        full_name: A name, or an agent's full name.

    Returns:
        The same text for all names that look alike.
    """
    return re.sub(r"[^/@]+", lambda part: skeleton(part[0]), full_name)
