"""Compare DDPG with random search and uniform bits on one task, over several seeds.

``python -m lrmp.baselines.compare --env-id LRMP-ResNet18-v0`` trains what is missing under
``--runs-dir`` (finished runs are taken as they are, interrupted ones resumed), prints a table and
writes ``comparison.json`` and ``comparison.png`` to ``--out``.
"""

import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lrmp.baselines import ddpg, random_search, uniform
from lrmp.baselines.run_directory import RunDirectory
from lrmp.baselines.statistics import bootstrap_interval, interquartile_mean
from lrmp.envs.design_plot import new_figure
from lrmp.envs.task import load_task

COLORS = {"ddpg": "#1f6f8b", "random": "#e08e45", "uniform": "#555555", "uniform-pairs": "#b8b8b8"}


@dataclass(frozen=True)
class Args:
    """Compare baselines on one task."""

    env_id: str = "LRMP-ResNet18-v0"
    """id of the environment"""
    seeds: int = 5
    """seeds 1..SEEDS of every agent that has seeds"""
    episodes: int = 600
    """designs per run"""
    runs_dir: Path = Path("runs")
    """where the run directories are"""
    out: Path = Path("runs")
    """where comparison.json and comparison.png go"""
    workers: int = 2
    """processes"""


def compare(args: Args) -> dict[str, Any]:
    """Run what is missing and summarise.

    Args:
        args: Settings.

    Returns:
        By agent: best reward, speedup and drop of every seed, the interquartile mean of the
        rewards and of the speedups, each with its 95 % bootstrap interval.
    """
    load_task(args.env_id)  # an unknown id is refused before any process starts
    common: dict[str, Any] = {"env_id": args.env_id, "runs_dir": args.runs_dir}
    jobs: list[tuple[str, Any, Any]] = [
        ("uniform", uniform.train, uniform.Args(**common)),
        ("uniform-pairs", uniform.train, uniform.Args(**common, pairs=True)),
    ]
    for seed in range(1, args.seeds + 1):
        options = common | {"seed": seed, "episodes": args.episodes}
        jobs.append(("random", random_search.train, random_search.Args(**options)))
        jobs.append(("ddpg", ddpg.train, ddpg.Args(**options)))

    runs: dict[str, list[RunDirectory]] = {agent: [] for agent, _, _ in jobs}
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        futures = {
            pool.submit(train, options, progress=False): agent for agent, train, options in jobs
        }
        for future in tqdm(as_completed(futures), total=len(jobs), desc="runs", unit="run"):
            runs[futures[future]].append(future.result())
    for finished in runs.values():
        finished.sort(key=lambda run: run.path.name)

    summary = {agent: summarise(finished) for agent, finished in runs.items()}
    args.out.mkdir(parents=True, exist_ok=True)
    document = {"env_id": args.env_id, "episodes": args.episodes, "agents": summary}
    (args.out / "comparison.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    plot_comparison(args.env_id, runs, args.out / "comparison.png")
    return summary


def summarise(runs: list[RunDirectory]) -> dict[str, Any]:
    """Summarise one agent's runs by the best design of each.

    Args:
        runs: Finished runs, one per seed.

    Returns:
        Values of every seed, interquartile means and intervals.
    """
    records = [json.loads(run.record_path.read_text("utf-8")) for run in runs]
    summary: dict[str, Any] = {"seeds": len(runs)}
    for name in ("reward", "speedup", "accuracy_drop"):
        values = [record["claim"][name] for record in records]
        low, high = bootstrap_interval(values)
        summary[name] = {
            "values": values,
            "iqm": interquartile_mean(values),
            "interval_95": [low, high],
        }
    summary["wall_time_s"] = [record["wall_time_s"] for record in records]
    return summary


def plot_comparison(env_id: str, runs: dict[str, list[RunDirectory]], path: Path) -> None:
    """Draw the best reward so far against evaluated designs, and save it.

    Args:
        env_id: For the title.
        runs: Finished runs by agent.
        path: Picture to write.
    """
    figure = new_figure(8, 4.5)
    axes = figure.subplots()
    for agent, finished in runs.items():
        curves = [np.maximum.accumulate(run.rewards()) for run in finished]
        if len(curves) == 1:
            axes.axhline(curves[0][-1], color=COLORS[agent], linestyle="--", label=f"best {agent}")
            continue
        table = np.stack(curves)
        designs = np.arange(1, table.shape[1] + 1)
        middle, low, high = _interquartile_curves(table)
        axes.plot(designs, middle, color=COLORS[agent], label=f"{agent} ({len(curves)} seeds)")
        axes.fill_between(designs, low, high, color=COLORS[agent], alpha=0.2, linewidth=0)
    floor = min(0.0, *(run.rewards()[0] for run in runs["ddpg"]))
    axes.set_ylim(bottom=max(floor, -1.0))
    axes.set_xlabel("evaluated designs")
    axes.set_ylabel("best reward so far\nln(speedup) - max(0, drop - 1 point)")
    axes.set_title(f"{env_id}: interquartile mean, 95 % bootstrap interval")
    axes.legend(loc="lower right", fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def _interquartile_curves(
    table: NDArray[np.float64],
) -> tuple[list[float], list[float], list[float]]:
    """Return the interquartile mean and its interval column by column."""
    middle = [interquartile_mean(column) for column in table.T]
    low, high = zip(*(bootstrap_interval(c, resamples=500) for c in table.T), strict=True)
    return middle, list(low), list(high)


def main() -> None:
    """Compare from the command line."""
    import tyro

    args = tyro.cli(Args)
    summary = compare(args)
    print(f"{'agent':<14} {'seeds':>5}  reward: IQM [95 %]         speedup: IQM [95 %]")
    for agent, row in summary.items():
        cells = [
            f"{row[name]['iqm']:.3f} [{row[name]['interval_95'][0]:.3f}, "
            f"{row[name]['interval_95'][1]:.3f}]"
            for name in ("reward", "speedup")
        ]
        print(f"{agent:<14} {row['seeds']:>5}  {cells[0]:<26} {cells[1]}")
    print(f"wrote {args.out / 'comparison.json'} and {args.out / 'comparison.png'}")


if __name__ == "__main__":
    main()
