"""DDPG with HAQ's settings: ``lrmp train ddpg --env-id LRMP-ResNet18-v0 --seed 1``.

Settings and procedure follow HAQ (Wang et al., CVPR 2019; repository mit-han-lab/haq): 600
episodes, the first 20 at random; truncated-normal exploration that decays per episode; after every
episode one update per transition; a tenth of the final reward is given to every transition of an
episode, less a moving average of batch rewards. The last layers start near zero as in DDPG's paper.
What differs: one step chooses all knobs of a layer (HAQ takes two steps for its bits), nothing
changes the choice afterwards, and no transition is stored that the environment did not make (HAQ
adds one per episode).

Near-zero last layers make the untrained policy answer 0, such as 5 of 2 to 8 bits, everywhere.
Actions lie in -1..1, HAQ's in 0..1: spreads are twice as wide.

Writes a run directory: config.json, TensorBoard events, episodes.csv, record.jsonl (the best
design, for the leaderboard) and policy.safetensors (the policy that explored to it). A run that was
interrupted goes on from its last checkpoint and gives the same result.
"""

import gymnasium as gym
import numpy as np
import torch

from lrmp.agents.actor_critic import Actor, Critic
from lrmp.agents.deterministic_policy_gradient import (
    actor_gradient,
    choose,
    critic_gradient,
    value,
)
from lrmp.agents.flat_adam import FlatAdam, flatten_parameters
from lrmp.agents.replay_buffer import ReplayBuffer
from lrmp.agents.truncated_normal import truncated_normal
from lrmp.baselines.learners.settings.ddpg import Args
from lrmp.baselines.running.command import run_command
from lrmp.baselines.running.learning_loop import LearningLoop
from lrmp.baselines.running.run import Run
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.task.custom_task import CUSTOM_ID

AGENT = "ddpg"


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

    # Seeding: one generator for exploration and replay, torch's for the initial weights. One
    # thread: faster for networks this small, and sums do not depend on the number of cores.
    torch.set_num_threads(1)
    rng = np.random.default_rng(args.seed)
    torch.manual_seed(args.seed)

    env = gym.make(CUSTOM_ID, task=task)
    steps_per_episode = len(task.network)
    observation, _ = env.reset(seed=args.seed)
    observation_size, action_size = len(observation), len(task.space)

    actor, critic = Actor(observation_size, action_size), Critic(observation_size, action_size)
    target_actor = Actor(observation_size, action_size)
    target_critic = Critic(observation_size, action_size)
    target_actor.load_state_dict(actor.state_dict())
    target_critic.load_state_dict(critic.state_dict())
    learned = [flatten_parameters(actor), flatten_parameters(critic)]
    targets = [flatten_parameters(target_actor), flatten_parameters(target_critic)]
    actor_optimizer = FlatAdam(learned[0], args.actor_learning_rate)
    critic_optimizer = FlatAdam(learned[1], args.critic_learning_rate)
    buffer = ReplayBuffer(args.buffer_episodes * steps_per_episode, observation_size, action_size)
    modules = {
        "actor": actor,
        "critic": critic,
        "target_actor": target_actor,
        "target_critic": target_critic,
    }
    optimizers = {"actor_optimizer": actor_optimizer, "critic_optimizer": critic_optimizer}
    best_actor = Actor(observation_size, action_size)

    running: dict[str, float] = {}  # the moving average, once there is one

    loop = LearningLoop(
        run,
        {
            **modules,
            **optimizers,
            "best_actor": best_actor,
            "buffer": buffer,
            "rng": rng,
            "running": running,
        },
        iterations=args.evaluations,
        designs=1,
        checkpoint_every=args.checkpoint_every,
    )
    tally = loop.tally

    for episode in loop:
        # One episode: explore around the policy, or at random during the warm-up.
        sigma = args.sigma * args.sigma_decay ** max(0, episode - args.warmup_episodes)
        observation, _ = env.reset()
        terminated = False
        transitions = []
        while not terminated:
            if episode < args.warmup_episodes:
                action = 2 * rng.random(action_size, dtype=np.float32) - 1
            else:
                action = truncated_normal(actor.act(observation), sigma, rng)
            next_observation, final_reward, terminated, _, info = env.step(action)
            transitions.append((observation, action, next_observation, terminated))
            observation = next_observation
        reward = float(final_reward)
        for seen, taken, following, ended in transitions:
            buffer.add(seen, taken, args.reward_scale * reward, following, ended)

        settings = env.get_wrapper_attr("outcome").design.settings
        if tally.add(reward, info["gain"], info["accuracy_drop"], settings):
            best_actor.load_state_dict(actor.state_dict())

        # Learning: one update per transition of the episode.
        scalars = {"charts/gain": info["gain"], "charts/accuracy_drop": info["accuracy_drop"]}
        if episode >= args.warmup_episodes:
            for _ in range(steps_per_episode):
                batch = buffer.sample(rng, args.batch_size)
                mean_reward = float(batch.reward.mean())
                baseline = running.get("reward", mean_reward)
                baseline += (1 - args.baseline_decay) * (mean_reward - baseline)
                running["reward"] = baseline
                next_action = choose(target_actor, batch.next_observation)
                next_value = value(target_critic, batch.next_observation, next_action)
                target = batch.reward - baseline + args.gamma * (1 - batch.terminated) * next_value
                error = critic_gradient(critic, batch.observation, batch.action, target)
                critic_optimizer.step()
                values = actor_gradient(actor, critic, batch.observation)
                actor_optimizer.step()
                with torch.no_grad():
                    for new, old in zip(learned, targets, strict=True):
                        old.lerp_(new, args.tau)
            scalars["losses/critic_loss"] = error.square().mean().item()
            scalars["losses/actor_loss"] = -values.mean().item()

        loop.log(episode, reward, scalars)
    env.close()

    best_actor.save(run.directory.policy_path)
    run.finish(tally, env_steps=args.evaluations * steps_per_episode)


def main() -> None:
    """Train from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
