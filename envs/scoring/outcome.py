"""What becomes of chosen settings: copies from the oracle, cost, accuracy."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import ArrayLike

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.scoring.reward import (
    Measured,
    Reward,
    own_reward,
    ranked_score,
    reward_function,
    score_text,
)
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.task import Task
from lrmp.hardware.cost.cost_report import CostReport
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.layer_table import LayerTable, Row, rows_of
from lrmp.hardware.short_repr import short_name, short_repr
from lrmp.hardware.space.design import Design
from lrmp.solvers.replication.oracle import SolverName, solve_replication
from lrmp.solvers.replication.problem import Replication


@dataclass(frozen=True)
class Outcome(LayerTable):
    """A finished design and its score.

    Attributes:
        task: The task it was made for.
        design: Settings, and the oracle's copies.
        replication: The oracle's answer with its proof.
        divergence: How far it is from the float network: the sum of a table, whose power
            ``task.allowance.exponent`` is in nats; percentage points where the network itself is
            run; of several networks as `WorkloadAccuracy` says.
    """

    task: Task
    design: Design
    replication: Replication
    divergence: float

    def __repr__(self) -> str:
        task = self.task
        return short_repr(
            self,
            short_name(task.id),
            f"{task.objective} gain {self.gain:.4g}x",
            f"accuracy drop {self.accuracy_drop:.4g} points",
            f"{self.report.tiles_text(task.budget)} tiles",
            score_text(self.score),
        )

    @cached_property
    def report(self) -> CostReport:
        """Exact cost of the design."""
        return self.task.cost_model.evaluate(self.design)

    @cached_property
    def gain(self) -> float:
        """Baseline / design, of what the task minimises: time, energy, or energy times delay."""
        task = self.task
        return task.baseline_report.cost(task.objective) / self.replication.objective_value

    @cached_property
    def accuracy_drop(self) -> float:
        """Percentage points against the float network, as searches see it."""
        accuracy = self.task.accuracy
        if accuracy.drop_map is None:
            return accuracy.drop(self.design)
        return accuracy.drop_map.of_one(self.divergence)

    @cached_property
    def accuracy_drops(self) -> tuple[float, ...]:
        """Of every network, percentage points against its float network."""
        if len(self.task.workload) == 1:
            return (self.accuracy_drop,)
        design = self.design
        drops = self.task.workload_accuracy.network_drops(
            design.settings[None], design.replication[None]
        )
        return tuple(drops[0].tolist())

    @cached_property
    def excess(self) -> float:
        """``ln(divergence / allowed divergence)``, 0 within the task's allowance.

        Where several networks share the chip it is the mean of theirs.
        """
        return self.task.allowance.excess(self.divergence)

    @property
    def score(self) -> float | None:
        """What ranks the design: ``ln(gain)``, or None if it is not within the allowance."""
        return ranked_score(math.log(self.gain), self.excess)

    @property
    def within_allowance(self) -> bool:
        """Whether the divergence, and with it the drop, is allowed."""
        return self.excess == 0

    @property
    def proven_optimal(self) -> bool:
        """Whether the oracle proved its copies optimal."""
        return self.replication.proven_optimal

    def to_table(self) -> list[Row]:
        """Return setting, copies and cost of every layer.

        Returns:
            One mapping per layer; ``"layer"`` is its name, ``"baseline_cycles"`` are those of the
            baseline, and ``"energy_fj"`` is None where it is not known.
        """
        design, report = self.design, self.report
        known = report.component_energy_fj is not None
        return rows_of(
            {
                "layer": [layer.name for layer in self.task.network.layers],
                **{name: design[name].tolist() for name in design.space.names},
                "copies": design.replication.tolist(),
                "tiles": report.layer_tiles.tolist(),
                "baseline_cycles": self.task.baseline_report.layer_cycles.tolist(),
                "cycles": report.layer_cycles.tolist(),
                "energy_fj": report.layer_energy_fj.tolist() if known else [None] * len(design),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return the design and its numbers as plain JSON values.

        Returns:
            A mapping that ``json.dumps`` accepts; energies are None where they are not known.
        """
        report, baseline = self.report, self.task.baseline_report
        known = report.component_energy_fj is not None
        return {
            "task": self.task.id,
            "score": self.score,
            "gain": self.gain,
            "accuracy_drop": self.accuracy_drop,
            "accuracy": self.task.accuracy_label,
            "accuracy_holds": self.task.accuracy_holds,
            "tiles": report.tiles,
            "budget_tiles": self.task.budget,
            "latency_cycles": report.latency_cycles,
            "latency_s": report.latency_s,
            "bottleneck_cycles": report.bottleneck_cycles,
            "throughput_per_s": report.throughput_per_s,
            "energy_j": report.energy_j if known else None,
            "baseline_latency_s": baseline.latency_s,
            "baseline_throughput_per_s": baseline.throughput_per_s,
            "baseline_energy_j": baseline.energy_j if known else None,
            "proven_optimal": self.replication.proven_optimal,
            "design": self.design.to_json(),
            "layer_cycles": report.layer_cycles.tolist(),
            "baseline_layer_cycles": baseline.layer_cycles.tolist(),
            **({"networks": self.networks()} if len(self.task.workload) > 1 else {}),
        }

    def networks(self) -> list[dict[str, Any]]:
        """Say what every network of the workload has of the chip.

        Returns:
            A mapping per network, in plain JSON values: its name and rate, its tiles, the cycles of
            one inference and between two of a full pipeline of its own, and its drop.
        """
        task, report, rows = self.task, self.report, []
        for tenant, own, drop in zip(
            task.workload, task.workload.layers, self.accuracy_drops, strict=True
        ):
            cycles = report.layer_cycles[own] // tenant.rate
            rows.append(
                {
                    "network": tenant.network.name,
                    "rate": tenant.rate,
                    "tiles": int(report.layer_tiles[own].sum()),
                    "latency_cycles": int(cycles.sum()),
                    "bottleneck_cycles": int(cycles.max()),
                    "accuracy_drop": drop,
                    "allowed_drop": tenant.allowed_drop,
                }
            )
        return rows

    def reward(self, reward: Reward = "lrmp") -> float:
        """Score the design.

        Args:
            reward: The name of a formula, or a function of your own that takes this outcome.

        Returns:
            The return of an episode that chooses this design.

        Raises:
            TaskError: If there is no such formula, or your function raises or returns no finite
                number.
        """
        if callable(reward):
            return own_reward(reward, self)
        found = Measured(self.gain, self.excess, self.accuracy_drop, self.task.allowed_drop)
        return reward_function(reward)(found)


def gain(task: TaskLike, report: CostReport) -> float:
    """Compare a cost with the task's baseline.

    Args:
        task: Names the objective and the baseline.
        report: Cost of a design on the task's cost model.

    Returns:
        Baseline / design, of what the task minimises.
    """
    task = find_task(task)
    return task.baseline_report.cost(task.objective) / report.cost(task.objective)


def evaluate(
    task: TaskLike,
    values: Mapping[str, ArrayLike] | None = None,
    *,
    accuracy: AccuracyKind | None = None,
    solver: SolverName = "exact",
    **knobs: ArrayLike,
) -> Outcome:
    """Score a choice, such as ``evaluate("LRMP-ResNet18-v0", weight_bits=6, activation_bits=6)``.

    Args:
        task: A task, its id in any form, or another of ``TaskLike``.
        values: For each knob of the task its value in every layer, shape (L,), or one for all. A
            knob that is left out keeps its plain value.
        accuracy: ``"table"`` or ``"network"``; None for the task's own kind.
        solver: Which exact solver places the copies.
        **knobs: The same, by name.

    Returns:
        The design with the best copies, its cost and its drop.

    Raises:
        TaskError: If there is no such task.
        DesignError: If there is no such knob or value, or the shapes do not fit.
        InfeasibleBudgetError: If one copy of every layer does not fit the budget.
    """
    found = find_task(task, accuracy)
    names = [layer.name for layer in found.network.layers]
    settings = found.space.encode({**(values or {}), **knobs}, names)
    return evaluate_settings(found, settings, solver)


def evaluate_settings(
    task: TaskLike,
    settings: IntArray,
    solver: SolverName = "exact",
    divergence: float | None = None,
) -> Outcome:
    """Place the copies and score the design; environment, searches and leaderboard all call this.

    Args:
        task: A task, its id in any form, or another of ``TaskLike``.
        settings: Places of the layers' values, shape (L, K).
        solver: Which exact solver places the copies.
        divergence: Of this design, if the caller has just computed it.

    Returns:
        The design with its cost and drop.

    Raises:
        TaskError: If there is no such task.
        DesignError: If the settings are out of range or of the wrong shape.
        InfeasibleBudgetError: If one copy of every layer does not fit the budget.
    """
    task = find_task(task)
    replication = solve_replication(task.poser(settings), solver)
    return finish(task, settings, replication, divergence)


def finish(
    task: Task, settings: IntArray, replication: Replication, divergence: float | None
) -> Outcome:
    """Score a design whose copies are placed.

    Args:
        task: What is solved.
        settings: Places of the layers' values, shape (L, K), as the oracle has seen them.
        replication: The oracle's copies.
        divergence: Of this design; None if it is not known yet.

    Returns:
        The design with its cost and drop.
    """
    design = Design.trusted(
        space=task.space, settings=read_only(settings), replication=replication.copies
    )
    if divergence is None:
        divergence = task.accuracy.divergence(design)
    return Outcome(task, design, replication, divergence)
