"""TorchRL's PPO on continuous actions: ``python -m lrmp.baselines.clients.train_torchrl``.

Trains every seed and adds its curve to ``--out``/torchrl.csv; what is there already is not
repeated. Then draws them, torchrl.png.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tensordict.nn import TensorDictModule
from tensordict.nn.distributions import NormalParamExtractor
from torch import nn
from torchrl.collectors import Collector
from torchrl.envs import GymEnv
from torchrl.modules import ProbabilisticActor, TanhNormal, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

from lrmp.baselines.clients.learning_curves import LearningCurves
from lrmp.baselines.running.command import check_counts
from lrmp.envs.task.task import load_task


@dataclass(frozen=True)
class Args:
    """Train PPO of TorchRL."""

    env_id: str = "LRMP-ResNet18-v0"
    """id of a layer-wise environment"""
    seeds: int = 3
    """seeds 1..SEEDS"""
    updates: int = 40
    """rollouts, and the updates from each"""
    episodes_per_update: int = 16
    """episodes of a rollout"""
    epochs: int = 10
    """gradient steps per rollout, each on all of it"""
    learning_rate: float = 2e-3
    """Adam's learning rate"""
    out: Path = Path("runs")
    """folder of torchrl.csv and torchrl.png"""

    def __post_init__(self) -> None:
        check_counts(
            0,
            seeds=self.seeds,
            updates=self.updates,
            episodes_per_update=self.episodes_per_update,
            epochs=self.epochs,
        )


def train(args: Args, seed: int) -> NDArray[np.float64]:
    """Train PPO.

    Args:
        args: Settings.
        seed: Fixes the run.

    Returns:
        Return of every episode in order, shape (updates * episodes_per_update,).

    Raises:
        TaskError: If there is no such task.
    """
    task = load_task(args.env_id)
    layers = len(task.network)
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    # The lrmp: prefix registers the ids wherever TorchRL makes the environment, workers included.
    env = GymEnv(f"lrmp:{task.id}", dense=True, device="cpu")
    env.set_seed(seed)
    observed, chosen = env.observation_spec["observation"].shape[-1], env.action_spec.shape[-1]

    network = nn.Sequential(
        *_hidden_layers(observed), nn.Linear(64, 2 * chosen), NormalParamExtractor()
    )
    actor = ProbabilisticActor(
        TensorDictModule(network, in_keys=["observation"], out_keys=["loc", "scale"]),
        in_keys=["loc", "scale"],
        spec=env.action_spec,
        distribution_class=TanhNormal,
        distribution_kwargs={"low": 0.0, "high": 1.0},
        return_log_prob=True,
    )
    critic = ValueOperator(
        nn.Sequential(*_hidden_layers(observed), nn.Linear(64, 1)), in_keys=["observation"]
    )
    # Returns are not discounted: what an episode earns is its design's score.
    advantage = GAE(gamma=1.0, lmbda=0.95, value_network=critic, average_gae=True)
    loss = ClipPPOLoss(actor, critic, entropy_coeff=0.0, loss_critic_type="smooth_l1")
    optimizer = torch.optim.Adam(loss.parameters(), lr=args.learning_rate)

    frames = args.episodes_per_update * layers
    collector = Collector(env, actor, frames_per_batch=frames, total_frames=args.updates * frames)
    returns = []
    for rollout in collector:
        # Frames come in order: an episode of all layers after another.
        rewards = rollout["next", "reward"].reshape(args.episodes_per_update, layers)
        returns.append(rewards.sum(dim=1, dtype=torch.float64).numpy())
        for _ in range(args.epochs):
            with torch.no_grad():
                advantage(rollout)
            losses = loss(rollout.reshape(-1))
            total = losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]
            optimizer.zero_grad()
            total.backward()
            nn.utils.clip_grad_norm_(loss.parameters(), 0.5)
            optimizer.step()
    collector.shutdown()
    return np.concatenate(returns)


def _hidden_layers(inputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh()]


def main() -> None:
    """Train from the command line."""
    import tyro

    args = tyro.cli(Args)
    load_task(args.env_id)
    curves = LearningCurves(args.out / "torchrl.csv")
    curves.complete("PPO of TorchRL, dense", args.seeds, partial(train, args))
    curves.plot(args.out / "torchrl.png", args.env_id)
    for agent, returns in curves.last_returns().items():
        print(agent, *(f"{value:.3f}" for value in returns))


if __name__ == "__main__":
    main()
