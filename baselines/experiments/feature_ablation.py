"""Which features matter to PPO.

``python -m lrmp.baselines.experiments.feature_ablation --out DIR``.

PPO of Stable-Baselines3 learns a task with groups of features left out of the observation. Adds a
curve per run to ablation.csv (what is there is not repeated), then writes ablation.md and
ablation.png.
"""

from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from tqdm import tqdm

from lrmp.baselines.experiments.learning_curves import LearningCurves
from lrmp.baselines.running.command import check_counts
from lrmp.baselines.study.statistics import bootstrap_interval, interquartile_mean
from lrmp.envs.task.task import load_task
from lrmp.hardware.space.precision import PRECISION
from lrmp.whole_file import write_whole

#: Group -> its features; together they are all features.
GROUPS = {
    "depth": ("depth",),
    "layer sizes": (
        "linear",
        "rows",
        "columns",
        "positions",
        "kernel_size",
        "stride",
        "weights",
        "baseline_cycles",
        "baseline_tiles",
    ),
    "sensitivities": tuple(f"{name}_sensitivity" for name in PRECISION.names),
    "previous bits": tuple(f"previous_{name}" for name in PRECISION.names),
    "accuracy spent": ("accuracy_spent",),
    "tiles, cycles, bottleneck": ("tiles", "cycles", "bottleneck"),
}
#: Variant -> groups left out.
VARIANTS = {
    "all features": (),
    **{f"without {group}": (group,) for group in GROUPS},
    "without depth and layer sizes": ("depth", "layer sizes"),
    "depth alone": tuple(group for group in GROUPS if group != "depth"),
}


@dataclass(frozen=True)
class Args:
    """Leave features out and see what PPO learns."""

    out: Path
    """folder of ablation.csv, ablation.md and ablation.png"""
    env_id: str = "LRMP-ResNet18-v0"
    """id of a layer-wise environment"""
    seeds: int = 5
    """seeds 1..SEEDS of every variant"""
    episodes: int = 1280
    """episodes of a run"""

    def __post_init__(self) -> None:
        check_counts(0, seeds=self.seeds, episodes=self.episodes)


def features_of(variant: str, shown: tuple[str, ...]) -> list[str]:
    """List the features that a variant sees.

    Args:
        variant: A key of ``VARIANTS``.
        shown: Features that the environment has.

    Returns:
        Those that are in none of the groups left out, in order.
    """
    hidden = {name for group in VARIANTS[variant] for name in GROUPS[group]}
    return [name for name in shown if name not in hidden]


def ablate(args: Args) -> str:
    """Train what is missing, and write the page.

    Args:
        args: Settings.

    Returns:
        The table, by variant.

    Raises:
        TaskError: If there is no such task.
    """
    torch.set_num_threads(1)
    env = gym.make(f"lrmp:{load_task(args.env_id).id}")
    shown: tuple[str, ...] = env.get_wrapper_attr("feature_names")
    curves = LearningCurves(args.out / "ablation.csv")
    done = curves.read()
    # Seed by seed, so that a run that was stopped early has all variants.
    runs = [(seed, variant) for seed in range(1, args.seeds + 1) for variant in VARIANTS]
    missing = [(seed, variant) for seed, variant in runs if seed not in done.get(variant, {})]
    for seed, variant in tqdm(missing, desc="ablation", unit="run", disable=None):
        returns = train(args, seed, features_of(variant, shown))
        curves.add(variant, seed, returns)
    curves.plot(args.out / "ablation.png", args.env_id)
    table = format_table(curves.last_returns(), shown)
    write_whole(args.out / "ablation.md", format_page(args, table))
    return table


def train(args: Args, seed: int, features: list[str]) -> NDArray[np.float64]:
    """Train PPO on discrete actions and the sparse reward.

    Args:
        args: Task and episodes, which are rounded up to whole rollouts of an episode of each of 32
            environments.
        seed: Fixes the run.
        features: What of the observation is seen.

    Returns:
        The return of every episode in order.
    """
    task = load_task(args.env_id)
    layers, num_envs = len(task.network), 32
    envs = make_vec_env(
        f"lrmp:{task.id}",
        num_envs,
        seed=seed,
        env_kwargs={"discrete": True, "features": features},
    )
    agent = PPO(
        "MlpPolicy",
        envs,
        n_steps=layers,
        batch_size=layers * num_envs,
        learning_rate=2e-3,
        gamma=1.0,
        seed=seed,
        device="cpu",
    )
    agent.learn(args.episodes * layers)
    returns: NDArray[np.float64] = np.array(envs.env_method("get_episode_rewards")).T.reshape(-1)
    return returns


def format_table(last_returns: dict[str, list[float]], shown: tuple[str, ...]) -> str:
    """Write the result as a Markdown table.

    Args:
        last_returns: Variant -> mean return of the last episodes of every seed.
        shown: Features that the environment has.

    Returns:
        One row per variant, in the order of ``VARIANTS``; no newline at the end.
    """
    lines = [
        "| observation | features | seeds | mean return at the end |",
        "| --- | --- | --- | --- |",
    ]
    for variant in VARIANTS:
        values = last_returns[variant]
        text = f"{interquartile_mean(values):.3f}"
        if len(values) > 1:
            low, high = bootstrap_interval(values)
            text += f" [{low:.3f}, {high:.3f}]"
        features = len(features_of(variant, shown))
        lines.append(f"| {variant} | {features} | {len(values)} | {text} |")
    return "\n".join(lines)


def format_page(args: Args, table: str) -> str:
    """Write the page.

    Args:
        args: Settings.
        table: What ``format_table`` returned.

    Returns:
        Markdown.
    """
    return f"""\
# Which features matter to PPO on {args.env_id}

PPO of Stable-Baselines3 on discrete actions and the sparse reward, {args.episodes} episodes a run,
with groups of features left out: mean return of the last 160 episodes, interquartile mean over the
seeds [95 % interval].

{table}

![Mean return against episodes, by observation](ablation.png)

Made by

```sh
python -m lrmp.baselines.experiments.feature_ablation --env-id {args.env_id} --seeds {args.seeds} \\
  --episodes {args.episodes} --out {args.out}
```

which trains what is missing in [ablation.csv](ablation.csv).
"""


def main() -> None:
    """Run the ablation from the command line."""
    import tyro

    args = tyro.cli(Args)
    print(ablate(args))
    print(f"page: {args.out / 'ablation.md'}")


if __name__ == "__main__":
    main()
