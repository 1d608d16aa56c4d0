"""CIM-AQ's policies beside the proven optimum: ``python -m lrmp.baselines.experiments.cim_aq``."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from lrmp.baselines.experiments.cim_aq_policies import ORDERS, Order, Policy, read_policies
from lrmp.baselines.running.command import exit_codes
from lrmp.envs.records.record import library_versions
from lrmp.envs.scoring.outcome import evaluate
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.envs.task.custom_task import make_task
from lrmp.envs.task.task import Task
from lrmp.hardware.families.cim_aq import cim_aq_chip, cim_aq_space
from lrmp.hardware.networks import load_network
from lrmp.plotting.design_plot import new_figure
from lrmp.whole_file import replacing, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORK = "resnet18"
DEFAULT_OUT = Path("docs/results/cim-aq")
#: Drops in points at which the curves of the picture are solved.
CURVE = tuple(np.geomspace(0.25, 20, 24).round(3).tolist())
TICKS = (0.25, 0.5, 1, 2, 5, 10, 20)
COLOURS = {"file": "#1f6f8b", "modules": "#e08e45"}


@dataclass
class Args:
    """Where the policies are, and where the comparison is written."""

    policies: Path
    """folder results/resnet18 of a clone of github.com/jmkle/cim-aq"""
    out: Path = DEFAULT_OUT
    """folder for comparison.md, comparison.json and the picture"""


@dataclass(frozen=True)
class Played:
    """A policy in one order, by this model.

    Attributes:
        gain: Speed-up over 8/8 bits.
        drop: Percentage points, by the table.
        best_at_drop: The proven best speed-up of designs that drop no more, under the constraints
            of the policy.
    """

    gain: float
    drop: float
    best_at_drop: float


@dataclass(frozen=True)
class Row:
    """A policy and the optimum under its constraints.

    Attributes:
        cell_bits: Bits of a cell.
        constraint: As the policy's file is named.
        allowed_drop: Percentage points that the search might lose.
        played: The policy by the order in which its rows are read.
        best: The proven best speed-up of designs that drop at most as much.
        gap: By how much, relative, time could at most still be saved.
    """

    cell_bits: int
    constraint: str
    allowed_drop: int
    played: dict[Order, Played]
    best: float
    gap: float


def cim_aq_task(
    cell_bits: int, allowed_drop: float, *, whole_cells: bool = True, pinned: bool = True
) -> Task:
    """Define the task that a policy was searched for.

    Args:
        cell_bits: Bits of a cell: 2 or 4.
        allowed_drop: Percentage points.
        whole_cells: Whether weights fill their cells.
        pinned: Whether the first and the last layer keep 8 bits.

    Returns:
        The latency of ResNet-18 on the chip, by the table of post-training quantisation.
    """
    network, chip = load_network(NETWORK), cim_aq_chip(cell_bits)
    space = cim_aq_space(network, chip, whole_cells=whole_cells, pinned=pinned)
    return make_task(network, chip, allowed_drop=allowed_drop, space=space)


def compare(policies: Iterable[Policy]) -> list[Row]:
    """Score policies and prove the optimum of the task of each.

    Args:
        policies: Of ResNet-18.

    Returns:
        A row for each.

    Raises:
        DesignError: If a policy breaks its own constraints.
    """
    return [_compare(policy) for policy in policies]


def _compare(policy: Policy) -> Row:
    def task(allowed_drop: float) -> Task:
        return cim_aq_task(
            policy.cell_bits,
            allowed_drop,
            whole_cells=policy.whole_cells,
            pinned=policy.pinned,
        )

    asked = task(policy.allowed_drop)
    optimum = table_optimum(asked)
    played: dict[Order, Played] = {}
    for order in ORDERS:
        outcome = evaluate(asked, policy.values(asked.network, order))
        drop = outcome.accuracy_drop
        at_drop = table_optimum(task(max(drop, 0.0)))
        played[order] = Played(outcome.gain, drop, math.exp(at_drop.value))
    return Row(
        cell_bits=policy.cell_bits,
        constraint=policy.constraint,
        allowed_drop=policy.allowed_drop,
        played=played,
        best=math.exp(optimum.value),
        gap=optimum.gap,
    )


def format_table(rows: Iterable[Row]) -> str:
    """Write rows as Markdown.

    Args:
        rows: Of the table.

    Returns:
        A line per row.
    """
    titles = ["cell bits", "constraints", "allowed drop"]
    for suffix in ("", ", order of modules"):
        titles += [f"policy{suffix}", "its table drop", "best at that drop"]
    titles.append("optimum")
    lines = [f"| {' | '.join(titles)} |", f"| {' | '.join(['---'] * len(titles))} |"]
    for row in rows:
        cells = [f"{row.cell_bits}", row.constraint.replace("_", "/"), f"{row.allowed_drop}"]
        for order in ORDERS:
            played = row.played[order]
            cells += [f"{played.gain:.3f}", f"{played.drop:.2f}", f"{played.best_at_drop:.3f}"]
        lines.append(f"| {' | '.join([*cells, f'{row.best:.3f}'])} |")
    return "\n".join(lines)


def format_page(rows: list[Row], verdict: str) -> str:
    """Write the page.

    Args:
        rows: Of all policies.
        verdict: What is known of the table of accuracies.

    Returns:
        Markdown.
    """
    gap = max(row.gap for row in rows)
    return f"""\
# CIM-AQ's policies and the proven optimum

ResNet-18 on CIM-AQ's crossbar (arXiv 2601.21737): speed-ups over 8/8 bits by its latency model,
which counts writes and multiplications, and drops in percentage points by this project's table of
post-training quantisation ({verdict}). Policies are those of the repository jmkle/cim-aq. *Optimum*
is the best design under the policy's constraints within the allowed drop, *best at that drop* the
best within the drop that the policy has in the table; all are proven, to a relative gap of
{gap:.0e}.

Under both constraints:

{format_table(row for row in rows if row.constraint == "both")}

Under others:

{format_table(row for row in rows if row.constraint != "both")}

![Policies and the best speed-up by drop](comparison.png)

The first three columns of a policy read its rows in the order of the repository's layer file, which
is that in which its network takes them; the next three in the order of the network's modules
([two orders](../../families/cim_aq.md#two-orders)). Drops of policies are not those of the paper,
which fine-tunes for 3 epochs in the search and for 30 after it: a policy that keeps its allowance
there may exceed it here. In the picture the numbers are the allowed drops of the policies.

Made by `python -m lrmp.baselines.experiments.cim_aq --policies FOLDER`.
"""


def plot(rows: list[Row], curves: dict[int, list[tuple[float, float]]]) -> "Figure":
    """Draw policies under both constraints below the best speed-ups.

    Args:
        rows: Of all policies.
        curves: By cell bits the drops and proven best speed-ups.

    Returns:
        A panel for each kind of cell.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    figure = new_figure(9, 4)
    panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for axes, (cell_bits, curve) in zip(panels, sorted(curves.items()), strict=True):
        axes.plot(*zip(*curve, strict=True), color="black", label="proven optimum")
        for order, marker in zip(ORDERS, "os", strict=True):
            mine = [r for r in rows if (r.constraint, r.cell_bits) == ("both", cell_bits)]
            points = [(r.played[order].drop, r.played[order].gain) for r in mine]
            label = {"file": "CIM-AQ's policies", "modules": "in the order of modules"}[order]
            axes.scatter(
                *zip(*points, strict=True), color=COLOURS[order], marker=marker, label=label
            )
            for row, point in zip(mine, points, strict=True):
                if order == "file":
                    axes.annotate(
                        f"{row.allowed_drop}", point, (5, -11), textcoords="offset points"
                    )
        axes.set_xscale("log")
        axes.set_xticks(TICKS, labels=[f"{tick:g}" for tick in TICKS])
        axes.minorticks_off()
        axes.set_xlabel("accuracy drop by the table (points)")
        axes.set_title(f"{cell_bits}-bit cells")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("speed-up over 8/8 bits")
    panels[0].legend(loc="upper left")
    return figure


def measure(args: Args) -> str:
    """Compare the policies and write page, numbers and picture.

    Args:
        args: Settings.

    Returns:
        The table, as Markdown.

    Raises:
        RunError: If there are no policies.
        MissingExtraError: If matplotlib is not installed.
    """
    new_figure(1, 1)  # refuses at once where nothing can be drawn
    policies = read_policies(args.policies, load_network(NETWORK))
    rows = compare(tqdm(policies, desc="policies", unit="policy", disable=None))
    cells = sorted({row.cell_bits for row in rows if row.constraint == "both"})
    curves = {
        cell_bits: [
            (drop, math.exp(table_optimum(cim_aq_task(cell_bits, drop)).value))
            for drop in tqdm(CURVE, desc=f"{cell_bits}-bit cells", unit="drop", disable=None)
        ]
        for cell_bits in cells
    }
    args.out.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {
        "versions": library_versions(),
        "rows": [asdict(row) for row in rows],
        "curves": {str(cell_bits): curve for cell_bits, curve in curves.items()},
    }
    write_whole(args.out / "comparison.json", json.dumps(document, indent=1) + "\n")
    misses = cim_aq_task(4, 1.0).accuracy_misses
    verdict = f"not found to hold on optimised designs: {'; '.join(misses)}" if misses else "judged"
    write_whole(args.out / "comparison.md", format_page(rows, verdict))
    figure = plot(rows, curves)
    for ending in ("png", "svg"):
        with replacing(args.out / f"comparison.{ending}") as temporary:
            figure.savefig(temporary, dpi=150, format=ending)
    return format_table(rows)


def main() -> None:
    """Compare from the command line."""
    import tyro

    with exit_codes():
        print(measure(tyro.cli(Args)))


if __name__ == "__main__":
    main()
