"""Solve, run the winner on the network, fit the table, until the network itself holds the limit.

Sensitivities and random designs make a first table. In every round the task of every chip is solved
to a proven optimum by the table as it stands; the winner and designs near it run on the images that
searches see, and the table is fitted to them, too. A winner that the table has told right, and that
is within the limit there, runs on images that nobody has seen yet. Where it is within the limit
there as well, it is the answer; where not, the table is asked for a smaller share of the limit.

Nothing is run twice: every result goes to the measurement's log at once, and a search that was
stopped goes on where it was, with the same result.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from lrmp.accuracy.lab.measurement import FIT_SEED, Measurement
from lrmp.accuracy.lab.table_build import fitted_table
from lrmp.accuracy.model.design_result import DesignResult, design_result
from lrmp.accuracy.model.factories import GivenAccuracy
from lrmp.accuracy.model.sensitivity_table import SensitivityTable
from lrmp.architect.answer import Check, ChipAnswer, Point
from lrmp.architect.effort import Effort
from lrmp.architect.limit import Limit
from lrmp.baselines.refinement.optimised_designs import OptimisedDesign, near_best, proven_best
from lrmp.baselines.refinement.refine import run_optimised, surprises
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.envs.task.optimum import Optimum
from lrmp.envs.task.task import Task
from lrmp.errors import InfeasibleAccuracyError
from lrmp.hardware.frozen_arrays import IntArray

#: Shares of the limit at which designs are fitted to and at which the front is drawn.
FITTED_SHARES, FRONT_SHARES = (0.5, 2.0), (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
#: After a check that failed, the table is asked for so much less than what would just hold, within
#: these shares of what it was asked for.
SAFETY, LEAST_STEP, MOST_STEP = 0.9, 0.4, 0.9
#: Of the limit, that a winner may lose on search images whatever failed before.
LEAST_SHARE = 0.1


@dataclass(eq=False)
class _Search:
    """What is known of one chip.

    Attributes:
        task: Network, chip, budget and objective.
        share: Of the limit that tables are asked for now.
        most: That a winner may lose on the images that searches see, to be checked on the others;
            less than the limit after a check that failed. In its unit.
        winner: The latest, before it is judged.
        judged: The winner of the round before.
        checks: So far.
        done: Whether nothing more is sought.
    """

    task: Task
    most: float
    share: float = 1.0
    winner: "_Winner | None" = None
    judged: "_Winner | None" = None
    checks: list[Check] = field(default_factory=list)
    done: bool = False


@dataclass(frozen=True, eq=False)
class _Winner:
    """The proven best design by a table that was asked for a share of the limit."""

    round: int
    share: float
    table: SensitivityTable
    optimum: Optimum
    result: DesignResult | None = None

    @property
    def settings(self) -> IntArray:
        return self.optimum.design.settings


def search_designs(
    measurement: Measurement,
    tasks: Sequence[Task],
    limit: Limit,
    effort: Effort,
    command: str,
    report: Callable[[str], None] = lambda line: None,
) -> list[ChipAnswer]:
    """Find the best design of every chip that the network holds.

    Args:
        measurement: Of the network, with search and test images; its log is gone on with.
        tasks: One for every chip; what they say of accuracy plays no part.
        limit: What the network may lose.
        effort: How much is run.
        command: What was called, for the provenance.
        report: Called with a line for every step.

    Returns:
        An answer for every task. One that does not hold is the checked design that lost least.

    Raises:
        InfeasibleAccuracyError: If no design of a chip is within the limit by the first table.
    """
    measurement.measure_divergences()
    measurement.measure_designs("search", effort.random, FIT_SEED)
    measurement.measure_plain()
    searches = [_Search(task, limit.value) for task in tasks]
    for number in range(effort.rounds):
        open_ = [each for each in searches if not each.done]
        if not open_:
            break
        table = fitted_table(measurement, command, number)
        picked = [list(_picks(each, table, limit, effort, number)) for each in open_]
        results = iter(run_optimised(measurement, list(chain(*picked)), {"round": number}))
        last = number == effort.rounds - 1
        for each, of_one in zip(open_, picked, strict=True):
            found = [next(results) for _ in of_one]
            if found:
                line = _judge(each, measurement, found[0], limit, effort, last=last)
                report(f"round {number + 1}: {each.task.accelerator.name}: {line}")
    return [_answer(each, measurement, limit) for each in searches]


def with_table(task: Task, table: SensitivityTable, allowed_drop: float) -> Task:
    """Pose a task by a table.

    Args:
        task: Network, chip, budget and objective.
        table: Of the network.
        allowed_drop: Points of its map.

    Returns:
        The task.
    """
    accuracy = table.accuracy(task.space)
    return task.with_tenant(accuracy_factory=GivenAccuracy(accuracy), allowed_drop=allowed_drop)


def _picks(
    search: _Search, table: SensitivityTable, limit: Limit, effort: Effort, number: int
) -> Iterator[OptimisedDesign]:
    """Pick the proven best design first, then others that a table must hold on."""
    task, accuracy = search.task, table.accuracy(search.task.space)
    allowed = limit.allowed_drop(table, search.share)
    posed = with_table(task, table, allowed)
    try:
        optimum = table_optimum(posed)
    except InfeasibleAccuracyError as error:
        if search.judged is None:
            plain = task.space.plain_settings(len(task.network))
            raise InfeasibleAccuracyError(
                f"Expected some design of {task.network.name} on {task.accelerator.name} within "
                f"{limit}, got none: the plain one alone loses {_by_table(table, plain, limit)} by "
                "the measured table. Allow more, raise the budget, or give more calibration images."
            ) from error
        search.done = True  # by the table there is nothing that the network would hold
        return
    search.winner = _Winner(number, search.share, table, optimum)
    best = OptimisedDesign(search.winner.settings, "best", task.objective, allowed)
    yield best
    shares = [limit.allowed_drop(table, search.share * share) for share in FITTED_SHARES]
    yield from proven_best(task, accuracy, shares, (task.objective,))
    rng = np.random.default_rng([effort.seed, number])
    yield from near_best(
        task,
        accuracy,
        effort.near,
        rng,
        (allowed, *shares),
        without=[best],
        objectives=(task.objective,),
    )


def _by_table(table: SensitivityTable, settings: IntArray, limit: Limit) -> str:
    if limit.unit == "nats":
        return f"{float(table.divergences(settings[None])[0]):.3g} nats"
    return f"{float(table.drop_map(table.sums(settings[None]))[0]):.3g} points"


def _judge(
    search: _Search,
    measurement: Measurement,
    result: DesignResult,
    limit: Limit,
    effort: Effort,
    *,
    last: bool,
) -> str:
    """Decide what becomes of a winner that ran on the images that searches see."""
    assert search.winner is not None
    winner, before = replace(search.winner, result=result), search.judged
    search.judged = winner
    expected = limit.expected(result)
    line = (
        f"gain {np.exp(winner.optimum.value):.3f}x, the network loses {expected:.3g} {limit.unit} "
        "on search images"
    )
    told = not surprises(winner.table, winner.settings[None], [result])[2].any()
    again = before is not None and np.array_equal(before.settings, winner.settings)
    if not (told or again or last):
        return f"{line}, unlike the table, which is fitted again"
    if expected > search.most and not last:
        search.share *= _step(search.most, expected)
        return f"{line}: too much"
    check = _check(search.task, winner, measurement, limit)
    search.checks.append(check)
    line = f"{line}, {check.lost:.3g} on {check.held_out.images} unseen ones"
    if check.within:
        search.done = True
        return f"{line}: holds"
    search.done = len(search.checks) >= effort.checks
    step = _step(limit.value, check.lost)
    search.share *= step
    # A table that was fitted since may ask for more again: what failed here must not come back.
    search.most = step * min(search.most, max(expected, LEAST_SHARE * limit.value))
    return f"{line}: does not hold"


def _step(allowed: float, lost: float) -> float:
    """Say how much less to ask for where too much was lost."""
    return float(np.clip(SAFETY * allowed / lost, LEAST_STEP, MOST_STEP))


def _check(task: Task, winner: _Winner, measurement: Measurement, limit: Limit) -> Check:
    """Run a winner on images that no search has seen."""
    assert winner.result is not None
    (line,) = measurement.run_designs("test", winner.settings[None], [[{"how": "check"}]])
    held_out = design_result(line)
    lost = limit.lost(held_out)
    posed = with_table(task, winner.table, limit.allowed_drop(winner.table, winner.share))
    return Check(
        winner.round,
        winner.share,
        winner.table,
        winner.optimum,
        evaluate_settings(posed, winner.settings),
        winner.result,
        held_out,
        lost,
        limit.interval(held_out),
        lost <= limit.value,
    )


def _answer(search: _Search, measurement: Measurement, limit: Limit) -> ChipAnswer:
    """Take the design that held, or of those that did not the one that lost least."""
    if not search.checks:
        assert search.judged is not None
        search.checks.append(_check(search.task, search.judged, measurement, limit))
    best = min(search.checks, key=lambda check: (not check.within, check.lost))
    front = tuple(_front(search.task, best.table, limit))
    return ChipAnswer(best.outcome, tuple(search.checks), front, limit)


def _front(task: Task, table: SensitivityTable, limit: Limit) -> Iterator[Point]:
    """Solve the task at other limits, by the table alone."""
    for share in FRONT_SHARES:
        allowed = limit.allowed_drop(table, share)
        accuracy = table.accuracy(task.space)
        for found in proven_best(task, accuracy, (allowed,), (task.objective,)):
            posed = with_table(task, table, allowed)
            yield Point(share, evaluate_settings(posed, found.settings))
