"""Let a trained policy act once, without exploration."""

import gymnasium as gym

from lrmp.agents.policy import Policy
from lrmp.envs.layerwise import LayerwiseEnv
from lrmp.envs.outcome import Outcome


def evaluate_policy(policy: Policy, env_id: str, seed: int = 0) -> Outcome:
    """Play one greedy episode: command line and tests all evaluate this way.

    Args:
        policy: Acts on observations.
        env_id: Id of the environment.
        seed: Seed of the reset; the dynamics draw nothing from it.

    Returns:
        The design that the policy chooses.

    Raises:
        PolicyError: If the policy was made for other observations.
    """
    env = gym.make(env_id)
    observation, _ = env.reset(seed=seed)
    terminated = False
    while not terminated:
        observation, _, terminated, _, _ = env.step(policy.act(observation))
    layerwise = env.unwrapped
    assert isinstance(layerwise, LayerwiseEnv)
    assert layerwise.outcome is not None
    return layerwise.outcome
