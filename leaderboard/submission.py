"""A submission: a file of records, read as what a stranger wrote."""

import os
import re
from importlib.metadata import version
from pathlib import Path

from lrmp.baselines.running.run_directory import RECORD
from lrmp.envs.records.record import Record
from lrmp.envs.task.custom_task import CUSTOM_ID
from lrmp.envs.task.task import TASKS, Task, load_task
from lrmp.envs.variant_choice.problem import load_problem
from lrmp.envs.variant_choice.problem_ids import VARIANT_PROBLEMS
from lrmp.envs.variant_choice.record import variant_of
from lrmp.errors import DesignError, NoRecordsError, RecordError, unknown_name
from lrmp.foreign_file import read_foreign
from lrmp.leaderboard.agent_name import skeleton
from lrmp.leaderboard.ranked_tasks import ranked_ids
from lrmp.leaderboard.record_schema import check_record_schema
from lrmp.leaderboard.strict_json import ADVICE, parse_strict_json

MAX_BYTES = 2**20
MAX_RECORDS = 100  # a replay takes seconds


def read_submission(path: Path, own_task: Task | None = None) -> list[Record]:
    """Read and check the records of a submission; nothing is computed from them yet.

    Args:
        path: A run directory, or a file with one record per line.
        own_task: A task that is not registered and that the records may be of; none of the
            leaderboard's are.

    Returns:
        At least one record; every one fits its task, as this installation defines it.

    Raises:
        RecordError: If there is no regular file of at most 1 MiB, or any line is refused.
    """
    file = path
    if os.path.isdir(path):  # Path.is_dir raises for some names
        file = path / RECORD
        if not os.path.lexists(file):
            raise RecordError(
                f"Expected a finished run in {path}, got a directory without {RECORD}. Repeat the "
                "command that trained it."
            )
    records: list[Record] = []
    lines: dict[tuple[str, str, int], int] = {}
    agents: dict[str, str] = {}
    for number, text in enumerate(_read_lines(file), start=1):
        try:
            record = parse_record(text)
            check_definition(record, own_task)
            alike = agents.setdefault(skeleton(record.agent), record.agent)
            if alike != record.agent:
                raise RecordError(
                    f"expected names of agents that look different, got {record.agent} beside "
                    f"{alike}. Choose another name."
                )
            key = (record.task, record.agent, record.seed)
            first = lines.setdefault(key, number)
            if first != number:
                raise RecordError(
                    f"expected one record per task, agent and seed, got {record.task}, "
                    f"{record.agent}, seed {record.seed} again after line {first}. Delete one."
                )
        except RecordError as error:
            raise RecordError(f"{file}, line {number}: {error}") from error
        records.append(record)
    return records


def parse_record(text: str, advice: str = ADVICE) -> Record:
    """Parse one line.

    Args:
        text: JSON that the published schema describes.
        advice: What to do where the schema is violated; ends the message.

    Returns:
        The record; whether it fits a task is not checked yet.

    Raises:
        RecordError: If the line is no JSON or violates the schema.
    """
    document = parse_strict_json(text)
    check_record_schema(document, advice)
    return Record.from_json(document)


def as_submitted(record: Record) -> Record:
    """Write a record down and read it back: one made in Python is checked like any other.

    Args:
        record: Any record.

    Returns:
        An equal one, as it is read from a file.

    Raises:
        RecordError: If it is no JSON or violates the published schema.
    """
    advice = "Give Record.of another value."
    try:
        line = record.to_line()
    except (TypeError, ValueError) as error:
        raise RecordError(f"expected a record of plain JSON values: {error}. {advice}") from error
    return parse_record(line, advice)


def check_definition(record: Record, own_task: Task | None = None) -> Task:
    """Check that a record speaks of a task as this installation defines it.

    Args:
        record: A record.
        own_task: A task that is not registered, and that the record may be of.

    Returns:
        The task; of a problem with variants, the task of the record's variant.

    Raises:
        RecordError: If the task or its version is unknown, was defined differently where the
            record was made, or has other knobs, values or layers than the record's design.
    """
    if own_task is not None and record.task == own_task.id:
        task = own_task
        if record.task_fingerprint != task.fingerprint:
            raise RecordError(
                f"expected task_fingerprint {task.fingerprint[:16]}..., of the task beside the "
                f"record, got {record.task_fingerprint[:16]}.... Repeat the run."
            )
    elif record.task in VARIANT_PROBLEMS:
        _check_fingerprint(record, load_problem(record.task).fingerprint)
        try:
            problem, variant = variant_of(record)
        except DesignError as error:
            raise RecordError(f"{_uncapitalised(error)} {ADVICE}") from error
        task = problem.task(variant)
    elif record.task in TASKS:
        task = load_task(record.task)
        _check_fingerprint(record, task.fingerprint)
    else:
        raise RecordError(_unknown_task(record.task))
    try:
        record.design_for(task)
    except DesignError as error:
        raise RecordError(f"{_uncapitalised(error)} {ADVICE}") from error
    return task


def _check_fingerprint(record: Record, fingerprint: str) -> None:
    """Refuse a record of another definition."""
    if record.task_fingerprint != fingerprint:
        raise RecordError(
            f"expected task_fingerprint {fingerprint[:16]}..., {record.task} as lrmp "
            f"{version('lrmp')} here defines it, got {record.task_fingerprint[:16]}..., recorded "
            f"with lrmp {record.versions.get('lrmp', 'of unknown version')}. Repeat the run with "
            "this lrmp, or replay the record with the lrmp that made it."
        )


def _unknown_task(task_id: str) -> str:
    if task_id == CUSTOM_ID:
        return (
            f"expected a registered task, got {task_id}, a task of your own: the leaderboard ranks "
            "what everybody can run. `lrmp envs` lists the tasks that it ranks."
        )
    stem, _, _ = task_id.rpartition("-v")
    known_ids = ranked_ids()
    versions = [known for known in known_ids if re.fullmatch(re.escape(stem) + r"-v\d+", known)]
    if versions:
        return (
            f"expected a version of {stem} that lrmp {version('lrmp')} has "
            f"({', '.join(sorted(versions))}), got {task_id}. Repeat the run on one of these, or "
            "use the lrmp that has it."
        )
    return _uncapitalised(unknown_name("task", task_id, known_ids))


def _uncapitalised(sentence: object) -> str:
    """Let a sentence stand behind the name of its line."""
    return str(sentence).replace("Expected", "expected", 1)


def _read_lines(file: Path) -> list[str]:
    """Read a small regular file; a link, a pipe or a huge file is never opened."""
    advice = "Give a run directory or a file of records."
    try:
        content = read_foreign(file, MAX_BYTES, follow_links=False)
    except OSError as error:
        raise NoRecordsError(f"Expected records in {file}: {error}. {advice}") from error
    lines = content.removesuffix(b"\n").split(b"\n")
    if not content.strip():
        raise RecordError(f"Expected {file} to hold at least one record, got an empty file.")
    if len(lines) > MAX_RECORDS:
        raise RecordError(
            f"Expected {file} to hold at most {MAX_RECORDS} records, got {len(lines)} lines. "
            "Split it."
        )
    try:
        return [line.decode("utf-8") for line in lines]
    except UnicodeDecodeError as error:
        raise RecordError(f"Expected {file} to be UTF-8: {error}. {advice}") from error
