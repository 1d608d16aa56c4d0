"""A run of an algorithm on a task: its name, its settings and its directory."""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from lrmp.baselines.running.design_tally import DesignTally
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.task.additive_table import additive_table
from lrmp.envs.task.custom_task import find_task
from lrmp.envs.task.task import TASKS, Task, load_task
from lrmp.errors import RunError
from lrmp.foreign_file import file_digest

#: Fields of an algorithm's Args that decide no result.
UNDECISIVE = ("runs_dir", "checkpoint_every")

#: As in the leaderboard's records.
_TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHOWN = 12  # digits of a fingerprint that tell tasks of one's own apart


def is_registered(task: Task) -> bool:
    """Say whether everybody has this task.

    Args:
        task: Any task.

    Returns:
        Whether it is the registered task of its id, and not one of the same id and another
        definition, such as another kind of accuracy.
    """
    if task.id not in TASKS:
        return False
    known = load_task(task.id)
    return known is task or known.fingerprint == task.fingerprint


def task_name(task: Task) -> str:
    """Name a task so that no other has the name; it may be part of a file's.

    Args:
        task: Any task.

    Returns:
        The id of a registered task, else id and the begin of the fingerprint.

    Raises:
        RunError: If no record may have the id.
    """
    if not _TASK_ID.fullmatch(task.id):
        raise RunError(
            "Expected the task's id in letters, digits, '.', '_' and '-', at most 100 of them and "
            f"a letter or digit first, got {task.id!r}. Give the task another id."
        )
    return task.id if is_registered(task) else f"{task.id}-{task.fingerprint[:_SHOWN]}"


def settings_of(args: Any, task: str) -> dict[str, Any]:
    """Return all settings that decide a run's result.

    Args:
        args: The algorithm's Args.
        task: Name of what they mean by ``env_id``.

    Returns:
        Plain JSON values by name; of files, their SHA-256.
    """
    names = [field.name for field in fields(args) if field.name not in (*UNDECISIVE, "env_id")]
    settings = {name: _plain(getattr(args, name)) for name in names}
    return {"env_id": task, **settings}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return file_digest(value)
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Run:
    """A run of an algorithm on a task.

    Attributes:
        agent: Name under which it is ranked.
        task: What is solved.
        seed: Of the run; 0 if its algorithm draws no random numbers.
        directory: RUNS_DIR/TASK__AGENT__SEED.
        progress: Whether to show a progress bar.
    """

    agent: str
    task: Task
    seed: int
    directory: RunDirectory
    progress: bool

    @classmethod
    def open(
        cls, agent: str, args: Any, *, progress: bool = True, needs_table: bool = False
    ) -> Self:
        """Begin a run, or return to it.

        Args:
            agent: Name under which the run is ranked.
            args: The algorithm's settings, a dataclass with env_id, runs_dir and, unless they have
                one value alone, accuracy and seed.
            progress: Whether to show a progress bar.
            needs_table: Whether the task's accuracy must be an additive table.

        Returns:
            The run; nothing is done yet.

        Raises:
            TaskError: If there is no such task.
            RunError: If the directory holds a run of other settings, or the accuracy is no table.
        """
        task = find_task(args.env_id, getattr(args, "accuracy", None))
        if needs_table:
            additive_table(task)
        seed = getattr(args, "seed", 0)
        name = task_name(task)
        directory = RunDirectory.open(
            args.runs_dir / f"{name}__{agent}__{seed}",
            {"agent": agent, **settings_of(args, name)},
            own_task=None if is_registered(task) else task,
        )
        return cls(agent, task, seed, directory, progress)

    @property
    def title(self) -> str:
        """What its progress bar says."""
        return f"{self.agent} {self.task.id} seed {self.seed}"

    def complete(self, work: Callable[[], None]) -> RunDirectory:
        """Finish the run, unless it is finished.

        Args:
            work: Ends with writing the record.

        Returns:
            The finished run directory.

        Raises:
            RunError: If another process is at work in it.
        """
        return self.directory.complete(work)

    def finish(
        self, tally: DesignTally, *, env_steps: int, evaluated_designs: int | None = None
    ) -> None:
        """Write the results.

        Args:
            tally: All that was tried.
            env_steps: Steps in environments.
            evaluated_designs: Designs that the oracle scored; None for those in the tally.
        """
        tally.finish(
            self.directory,
            agent=self.agent,
            seed=self.seed,
            env_steps=env_steps,
            evaluated_designs=evaluated_designs,
        )
