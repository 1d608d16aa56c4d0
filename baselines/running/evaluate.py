"""Let a trained policy act once, without exploration."""

import gymnasium as gym
import numpy as np

from lrmp.agents.knob_heads import check_sizes
from lrmp.agents.layer_agents import LayerAgents
from lrmp.agents.policy import Policy
from lrmp.envs.forms.layerwise import LayerwiseEnv
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.task.custom_task import CUSTOM_ID, TaskLike, find_task
from lrmp.envs.task.task import Task


def evaluate_policy(policy: Policy, task: TaskLike, seed: int = 0) -> Outcome:
    """Play one greedy episode: command line and tests all evaluate this way.

    Args:
        policy: Acts on observations; `LayerAgents` on those of the multi-agent form.
        task: A task, the id of an environment in any form, or a task file.
        seed: Seed of the reset; the dynamics draw nothing from it.

    Returns:
        The design that the policy chooses.

    Raises:
        TaskError: If there is no such task.
        PolicyError: If the policy was made for other observations or knobs.
        MissingExtraError: If the multi-agent form is to be played without PettingZoo.
    """
    task = find_task(task)
    check_sizes(getattr(policy, "sizes", task.space.sizes), task.space.sizes)
    if isinstance(policy, LayerAgents):
        return _play_multi_agent(policy, task, seed)
    env = gym.make(CUSTOM_ID, task=task)
    observation, _ = env.reset(seed=seed)
    terminated = False
    while not terminated:
        observation, _, terminated, _, _ = env.step(policy.act(observation))
    layerwise = env.unwrapped
    assert isinstance(layerwise, LayerwiseEnv)
    assert layerwise.outcome is not None
    return layerwise.outcome


def _play_multi_agent(agents: LayerAgents, task: Task, seed: int) -> Outcome:
    from lrmp.envs.forms.multi_agent import parallel_env  # needs an extra

    env = parallel_env(task, rounds=agents.rounds)
    observations, _ = env.reset(seed=seed)
    while env.agents:
        actions = agents.act(np.stack(list(observations.values())))
        observations, *_ = env.step(dict(zip(env.agents, actions, strict=True)))
    assert env.outcome is not None
    return env.outcome
