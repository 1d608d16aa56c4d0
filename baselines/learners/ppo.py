"""PPO: ``python -m lrmp.baselines.learners.ppo --env-id LRMP-ResNet18-v0 --seed 1``.

Proximal policy optimisation (Schulman et al., arXiv 1707.06347) on the vector environment: every
iteration plays ``num_envs`` whole episodes side by side and then learns from them for some epochs,
in minibatches. The policy chooses a category per value of every knob. Rewards below zero are
learned from through ``-ln(1 - r)``: a ruined design costs up to a hundred points of accuracy, and
what matters lies within one. Epochs, clip and entropy are those that did best on tasks that are
not scored (docs/results/tuning/tuning.md); of two learning rates the lower, as the higher ruins
policies.

Writes a run directory: config.json, TensorBoard events, episodes.csv, record.jsonl (the best
design, for the leaderboard) and policy.safetensors (the last policy). A run that was interrupted
goes on from its last checkpoint and gives the same result.
"""

import gymnasium as gym
import numpy as np
import torch

from lrmp.agents.advantage import estimate_advantages
from lrmp.agents.categorical_policy import CategoricalPolicy
from lrmp.agents.reward_compression import compress
from lrmp.baselines.learners.settings.ppo import Args
from lrmp.baselines.running.command import run_command
from lrmp.baselines.running.learning_loop import LearningLoop
from lrmp.baselines.running.run import Run
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.task.custom_task import CUSTOM_ID

AGENT = "ppo"


def train(args: Args, *, progress: bool = True) -> RunDirectory:
    """Train one agent, or go on where an interrupted run of the same arguments stopped.

    Args:
        args: Settings.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory; one that was finished before is returned as it is.

    Raises:
        TaskError: If there is no such task.
        RunError: If the directory holds a run of other settings.
    """
    run = Run.open(AGENT, args, progress=progress)
    return run.complete(lambda: _train(run, args))


def _train(run: Run, args: Args) -> None:
    task = run.task

    # Seeding: one generator for exploration and minibatches, torch's own for the initial weights.
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng = torch.Generator().manual_seed(args.seed)

    env = gym.make_vec(
        CUSTOM_ID, args.num_envs, task=task, discrete=True, autoreset_mode="SameStep"
    )
    steps, count = len(task.network), args.num_envs
    seen, _ = env.reset(seed=args.seed)
    policy = CategoricalPolicy(seen.shape[1], task.space.sizes, args.hidden)
    optimizer = torch.optim.Adam(policy.parameters(), lr=args.learning_rate, eps=1e-5)

    loop = LearningLoop(
        run,
        {"policy": policy, "optimizer": optimizer, "rng": rng},
        iterations=args.evaluations // count,
        designs=count,
        checkpoint_every=args.checkpoint_every,
    )
    tally = loop.tally

    # An iteration's steps: all episodes end with the last one, so none is cut.
    observations = torch.zeros(steps, count, seen.shape[1])
    actions = torch.zeros(steps, count, len(task.space), dtype=torch.int64)
    log_probabilities, values, rewards = torch.zeros(3, steps, count)
    terminated = torch.zeros(steps, count, dtype=torch.bool)

    for iteration in loop:
        left = loop.left(iteration)
        optimizer.param_groups[0]["lr"] = left * args.learning_rate

        # Episodes, all at once.
        for step in range(steps):
            observations[step] = torch.from_numpy(seen)
            with torch.no_grad():
                logs = policy.log_probabilities(observations[step])
                values[step] = policy.value(observations[step])
            chosen = torch.multinomial(logs.exp().flatten(0, 1), 1, generator=rng)
            actions[step] = chosen.view(count, -1)
            log_probabilities[step] = logs.gather(2, actions[step, :, :, None]).sum((1, 2))
            seen, reward, ended, _, infos = env.step(actions[step].numpy())
            rewards[step] = torch.from_numpy(reward)
            terminated[step] = torch.from_numpy(ended)
        tally.add_ended(reward, infos["final_info"])

        # Learning.
        next_values = torch.cat([values[1:], torch.zeros(1, count)])
        advantages = estimate_advantages(
            compress(rewards),
            values,
            next_values,
            terminated,
            terminated,
            args.gamma,
            args.gae_lambda,
        )
        returns = (advantages + values).flatten()
        advantage = advantages.flatten()
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        batch_observations, batch_actions = observations.flatten(0, 1), actions.flatten(0, 1)
        old_logs = log_probabilities.flatten()
        for _ in range(args.epochs):
            order = torch.randperm(steps * count, generator=rng)
            for part in order.tensor_split(args.minibatches):
                logs = policy.log_probabilities(batch_observations[part])
                new_logs = logs.gather(2, batch_actions[part, :, None]).sum((1, 2))
                ratio = (new_logs - old_logs[part]).exp()
                clipped = ratio.clamp(1 - args.clip, 1 + args.clip)
                policy_loss = -torch.minimum(ratio * advantage[part], clipped * advantage[part])
                value_error = policy.value(batch_observations[part]) - returns[part]
                spread = -(logs.exp() * logs).sum((1, 2))
                loss = (
                    policy_loss.mean()
                    + args.value_weight * value_error.square().mean()
                    - left * args.entropy * spread.mean()
                )
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(policy.parameters(), args.max_gradient)
                optimizer.step()

        scalars = {
            "losses/policy_loss": policy_loss.mean().item(),
            "losses/value_loss": value_error.square().mean().item(),
            "losses/entropy": spread.mean().item(),
        }
        loop.log(iteration, float(np.mean(reward)), scalars)
    env.close()

    policy.save(run.directory.policy_path)
    run.finish(tally, env_steps=args.evaluations * steps)


def main() -> None:
    """Train from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
