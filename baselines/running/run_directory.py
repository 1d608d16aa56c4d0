"""A run directory: configuration, progress and result of one training run or search."""

import csv
import hashlib
import io
import json
import os
import subprocess
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Self

from lrmp.envs.records.record import Record, library_versions
from lrmp.envs.task.task import Task
from lrmp.envs.task.task_definition import task_document, task_of_document
from lrmp.errors import ForeignTextError, LRMPError, RunError
from lrmp.foreign_file import (
    MAX_JOURNAL_BYTES,
    MAX_TEXT_BYTES,
    file_digest,
    is_present,
    read_foreign,
    read_foreign_text,
)
from lrmp.foreign_text import parse_json
from lrmp.printable import printable
from lrmp.whole_file import write_whole

CONFIG = "config.json"
TASK = "task.json"
RECORD = "record.jsonl"
EPISODES = "episodes.csv"
POLICY = "policy.safetensors"
CHECKPOINT = "checkpoint.safetensors"
JOURNAL = "journal.csv"
CHECKSUMS = "SHA256SUMS"
MAX_TASK_BYTES = 2**24  # of tens of thousands of layers
COLUMNS = ["episode", "reward", "gain", "accuracy_drop"]


@dataclass(frozen=True)
class RunDirectory:
    """Files of one run. A run is finished when its record exists.

    Attributes:
        path: The directory.
    """

    path: Path

    @classmethod
    def open(cls, path: Path, config: Mapping[str, Any], *, own_task: Task | None = None) -> Self:
        """Create the directory, or return to a run of the same configuration.

        Args:
            path: Where the run lives.
            config: Everything that decides its result; JSON values.
            own_task: The task, if it is not registered: its definition is kept with the run.

        Returns:
            The run directory.

        Raises:
            RunError: If the directory holds a run of another configuration, or cannot be written.

        Warns:
            UserWarning: If an unfinished run was begun with other versions of the libraries.
        """
        run = cls(path)
        if is_present(run.config_path):
            begun = run.begun()
            earlier = begun["config"]
            for key in sorted(set(earlier) | set(config)):
                if earlier.get(key) != config.get(key):
                    raise RunError(
                        f"Expected a run with {key} {config.get(key)!r} in {path}, got one with "
                        f"{earlier.get(key)!r}. Choose another --runs-dir or delete it."
                    )
            run._warn_of_other_versions(begun["versions"])
            return run
        document = {
            "config": dict(config),
            "versions": library_versions(),
            "lrmp_commit": _commit(),
        }
        try:
            path.mkdir(parents=True, exist_ok=True)
            if own_task is not None:
                write_whole(run.task_path, json.dumps(task_document(own_task)) + "\n")
            write_whole(run.config_path, json.dumps(document, indent=2) + "\n")
        except (OSError, TypeError, ValueError) as error:
            raise RunError(f"Expected to write a run directory at {path}: {error}.") from error
        return run

    @property
    def config_path(self) -> Path:
        """Configuration, versions and the commit of lrmp if it is a checkout, as JSON."""
        return self.path / CONFIG

    @property
    def task_path(self) -> Path:
        """Definition of the task, as JSON, where it is not registered."""
        return self.path / TASK

    @property
    def record_path(self) -> Path:
        """The best design, as a record for the leaderboard."""
        return self.path / RECORD

    @property
    def episodes_path(self) -> Path:
        """Reward, gain and drop of every design, as CSV."""
        return self.path / EPISODES

    @property
    def policy_path(self) -> Path:
        """The policy that explored to the best design, if the agent has one."""
        return self.path / POLICY

    @property
    def checkpoint_path(self) -> Path:
        """State to resume from, while the run is not finished."""
        return self.path / CHECKPOINT

    @property
    def journal_path(self) -> Path:
        """Designs that a search has scored, while the run is not finished."""
        return self.path / JOURNAL

    @property
    def checksums_path(self) -> Path:
        """SHA-256 of the other results of a finished run, as ``sha256sum -c`` takes them."""
        return self.path / CHECKSUMS

    @property
    def finished(self) -> bool:
        """Whether the record has been written."""
        return is_present(self.record_path)

    def complete(self, work: Callable[[], None]) -> Self:
        """Finish the run, unless it is finished.

        Args:
            work: Ends with ``finish``.

        Returns:
            The finished run directory.

        Raises:
            RunError: If another process is at work in it.
        """
        if not self.finished:
            with self.locked():
                if not self.finished:
                    work()
        return self

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other trainers out; the system drops the lock when the process ends.

        Raises:
            RunError: If another one is at work here, or there is no configuration yet.
        """
        descriptor = self._lock()
        try:
            yield
        finally:
            os.close(descriptor)

    def _lock(self) -> int:
        """Lock the configuration: its name stays, and nothing is written beside it."""
        import fcntl  # POSIX

        while True:
            try:
                descriptor = os.open(self.config_path, os.O_RDWR | os.O_NONBLOCK)
            except OSError as error:
                raise RunError(f"Expected to lock {self.config_path}: {error}.") from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Two that begin at once both write the file: the lock of the first one's is void.
                if os.path.samestat(os.fstat(descriptor), os.stat(self.config_path)):
                    return descriptor
            except BlockingIOError as error:
                os.close(descriptor)
                raise RunError(
                    f"Expected no other process at work in {self.path}, got one. Wait for it, or "
                    "choose another --runs-dir."
                ) from error
            os.close(descriptor)

    def own_task(self) -> Task | None:
        """Read the definition of the run's task, which a stranger may have written.

        Returns:
            The task; None where it is a registered one, which the record names.

        Raises:
            RunError: If the file is damaged, or cannot hold the task's accuracy model.
        """
        if not is_present(self.task_path):
            return None
        try:
            return task_of_document(parse_json(read_foreign_text(self.task_path, MAX_TASK_BYTES)))
        except (OSError, LRMPError) as error:
            raise RunError(f"Expected the task of a run in {self.task_path}: {error}") from error

    def begun(self) -> dict[str, Any]:
        """Read how the run began.

        Returns:
            ``config``, ``versions`` and ``lrmp_commit``.

        Raises:
            RunError: If the file is missing or damaged.
        """
        document = _read_json(self.config_path, "a run's configuration")
        for name in ("config", "versions"):
            if not isinstance(document.get(name), dict):
                raise RunError(
                    f"Expected a run's configuration in {self.config_path}, with {name} by name, "
                    f"got {document.get(name)!r}. Delete the directory or choose another."
                )
        return document

    def record(self) -> dict[str, Any]:
        """Read the best design; that it is what it claims is for a replay to say.

        Returns:
            The record as JSON values.

        Raises:
            RunError: If the run is not finished, or the file is damaged.
        """
        if not self.finished:
            raise RunError(f"Expected a finished run in {self.path}; resume it first.")
        return _read_json(self.record_path, "a record")

    def finish(self, record: Record, episodes: Sequence[Sequence[float]]) -> None:
        """Write the results, each whole and durably; the record comes last.

        Args:
            record: The best design.
            episodes: Reward, gain and drop of every design, in order.
        """
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        writer.writerows([index, *row] for index, row in enumerate(episodes))
        data = text.getvalue().encode("utf-8")
        write_whole(self.episodes_path, data)
        digests = {EPISODES: hashlib.sha256(data).hexdigest()}
        if is_present(self.policy_path):
            digests[POLICY] = file_digest(self.policy_path)
        write_whole(
            self.checksums_path,
            "".join(f"{digest}  {name}\n" for name, digest in digests.items()),
        )
        write_whole(self.record_path, record.to_line())
        self.checkpoint_path.unlink(missing_ok=True)
        self.journal_path.unlink(missing_ok=True)

    def episodes(self) -> list[tuple[float, float, float]]:
        """Read what every design of a finished run scored.

        Returns:
            Reward, gain and drop of every design, in order; at least one.

        Raises:
            RunError: If the run is not finished, or the file is not what the run wrote.
        """
        if not self.finished:
            raise RunError(f"Expected a finished run in {self.path}; resume it first.")
        advice = "Delete the directory, and make the run again."
        try:
            sums = read_foreign_text(self.checksums_path, MAX_TEXT_BYTES)
            data = read_foreign(self.episodes_path, MAX_JOURNAL_BYTES)
        except OSError as error:
            raise RunError(
                f"Expected the results of a run in {self.path}: {error}. {advice}"
            ) from error
        if f"{hashlib.sha256(data).hexdigest()}  {EPISODES}" not in sums.splitlines():
            raise RunError(
                f"Expected {self.episodes_path} as {CHECKSUMS} has it, got {len(data)} bytes of "
                f"other content: it is damaged. {advice}"
            )
        try:
            header, *rows = csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True)
            numbers = [(float(r), float(s), float(d)) for _, r, s, d in rows]
            if header != COLUMNS or not numbers or not all(isfinite(r) for r, _, _ in numbers):
                raise ValueError(f"columns {', '.join(header)} and {len(rows)} rows")
        except (ValueError, csv.Error) as error:
            raise RunError(
                f"Expected columns {', '.join(COLUMNS)} and a row per design in "
                f"{self.episodes_path}: {error}. {advice}"
            ) from error
        return numbers

    def rewards(self) -> list[float]:
        """Read the reward of every design of a finished run.

        Returns:
            Rewards in order.

        Raises:
            RunError: As ``episodes``.
        """
        return [reward for reward, _, _ in self.episodes()]

    def _warn_of_other_versions(self, before: Mapping[str, Any]) -> None:
        """Say that what an unfinished run ends with may be what no version finds by itself."""
        begun = is_present(self.checkpoint_path) or is_present(self.journal_path)
        if self.finished or not begun:
            return
        now = library_versions()
        changed = [
            f"{name} {before.get(name, 'none')}, now {now.get(name, 'none')}"
            for name in sorted(set(before) | set(now))
            if before.get(name) != now.get(name)
        ]
        if changed:
            warnings.warn(
                printable(
                    f"The run in {self.path} was begun with {'; '.join(changed)}. Its result may "
                    "be what neither finds alone; delete the directory to start afresh."
                ),
                stacklevel=4,
            )


def _read_json(path: Path, what: str) -> dict[str, Any]:
    """Read a small file of ours, which a stranger may have written."""
    try:
        document = parse_json(read_foreign_text(path))
        if not isinstance(document, dict):
            raise ForeignTextError(f"it holds {type(document).__name__}, no names and values")
    except (OSError, ForeignTextError) as error:
        raise RunError(
            f"Expected {what} in {path}, got {error!r}. Delete the directory or choose another."
        ) from error
    return document


def _commit() -> str | None:
    """Name the commit of lrmp's own checkout, if it runs from one.

    Git is asked nowhere else, since a repository's configuration may name programs that git runs:
    monitors, hooks, filters. The folder that lrmp works in may be anybody's.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    safe = ("core.fsmonitor=false", "core.hooksPath=/dev/null")
    words = [word for setting in safe for word in ("-c", setting)]
    environment = {name: v for name, v in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *words, "-C", str(root), "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=True,
            env=environment | {"GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
