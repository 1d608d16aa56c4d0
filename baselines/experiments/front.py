"""The proven front of gain against accuracy: ``python -m lrmp.baselines.experiments.front``."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from lrmp.envs.records.record import library_versions
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.scoring.table_optimum import chosen_settings, joint_problem
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.optimum import stored_optimum
from lrmp.errors import InfeasibleAccuracyError, RunError
from lrmp.foreign_file import read_foreign_text
from lrmp.foreign_text import parse_json
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.space.design import Design
from lrmp.plotting.design_plot import new_figure
from lrmp.solvers.joint.options import JointOptions
from lrmp.solvers.joint.problem import JointOptimum
from lrmp.solvers.joint.solve import solve_joint
from lrmp.solvers.joint.sum import SumSearch
from lrmp.solvers.replication.exact import solve_exact
from lrmp.solvers.replication.problem import ReplicationProblem
from lrmp.whole_file import replacing, write_whole

ALLOWANCES = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)  # points
TRADE_OFF_POINTS = 25
ENERGY_SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
GOALS: tuple[Objective, ...] = ("latency", "throughput", "energy")
#: Gains at less than one point of loss over five networks: abstract of LRMP, Frontiers in AI
#: 7:1268317, 2024. The paper's designs are not public, so that no point can be drawn.
PUBLISHED: dict[Objective, tuple[float, float]] = {"latency": (2.6, 9.3), "throughput": (8.0, 18.0)}


@dataclass
class Args:
    """Which task, and where the front is written."""

    env_id: str
    """a task with an accuracy table"""
    out: Path
    """folder for front.json and front.png"""
    agents: Path | None = None
    """comparison.json of ``lrmp.baselines.experiments.compare`` for this task: draws its designs"""


def front(task: TaskLike) -> list[dict[str, float]]:
    """Find the design of largest gain within every allowance.

    Args:
        task: A task with an accuracy table.

    Returns:
        For every allowance in percentage points: gain (baseline / design, of what the task
        minimises) and drop of the best design within it, and a gain that none exceeds.
    """
    task = find_task(task)
    points = []
    for allowance in tqdm(ALLOWANCES, desc=task.id, unit="point", disable=None):
        answer = best_within(task, allowance)
        if answer is None:
            continue
        design = Design(task.space, chosen_settings(task, answer.settings), answer.copies)
        points.append(
            {
                "allowance": allowance,
                "accuracy_drop": task.accuracy.drop(design),
                "gain": math.exp(answer.value),
                "gain_bound": math.exp(answer.bound),
            }
        )
    return points


def best_within(task: TaskLike, allowance: float) -> JointOptimum | None:
    """Find the design of least cost within an allowance, whatever the task's own allowance is.

    Args:
        task: A task with an accuracy table.
        allowance: Largest drop in percentage points.

    Returns:
        The design with a bound on all others within the allowance; None if none is so accurate.
    """
    task = find_task(task)
    try:
        return solve_joint(joint_problem(task.with_tenant(allowed_drop=allowance), math.inf))
    except InfeasibleAccuracyError:
        return None


def uniform_settings(task: TaskLike) -> list[dict[str, Any]]:
    """Evaluate one setting for all layers.

    Args:
        task: What is solved.

    Returns:
        Setting, gain and drop of the designs, one for every setting of the space.
    """
    task = find_task(task)
    rows = []
    for setting, design in zip(
        task.space.settings, task.space.uniform(len(task.network)), strict=True
    ):
        outcome = evaluate_settings(task, design)
        values = task.space.decode(setting)
        rows.append(
            {
                **{name: value.item() for name, value in values.items()},
                "gain": outcome.gain,
                "accuracy_drop": outcome.accuracy_drop,
            }
        )
    return rows


def latency_against_throughput(task: TaskLike) -> list[dict[str, float]]:
    """Trade latency for throughput by the copies alone, at the settings of the stored optimum.

    Args:
        task: A task with a stored optimum.

    Returns:
        Proven least latency for limits on the interval, from the highest throughput to where
        the limit no longer binds; both as gains over the plain 8-bit chip.
    """
    task = find_task(task)
    optimum = stored_optimum(task)
    if optimum is None:
        return []
    settings, model = optimum.design.settings, task.cost_model

    def posed(objective: Objective) -> ReplicationProblem:
        return ReplicationProblem.of(model, settings, task.budget, objective)

    free = posed("latency")
    least = solve_exact(posed("throughput")).objective_value
    most = free.interval(solve_exact(free).copies)
    rows = []
    for limit in np.unique(np.geomspace(least, most, TRADE_OFF_POINTS).astype(np.int64)).tolist():
        answer = solve_exact(replace(free, max_layer_cycles=max(limit, least)))
        rows.append(
            {
                "latency_gain": model.baseline.latency_cycles / answer.objective_value,
                "throughput_gain": model.baseline.bottleneck_cycles / free.interval(answer.copies),
            }
        )
    return rows


def energy_against_latency(task: TaskLike) -> list[dict[str, float]]:
    """Trade energy for latency by settings and copies at once, within the allowed drop.

    Args:
        task: A task with an accuracy table.

    Returns:
        For shares from 0 to 1, the design with the least sum of the relative energy, times the
        share, and the relative latency, times the rest: its gains over the plain 8-bit chip, and
        by how much less the sum of any other design can be, proven. These are the corners of the
        front's convex hull.
    """
    task = find_task(task)
    posed, model = joint_problem(replace(task, objective="edp"), math.inf), task.cost_model
    baseline = {goal: model.baseline.cost(goal) for goal in GOALS}
    scale = baseline["latency"] / baseline["energy"]
    options = JointOptions.of(posed)
    rows = []
    for share in tqdm(ENERGY_SHARES, desc=f"{task.id}, energy", unit="point", disable=None):
        weights = 1 - share, share * scale
        found = SumSearch(posed, options, lambda line: None, *weights).run()
        report = model.evaluate(
            Design(task.space, chosen_settings(task, found.settings), found.copies)
        )
        total = weights[0] * report.cost("latency") + weights[1] * report.cost("energy")
        gains = {f"{goal}_gain": baseline[goal] / report.cost(goal) for goal in GOALS}
        rows.append({"energy_share": share, **gains, "gap": total / found.bound - 1})
    return rows


def compute(args: Args) -> dict[str, Any]:
    """Compute the front, write its numbers and draw it.

    Args:
        args: Settings.

    Returns:
        What is written to front.json.
    """
    task = find_task(args.env_id)
    document = {
        "task": task.id,
        "task_fingerprint": task.fingerprint,
        "accuracy": task.accuracy_label,
        "versions": library_versions(),
        "front": front(task),
        "uniform": uniform_settings(task),
        "latency_against_throughput": latency_against_throughput(task),
        "energy_against_latency": energy_against_latency(task),
        "agents": {} if args.agents is None else _agents(args.agents),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    write_whole(args.out / "front.json", json.dumps(document, indent=1) + "\n")
    plot(task, document, args.out / "front.png")
    return document


def _agents(comparison: Path) -> dict[str, dict[str, list[float]]]:
    """Read the best designs of agents from a comparison."""
    try:
        agents = parse_json(read_foreign_text(comparison))["agents"]
        return {
            name: {key: row[key]["values"] for key in ("gain", "accuracy_drop")}
            for name, row in agents.items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RunError(
            f"Expected a comparison of agents in {comparison}, got {error!r}. Make one with python "
            "-m lrmp.baselines.experiments.compare."
        ) from error


def plot(task: TaskLike, document: dict[str, Any], path: Path) -> None:
    """Draw the front, and beside it the trade-offs between latency, throughput and energy.

    Args:
        task: For labels.
        document: What ``compute`` collected.
        path: Picture to write.
    """
    task = find_task(task)
    figure = new_figure(16, 5)
    axes, trade, energy = figure.subplots(1, 3, width_ratios=(3, 2, 2))
    points = document["front"]
    drops = [point["accuracy_drop"] for point in points]
    allowances = [point["allowance"] for point in points]
    bounds = [point["gain_bound"] for point in points]
    # Between two allowances the bound of the larger one holds.
    axes.plot(allowances, bounds, color="#c44", drawstyle="steps-pre", label="proven bound")
    gains = [point["gain"] for point in points]
    axes.plot(drops, gains, "o", color="#1f6f8b", label="fastest design within the drop")
    uniform = document["uniform"]
    axes.plot(
        [row["accuracy_drop"] for row in uniform],
        [row["gain"] for row in uniform],
        ".",
        color="#999",
        label="uniform settings",
    )
    for name, values in document["agents"].items():
        if name != "uniform":
            axes.plot(values["accuracy_drop"], values["gain"], "x", label=f"{name}, best of run")
    low, high = PUBLISHED[task.objective]
    axes.fill_between(
        [min(drops), 1.0],
        low,
        high,
        color="#e08e45",
        alpha=0.2,
        label="LRMP's published range, five DNNs",
    )
    axes.axvline(task.allowed_drop, color="#999", linewidth=1, linestyle="--")
    axes.set_xscale("log")
    axes.set_xlim(min(drops) / 1.2, max(drops) * 1.2)
    axes.set_ylim(0, 1.1 * max(bounds))
    axes.set_xlabel(f"accuracy drop in points, {task.accuracy_label}")
    axes.set_ylabel(f"{task.objective} gain over the 8-bit chip")
    axes.legend(fontsize="small", loc="upper left")
    rows = document["latency_against_throughput"]
    trade.plot(
        [row["throughput_gain"] for row in rows],
        [row["latency_gain"] for row in rows],
        ".-",
        color="#1f6f8b",
    )
    trade.set_xlabel("throughput gain")
    trade.set_ylabel("latency gain")
    trade.set_title("copies alone, at the settings of the optimum", fontsize="medium")
    rows = document["energy_against_latency"]
    energy.plot(
        [row["energy_gain"] for row in rows],
        [row["latency_gain"] for row in rows],
        "-",
        color="#999",
    )
    shades = energy.scatter(
        [row["energy_gain"] for row in rows],
        [row["latency_gain"] for row in rows],
        c=[row["throughput_gain"] for row in rows],
        zorder=2,
    )
    figure.colorbar(shades, ax=energy, label="throughput gain")
    energy.set_xlabel("energy gain")
    energy.set_ylabel("latency gain")
    energy.set_title("settings and copies, within the allowed drop", fontsize="medium")
    for panel in (axes, trade, energy):
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle(task.id)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def main() -> None:
    """Compute from the command line."""
    import tyro

    args = tyro.cli(Args)
    compute(args)
    print(args.out / "front.json")


if __name__ == "__main__":
    main()
