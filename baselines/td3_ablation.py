"""What TD3's parts are worth: ``python -m lrmp.baselines.td3_ablation``.

Trains TD3, TD3 less one part at a time, TD3 less all of them, and DDPG with HAQ's settings, one run
at a time (finished runs are taken as they are, interrupted ones resumed), and writes
``ablation.json``, ``.png`` and ``.md`` to ``--out``: the best design as a share of the certified
optimum.
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

from lrmp.baselines import ddpg, td3
from lrmp.baselines.command import check_counts
from lrmp.baselines.compare_search import curve
from lrmp.baselines.run_directory import RunDirectory
from lrmp.baselines.statistics import bootstrap_interval, interquartile_mean
from lrmp.envs.design_plot import new_figure
from lrmp.envs.optimum import stored_optimum
from lrmp.envs.record import library_versions
from lrmp.envs.task import load_task
from lrmp.errors import RunError

Floats = NDArray[np.float64]

#: Variant -> what differs from TD3's defaults.
VARIANTS: dict[str, dict[str, Any]] = {
    "TD3": {},
    "one critic": {"twin_critics": False},
    "1-step targets": {"n_steps": 1},
    "rewards as they are": {"compress_rewards": False},
    "all decisions explore": {"exploration": "all"},
    "start at 5 bits": {"first_action": 0.5},
    "slopes of the sigmoid": {"inverted_gradients": False},
    "none of the parts": {
        "twin_critics": False,
        "policy_delay": 1,
        "target_noise": 0.0,
        "n_steps": 1,
        "compress_rewards": False,
        "exploration": "all",
        "first_action": 0.5,
        "inverted_gradients": False,
    },
}
DDPG = "DDPG (HAQ)"
LAST = 100  # episodes over which the mean return is shown


@dataclass(frozen=True)
class Args:
    """Leave parts of TD3 out."""

    env_ids: tuple[str, ...] = ("LRMP-ResNet18-v1", "LRMP-ResNet20-v0")
    """ids of the environments"""
    seeds: int = 3
    """seeds 1..SEEDS of every variant"""
    ddpg_seeds: int = 1
    """seeds of DDPG with HAQ's settings, which takes far longer; 0 leaves it out"""
    episodes: int = 600
    """designs per run"""
    runs_dir: Path = Path("runs/td3")
    """where the run directories are, in a folder per variant"""
    out: Path = Path("docs/results/td3")
    """where ablation.json, .png and .md go"""

    def __post_init__(self) -> None:
        check_counts(0, seeds=self.seeds, ddpg_seeds=self.ddpg_seeds + 1, episodes=self.episodes)
        for env_id in self.env_ids:
            load_task(env_id)
            if stored_optimum(env_id) is None:
                raise RunError(f"Expected tasks with a stored optimum, got {env_id}.")


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        variant: Its name.
        env_id: Id of the task.
        train: Makes the run, or returns it if it is finished.
    """

    variant: str
    env_id: str
    train: Callable[[], RunDirectory]


def jobs(args: Args) -> list[Job]:
    """List all runs, seed by seed.

    Args:
        args: Settings.

    Returns:
        Runs of TD3's variants, then those of DDPG.
    """
    found: list[Job] = []
    for module, variants, seeds in (
        (td3, VARIANTS, args.seeds),
        (ddpg, {DDPG: {}}, args.ddpg_seeds),
    ):
        for seed in range(1, seeds + 1):
            for variant, changes in variants.items():
                for env_id in args.env_ids:
                    options = module.Args(
                        env_id=env_id,
                        seed=seed,
                        episodes=args.episodes,
                        runs_dir=args.runs_dir / variant.replace(" ", "-"),
                        **changes,
                    )
                    train = partial(module.train, options, progress=False)
                    found.append(Job(variant, env_id, train))
    return found


def ablate(args: Args) -> str:
    """Train what is missing, and write the page.

    Args:
        args: Settings.

    Returns:
        The page.
    """
    curves: dict[str, dict[str, list[Floats]]] = {}
    returns: dict[str, dict[str, list[float]]] = {}
    for job in tqdm(jobs(args), desc="ablation", unit="run"):
        run = job.train()
        of_variant = curves.setdefault(job.variant, {env_id: [] for env_id in args.env_ids})
        of_variant[job.env_id].append(curve(job.env_id, run))
        last = returns.setdefault(job.variant, {env_id: [] for env_id in args.env_ids})
        optimum = stored_optimum(job.env_id)
        assert optimum is not None  # checked by Args
        last[job.env_id].append(float(np.mean(run.rewards()[-LAST:])) / optimum.value)
    args.out.mkdir(parents=True, exist_ok=True)
    best = {
        variant: {env_id: [float(c[-1]) for c in runs] for env_id, runs in of_variant.items()}
        for variant, of_variant in curves.items()
    }
    document = {
        "versions": library_versions(),
        "episodes": args.episodes,
        "share_of_optimum": best,
        "mean_share_of_last_designs": returns,
    }
    (args.out / "ablation.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    page = format_page(args, best, returns)
    (args.out / "ablation.md").write_text(page, "utf-8")
    plot_ablation(args, curves, args.out / "ablation.png")
    return page


def format_page(
    args: Args,
    best: dict[str, dict[str, list[float]]],
    returns: dict[str, dict[str, list[float]]],
) -> str:
    """Write the page.

    Args:
        args: Settings.
        best: Share of the optimum of the best design of every run, by variant and task.
        returns: The same of the mean of the last designs.

    Returns:
        Markdown.
    """
    names = [f"{env_id}{part}" for env_id in args.env_ids for part in ("", ", last designs")]
    head = " | ".join(["variant", "seeds", "all tasks", *names])
    rows = []
    for variant, by_task in best.items():
        runs = [by_task[env_id] for env_id in args.env_ids]
        pairs = [(by_task[env_id], returns[variant][env_id]) for env_id in args.env_ids]
        cells = [
            cell for top, last in pairs for cell in (_share(top), f"{interquartile_mean(last):.2f}")
        ]
        rows.append(f"| {variant} | {len(runs[0])} | {_share(np.array(runs).T)} | {_row(cells)} |")
    table = "\n".join([f"| {head} |", f"|{' --- |' * (len(names) + 3)}", *rows])
    return f"""\
# What TD3's parts are worth

TD3 of [td3.py](../../../baselines/td3.py), less one part at a time, less all, and DDPG with HAQ's
settings: the best of {args.episodes} designs as a share of the [certified
optimum](../../optimum.md), where 0 is the plain 8-bit chip. Interquartile mean over the seeds (with
few of them the mean of the middle ones) [stratified-bootstrap 95 % interval], and, for what the
policy has come to, the mean over the last {LAST} designs, exploration and all.

{table}

![Best design so far against evaluated designs, by variant](ablation.png)

Returns of whole episodes need no target networks, so that the noise on bootstrapped targets and
half of what twin critics are for enter only where targets are of 1 or 5 steps.

The settings were [chosen on other tasks](tuning.md). Made by

```sh
python -m lrmp.baselines.td3_ablation --env-ids {" ".join(args.env_ids)} \\
  --seeds {args.seeds} --ddpg-seeds {args.ddpg_seeds} --episodes {args.episodes}
```

which runs what is missing. All values and the versions are in [ablation.json](ablation.json).
"""


def _share(values: Any) -> str:
    """Write an interquartile mean, and its interval if there are several runs."""
    text = f"{interquartile_mean(values):.3f}"
    if len(values) > 1:
        low, high = bootstrap_interval(values)
        text += f" [{low:.3f}, {high:.3f}]"
    return text


def _row(cells: list[str]) -> str:
    return " | ".join(cells)


def plot_ablation(args: Args, curves: dict[str, dict[str, list[Floats]]], path: Path) -> None:
    """Draw the gap against evaluated designs by task.

    Args:
        args: Settings.
        curves: Best so far as a share of the optimum, by variant and task, one curve per run.
        path: Picture to write.
    """
    figure = new_figure(5.5 * len(args.env_ids), 5)
    panels = figure.subplots(1, len(args.env_ids), squeeze=False)[0]
    for axes, env_id in zip(panels, args.env_ids, strict=True):
        for index, (variant, by_task) in enumerate(curves.items()):
            table = np.stack(by_task[env_id])
            middle = [100 * (1 - interquartile_mean(column)) for column in table.T]
            width = 2.5 if index == 0 else 1.2
            style = ("-", "--")[index // 10]
            axes.plot(
                np.arange(1, len(middle) + 1),
                middle,
                label=variant,
                lw=width,
                ls=style,
                color=f"C{index % 10}",
            )
        axes.set_yscale("log")
        axes.set_ylim(top=300)
        axes.set_title(env_id, fontsize="medium")
        axes.set_xlabel("evaluated designs")
        axes.set_ylabel("gap to the certified optimum (%)")
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize="small")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Run the ablation from the command line."""
    import tyro

    args = tyro.cli(Args)
    ablate(args)
    print(f"page: {args.out / 'ablation.md'}")


if __name__ == "__main__":
    main()
