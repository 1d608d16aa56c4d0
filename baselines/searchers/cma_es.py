"""CMA-ES: ``python -m lrmp.baselines.searchers.cma_es --env-id LRMP-ResNet18-v0 --seed 1``.

Covariance matrix adaptation (Hansen, arXiv 1604.00772) by the ``cma`` library, on one real number
per knob of a layer, rounded to a value. Where it stops by its own criteria, it starts again with
twice the population (IPOP, Auger and Hansen, CEC 2005), from the best design so far.

The library's own integer handling and its seed use NumPy's global generator; rounding, a least
spread and a generator of the run's own do without. The settings are those that were best on tasks
that are not scored (docs/results/tuning/tuning.md).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.baselines.running.command import check_counts, check_library, run_command
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.baselines.searchers.search import Proposals, run_searcher
from lrmp.baselines.searchers.variables import Variables
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import RunError

AGENT = "cma-es"
FIRST = 2  # where the axis of a knob begins; how the library bends it at its ends depends on that
MARGIN = 0.499  # beyond the outermost values, so that all have equal shares of the axis


@dataclass(frozen=True)
class Args:
    """CMA-ES."""

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml)"""
    accuracy: AccuracyKind | None = None
    """run the "network" itself, or look drops up in a "table"; default: as the task does"""
    seed: int = 1
    """seed of the run"""
    evaluations: int = 600
    """designs to score"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__cma-es__SEED"""

    # Algorithm specific arguments
    start: float = 0.5
    """where all knobs start: 0 for the first value, 1 for the last; 0.5 is 5 of 2 to 8 bits"""
    sigma: float = 1.0
    """spread at the start, in values"""
    least_sigma: float = 0.1
    """least spread of any knob, in values: rounding gives equal designs without"""
    population: int = 0
    """designs per generation; 0 for the library's 4 + floor(3 ln(K L))"""

    def __post_init__(self) -> None:
        check_counts(self.seed, evaluations=self.evaluations)
        if self.population < 0 or self.population == 1:
            raise RunError(f"Expected population of 0 or at least 2, got {self.population}.")
        if not 0 <= self.start <= 1:
            raise RunError(f"Expected start from 0 to 1, got {self.start}.")
        if not 0 <= self.least_sigma <= self.sigma:
            raise RunError(
                f"Expected 0 <= least_sigma <= sigma, got {self.least_sigma} and {self.sigma}."
            )


def propose(task: TaskLike, args: Args) -> Proposals:
    """Sample generations.

    Args:
        task: What is searched.
        args: Settings.

    Yields:
        A generation, shape (population, L, K).
    """
    task = find_task(task)
    import cma

    rng = np.random.default_rng(args.seed)
    variables = Variables(task.space, len(task.network))
    last = FIRST + variables.counts - 1
    start = FIRST + variables.between(args.start)
    best = -np.inf
    population = args.population or 4 + int(3 * np.log(len(variables)))
    options = {
        "bounds": [FIRST - MARGIN, (last + MARGIN).tolist()],
        "minstd": args.least_sigma,
        "randn": lambda *shape: rng.standard_normal(shape),
        "seed": float("nan"),  # leave NumPy's global generator alone
        "verbose": -9,
    }
    while True:
        strategy = cma.CMAEvolutionStrategy(start, args.sigma, options | {"popsize": population})
        while not strategy.stop():
            samples = strategy.ask()
            chosen = np.clip(np.rint(samples), FIRST, last).astype(np.int64)
            rewards = yield variables.settings(chosen - FIRST)
            strategy.tell(samples, -rewards)
            if rewards.max() > best:
                best, start = rewards.max(), chosen[rewards.argmax()].astype(np.float64)
        population *= 2


def train(args: Args, *, progress: bool = True) -> RunDirectory:
    """Search one task.

    Args:
        args: Settings.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory.

    Raises:
        MissingExtraError: If ``cma`` is not installed.
    """
    check_library("cma", "search")
    return run_searcher(AGENT, args, propose, args.evaluations, progress=progress)


def main() -> None:
    """Search from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
