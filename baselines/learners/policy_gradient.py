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

from pathlib import Path

import numpy as np
import torch

from lrmp.agents.knob_heads import check_sizes
from lrmp.agents.policies import load_policy
from lrmp.agents.policy_gradient import policy_gradient_loss, sample_designs
from lrmp.agents.reward_compression import compress
from lrmp.agents.set_policy import SetPolicy
from lrmp.agents.space_policy import SpacePolicy
from lrmp.baselines.learners.settings.policy_gradient import Args
from lrmp.baselines.learners.task_view import Policy, TaskView, log_probabilities, new_policy
from lrmp.baselines.running.command import run_command
from lrmp.baselines.running.learning_loop import LearningLoop
from lrmp.baselines.running.run import Run
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.procedural.slots import check_fits
from lrmp.errors import PolicyError

NEEDS_TABLE = True


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
