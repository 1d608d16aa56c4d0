"""Find the optimum of tasks and store it as text.

``python -m lrmp.baselines.experiments.optimum`` does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.baselines.running.command import exit_codes
from lrmp.baselines.searchers.additive_table import additive_tables
from lrmp.baselines.searchers.tree_search import search_tree
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.scoring.reward import penalty
from lrmp.envs.scoring.workload_outcome import baseline_cost, score_workload, workload_problem
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.optimum import Optimum
from lrmp.envs.task.task import TASKS, load_task
from lrmp.errors import RunError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.accuracy_terms import AccuracyTerms
from lrmp.solvers.joint.floats import Floats
from lrmp.solvers.joint.problem import JointProblem
from lrmp.solvers.joint.solve import LOGARITHM, solve_joint
from lrmp.solvers.replication.problem import ReplicationProblem
from lrmp.whole_file import write_whole

PAGE = """\
# The proven optimum of every task

The return that every agent is measured against: the `reward_threshold` of the environment and 1 on
the scale of `lrmp.envs.Optimum.normalised`, with 0 for the plain 8-bit chip. `lrmp optimum
LRMP-ResNet18-v0` prints a design with its bound and the solver's log, `--plot` draws it, `--solve`
finds and proves it anew.

| task | best return | bound | gap | gain | drop (points) |
| --- | --- | --- | --- | --- | --- |
{rows}

No design has a higher return than the bound; the gap is what time could at most still be saved. It
is not exactly zero, because all rounding of floats on the way is counted against the bound. A value
above its bound is an error, never hidden.

**How.** A layer's tiles, time and accuracy terms depend on its own setting (here its pair of bits)
and copies alone, so a task with an additive accuracy table is a knapsack with two budgets, tiles
and accuracy (`lrmp.solvers.joint.sum`). Terms are counted in whole units of the largest sum that
matters, so that neither the unit nor the offset of a table plays a part. Prices for tiles and
accuracy give a bound on all designs; every design better than a target stays within some room of
that bound, and all designs within the room are enumerated, leaving out those that others beat. For
throughput the least loss of accuracy is found for every limit on the interval between two images
(`lrmp.solvers.joint.throughput`), and for the energy-delay product a few weighted sums of energy
and delay are minimised (`lrmp.solvers.joint.product`). The accuracy of Digits is that of the
quantised network itself, which no table describes: there all settings are searched as a tree,
leaving out what is too slow whatever its accuracy (`lrmp.baselines.searchers.tree_search`).

An optimum is that of the task's model. What its design loses on a real network is [measured
apart](results/headline/headline.md); where the table is *predicted*, nobody knows.

Made by `python -m lrmp.baselines.experiments.optimum --out envs/optima --page docs/optimum.md`,
which computes what is missing or belongs to an earlier definition of its task. `pytest
tests/benchmarks/test_joint_speed.py --benchmark-only` compares with HiGHS and SCIP.
"""


@dataclass
class Args:
    """Which optima to compute, and where to write them."""

    out: Path
    """folder for one JSON file per task; lrmp keeps its own in envs/optima"""
    env_ids: tuple[str, ...] = field(default_factory=lambda: tuple(TASKS))
    """tasks; all registered ones by default"""
    page: Path | None = None
    """also write a Markdown table of all stored optima to this file"""


def find_optimum(task: TaskLike, log: Callable[[str], None] = print) -> Optimum:
    """Find the best design of a task and a bound on all designs.

    Tasks with an additive accuracy table are solved by ``lrmp.solvers.joint.solve``; tasks whose
    accuracy is that of a small network are searched through.

    Args:
        task: What is solved.
        log: Called with every line of the solver's log.

    Returns:
        The optimum; its value and design are those of ``evaluate_settings``.

    Raises:
        RunError: If the bound does not hold for the design as the environment scores it.
    """
    task = find_task(task)
    if len(task.workload) > 1 or task.accuracy.kind == "table":
        method = "joint knapsack of settings and copies over the additive accuracy table"
        answer = solve_joint(joint_problem(task), log)
        settings, bound, lines = chosen_settings(task, answer.settings), answer.bound, answer.log
    else:
        method = "tree search over all settings with the quantised network itself"
        settings, bound, lines = search_tree(task, log)
        bound += LOGARITHM * (1 + abs(bound))  # the tree and an outcome take it of other floats
    outcome = score_workload(task, settings)
    value = outcome.reward()
    if value > bound:
        raise RunError(
            f"Expected no design of {task.id} above the bound {bound!r}, got one of {value!r}: a "
            "fault of the solver. Please report the task."
        )
    return Optimum(
        task=task.id,
        task_fingerprint=task.fingerprint,
        design=outcome.design,
        value=value,
        bound=bound,
        method=method,
        log=lines,
    )


def joint_problem(task: TaskLike) -> JointProblem:
    """Pose a task with an additive accuracy table for ``solve_joint``.

    Args:
        task: What is solved.

    Returns:
        The joint problem: its settings are those of the design space, each standing for the nearest
        that a layer may have; the table's map turns the sum of its terms into the drop, and what
        exceeds the allowed drop is paid for as in the default reward.

    Raises:
        RunError: If the accuracy of the task is no such table.
    """
    task = find_task(task)
    tables = additive_tables(task)
    layers = task.workload.layers
    choices = task.space.uniform(len(task.workload.layer_names))
    every = np.arange(choices.shape[1])

    def pose(numbers: IntArray, budget: int) -> ReplicationProblem:
        return workload_problem(task, choices[numbers, every], budget)

    accuracy = []
    for tenant, table, own in zip(task.workload, tables, layers, strict=True):
        of_layers = np.moveaxis(choices[:, own], 1, 0)
        terms = table.term_values(of_layers, np.arange(len(of_layers))[:, None])
        accuracy.append(
            AccuracyTerms(
                terms=np.sum(terms, axis=0),
                penalty=partial(_penalty, table, tenant.allowed_drop),
                magnitudes=np.sum(np.abs(terms), axis=0),
            )
        )
    return JointProblem(
        pose=pose,
        budget=task.budget,
        objective=task.objective,
        baseline=baseline_cost(task),
        accuracy=tuple(accuracy),
    )


def _penalty(table: TableAccuracy, allowed_drop: float, sums: Floats) -> Floats:
    return penalty(table.drop_map(sums), allowed_drop)


def chosen_settings(task: TaskLike, numbers: IntArray) -> IntArray:
    """Say what an answer to ``joint_problem`` stands for.

    Args:
        task: What was solved.
        numbers: Settings of the layers as ``solve_joint`` counts them, shape (L,).

    Returns:
        Shape (L, K).
    """
    layers = np.arange(len(numbers))
    settings: IntArray = find_task(task).space.uniform(len(layers))[numbers, layers]
    return settings


def compute(args: Args) -> None:
    """Compute optima that are missing or belong to an earlier definition of their task.

    Args:
        args: Settings.
    """
    args.out.mkdir(parents=True, exist_ok=True)
    for task_id in args.env_ids:
        task, path = load_task(task_id), args.out / f"{task_id}.json"
        if path.exists():
            earlier = Optimum.from_text(path.read_text("utf-8"), task.space)
            if earlier.task_fingerprint == task.fingerprint:
                print(f"{task_id}: {path} is up to date")
                continue
        print(f"{task_id}:", flush=True)
        optimum = find_optimum(task, lambda line: print(f"  {line}", flush=True))
        write_whole(path, optimum.to_text())
        print(f"  {optimum.value:.6f}, gap {optimum.gap:.1e}: {path}", flush=True)
    if args.page is not None:
        files = {task_id: args.out / f"{task_id}.json" for task_id in TASKS}
        optima = [
            Optimum.from_text(file.read_text("utf-8"), load_task(task_id).space)
            for task_id, file in files.items()
            if file.exists()
        ]
        write_whole(args.page, format_page(optima))


def format_page(optima: list[Optimum]) -> str:
    """Write the page of optima.

    Args:
        optima: One per task.

    Returns:
        Markdown.
    """
    rows = []
    for optimum in optima:
        outcome = evaluate_settings(load_task(optimum.task), optimum.design.settings)
        rows.append(
            f"| `{optimum.task}` | {optimum.value:.6f} | {optimum.bound:.6f} | "
            f"{100 * optimum.gap:.1e} % | {outcome.gain:.3f}x | {outcome.accuracy_drop:.3f} |"
        )
    return PAGE.format(rows="\n".join(rows))


def main() -> None:
    """Compute from the command line."""
    import tyro

    with exit_codes():
        compute(tyro.cli(Args))


if __name__ == "__main__":
    main()
