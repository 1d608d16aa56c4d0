"""A genetic algorithm: ``lrmp train genetic --env-id LRMP-ResNet18-v0 --seed 1``.

By the ``pymoo`` library (Blank and Deb, IEEE Access 8, 2020): binary tournaments, uniform crossover
of knobs, polynomial mutation rounded to values, the best of parents and children survive, no
design twice in a population. The settings are those that were best on tasks that are not scored
(docs/results/tuning/tuning.md).
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

AGENT = "genetic"


@dataclass(frozen=True)
class Args:
    """Genetic algorithm."""

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml)"""
    accuracy: AccuracyKind | None = None
    """run the "network" itself, or look drops up in a "table"; default: as the task does"""
    seed: int = 1
    """seed of the run"""
    evaluations: int = 600
    """designs to score"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__genetic__SEED"""

    # Algorithm specific arguments
    population: int = 10
    """designs per generation; the first one is drawn at random"""
    mutated: float = 2.0
    """knobs of layers that mutate in a child, on average"""
    closeness: float = 3.0
    """the polynomial mutation's eta: the higher, the smaller the changes"""

    def __post_init__(self) -> None:
        check_counts(self.seed, evaluations=self.evaluations)
        if self.population < 2:
            raise RunError(f"Expected population of at least 2, got {self.population}.")
        for name in ("mutated", "closeness"):
            if not 0 < getattr(self, name) < float("inf"):
                raise RunError(f"Expected {name} above 0, got {getattr(self, name)}.")


def propose(task: TaskLike, args: Args) -> Proposals:
    """Breed generations.

    Args:
        task: What is searched.
        args: Settings.

    Yields:
        A generation, shape (B, L, K); children that are in the population are left out.
    """
    task = find_task(task)
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.problem import Problem
    from pymoo.core.termination import NoTermination
    from pymoo.operators.crossover.ux import UniformCrossover
    from pymoo.operators.mutation.pm import PolynomialMutation
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling

    variables = Variables(task.space, len(task.network))
    mutation = PolynomialMutation(
        prob=1.0,
        prob_var=min(1.0, args.mutated / len(variables)),
        eta=args.closeness,
        vtype=float,
        repair=RoundingRepair(),
    )
    algorithm = GA(
        pop_size=args.population,
        sampling=IntegerRandomSampling(),
        crossover=UniformCrossover(),
        mutation=mutation,
        eliminate_duplicates=True,
    )
    problem = Problem(
        n_var=len(variables),
        n_obj=1,
        xl=np.zeros_like(variables.counts),
        xu=variables.counts - 1,
        vtype=int,
    )
    algorithm.setup(problem, termination=NoTermination(), seed=args.seed, verbose=False)
    while (children := algorithm.ask()) is not None and len(children):
        rewards = yield variables.settings(children.get("X").astype(np.int64))
        children.set("F", -rewards[:, None])
        algorithm.tell(infills=children)


def train(args: Args, *, progress: bool = True) -> RunDirectory:
    """Search one task.

    Args:
        args: Settings.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory.

    Raises:
        MissingExtraError: If ``pymoo`` is not installed.
    """
    check_library("pymoo", "search")
    return run_searcher(AGENT, args, propose, args.evaluations, progress=progress)


def main() -> None:
    """Search from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
