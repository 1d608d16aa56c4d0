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
    """An algorithm of lrmp's own, imported when asked: its settings alone need no torch.

    Attributes:
        name: What it is called.
        module: Where ``train`` is.
        settings: Where ``Args`` are.
        package: What it imports when it runs, from the extra ``search``.
    """

    name: str
    module: str
    settings: str
    package: str | None = None

    @classmethod
    def learner(cls, name: str, module: str) -> "BuiltIn":
        """Say where a learner is, whose settings lie apart."""
        learners = "lrmp.baselines.learners"
        return cls(name, f"{learners}.{module}", f"{learners}.settings.{module}")

    @classmethod
    def searcher(cls, name: str, module: str, package: str | None = None) -> "BuiltIn":
        """Say where a search is, one file with its settings."""
        file = f"lrmp.baselines.searchers.{module}"
        return cls(name, file, file, package)

    @property
    def Args(self) -> type[Any]:  # noqa: N802  a class
        """Import the settings."""
        args: type[Any] = self._imported(self.settings).Args
        return args

    @property
    def train(self) -> Callable[..., RunDirectory]:
        """Import the algorithm.

        Raises:
            MissingExtraError: If a library that it needs is not installed.
        """
        if self.package is not None:
            check_library(self.package, "search")
        train: Callable[..., RunDirectory] = self._imported(self.module).train
        return train

    def _imported(self, module: str) -> Any:
        try:
            return importlib.import_module(module)
        except ImportError as error:
            raise MissingExtraError.of(error.name, f"for {self.name}", "train") from error


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
    each.name: each
    for each in (
        BuiltIn.searcher("annealing", "annealing"),
        BuiltIn.searcher("bayesian", "bayesian", package="optuna"),
        BuiltIn.searcher("cma-es", "cma_es", package="cma"),
        BuiltIn.learner("composite", "composite"),
        BuiltIn.learner("ddpg", "ddpg"),
        BuiltIn.searcher("genetic", "genetic", package="pymoo"),
        BuiltIn.searcher("greedy", "greedy"),
        BuiltIn.searcher("hawq-ilp", "hawq_ilp"),
        BuiltIn.learner("ippo", "ippo"),
        BuiltIn.learner("mappo", "mappo"),
        BuiltIn.learner("policy-gradient", "policy_gradient"),
        BuiltIn.learner("ppo", "ppo"),
        BuiltIn.learner("qmix", "qmix"),
        BuiltIn.searcher("random", "random_search"),
        BuiltIn.learner("td3", "td3"),
        BuiltIn.searcher("uniform", "uniform"),
    )
}


def list_algorithms() -> list[str]:
    """Name the algorithms that are installed.

    Returns:
        Names for ``load_algorithm``: lrmp's own and those of entry points, sorted.
    """
    return sorted({*ALGORITHMS, *entry_points(group=GROUP).names})


def load_algorithm(name: str) -> Algorithm:
    """Find an algorithm.

    Args:
        name: A key of ``ALGORITHMS``; the name of an entry point in the group ``lrmp.algorithms``;
            or ``package.module:train``, a function of one's own, whose module may lie in the
            current folder.

    Returns:
        The algorithm. One of lrmp's own goes before an entry point of the same name, and is
        imported when its ``Args`` or ``train`` are asked for.

    Raises:
        RunError: If there is no such algorithm, or it is none.
    """
    if name in ALGORITHMS:
        return ALGORITHMS[name]
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
