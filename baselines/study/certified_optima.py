"""The certified optima of what a study's runs played, kept beside its records.

The definition of a task may change after its runs. How far they were from the optimum of the
definition that they played can still be told, if that optimum was kept.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from lrmp.envs.task.optimum import Optimum, stored_optimum
from lrmp.envs.task.task import TASKS
from lrmp.errors import StudyError
from lrmp.foreign_file import is_present, read_foreign_text
from lrmp.foreign_text import parse_json
from lrmp.hardware.space.catalogue import space_from_json
from lrmp.hardware.space.precision import PRECISION
from lrmp.whole_file import write_whole

OPTIMA = "optima.jsonl"


def certified_optima(folder: Path, played: Iterable[tuple[str, str]]) -> dict[str, Optimum]:
    """Find the optima of the definitions that runs play or have played.

    Args:
        folder: Of the study; optima that were kept in it are taken where lrmp has none any more.
        played: Id and fingerprint of every task.

    Returns:
        The optimum by fingerprint of the task; tasks without one are not there.

    Raises:
        StudyError: If the kept optima cannot be read.
    """
    known = _read(folder / OPTIMA)
    found = {}
    for task_id, fingerprint in set(played):
        stored = stored_optimum(task_id) if task_id in TASKS else None
        if stored is not None and stored.task_fingerprint == fingerprint:
            found[fingerprint] = stored
        elif fingerprint in known:
            found[fingerprint] = known[fingerprint]
    return found


def keep_optima(folder: Path, optima: dict[str, Optimum]) -> None:
    """Write optima beside the records.

    Args:
        folder: Of the study.
        optima: What ``certified_optima`` returned.
    """
    ordered = sorted(optima.values(), key=lambda optimum: (optimum.task, optimum.task_fingerprint))
    write_whole(folder / OPTIMA, "".join(f"{_line(optimum)}\n" for optimum in ordered))


def _line(optimum: Optimum) -> str:
    """Write an optimum with the knobs of its design, where these are not just the two bits."""
    space = optimum.design.space
    knobs = {} if space == PRECISION else {"space": space.to_json()}
    return json.dumps(optimum.to_json() | knobs)


def _optimum(line: str) -> Optimum:
    document = parse_json(line)
    space = document.pop("space", None)
    knobs = PRECISION if space is None else space_from_json(space)
    return Optimum.from_text(json.dumps(document), knobs)


def _read(path: Path) -> dict[str, Optimum]:
    if not is_present(path):
        return {}
    try:
        optima = [_optimum(line) for line in read_foreign_text(path).splitlines()]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StudyError(
            f"Expected an optimum a line in {path}, as `lrmp study run` writes it, got one that "
            f"cannot be read ({error}). Delete the file to go without them."
        ) from error
    return {optimum.task_fingerprint: optimum for optimum in optima}
