"""Independent PPO: ``python -m lrmp.baselines.learners.ippo --env-id LRMP-ResNet18-v0 --seed 1``.

An agent per layer, all choosing at once: the multi-agent form. Every agent runs PPO on what it sees
and on its own reward, as if it were alone; all share the parameters of one policy and one critic
(IPPO: de Witt et al., arXiv 2011.09533). The reward is the team's, or each layer's own contribution
to it. A policy chooses a category per value of every knob. Scores below zero are learned from
through ``-ln(1 - r)``, as in `lrmp.baselines.learners.ppo`. Clip, entropy and batch are those that
did best on tasks that are not scored (docs/results/tuning/tuning.md).

Writes a run directory: config.json, TensorBoard events, episodes.csv, record.jsonl (the best
design, for the leaderboard) and policy.safetensors (the last policy). A run that was interrupted
goes on from its last checkpoint and gives the same result.
"""

from itertools import chain
from typing import NamedTuple

import numpy as np
import torch

from lrmp.agents.advantage import estimate_advantages
from lrmp.agents.categorical_policy import FIRST_TILT
from lrmp.agents.layer_agents import LayerAgents, LayerCritic
from lrmp.agents.reward_compression import compress
from lrmp.baselines.learners.settings.ippo import Args
from lrmp.baselines.running.command import run_command
from lrmp.baselines.running.learning_loop import LearningLoop
from lrmp.baselines.running.run import Run
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.forms.multi_agent_vector import MultiAgentVector, check_rules


class Rollout(NamedTuple):
    """An iteration's steps: T rounds of B episodes of L agents; none is cut.

    Attributes:
        observations: Shape (T, B, L, observation_size).
        states: Shape (T, B, state_size).
        actions: Places of values, shape (T, B, L, K).
        log_probabilities: Of the actions, shape (T, B, L).
        values: What the critic expected, shape (T, B, L).
        rewards: Shape (T, B, L).
    """

    observations: torch.Tensor
    states: torch.Tensor
    actions: torch.Tensor
    log_probabilities: torch.Tensor
    values: torch.Tensor
    rewards: torch.Tensor


def play(
    game: MultiAgentVector, agents: LayerAgents, critic: LayerCritic, rng: torch.Generator
) -> Rollout:
    """Play one episode in every game.

    Args:
        game: B games side by side.
        agents: Draw their actions.
        critic: Says what it expects.
        rng: Source of randomness.

    Returns:
        All steps.
    """
    steps = []
    (seen, shown), ended = game.reset(), False
    while not ended:
        observations, states = torch.from_numpy(seen), torch.from_numpy(shown)
        with torch.no_grad():
            logs, values = agents.log_probabilities(observations), critic(observations, states)
        actions = torch.multinomial(logs.exp().flatten(0, -2), 1, generator=rng)
        actions = actions.view(logs.shape[:-1])
        chosen = logs.gather(-1, actions[..., None]).sum((-2, -1))
        seen, shown, found, ended = game.step(actions.numpy())
        rewards = torch.from_numpy(found).float()
        steps.append((observations, states, actions, chosen, values, rewards))
    return Rollout(*map(torch.stack, zip(*steps, strict=True)))


def learn(
    rollout: Rollout,
    agents: LayerAgents,
    critic: LayerCritic,
    optimizer: torch.optim.Optimizer,
    args: Args,
    left: float,
    rng: torch.Generator,
) -> dict[str, float]:
    """Learn from one iteration's steps.

    Args:
        rollout: The steps.
        agents: Changed in place.
        critic: Changed in place.
        optimizer: Of the parameters of both.
        args: Settings.
        left: Share of the run that is left, 1 at first.
        rng: Source of randomness.

    Returns:
        Losses by name, of the last minibatch.
    """
    optimizer.param_groups[0]["lr"] = left * args.learning_rate
    # What is compressed is a score, the sum of the rewards so far.
    totals = compress(rollout.rewards.cumsum(0))
    rewards = totals.diff(dim=0, prepend=torch.zeros_like(totals[:1]))
    ended = torch.zeros(rewards.shape, dtype=torch.bool)
    ended[-1] = True
    next_values = torch.cat([rollout.values[1:], torch.zeros_like(totals[:1])])
    advantages = estimate_advantages(
        rewards, rollout.values, next_values, ended, ended, args.gamma, args.gae_lambda
    )
    returns = (advantages + rollout.values).flatten(0, 1)
    advantages = ((advantages - advantages.mean()) / (advantages.std() + 1e-8)).flatten(0, 1)
    observations, actions = rollout.observations.flatten(0, 1), rollout.actions.flatten(0, 1)
    states, old_logs = rollout.states.flatten(0, 1), rollout.log_probabilities.flatten(0, 1)
    # A minibatch holds whole designs: all agents of some episodes.
    for _ in range(args.epochs):
        for part in torch.randperm(len(returns), generator=rng).tensor_split(args.minibatches):
            logs = agents.log_probabilities(observations[part])
            new_logs = logs.gather(-1, actions[part][..., None]).sum((-2, -1))
            ratio = (new_logs - old_logs[part]).exp()
            clipped = ratio.clamp(1 - args.clip, 1 + args.clip)
            policy_loss = -torch.minimum(ratio * advantages[part], clipped * advantages[part])
            value_loss = (critic(observations[part], states[part]) - returns[part]).square()
            entropy = -(logs.exp() * logs).sum((-2, -1))
            loss = (
                policy_loss.mean()
                + args.value_weight * value_loss.mean()
                - left * args.entropy * entropy.mean()
            )
            optimizer.zero_grad()
            loss.backward()
            parameters = chain(agents.parameters(), critic.parameters())
            torch.nn.utils.clip_grad_norm_(parameters, args.max_gradient)
            optimizer.step()
    return {
        "policy_loss": policy_loss.mean().item(),
        "value_loss": value_loss.mean().item(),
        "entropy": entropy.mean().item(),
    }


def train(args: Args, *, progress: bool = True) -> RunDirectory:
    """Train the agents, or go on where an interrupted run of the same arguments stopped.

    Args:
        args: Settings.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory; one that was finished before is returned as it is.

    Raises:
        TaskError: If there is no such task or credit.
        RunError: If the directory holds a run of other settings.
    """
    check_rules(args.rounds, args.credit)
    run = Run.open(args.agent, args, progress=progress)
    return run.complete(lambda: _train(run, args))


def _train(run: Run, args: Args) -> None:
    game = MultiAgentVector(run.task, args.num_envs, rounds=args.rounds, credit=args.credit)
    # Seeding: one generator for exploration and minibatches, torch's own for the initial weights.
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng = torch.Generator().manual_seed(args.seed)

    identities = len(game) if args.identities else 0
    agents = LayerAgents(
        game.observation_size, game.sizes, identities, args.rounds, tilt=FIRST_TILT
    )
    state_size = game.state_size if args.centralised else 0
    critic = LayerCritic(game.observation_size, identities, state_size)
    parameters = chain(agents.parameters(), critic.parameters())
    optimizer = torch.optim.Adam(parameters, lr=args.learning_rate, eps=1e-5)
    per_iteration = args.num_envs * args.rounds

    loop = LearningLoop(
        run,
        {"agents": agents, "critic": critic, "optimizer": optimizer, "rng": rng},
        iterations=args.evaluations // per_iteration,
        designs=per_iteration,
        checkpoint_every=args.checkpoint_every,
    )
    tally = loop.tally

    for iteration in loop:
        rollout = play(game, agents, critic, rng)
        for settings, scores in game.played:
            rewards = scores.reward
            tally.add(rewards, scores.gain, scores.accuracy_drop, settings)

        losses = learn(rollout, agents, critic, optimizer, args, loop.left(iteration), rng)

        scalars = {f"losses/{name}": value for name, value in losses.items()}
        loop.log(iteration, float(np.mean(rewards)), scalars)

    agents.save(run.directory.policy_path)
    scored = 1 + len(game) if args.credit == "difference" else 1  # by the oracle, per design chosen
    run.finish(tally, env_steps=args.evaluations, evaluated_designs=args.evaluations * scored)


def main() -> None:
    """Train from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
