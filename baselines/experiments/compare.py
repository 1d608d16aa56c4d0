"""Compare DDPG with random search and uniform settings on one task, over several seeds.

``python -m lrmp.baselines.experiments.compare --env-id LRMP-ResNet18-v0`` trains what is missing
under ``--runs-dir`` (finished runs are taken as they are, interrupted ones resumed), prints a table
and writes ``comparison.json``, ``comparison.png`` and ``comparison.md``, the page that shows both,
to ``--out``.
"""

import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from lrmp.baselines.learners import ddpg
from lrmp.baselines.learners.settings.ddpg import Args as SettingsOfDDPG
from lrmp.baselines.running.command import check_counts
from lrmp.baselines.running.design_tally import best_so_far
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.baselines.searchers import random_search, uniform
from lrmp.baselines.study.statistics import bootstrap_interval, interquartile_mean, interval_band
from lrmp.envs.records.record import Claim, library_versions
from lrmp.envs.scoring.outcome import evaluate
from lrmp.envs.scoring.reward import SCORE_FORMULA
from lrmp.envs.task.task import load_task
from lrmp.plotting.design_plot import new_figure
from lrmp.whole_file import replacing, write_whole

COLORS = {"ddpg": "#1f6f8b", "random": "#e08e45", "uniform": "#555555"}


@dataclass(frozen=True)
class Args:
    """Compare baselines on one task."""

    env_id: str = "LRMP-ResNet18-v0"
    """id of the environment"""
    seeds: int = 5
    """seeds 1..SEEDS of every agent that has seeds"""
    evaluations: int = 600
    """designs per run"""
    runs_dir: Path = Path("runs")
    """where the run directories are"""
    out: Path = Path("runs")
    """where comparison.json, .png and .md go"""
    workers: int = 2
    """processes"""

    def __post_init__(self) -> None:
        check_counts(0, seeds=self.seeds, evaluations=self.evaluations, workers=self.workers)


def compare(args: Args) -> str:
    """Run what is missing, summarise, and write the page.

    Args:
        args: Settings.

    Returns:
        The table: by agent, the interquartile means of the best designs with their intervals.

    Raises:
        TaskError: If there is no such task.
    """
    args = replace(args, env_id=load_task(args.env_id).id)  # before any process starts
    common: dict[str, Any] = {"env_id": args.env_id, "runs_dir": args.runs_dir}
    jobs: list[tuple[str, Any, Any]] = [
        ("uniform", uniform.train, uniform.Args(**common)),
    ]
    for seed in range(1, args.seeds + 1):
        options: dict[str, Any] = common | {"seed": seed, "evaluations": args.evaluations}
        jobs.append(("random", random_search.train, random_search.Args(**options)))
        jobs.append(("ddpg", ddpg.train, SettingsOfDDPG(**options)))

    runs: dict[str, list[RunDirectory]] = {agent: [] for agent, _, _ in jobs}
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        futures = [
            (agent, pool.submit(train, options, progress=False)) for agent, train, options in jobs
        ]
        finished = as_completed(future for _, future in futures)
        try:
            for future in tqdm(finished, total=len(jobs), desc="runs", unit="run", disable=None):
                future.result()
        except BaseException:  # a failure, or Ctrl-C: the runs that have not begun never do
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        for agent, future in futures:  # by seed
            runs[agent].append(future.result())

    summary = {agent: summarise(of_agent) for agent, of_agent in runs.items()}
    table = format_table(summary)
    args.out.mkdir(parents=True, exist_ok=True)
    document = {
        "env_id": args.env_id,
        "evaluations": args.evaluations,
        "versions": library_versions(),
        "agents": summary,
    }
    write_whole(args.out / "comparison.json", json.dumps(document, indent=2) + "\n")
    write_whole(args.out / "comparison.md", format_page(args, table))
    plot_comparison(args.env_id, runs, args.out / "comparison.png")
    return table


def summarise(runs: list[RunDirectory]) -> dict[str, Any]:
    """Summarise one agent's runs by the best design of each.

    Args:
        runs: Finished runs, one per seed.

    Returns:
        Values of every seed, interquartile means and, of several seeds, intervals.
    """
    records = [run.record() for run in runs]
    summary: dict[str, Any] = {
        "seeds": len(runs),
        "evaluated_designs": max(record["evaluated_designs"] for record in records),
    }
    # A run without a score has the plain design, as on the leaderboard.
    plain = vars(Claim.of(evaluate(records[0]["task"])))
    claims = [plain if r["claim"]["score"] is None else r["claim"] for r in records]
    for name in ("score", "gain", "accuracy_drop"):
        values = [claim[name] for claim in claims]
        summary[name] = {
            "values": values,
            "iqm": interquartile_mean(values),
            "interval_95": list(bootstrap_interval(values)) if len(runs) > 1 else None,
        }
    summary["wall_time_s"] = [record["wall_time_s"] for record in records]
    return summary


def format_table(summary: dict[str, dict[str, Any]]) -> str:
    """Write the summary as a Markdown table.

    Args:
        summary: What ``summarise`` returned, by agent.

    Returns:
        One row per agent, the best first; no newline at the end.
    """
    lines = [
        "| agent | seeds | designs | best score | gain | accuracy drop (points) |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for agent, row in sorted(summary.items(), key=lambda item: -item[1]["score"]["iqm"]):
        cells = [agent, str(row["seeds"]), str(row["evaluated_designs"])]
        for name, digits in (("score", 3), ("gain", 2), ("accuracy_drop", 2)):
            text = f"{row[name]['iqm']:.{digits}f}"
            if row[name]["interval_95"] is not None:
                low, high = row[name]["interval_95"]
                text += f" [{low:.{digits}f}, {high:.{digits}f}]"
            cells.append(text)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def format_page(args: Args, table: str) -> str:
    """Write the page of a comparison.

    Args:
        args: Settings.
        table: What ``format_table`` returned.

    Returns:
        Markdown.
    """
    task = load_task(args.env_id)
    return f"""\
# Baselines on {args.env_id}

The best design of each run: interquartile mean over the seeds [95 % interval]. `uniform`
gives all layers the same setting of {" and ".join(task.space.names)}.
Accuracy drop from the {task.accuracy_label}: {task.accuracy.provenance}.

{table}

![Best score so far against evaluated designs](comparison.png)

Made by

```sh
python -m lrmp.baselines.experiments.compare --env-id {args.env_id} --seeds {args.seeds} \\
  --evaluations {args.evaluations} --out FOLDER
```

which trains what is missing. The untrained DDPG policy answers the middle of every knob. The
seeds' values and the versions are in [comparison.json](comparison.json).
"""


def plot_comparison(env_id: str, runs: dict[str, list[RunDirectory]], path: Path) -> None:
    """Draw the best score so far against evaluated designs, and save it.

    Args:
        env_id: For the title.
        runs: Finished runs by agent.
        path: Picture to write.
    """
    figure = new_figure(8, 4.5)
    axes = figure.subplots()
    ends, allowed_drop = [], load_task(env_id).allowed_drop
    for agent, finished in runs.items():
        curves = [best_so_far(run.episodes(), allowed_drop) for run in finished]
        if agent == "uniform":
            axes.axhline(curves[0][-1], color=COLORS[agent], linestyle="--", label=f"best {agent}")
            ends.append(curves[0][-1])
            continue
        table = np.stack(curves)
        designs = np.arange(1, table.shape[1] + 1)
        middle = [interquartile_mean(column) for column in table.T]
        ends.append(middle[-1])
        axes.plot(designs, middle, color=COLORS[agent], label=f"{agent} ({len(curves)} seeds)")
        if len(curves) > 1:
            low, high = interval_band(table)
            axes.fill_between(designs, low, high, color=COLORS[agent], alpha=0.2, linewidth=0)
    axes.set_ylim(min(0.0, min(ends) - 0.5), max(ends) + 0.5)
    axes.set_xlabel("evaluated designs")
    axes.set_ylabel(f"best score so far\n{SCORE_FORMULA}")
    axes.set_title(f"{env_id}: interquartile mean, 95 % interval")
    axes.legend(loc="lower right", fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def main() -> None:
    """Compare from the command line."""
    import tyro

    args = tyro.cli(Args)
    print(compare(args))
    print(f"page: {args.out / 'comparison.md'}")


if __name__ == "__main__":
    main()
