"""Let a trained policy act once, without exploration."""

import gymnasium as gym
import numpy as np

from lrmp.agents.layer_agents import LayerAgents
from lrmp.agents.policy import Policy
from lrmp.envs.layerwise import LayerwiseEnv
from lrmp.envs.outcome import Outcome


def evaluate_policy(policy: Policy, env_id: str, seed: int = 0) -> Outcome:
    """Play one greedy episode: command line and tests all evaluate this way.

    Args:
        policy: Acts on observations; `LayerAgents` on those of the multi-agent form.
        env_id: Id of the environment.
        seed: Seed of the reset; the dynamics draw nothing from it.

    Returns:
        The design that the policy chooses.

    Raises:
        PolicyError: If the policy was made for other observations.
        MissingExtraError: If the multi-agent form is to be played without PettingZoo.
    """
    if isinstance(policy, LayerAgents):
        return _play_multi_agent(policy, env_id, seed)
    env = gym.make(env_id)
    observation, _ = env.reset(seed=seed)
    terminated = False
    while not terminated:
        observation, _, terminated, _, _ = env.step(policy.act(observation))
    layerwise = env.unwrapped
    assert isinstance(layerwise, LayerwiseEnv)
    assert layerwise.outcome is not None
    return layerwise.outcome


def _play_multi_agent(agents: LayerAgents, env_id: str, seed: int) -> Outcome:
    from lrmp.envs.multi_agent import parallel_env  # needs an extra

    env = parallel_env(env_id, rounds=agents.rounds)
    observations, _ = env.reset(seed=seed)
    while env.agents:
        actions = agents.act(np.stack(list(observations.values())))
        observations, *_ = env.step(dict(zip(env.agents, actions, strict=True)))
    assert env.outcome is not None
    return env.outcome
