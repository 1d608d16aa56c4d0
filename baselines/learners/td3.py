"""TD3 for rewards that come at the end: ``lrmp train td3 --env-id LRMP-ResNet18-v0``.

DDPG with twin critics, delayed policy updates and smoothed targets (TD3: Fujimoto et al., ICML
2018), and what this problem asks for beyond:

- **Returns as targets.** The only reward comes with the last layer, so critics learn the return of
  the whole episode; ``n_steps`` of 1 is TD3's own bootstrapped target, and more lie between.
  Targets of whole episodes need no target networks, nor what TD3 does to them.
- **Exploration of few decisions.** Noise on every decision ruins the accuracy of nearly every
  design, and no layer can be told to have done it. A tenth of the decisions explores.
- **Inverted gradients** (Hausknecht & Stone, ICLR 2016): a squashed output that has run into an end
  passes no slope to come back on.
- **Compressed rewards**, ``-ln(1 - r)`` below zero, as in `lrmp.baselines.learners.ppo`.

Every part can be switched off; what each is worth is in docs/results/td3, where one run of
`lrmp.baselines.learners.ddpg`, of many more updates and wider networks, does no worse. It plays
``num_envs`` episodes side by side, and then learns from the replay buffer. The untrained policy
answers the middle, 5 of 2 to 8 bits; ``first_action`` moves it.

Writes a run directory: config.json, TensorBoard events, episodes.csv, record.jsonl (the best
design, for the leaderboard) and policy.safetensors (the last policy). A run that was interrupted
goes on from its last checkpoint and gives the same result.
"""

import math
from collections.abc import Sequence

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from lrmp.agents.actor_critic import Actor, Critic, squash
from lrmp.agents.flat_adam import FlatAdam, flatten_parameters
from lrmp.agents.replay_buffer import ReplayBuffer
from lrmp.agents.reward_compression import compress
from lrmp.agents.truncated_normal import truncated_normal
from lrmp.baselines.learners.settings.td3 import Args
from lrmp.baselines.running.command import run_command
from lrmp.baselines.running.learning_loop import LearningLoop
from lrmp.baselines.running.run import Run
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.task.custom_task import CUSTOM_ID

AGENT = "td3"
# Spread after the warm-up (HAQ's code: 0.5 of 0..1), and its factor per episode.
HAQ_SIGMA, HAQ_DECAY = 1.0, 0.99
LEAST_SPREAD = 1e-3  # of returns


def store_episode(
    buffer: ReplayBuffer,
    observations: NDArray[np.float32],
    actions: NDArray[np.float32],
    reward: float,
    n_steps: int,
) -> None:
    """Store an episode's transitions, each over up to ``n_steps`` steps.

    Args:
        buffer: Where to.
        observations: The last one among them, shape (L + 1, n).
        actions: Shape (L, K).
        reward: What came at the end; nothing came before.
        n_steps: Steps; 0 for all that are left.
    """
    last = len(actions)
    for step, action in enumerate(actions):
        reached = min(step + n_steps, last) if n_steps else last
        ended = reached == last
        buffer.add(observations[step], action, reward * ended, observations[reached], ended)


def lower_value(
    critics: Sequence[Critic], observation: torch.Tensor, action: torch.Tensor
) -> torch.Tensor:
    """Return the lower of the critics' values, shape (N,)."""
    return torch.stack([critic(observation, action) for critic in critics]).amin(0)


def actor_loss(
    actor: Actor, critics: Sequence[Critic], observation: torch.Tensor, inverted: bool
) -> torch.Tensor:
    """Return what the actor has to lower for higher values.

    Args:
        actor: The policy.
        critics: Give the values.
        observation: Shape (N, n).
        inverted: Inverted gradients: the slope of the value by the action, times the room that the
            action has left in that direction, is that of the actor's output before it is squashed.

    Returns:
        A number.
    """
    logits = actor.logits(observation)
    if not inverted:
        return -lower_value(critics, observation, squash(logits)).mean()
    action = squash(logits.detach()).requires_grad_()
    (slope,) = torch.autograd.grad(lower_value(critics, observation, action).sum(), action)
    room = torch.where(slope > 0, 1 - action, 1 + action).detach()
    return -(slope * room * logits).sum(-1).mean()


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


def _train(run: Run, args: Args) -> None:  # noqa: C901  one algorithm, top to bottom
    task = run.task

    # Seeding: one generator for exploration and replay, torch's for the initial weights.
    torch.set_num_threads(1)
    rng = np.random.default_rng(args.seed)
    torch.manual_seed(args.seed)

    env = gym.make_vec(CUSTOM_ID, args.num_envs, task=task, autoreset_mode="SameStep")
    steps, count = len(task.network), args.num_envs
    seen, _ = env.reset(seed=args.seed)
    sizes = (seen.shape[1], len(task.space), args.hidden)
    actor, target_actor = Actor(*sizes), Actor(*sizes)
    critics = [Critic(*sizes) for _ in range(1 + args.twin_critics)]
    target_critics = [Critic(*sizes) for _ in critics]
    with torch.no_grad():
        actor.fc3.bias.add_(2 * math.atanh(args.first_action))
    learned = torch.nn.ModuleList([actor, *critics])
    targets = torch.nn.ModuleList([target_actor, *target_critics])
    targets.load_state_dict(learned.state_dict())
    vectors = [flatten_parameters(actor), flatten_parameters(*critics)]
    target_vectors = [flatten_parameters(target_actor), flatten_parameters(*target_critics)]
    optimizers = {
        "actor_optimizer": FlatAdam(vectors[0], args.actor_learning_rate),
        "critic_optimizer": FlatAdam(vectors[1], args.critic_learning_rate),
    }
    actor_optimizer, critic_optimizer = optimizers.values()
    buffer = ReplayBuffer(args.buffer_episodes * steps, *sizes[:2])

    loop = LearningLoop(
        run,
        {
            "learned": learned,
            "targets": targets,
            **optimizers,
            "buffer": buffer,
            "rng": rng,
        },
        iterations=args.evaluations // count,
        designs=count,
        checkpoint_every=args.checkpoint_every,
    )
    tally = loop.tally

    observations = np.empty((steps + 1, count, sizes[0]), np.float32)
    actions = np.empty((steps, count, sizes[1]), np.float32)
    for iteration in loop:
        left = loop.left(iteration)
        warm = len(tally) >= args.warmup_episodes

        # Episodes, all at once, explored around the policy.
        for step in range(steps):
            with torch.no_grad():
                greedy = actor(torch.from_numpy(seen)).numpy()
            if args.exploration == "few":
                sigma = args.last_sigma + left * (args.sigma - args.last_sigma)
                explores = rng.random(greedy.shape) < args.explored
                action = np.where(explores, truncated_normal(greedy, sigma, rng), greedy)
            elif warm:
                age = len(tally) - args.warmup_episodes
                action = truncated_normal(greedy, HAQ_SIGMA * HAQ_DECAY**age, rng)
            else:
                action = 2 * rng.random(greedy.shape, dtype=np.float32) - 1
            observations[step], actions[step] = seen, action
            seen, reward, _, _, infos = env.step(action)
        observations[steps] = np.stack(infos["final_obs"])
        tally.add_ended(reward, infos["final_info"])

        # Returns are learned on a scale of their own, that of the episodes in the buffer.
        returns = torch.tensor([r for r, _, _ in tally.episodes], dtype=torch.float32)
        if args.compress_rewards:
            returns = compress(returns)
        for row, learned_return in enumerate(returns[-count:].tolist()):
            store_episode(
                buffer, observations[:, row], actions[:, row], learned_return, args.n_steps
            )
        kept = returns[-args.buffer_episodes :]
        middle, spread = kept.mean(), kept.std(correction=0) + LEAST_SPREAD

        # Learning.
        actor_optimizer.learning_rate = left * args.actor_learning_rate
        updates = args.updates_per_episode * count
        losses: dict[str, float] = {}
        for update in range(updates if len(tally) >= args.warmup_episodes else 0):
            batch = buffer.sample(rng, args.batch_size)
            target = (batch.reward - middle) / spread
            if args.n_steps:
                with torch.no_grad():
                    noise = rng.normal(0, args.target_noise, batch.action.shape)
                    noise = noise.clip(-2.5 * args.target_noise, 2.5 * args.target_noise)
                    following = target_actor(batch.next_observation)
                    following = (following + torch.from_numpy(noise).float()).clamp(-1, 1)
                    value = lower_value(target_critics, batch.next_observation, following)
                target = torch.where(batch.terminated > 0, target, value)
            errors = [critic(batch.observation, batch.action) - target for critic in critics]
            critic_loss = torch.stack(errors).square().mean(1).sum()
            critic_optimizer.zero_gradients()
            critic_loss.backward()  # type: ignore[no-untyped-call]
            critic_optimizer.step()

            if update % args.policy_delay == 0:
                loss = actor_loss(actor, critics, batch.observation, args.inverted_gradients)
                actor_optimizer.zero_gradients()
                # The critics' weights need no gradients here.
                loss.backward(inputs=list(actor.parameters()))  # type: ignore[no-untyped-call]
                actor_optimizer.step()
            if args.n_steps:
                with torch.no_grad():
                    for old, new in zip(target_vectors, vectors, strict=True):
                        old.lerp_(new, args.tau)
            if update + 1 == updates:
                losses["losses/critic_loss"] = critic_loss.item()

        loop.log(iteration, float(np.mean(reward)), losses)
    env.close()

    actor.save(run.directory.policy_path)
    run.finish(tally, env_steps=args.evaluations * steps)


def main() -> None:
    """Train from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
