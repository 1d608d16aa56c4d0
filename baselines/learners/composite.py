"""A composite agent: ``lrmp train composite --env-id LRMP-LeNet-Prune-v0 --seed 1``.

After Balaskas et al. (arXiv 2312.15322), whose agent joins DDPG, for pruning ratio and precision,
and Rainbow, for the pruning method. Here DDPG with HAQ's settings (`ddpg`) chooses the numbers, and
double Q-learning (van Hasselt et al., AAAI 2016) the labels, given the numbers; of Rainbow's other
parts there are none, and state, reward and settings of the paper are not known. Both learn from one
buffer, and from the same rewards.

It acts in the hybrid space of `HybridActions`. Of a task whose knobs have no labels it is DDPG.

Writes a run directory: config.json, TensorBoard events, episodes.csv, record.jsonl (the best
design, for the leaderboard) and policy.safetensors (the policy that explored to it). A run that was
interrupted goes on from its last checkpoint and gives the same result.
"""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch.nn import functional as F

from lrmp.agents.actor_critic import Critic
from lrmp.agents.composite_policy import CompositePolicy
from lrmp.agents.replay_buffer import Batch, ReplayBuffer
from lrmp.agents.truncated_normal import truncated_normal
from lrmp.baselines.learners.settings.composite import Args
from lrmp.baselines.running.command import run_command
from lrmp.baselines.running.learning_loop import LearningLoop
from lrmp.baselines.running.run import Run
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.task.custom_task import CUSTOM_ID
from lrmp.envs.wrappers.hybrid_actions import HybridActions

AGENT = "composite"


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


class _Learner:
    """The networks, and how they learn from a batch; an action is K numbers, then one-hot labels.

    Args:
        args: Settings.
        observation_size: Elements of an observation.
        sizes: How many values the K knobs have.
        labelled: Places of the knobs with labels.
    """

    def __init__(
        self, args: Args, observation_size: int, sizes: tuple[int, ...], labelled: list[int]
    ) -> None:
        self._args = args
        self.policy, self._target, self.best = (
            CompositePolicy(observation_size, sizes, labelled) for _ in range(3)
        )
        self._numbers, self._sizes = self.policy.numbers, self.policy.label_sizes
        self.action_size = self._numbers + sum(self._sizes)
        self.critic, self._target_critic = (
            Critic(observation_size, self.action_size) for _ in range(2)
        )
        self._target.load_state_dict(self.policy.state_dict())
        self._target_critic.load_state_dict(self.critic.state_dict())
        self._actor_optimizer = torch.optim.Adam(
            self.policy.actor.parameters(), lr=args.actor_learning_rate
        )
        valued = [*self.critic.parameters(), *self.policy.worth.parameters()]
        self._critic_optimizer = torch.optim.Adam(valued, lr=args.critic_learning_rate)
        self._running: dict[str, float] = {}  # the moving average, once there is one

    @property
    def parts(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {
            "policy": self.policy,
            "best_policy": self.best,
            "critic": self.critic,
            "target_policy": self._target,
            "target_critic": self._target_critic,
            "actor_optimizer": self._actor_optimizer,
            "critic_optimizer": self._critic_optimizer,
            "running": self._running,
        }

    def one_hot(self, places: torch.Tensor) -> torch.Tensor:
        """Write labels as the critic takes them.

        Args:
            places: Shape (..., knobs with labels).

        Returns:
            Shape (..., sum of sizes).
        """
        rows = [F.one_hot(places[..., n], size) for n, size in enumerate(self._sizes)]
        return torch.cat(rows, -1).float() if rows else places.float()

    def update(self, batch: Batch) -> dict[str, float]:
        """Learn from a batch.

        Args:
            batch: Transitions.

        Returns:
            The losses.
        """
        args, policy = self._args, self.policy
        mean_reward = float(batch.reward.mean())
        baseline = self._running.get("reward", mean_reward)
        baseline += (1 - args.baseline_decay) * (mean_reward - baseline)
        self._running["reward"] = baseline
        numbers, labels = batch.action[:, : self._numbers], batch.action[:, self._numbers :]
        places = self._places(labels)
        with torch.no_grad():
            following = batch.next_observation
            next_numbers = self._target.choose_numbers(following)
            next_places = policy.best_labels(following, next_numbers)
            next_action = torch.cat([next_numbers, self.one_hot(next_places)], -1)
            left = args.gamma * (1 - batch.terminated)
            reward = batch.reward - baseline
            target = reward + left * self._target_critic(following, next_action)
        loss = F.mse_loss(self.critic(batch.observation, batch.action), target)
        losses = {"losses/critic_loss": loss.item()}
        if self._sizes:
            values = policy.label_values(batch.observation, numbers)
            with torch.no_grad():  # chosen by the policy, valued by the target
                later = self._target.label_values(following, next_numbers)
                later = later.gather(-1, next_places[..., None])[..., 0]
                wanted = reward[:, None] + left[:, None] * later
            label_loss = F.mse_loss(values.gather(-1, places[..., None])[..., 0], wanted)
            losses["losses/label_loss"] = label_loss.item()
            loss = loss + label_loss
        self._critic_optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._critic_optimizer.step()
        if self._numbers:
            own = torch.cat([policy.choose_numbers(batch.observation), labels], -1)
            actor_loss = -self.critic(batch.observation, own).mean()
            self._actor_optimizer.zero_grad()
            # The critic's weights need no gradients here.
            actor_loss.backward(inputs=list(policy.actor.parameters()))
            self._actor_optimizer.step()
            losses["losses/actor_loss"] = actor_loss.item()
        with torch.no_grad():
            for module, goal in ((policy, self._target), (self.critic, self._target_critic)):
                for new, old in zip(module.parameters(), goal.parameters(), strict=True):
                    old.lerp_(new, args.tau)
        return losses

    def _places(self, labels: torch.Tensor) -> torch.Tensor:
        """Read one-hot labels."""
        rows = torch.split(labels, list(self._sizes), -1) if self._sizes else ()
        if not rows:
            return torch.zeros(len(labels), 0, dtype=torch.int64)
        return torch.stack([row.argmax(-1) for row in rows], -1)


def _train(run: Run, args: Args) -> None:
    task = run.task

    # Seeding: one generator for exploration and replay, torch's for the initial weights. One
    # thread: faster for networks this small, and sums do not depend on the number of cores.
    torch.set_num_threads(1)
    rng = np.random.default_rng(args.seed)
    torch.manual_seed(args.seed)

    env = HybridActions(gym.make(CUSTOM_ID, task=task))
    steps_per_episode = len(task.network)
    observation, _ = env.reset(seed=args.seed)
    labels = [place for place, knob in enumerate(task.space) if knob.is_label]
    learner = _Learner(args, len(observation), task.space.sizes, labels)
    policy = learner.policy
    numeric = [knob.name for knob in task.space if not knob.is_label]
    labelled = [knob.name for knob in task.space if knob.is_label]
    buffer = ReplayBuffer(
        args.buffer_episodes * steps_per_episode, len(observation), learner.action_size
    )
    loop = LearningLoop(
        run,
        {**learner.parts, "buffer": buffer, "rng": rng},
        iterations=args.evaluations,
        designs=1,
        checkpoint_every=args.checkpoint_every,
    )
    tally = loop.tally

    for episode in loop:
        # One episode: explore around the policy, or at random during the warm-up.
        faded = args.decay ** max(0, episode - args.warmup_episodes)
        random = episode < args.warmup_episodes
        observation, _ = env.reset()
        terminated = False
        transitions = []
        while not terminated:
            seen = torch.from_numpy(observation)
            with torch.no_grad():
                if random:
                    numbers = 2 * rng.random(policy.numbers, dtype=np.float32) - 1
                else:
                    own = policy.choose_numbers(seen).numpy()
                    numbers = truncated_normal(own, args.sigma * faded, rng)
                places = policy.best_labels(seen, torch.from_numpy(numbers)).numpy()
            drawn = rng.integers(0, policy.label_sizes)
            explored = rng.random(len(drawn)) < (1.0 if random else args.epsilon * faded)
            places = np.where(explored, drawn, places)
            chosen = dict(zip(numeric, numbers, strict=True))
            chosen |= dict(zip(labelled, places, strict=True))
            next_observation, final_reward, terminated, _, info = env.step(chosen)
            one_hot = learner.one_hot(torch.from_numpy(places)).numpy()
            transitions.append(
                (observation, np.concatenate([numbers, one_hot]), next_observation, terminated)
            )
            observation = next_observation
        reward = float(final_reward)
        for before, taken, following, ended in transitions:
            buffer.add(before, taken, args.reward_scale * reward, following, ended)

        settings = env.get_wrapper_attr("outcome").design.settings
        if tally.add(reward, info["gain"], info["accuracy_drop"], settings):
            learner.best.load_state_dict(policy.state_dict())

        # Learning: one update per transition of the episode.
        scalars = {"charts/gain": info["gain"], "charts/accuracy_drop": info["accuracy_drop"]}
        if not random:
            for _ in range(steps_per_episode):
                losses = learner.update(buffer.sample(rng, args.batch_size))
            scalars |= losses
        loop.log(episode, reward, scalars)
    env.close()

    learner.best.save(run.directory.policy_path)
    run.finish(tally, env_steps=args.evaluations * steps_per_episode)


def main() -> None:
    """Train from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
