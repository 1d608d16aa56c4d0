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
    lines = [json.dumps(optimum.to_json()) + "\n" for optimum in ordered]
    write_whole(folder / OPTIMA, "".join(lines))


def _read(path: Path) -> dict[str, Optimum]:
    if not is_present(path):
        return {}
    try:
        optima = [Optimum.from_text(line) for line in read_foreign_text(path).splitlines()]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StudyError(
            f"Expected an optimum a line in {path}, as `lrmp study run` writes it, got one that "
            f"cannot be read ({error}). Delete the file to go without them."
        ) from error
    return {optimum.task_fingerprint: optimum for optimum in optima}
