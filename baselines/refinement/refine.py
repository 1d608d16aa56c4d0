"""Refine a network's accuracy table where optimisers go: solve, run the winners, fit, repeat.

Every round solves the task by the table as it stands, for all objectives and several allowances,
runs the winners on the search images, and fits the table anew to all that was run so far. The last
is the one after which the proven best of every objective was as the table said, within sampling
error, twice in a row. Then designs that no fit has seen are run on the test images, to judge it.

Nothing is run or solved twice: every result and every round that is over goes to the measurement's
log at once, and a repeated command goes on where the last one stopped.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.lab.measurement import (
    FIT_DESIGNS,
    FIT_SEED,
    JUDGE_SEED,
    Measurement,
    SplitToRun,
)
from lrmp.accuracy.lab.table_build import fitted_table
from lrmp.accuracy.model.design_result import DesignResult, design_result
from lrmp.accuracy.model.optimised_fidelity import MOST_EXCESS, MOST_RATIO, NORMAL_95
from lrmp.accuracy.model.sensitivity_table import SensitivityTable
from lrmp.baselines.refinement.optimised_designs import (
    ALLOWANCES,
    BUDGETS,
    OBJECTIVES,
    OptimisedDesign,
    annealed,
    learned,
    near_best,
    proven_best,
)
from lrmp.envs.task.task import Task
from lrmp.errors import AccuracyDataError
from lrmp.hardware.frozen_arrays import IntArray

#: Allowances of the designs that a table is fitted to: beyond those that it is judged at.
FITTED_ALLOWANCES = (0.5, 1.0, 2.0, 4.0)
SPLITS: tuple[SplitToRun, ...] = ("search", "test")
IN_A_ROW = 2


@dataclass(frozen=True)
class Plan:
    """How much is run.

    Attributes:
        random: Random designs that the first table is fitted to.
        near: Designs near the best, of every round.
        annealed: Designs that annealing scores in a round for every objective and allowance.
        learnt: Designs that agents learn from in a round, a multiple of 20.
        rounds: Most rounds.
        judged_near: Designs near the best that judge the table.
        judged_random: Random designs that judge it.
        seed: Of what is left out near the best, and of the search by rewards.

    Raises:
        AccuracyDataError: If a number is out of range.
    """

    random: int = FIT_DESIGNS
    near: int = 40
    annealed: int = 600
    learnt: int = 1000
    rounds: int = 8
    judged_near: int = 36
    judged_random: int = 100
    seed: int = 1

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if type(value) is not int or value < 0:
                raise AccuracyDataError(f"Expected {name} of at least 0, got {value!r}.")


@dataclass(frozen=True)
class Round:
    """How well a table told the designs that were found with it, before it was fitted to them.

    Attributes:
        number: From 0, the table before any refinement.
        designs: How many were run.
        new: How many of them had not been run before.
        ratio: Geometric mean of measured over predicted divergence of the proven best designs.
        worst_ratio: The ratio farthest from 1, of the same.
        excess: Mean of their expected drops less the table's, in points.
        outside: How many of them are beyond both the sampling error and what is wanted: 15 % of the
            divergence, 0.2 points.
        best: How many proven best designs there are.
    """

    number: int
    designs: int
    new: int
    ratio: float
    worst_ratio: float
    excess: float
    outside: int
    best: int

    def __str__(self) -> str:
        return (
            f"round {self.number}: {self.designs} designs, {self.new} new; proven best: divergence "
            f"{self.ratio:.2f} of the table's (worst {self.worst_ratio:.2f}), drop "
            f"{self.excess:+.2f} points, {self.outside} of {self.best} beyond sampling error"
        )


class Optimisers(Protocol):
    """Picks designs from a table, in its own space."""

    def to_fit(self, table: SensitivityTable, plan: Plan, number: int) -> Iterator[OptimisedDesign]:
        """Pick designs that the table is fitted to in a round.

        Args:
            table: As it stands.
            plan: How many.
            number: Of the round.

        Yields:
            The designs; the proven best at the allowances that tables are judged at among them.
        """
        ...

    def to_judge(
        self, table: SensitivityTable, plan: Plan, rng: np.random.Generator
    ) -> Iterator[OptimisedDesign]:
        """Pick designs that judge the table.

        Args:
            table: As it will be shipped.
            plan: How many.
            rng: Says what is left out near the best.

        Yields:
            The designs.
        """
        ...


@dataclass(frozen=True)
class TaskOptimisers:
    """Picks designs of a task.

    Attributes:
        task: Network, chip and budget; objective, allowance and accuracy play no part.
    """

    task: Task

    def to_fit(self, table: SensitivityTable, plan: Plan, number: int) -> Iterator[OptimisedDesign]:
        """Pick the proven best, others near them, and what searches by rewards find."""
        task, accuracy = self.task, table.accuracy(self.task.space)
        rng = np.random.default_rng([plan.seed, number])
        yield from proven_best(task, accuracy, FITTED_ALLOWANCES)
        yield from near_best(task, accuracy, plan.near, rng, FITTED_ALLOWANCES, BUDGETS)
        seed, objective = plan.seed + number, OBJECTIVES[number % len(OBJECTIVES)]
        if plan.annealed:
            yield from annealed(task, accuracy, seed, plan.annealed)
        if plan.learnt:
            yield from learned(task, accuracy, seed, plan.learnt, objective)

    def to_judge(
        self, table: SensitivityTable, plan: Plan, rng: np.random.Generator
    ) -> Iterator[OptimisedDesign]:
        """Pick the proven best, and others near them."""
        accuracy = table.accuracy(self.task.space)
        best = list(proven_best(self.task, accuracy))
        yield from best
        yield from near_best(self.task, accuracy, plan.judged_near, rng, without=best)


def refine(
    measurement: Measurement,
    optimisers: Optimisers,
    plan: Plan,
    command: str,
    report: Callable[[Round], None] = lambda found: None,
) -> tuple[SensitivityTable, list[Round]]:
    """Measure a table and refine it until it holds on the designs that it leads to.

    Args:
        measurement: Of the network; its log is gone on with.
        optimisers: Pick what is run.
        plan: How much is run.
        command: What was called, for the provenance.
        report: Called with every round, those that the log holds included.

    Returns:
        The table, and the rounds that it took.
    """
    measurement.measure_divergences()
    measurement.measure_designs("search", plan.random, FIT_SEED)
    measurement.measure_plain()
    rounds = [_round_of(found, measurement.log.path) for found in measurement.log.rounds]
    for each in rounds:
        report(each)
    for number in range(len(rounds), plan.rounds):
        if _settled(rounds):
            break
        table = fitted_table(measurement, command, number)
        picked = list(optimisers.to_fit(table, plan, number))
        before = len(measurement.log.results)
        results = run_optimised(measurement, picked, {"round": number})
        new = len(measurement.log.results) - before
        rounds.append(_round(number, table, picked, results, new))
        measurement.log.append_round(asdict(rounds[-1]))
        report(rounds[-1])
    # A log may hold rounds of an earlier, longer refinement: the table is fitted to them, too.
    table = fitted_table(measurement, command)
    provenance = table.provenance | {"rounds": [asdict(each) for each in rounds]}
    return replace(table, provenance=provenance), rounds


def _round_of(found: Any, path: Path) -> Round:
    names = [field.name for field in fields(Round)]
    if not isinstance(found, dict) or sorted(found) != sorted(names):
        raise AccuracyDataError(
            f"Expected rounds with {', '.join(names)} in {path}, got {str(found)[:80]}. Delete it "
            "to start afresh."
        )
    return Round(**found)


def _settled(rounds: Sequence[Round]) -> bool:
    """Say whether the proven best designs were as the table said, often enough in a row."""
    latest = rounds[-IN_A_ROW:]
    return len(latest) == IN_A_ROW and not any(each.outside for each in latest)


def judge_designs(
    measurement: Measurement, optimisers: Optimisers, table: SensitivityTable, plan: Plan
) -> None:
    """Run designs on the search images and on the test images, which no fit has seen.

    Designs that judged an earlier table of the log judge no longer.

    Args:
        measurement: Of the network.
        optimisers: Pick what is run.
        table: As it will be shipped.
        plan: How much is run.
    """
    rng = np.random.default_rng([plan.seed, JUDGE_SEED])
    picked = list(optimisers.to_judge(table, plan, rng))
    for line in measurement.log.results:
        if "origins" in line:
            line["origins"] = [each for each in line["origins"] if not each.get("judges")]
    for split in SPLITS:
        origins = _origins(picked, {"judges": True})
        lines = _run(measurement, picked, origins, split)
        for key, line in lines.items():  # a design that was run before judges, too
            before = line["origins"]
            line["origins"] = before + [each for each in origins[key] if each not in before]
    measurement.measure_designs("test", plan.judged_random, JUDGE_SEED)


def run_optimised(
    measurement: Measurement,
    picked: Sequence[OptimisedDesign],
    about: dict[str, Any],
) -> list[DesignResult]:
    """Run designs that optimisers picked on the search images; one that several picked runs once.

    Args:
        measurement: Of the network.
        picked: The designs.
        about: What is added to where they come from, in the log.

    Returns:
        Their results, in the order given.
    """
    lines = _run(measurement, picked, _origins(picked, about), "search")
    return [design_result(lines[each.settings.tobytes()]) for each in picked]


def _origins(
    picked: Sequence[OptimisedDesign], about: dict[str, Any]
) -> dict[bytes, list[dict[str, Any]]]:
    origins: dict[bytes, list[dict[str, Any]]] = {}
    for each in picked:
        origins.setdefault(each.settings.tobytes(), []).append(each.origin | about)
    return origins


def _run(
    measurement: Measurement,
    picked: Sequence[OptimisedDesign],
    origins: dict[bytes, list[dict[str, Any]]],
    split: SplitToRun,
) -> dict[bytes, dict[str, Any]]:
    """Return the lines of the log by the settings of the designs."""
    first = {each.settings.tobytes(): each.settings for each in picked}
    lines = measurement.run_designs(split, np.array(list(first.values())), list(origins.values()))
    return dict(zip(first, lines, strict=True))


def _round(
    number: int,
    table: SensitivityTable,
    picked: Sequence[OptimisedDesign],
    results: Sequence[DesignResult],
    new: int,
) -> Round:
    """Compare the proven best designs at the judged allowances with what the table said of them."""
    best = [
        (each.settings, result)
        for each, result in zip(picked, results, strict=True)
        if each.how == "best" and each.allowed in ALLOWANCES
    ]
    if not best:
        raise AccuracyDataError(
            f"Expected a design of {table.network} within {ALLOWANCES[-1]:g} points of drop, got "
            "none: even the most accurate setting loses more. Give it more bits."
        )
    settings = np.array([each for each, _ in best])
    logs, excesses, outside = surprises(table, settings, [result for _, result in best])
    return Round(
        number,
        len({each.settings.tobytes() for each in picked}),
        new,
        float(np.exp(logs.mean())),
        float(np.exp(logs[np.abs(logs).argmax()])),
        float(excesses.mean()),
        int(outside.sum()),
        len(best),
    )


def surprises(
    table: SensitivityTable, settings: IntArray, results: Sequence[DesignResult]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Compare what a table said of designs with what they did to the network.

    Args:
        table: Not fitted to these results.
        settings: Of N designs, shape (N, L, K).
        results: Theirs.

    Returns:
        Logarithms of measured over predicted divergence; expected drops less the table's, in
        points; and whether either is beyond both the sampling error and what is wanted: 15 % of the
        divergence, 0.2 points. Each of shape (N,).
    """
    measured = np.array([max(result.divergence, 1e-9) for result in results])
    logs = np.log(measured / table.divergences(settings))
    errors = np.array([result.divergence_error for result in results]) / measured
    excesses = np.array([result.expected_drop for result in results])
    excesses -= table.drop_map(table.sums(settings))
    drop_errors = np.array([result.expected_drop_error for result in results])
    outside: NDArray[np.bool_] = (
        np.abs(logs) > np.maximum(NORMAL_95 * errors, np.log(MOST_RATIO))
    ) | (np.abs(excesses) > np.maximum(NORMAL_95 * drop_errors, MOST_EXCESS))
    return logs, excesses, outside
