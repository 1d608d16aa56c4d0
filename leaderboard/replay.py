"""Replay: every number of a record, computed again from its bits and copies."""

import time
from dataclasses import dataclass, field, replace

from lrmp.envs.accuracy.model import AccuracyKind, accuracy_label
from lrmp.envs.outcome import Outcome
from lrmp.envs.record import Claim, Record
from lrmp.envs.task import Task
from lrmp.errors import InfeasibleBudgetError, RecordError, SolverError
from lrmp.hardware.cost_report import COST_UNITS
from lrmp.leaderboard.submission import check_definition
from lrmp.solvers.exact import solve_exact
from lrmp.solvers.ilp import DETERMINISTIC_LIMIT, solve_ilp
from lrmp.solvers.replication import Replication, ReplicationProblem


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
        lower_bound: Cycles that no copies of these bits can beat, proven by the ILP.
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


def replay(record: Record, deterministic_limit: float = DETERMINISTIC_LIMIT) -> Replay:
    """Recompute a record from its design alone.

    Args:
        record: What was submitted.
        deterministic_limit: CP-SAT's deterministic time, independent of the machine's speed.

    Returns:
        The recomputed numbers.

    Raises:
        RecordError: If the design is over budget, its copies are not optimal for its bits, that
            cannot be proven within the limit, or a claimed number differs from the recomputed one.
    """
    try:
        return _replay(record, deterministic_limit)
    except RecordError as error:
        run = f"{record.task}, agent {record.agent}, seed {record.seed}"
        raise RecordError(f"{run}: {error}") from error


def _replay(record: Record, deterministic_limit: float) -> Replay:
    start = time.perf_counter()
    # The copy has no cost or accuracy model yet: nothing that a search has remembered is used.
    task = replace(check_definition(record))
    optimum = _prove_optimum(task, record, deterministic_limit)
    report = task.cost_model.evaluate(record.design)
    if report.tiles > task.budget:
        raise RecordError(
            f"expected a design of at most {task.budget} tiles, the budget of {task.id}, got "
            f"{report.tiles} tiles. Take the copies from the oracle."
        )
    cost = report.cost(task.objective)
    if cost != optimum.objective_value:
        unit = COST_UNITS[task.objective]
        raise RecordError(
            f"expected the optimal copies for these bits, {optimum.objective_value} {unit} of "
            f"{task.objective}, got copies with {cost} {unit}. Copies come from the oracle: take "
            "those of lrmp.envs.evaluate_bits."
        )
    bits = record.design.weight_bits, record.design.activation_bits
    drop = task.accuracy.drop(*bits)
    claim = Claim.of(Outcome(task, record.design, optimum, report, drop))
    if differences := record.agrees_with(claim):
        raise RecordError(
            f"{'; '.join(differences)}. Claims are replayed: submit the numbers that "
            "lrmp.envs.Record.of writes."
        )
    return Replay(
        record=record,
        claim=claim,
        test_accuracy_drop=task.accuracy.test_drop(*bits),
        accuracy_kind=task.accuracy.kind,
        accuracy_is_estimate=task.accuracy.is_estimate,
        lower_bound=optimum.lower_bound,
        wall_time_s=time.perf_counter() - start,
    )


def _prove_optimum(task: Task, record: Record, deterministic_limit: float) -> Replication:
    """Solve LRMP's integer program for the record's bits."""
    bits = record.design.weight_bits, record.design.activation_bits
    try:
        problem = ReplicationProblem.of(task.cost_model, *bits, task.budget, task.objective)
    except InfeasibleBudgetError as error:
        tiles = int(task.cost_model.tiles_per_copy(record.design.weight_bits).sum())
        raise RecordError(
            f"expected one copy of every layer within {task.budget} tiles, the budget of "
            f"{task.id}, got {tiles} tiles. Lower the weight bits."
        ) from error
    try:
        optimum = solve_ilp(problem, deterministic_limit, canonical=False)
    except SolverError as error:
        raise RecordError(_unproven(deterministic_limit, "no copies at all")) from error
    if problem.objective == "edp" and not optimum.proven_optimal:
        # Weighted sums may be too long for CP-SAT's 64 bits; the exact method has no such limit.
        exact = solve_exact(problem)
        if exact.objective_value == optimum.objective_value:
            optimum = exact
    check_proof(optimum, deterministic_limit)
    return optimum


def check_proof(optimum: Replication, deterministic_limit: float) -> None:
    """Check that the ILP ended with a proof; its best copies so far are no yardstick.

    Args:
        optimum: The ILP's answer.
        deterministic_limit: Its limit, for the message.

    Raises:
        RecordError: If its bound does not meet its objective.
    """
    if not optimum.proven_optimal:
        found = f"{optimum.objective_value} cycles and a bound of {optimum.lower_bound}"
        raise RecordError(_unproven(deterministic_limit, found))


def _unproven(deterministic_limit: float, found: str) -> str:
    return (
        "expected the ILP to prove an optimum for these bits within "
        f"{deterministic_limit:g} deterministic seconds, got {found}. Without a proof the record "
        "is not ranked: replay it with a higher deterministic_limit."
    )
