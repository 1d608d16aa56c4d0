"""Policy gradient over all layers at once, from scratch or from a policy trained on other networks.

``python -m lrmp.baselines.learners.policy_gradient --env-id LRMP-ResNet18-v0 --seed 1``

Every iteration draws designs from a `SetPolicy` and raises the probability of those that beat the
others, as `lrmp.baselines.experiments.transfer` does, but for one task. A pre-trained policy to
start from is that baseline's ``policy.safetensors``, for the knobs of the task or, a `SpacePolicy`,
for any; without one the first policy prefers high values and knows nothing. Rewards below zero are
learned from through ``-ln(1 - r)``. Batch, learning rate and entropy are those that did best from
scratch on tasks that are not scored (docs/results/tuning/tuning.md).

Writes a run directory: config.json, TensorBoard events, episodes.csv, record.jsonl (the best
design, for the leaderboard) and policy.safetensors (the last policy). A run that was interrupted
goes on from its last checkpoint and gives the same result.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lrmp.agents.knob_heads import check_sizes
from lrmp.agents.policies import load_policy
from lrmp.agents.policy_gradient import policy_gradient_loss, sample_designs
from lrmp.agents.reward_compression import compress
from lrmp.agents.set_policy import SetPolicy
from lrmp.agents.space_policy import SpacePolicy
from lrmp.baselines.learners.task_view import Policy, TaskView, log_probabilities, new_policy
from lrmp.baselines.running.command import check_counts, run_command
from lrmp.baselines.running.learning_loop import LearningLoop
from lrmp.baselines.running.run import Run
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.procedural.slots import check_fits
from lrmp.envs.task.custom_task import TaskLike
from lrmp.errors import PolicyError, RunError

NEEDS_TABLE = True


@dataclass(frozen=True)
class Args:
    """Policy gradient over all layers at once."""

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml); its accuracy is a table"""
    seed: int = 1
    """seed of the run: initial weights and designs"""
    evaluations: int = 600
    """designs to try, a multiple of DESIGNS"""
    start: Path | None = None
    """policy to start from, as lrmp.baselines.experiments.transfer writes it; without one, from
    scratch. For a trained policy, and 10,000 designs, take --designs 20 --learning-rate 3e-4
    --entropy 0.02"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__AGENT__SEED, AGENT being policy-gradient,
    or policy-gradient-pretrained with START"""

    # Algorithm specific arguments
    designs: int = 10
    """designs per iteration"""
    learning_rate: float = 3e-3
    """Adam's first learning rate; it falls linearly to zero"""
    entropy: float = 0.005
    """first weight of the entropy; it falls linearly to zero"""
    max_gradient: float = 0.5
    """largest norm of a gradient"""
    checkpoint_every: int = 25
    """iterations between checkpoints"""

    def __post_init__(self) -> None:
        check_counts(
            self.seed,
            evaluations=self.evaluations,
            designs=self.designs - 1,
            checkpoint_every=self.checkpoint_every,
        )
        if self.evaluations % self.designs:
            raise RunError(
                f"Expected evaluations to be a multiple of designs ({self.designs}), got "
                f"{self.evaluations}."
            )

    @property
    def agent(self) -> str:
        """Name under which the run is ranked."""
        return "policy-gradient" + ("-pretrained" if self.start else "")


def train(args: Args, *, progress: bool = True) -> RunDirectory:
    """Search one task, or go on where an interrupted run of the same arguments stopped.

    Args:
        args: Settings.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory; one that was finished before is returned as it is.

    Raises:
        TaskError: If there is no such task.
        PolicyError: If ``start`` holds no policy over sets of layers, or one for other knobs.
        RunError: If the directory holds a run of other settings.
    """
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    policy = _load(args.start) if args.start else None
    run = Run.open(args.agent, args, progress=progress, needs_table=NEEDS_TABLE)
    space = run.task.space
    if policy is None:
        policy = new_policy(space)
    if isinstance(policy, SetPolicy):
        check_sizes(policy.sizes, space.sizes)
    else:
        check_fits(run.task)
    return run.complete(lambda: _train(run, policy, args))


def _load(path: Path) -> Policy:
    policy = load_policy(path)
    if not isinstance(policy, SetPolicy | SpacePolicy):
        raise PolicyError(
            f"Expected {path} to hold a policy over sets of layers, of kind {SetPolicy.kind} or "
            f"{SpacePolicy.kind}; got {policy.kind!r}."
        )
    return policy


def _train(run: Run, policy: Policy, args: Args) -> None:
    task = run.task
    rng = torch.Generator().manual_seed(args.seed)
    optimizer = torch.optim.Adam(policy.parameters(), lr=args.learning_rate)

    loop = LearningLoop(
        run,
        {"policy": policy, "optimizer": optimizer, "rng": rng},
        iterations=args.evaluations // args.designs,
        designs=args.designs,
        checkpoint_every=args.checkpoint_every,
    )
    tally = loop.tally

    view = TaskView.of(task, policy)
    for iteration in loop:
        left = loop.left(iteration)
        optimizer.param_groups[0]["lr"] = left * args.learning_rate

        # Designs, all at once.
        logs = log_probabilities(policy, [view])[0]
        places = sample_designs(logs.detach(), args.designs, rng)
        settings = view.settings(places)
        scores = view.dynamics.scores(settings)
        rewards = scores.reward
        tally.add(rewards, scores.gain, scores.accuracy_drop, settings)

        # Learning.
        shrunk = compress(torch.from_numpy(scores.reward).float())
        loss, spread = policy_gradient_loss(logs, places, shrunk)
        optimizer.zero_grad()
        (loss - left * args.entropy * spread).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(policy.parameters(), args.max_gradient)
        optimizer.step()

        loop.log(iteration, float(np.mean(rewards)), {"losses/entropy": spread.item()})

    policy.save(run.directory.policy_path)
    run.finish(tally, env_steps=args.evaluations)


def main() -> None:
    """Search from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
