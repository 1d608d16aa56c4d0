"""One run of a study: what decides it, and the record that is kept of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.baselines.running.algorithms import train
from lrmp.baselines.running.design_tally import episode_score
from lrmp.baselines.running.run import settings_of
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.task.custom_task import find_task
from lrmp.envs.task.task import Task
from lrmp.errors import RunError

SCHEMA_VERSION = 1

#: The own tasks of a study that has none.
NO_TASKS: Mapping[str, Task] = MappingProxyType({})

#: What may differ between two records of one run.
CIRCUMSTANCES = ("wall_time_s", "versions")


#: What is taken over from the run's record.
_OF_RECORD = (
    "task_fingerprint",
    "evaluated_designs",
    "env_steps",
    "claim",
    "design",
)


class RunKey(NamedTuple):
    """What names a run within a study.

    Attributes:
        task: Id of the task; the name of its file, as the study has it, for one that is not
            registered.
        accuracy: ``"network"`` or ``"table"`` where the study says so, else ``""``.
        agent: Its name in the study.
        evaluations: Designs to evaluate; 0 where their number follows from the algorithm.
        seed: Of the run; 0 if its algorithm draws no random numbers.
    """

    task: str
    accuracy: str
    agent: str
    evaluations: int
    seed: int

    def __str__(self) -> str:
        count = f" at {self.evaluations} designs" if self.evaluations else ""
        return f"{self.agent} on {task_label(self.task, self.accuracy)}{count}, seed {self.seed}"


@dataclass(frozen=True)
class PlannedRun:
    """One run.

    Attributes:
        key: Its name.
        algorithm: As ``load_algorithm`` takes it.
        args: The algorithm's Args; ``runs_dir`` is chosen where it runs.
        task_fingerprint: SHA-256 of the task's definition.
    """

    key: RunKey
    algorithm: str
    args: Any
    task_fingerprint: str

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides the result, as plain JSON values; of files, their SHA-256."""
        return settings_of(self.args, self.key.task)

    @property
    def folder(self) -> Path:
        """Where its run directory is made, below that of all runs."""
        key = self.key
        return Path(key.agent) / "-".join(
            filter(None, (str(key.evaluations or "own"), key.accuracy))
        )


def task_label(task_id: str, accuracy: str) -> str:
    """Name a task as a study means it.

    Args:
        task_id: As ``task`` in ``RunKey``.
        accuracy: As in ``RunKey``.

    Returns:
        Such as ``"LRMP-MLP-v0 (network)"``.
    """
    return task_id + (f" ({accuracy})" if accuracy else "")


def task_of(key: RunKey, own_tasks: Mapping[str, Task] = NO_TASKS) -> Task:
    """Look up the task of a run.

    Args:
        key: Its name.
        own_tasks: The study's tasks that are not registered, by name.

    Returns:
        The task, with the study's kind of accuracy.
    """
    kind: AccuracyKind | None = key.accuracy or None  # type: ignore[assignment]
    return find_task(own_tasks.get(key.task, key.task), kind)


def perform(run: PlannedRun, runs_dir: Path) -> dict[str, Any]:
    """Make a run, or return to it; one that is finished is only read.

    Args:
        run: What to do.
        runs_dir: Folder of all run directories of the study.

    Returns:
        Its record.
    """
    args = replace(run.args, runs_dir=runs_dir / run.folder)
    return study_record(run, train(run.algorithm, args, progress=False))


def study_record(run: PlannedRun, directory: RunDirectory) -> dict[str, Any]:
    """Write down what a study keeps of a run.

    Args:
        run: What was done.
        directory: The finished run.

    Returns:
        JSON values. ``curve`` has a row for every design that was better than all before it: how
        many designs had been evaluated with it, score, gain and accuracy drop in points; no row
        before the first within the allowed drop.
    """
    best, begun, episodes = directory.record(), directory.begun(), directory.episodes()
    if missing := [name for name in (*_OF_RECORD, "wall_time_s") if name not in best]:
        raise RunError(
            f"Expected a record in {directory.record_path}, got one without {missing[0]}. Delete "
            "the directory, and make the run again."
        )
    designs = best["evaluated_designs"]
    if type(designs) is not int or designs < 1 or designs % len(episodes):
        raise RunError(
            f"Expected evaluated designs of {directory.path} to be a multiple of its "
            f"{len(episodes)} episodes, got {designs!r}. Delete the directory, and make the run "
            "again."
        )
    each = designs // len(episodes)  # more than 1 with difference rewards
    curve: list[list[float]] = []
    allowed_drop = find_task(run.args.env_id).allowed_drop
    best_score = -math.inf
    for number, episode in enumerate(episodes, start=1):
        score = episode_score(episode, allowed_drop)
        if score > best_score:
            best_score = score
            curve.append([number * each, score, *episode[1:]])
    return {
        "schema_version": SCHEMA_VERSION,
        **run.key._asdict(),
        "algorithm": run.algorithm,
        "settings": run.settings,
        **{name: best[name] for name in _OF_RECORD},
        "curve": curve,
        "wall_time_s": best["wall_time_s"],
        "versions": begun["versions"] | {"commit": begun.get("lrmp_commit")},
    }


def record_key(record: dict[str, Any]) -> RunKey:
    """Say which run a record is of.

    Args:
        record: What ``study_record`` returned.

    Returns:
        Its key.
    """
    return RunKey(*(record[name] for name in RunKey._fields))
