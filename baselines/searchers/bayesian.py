"""Bayesian optimisation: ``lrmp train bayesian --env-id LRMP-ResNet18-v0 --seed 1``.

By the ``optuna`` library (Akiba et al., KDD 2019): tree-structured Parzen estimators (Watanabe,
arXiv 2304.11127), or a Gaussian process, which takes seconds per design and suits short runs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.baselines.running.command import check_counts, check_library, run_command
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.baselines.searchers.search import Proposals, run_searcher
from lrmp.baselines.searchers.variables import Variables
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import RunError, unknown_name

Model = Literal["tpe", "gp"]

AGENT = "bayesian"


@dataclass(frozen=True)
class Args:
    """Bayesian optimisation."""

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml)"""
    accuracy: AccuracyKind | None = None
    """run the "network" itself, or look drops up in a "table"; default: as the task does"""
    seed: int = 1
    """seed of the run"""
    evaluations: int = 600
    """designs to score"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__bayesian-MODEL__SEED"""

    # Algorithm specific arguments
    model: Model = "tpe"
    """tree-structured Parzen estimators, or a Gaussian process"""
    random_designs: int = 20
    """first designs, drawn at random"""
    joint: bool = True
    """tpe: model all knobs of all layers together instead of each alone"""
    candidates: int = 24
    """tpe: candidates of which the most promising is scored"""

    def __post_init__(self) -> None:
        if self.model not in get_args(Model):
            raise RunError(unknown_name("model", self.model, get_args(Model)))
        check_counts(
            self.seed,
            evaluations=self.evaluations,
            random_designs=self.random_designs,
            candidates=self.candidates,
        )


def propose(task: TaskLike, args: Args) -> Proposals:
    """Model the designs scored so far and propose the most promising.

    Args:
        task: What is searched.
        args: Settings.

    Yields:
        One design, shape (1, L, K).
    """
    task = find_task(task)
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler: optuna.samplers.BaseSampler
    if args.model == "gp":
        import torch

        # Faster for matrices this small, and sums do not depend on the number of cores.
        torch.set_num_threads(1)
        sampler = optuna.samplers.GPSampler(seed=args.seed, n_startup_trials=args.random_designs)
    else:
        sampler = optuna.samplers.TPESampler(
            seed=args.seed,
            n_startup_trials=args.random_designs,
            multivariate=args.joint,
            n_ei_candidates=args.candidates,
        )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    variables = Variables(task.space, len(task.network))
    space: dict[str, optuna.distributions.BaseDistribution] = {
        name: optuna.distributions.IntDistribution(0, count - 1)
        for name, count in zip(variables.names, variables.counts.tolist(), strict=True)
    }
    while True:
        trial = study.ask(space)
        chosen = np.array([[trial.params[name] for name in space]])
        (reward,) = yield variables.settings(chosen)
        study.tell(trial, reward)


def train(args: Args, *, progress: bool = True) -> RunDirectory:
    """Search one task.

    Args:
        args: Settings.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory.

    Raises:
        MissingExtraError: If ``optuna`` is not installed.
    """
    check_library("optuna", "search")
    if args.model == "gp":
        check_library("torch", "train")
    agent = f"{AGENT}-{args.model}"
    return run_searcher(agent, args, propose, args.evaluations, progress=progress)


def main() -> None:
    """Search from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
