"""Find the optimum of tasks and store it as text.

``python -m lrmp.baselines.experiments.optimum`` does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

from lrmp.baselines.running.command import exit_codes
from lrmp.baselines.searchers.additive_table import additive_table
from lrmp.baselines.searchers.tree_search import search_tree
from lrmp.envs.scoring.outcome import evaluate_bits
from lrmp.envs.scoring.reward import PENALTY_PER_POINT
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.optimum import Optimum
from lrmp.envs.task.task import TASKS, load_task
from lrmp.errors import RunError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import BIT_WIDTHS, MIN_BITS
from lrmp.solvers.joint.accuracy_terms import AccuracyTerms
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

| task | best return | bound | gap | speedup | drop (points) |
| --- | --- | --- | --- | --- | --- |
{rows}

No design has a higher return than the bound; the gap is what time could at most still be saved. It
is not exactly zero, because all rounding of floats on the way is counted against the bound. A value
above its bound is an error, never hidden.

**How.** A layer's tiles, time and accuracy terms depend on its own setting (its pair of bits) and
copies alone, so a task with an additive accuracy table is a knapsack with two budgets, tiles and
accuracy (`lrmp.solvers.joint.sum`). Terms are counted in whole units of the largest sum that
matters, so that neither the unit nor the offset of a table plays a part. Prices for tiles and
accuracy give a bound on all designs; every design better than a target stays within some room of
that bound, and all designs within the room are enumerated, leaving out those that others beat. For
throughput the least loss of accuracy is found for every limit on the interval between two images
(`lrmp.solvers.joint.throughput`), and for the energy-delay product a few weighted sums of energy
and delay are minimised (`lrmp.solvers.joint.product`). The accuracy of Digits is that of the
quantised network itself, which no table describes: there all bits are searched as a tree, leaving
out what is too slow whatever its accuracy (`lrmp.baselines.searchers.tree_search`).

An optimum is that of the task's model: on the ResNets the accuracy is an estimate, and so is how
good the optimal design would be on a real network.

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
        The optimum; its value and design are those of ``evaluate_bits``.

    Raises:
        RunError: If the bound does not hold for the design as the environment scores it.
    """
    task = find_task(task)
    if task.accuracy.kind == "table":
        method = "joint knapsack of bits and copies over the additive accuracy table"
        answer = solve_joint(joint_problem(task), log)
        bits, bound, lines = bits_of(answer.settings), answer.bound, answer.log
    else:
        method = "tree search over all bits with the quantised network itself"
        bits, bound, lines = search_tree(task, log)
        bound += LOGARITHM * (1 + abs(bound))  # the tree and an outcome take it of other floats
    outcome = evaluate_bits(task, *bits)
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


#: Pairs of weight and activation bits: the settings of ``joint_problem``, shape (49, 2).
SETTINGS = np.array(list(product(BIT_WIDTHS, BIT_WIDTHS)))


def bits_of(settings: IntArray) -> tuple[IntArray, IntArray]:
    """Return the bits that settings of ``joint_problem`` stand for.

    Args:
        settings: Shape (L,).

    Returns:
        Weight and activation bits, each of shape (L,).
    """
    return SETTINGS[settings, 0], SETTINGS[settings, 1]


def joint_problem(task: TaskLike) -> JointProblem:
    """Pose a task with an additive accuracy table for ``solve_joint``.

    Args:
        task: What is solved.

    Returns:
        The joint problem: its settings are pairs of bits, the table's map turns the sum of its
        entries into the drop, and what exceeds the allowed drop is paid for as in the default
        reward.

    Raises:
        RunError: If the accuracy of the task is no such table.
    """
    task = find_task(task)
    accuracy = additive_table(task)
    weight, activation = SETTINGS.T - MIN_BITS
    return JointProblem(
        pose=lambda settings, budget: ReplicationProblem.of(
            task.cost_model, *bits_of(settings), budget, task.objective
        ),
        budget=task.budget,
        objective=task.objective,
        baseline=task.cost_model.baseline.cost(task.objective),
        accuracy=(
            AccuracyTerms(
                terms=accuracy.weight_table[:, weight] + accuracy.activation_table[:, activation],
                penalty=lambda sums: (
                    PENALTY_PER_POINT * np.maximum(0.0, accuracy.drop_map(sums) - task.allowed_drop)
                ),
                magnitudes=(
                    np.abs(accuracy.weight_table)[:, weight]
                    + np.abs(accuracy.activation_table)[:, activation]
                ),
            ),
        ),
    )


def compute(args: Args) -> None:
    """Compute optima that are missing or belong to an earlier definition of their task.

    Args:
        args: Settings.
    """
    args.out.mkdir(parents=True, exist_ok=True)
    for task_id in args.env_ids:
        task, path = load_task(task_id), args.out / f"{task_id}.json"
        if path.exists():
            earlier = Optimum.from_text(path.read_text("utf-8"))
            if earlier.task_fingerprint == task.fingerprint:
                print(f"{task_id}: {path} is up to date")
                continue
        print(f"{task_id}:", flush=True)
        optimum = find_optimum(task, lambda line: print(f"  {line}", flush=True))
        write_whole(path, optimum.to_text())
        print(f"  {optimum.value:.6f}, gap {optimum.gap:.1e}: {path}", flush=True)
    if args.page is not None:
        files = (args.out / f"{task_id}.json" for task_id in TASKS)
        optima = [Optimum.from_text(f.read_text("utf-8")) for f in files if f.exists()]
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
        design = optimum.design
        outcome = evaluate_bits(load_task(optimum.task), design.weight_bits, design.activation_bits)
        rows.append(
            f"| `{optimum.task}` | {optimum.value:.6f} | {optimum.bound:.6f} | "
            f"{100 * optimum.gap:.1e} % | {outcome.speedup:.3f}x | {outcome.accuracy_drop:.3f} |"
        )
    return PAGE.format(rows="\n".join(rows))


def main() -> None:
    """Compute from the command line."""
    import tyro

    with exit_codes():
        compute(tyro.cli(Args))


if __name__ == "__main__":
    main()
