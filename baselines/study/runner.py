"""Running a study: what has no record yet is run, and recorded as it ends."""

import json
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lrmp.baselines.study.certified_optima import certified_optima, keep_optima
from lrmp.baselines.study.definition import Study
from lrmp.baselines.study.engine import Ending, Engine
from lrmp.baselines.study.planned_run import PlannedRun
from lrmp.baselines.study.results import RESULTS, Results, StudyRecord, locked
from lrmp.envs.task.task_definition import task_document
from lrmp.errors import StudyError
from lrmp.growing_file import open_growing
from lrmp.printable import printable
from lrmp.whole_file import write_whole

PLAN = "study.json"
RUNS = "runs"
FAILURES = "failures.log"


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    Attributes:
        finished: Runs with a record.
        planned: All runs.
        failed: Runs that failed this time.
    """

    finished: int
    planned: int
    failed: int


def run_study(
    study: Study,
    folder: Path,
    engine: Engine,
    *,
    chosen: Callable[[PlannedRun], bool] = lambda run: True,
    progress: bool = True,
) -> Progress:
    """Make all runs that have no record yet.

    Args:
        study: What to run.
        folder: Holds ``results.jsonl``, ``study.json``, ``optima.jsonl`` and a run directory per
            run.
        engine: Where to run.
        chosen: Which of the study's runs to make now.
        progress: Whether to show a progress bar over the runs.

    Returns:
        How far the study is. Failed runs are in ``failures.log``, and are tried again next time.

    Raises:
        StudyError: If another study is at work in the folder, or its records were made with other
            settings, or optima kept there cannot be read.
        KeyboardInterrupt: When interrupted; what is unfinished goes on next time.
    """
    with locked(folder), closing(Results(folder / RESULTS)) as results:
        for run in study.runs:
            if run.key in results.records:
                _check_same(run, results.records[run.key], folder)
        write_whole(folder / PLAN, json.dumps(_plan(study), indent=1) + "\n")
        played = [(run.key.task, run.task_fingerprint) for run in study.runs]
        played += [(r["task"], r["task_fingerprint"]) for r in results.records.values()]
        keep_optima(folder, certified_optima(folder, played))
        runs = [run for run in study.runs if chosen(run)]
        missing = [run for run in runs if run.key not in results.records]
        failed = 0
        with (
            tqdm(
                total=len(runs),
                initial=len(runs) - len(missing),
                desc=study.name,
                unit="run",
                disable=not progress or None,
            ) as bar,
            closing(engine(missing, folder / RUNS)) as endings,
        ):
            if results.torn:
                _say(f"cut off {results.torn} bytes of a torn last record; its run is read again")
            for ending in endings:
                if ending.record is None:
                    failed += 1
                    _say(f"failed: {ending.key}: {ending.error}")
                    _log_failure(ending, folder / FAILURES)
                else:
                    results.append(ending.record)
                bar.set_postfix_str(str(ending.key), refresh=False)
                bar.update()
        return Progress(sum(run.key in results.records for run in runs), len(runs), failed)


def _say(text: str) -> None:
    """Print above the bar."""
    tqdm.write(printable(text), file=sys.stderr)


def _check_same(run: PlannedRun, record: StudyRecord, folder: Path) -> None:
    """Refuse records of another study: nothing in a report may be of other settings."""
    was: dict[str, Any] = record["settings"] | {"algorithm": record["algorithm"]}
    now = run.settings | {"algorithm": run.algorithm}
    was["task"], now["task"] = record["task_fingerprint"], run.task_fingerprint
    for name in sorted(set(was) | set(now)):
        if was.get(name) != now.get(name):
            raise StudyError(
                f"Expected {run.key} with {name} {now.get(name)!r} in {folder / RESULTS}, got a "
                f"record with {was.get(name)!r}. Rename the agent or choose another --out."
            )


def _plan(study: Study) -> dict[str, Any]:
    """Say what the report must know beside the records."""
    planned: dict[str, int] = {}
    for run in study.runs:
        planned[run.key.agent] = planned.get(run.key.agent, 0) + 1
    return {
        "name": study.name,
        "about": study.about,
        "report_at": list(study.report_at),
        "agents": study.agents,
        "planned": planned,
        "left_out": study.left_out,
        "own_tasks": {name: task_document(task) for name, task in study.own_tasks.items()},
    }


def _log_failure(ending: Ending, path: Path) -> None:
    with open_growing(path) as file:
        file.write(f"{ending.key}: {ending.error}\n{ending.details}\n".encode("utf-8", "replace"))
