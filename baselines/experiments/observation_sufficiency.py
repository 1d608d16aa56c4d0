"""How much of a design's gain an observation tells, before its last layers are decided.

``python -m lrmp.baselines.experiments.observation_sufficiency``.

Random episodes stop three quarters through; what is left is decided alike in all of them, so that
the gain is a function of the prefix. A regression of ln(gain) on the observation at that point says
how much of it the observation holds: all of it, if the observation is a Markov state and the
regression good enough.
"""

from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

from lrmp.baselines.running.command import check_counts
from lrmp.envs.forms.layerwise_view import LayerwiseObservation
from lrmp.errors import RunError

#: Those that are a row of numbers.
OBSERVATIONS: tuple[LayerwiseObservation, ...] = ("layer", "prefix")
REST = 0.6  # of every interval of values: 6 bits, in the layers after the prefix
LEAST_EPISODES = 100
HELD_OUT = 4  # one of so many episodes is for the score


@dataclass(frozen=True)
class Args:
    """Say how much of ln(gain) the observation explains three quarters through an episode."""

    env_ids: list[str] = field(default_factory=lambda: ["LRMP-ResNet8-v0", "LRMP-ResNet18-v0"])
    """ids of layer-wise environments"""
    episodes: int = 4000
    """random episodes of each; every fourth is held out"""
    seed: int = 0
    """of the designs and of the regression"""

    def __post_init__(self) -> None:
        check_counts(self.seed, episodes=self.episodes)
        if self.episodes < LEAST_EPISODES:
            raise RunError(
                f"Expected at least {LEAST_EPISODES} episodes to fit and to hold out, got "
                f"{self.episodes}."
            )


def explained(env_id: str, observation: LayerwiseObservation, episodes: int, seed: int) -> float:
    """Measure how much of ln(gain) an observation explains.

    Args:
        env_id: Of a layer-wise environment.
        observation: What is seen, a row of numbers.
        episodes: Random ones.
        seed: Of the designs and of the regression.

    Returns:
        The coefficient of determination on the episodes held out: 1 if the observation tells all.
    """
    seen, gains = observe_prefixes(env_id, observation, episodes, seed)
    held_out = np.arange(episodes) % HELD_OUT == 0
    model = HistGradientBoostingRegressor(max_iter=500, learning_rate=0.05, random_state=seed)
    model.fit(seen[~held_out], gains[~held_out])
    return float(model.score(seen[held_out], gains[held_out]))


def observe_prefixes(
    env_id: str, observation: LayerwiseObservation, episodes: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Play random prefixes with one ending.

    Args:
        env_id: Of a layer-wise environment.
        observation: What is seen, a row of numbers.
        episodes: B.
        seed: Of the designs; they are the same for every observation.

    Returns:
        What is seen three quarters through, shape (B, n), and ln(gain) of the finished designs,
        shape (B,).
    """
    env: Any = gym.make_vec(
        f"lrmp:{env_id}", episodes, observation=observation, autoreset_mode="Disabled"
    )
    layers = len(env.unwrapped.task.network)
    space, rng = env.single_action_space, np.random.default_rng(seed)
    last = (space.low + REST * (space.high - space.low)).astype(space.dtype)
    seen, info = env.reset()
    decided = 3 * layers // 4
    for _ in range(decided):
        actions = rng.uniform(space.low, space.high, env.action_space.shape)
        seen, *_, info = env.step(actions.astype(space.dtype))
    for _ in range(decided, layers):
        *_, info = env.step(np.broadcast_to(last, env.action_space.shape))
    return seen, np.log(info["gain"])


def format_table(args: Args) -> str:
    """Measure every environment, and write the result as a Markdown table.

    Args:
        args: Settings.

    Returns:
        A row per environment.
    """
    head = " | ".join(f'`"{observation}"`' for observation in OBSERVATIONS)
    lines = [f"| environment | {head} |", f"| --- |{' --- |' * len(OBSERVATIONS)}"]
    for env_id in args.env_ids:
        shares = [
            f"{explained(env_id, observation, args.episodes, args.seed):.3f}"
            for observation in OBSERVATIONS
        ]
        lines.append(f"| {env_id} | {' | '.join(shares)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure from the command line."""
    import tyro

    print(format_table(tyro.cli(Args)))


if __name__ == "__main__":
    main()
