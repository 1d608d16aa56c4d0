"""Gain against drop over all chips: ``python -m lrmp.baselines.experiments.chip_front``.

For several allowances the proven best chip and design of a problem of a chip, beside the
proven best on LRMP's chip in the same area.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from lrmp.baselines.experiments.chip_choice import chip_words
from lrmp.baselines.experiments.front import best_within
from lrmp.baselines.experiments.gain_plot import draw_gains
from lrmp.envs.records.record import library_versions
from lrmp.envs.scoring.table_optimum import chosen_settings
from lrmp.envs.variant_choice.chip_problem import ChipProblem
from lrmp.envs.variant_choice.problem import VariantProblem, load_problem
from lrmp.errors import TaskError
from lrmp.foreign_file import read_foreign_text
from lrmp.foreign_text import parse_json
from lrmp.hardware.families.chip import AREA, CHIP_SPACE
from lrmp.hardware.space.design import Design
from lrmp.plotting.design_plot import new_figure
from lrmp.whole_file import replacing, write_whole

ALLOWANCES = (0.25, 0.5, 1.0, 2.0, 4.0)  # points


@dataclass
class Args:
    """Which problems, and where results are written."""

    problems: tuple[str, ...] = (
        "LRMP-LeNet-Chip-v0",
        "LRMP-LeNet-Chip-Energy-v0",
    )
    """ids, of latency or energy"""
    out: Path = Path("docs") / "results" / "families"
    """folder for chip-front.json, chip-front.png and chip-front.svg"""


@dataclass(frozen=True)
class ChipPoint:
    """The proven best chip and design within an allowance.

    Attributes:
        problem: Id.
        allowance: Largest drop, in points.
        drop: Of the design, by the table.
        gain: Over the plain design on LRMP's chip.
        bound: A gain that none exceeds, on any chip.
        without: The proven best gain on LRMP's chip.
        chip: The value of every knob of the chip, by name.
    """

    problem: str
    allowance: float
    drop: float
    gain: float
    bound: float
    without: float
    chip: dict[str, int]


def chip_front(
    problem: VariantProblem | str, allowances: Sequence[float] = ALLOWANCES
) -> list[ChipPoint]:
    """Prove the best chip and design for several allowances.

    A chip of less area is no better than its twin of the whole area, so that these alone are
    solved, each for every allowance.

    Args:
        problem: Or its id.
        allowances: Largest drops, in points.

    Returns:
        A point for every allowance that some design of LRMP's chip is within.

    Raises:
        TaskError: If the problem is not of a chip, or area is part of what it minimises.
    """
    if isinstance(problem, str):
        problem = load_problem(problem)
    if not isinstance(problem, ChipProblem) or problem.objective == "edap":
        raise TaskError(
            f"Expected a problem of a chip in which area is a limit alone, got {problem.id}: where "
            "less of it counts, the chips of the whole area are not the best."
        )
    share = CHIP_SPACE.place(AREA.name)
    whole = AREA.values.index(AREA.plain)
    numbers = [n for n, chip in enumerate(problem.variants) if chip[share] == whole]
    points = []
    for allowance in allowances:
        best, bound, without = None, -math.inf, None
        for number in tqdm(numbers, desc=f"{problem.id}, {allowance:g}", disable=None):
            task, offset = problem.task(number), problem.offset(number)
            found = best_within(task, allowance)
            if found is None:
                continue
            bound = max(bound, found.bound + offset)
            if best is None or found.value + offset > best[0]:
                best = found.value + offset, number, found
            if number == problem.plain_variant:
                without = found.value
        if best is None or without is None:
            continue
        value, number, found = best
        task = problem.task(number)
        design = Design(task.space, chosen_settings(task, found.settings), found.copies)
        points.append(
            ChipPoint(
                problem=problem.id,
                allowance=allowance,
                drop=task.accuracy.drop(design),
                gain=math.exp(value),
                bound=math.exp(max(bound, value)),
                without=math.exp(without),
                chip=problem.values(number),
            )
        )
    return points


def markdown(points: Sequence[ChipPoint]) -> str:
    """Lay points out as a table.

    Args:
        points: Of any problems.

    Returns:
        Markdown.
    """
    head = (
        "| problem | allowed drop | gain | on LRMP's chip | worth | best chip |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
    )
    rows = [
        f"| `{each.problem}` | {each.allowance:g} | {each.gain:.2f}x | {each.without:.2f}x | "
        f"{each.gain / each.without:.2f}x | {chip_words(each.chip)} |"
        for each in points
    ]
    return head + "\n".join(rows)


def format_front(path: Path) -> str:
    """Lay out what was computed before.

    Args:
        path: ``chip-front.json``.

    Returns:
        Markdown.
    """
    return markdown([ChipPoint(**each) for each in parse_json(read_foreign_text(path))["points"]])


def plot(points: Sequence[ChipPoint], path: Path) -> None:
    """Draw gain against the allowed drop, a panel for every problem.

    Args:
        points: Of all problems.
        path: Picture to write.
    """
    problems = list(dict.fromkeys(each.problem for each in points))
    figure = new_figure(3.2 * len(problems), 2.8)
    panels = figure.subplots(1, len(problems), squeeze=False)[0]
    for axes, problem in zip(panels, problems, strict=True):
        own = [each for each in points if each.problem == problem]
        draw_gains(
            axes,
            [each.allowance for each in own],
            ("any chip", [each.gain for each in own]),
            ("LRMP's chip", [each.without for each in own]),
        )
        axes.set_ylim(bottom=0)
        axes.set_title(problem.removeprefix("LRMP-").removesuffix("-v0"), fontsize="small")
    panels[0].legend(fontsize="small", frameon=False)
    figure.supxlabel("allowed drop, points", fontsize="medium")
    figure.supylabel("proven best gain in the same area", fontsize="medium")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def compute(args: Args) -> None:
    """Prove, write and draw.

    Args:
        args: Settings.
    """
    points = [point for problem in args.problems for point in chip_front(problem)]
    document = {
        "versions": library_versions(),
        "points": [asdict(each) for each in points],
    }
    args.out.mkdir(parents=True, exist_ok=True)
    write_whole(args.out / "chip-front.json", json.dumps(document, indent=1) + "\n")
    for ending in ("png", "svg"):
        plot(points, args.out / f"chip-front.{ending}")


def main() -> None:
    """Compute from the command line."""
    import tyro

    compute(tyro.cli(Args))


if __name__ == "__main__":
    main()
