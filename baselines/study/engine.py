"""What an engine does: make runs somewhere, in any order, and report each as it ends."""

import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lrmp.baselines.study.planned_run import PlannedRun, RunKey, perform
from lrmp.baselines.study.results import StudyRecord
from lrmp.errors import LRMPError


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        key: Of the run.
        record: Its record, or None if it failed.
        error: Why it failed, in one line.
        details: Where it failed, in many.
    """

    key: RunKey
    record: StudyRecord | None
    error: str = ""
    details: str = ""


#: Makes the runs and yields their endings; closing the iterator stops what is still running.
Engine = Callable[[Sequence[PlannedRun], Path], Generator[Ending, None, None]]


def attempt(run: PlannedRun, runs_dir: Path) -> Ending:
    """Make a run; whatever goes wrong becomes its ending.

    Args:
        run: What to do.
        runs_dir: Folder of all run directories.

    Returns:
        Its record, or why there is none.
    """
    try:
        return Ending(run.key, perform(run, runs_dir))
    except LRMPError as error:
        return Ending(run.key, None, str(error))
    except Exception as error:  # one run must not end the study
        return Ending(run.key, None, f"{type(error).__name__}: {error}", traceback.format_exc())
