"""A policy for all networks: ``python -m lrmp.baselines.experiments.transfer --seed 1``.

Policy gradient on the procedural family's training instances (Williams, 1992; the leave-one-out
baseline of Kool et al., DeepRLStructPred at ICLR 2019): every iteration draws some instances and,
for each, some designs from a `SetPolicy`; a design's advantage is its reward less the mean of the
instance's other designs, over their spread. Rewards below zero are learned from through
``-ln(1 - r)``, as in PPO here.

The trained policy is then tried, without retraining, on registered tasks whose networks it has
never seen: its likeliest design, and the best of ``samples`` designs drawn from it. With ``--draws
spaces`` a `SpacePolicy` is trained on tasks with knobs of their own, and tried on the tasks of all
families, whose knobs it may never have seen either.

Writes a run directory: config.json, TensorBoard events, training.csv, policy.safetensors,
transfer.json and transfer.md. A run that was interrupted goes on from its last checkpoint with
the same result.
"""

import csv
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from lrmp.agents.policy_gradient import policy_gradient_loss, sample_designs
from lrmp.agents.reward_compression import compress
from lrmp.agents.space_policy import SpacePolicy
from lrmp.baselines.learners.task_view import Policy, TaskView, log_probabilities, new_policy
from lrmp.baselines.running.checkpoint import (
    optimizer_tensors,
    restore_optimizer,
    restoring,
    save_checkpoint,
)
from lrmp.baselines.running.command import check_counts, run_command
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.procedural.generator import Draws, draw_task
from lrmp.envs.task.optimum import stored_optimum
from lrmp.envs.task.task import list_tasks, load_task
from lrmp.hardware.families import FAMILIES
from lrmp.hardware.families.precision import PRECISION as PRECISION_FAMILY
from lrmp.hardware.space.precision import PRECISION
from lrmp.whole_file import replacing, write_whole

AGENT = "transfer"


@dataclass(frozen=True)
class Args:
    """Train on drawn networks, try on real ones."""

    seed: int = 1
    """seed of the run: initial weights, instances and designs"""
    iterations: int = 1500
    """updates"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/LRMP-Procedural-OneShot-v0__transfer__SEED, or
    LRMP-Procedural-Spaces-OneShot-v0__transfer__SEED"""
    draws: Draws = "precision"
    """what it is trained on: tasks that turn bits, or tasks with spaces of their own"""
    tasks: tuple[str, ...] = ()
    """registered tasks to try the policy on, whose accuracy is a table; none for those of least
    latency that LRMP turns the knobs of or, with spaces, for those of all families"""
    samples: int = 600
    """designs drawn for each of them"""

    # Algorithm specific arguments
    instances: int = 512
    """training instances"""
    networks: int = 16
    """instances per iteration"""
    designs: int = 16
    """designs per instance and iteration"""
    learning_rate: float = 5e-4
    """Adam's first learning rate; it falls linearly to zero"""
    entropy: float = 0.2
    """first weight of the entropy; it falls linearly to zero"""
    max_gradient: float = 0.5
    """largest norm of a gradient"""
    checkpoint_every: int = 50
    """iterations between checkpoints"""

    def __post_init__(self) -> None:
        check_counts(
            self.seed,
            iterations=self.iterations,
            samples=self.samples,
            instances=self.instances,
            networks=self.networks,
            designs=self.designs - 1,
            checkpoint_every=self.checkpoint_every,
        )

    @property
    def tried(self) -> tuple[str, ...]:
        """The tasks that the policy is tried on."""
        families = FAMILIES if self.draws == "spaces" else (PRECISION_FAMILY.name,)
        every = (task for name in families for task in list_tasks("latency", "table", name))
        return self.tasks or tuple(every)

    @property
    def env_id(self) -> str:
        """What it is trained and tried in."""
        return _ENV_IDS[self.draws]


_ENV_IDS: dict[Draws, str] = {
    "precision": "LRMP-Procedural-OneShot-v0",
    "spaces": "LRMP-Procedural-Spaces-OneShot-v0",
}


def train(args: Args, *, progress: bool = True) -> RunDirectory:
    """Train the policy and try it, or go on where an interrupted run stopped.

    Args:
        args: Settings.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory; ``transfer.json`` says how far from the optima it came.

    Raises:
        TaskError: If there is no such task.
        RunError: If the directory holds a run of other settings.
    """
    for task_id in args.tried:
        load_task(task_id)
    skip = ("runs_dir", "checkpoint_every")
    config = {k: v for k, v in asdict(args).items() if k not in skip}
    config["tasks"] = list(args.tried)
    name = f"{args.env_id}__{AGENT}__{args.seed}"
    run = RunDirectory.open(args.runs_dir / name, {"agent": AGENT, **config})
    result = run.path / "transfer.json"
    with run.locked():
        if not result.exists():
            _train(run, result, args, progress)
    return run


def _train(run: RunDirectory, result: Path, args: Args, progress: bool) -> None:
    started = time.perf_counter()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng = torch.Generator().manual_seed(args.seed)
    policy = new_policy(PRECISION if args.draws == "precision" else None)
    optimizer = torch.optim.Adam(policy.parameters(), lr=args.learning_rate)
    curve: list[tuple[float, float]] = []  # mean reward, mean of the instances' best
    seconds_before = 0.0
    if run.checkpoint_path.exists():
        with restoring(run.checkpoint_path) as (tensors, state):
            policy.load_state_dict(tensors["policy"])
            restore_optimizer(optimizer, tensors["optimizer"])
            rng.set_state(tensors["rng"]["state"])
            curve = [(mean, best) for mean, best in state["curve"]]
            seconds_before = state["seconds"]

    known: dict[int, TaskView] = {}
    writer = SummaryWriter(str(run.path), purge_step=len(curve))
    bar = tqdm(
        range(len(curve), args.iterations),
        initial=len(curve),
        total=args.iterations,
        desc=f"{AGENT} seed {args.seed}",
        unit="update",
        disable=not progress or None,
    )
    for iteration in bar:
        left = 1 - iteration / args.iterations
        optimizer.param_groups[0]["lr"] = left * args.learning_rate
        numbers = torch.randint(args.instances, (args.networks,), generator=rng).tolist()
        for number in numbers:
            if number not in known:
                known[number] = TaskView.of(draw_task("train", number, draws=args.draws), policy)
        instances = [known[number] for number in numbers]
        logs = log_probabilities(policy, instances)

        losses, means, bests = [], [], []
        for instance, of_layers in zip(instances, logs, strict=True):
            places = sample_designs(of_layers.detach(), args.designs, rng)
            scores = instance.dynamics.scores(instance.settings(places))
            rewards = torch.from_numpy(scores.reward).float()
            loss, spread = policy_gradient_loss(of_layers, places, compress(rewards))
            losses.append(loss - left * args.entropy * spread)
            means.append(rewards.mean().item())
            bests.append(rewards.max().item())
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(policy.parameters(), args.max_gradient)
        optimizer.step()

        curve.append((float(np.mean(means)), float(np.mean(bests))))
        writer.add_scalar("charts/mean_return", curve[-1][0], iteration)
        writer.add_scalar("charts/best_return", curve[-1][1], iteration)
        bar.set_postfix(mean=f"{curve[-1][0]:.3f}", best=f"{curve[-1][1]:.3f}")
        if (iteration + 1) % args.checkpoint_every == 0 and iteration + 1 < args.iterations:
            save_checkpoint(
                run.checkpoint_path,
                {
                    "policy": policy.state_dict(),
                    "optimizer": optimizer_tensors(optimizer),
                    "rng": {"state": rng.get_state()},
                },
                {"curve": curve, "seconds": seconds_before + time.perf_counter() - started},
            )
    writer.close()

    policy.save(run.policy_path)
    with (
        replacing(run.path / "training.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        csv.writer(file).writerows([("mean_return", "best_return"), *curve])
    seconds = seconds_before + time.perf_counter() - started
    found = {
        task_id: try_policy(policy, task_id, args.samples, args.seed) for task_id in args.tried
    }
    document = {"training_s": round(seconds, 1), "tasks": found}
    write_whole(run.path / "transfer.md", format_page(args, document))
    write_whole(result, json.dumps(document, indent=2) + "\n")
    run.checkpoint_path.unlink(missing_ok=True)


def try_policy(policy: Policy, task_id: str, samples: int, seed: int) -> dict[str, Any]:
    """Try a policy on a registered task, as it is.

    Args:
        policy: Trained on other networks.
        task_id: Id of the task.
        samples: Designs to draw.
        seed: Of the draws.

    Returns:
        Scores of the likeliest design, None beyond the allowed drop; of the best one drawn, at
        least 0, that of the plain design; and of the certified optimum.
    """
    draws: Draws = "spaces" if isinstance(policy, SpacePolicy) else "precision"
    env = gym.make(_ENV_IDS[draws], tasks=(task_id,))
    observation, _ = env.reset(seed=seed)
    *_, info = env.step(policy.act(observation))
    view = TaskView.of(task_id, policy)
    with torch.no_grad():
        logs = log_probabilities(policy, [view])[0]
    drawn = sample_designs(logs, samples, torch.Generator().manual_seed(seed))
    optimum = stored_optimum(task_id)
    return {
        "greedy_score": float(info["score"]) if info["within_allowance"] else None,
        "greedy_gain": float(info["gain"]),
        "greedy_drop": float(info["accuracy_drop"]),
        "samples": samples,
        "best_sampled_score": max(0.0, *view.dynamics.scores(view.settings(drawn)).score.tolist()),
        "optimal_score": None if optimum is None else optimum.value,
    }


_WORDS: dict[Draws, tuple[str, str]] = {
    "precision": (
        "A policy carried over to networks it has never seen",
        "One policy over sets of layers",
    ),
    "spaces": (
        "A policy carried over to networks and knobs it has never seen",
        "One policy over sets of layers and of values, which knows a value by what it does",
    ),
}


def format_page(args: Args, document: dict[str, Any]) -> str:
    """Write the page of a trial.

    Args:
        args: Settings.
        document: What ``transfer.json`` holds.

    Returns:
        Markdown.
    """
    rows = []
    for task_id, found in document["tasks"].items():
        optimum, greedy = found["optimal_score"], found["greedy_score"]
        best = max(0.0 if greedy is None else greedy, found["best_sampled_score"])
        rows.append(
            f"| {task_id} | {'-' if greedy is None else f'{greedy:.3f}'} | "
            f"{found['greedy_gain']:.2f} | "
            f"{found['greedy_drop']:.2f} | {found['best_sampled_score']:.3f} | "
            + (f"{optimum:.3f} | {optimum - best:.3f} |" if optimum is not None else "- | - |")
        )
    table = "\n".join(rows)
    title, what = _WORDS[args.draws]
    given = {"seed": args.seed, "iterations": args.iterations}
    usual = Args()
    given |= {
        name: getattr(args, name)
        for name in ("draws", "networks", "designs", "learning_rate", "entropy")
        if getattr(args, name) != getattr(usual, name)
    }
    options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in given.items())
    return f"""\
# {title}

{what}, trained by policy gradient on {args.instances} drawn instances of
`{args.env_id}` ({args.iterations} updates of {args.networks} x {args.designs} designs,
{document["training_s"]:.0f} s), then tried on registered tasks as it is: its likeliest design, and
the best of {args.samples} designs drawn from it. The gap is the optimal score less the better of
the two: the logarithm of a gain. A design beyond the allowed drop has no score (-) and counts as
the plain one, 0.

| task | likeliest: score | gain | drop, points | best drawn: score | optimum | gap |
| --- | --- | --- | --- | --- | --- | --- |
{table}

Made by

```sh
python -m lrmp.baselines.experiments.transfer {options}
```
"""


def main() -> None:
    """Train from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
