"""What becomes of chosen bits: copies from the oracle, cost, accuracy."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from lrmp.envs.custom_task import TaskLike, find_task
from lrmp.envs.reward import RewardName, reward_function
from lrmp.envs.task import Task
from lrmp.hardware.cost_report import CostReport
from lrmp.hardware.design import Design
from lrmp.solvers.oracle import SolverName, solve_replication
from lrmp.solvers.replication import Replication, ReplicationProblem


@dataclass(frozen=True)
class Outcome:
    """A finished design and its score.

    Attributes:
        task: The task it was made for.
        design: Bits, and the oracle's copies.
        replication: The oracle's answer with its proof.
        report: Exact cost of the design.
        accuracy_drop: Percentage points against the float network, as searches see it.
    """

    task: Task
    design: Design
    replication: Replication
    report: CostReport
    accuracy_drop: float

    @property
    def speedup(self) -> float:
        """Baseline / design, of what the task minimises: time, energy, or energy times delay."""
        return speedup(self.task, self.report)

    @property
    def info(self) -> dict[str, Any]:
        """What an environment's info says of the design when it is finished."""
        return {
            "design": self.design,
            "report": self.report,
            "speedup": self.speedup,
            "accuracy_drop": self.accuracy_drop,
            "accuracy_is_estimate": self.task.accuracy.is_estimate,
            "proven_optimal": self.replication.proven_optimal,
        }

    def reward(self, name: RewardName = "lrmp") -> float:
        """Score the design.

        Args:
            name: Which formula.

        Returns:
            The return of an episode that chooses these bits.
        """
        return reward_function(name)(self.speedup, self.accuracy_drop, self.task.allowed_drop)


def speedup(task: TaskLike, report: CostReport) -> float:
    """Compare a cost with the plain 8-bit chip.

    Args:
        task: Names the objective and the baseline.
        report: Cost of a design on the task's cost model.

    Returns:
        Baseline / design, of what the task minimises.
    """
    task = find_task(task)
    return task.cost_model.baseline.cost(task.objective) / report.cost(task.objective)


def evaluate_bits(
    task: TaskLike,
    weight_bits: ArrayLike,
    activation_bits: ArrayLike,
    solver: SolverName = "exact",
    accuracy_drop: float | None = None,
) -> Outcome:
    """Place the copies and score the design; environment, searches and leaderboard all call this.

    Args:
        task: A task, its id in any form, or another of ``TaskLike``.
        weight_bits: Shape (L,), each 2..8.
        activation_bits: Shape (L,), each 2..8.
        solver: Which exact solver places the copies.
        accuracy_drop: The drop of these bits, if the caller has just computed it.

    Returns:
        The design with its cost and drop.

    Raises:
        TaskError: If there is no such task.
        DesignError: If the bits are out of range or of the wrong shape.
        InfeasibleBudgetError: If one copy of every layer does not fit the budget.
    """
    task = find_task(task)
    problem = ReplicationProblem.of(
        task.cost_model, weight_bits, activation_bits, task.budget, task.objective
    )
    replication = solve_replication(problem, solver)
    design = Design(weight_bits, activation_bits, replication.copies)  # type: ignore[arg-type]
    if accuracy_drop is None:
        accuracy_drop = task.accuracy.drop(design.weight_bits, design.activation_bits)
    return Outcome(task, design, replication, task.cost_model.evaluate(design), accuracy_drop)
