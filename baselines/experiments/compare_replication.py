"""Compare ways of placing copies: ``python -m lrmp.baselines.experiments.compare_replication``."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from lrmp.baselines.experiments.replication_heuristics import HEURISTICS
from lrmp.envs.records.record import library_versions
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.optimum import stored_optimum
from lrmp.envs.task.task import load_task
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.exact import solve_exact
from lrmp.solvers.replication.ilp import solve_ilp
from lrmp.solvers.replication.problem import ReplicationProblem
from lrmp.whole_file import write_whole

EXACT, ILP = "exact oracle", "CP-SAT"
RANDOM_DESIGNS = 3
SHARES = 6  # parts of the way from the first values to the last
TASK_IDS = tuple(
    f"LRMP-{network}{suffix}-v0"
    for network in ("Digits", "ResNet20", "MobileNetV2", "ResNet18", "ResNet50")
    for suffix in ("", "-Throughput")
)


@dataclass
class Args:
    """Which tasks, and where the comparison is written."""

    out: Path
    """folder for comparison.md and comparison.json"""
    env_ids: tuple[str, ...] = field(default_factory=lambda: TASK_IDS)
    """tasks of any objective"""


def problems_of(task: TaskLike) -> list[ReplicationProblem]:
    """Pose the problems that a task is compared on.

    Args:
        task: Network, chip, budget and objective.

    Returns:
        Uniform settings a third, a half and two thirds of the way up all knobs, random ones, and
        those of the stored optimum.
    """
    task = find_task(task)
    layers, most = len(task.network), np.array(task.space.sizes) - 1
    rng = np.random.default_rng(0)
    designs = [
        task.space.nearest(np.tile(most * share // SHARES, (layers, 1))) for share in (2, 3, 4)
    ]
    while len(designs) < 3 + RANDOM_DESIGNS:
        drawn = task.space.sample(rng, layers)
        if task.cost_model.tiles_at_once(drawn) <= task.budget:
            designs.append(drawn)
    optimum = stored_optimum(task)
    if optimum is not None:
        designs.append(optimum.design.settings)
    return [
        ReplicationProblem.of(task.cost_model, settings, task.budget, task.objective)
        for settings in designs
    ]


def compare(args: Args) -> str:
    """Compare on the tasks and write table and numbers.

    Args:
        args: Settings.

    Returns:
        The table, as Markdown.
    """
    methods: dict[str, Callable[[ReplicationProblem], IntArray]] = {
        EXACT: lambda problem: solve_exact(problem).copies,
        ILP: lambda problem: solve_ilp(problem, canonical=False).copies,
    }
    for name, heuristic in HEURISTICS.items():
        methods[name] = lambda problem, heuristic=heuristic: heuristic(problem, 0)  # type: ignore[misc]
    rows: list[dict[str, Any]] = []
    for task_id in tqdm(args.env_ids, desc="tasks", unit="task", disable=None):
        problems = problems_of(load_task(task_id))
        best = [solve_exact(problem).objective_value for problem in problems]
        for name, method in methods.items():
            ratios, seconds = [], []
            for problem, optimum in zip(problems, best, strict=True):
                start = time.perf_counter()
                copies = method(problem)
                seconds.append(time.perf_counter() - start)
                if problem.tiles_of(copies.tolist()) > problem.budget:
                    raise AssertionError(f"{name} exceeds the budget of {task_id}")
                ratios.append(problem.objective_value(copies) / optimum)
            rows.append({"task": task_id, "method": name, "ratios": ratios, "seconds": seconds})
    table = format_table(rows)
    args.out.mkdir(parents=True, exist_ok=True)
    document = {"versions": library_versions(), "rows": rows}
    write_whole(args.out / "comparison.json", json.dumps(document, indent=1) + "\n")
    write_whole(args.out / "comparison.md", format_page(table))
    return table


def format_table(rows: list[dict[str, Any]]) -> str:
    """Write the comparison as Markdown.

    Args:
        rows: One per task and method, with ratios to the optimum and seconds of every problem.

    Returns:
        One line per task; a cell has the geometric mean of the ratios, and the median time as a
        multiple of the exact oracle's in the same run.
    """
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lines = [
        f"| task | {' | '.join(methods)} |",
        f"| --- {'| --- ' * len(methods)}|",
    ]
    for task in dict.fromkeys(row["task"] for row in rows):
        mine = {row["method"]: row for row in rows if row["task"] == task}
        exact = float(np.median(mine[EXACT]["seconds"]))
        cells = []
        for method in methods:
            ratios, seconds = mine[method]["ratios"], float(np.median(mine[method]["seconds"]))
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            shown = f"{1e3 * seconds:.2f} ms" if method == EXACT else f"{seconds / exact:.3g}x"
            cells.append(f"{mean:.4f}, {shown}")
        lines.append(f"| {task} | {' | '.join(cells)} |")
    return "\n".join(lines)


def format_page(table: str) -> str:
    """Write the page.

    Args:
        table: What ``format_table`` returned.

    Returns:
        Markdown.
    """
    return f"""\
# Ways of placing copies

Each cell: objective / proven optimum (geometric mean over uniform 4, 5 and 6 bits, {RANDOM_DESIGNS}
random designs and the settings of the task's optimum), and the median time, for the exact oracle in
milliseconds and for the others as a multiple of it in the same run. The heuristics are in
`lrmp.baselines.experiments.replication_heuristics`, written from the publications; simulated
annealing and the genetic algorithm run once, with seed 0.

{table}

Made by `python -m lrmp.baselines.experiments.compare_replication --out FOLDER`.
"""


def main() -> None:
    """Compare from the command line."""
    import tyro

    args = tyro.cli(Args)
    print(compare(args))


if __name__ == "__main__":
    main()
