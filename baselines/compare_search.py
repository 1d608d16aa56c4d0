"""Compare all searchers: ``python -m lrmp.baselines.compare_search``.

At equal numbers of evaluated designs, against the certified optimum. Runs what is missing under
``--runs-dir``, one run at a time (finished runs are taken as they are, interrupted ones resumed),
and writes ``comparison.json``, ``.png`` and ``.md`` to ``--out``. ``--learners`` trains agents,
too; runs of DDPG are taken from ``--learner-runs``, where ``lrmp train ddpg --runs-dir`` left them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lrmp.baselines import (
    annealing,
    bayesian,
    cma_es,
    genetic,
    greedy,
    hawq_ilp,
    random_search,
    uniform,
)
from lrmp.baselines.command import check_counts
from lrmp.baselines.run_directory import RunDirectory
from lrmp.baselines.statistics import (
    bootstrap_interval,
    interquartile_mean,
    interquartile_means,
    optimality_gaps,
    performance_profile,
    probability_of_improvement,
)
from lrmp.envs.design_plot import new_figure
from lrmp.envs.optimum import stored_optimum
from lrmp.envs.record import library_versions
from lrmp.envs.task import load_task
from lrmp.errors import RunError

Floats = NDArray[np.float64]
Shares = dict[str, dict[str, dict[int, list[float]]]]  # by agent, task and number of designs

BUDGETS = (100, 600, 1000, 10_000)
POOLED_AT = 600  # designs: the protocol's budget
RESAMPLES = 2000


@dataclass(frozen=True)
class Args:
    """Compare all searchers on a few tasks."""

    env_ids: tuple[str, ...] = (
        "LRMP-ResNet18-v0",
        "LRMP-ResNet18-v1",
        "LRMP-ResNet20-v0",
        "LRMP-MLP-v0",
    )
    """ids of the environments; their accuracy must be a table"""
    seeds: int = 10
    """seeds 1..SEEDS of runs of 1,000 designs"""
    slow_seeds: int = 3
    """seeds of Bayesian optimisation; 0 leaves it out"""
    slow_designs: int = 100
    """designs of Bayesian optimisation, whose model takes far longer than the scoring"""
    long_seeds: int = 3
    """seeds of runs of 10,000 designs; 0 leaves them out"""
    runs_dir: Path = Path("runs/search")
    """where the run directories are, in a folder per number of designs"""
    learners: bool = False
    """train PPO and policy gradients, too"""
    policy: Path | None = None
    """with LEARNERS: a policy of lrmp.baselines.transfer, to start policy gradients from"""
    learner_runs: Path | None = None
    """folder of finished runs of ddpg that are shown beside the searchers"""
    out: Path = Path("docs/results/search")
    """where comparison.json, .png and .md go"""

    def __post_init__(self) -> None:
        check_counts(0, seeds=self.seeds, slow_designs=self.slow_designs)
        for name in ("slow_seeds", "long_seeds"):
            if getattr(self, name) < 0:
                raise RunError(f"Expected {name} of at least 0, got {getattr(self, name)}.")
        for env_id in self.env_ids:
            load_task(env_id)
            if stored_optimum(env_id) is None:
                raise RunError(f"Expected tasks with a stored optimum, got {env_id}.")


@dataclass(frozen=True)
class Job:
    """One run, and where it is read.

    Attributes:
        agent: Its name.
        env_id: Id of the task.
        budgets: Numbers of designs after which its best design counts.
        train: Makes the run, or returns it if it is finished.
    """

    agent: str
    env_id: str
    budgets: tuple[int, ...]
    train: Callable[[], RunDirectory]


def jobs(args: Args) -> list[Job]:
    """List all runs, the shorter ones first.

    Args:
        args: Settings.

    Returns:
        Searches; runs of learning agents that exist come last.
    """
    found: list[Job] = []

    def add(agent: str, budgets: tuple[int, ...], most: int, module: Any, **own: Any) -> None:
        for env_id in args.env_ids:
            options = module.Args(env_id=env_id, runs_dir=args.runs_dir / str(most), **own)
            train = partial(module.train, options, progress=False)
            found.append(Job(agent, env_id, budgets, train))

    # What ends by itself is read everywhere.
    add("uniform-pairs", BUDGETS, 49, uniform, pairs=True)
    add("hawq-ilp", BUDGETS, 1, hawq_ilp)
    add("hawq-ilp-tile-time", BUDGETS, 1, hawq_ilp, cost="tile-time")
    add("greedy", BUDGETS, BUDGETS[-1], greedy, designs=BUDGETS[-1])
    for seed in range(1, args.seeds + 1):
        add("random", BUDGETS[:3], 1000, random_search, seed=seed, episodes=1000)
        for agent, module in (("genetic", genetic), ("annealing", annealing), ("cma-es", cma_es)):
            add(agent, BUDGETS[:3], 1000, module, seed=seed, designs=1000)
    slow = tuple(budget for budget in BUDGETS if budget <= args.slow_designs)
    for seed in range(1, args.slow_seeds + 1):
        add("bayesian-tpe", slow, args.slow_designs, bayesian, seed=seed, designs=args.slow_designs)
    for seed in range(1, args.long_seeds + 1):
        add("random", BUDGETS[3:], 10_000, random_search, seed=seed, episodes=10_000)
        for agent, module in (("genetic", genetic), ("annealing", annealing)):
            add(agent, BUDGETS[3:], 10_000, module, seed=seed, designs=10_000)
    if args.learners:
        _add_learners(args, add)
    return found + _ddpg_jobs(args)


def _add_learners(args: Args, add: Callable[..., None]) -> None:
    from lrmp.baselines import policy_gradient, ppo  # they need torch

    for seed in range(1, args.seeds + 1):
        own: dict[str, Any] = {"seed": seed, "episodes": 1000}
        add("ppo", BUDGETS[:3], 1000, ppo, **own)
        add("policy-gradient", BUDGETS[:3], 1000, policy_gradient, **own)
        if args.policy is not None:
            own["start"] = args.policy
            add("policy-gradient-pretrained", BUDGETS[:3], 1000, policy_gradient, **own)


def _ddpg_jobs(args: Args) -> list[Job]:
    if args.learner_runs is None:
        return []
    return [
        Job("ddpg", env_id, BUDGETS[:2], partial(RunDirectory, path))
        for env_id in args.env_ids
        for path in sorted(args.learner_runs.glob(f"{env_id}__ddpg__*"))
    ]


def compare(args: Args) -> str:
    """Run what is missing, summarise, and write the page.

    Args:
        args: Settings.

    Returns:
        The page.
    """
    shares: Shares = {}
    curves: dict[tuple[str, str], list[Floats]] = {}
    for job in tqdm(jobs(args), desc="runs", unit="run"):
        scores = curve(job.env_id, job.train())
        by_budget = shares.setdefault(job.agent, {}).setdefault(job.env_id, {})
        for budget in job.budgets:
            by_budget.setdefault(budget, []).append(float(scores[min(budget, len(scores)) - 1]))
        if BUDGETS[0] in job.budgets:
            curves.setdefault((job.agent, job.env_id), []).append(scores)

    args.out.mkdir(parents=True, exist_ok=True)
    document = {"versions": library_versions(), "share_of_optimum": shares}
    (args.out / "comparison.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    page = format_page(args, shares)
    (args.out / "comparison.md").write_text(page, "utf-8")
    plot_comparison(args, shares, curves, args.out / "comparison.png")
    return page


def curve(env_id: str, run: RunDirectory) -> Floats:
    """Return the best reward so far as a share of the certified optimum.

    Args:
        env_id: Id of the task.
        run: A finished run.

    Returns:
        After every design, shape (designs,).
    """
    optimum = stored_optimum(env_id)
    assert optimum is not None  # checked by Args
    shares: Floats = np.maximum.accumulate(run.rewards()) / optimum.value
    return shares


def pooled(args: Args, shares: Shares, agent: str, budget: int) -> Floats | None:
    """Collect an agent's runs on all tasks.

    Args:
        args: Settings.
        shares: All shares of the optimum.
        agent: Its name.
        budget: Designs.

    Returns:
        Shape (R, T), or None if a task is missing.
    """
    runs = [shares[agent].get(env_id, {}).get(budget, []) for env_id in args.env_ids]
    least = min(map(len, runs))
    return np.array([row[:least] for row in runs]).T if least else None


def format_page(args: Args, shares: Shares) -> str:
    """Write the page.

    Args:
        args: Settings.
        shares: All shares of the optimum.

    Returns:
        Markdown.
    """
    heads = " | ".join(f"{budget:,}" for budget in BUDGETS)
    tasks = []
    for env_id in args.env_ids:
        rows = [
            f"| {agent} | {' | '.join(_gap(by_task[env_id].get(b)) for b in BUDGETS)} |"
            for agent, by_task in shares.items()
            if env_id in by_task
        ]
        head = f"| searcher | {heads} |\n| --- |{' --- |' * len(BUDGETS)}"
        tasks.append("\n".join([f"### {env_id}", "", head, *rows]))
    return f"""\
# Searchers and agents at equal numbers of evaluated designs

How far the best design is from the certified optimum: `1 - reward / optimum` in per cent, where 100
is the plain 8-bit chip and 0 the [proven optimum](../../optimum.md). Interquartile mean over the
seeds [stratified-bootstrap 95 % interval]. Every design that is scored counts, repeated ones too;
what a table says of accuracy costs none. {_who(args)}

![Gap to the optimum against evaluated designs](comparison.png)

Lines are interquartile means over the seeds, crosses the runs of 10,000 designs.

## All tasks at {POOLED_AT} designs

{_pooled_table(args, shares)}

The interquartile mean is that of the share of the optimum, of all runs on all tasks. The optimality
gap is the mean of what is missing to 1. The last column is how likely a run is better than one of
random search on a task drawn at random.

## Task by task, at {heads.replace(" | ", ", ")} designs

{(chr(10) * 2).join(tasks)}

## Settings

Chosen on procedural instances that are not scored: [the protocol and every run](tuning.md). Runs of
10,000 designs are runs of their own, because annealing stretches its schedule over its designs.
Greedy and the integer programs know the task's accuracy table; PPO and the policy gradients see the
layers' sensitivities in their observations; the others see nothing but the rewards of designs. The
pretrained policy has learnt on other networks ([how](../transfer/transfer.md)); its designs there
are not counted. Not chosen by the protocol, but with an eye on some of these tasks: that greedy
may go down to any width at once, and the costs that the integer programs offer; nor were the
learning agents' settings, which were chosen on LRMP-ResNet18-v1.

Made by

```sh
python -m lrmp.baselines.compare_search --seeds {args.seeds} --slow-seeds {args.slow_seeds} \\
  --slow-designs {args.slow_designs} --long-seeds {args.long_seeds}{_learner_options(args)}
```

which runs what is missing (`--learner-runs` names a folder of finished runs of DDPG). All values
and the versions are in [comparison.json](comparison.json).
"""


def _learner_options(args: Args) -> str:
    options = " \\\n  --learners" if args.learners else ""
    return options + (f" --policy {args.policy}" if args.policy else "")


def _who(args: Args) -> str:
    text = f"Runs per task: {args.seeds}, but\none where chance plays no part"
    if args.slow_seeds:
        text += (
            f"; of Bayesian optimisation {args.slow_seeds}, of\n{args.slow_designs} designs each"
        )
    if args.long_seeds:
        text += f"; of 10,000 designs {args.long_seeds}"
    text += "."
    if args.learner_runs is not None:
        text += "\nDDPG: the runs that exist."
    return text


def _gap(values: list[float] | None) -> str:
    """Write the gap of one agent's runs in per cent."""
    if not values:
        return ""
    gaps = 100 * np.maximum(1 - np.array(values), 0)
    text = f"{interquartile_mean(gaps):.2f}"
    if len(values) > 1:
        low, high = bootstrap_interval(gaps, resamples=RESAMPLES)
        text += f" [{low:.2f}, {high:.2f}]"
    return text


def _pooled_table(args: Args, shares: Shares) -> str:
    """Rank the agents that have runs on all tasks by their interquartile mean."""
    chance = pooled(args, shares, "random", POOLED_AT)
    assert chance is not None
    rows = []
    for agent in shares:
        matrix = pooled(args, shares, agent, POOLED_AT)
        if matrix is None:
            continue
        cells = []
        gap = float(optimality_gaps(matrix))
        for value, statistic in (
            (interquartile_mean(matrix), interquartile_means),
            (gap, optimality_gaps),
        ):
            text = f"{value:.4f}"
            if len(matrix) > 1:
                low, high = bootstrap_interval(matrix, statistic, resamples=RESAMPLES)
                text += f" [{low:.4f}, {high:.4f}]"
            cells.append(text)
        better = "" if agent == "random" else f"{probability_of_improvement(matrix, chance):.2f}"
        rows.append((-gap, f"| {agent} | {len(matrix)} | {' | '.join(cells)} | {better} |"))
    head = (
        "| searcher | seeds | interquartile mean | optimality gap | better than random |\n"
        "| --- | --- | --- | --- | --- |\n"
    )
    return head + "\n".join(row for _, row in sorted(rows, reverse=True))


def plot_comparison(
    args: Args, shares: Shares, curves: dict[tuple[str, str], list[Floats]], path: Path
) -> None:
    """Draw the gap against evaluated designs by task, and the performance profiles.

    Args:
        args: Settings.
        shares: All shares of the optimum.
        curves: Best so far by agent and task, one curve per run.
        path: Picture to write.
    """
    panels = len(args.env_ids) + 1
    columns = 3 if panels > 2 else panels
    figure = new_figure(5 * columns, 4 * -(-panels // columns) + 0.6)
    grid = figure.subplots(-(-panels // columns), columns, squeeze=False).ravel()
    colors = {agent: f"C{index % 10}" for index, agent in enumerate(shares)}
    lines = {agent: ("-", "--")[index // 10] for index, agent in enumerate(shares)}
    for axes, env_id in zip(grid, args.env_ids, strict=False):
        for agent, color in colors.items():
            runs = curves.get((agent, env_id))
            if runs is None:
                continue
            length = max(map(len, runs))
            table = np.stack([np.pad(run, (0, length - len(run)), mode="edge") for run in runs])
            places = np.unique(np.geomspace(1, length, 200).astype(int))
            middle = [100 * (1 - interquartile_mean(table[:, place - 1])) for place in places]
            marker = "o" if length == 1 else None
            axes.plot(places, middle, color=color, label=agent, marker=marker, ls=lines[agent])
            longer = shares[agent][env_id].get(BUDGETS[-1])
            if longer and length == BUDGETS[-2]:  # runs of their own
                gap = 100 * (1 - interquartile_mean(longer))
                axes.plot(BUDGETS[-1], gap, color=color, marker="x")
        axes.set_xscale("log")
        axes.set_yscale("symlog", linthresh=0.01)
        axes.set_ylim(0, 300)
        axes.set_title(env_id, fontsize="medium")
        axes.set_xlabel("evaluated designs")
        axes.set_ylabel("gap to the certified optimum (%)")
    profile = grid[len(args.env_ids)]
    gaps = np.geomspace(0.01, 100, 200)
    for agent, color in colors.items():
        matrix = pooled(args, shares, agent, POOLED_AT)
        if matrix is not None:
            within = performance_profile(matrix, 1 - gaps / 100)
            profile.plot(gaps, within, color=color, ls=lines[agent])
    profile.set_xscale("log")
    profile.set_title(f"all tasks at {POOLED_AT} designs", fontsize="medium")
    profile.set_xlabel("gap to the certified optimum (%)")
    profile.set_ylabel("share of runs within the gap")
    for axes in grid:
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[panels:]:
        axes.set_axis_off()
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize="small")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Compare from the command line."""
    import tyro

    args = tyro.cli(Args)
    compare(args)
    print(f"page: {args.out / 'comparison.md'}")


if __name__ == "__main__":
    main()
