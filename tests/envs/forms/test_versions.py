"""What works with every Gymnasium and PettingZoo; .ci/oldest runs this with the oldest."""

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec

from lrmp.envs import make_task
from lrmp.envs.registration import PROCEDURAL
from lrmp.envs.task.environment_id import FORMS, environment_id
from lrmp.envs.wrappers import BudgetProjection, CellWidthWeights
from lrmp.errors import MissingExtraError

HAS_AUTORESET_MODES = hasattr(gym.vector, "AutoresetMode")  # from Gymnasium 1.1 on


def play(env):
    """Play an episode of random actions, and return the steps' results."""
    env.reset(seed=0)
    env.action_space.seed(0)
    steps = [env.step(env.action_space.sample())]
    while not (steps[-1][2] or steps[-1][3]):
        steps.append(env.step(env.action_space.sample()))
    return steps


@pytest.mark.parametrize(
    "env_id", [*(environment_id("LRMP-LeNet-v0", form) for form in FORMS), *PROCEDURAL]
)
def test_every_form_plays_to_its_end_and_survives_json(env_id):
    env = gym.make(env_id)
    steps = play(env)
    assert steps[-1][2:4] == (True, False)
    assert len(steps) < env.spec.max_episode_steps
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert [step[1:4] for step in play(again)] == [step[1:4] for step in steps]


def test_own_tasks_survive_json():
    env = gym.make("LRMP-Custom-v0", task=make_task("resnet8", budget=400))
    assert env.spec.max_episode_steps == 11
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.unwrapped.task.fingerprint == env.unwrapped.task.fingerprint
    assert play(again)[-1][1] == play(env)[-1][1]


def test_wrappers_stack():
    env = BudgetProjection(CellWidthWeights(gym.make("LRMP-ResNet18-v0")))
    assert len(play(env)) == 21


def test_scalar_environments_stand_in_gymnasiums_vector():
    envs = gym.vector.SyncVectorEnv([lambda: gym.make("LRMP-LeNet-v0")] * 2)
    envs.reset(seed=0)
    for _ in range(4):
        *_, terminated, truncated, _ = envs.step(envs.action_space.sample())
    assert terminated.all()
    assert not truncated.any()


def test_vectors_in_numpy_say_what_they_need():
    if HAS_AUTORESET_MODES:
        from lrmp.envs.forms.layerwise_vector import LayerwiseVectorEnv

        assert LayerwiseVectorEnv(2, task="LRMP-LeNet-v0").num_envs == 2
    else:
        with pytest.raises(
            MissingExtraError,
            match=r"Expected gymnasium 1\.1 or newer for vector environments in NumPy, got "
            rf'{gym.__version__}\. Run pip install "gymnasium>=1\.1", or make the vector',
        ):
            import lrmp.envs.forms.layerwise_vector  # noqa: F401


def test_layers_act_and_the_registry_says_what_it_needs():
    pettingzoo = pytest.importorskip("pettingzoo")
    from lrmp.envs.forms import multi_agent

    together = multi_agent.parallel_env("LRMP-LeNet-v0")
    together.reset(seed=0)
    actions = {agent: space.sample() for agent, space in together.action_spaces.items()}
    assert all(together.step(actions)[2].values())
    turns = multi_agent.env("LRMP-LeNet-v0")
    turns.reset(seed=0)
    for agent in turns.agent_iter():
        ended = turns.last()[2]
        turns.step(None if ended else turns.action_space(agent).sample())
    if hasattr(pettingzoo, "parallel_registry"):
        assert pettingzoo.make("parallel", "LRMP/LeNet-v0").possible_agents
    else:
        with pytest.raises(
            MissingExtraError,
            match=r"Expected pettingzoo 1\.27 or newer for its registry, got "
            rf'{pettingzoo.__version__}\. Run pip install "pettingzoo>=1\.27", or make env',
        ):
            multi_agent.register_multi_agent_envs()
