"""Find the optimum of tasks and store it as text.

``python -m lrmp.baselines.experiments.optimum`` does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lrmp.baselines.running.command import exit_codes
from lrmp.baselines.searchers.tree_search import search_tree
from lrmp.envs.scoring.best_constant import best_constant
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.scoring.reward import REWARD_FORMULA, score_text
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.optimum import EASY, Optimum
from lrmp.envs.task.task import TASKS, load_task
from lrmp.errors import RunError
from lrmp.solvers.joint.solve import LOGARITHM
from lrmp.whole_file import write_whole

PAGE = """\
# The proven optimum of every task

The score that every agent is measured against: `ln(gain)` of the best design within the allowed
drop, the `reward_threshold` of the environment, and 1 on the scale of
`lrmp.envs.Optimum.normalised`, whose 0 is the best *constant*: one setting for all layers, the best
of all within the allowed drop, which anybody finds in a second. `lrmp optimum LRMP-ResNet18-v0`
prints a design with its bound and the solver's log, `--plot` draws it, `--solve` finds and proves
it anew.

| task | optimum | gap | gain | drop (points) | best constant | its share |
| --- | --- | --- | --- | --- | --- | --- |
{rows}

No design within the allowed drop has a higher score than the optimum and its gap, which is what
time or energy could at most still be saved. The gap is not exactly zero, because all rounding of
floats on the way is counted against the bound. A value above its bound is an error, never hidden.
Where the constant has {easy:.0%} of the optimum or more, the task is *easy*: it stays for tests,
and out of `lrmp.suites`.

**The reward has the same optimum.** The default reward is `{formula}`.
The same proof bounds it: {exact} {count} tasks no design beyond the allowed drop, however close to
it, has a higher reward than the optimum.

**How.** A layer's tiles, time and accuracy terms depend on its own setting (here its pair of bits)
and copies alone, so a task with an additive accuracy table is a knapsack with two budgets, tiles
and accuracy (`lrmp.solvers.joint.sum`). Terms are counted in whole units of the largest sum that
matters, so that neither the unit nor the offset of a table plays a part. Prices for tiles and
accuracy give a bound on all designs; every design better than a target stays within some room of
that bound, and all designs within the room are enumerated, leaving out those that others beat.
Where a bound is too loose for that, the designs are divided in two, time and again, each part with
prices of its own, and more are listed the more parts there are (`lrmp.solvers.joint.branch`). Work
is counted, never timed; what is left over after so much of it would be a gap, and shown. For
throughput the least loss of accuracy is found for every limit on the interval between two images
(`lrmp.solvers.joint.throughput`), and for the energy-delay product a few weighted sums of energy
and delay are minimised (`lrmp.solvers.joint.product`). The accuracy of Digits is that of the
quantised network itself, which no table describes: there all settings are searched as a tree,
leaving out what is too slow whatever its accuracy (`lrmp.baselines.searchers.tree_search`).

An optimum is that of the task's model. What its design loses on a real network is [measured
apart](results/headline/headline.md); where the table is *predicted*, nobody knows. Gains in energy
are robust to which model of the chip's energies is right, [absolute energies are
not](hardware/energies.md).

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

    Tasks with an additive accuracy table are solved by ``table_optimum``; tasks whose accuracy is
    that of a small network are searched through.

    Args:
        task: What is solved.
        log: Called with every line of the solver's log.

    Returns:
        The optimum; its value and design are those of ``evaluate_settings``.

    Raises:
        InfeasibleAccuracyError: If no design that fits is within the allowed drop.
        RunError: If the search of a network's settings ends with a design beyond the allowed drop.
    """
    task = find_task(task)
    if len(task.workload) > 1 or task.accuracy.kind == "table":
        return table_optimum(task, log)
    settings, bound, lines = search_tree(task, log)
    bound += LOGARITHM * (1 + abs(bound))  # the tree and an outcome take it of other floats
    outcome = evaluate_settings(task, settings)
    if outcome.score is None or outcome.score > bound:
        raise RunError(
            f"Expected the design of {task.id} with the highest reward to be within the allowed "
            f"drop and at most {bound!r}, got {score_text(outcome.score)}."
        )
    return Optimum(
        task=task.id,
        task_fingerprint=task.fingerprint,
        design=outcome.design,
        value=outcome.score,
        bound=bound,
        reward_bound=bound,
        constant=best_constant(task),
        method="tree search over all settings with the quantised network itself",
        log=lines,
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
        constant = "none"
        if optimum.constant is not None:
            setting = "/".join(map(str, optimum.constant.setting.values()))
            constant = f"{optimum.constant.value:.4f} (`{setting}`)"
        share = f"{optimum.constant_share:.3f}" + (", easy" if optimum.is_easy else "")
        rows.append(
            f"| `{optimum.task}` | {optimum.value:.6f} | {100 * optimum.gap:.1e} % | "
            f"{outcome.gain:.3f}x | {outcome.accuracy_drop:.3f} | {constant} | {share} |"
        )
    exact = sum(optimum.is_exact for optimum in optima)
    return PAGE.format(
        rows="\n".join(rows),
        easy=EASY,
        formula=REWARD_FORMULA,
        exact="in all" if exact == len(optima) else f"in {exact} of",
        count=len(optima),
    )


def main() -> None:
    """Compute from the command line."""
    import tyro

    with exit_codes():
        compute(tyro.cli(Args))


if __name__ == "__main__":
    main()
