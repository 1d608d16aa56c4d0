"""Replay: every number of a record, computed again from its settings and copies."""

import time
from dataclasses import dataclass, field, replace

from lrmp.accuracy.model.accuracy_model import AccuracyKind, accuracy_label
from lrmp.envs.records.record import Claim, Record
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.task.task import Task
from lrmp.envs.variant_choice.record import claim_of, scale_of
from lrmp.errors import InfeasibleBudgetError, RecordError, SolverError
from lrmp.hardware.cost.cost_report import COST_UNITS
from lrmp.hardware.space.design import Design
from lrmp.leaderboard.submission import as_submitted, check_definition
from lrmp.solvers.replication.exact import solve_exact
from lrmp.solvers.replication.ilp import solve_ilp
from lrmp.solvers.replication.problem import Replication, ReplicationProblem

REPLAY_LIMIT = 10.0  # CP-SAT's deterministic seconds; nearly all registered tasks take below 5
NO_BOUND = 0  # all costs are positive


@dataclass(frozen=True)
class Replay:
    """A record whose numbers were recomputed and agree.

    Attributes:
        record: What was submitted.
        claim: The recomputed numbers; they rank, not the submitted ones.
        test_accuracy_drop: Percentage points on images no search has seen, or None where the
            task's accuracy model has none.
        accuracy_kind: Which kind of accuracy model the task has.
        accuracy_is_estimate: Whether its numbers were not measured on the network itself.
        lower_bound: What no copies of these settings can beat, proven: cycles, femtojoules or their
            product, as the task minimises.
        wall_time_s: Seconds the replay took; not part of equality.
    """

    record: Record
    claim: Claim
    test_accuracy_drop: float | None
    accuracy_kind: AccuracyKind
    accuracy_is_estimate: bool
    lower_bound: int
    wall_time_s: float = field(compare=False)

    @property
    def accuracy_label(self) -> str:
        """What the accuracy drop is worth: ``"network"``, ``"table"``, ``"table (estimate)"``."""
        return accuracy_label(self.accuracy_kind, self.accuracy_is_estimate)


def replay(record: Record, deterministic_limit: float = REPLAY_LIMIT) -> Replay:
    """Recompute a record from its design alone.

    What is quickly refused is refused first: the optimum is proven last.

    Args:
        record: What was submitted.
        deterministic_limit: CP-SAT's deterministic time for every program it has to solve,
            independent of the machine's speed.

    Returns:
        The recomputed numbers.

    Raises:
        RecordError: If the record violates the published schema, its design is over budget, its
            copies are not optimal for its settings, the integer program finds none within the
            limit, or a claimed number differs from the recomputed one.
        SolverError: If two solvers contradict each other: a fault of lrmp.
    """
    try:
        return _replay(record, deterministic_limit)
    except RecordError as error:
        run = f"{record.task}, agent {record.agent}, seed {record.seed}"
        raise RecordError(f"{run}: {error}") from error


def recompute(record: Record, task: Task) -> Claim:
    """Compute a record's numbers again, without a proof that its copies are the best.

    Args:
        record: As it was read, of the published schema and of the task.
        task: Its task; of a problem with variants, the task of its variant.

    Returns:
        The recomputed numbers.

    Raises:
        RecordError: If the design is over budget, or a claimed number differs.
    """
    design = record.design_for(task)
    problem = _problem(task, design)
    tiles = int(task.cost_model.tiles_at_once(design.settings, design.replication))
    if tiles > task.budget:
        raise RecordError(
            f"expected a design of at most {task.budget} tiles, the budget of {task.id}, got "
            f"{tiles} tiles. Take the copies from the oracle."
        )
    divergence = task.accuracy.divergence(design)
    submitted = Replication.checked(problem, design.replication, NO_BOUND, wall_time_s=0.0)
    claim = claim_of(Outcome(task, design, submitted, divergence), scale_of(record))
    if differences := record.agrees_with(claim):
        raise RecordError(
            f"{'; '.join(differences)}. Claims are replayed: submit the numbers that "
            "lrmp.envs.Record.of writes."
        )
    return claim


def _replay(record: Record, deterministic_limit: float) -> Replay:
    start = time.perf_counter()
    as_submitted(record)
    # The copy has no cost or accuracy model yet: nothing that a search has remembered is used.
    task = replace(check_definition(record))
    claim = recompute(record, task)
    design = record.design_for(task)
    report, problem = task.cost_model.evaluate(design), _problem(task, design)
    optimum = _prove_optimum(problem, deterministic_limit)
    cost, unit = report.cost(task.objective), COST_UNITS[task.objective]
    if cost != optimum.objective_value:
        raise RecordError(
            f"expected the optimal copies for these settings, {optimum.objective_value} {unit} of "
            f"{task.objective}, got copies with {cost} {unit}. Copies come from the oracle: take "
            "those of lrmp.envs.evaluate."
        )
    return Replay(
        record=record,
        claim=claim,
        test_accuracy_drop=task.accuracy.test_drop(design),
        accuracy_kind=task.accuracy.kind,
        accuracy_is_estimate=task.accuracy.is_estimate,
        lower_bound=optimum.lower_bound,
        wall_time_s=time.perf_counter() - start,
    )


def _problem(task: Task, design: Design) -> ReplicationProblem:
    """State the problem that the copies have to solve."""
    try:
        return ReplicationProblem.of(task.cost_model, design.settings, task.budget, task.objective)
    except InfeasibleBudgetError as error:
        tiles = int(task.cost_model.tiles_per_copy(design.settings).sum())
        raise RecordError(
            f"expected one copy of every layer within {task.budget} tiles, the budget of "
            f"{task.id}, got {tiles} tiles. Choose settings that take fewer."
        ) from error


def _prove_optimum(problem: ReplicationProblem, deterministic_limit: float) -> Replication:
    """Solve LRMP's integer program; where it ends without a proof, the exact method has one."""
    try:
        optimum = solve_ilp(problem, deterministic_limit, canonical=False)
    except SolverError as error:
        raise RecordError(
            "expected the ILP to find copies for these settings within "
            f"{deterministic_limit:g} deterministic seconds, got none. Without a proof the record "
            "is not ranked: replay it with a higher deterministic_limit."
        ) from error
    if optimum.proven_optimal:
        return optimum
    # CP-SAT's 64 bits are too short for some weighted sums of energy and cycles, and a few programs
    # of the slowest layer take it a minute.
    return settle(optimum, solve_exact(problem))


def settle(ilp: Replication, exact: Replication) -> Replication:
    """Take the exact method's proof where the integer program ended without one.

    Args:
        ilp: Copies and bound of the integer program.
        exact: A proven optimum of the same problem.

    Returns:
        The proven optimum, which lies where the integer program allows it.

    Raises:
        SolverError: If it lies below the program's bound or above the copies it found: a fault of
            one of the two.
    """
    if not ilp.lower_bound <= exact.objective_value <= ilp.objective_value:
        raise SolverError(
            f"Expected the exact method to find an optimum of {ilp.lower_bound} to "
            f"{ilp.objective_value}, as OR-Tools proved, got {exact.objective_value}. This is a "
            "fault of lrmp: please report the record."
        )
    return exact
