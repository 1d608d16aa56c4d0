"""Time of the exact oracle: ``python -m lrmp.baselines.experiments.oracle_scaling``."""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from lrmp.envs.records.record import library_versions
from lrmp.hardware.chip.preset import load_preset
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.networks import load_network
from lrmp.hardware.networks.network import Network
from lrmp.plotting.design_plot import new_figure
from lrmp.solvers.replication.exact import solve_exact
from lrmp.solvers.replication.problem import ReplicationProblem
from lrmp.whole_file import replacing, write_whole

REPEATS = (1, 2, 4, 8, 16, 32)  # of ResNet-18's 21 layers
BUDGETS = (1.0, 1.25, 1.5, 2.0, 4.0, 16.0, 64.0)  # of the tiles of the 8-bit design
DESIGNS, RUNS = 5, 5


@dataclass
class Args:
    """Where the measurement is written."""

    out: Path
    """folder for scaling.json and scaling.png"""


def repeated(times: int) -> Network:
    """Put ResNet-18 behind itself, a network of any depth with realistic layers.

    Args:
        times: How often.

    Returns:
        A network of ``21 * times`` layers.
    """
    layers = load_network("resnet18").layers
    return Network(
        f"resnet18 x {times}",
        tuple(replace(layer, name=f"{n}.{layer.name}") for n in range(times) for layer in layers),
    )


def measure(args: Args) -> list[dict[str, Any]]:
    """Time latency problems of random settings, write the numbers and draw them.

    Args:
        args: Settings.

    Returns:
        Layers, budget, tiles and the median of processor seconds, a row each.
    """
    rows = []
    cells = [(times, factor) for times in REPEATS for factor in BUDGETS]
    rng = np.random.default_rng(0)
    for times, factor in tqdm(cells, desc="sizes", unit="size", disable=None):
        model = CostModel(repeated(times), load_preset("lrmp_frontiers_2024"))
        budget = int(factor * model.baseline.tiles)
        seconds = []
        for _ in range(DESIGNS):
            settings = model.space.sample(rng, len(model.network))
            problem = ReplicationProblem.of(model, settings, budget, "latency")
            taken = []
            for _ in range(RUNS):
                start = time.process_time()
                solve_exact(problem)
                taken.append(time.process_time() - start)
            seconds.append(min(taken))
        rows.append(
            {
                "layers": len(model.network),
                "budget_factor": factor,
                "budget_tiles": budget,
                "seconds": float(np.median(seconds)),
            }
        )
    args.out.mkdir(parents=True, exist_ok=True)
    document = {"versions": library_versions(), "rows": rows}
    write_whole(args.out / "scaling.json", json.dumps(document, indent=1) + "\n")
    plot(rows, args.out / "scaling.png")
    return rows


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the time against the layers, a line for each budget.

    Args:
        rows: What ``measure`` returned.
        path: Picture to write.
    """
    figure = new_figure(7, 4.5)
    axes = figure.subplots()
    for factor in BUDGETS:
        mine = [row for row in rows if row["budget_factor"] == factor]
        axes.plot(
            [row["layers"] for row in mine],
            [1e3 * row["seconds"] for row in mine],
            ".-",
            label=f"{factor:g} x 8-bit tiles",
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("layers")
    axes.set_ylabel("processor time (ms)")
    axes.set_title("Exact oracle, latency, random bits, proven optimal")
    axes.legend(fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def main() -> None:
    """Measure from the command line."""
    import tyro

    measure(tyro.cli(Args))


if __name__ == "__main__":
    main()
