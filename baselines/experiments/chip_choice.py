"""What the knobs of the chip are worth: ``python -m lrmp.baselines.experiments.chip_choice``.

Proves the best chip and design of every problem of a chip where none is stored for it as it is
defined, beside the proven best design on LRMP's chip in the same area; and lets the searches of
``lrmp.baselines.experiments.variant_searches`` look for them.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lrmp.baselines.experiments.gain_plot import WITH, WITHOUT
from lrmp.baselines.experiments.variant_optima import prove
from lrmp.baselines.experiments.variant_searches import run_searches
from lrmp.envs.records.record import library_versions
from lrmp.envs.variant_choice.optimum import VariantOptimum
from lrmp.envs.variant_choice.problem_ids import CHIP_PROBLEMS
from lrmp.foreign_file import read_foreign_text
from lrmp.foreign_text import parse_json
from lrmp.plotting.design_plot import new_figure
from lrmp.whole_file import replacing, write_whole


@dataclass
class Args:
    """Which problems, and where results are written."""

    problems: tuple[str, ...] = tuple(CHIP_PROBLEMS)
    """ids"""
    optima: Path = Path("envs") / "variant_choice" / "optima"
    """folder for ID.json"""
    out: Path = Path("docs") / "results" / "families"
    """folder for chip.json, chip.png and chip.svg"""
    searched: tuple[str, ...] = ("LRMP-LeNet-Chip-v0", "LRMP-ResNet20-Chip-v0")
    """problems that the searches are tried on"""
    evaluations: int = 600
    """designs that every search may try"""
    seeds: int = 3
    """runs of every search"""


def chip_words(chip: Mapping[str, int]) -> str:
    """Say what a chip is like, but for its area.

    Args:
        chip: The value of every knob of the chip, by name.

    Returns:
        Words for a table.
    """
    return (
        f"{chip['crossbar_side']}², {chip['cell_bits']} bit, {chip['active_rows']} rows, "
        f"{chip['columns_per_adc']} per ADC"
    )


def format_worth(path: Path) -> str:
    """Lay out what was computed before.

    Args:
        path: ``chip.json``.

    Returns:
        Markdown.
    """
    rows = []
    for each in parse_json(read_foreign_text(path))["optima"]:
        words = f"{chip_words(each['variant'])}, {each['variant']['area_eighths']}/8"
        best, without = math.exp(each["value"]), math.exp(each["without"])
        constant = math.exp(each["constant"]["value"])
        rows.append(
            f"| `{each['problem']}` | {best:.2f}x | {without:.2f}x | {best / without:.2f}x | "
            f"{constant:.2f}x | {words} | {each['solved']} of {each['variants']} |"
        )
    head = (
        "| problem | gain with the chip's knobs | on LRMP's chip | worth | best constant | "
        "best chip | solved after the bounds |\n| --- | --- | --- | --- | --- | --- | --- |\n"
    )
    return head + "\n".join(rows)


def plot(optima: Sequence[VariantOptimum], path: Path) -> None:
    """Draw the gains with and without the knobs of the chip.

    Args:
        optima: Of every problem.
        path: Picture to write.
    """
    figure = new_figure(8.0, 3.4)
    axes = figure.subplots()
    x = np.arange(len(optima))
    axes.bar(
        x - 0.2, [math.exp(o.without) for o in optima], 0.4, color=WITHOUT, label="LRMP's chip"
    )
    axes.bar(x + 0.2, [math.exp(o.value) for o in optima], 0.4, color=WITH, label="chosen chip")
    names = [o.problem.removeprefix("LRMP-").removesuffix("-v0") for o in optima]
    axes.set_xticks(x, names, rotation=20, ha="right", fontsize="small")
    axes.set_yscale("log")
    axes.set_ylabel("proven gain in the same area")
    axes.legend(fontsize="small", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def compute(args: Args) -> None:
    """Prove, search, write and draw.

    Args:
        args: Settings.
    """
    optima = prove(args.problems, args.optima)
    document = {
        "evaluations": args.evaluations,
        "versions": library_versions(),
        "optima": [asdict(each) for each in optima],
        "searches": run_searches(args.searched, args.evaluations, args.seeds),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    write_whole(args.out / "chip.json", json.dumps(document, indent=1) + "\n")
    for ending in ("png", "svg"):
        plot(optima, args.out / f"chip.{ending}")


def main() -> None:
    """Compute from the command line."""
    import tyro

    compute(tyro.cli(Args))


if __name__ == "__main__":
    main()
