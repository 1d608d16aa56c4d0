"""What a study's records say: shares of the certified optimum, by agent, task and designs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lrmp.baselines.study.certified_optima import certified_optima
from lrmp.baselines.study.foreign import FOREIGN, MARK, is_foreign
from lrmp.baselines.study.planned_run import record_key, task_label, task_of
from lrmp.baselines.study.results import RESULTS, StudyRecord, read_results
from lrmp.baselines.study.runner import PLAN
from lrmp.baselines.study.statistics import interquartile_mean
from lrmp.envs.task.optimum import Optimum
from lrmp.envs.task.task import Task
from lrmp.envs.task.task_definition import task_of_document
from lrmp.errors import StudyError
from lrmp.foreign_file import read_foreign_text
from lrmp.foreign_text import parse_json

Floats = NDArray[np.float64]

#: What a report reads of a study's plan.
_OF_PLAN: dict[str, type] = {
    "name": str,
    "about": str,
    "report_at": list,
    "agents": dict,
    "planned": dict,
    "left_out": dict,
}


@dataclass(frozen=True)
class Scores:
    """The records of a study.

    Attributes:
        plan: What ``study.json`` says.
        records: All records, by key; those of foreign agents among them.
        certified: Optima of what was played, by fingerprint of the task.
    """

    plan: dict[str, Any]
    records: tuple[StudyRecord, ...]
    certified: dict[str, Optimum]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a study's records.

        Args:
            folder: Of the study.

        Returns:
            The scores.

        Raises:
            StudyError: If there is no record, or a file that cannot be read.
        """
        try:
            plan = parse_json(read_foreign_text(folder / PLAN))
            _check_plan(plan)
        except (OSError, ValueError) as error:
            raise StudyError(
                f"Expected the folder of a study, with {PLAN} and {RESULTS}, got {folder} "
                f"({error}). Run it first: lrmp study run."
            ) from error
        own, foreign = read_results(folder / RESULTS), read_results(folder / FOREIGN)
        if not own:
            raise StudyError(f"Expected finished runs in {folder / RESULTS}, got none.")
        for path, found in ((RESULTS, own), (FOREIGN, foreign)):
            for key, record in found.items():
                if is_foreign(key.agent) != (found is foreign):
                    raise StudyError(
                        f"Expected agents marked{MARK} in {folder / FOREIGN} alone, got {key} in "
                        f"{folder / path}. Add them with lrmp study add."
                    )
                _check_record(record, f"{key} in {folder / path}")
        records = own | foreign
        ordered = tuple(records[key] for key in sorted(records))
        played = [(record["task"], record["task_fingerprint"]) for record in ordered]
        return cls(plan, ordered, certified_optima(folder, played))

    @cached_property
    def report_at(self) -> list[int]:
        """Numbers of designs at which agents are compared."""
        return [int(count) for count in self.plan["report_at"]]

    @cached_property
    def own_tasks(self) -> dict[str, Task]:
        """Tasks that are not registered, by name; studies of registered ones have none."""
        documents: dict[str, Any] = self.plan.get("own_tasks", {})
        return {name: task_of_document(document) for name, document in documents.items()}

    def task(self, record: StudyRecord) -> Task:
        """Look up the task of a record.

        Args:
            record: Of the study.

        Returns:
            The task, with the study's kind of accuracy.
        """
        return task_of(record_key(record), self.own_tasks)

    def part(self, *, estimates: bool) -> Self:
        """Take the tasks whose accuracy is an estimate, or all others; they are never pooled.

        Args:
            estimates: Which.

        Returns:
            The scores on those tasks; perhaps without any record.
        """
        records = (r for r in self.records if self.task(r).accuracy.is_estimate == estimates)
        return replace(self, records=tuple(records))

    @cached_property
    def own(self) -> tuple[StudyRecord, ...]:
        """The records of runs that the study made itself."""
        return tuple(r for r in self.records if not is_foreign(r["agent"]))

    @cached_property
    def foreign(self) -> tuple[StudyRecord, ...]:
        """The records of runs that were made elsewhere."""
        return tuple(r for r in self.records if is_foreign(r["agent"]))

    @cached_property
    def tasks(self) -> list[str]:
        """Labels of the tasks that have records."""
        return list(dict.fromkeys(label_of(record) for record in self.records))

    @cached_property
    def agents(self) -> list[str]:
        """Agents that have records, in the order of the study's file, then any others."""
        found = {record["agent"] for record in self.records}
        return [
            *(a for a in self.plan["agents"] if a in found),
            *sorted(found - set(self.plan["agents"])),
        ]

    @cached_property
    def _runs(self) -> dict[tuple[str, str], dict[float, list[tuple[Floats, Floats]]]]:
        """By agent and task, then how far it goes, by seed: numbers and best shares."""
        runs: dict[tuple[str, str], dict[float, list[tuple[Floats, Floats]]]] = {}
        for record in self.records:
            label = label_of(record)
            curve = _curve(record)
            of_agent = runs.setdefault((record["agent"], label), {})
            run = curve[:, 0], (curve[:, 1] / self.best_known[label]).clip(0.0)
            of_agent.setdefault(_reach(record), []).append(run)
        return runs

    @cached_property
    def optima(self) -> dict[str, float]:
        """Score of the certified optimum by task; tasks without one are not there."""
        return {
            label_of(record): self.certified[record["task_fingerprint"]].value
            for record in self.records
            if record["task_fingerprint"] in self.certified
        }

    @cached_property
    def best_known(self) -> dict[str, float]:
        """What scores are divided by: the certified optimum, else the best score found here."""
        best: dict[str, float] = {}
        for record in self.records:
            label = label_of(record)
            best[label] = max([best.get(label, 0.0), *_curve(record)[-1:, 1]])
        # Where nobody found more than the plain design, all shares are 0.
        return {label: score or np.inf for label, score in best.items()} | self.optima

    def shares(self, agent: str, task: str, count: int) -> Floats:
        """Look up the best scores after some designs, as shares of the best known.

        They are those of the shortest runs that reach so far, since some algorithms stretch their
        schedule over all of theirs; a run whose number of designs is its own counts everywhere.

        Args:
            agent: Its name.
            task: Label of the task.
            count: Evaluated designs.

        Returns:
            Shape (R,), by seed; R is 0 where there are no runs. At least 0, the plain design's,
            which an agent has before it finds a better one.
        """
        runs = self._runs.get((agent, task), {})
        reach = [far for far in runs if far >= count]
        if not reach:
            return np.empty(0)
        return np.array(
            [
                np.insert(shares, 0, 0.0)[int(np.searchsorted(numbers, count, side="right"))]
                for numbers, shares in runs[min(reach)]
            ]
        )

    @cached_property
    def pool(self) -> tuple[list[str], list[str]]:
        """Agents and tasks that may be pooled: every one of the agents has runs on all the tasks.

        Agents with runs on less than half of the tasks with a certified optimum are left out, since
        they would leave nothing of the others to be compared. Foreign agents take no task out of
        the pool: those that miss one are left out.
        """
        count = self.report_at[0]
        covered = {
            agent: {task for task in self.optima if len(self.shares(agent, task, count))}
            for agent in self.agents
        }
        agents = [
            agent
            for agent in self.agents
            if not is_foreign(agent) and 2 * len(covered[agent]) >= len(self.optima) > 0
        ]
        tasks = [task for task in self.optima if all(task in covered[agent] for agent in agents)]
        guests = [a for a in self.agents if is_foreign(a) and covered[a].issuperset(tasks)]
        return ([*agents, *guests], tasks) if agents else ([], [])

    def matrix(self, agent: str, count: int) -> Floats | None:
        """Collect an agent's runs on the pooled tasks.

        Args:
            agent: Its name.
            count: Evaluated designs.

        Returns:
            Shares of the optimum, shape (R, T), where R is the least number of seeds on any task;
            None if a task is missing.
        """
        columns = [self.shares(agent, task, count) for task in self.pool[1]]
        least = min(map(len, columns), default=0)
        return np.stack([column[:least] for column in columns], axis=1) if least else None

    def reach(self, agent: str) -> int:
        """Say how far an agent's runs go.

        Args:
            agent: Its name.

        Returns:
            Designs; the last number that is reported where their number is its own.
        """
        reaches = [_reach(record) for record in self.records if record["agent"] == agent]
        return int(max((far for far in reaches if far < np.inf), default=self.report_at[-1]))

    def winners(self, task: str, count: int) -> list[tuple[str, Floats]]:
        """Rank the agents on a task.

        Args:
            task: Label of the task.
            count: Evaluated designs.

        Returns:
            Agents and their shares, the best interquartile mean first.
        """
        found = [(agent, self.shares(agent, task, count)) for agent in self.agents]
        return sorted(
            [(agent, shares) for agent, shares in found if len(shares)],
            key=lambda entry: -interquartile_mean(entry[1]),
        )


def _check_plan(plan: Any) -> None:
    """Refuse a plan that no study wrote."""
    for name, kind in _OF_PLAN.items():
        if not isinstance(plan, dict) or not isinstance(plan.get(name), kind):
            raise ValueError(f"it gives no {name}")


def _curve(record: StudyRecord) -> Floats:
    """Rows of designs, score, gain and drop; none if no design was within the allowed drop."""
    curve = np.array(record["curve"], dtype=np.float64)
    if curve.size and (curve.ndim != 2 or curve.shape[1] != 4):
        raise ValueError("a curve without rows of four numbers")
    return curve.reshape(-1, 4)


def _check_record(record: StudyRecord, what: str) -> None:
    """Refuse a record that no run left: what the report reads must be there."""
    try:
        if not np.isfinite(_curve(record)).all():
            raise ValueError("a curve without rows of four numbers")
        for place, names in (
            (record, ("evaluations", "evaluated_designs", "wall_time_s")),
            (record["claim"], ("gain", "accuracy_drop")),
        ):
            for name in names:
                if type(place[name]) not in (int, float):
                    raise ValueError(f"{name} {place[name]!r}")
        for values in record["design"].values():
            tuple(values)
        hash(record["task_fingerprint"])
    except (AttributeError, ValueError, LookupError, TypeError) as error:
        raise StudyError(
            f"Expected the record of {what} as a run left it, got {error!r}. Delete its line: the "
            "run is read again from its run directory."
        ) from error


def label_of(record: StudyRecord) -> str:
    """Name the task of a record.

    Args:
        record: Of a study.

    Returns:
        As in ``task_label``.
    """
    key = record_key(record)
    return task_label(key.task, key.accuracy)


def _reach(record: StudyRecord) -> float:
    """Say up to how many designs a run counts; an agent that stopped early would not do better."""
    if not record["evaluations"]:
        return np.inf  # the number of designs is the algorithm's own
    return float(max(record["evaluations"], record["evaluated_designs"]))


def best_designs(
    records: Sequence[StudyRecord], allowed: dict[str, float]
) -> dict[str, StudyRecord]:
    """Find the best design of every task within its allowed drop.

    Args:
        records: Of a study.
        allowed: Percentage points by label of the task.

    Returns:
        The record of the design of largest gain by label; tasks without one are not there. Of
        equals, the one with the smaller drop.
    """
    best: dict[str, StudyRecord] = {}
    for record in records:
        label, claim = label_of(record), record["claim"]
        if claim["accuracy_drop"] > allowed[label]:
            continue
        known = best.get(label)
        rank = claim["gain"], -claim["accuracy_drop"]
        if known is None or rank > (known["claim"]["gain"], -known["claim"]["accuracy_drop"]):
            best[label] = record
    return best
