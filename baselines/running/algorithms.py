"""The algorithms by name: what ``lrmp train`` trains and a study runs."""

import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, get_type_hints

from lrmp.baselines.running.command import check_library
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.errors import LRMPError, MissingExtraError, RunError, unknown_name

#: Packages name algorithms of their own in this group of entry points: ``name =
#: "package.module:train"``.
GROUP = "lrmp.algorithms"

#: What every algorithm's Args have.
_NEEDED = ("env_id", "runs_dir")


class Algorithm(Protocol):
    """What chooses designs: a module, or anything else with these."""

    @property
    def Args(self) -> type[Any]:  # noqa: N802  a class
        """A dataclass of settings with defaults.

        ``env_id``, a ``TaskLike``; ``runs_dir``; ``evaluations``, the number of designs to score,
        unless that follows from the algorithm; ``seed``, if random numbers are drawn; ``accuracy``,
        if the network itself may say the accuracy; and whatever else there is to set.
        """
        ...

    @property
    def train(self) -> Callable[..., RunDirectory]:
        """``train(args, *, progress=True)``, which returns the finished run directory."""
        ...


@dataclass(frozen=True)
class BuiltIn:
    """Where an algorithm of lrmp's own is.

    Attributes:
        module: An ``Algorithm``.
        package: What it imports when it runs, from the extra ``search``.
    """

    module: str
    package: str | None = None


@dataclass(frozen=True)
class Outside:
    """An algorithm of somebody else's: a function, and the settings that it takes.

    Attributes:
        Args: The annotation of the function's first parameter.
        train: The function.
    """

    Args: type[Any]
    train: Callable[..., RunDirectory]


ALGORITHMS = {
    "annealing": BuiltIn("lrmp.baselines.searchers.annealing"),
    "bayesian": BuiltIn("lrmp.baselines.searchers.bayesian", package="optuna"),
    "cma-es": BuiltIn("lrmp.baselines.searchers.cma_es", package="cma"),
    "composite": BuiltIn("lrmp.baselines.learners.composite"),
    "ddpg": BuiltIn("lrmp.baselines.learners.ddpg"),
    "genetic": BuiltIn("lrmp.baselines.searchers.genetic", package="pymoo"),
    "greedy": BuiltIn("lrmp.baselines.searchers.greedy"),
    "hawq-ilp": BuiltIn("lrmp.baselines.searchers.hawq_ilp"),
    "ippo": BuiltIn("lrmp.baselines.learners.ippo"),
    "mappo": BuiltIn("lrmp.baselines.learners.mappo"),
    "policy-gradient": BuiltIn("lrmp.baselines.learners.policy_gradient"),
    "ppo": BuiltIn("lrmp.baselines.learners.ppo"),
    "qmix": BuiltIn("lrmp.baselines.learners.qmix"),
    "random": BuiltIn("lrmp.baselines.searchers.random_search"),
    "td3": BuiltIn("lrmp.baselines.learners.td3"),
    "uniform": BuiltIn("lrmp.baselines.searchers.uniform"),
}


def list_algorithms() -> list[str]:
    """Name the algorithms that are installed.

    Returns:
        Names for ``load_algorithm``: lrmp's own and those of entry points, sorted.
    """
    return sorted({*ALGORITHMS, *entry_points(group=GROUP).names})


def load_algorithm(name: str) -> Algorithm:
    """Import an algorithm.

    Args:
        name: A key of ``ALGORITHMS``; the name of an entry point in the group ``lrmp.algorithms``;
            or ``package.module:train``, a function of one's own, whose module may lie in the
            current folder.

    Returns:
        The algorithm. One of lrmp's own goes before an entry point of the same name.

    Raises:
        RunError: If there is no such algorithm, or it is none.
        MissingExtraError: If a library that one of lrmp's own needs is not installed.
    """
    if name in ALGORITHMS:
        return _built_in(name)
    if ":" in name:
        return _outside(name, name)
    for entry in entry_points(group=GROUP, name=name):
        return _outside(entry.value, f"{name} ({entry.value})")
    known = unknown_name("agent", name, list_algorithms())
    raise RunError(f"{known} Your own: package.module:train.")


def train(name: str, args: Any, *, progress: bool = True) -> RunDirectory:
    """Train or search.

    Args:
        name: As for ``load_algorithm``.
        args: The algorithm's ``Args``.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory.

    Raises:
        RunError: If the algorithm returned something else.
        LRMPError: As ``load_algorithm`` and the algorithm do.
    """
    run = load_algorithm(name).train(args, progress=progress)
    if not isinstance(run, RunDirectory) or not run.finished:
        raise RunError(
            f"Expected a finished run directory from the agent {name}, got {run!r}. "
            "Let it return what Run.complete does."
        )
    return run


def needs_table(algorithm: Algorithm) -> bool:
    """Say whether an algorithm looks accuracies up in the task's additive table.

    Args:
        algorithm: Any.

    Returns:
        ``NEEDS_TABLE`` of the module that its function is in; False where there is none.
    """
    module = inspect.getmodule(algorithm.train)
    return bool(getattr(module, "NEEDS_TABLE", False))


def _built_in(name: str) -> Algorithm:
    algorithm = ALGORITHMS[name]
    if algorithm.package is not None:
        check_library(algorithm.package, "search")
    try:
        module: Any = importlib.import_module(algorithm.module)
    except ImportError as error:
        raise MissingExtraError.of(error.name, f"for {name}", "train") from error
    found: Algorithm = module
    return found


def _outside(where: str, shown: str) -> Outside:
    """Import a function by ``package.module:function``, and find what it takes."""
    module_name, _, function = where.partition(":")
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.append(folder)  # last, so that it hides nothing; worker processes get it, too
    try:
        train: Any = importlib.import_module(module_name)
        for part in function.split("."):
            train = getattr(train, part)
        parameters = list(inspect.signature(train).parameters)
        args = get_type_hints(train)[parameters[0]]
    except LRMPError:
        raise
    except Exception as error:  # whatever the user's code raises
        raise RunError(
            f"Expected the agent {shown} as package.module:train, a function whose first parameter "
            f"is annotated with its settings; got {type(error).__name__}: {error}."
        ) from error
    is_settings = isinstance(args, type) and is_dataclass(args)
    names = [field.name for field in fields(args)] if is_settings else []
    if missing := [needed for needed in _NEEDED if needed not in names]:
        raise RunError(
            f"Expected the settings of the agent {shown} as a dataclass with "
            f"{' and '.join(_NEEDED)}, got {getattr(args, '__name__', args)} without {missing[0]}."
        )
    return Outside(args, train)
