"""Designs that optimisers pick from an accuracy table: what the table must hold on.

A search goes where its table flatters. So a table is fitted to, and judged on, the proven best
designs of all objectives at several allowances, designs near them that differ in many layers, and
what a search by rewards finds.
"""

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from lrmp.accuracy.model.factories import GivenAccuracy
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.baselines.searchers.annealing import Args as AnnealingArgs
from lrmp.baselines.searchers.annealing import propose
from lrmp.baselines.searchers.search import score_proposals
from lrmp.envs.records.record import Record
from lrmp.envs.scoring.table_optimum import chosen_settings, joint_problem
from lrmp.envs.task.task import Task
from lrmp.errors import InfeasibleAccuracyError, InfeasibleBudgetError, SolverError
from lrmp.hardware.cost.cost_report import NETWORK_OBJECTIVES, Objective
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.problem import JointProblem
from lrmp.solvers.joint.solve import solve_joint

#: Points of allowed drop at which tables are judged.
ALLOWANCES = (0.5, 1.0, 2.0)
OBJECTIVES: tuple[Objective, ...] = NETWORK_OBJECTIVES
#: A setting of a layer is left out so often where designs near the best are wanted.
LEFT_OUT = 0.35
#: Chips of other sizes, as shares of the task's tiles, on which other designs are best.
BUDGETS = (1.0, 1.5)


@dataclass(frozen=True, eq=False)
class OptimisedDesign:
    """A design that some optimiser picked.

    Attributes:
        settings: Shape (L, K).
        how: ``"best"``, proven; ``"near"``, the proven best of a part of the settings;
            ``"annealing"``, by a search that sees rewards; ``"ippo"``, by agents that learn.
        objective: What was optimised.
        allowed: Points of drop that the table allowed.
        budget: The chip's tiles, as a share of the task's.
    """

    settings: IntArray
    how: str
    objective: Objective
    allowed: float
    budget: float = 1.0

    @property
    def origin(self) -> dict[str, Any]:
        """All but the settings, as plain values."""
        names = ("how", "objective", "allowed", "budget")
        return {name: getattr(self, name) for name in names}


def proven_best(
    task: Task,
    table: TableAccuracy,
    allowances: Sequence[float] = ALLOWANCES,
    objectives: Sequence[Objective] = OBJECTIVES,
) -> Iterator[OptimisedDesign]:
    """Solve a task by a table, for every objective and several allowances.

    Args:
        task: Network, chip and budget.
        table: Of the network; it need not be the task's own.
        allowances: Points of drop.
        objectives: What is optimised.

    Yields:
        The best designs; none where nothing that fits is within the allowance, or the solver gives
        up.
    """
    for posed in _posed(task, table, allowances, objectives):
        settings = _solve(posed, joint_problem(posed, math.inf))
        if settings is not None:
            yield OptimisedDesign(settings, "best", posed.objective, posed.allowed_drop)


def near_best(
    task: Task,
    table: TableAccuracy,
    count: int,
    rng: np.random.Generator,
    allowances: Sequence[float] = ALLOWANCES,
    budgets: Sequence[float] = (1.0,),
    without: Iterable[OptimisedDesign] = (),
    objectives: Sequence[Objective] = OBJECTIVES,
) -> Iterator[OptimisedDesign]:
    """Solve a task by a table with some settings of every layer left out, each time others.

    Args:
        task: Network, chip and budget.
        table: Of the network.
        count: Designs that are wanted.
        rng: Says what is left out.
        allowances: Points of drop; taken in turn, as objectives and budgets are.
        budgets: Shares of the task's tiles.
        without: Designs that are not wanted again.
        objectives: What is optimised; taken in turn, too.

    Yields:
        Different designs; fewer than wanted where there are not so many.
    """

    def candidates() -> Iterator[OptimisedDesign | None]:
        for objective, allowed, budget in in_turn(objectives, allowances, budgets):
            posed = _task_with(task, table, objective, allowed, budget)
            settings = _solve(posed, thinned(joint_problem(posed, math.inf), rng))
            yield (
                None
                if settings is None
                else OptimisedDesign(settings, "near", objective, allowed, budget)
            )

    yield from different(candidates(), count, without)


def in_turn(
    objectives: Sequence[Objective], allowances: Sequence[float], budgets: Sequence[float]
) -> Iterator[tuple[Objective, float, float]]:
    """Go through all that designs near the best are wanted for, again and again.

    Args:
        objectives: What is optimised; changes with every turn.
        allowances: Points of drop; change once all objectives had their turn.
        budgets: Shares of the task's tiles; change last.

    Yields:
        One of each, without end.
    """
    for budget, allowed, objective in cycle(product(budgets, allowances, objectives)):
        yield objective, allowed, budget


def different(
    candidates: Iterable[OptimisedDesign | None], count: int, without: Iterable[OptimisedDesign]
) -> Iterator[OptimisedDesign]:
    """Take the first designs that are not the same.

    Args:
        candidates: Designs, and None where there was none; no more than four for every one wanted.
        count: Designs that are wanted.
        without: Designs that are not wanted again.

    Yields:
        Different designs; fewer than wanted where there are not so many.
    """
    known = {each.settings.tobytes() for each in without}
    found = 0
    for design in islice(candidates, 4 * count):
        if design is None or design.settings.tobytes() in known:
            continue
        known.add(design.settings.tobytes())
        yield design
        found += 1
        if found == count:
            return


def annealed(
    task: Task,
    table: TableAccuracy,
    seed: int,
    evaluations: int,
    allowances: Sequence[float] = ALLOWANCES,
    objectives: Sequence[Objective] = OBJECTIVES,
) -> Iterator[OptimisedDesign]:
    """Let simulated annealing find designs, which sees the table's rewards alone.

    Args:
        task: Network, chip and budget.
        table: Of the network.
        seed: Of the search.
        evaluations: Designs that it scores for each.
        allowances: Points of drop.
        objectives: What is optimised.

    Yields:
        The best design of every objective and allowance, where one is within it.
    """
    for posed in _posed(task, table, allowances, objectives):
        args = AnnealingArgs(env_id=posed, seed=seed, evaluations=evaluations)
        best, found = -math.inf, None
        for settings, scored in score_proposals(posed, propose(posed, args), evaluations):
            for design, (reward, _, drop) in zip(settings, scored, strict=True):
                if reward > best and drop <= posed.allowed_drop:
                    best, found = reward, design
        if found is not None:
            yield OptimisedDesign(found, "annealing", posed.objective, posed.allowed_drop)


def learned(
    task: Task,
    table: TableAccuracy,
    seed: int,
    evaluations: int,
    objective: Objective,
    allowed: float = 1.0,
) -> Iterator[OptimisedDesign]:
    """Let agents learn to choose a design, an agent per layer (independent PPO).

    Args:
        task: Network, chip and budget.
        table: Of the network.
        seed: Of the run.
        evaluations: Designs that they try, a multiple of 20.
        objective: What is optimised.
        allowed: Points of drop.

    Yields:
        The best design of the run, if it is within the allowance.
    """
    from lrmp.baselines.learners.ippo import train  # torch, which the solvers do without
    from lrmp.baselines.learners.settings.ippo import Args

    posed = _task_with(task, table, objective, allowed)
    with TemporaryDirectory() as folder:
        args = Args(env_id=posed, seed=seed, evaluations=evaluations, runs_dir=Path(folder))
        record = Record.from_json(train(args, progress=False).record())
    design = record.design_for(posed)
    if table.drop(design) <= allowed:
        yield OptimisedDesign(design.settings, "ippo", objective, allowed)


def _posed(
    task: Task,
    table: TableAccuracy,
    allowances: Sequence[float],
    objectives: Sequence[Objective],
) -> Iterator[Task]:
    """Pose a task with a table, for every objective and every allowance."""
    for objective in objectives:
        for allowed in allowances:
            yield _task_with(task, table, objective, allowed)


def _task_with(
    task: Task, table: TableAccuracy, objective: Objective, allowed: float, budget: float = 1.0
) -> Task:
    posed = task.with_tenant(accuracy_factory=GivenAccuracy(table), allowed_drop=allowed)
    return replace(posed, objective=objective, budget=round(budget * task.budget))


def _solve(task: Task, problem: JointProblem) -> IntArray | None:
    try:
        return chosen_settings(task, solve_joint(problem).settings)
    except (InfeasibleAccuracyError, InfeasibleBudgetError):
        return None
    except SolverError as error:  # a problem whose enumeration was cut off
        print(f"{task.objective}, {task.allowed_drop:g} points: {error}", file=sys.stderr)
        return None


def thinned(problem: JointProblem, rng: np.random.Generator) -> JointProblem:
    """Leave settings out, all but the most accurate of a layer: their terms exceed any limit.

    Args:
        problem: Of one network.
        rng: Says which.

    Returns:
        The problem without them.
    """
    (accuracy,) = problem.accuracy
    terms = accuracy.terms.copy()
    out = rng.random(terms.shape) < LEFT_OUT
    out[np.arange(len(terms)), terms.argmin(axis=1)] = False
    terms[out] += 1e6 * (1 + np.abs(terms).max())
    return replace(problem, accuracy=(replace(accuracy, terms=terms, magnitudes=np.abs(terms)),))
