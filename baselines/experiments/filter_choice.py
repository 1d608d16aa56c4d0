"""What pruned filters are worth: ``python -m lrmp.baselines.experiments.filter_choice``.

Proves the best widths and bits of every problem of pruned filters where none is stored for it as it
is defined; solves it at several allowed drops, beside the whole network; and lets the searches of
``lrmp.baselines.experiments.variant_searches`` look for the best.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tqdm import tqdm

from lrmp.baselines.experiments.knob_gain import ALLOWANCES, KnobGain, markdown, plot
from lrmp.baselines.experiments.variant_optima import prove
from lrmp.baselines.experiments.variant_searches import run_searches
from lrmp.envs.records.record import library_versions
from lrmp.envs.scoring.table_optimum import joint_problem
from lrmp.envs.variant_choice.filter_search import WidthSearch
from lrmp.envs.variant_choice.filters_problem import FiltersProblem
from lrmp.envs.variant_choice.problem import load_problem
from lrmp.envs.variant_choice.problem_ids import FILTERS_PROBLEMS
from lrmp.errors import InfeasibleAccuracyError
from lrmp.foreign_file import read_foreign_text
from lrmp.foreign_text import parse_json
from lrmp.hardware.families.filters import FILTERS
from lrmp.solvers.joint.solve import solve_joint
from lrmp.whole_file import write_whole


@dataclass
class Args:
    """Which problems, and where results are written."""

    problems: tuple[str, ...] = tuple(FILTERS_PROBLEMS)
    """ids"""
    optima: Path = Path("envs") / "variant_choice" / "optima"
    """folder for ID.json"""
    out: Path = Path("docs") / "results" / "families"
    """folder for filters.json, filters.png and filters.svg"""
    searched: tuple[str, ...] = ("LRMP-LeNet-Filters-v0", "LRMP-ResNet20-Filters-v0")
    """problems that the searches are tried on"""
    evaluations: int = 600
    """designs that every search may try"""
    seeds: int = 3
    """runs of every search"""


def width_gains(
    problem_ids: Sequence[str], allowances: Sequence[float] = ALLOWANCES
) -> list[KnobGain]:
    """Solve problems with widths to choose and with the whole network.

    Args:
        problem_ids: Of what.
        allowances: Largest drops, in points.

    Returns:
        A result for every problem and allowance; none where no design is so accurate.
    """
    found = []
    points = [(each, allowance) for each in problem_ids for allowance in allowances]
    for problem_id, allowance in tqdm(points, desc="widths", unit="point", disable=None):
        problem = load_problem(problem_id)
        assert isinstance(problem, FiltersProblem)
        tasks = replace(problem.tasks, allowed_drop=allowance)
        try:
            whole = solve_joint(joint_problem(tasks.plain, math.inf))
            best = WidthSearch(tasks).run()
        except InfeasibleAccuracyError:
            continue
        gains = (best.value, best.bound, whole.value, whole.bound)
        objective = tasks.objective
        found.append(
            KnobGain(problem_id, problem.network, objective, allowance, *map(math.exp, gains))
        )
    return found


def format_filter_worth(path: Path) -> str:
    """Lay the gains out.

    Args:
        path: ``filters.json``.

    Returns:
        Markdown.
    """
    gains = parse_json(read_foreign_text(path))["gains"]
    return markdown(FILTERS, [KnobGain(**each) for each in gains]).rstrip("\n")


def format_filter_optima(path: Path) -> str:
    """Lay the proven best designs within a point out.

    Args:
        path: ``filters.json``.

    Returns:
        Markdown.
    """
    rows = []
    for each in parse_json(read_foreign_text(path))["optima"]:
        pruned = ", ".join(f"{share}" for share in each["variant"].values())
        best, constant = math.exp(each["value"]), math.exp(each["constant"]["value"])
        share = next(iter(each["constant_variant"].values()))
        rows.append(
            f"| `{each['problem']}` | {best:.2f}x | {pruned} | {constant:.2f}x, {share} % | "
            f"{each['solved']:,} for {each['variants']:,} |"
        )
    return (
        "| problem | gain | pruned filters of the groups, percent | best constant | "
        "problems solved, for so many widths |\n| --- | --- | --- | --- | --- |\n"
    ) + "\n".join(rows)


def compute(args: Args) -> None:
    """Prove, solve, search, write and draw.

    Args:
        args: Settings.
    """
    optima = prove(args.problems, args.optima)
    gains = width_gains(args.problems)
    document = {
        "evaluations": args.evaluations,
        "versions": library_versions(),
        "optima": [asdict(each) for each in optima],
        "gains": [asdict(each) for each in gains],
        "searches": run_searches(args.searched, args.evaluations, args.seeds),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    write_whole(args.out / "filters.json", json.dumps(document, indent=1) + "\n")
    for ending in ("png", "svg"):
        plot(FILTERS, gains, args.out / f"filters.{ending}")


def main() -> None:
    """Compute from the command line."""
    import tyro

    compute(tyro.cli(Args))


if __name__ == "__main__":
    main()
