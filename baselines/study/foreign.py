"""Curves of others in a study: a file of records beside those that the study made itself."""

import json
from collections.abc import Sequence
from pathlib import Path

from lrmp.baselines.study.planned_run import record_key
from lrmp.baselines.study.results import RESULTS, StudyRecord, locked, read_results
from lrmp.errors import StudyError
from lrmp.whole_file import write_whole

FOREIGN = "foreign.jsonl"
#: What the names of foreign agents end in; no agent of a study has such a name.
MARK = " (foreign)"


def is_foreign(agent: str) -> bool:
    """Say whether an agent's runs were made elsewhere.

    Args:
        agent: Its name in a study.

    Returns:
        Whether it bears the mark.
    """
    return agent.endswith(MARK)


def add_foreign(folder: Path, records: Sequence[StudyRecord], *, dry_run: bool = False) -> None:
    """Add foreign records to a study, or none of them.

    Args:
        folder: Of the study, which has records of its own.
        records: Replayed, of agents with the mark.
        dry_run: Whether to check alone.

    Raises:
        StudyError: If the study has no such task, or played another definition of it, or has the
            run already; the file is as it was then.
    """
    own = read_results(folder / RESULTS)
    if not own:
        raise StudyError(
            f"Expected a study with finished runs in {folder}, got none. Run it first: lrmp study "
            "run."
        )
    played = {key.task: record for key, record in own.items() if not key.accuracy}
    for record in records:
        _check(record, played, folder)
    if dry_run:
        _joined(folder, records)
        return
    with locked(folder):
        lines = [
            json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n"
            for record in _joined(folder, records)
        ]
        write_whole(folder / FOREIGN, "".join(lines))


def _check(record: StudyRecord, played: dict[str, StudyRecord], folder: Path) -> None:
    task = record["task"]
    if task not in played:
        raise StudyError(
            f"Expected a task of the study in {folder}, one of {', '.join(sorted(played))}; got "
            f"{task}. Leave its lines out."
        )
    expected = played[task]["task_fingerprint"]
    if record["task_fingerprint"] != expected:
        raise StudyError(
            f"Expected {task} as the study played it, with task_fingerprint {expected[:16]}..., "
            f"got {record['task_fingerprint'][:16]}.... Use the lrmp of the study for both."
        )


def _joined(folder: Path, records: Sequence[StudyRecord]) -> list[StudyRecord]:
    """Put new records behind those that are there."""
    known = read_results(folder / FOREIGN)
    runs = {(key.agent, key.task, key.seed) for key in known}
    for record in records:
        key = record_key(record)
        if (key.agent, key.task, key.seed) in runs:
            raise StudyError(
                f"Expected a run that is not in {folder / FOREIGN} yet, got {key}. Choose another "
                "--agent, or delete its line there."
            )
    return [*known.values(), *records]
