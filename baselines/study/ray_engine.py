"""Runs on a Ray cluster (https://docs.ray.io): a task of one CPU per run, Ray core alone.

The driver, which is the process that was started, keeps the results. A run whose node dies is
made again by Ray on another one: in a folder that all nodes share it goes on from its journal or
checkpoint; in a folder of the node's own, which ends with the run, it begins anew, and the finished
record travels back. Both give the same record.
"""

import logging
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path

from lrmp.baselines.study.engine import Ending, attempt
from lrmp.baselines.study.planned_run import PlannedRun
from lrmp.errors import MissingExtraError, StudyError

#: How often Ray makes a run again whose node or process has died.
RETRIES = 3


def run_on_ray(
    runs: Sequence[PlannedRun],
    runs_dir: Path,
    address: str | None = None,
    *,
    shared: bool = False,
) -> Generator[Ending, None, None]:
    """Make runs on a Ray cluster, as many at a time as it has CPUs.

    Args:
        runs: What to do, in this order.
        runs_dir: Folder of all run directories.
        address: Of the cluster; None for the one that ``RAY_ADDRESS`` names or that runs here, or
            else one that is started on this machine.
        shared: Whether all nodes see ``runs_dir``. If not, only records come back.

    Yields:
        An ending per run, as they come.

    Raises:
        MissingExtraError: If Ray is not installed.
        StudyError: If there is no cluster at the address.
    """
    try:
        import ray  # pyright: ignore[reportMissingImports]  a client
    except ImportError as error:
        raise MissingExtraError.of("Ray", "for --engine ray", "ray") from error
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError) as error:
        raise StudyError(
            f"Expected a Ray cluster at {address}: {error} Start it first: ray start --head."
        ) from error
    task = ray.remote(num_cpus=1, max_retries=RETRIES)(_make)
    folder = runs_dir.resolve() if shared else None
    waiting = {task.remote(run, folder): run for run in runs}
    try:
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            run = waiting.pop(done)
            try:
                ending: Ending = ray.get(done)
            except ray.exceptions.RayError as error:
                ending = Ending(
                    run.key, None, f"Ray gave it up: {type(error).__name__}", str(error)
                )
            yield ending
    finally:
        for reference in waiting:
            ray.cancel(reference, force=True)
        ray.shutdown()


def _make(run: PlannedRun, folder: Path | None) -> Ending:
    """Make a run on the node that this is called on."""
    if folder is not None:
        return attempt(run, folder)
    with tempfile.TemporaryDirectory(prefix="lrmp-study-") as own:
        return attempt(run, Path(own))
