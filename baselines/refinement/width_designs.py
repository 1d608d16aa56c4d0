"""Designs that optimisers pick where filters are pruned: what such a table must hold on."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from lrmp.accuracy.model.sensitivity_table import SensitivityTable
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.baselines.refinement.optimised_designs import (
    ALLOWANCES,
    BUDGETS,
    OptimisedDesign,
    annealed,
    different,
    in_turn,
    thinned,
)
from lrmp.baselines.refinement.refine import FITTED_ALLOWANCES, Plan
from lrmp.envs.variant_choice.filter_search import WidthSearch
from lrmp.envs.variant_choice.filter_tasks import FilterTasks
from lrmp.errors import InfeasibleAccuracyError
from lrmp.hardware.families.filters import FILTERS
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks import load_network
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.solvers.joint.problem import JointProblem


@dataclass(frozen=True)
class WidthOptimisers:
    """Picks widths and bits of a network.

    Attributes:
        network: Its name.
    """

    network: str

    def to_fit(self, table: SensitivityTable, plan: Plan, number: int) -> Iterator[OptimisedDesign]:
        """Pick the proven best, others near them, and what searches by rewards find."""
        name, accuracy = self.network, table.accuracy(_space_of(self.network))
        rng = np.random.default_rng([plan.seed, number])
        best = list(proven_best_widths(name, accuracy))
        yield from best
        yield from near_best_widths(name, accuracy, plan.near, rng, FITTED_ALLOWANCES, BUDGETS)
        if plan.annealed:
            seed = plan.seed + number
            yield from annealed_at_best_widths(name, accuracy, best, seed, plan.annealed)

    def to_judge(
        self, table: SensitivityTable, plan: Plan, rng: np.random.Generator
    ) -> Iterator[OptimisedDesign]:
        """Pick the proven best, and others near them."""
        name, accuracy = self.network, table.accuracy(_space_of(self.network))
        best = list(proven_best_widths(name, accuracy))
        yield from best
        yield from near_best_widths(name, accuracy, plan.judged_near, rng, without=best)


def proven_best_widths(network: str, table: TableAccuracy) -> Iterator[OptimisedDesign]:
    """Find the best widths and bits of a network by a table, for all objectives and allowances.

    Args:
        network: Its name.
        table: In ``FILTERS.space``.

    Yields:
        The best designs; none where nothing is within the allowance.
    """
    for objective in FILTERS.objectives:
        for allowed in ALLOWANCES:
            tasks = FilterTasks(f"{network}-{objective}", network, table, objective, allowed)
            try:
                found = WidthSearch(tasks).run()
            except InfeasibleAccuracyError:
                continue
            yield _design(tasks, found.widths, found.settings, "best")


def near_best_widths(
    network: str,
    table: TableAccuracy,
    count: int,
    rng: np.random.Generator,
    allowances: Sequence[float] = ALLOWANCES,
    budgets: Sequence[float] = (1.0,),
    without: Iterable[OptimisedDesign] = (),
) -> Iterator[OptimisedDesign]:
    """Find good widths and bits with some of the values left out, each time others.

    Args:
        network: Its name.
        table: In ``FILTERS.space``.
        count: Designs that are wanted.
        rng: Says what is left out.
        allowances: Points of drop; taken in turn, as objectives and budgets are.
        budgets: Shares of the plain design's tiles.
        without: Designs that are not wanted again.

    Yields:
        Different designs; fewer than wanted where there are not so many.
    """

    def candidates() -> Iterator[OptimisedDesign | None]:
        for objective, allowed, budget in in_turn(FILTERS.objectives, allowances, budgets):
            name = f"{network}-{objective}"
            tasks = FilterTasks(name, network, table, objective, allowed, budget)
            values = [
                np.unique([place, *np.flatnonzero(rng.random(size) > 0.5)])
                for place, size in zip(tasks.space.plain.tolist(), tasks.space.sizes, strict=True)
            ]
            change = partial(_thinned_alike, seed=int(rng.integers(2**31)))
            best = WidthSearch(tasks, values=values, change=change).descend()
            settings = best.settings
            yield None if settings is None else _design(tasks, best.widths, settings, "near")

    yield from different(candidates(), count, without)


def annealed_at_best_widths(
    network: str, table: TableAccuracy, best: Iterable[OptimisedDesign], seed: int, count: int
) -> Iterator[OptimisedDesign]:
    """Let simulated annealing choose the bits of good widths.

    Args:
        network: Its name.
        table: In ``FILTERS.space``.
        best: Whose widths are taken.
        seed: Of the search.
        count: Designs that it scores for each.

    Yields:
        The best design of every search.
    """
    for each in best:
        tasks = FilterTasks(
            f"{network}-{each.objective}", network, table, each.objective, each.allowed
        )
        widths = tasks.widths_of(each.settings)
        task = tasks.task(widths)
        assert isinstance(task.accuracy, TableAccuracy)
        for found in annealed(task, task.accuracy, seed, count, (each.allowed,), (each.objective,)):
            yield _design(tasks, widths, found.settings, found.how)


def _space_of(network: str) -> DesignSpace:
    return FILTERS.space(load_network(network), FILTERS.chip())


def _thinned_alike(problem: JointProblem, seed: int) -> JointProblem:
    """Leave the same settings out of the problem of every width."""
    return thinned(problem, np.random.default_rng(seed))


def _design(tasks: FilterTasks, widths: IntArray, settings: IntArray, how: str) -> OptimisedDesign:
    whole = np.column_stack([settings, tasks.by_layer(widths)])
    return OptimisedDesign(whole, how, tasks.objective, tasks.allowed_drop, tasks.share)
