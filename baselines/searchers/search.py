"""Score proposed designs and keep the best: what every search without learning does.

A searcher is a generator: it yields designs, settings of shape (B, L, K), and is sent their
rewards, shape (B,). Every design it yields is counted and scored, a repeated one too, as
every episode of a learning agent is.

Scored designs go to the run's journal at once. An interrupted search starts again from its seed
and is told the journalled rewards first, so that any library's searcher resumes, with nothing
pickled, and ends as if it had never stopped.
"""

import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lrmp.baselines.running.design_tally import DesignTally
from lrmp.baselines.running.run import Run
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.task import Task
from lrmp.errors import RunError
from lrmp.growing_file import GrowingFile
from lrmp.hardware.frozen_arrays import IntArray

Proposals = Generator[IntArray, NDArray[np.float64], None]
Row = tuple[float, float, float]  # reward, gain, drop


def run_searcher(
    agent: str,
    args: Any,
    propose: Callable[[Task, Any], Proposals],
    count: int,
    *,
    progress: bool = True,
    needs_table: bool = False,
) -> RunDirectory:
    """Run a searcher: score what it proposes and write the best to the run directory.

    Args:
        agent: Name under which the run is ranked.
        args: The searcher's settings, as ``Run.open`` takes them.
        propose: The searcher: proposes designs for a task.
        count: Most designs to score, at least one; a searcher may end earlier.
        progress: Whether to show a progress bar.
        needs_table: Whether the task's accuracy must be an additive table.

    Returns:
        The finished run directory; one that was finished before is returned as it is.

    Raises:
        TaskError: If there is no such task.
        RunError: If the directory holds a run of other settings, the task's accuracy is no table,
            or the searcher does not propose what it proposed before an interruption.
    """
    run = Run.open(agent, args, progress=progress, needs_table=needs_table)
    return run.complete(lambda: _search(run, propose(run.task, args), count))


def _search(run: Run, proposals: Proposals, count: int) -> None:
    with (
        _Journal(run.directory) as journal,
        tqdm(total=count, desc=run.title, unit="design", disable=not run.progress or None) as bar,
    ):
        tally = DesignTally(run.task, journal.seconds_before)
        for settings, scored in score_proposals(run.task, proposals, count, journal):
            rewards, gains, drops = zip(*scored, strict=True)
            if tally.add(rewards, gains, drops, settings):
                bar.set_postfix(best=f"{tally.best_score:.3f}", refresh=False)
            bar.update(len(scored))
    run.finish(tally, env_steps=0)


def score_proposals(
    task: TaskLike, proposals: Proposals, count: int, journal: "_Journal | None" = None
) -> Iterator[tuple[IntArray, list[Row]]]:
    """Score a searcher's designs, batch by batch.

    Args:
        task: What is searched.
        proposals: The searcher, not started.
        count: Most designs to score; the batch that would exceed it is cut.
        journal: Knows designs that were scored before; None if there is none.

    Yields:
        Settings of a batch, shape (B, L, K), and reward, gain and drop of its designs.
    """
    task = find_task(task)
    dynamics = Dynamics(task)
    done, settings = 0, next(proposals, None)
    while settings is not None:
        settings = settings[: count - done]
        rows = journal.replay(settings) if journal else []
        fresh = settings[len(rows) :]
        if len(fresh):
            scores = dynamics.scores(fresh)
            columns = (scores.reward, scores.gain, scores.accuracy_drop)
            new = list(zip(*(column.tolist() for column in columns), strict=True))
            if journal:
                journal.append(fresh, new)
            rows = rows + new
        done += len(settings)
        yield settings, rows
        if done >= count:
            return
        try:
            settings = proposals.send(np.array([reward for reward, _, _ in rows]))
        except StopIteration:
            return


class _Line(NamedTuple):
    design: str
    seconds: float
    row: Row


class _Journal:
    """Designs of an unfinished run, a line each: settings, seconds, reward, gain, drop."""

    def __init__(self, run: RunDirectory) -> None:
        self._path = run.journal_path
        try:
            self._file = GrowingFile(self._path)
        except OSError as error:
            raise self._damaged(error) from error
        try:
            self._known = [_parse(line) for line in self._file.lines]
        except ValueError as error:
            self._file.close()
            raise self._damaged(error) from error
        self._next = 0
        self._started = time.perf_counter()
        #: What the interrupted runs took together.
        self.seconds_before = self._known[-1].seconds if self._known else 0.0

    def __enter__(self) -> "_Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def replay(self, settings: IntArray) -> list[Row]:
        """Look up the next designs, as far as they are known."""
        known = self._known[self._next : self._next + len(settings)]
        for text, line in zip(map(_text, settings), known, strict=False):
            if text != line.design:
                raise RunError(
                    f"Expected design {self._next + 1} of the search to be {line.design} as in "
                    f"{self._path}, got {text}: libraries or code have changed since. Delete the "
                    "directory to start the run afresh."
                )
            self._next += 1
        return [line.row for line in known]

    def append(self, settings: IntArray, rows: list[Row]) -> None:
        """Write new designs down."""
        seconds = self.seconds_before + time.perf_counter() - self._started
        self._file.add(
            *(
                f"{_text(design)},{seconds:.3f},{','.join(map(repr, row))}"
                for design, row in zip(settings, rows, strict=True)
            )
        )

    def _damaged(self, error: Exception) -> RunError:
        return RunError(
            f"Expected settings, seconds, reward, gain and drop per line in {self._path}: {error}. "
            "Delete it to start the run afresh."
        )


def _parse(line: str) -> _Line:
    design, *numbers = line.split(",")
    seconds, reward, gain, drop = map(float, numbers)
    return _Line(design, seconds, (reward, gain, drop))


def _text(design: IntArray) -> str:
    """Write places of values, knob by knob."""
    return "/".join(" ".join(map(str, column)) for column in design.T.tolist())
