"""Value decomposition: ``lrmp train qmix --env-id LRMP-ResNet18-v0 --mixer vdn``.

An agent per layer, all choosing at once: the multi-agent form. Every agent values its own actions
from what it sees, by one network whose parameters are shared, and a mixer makes the team's value of
them: their sum (VDN: Sunehag et al., arXiv 1706.05296), or a network that the state chooses and
that grows with each (QMIX: Rashid et al., ICML 2018). Learning is Q-learning of the team's value,
with replay, a target network and double Q; what is best for the team is then best for every agent
by itself. An agent's value is the sum over its knobs, so that it has 7 + 7 actions to value instead
of 49. Scores below zero are learned from through ``-ln(1 - r)``, as in
`lrmp.baselines.learners.ppo`.

Exploration is epsilon-greedy, layer by layer and knob by knob. Random values are drawn as PPO's
first policy draws them, the higher the likelier: uniform ones ruin the accuracy of every design.

Writes a run directory: config.json, TensorBoard events, episodes.csv, record.jsonl (the best
design, for the leaderboard) and policy.safetensors (the last policy). A run that was interrupted
goes on from its last checkpoint and gives the same result.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lrmp.agents.categorical_policy import FIRST_TILT
from lrmp.agents.layer_agents import LayerAgents
from lrmp.agents.mixer import MonotoneMixer, SumMixer
from lrmp.agents.replay_buffer import ReplayBuffer
from lrmp.agents.reward_compression import compress
from lrmp.baselines.learners.settings.qmix import Args
from lrmp.baselines.running.command import run_command
from lrmp.baselines.running.learning_loop import LearningLoop
from lrmp.baselines.running.run import Run
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.forms.multi_agent_vector import MultiAgentVector


class Team(nn.Module):
    """The agents and their mixer.

    Args:
        game: What they play.
        args: Settings.
    """

    def __init__(self, game: MultiAgentVector, args: Args) -> None:
        super().__init__()
        identities = len(game) if args.identities else 0
        self.agents = LayerAgents(game.observation_size, game.sizes, identities, args.rounds)
        self.mixer: SumMixer | MonotoneMixer = (
            SumMixer() if args.mixer == "vdn" else MonotoneMixer(len(game), game.state_size)
        )

    def value(
        self, preferences: torch.Tensor, actions: torch.Tensor, states: torch.Tensor
    ) -> torch.Tensor:
        """Value what all agents do.

        Args:
            preferences: Of all values of the knobs, shape (B, L, K, V).
            actions: Places of values, shape (B, L, K).
            states: Shape (B, state_size).

        Returns:
            Shape (B,).
        """
        own = preferences.gather(-1, actions[..., None]).sum((-2, -1))
        value: torch.Tensor = self.mixer(own, states)
        return value


def play(
    game: MultiAgentVector,
    agents: LayerAgents,
    buffer: ReplayBuffer,
    epsilon: float,
    rng: np.random.Generator,
) -> None:
    """Play one episode in every game, into the buffer.

    Args:
        game: B games side by side.
        agents: Are followed but for random values.
        buffer: Takes observations of all agents, and the state behind them, as one vector.
        epsilon: Chance of random values.
        rng: Source of randomness.
    """
    (seen, shown), ended = game.reset(), False
    scores = np.zeros(len(seen))
    before = np.zeros(len(seen))  # compressed score of the round before
    while not ended:
        with torch.no_grad():
            best = agents(torch.from_numpy(seen)).argmax(-1).numpy()
        drawn = draw_places(agents.sizes, best.shape, rng)
        actions = np.where(rng.random(best.shape) < epsilon, drawn, best)
        past = pack(seen, shown)
        seen, shown, rewards, ended = game.step(actions)
        scores += rewards[:, 0]
        after = compress(torch.from_numpy(scores)).numpy()
        steps = zip(past, actions, after - before, pack(seen, shown), strict=True)
        for observation, action, reward, following in steps:
            buffer.add(observation, action.ravel().astype(np.float32), reward, following, ended)
        before = after


def draw_places(
    sizes: Sequence[int], shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw places of values, the higher the likelier.

    Args:
        sizes: How many values the K knobs have.
        shape: Of what is drawn, (..., K).
        rng: Source of randomness.

    Returns:
        Places, of the shape.
    """
    drawn = rng.random(shape)
    columns = []
    for knob, size in enumerate(sizes):
        chances = np.exp(FIRST_TILT * np.arange(size)).cumsum()
        columns.append((chances / chances[-1]).searchsorted(drawn[..., knob], side="right"))
    return np.stack(columns, axis=-1)


def pack(observations: NDArray[np.float32], states: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put what a team sees into one vector each.

    Args:
        observations: Shape (B, L, observation_size).
        states: Shape (B, state_size).

    Returns:
        Shape (B, L * observation_size + state_size).
    """
    return np.concatenate([observations.reshape(len(observations), -1), states], axis=1)


def unpack(vectors: torch.Tensor, agents: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Take apart what ``pack`` put together.

    Args:
        vectors: Shape (B, L * size + state_size).
        agents: L.
        size: Elements of an observation.

    Returns:
        Observations, shape (B, L, size), and states, shape (B, state_size).
    """
    observations, states = vectors[:, : agents * size], vectors[:, agents * size :]
    return observations.reshape(-1, agents, size), states


def learn(
    team: Team,
    target: Team,
    optimizer: torch.optim.Optimizer,
    buffer: ReplayBuffer,
    args: Args,
    left: float,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Learn from replayed transitions.

    Args:
        team: Changed in place.
        target: Values what follows.
        optimizer: Of the team's parameters.
        buffer: Transitions.
        args: Settings.
        left: Share of the run that is left, 1 at first.
        rng: Source of randomness.

    Returns:
        Losses by name, of the last update.
    """
    optimizer.param_groups[0]["lr"] = left * args.learning_rate
    size = team.agents.settings["observation_size"]
    for _ in range(args.updates):
        batch = buffer.sample(rng, args.batch_size)
        actions = batch.action.long().reshape(args.batch_size, -1, len(team.agents.sizes))
        observations, states = unpack(batch.observation, actions.shape[1], size)
        following, next_states = unpack(batch.next_observation, actions.shape[1], size)
        with torch.no_grad():
            best = team.agents(following).argmax(-1)
            next_value = target.value(target.agents(following), best, next_states)
            goal = batch.reward + args.gamma * (1 - batch.terminated) * next_value
        value = team.value(team.agents(observations), actions, states)
        loss = nn.functional.mse_loss(value, goal)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(team.parameters(), args.max_gradient)
        optimizer.step()
    return {"value_loss": loss.item(), "gradient": norm.item(), "value": value.mean().item()}


def train(args: Args, *, progress: bool = True) -> RunDirectory:
    """Train the agents, or go on where an interrupted run of the same arguments stopped.

    Args:
        args: Settings.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory; one that was finished before is returned as it is.

    Raises:
        TaskError: If there is no such task.
        RunError: If the directory holds a run of other settings.
    """
    run = Run.open(args.mixer, args, progress=progress)
    return run.complete(lambda: _train(run, args))


def _train(run: Run, args: Args) -> None:
    game = MultiAgentVector(run.task, args.num_envs, rounds=args.rounds)
    # Seeding: one generator for exploration and replay, torch's for the initial weights.
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)

    team, target = Team(game, args), Team(game, args)
    target.load_state_dict(team.state_dict())
    optimizer = torch.optim.Adam(team.parameters(), lr=args.learning_rate)
    seen_size = len(game) * game.observation_size + game.state_size
    capacity = min(args.buffer_size, args.evaluations)
    buffer = ReplayBuffer(capacity, seen_size, len(game.sizes) * len(game))
    per_iteration = args.num_envs * args.rounds

    loop = LearningLoop(
        run,
        {
            "team": team,
            "target": target,
            "optimizer": optimizer,
            "buffer": buffer,
            "rng": rng,
        },
        iterations=args.evaluations // per_iteration,
        designs=per_iteration,
        checkpoint_every=args.checkpoint_every,
    )
    tally = loop.tally

    for iteration in loop:
        play(game, team.agents, buffer, args.epsilon(iteration / loop.iterations), rng)
        for settings, scores in game.played:
            rewards = scores.reward
            tally.add(rewards, scores.gain, scores.accuracy_drop, settings)

        left = loop.left(iteration)
        losses = learn(team, target, optimizer, buffer, args, left, rng)
        if (iteration + 1) % args.target_every == 0:
            target.load_state_dict(team.state_dict())

        scalars = {f"losses/{name}": value for name, value in losses.items()}
        loop.log(iteration, float(np.mean(rewards)), scalars)

    team.agents.save(run.directory.policy_path)
    run.finish(tally, env_steps=args.evaluations)


def main() -> None:
    """Train from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
