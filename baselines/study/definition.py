"""What a study is: the TOML file, read and checked before anything runs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lrmp.accuracy.model.factories import check_kind
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.baselines.running.algorithms import (
    Algorithm,
    list_algorithms,
    load_algorithm,
    needs_table,
)
from lrmp.baselines.study.planned_run import PlannedRun, RunKey, task_label, task_of
from lrmp.envs.task.custom_task import read_task
from lrmp.envs.task.environment_id import task_id_of
from lrmp.envs.task.task import TASKS, Task
from lrmp.errors import ForeignTextError, LRMPError, RunError, StudyError, unknown_name
from lrmp.foreign_file import read_foreign_text
from lrmp.foreign_text import parse_toml

REPORT_AT = (100, 600, 1000, 10_000)  # designs
SEEDS = 10
MAX_RUNS = 100_000
TASK_FILE = ".toml"  # what names of task files end in

#: Fields of Args that the study itself fills in.
_FILLED = ("env_id", "accuracy", "seed", "evaluations", "runs_dir")
_STUDY_KEYS = ("about", "tasks", "agents", "report_at", "evaluations", "seeds")
_AGENT_KEYS = ("algorithm", "evaluations", "seeds", "settings", "tasks")
_TASK_KEYS = ("id", "accuracy")


@dataclass(frozen=True)
class Study:
    """Tasks x agents x seeds.

    Attributes:
        name: Of the file, without its ending.
        about: What the report is to say of it.
        report_at: Numbers of evaluated designs at which agents are compared.
        agents: By name: algorithm, evaluations, seeds of each, and the settings that the file
            gives.
        runs: All runs: every agent's first number of evaluations, seed by seed, so that what is
            finished early is spread over all tasks; then its next one.
        left_out: By agent, the tasks without the accuracy table that it needs.
        own_tasks: Tasks that are not registered, by the name of their file in the study.
    """

    name: str
    about: str
    report_at: tuple[int, ...]
    agents: dict[str, dict[str, Any]]
    runs: tuple[PlannedRun, ...]
    left_out: dict[str, list[str]]
    own_tasks: dict[str, Task]


def read_study(path: Path) -> Study:
    """Read a study and check everything that can be checked without running it.

    Args:
        path: A TOML file; files that it names are relative to its folder.

    Returns:
        The study.

    Raises:
        StudyError: If the file is missing or malformed, or a setting is unknown or out of range.
        TaskError: If there is no such task.
        MissingExtraError: If a library that an agent needs is not installed.
    """
    try:
        document = parse_toml(read_foreign_text(path))
    except OSError as error:
        raise StudyError(f"Expected a study at {path}: {error}.") from error
    except ForeignTextError as error:
        raise StudyError(f"Expected TOML in {path}: {error}.") from error
    try:
        return _Reader(path).study(document)
    except StudyError as error:
        raise StudyError(f"{path}: {error}") from error


@dataclass(frozen=True)
class _Agent:
    """An agent's table, read: its module, settings, and how many evaluations and seeds."""

    name: str
    algorithm: str
    module: Algorithm
    settings: dict[str, Any]
    evaluations: list[int]
    seeds: list[int]  # as many; 0 without random numbers

    def runs(self, task_id: str, kind: str, task: Task) -> Iterator[PlannedRun]:
        known = [field.name for field in fields(self.module.Args)]
        if kind and "accuracy" not in known:
            raise StudyError(
                f"Expected agents that can run the {kind} itself on {task_id}, got {self.name}. "
                "Leave it out."
            )
        env_id = task_id if task_id in TASKS else task
        options = self.settings | {"env_id": env_id} | ({"accuracy": kind} if kind else {})
        for count, last in zip(self.evaluations, self.seeds, strict=True):
            for seed in range(1, last + 1) if last else (0,):
                own = ({"evaluations": count} if count else {}) | ({"seed": seed} if seed else {})
                try:
                    args = self.module.Args(**options, **own)
                except LRMPError as error:
                    raise StudyError(f"agent {self.name}: {error}") from error
                key = RunKey(task_id, kind, self.name, count, seed)
                yield PlannedRun(key, self.algorithm, args, task.fingerprint)


@dataclass(frozen=True)
class _Reader:
    path: Path

    def study(self, document: Mapping[str, Any]) -> Study:
        _check_keys("a study", document, _STUDY_KEYS)
        tasks, own_tasks = self._tasks(document.get("tasks"))
        about = document.get("about", "")
        if not isinstance(about, str):
            raise StudyError(f"Expected about as text, got {about!r}.")
        tables = document.get("agents")
        if not isinstance(tables, dict) or not tables:
            raise StudyError(
                f"Expected a table [agents.NAME] for every agent, got {tables!r}. Add one."
            )
        runs: list[PlannedRun] = []
        agents: dict[str, dict[str, Any]] = {}
        left_out: dict[str, list[str]] = {}
        for name, table in tables.items():
            agent = self._agent(name, table, document)
            agents[name] = {
                "algorithm": agent.algorithm,
                "evaluations": agent.evaluations,
                "seeds": agent.seeds,
                "settings": table.get("settings", {}),
            }
            table_alone = needs_table(agent.module)
            for task_id, kind in _chosen(name, table, tasks):
                task = task_of(RunKey(task_id, kind, name, 0, 0), own_tasks)
                if table_alone and not isinstance(task.accuracy, TableAccuracy):
                    left_out.setdefault(name, []).append(task_label(task_id, kind))
                else:
                    if len(runs) + sum(agent.seeds) > MAX_RUNS:
                        raise StudyError(
                            f"Expected at most {MAX_RUNS} runs, got more with {sum(agent.seeds)} "
                            f"of agent {name} on {task_id}. Lower seeds or leave out tasks."
                        )
                    runs += agent.runs(task_id, kind, task)
        runs.sort(
            key=lambda r: (agents[r.key.agent]["evaluations"].index(r.key.evaluations), r.key.seed)
        )
        report_at = _report_at(document.get("report_at"), [run.key.evaluations for run in runs])
        return Study(self.path.stem, about, report_at, agents, (*runs,), left_out, own_tasks)

    def _tasks(self, given: Any) -> tuple[list[tuple[str, str]], dict[str, Task]]:
        """Read the tasks: ids, patterns ("LRMP-*-EDP-v0"), files, or tables with id and accuracy.

        Returns:
            Names and kinds of accuracy; and by name the tasks that files define.
        """
        if not isinstance(given, list) or not given:
            raise StudyError(f"Expected tasks = [ids of tasks], got {given!r}.")
        found: dict[tuple[str, str], None] = {}
        own_tasks: dict[str, Task] = {}
        for entry in given:
            table = entry if isinstance(entry, dict) else {"id": entry}
            _check_keys("a task", table, _TASK_KEYS)
            word, kind = table.get("id"), table.get("accuracy", "")
            if isinstance(word, str) and word.endswith(TASK_FILE):
                own_tasks[word] = read_task(self.path.parent / word)
                ids = [word]
            elif isinstance(word, str):
                ids = [task for task in TASKS if fnmatchcase(task, plain_pattern(word))]
            else:
                ids = []
            if not ids:
                raise StudyError(unknown_name("task", word, TASKS))
            if kind:
                check_kind(kind)
            for task_id in ids:
                key = RunKey(task_id, "", "", 0, 0)
                own = not kind or task_of(key, own_tasks).accuracy.kind == kind
                found[task_id, "" if own else kind] = None
        return list(found), own_tasks

    def _agent(self, name: str, table: Any, study: Mapping[str, Any]) -> _Agent:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) or not isinstance(table, dict):
            raise StudyError(
                f"Expected [agents.NAME] with a name of letters, digits, '-', '_' and '.', got "
                f"agents.{name} = {table!r}."
            )
        _check_keys(f"agent {name}", table, _AGENT_KEYS)
        algorithm = table.get("algorithm", name)
        known_names = list_algorithms()
        if not isinstance(algorithm, str) or (
            ":" not in algorithm and algorithm not in known_names
        ):
            raise StudyError(unknown_name(f"algorithm of agent {name}", algorithm, known_names))
        try:
            module = load_algorithm(algorithm)
        except RunError as error:
            raise StudyError(f"agent {name}: {error}") from error
        known = [field.name for field in fields(module.Args)]

        def numbers(key: str, default: Any, why_not: str) -> list[int]:
            if not why_not:
                return _counts(f"{key} of agent {name}", table.get(key, study.get(key, default)))
            if key in table:
                raise StudyError(f"Expected no {key} for agent {name}: {why_not}. Remove it.")
            return [0]

        why_not = "" if "evaluations" in known else "its number of designs is its own"
        counts = numbers("evaluations", None, why_not)
        seeds = numbers("seeds", SEEDS, "" if "seed" in known else "it has no seed")
        if len(seeds) not in (1, len(counts)) or len(set(counts)) < len(counts):
            raise StudyError(
                f"Expected seeds of agent {name} to be one number, or one for each of its "
                f"different evaluations {counts}, got {seeds}."
            )
        settings = self._settings(name, module.Args, table.get("settings", {}))
        seeds *= len(counts) // len(seeds)
        return _Agent(name, algorithm, module, settings, counts, seeds)

    def _settings(self, agent: str, args: Any, given: Any) -> dict[str, Any]:
        """Check an agent's settings against the fields of its Args."""
        if not isinstance(given, dict):
            raise StudyError(f"Expected settings of agent {agent} as a table, got {given!r}.")
        hints = get_type_hints(args)
        known = [f.name for f in fields(args) if f.name not in _FILLED]
        checked = {}
        for name, value in given.items():
            if name not in known:
                raise StudyError(unknown_name(f"setting of agent {agent}", name, known))
            where = f"setting {name} of agent {agent}"
            checked[name] = self._value(where, value, hints[name])
        return checked

    def _value(self, where: str, value: Any, hint: Any) -> Any:
        options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        for option in options:
            if get_origin(option) is Literal:
                if value in get_args(option):
                    return value
            elif option is Path:
                if isinstance(value, str):
                    file = self.path.parent / value
                    if not file.is_file():
                        raise StudyError(f"Expected {where} to be a file, got {file}.")
                    return file
            elif option is float and type(value) is int:
                return float(value)
            elif type(value) is option:
                return value
        kinds = [
            " or ".join(map(repr, get_args(option)))
            if get_origin(option) is Literal
            else {Path: "the name of a file"}.get(option, getattr(option, "__name__", str(option)))
            for option in options
            if option is not NoneType  # TOML has no null
        ]
        raise StudyError(f"Expected {where} to be {' or '.join(kinds)}, got {value!r}.")


def _check_keys(what: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in table:
        if key not in known:
            raise StudyError(unknown_name(f"key of {what}", key, known))


def _counts(what: str, value: Any) -> list[int]:
    """Read a positive number, or a list of them."""
    numbers = value if isinstance(value, list) else [value]
    if not numbers or any(type(number) is not int or number < 1 for number in numbers):
        raise StudyError(
            f"Expected {what} to be a whole number of at least 1, or a list of them, got {value!r}."
        )
    return numbers


def _report_at(given: Any, evaluations: Sequence[int]) -> tuple[int, ...]:
    """Read where agents are compared; by default at those of ``REPORT_AT`` that a run reaches."""
    most = max(evaluations, default=0) or REPORT_AT[-1]
    if given is None:
        return tuple(count for count in REPORT_AT if count <= most) or (most,)
    counts = sorted(set(_counts("report_at", given)))
    if counts[0] > most:
        raise StudyError(
            f"Expected report_at with a number of designs that the most evaluations, {most}, "
            f"reach, got {counts}. Lower it."
        )
    return tuple(counts)


def _chosen(
    agent: str, table: Mapping[str, Any], tasks: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Leave an agent the tasks that its patterns choose from those of the study."""
    patterns = table.get("tasks", ["*"])
    if not isinstance(patterns, list) or not all(isinstance(p, str) for p in patterns):
        raise StudyError(f"Expected tasks of agent {agent} as a list of ids, got {patterns!r}.")
    ids = [task_id for task_id, _ in tasks]
    patterns = [plain_pattern(pattern) for pattern in patterns]
    for pattern in patterns:
        if not any(fnmatchcase(task_id, pattern) for task_id in ids):
            raise StudyError(unknown_name(f"task of agent {agent}", pattern, ids))
    return [task for task in tasks if any(fnmatchcase(task[0], pattern) for pattern in patterns)]


def plain_pattern(pattern: str) -> str:
    """Name tasks as a study does, whatever form of their environment is named.

    Args:
        pattern: Id of an environment with wildcards, or the name of a file.

    Returns:
        What fits the ids of the tasks; the name of a file as it is.
    """
    return pattern if pattern.endswith(TASK_FILE) else task_id_of(pattern)
