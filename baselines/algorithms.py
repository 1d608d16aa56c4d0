"""The algorithms by name: what ``lrmp train`` trains and a study runs."""

import importlib
from dataclasses import dataclass
from typing import Any

from lrmp.baselines.command import check_library
from lrmp.errors import MissingExtraError, RunError, unknown_name


@dataclass(frozen=True)
class Algorithm:
    """Where an algorithm is, and what a study must know of it.

    Attributes:
        module: Has ``Args``, a dataclass of settings, and ``train(args, *, progress)``, which
            returns a finished run directory. ``Args`` without ``evaluations``: the number of
            designs follows from the algorithm; without ``seed``: chance plays no part.
        needs_table: Whether it looks accuracies up in the task's table.
        package: What it imports when it runs, from the extra ``search``.
    """

    module: str
    needs_table: bool = False
    package: str | None = None


ALGORITHMS = {
    "annealing": Algorithm("lrmp.baselines.annealing"),
    "bayesian": Algorithm("lrmp.baselines.bayesian", package="optuna"),
    "cma-es": Algorithm("lrmp.baselines.cma_es", package="cma"),
    "ddpg": Algorithm("lrmp.baselines.ddpg"),
    "genetic": Algorithm("lrmp.baselines.genetic", package="pymoo"),
    "greedy": Algorithm("lrmp.baselines.greedy", needs_table=True),
    "hawq-ilp": Algorithm("lrmp.baselines.hawq_ilp", needs_table=True),
    "ippo": Algorithm("lrmp.baselines.ippo"),
    "mappo": Algorithm("lrmp.baselines.mappo"),
    "policy-gradient": Algorithm("lrmp.baselines.policy_gradient", needs_table=True),
    "ppo": Algorithm("lrmp.baselines.ppo"),
    "qmix": Algorithm("lrmp.baselines.qmix"),
    "random": Algorithm("lrmp.baselines.random_search"),
    "td3": Algorithm("lrmp.baselines.td3"),
    "uniform": Algorithm("lrmp.baselines.uniform"),
}


def load_algorithm(name: str) -> Any:
    """Import an algorithm.

    Args:
        name: A key of ``ALGORITHMS``.

    Returns:
        The module.

    Raises:
        RunError: If there is no such algorithm.
        MissingExtraError: If a library that it needs is not installed.
    """
    if name not in ALGORITHMS:
        raise RunError(unknown_name("agent", name, ALGORITHMS))
    algorithm = ALGORITHMS[name]
    if algorithm.package is not None:
        check_library(algorithm.package, "search")
    try:
        return importlib.import_module(algorithm.module)
    except ImportError as error:
        raise MissingExtraError(
            f'Expected {error.name} for {name}; run pip install "lrmp[train]".'
        ) from error
