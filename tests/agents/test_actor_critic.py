import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from lrmp.agents.actor_critic import Actor, Critic  # noqa: E402
from lrmp.errors import PolicyError  # noqa: E402


@pytest.fixture
def actor():
    torch.manual_seed(0)
    return Actor(observation_size=16, action_size=2)


def test_actions_lie_in_the_box(actor):
    rng = np.random.default_rng(0)
    for _ in range(50):
        action = actor.act(rng.normal(size=16).astype(np.float32) * 10)
        assert action.shape == (2,)
        assert action.dtype == np.float32
        assert ((action >= -1) & (action <= 1)).all()


def test_saved_and_loaded_policy_acts_equally(actor, tmp_path):
    path = tmp_path / "policy.safetensors"
    actor.save(path)
    loaded = Actor.load(path)
    observation = np.linspace(0, 1, 16, dtype=np.float32)
    assert np.array_equal(actor.act(observation), loaded.act(observation))
    assert loaded.settings == actor.settings


def test_missing_policy(tmp_path):
    with pytest.raises(PolicyError, match=r"Expected a policy file at .*nothing\.safetensors"):
        Actor.load(tmp_path / "nothing.safetensors")


def test_pickle_is_no_policy(tmp_path):
    path = tmp_path / "policy.safetensors"
    torch.save({"fc1.weight": torch.zeros(2)}, path)
    with pytest.raises(PolicyError, match="Expected a policy file"):
        Actor.load(path)


def test_other_tensors_are_no_policy(tmp_path):
    path = tmp_path / "policy.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(PolicyError, match=r"policy of kind 'lrmp\.actor/1'"):
        Actor.load(path)


@pytest.mark.parametrize(
    "sizes",
    [
        {"observation_size": 9, "action_size": 2, "hidden": 300},
        {"observation_size": 16, "action_size": 2, "depth": 3},
    ],
)
def test_weights_that_do_not_fit_the_header(actor, tmp_path, sizes):
    path = tmp_path / "policy.safetensors"
    header = {"policy": json.dumps({"kind": "lrmp.actor/1", **sizes})}
    save_file(actor.state_dict(), path, header)
    with pytest.raises(PolicyError, match="that fit"):
        Actor.load(path)


def test_observation_of_another_environment(actor):
    with pytest.raises(PolicyError, match="Expected an observation of 16 elements, got shape"):
        actor.act(np.zeros(10, np.float32))


def test_critic_adds_state_and_action_in_the_first_layer():
    torch.manual_seed(0)
    critic = Critic(3, 2, hidden=4)
    observation, action = torch.rand(5, 3), torch.rand(5, 2)
    first = torch.relu(
        observation @ critic.observation.weight.T
        + critic.observation.bias
        + action @ critic.action.weight.T
        + critic.action.bias
    )
    second = torch.relu(first @ critic.fc2.weight.T + critic.fc2.bias)
    expected = (second @ critic.fc3.weight.T + critic.fc3.bias)[:, 0]
    assert torch.allclose(critic(observation, action), expected)
    assert critic(observation, action).shape == (5,)


def test_first_actions_are_in_the_middle(actor):
    rng = np.random.default_rng(0)
    actions = [actor.act(rng.random(16, dtype=np.float32)) for _ in range(20)]
    assert np.abs(actions).max() < 0.04
