"""Curves that others made: every design replayed, every number computed again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from lrmp.baselines.study.foreign import MARK
from lrmp.baselines.study.results import StudyRecord
from lrmp.envs.records.record import Claim, Record
from lrmp.errors import NoRecordsError, RecordError
from lrmp.foreign_file import file_digest, open_foreign
from lrmp.leaderboard.replay import recompute, replay
from lrmp.leaderboard.submission import check_definition, parse_record

MAX_BYTES = 2**26
MAX_LINE_BYTES = 2**16
MAX_LINES = 50_000
#: Designs that are better than all before them; each takes a proof, which may take seconds.
MAX_RISES = 2000

ADVICE = "Write the file with lrmp.envs.wrappers.RecordDesigns."


class RunName(NamedTuple):
    """What names a foreign run.

    Attributes:
        task: Task id.
        agent: As the file has it.
        seed: Of the run.
    """

    task: str
    agent: str
    seed: int


@dataclass
class _Run:
    """A run, read so far.

    Attributes:
        last: Its last record.
        best: The record of the best design.
        claim: Recomputed numbers of that.
        curve: Rows of designs, score, gain and drop, as a study keeps them.
        digest: SHA-256 of the file where it begins.
    """

    last: Record
    best: Record
    claim: Claim
    curve: list[list[float]]
    digest: str


def read_foreign_curves(
    paths: Sequence[Path],
    agent: str | None = None,
    *,
    told: Callable[[], object] = lambda: None,
) -> list[StudyRecord]:
    """Read files of foreign curves, and compute them again.

    A line is a record of the published schema: a design, and after how many it was scored. The
    lines of a run come in that order; those that are no better than one before may be missing,
    but for the last, which says how far the run went. Cost, drop and score of every design are
    computed again and must be what it claims; the copies of those that are better than all before
    must be proven optimal, as `replay` does it.

    Args:
        paths: Regular files, each of any number of runs.
        agent: The name to take for all runs; None for those of the file.
        told: Called after every line that was checked.

    Returns:
        Study records, a run each, in the order of the files.

    Raises:
        NoRecordsError: If a file cannot be read, or is too large.
        RecordError: If anything in one is wrong; the message names the line.
    """
    digests = [_digest(path) for path in paths]
    runs: dict[RunName, _Run] = {}
    for path, digest in zip(paths, digests, strict=True):
        number = rises = 0
        for number, text in _lines(path):
            try:
                rises += _add(runs, _named(parse_record(text, ADVICE), agent), digest)
                if rises > MAX_RISES:
                    raise RecordError(
                        f"expected at most {MAX_RISES} designs better than those before them in a "
                        "file, got more. Split it."
                    )
            except RecordError as error:
                raise RecordError(f"{path}, line {number}: {error}") from error
            told()
        if not number:
            raise RecordError(f"Expected {path} to hold at least one record, got an empty file.")
    _check_reach(runs)
    return [_study_record(name, run) for name, run in runs.items()]


def _digest(path: Path) -> str:
    try:
        return file_digest(path, MAX_BYTES)
    except OSError as error:
        raise NoRecordsError(
            f"Expected a file of at most {MAX_BYTES} bytes at {path}, a record a line: {error}."
        ) from error


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Read line by line; none is longer than it may be before it is looked at."""
    with open_foreign(path, MAX_BYTES) as file:
        number = 0
        while content := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            where = f"{path}, line {number}"
            if number > MAX_LINES:
                raise RecordError(f"Expected {path} of at most {MAX_LINES} lines. Split it.")
            if len(content) > MAX_LINE_BYTES:
                raise RecordError(f"{where}: expected at most {MAX_LINE_BYTES} bytes. {ADVICE}")
            try:
                text = content.decode("utf-8")
            except UnicodeDecodeError as error:
                raise RecordError(f"{where}: expected UTF-8: {error}. {ADVICE}") from error
            yield number, text


def _named(record: Record, agent: str | None) -> Record:
    return record if agent is None else parse_record(replace(record, agent=agent).to_line())


def _add(runs: dict[RunName, _Run], record: Record, digest: str) -> bool:
    """Check a record and add it to its run; say whether it is better than all before."""
    task = check_definition(record)
    name = RunName(record.task, record.agent, record.seed)
    run = runs.get(name)
    if run is not None and record.evaluated_designs <= run.last.evaluated_designs:
        raise RecordError(
            f"expected evaluated_designs to rise along a run, got {record.evaluated_designs} after "
            f"{run.last.evaluated_designs} of {record.agent} on {record.task}, seed "
            f"{record.seed}. Sort its lines; give runs seeds of their own."
        )
    claim = recompute(record, task)
    score = claim.score
    rows: list[list[float]] = []
    if score is not None and (run is None or not run.curve or score > run.curve[-1][1]):
        replay(record)
        rows = [[record.evaluated_designs, score, claim.gain, claim.accuracy_drop]]
    rises = bool(rows)
    if run is None:
        runs[name] = _Run(record, record, claim, rows, digest)
        return rises
    run.last = record
    run.curve += rows
    if rises or (not run.curve and claim.accuracy_drop < run.claim.accuracy_drop):
        run.best, run.claim = record, claim
    return rises


def _check_reach(runs: dict[RunName, _Run]) -> None:
    """Refuse seeds that went further than others: at one number of designs all must be there."""
    reach: dict[tuple[str, str], tuple[int, int]] = {}
    for name, run in runs.items():
        count = run.last.evaluated_designs
        first, seed = reach.setdefault((name.task, name.agent), (count, name.seed))
        if count != first:
            raise RecordError(
                f"Expected all seeds of {name.agent} on {name.task} to end after as many designs, "
                f"got {first} of seed {seed} and {count} of seed {name.seed}. End each with a "
                "line for its last design."
            )


def _study_record(name: RunName, run: _Run) -> StudyRecord:
    last, best = run.last, run.best
    return {
        "schema_version": 1,
        "task": name.task,
        "accuracy": "",
        "agent": f"{name.agent}{MARK}",
        "evaluations": last.evaluated_designs,
        "seed": name.seed,
        "algorithm": "foreign",
        "settings": {},
        "task_fingerprint": best.task_fingerprint,
        "evaluated_designs": last.evaluated_designs,
        "env_steps": last.env_steps,
        "claim": vars(run.claim),
        "design": best.design,
        "curve": run.curve,
        "wall_time_s": last.wall_time_s,
        "versions": dict(last.versions) | {"commit": None},
        "foreign": {"file_sha256": run.digest, "code": last.code, "replayed_by": version("lrmp")},
    }


def runs_text(records: Sequence[StudyRecord]) -> str:
    """Say what was read.

    Args:
        records: What ``read_foreign_curves`` returned.

    Returns:
        A line per run.
    """
    return "\n".join(
        f"{record['agent']} on {record['task']}, seed {record['seed']}: "
        f"{record['evaluated_designs']} designs, "
        + (f"score {record['curve'][-1][1]:.4f}" if record["curve"] else "no score")
        for record in records
    )
