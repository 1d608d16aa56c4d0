"""The best widths and bits of a network, proven by branching over the groups of filters."""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.scoring.reward import STEEP
from lrmp.envs.scoring.table_optimum import chosen_settings, joint_problem, table_optimum
from lrmp.envs.variant_choice.best_variant import BestVariant
from lrmp.envs.variant_choice.filter_tasks import FilterTasks
from lrmp.errors import InfeasibleAccuracyError, InfeasibleBudgetError, SolverError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.problem import JointProblem
from lrmp.solvers.joint.solve import solve_joint

if TYPE_CHECKING:
    from lrmp.envs.variant_choice.filters_problem import FiltersProblem

#: Changes the problem of every width alike, as by leaving settings out.
Change = Callable[[JointProblem], JointProblem]
_Branch = tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class WidthsAndBits:
    """The best found, and a bound on all others.

    Attributes:
        widths: Places of values, shape (G,).
        settings: Of the layers in the task of this width, shape (L, 2).
        value: Its return over the plain design of the whole network.
        bound: No widths and bits have a higher one.
        solved: Problems that were solved on the way.
    """

    widths: IntArray
    settings: IntArray
    value: float
    bound: float
    solved: int


class WidthSearch:
    """Branches over the groups one by one, best bound first.

    Some groups are decided and the others open. No design of such a branch is better than the best
    one of a network that is as narrow as it may get in the open groups and loses nothing by that: a
    narrower layer takes no more tiles, cycles and energy, whatever its bits. That is a problem of
    settings and copies for the joint solver, and where all are decided it is the problem itself.
    Before that, values are struck out with which even a branch of one decided group is no better
    than the best design known: then the open groups may not get as narrow.

    Args:
        tasks: Of the network.
        steep: What excess beyond the allowance costs; infinite to forbid it.
        values: For every group the places that it may have; None for all.
        change: Changes the problem of every width.

    Raises:
        SolverError: If a group has no value.
    """

    def __init__(
        self,
        tasks: FilterTasks,
        steep: float = math.inf,
        values: Sequence[IntArray] | None = None,
        change: Change = lambda problem: problem,
    ) -> None:
        self.tasks, self._steep, self._change = tasks, steep, change
        sizes = tasks.space.sizes
        self.values = [np.arange(size) for size in sizes] if values is None else list(values)
        if not all(map(len, self.values)):
            raise SolverError("Expected at least one share of filters for every group, got none.")
        self.solved = 0
        self._known: dict[bytes, _Answer] = {}

    def run(self, log: Callable[[str], None] = lambda line: None) -> WidthsAndBits:
        """Find the best widths and bits.

        Args:
            log: Called with lines on what was found.

        Returns:
            The best; its bound meets its value up to the rounding of floats.

        Raises:
            InfeasibleAccuracyError: If no design is within the limit on accuracy.
        """
        best = self.descend()
        self._report(log, best, "by descent")
        most = self._strike_out(best)
        order = count()
        queue: list[tuple[float, int, _Branch]] = []
        heapq.heappush(queue, (-math.inf, next(order), (None,) * len(self.values)))
        while queue:
            negative, _, branch = heapq.heappop(queue)
            if -negative <= best.value:
                most = max(most, -negative)
                break  # and so are all that are left
            group = branch.index(None)
            for place in self.values[group].tolist():
                child = (*branch[:group], place, *branch[group + 1 :])
                found = self._relaxed(child)
                if None in child and found.bound > best.value:
                    heapq.heappush(queue, (-found.bound, next(order), child))
                    continue
                most = max(most, found.bound)
                if None not in child and found.value > best.value:
                    best = found
                    self._report(log, best, "by branching")
        if best.settings is None:
            raise InfeasibleAccuracyError(
                f"Expected some widths and bits of {self.tasks.network} within the budget and the "
                "allowed drop, got none. Raise the budget or allow a larger drop."
            )
        self._report(log, best, "proven")
        return WidthsAndBits(
            best.widths, best.settings, best.value, max(most, best.bound), self.solved
        )

    def _report(self, log: Callable[[str], None], best: "_Answer", how: str) -> None:
        log(f"{self.tasks.id}: {best.value:.9f} {how}, {self.solved} problems solved")

    def _strike_out(self, best: "_Answer") -> float:
        """Leave out values that are in no better design, and return the most that they bound."""
        most, again = -math.inf, True
        while again:
            again = False
            for group, values in enumerate(self.values):
                for place in values.tolist():
                    branch: list[int | None] = [None] * len(self.values)
                    branch[group] = place
                    bound = self._relaxed(tuple(branch)).bound
                    if bound <= best.value and place != best.widths[group]:
                        most, again = max(most, bound), True
                        self.values[group] = self.values[group][self.values[group] != place]
        return most

    def descend(self) -> "_Answer":
        """Change one group after the other while that is better.

        Returns:
            What was found last, without settings where no design is within the limit.
        """
        plain = zip(self.tasks.space.plain.tolist(), self.values, strict=True)
        start = np.array([place if place in values else values[0] for place, values in plain])
        best, better = self._solve(start), True
        while better:
            better = False
            for group, values in enumerate(self.values):
                for place in values.tolist():
                    widths = best.widths.copy()
                    widths[group] = place
                    found = self._solve(widths)
                    if found.value > best.value:
                        best, better = found, True
        return best

    def _relaxed(self, branch: _Branch) -> "_Answer":
        """Solve a branch whose open groups are as narrow as they may get and lose nothing."""
        ends = [
            (int(values.max()), self.tasks.least_lost(group, values))
            if decided is None
            else (decided, decided)
            for group, (decided, values) in enumerate(zip(branch, self.values, strict=True))
        ]
        widths, lost = np.array(ends).T
        return self._solve(widths, lost)

    def _solve(self, widths: IntArray, lost: IntArray | None = None) -> "_Answer":
        if lost is not None and (lost == widths).all():
            lost = None
        key = widths.tobytes() + (b"" if lost is None else lost.tobytes())
        if key not in self._known:
            self.solved += 1
            self._known[key] = self._answer(widths, lost)
        return self._known[key]

    def _answer(self, widths: IntArray, lost: IntArray | None) -> "_Answer":
        task = self.tasks.task(widths, lost)
        try:
            found = solve_joint(self._change(joint_problem(task, self._steep)))
        except (InfeasibleAccuracyError, InfeasibleBudgetError):
            return _Answer(widths, None, -math.inf, -math.inf)
        offset, settings = self.tasks.offset(task), chosen_settings(task, found.settings)
        return _Answer(widths, settings, found.value + offset, found.bound + offset)


class _Answer(NamedTuple):
    """The best settings at some widths; none, and infinite losses, where nothing is allowed."""

    widths: IntArray
    settings: IntArray | None
    value: float
    bound: float


def best_widths(
    problem: "FiltersProblem", log: Callable[[str], None] = lambda line: None
) -> BestVariant:
    """Find the best widths and bits within the allowance, and bound all, within it or not.

    As in `table_optimum`, one search proves both, unless its best design is beyond the allowance.

    Args:
        problem: What is solved.
        log: Called with lines on what was found.

    Returns:
        The best; its value and design are those of ``evaluate_settings``.

    Raises:
        InfeasibleAccuracyError: If no design is within the allowance.
        SolverError: If a bound does not hold for the design as the environment scores it.
    """
    found = WidthSearch(problem.tasks, STEEP).run(log)
    reward_bound, solved = max(found.bound, 0.0), found.solved
    number = problem.number_of(found.widths)
    outcome = evaluate_settings(problem.task(number), found.settings)
    if outcome.score is None:
        found = WidthSearch(problem.tasks).run(log)
        solved += found.solved
        number = problem.number_of(found.widths)
        outcome = evaluate_settings(problem.task(number), found.settings)
    value = problem.score(number, outcome)
    if value is None or value > found.bound:
        raise SolverError(
            f"Expected no design of {problem.id} above the bound {found.bound!r}, got one of "
            f"{value!r}: a fault of the solver. Please report the problem."
        )
    without = table_optimum(problem.plain_task).value
    return BestVariant(
        number, outcome.design, value, found.bound, max(reward_bound, found.bound), without, solved
    )
