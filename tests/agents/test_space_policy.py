"""The policy that decides any knobs: what it must not depend on."""

import gymnasium as gym
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lrmp.agents.policies import load_policy  # noqa: E402
from lrmp.agents.space_policy import SpacePolicy  # noqa: E402
from lrmp.envs import load_task, stored_optimum  # noqa: E402
from lrmp.errors import PolicyError  # noqa: E402

LAYERS, VALUES = 10, 7
TASKS = ("LRMP-LeNet-ADC-v0", "LRMP-MLP-Circulant-v0", "LRMP-LeNet-Noise-v0", "LRMP-LeNet-v0")


@pytest.fixture
def policy():
    torch.manual_seed(0)
    policy = SpacePolicy(LAYERS, VALUES)
    with torch.no_grad():
        policy.decide[-1].weight.normal_()  # the first one is almost blind
    return policy


def drawn(layers=6, knobs=3, values=5):
    torch.manual_seed(1)
    seen = torch.rand(1, layers, LAYERS), torch.rand(1, layers, knobs, values, VALUES)
    possible = torch.rand(1, layers, knobs, values) < 0.7
    possible[..., 0] = True
    return (*seen, possible)


def whole(layers):
    return torch.ones(1, layers, dtype=torch.bool)


def test_neither_padding_nor_the_order_of_layers_knobs_and_values_counts(policy):
    layers, values, possible = drawn()
    with torch.no_grad():
        logs = policy.log_probabilities(layers, whole(6), values, possible)
        mask = torch.tensor([[True] * 4 + [False] * 2])
        padded = policy.log_probabilities(layers, mask, values, possible)[:, :4]
        four = layers[:, :4], whole(4), values[:, :4], possible[:, :4]
        assert torch.allclose(padded, policy.log_probabilities(*four), atol=1e-5)
        for dim, order in ((1, [2, 0, 5, 3, 1, 4]), (2, [2, 0, 1]), (3, [0, 4, 3, 1, 2])):
            turned = [
                layers.index_select(1, torch.tensor(order)) if dim == 1 else layers,
                *(each.index_select(dim, torch.tensor(order)) for each in (values, possible)),
            ]
            found = policy.log_probabilities(turned[0], whole(6), *turned[1:])
            expected = logs.index_select(dim, torch.tensor(order))
            assert torch.allclose(found, expected, atol=1e-4), dim
    assert logs[possible].std() > 0.1


def test_slots_without_a_knob_change_nothing(policy):
    layers, values, possible = drawn()
    more = torch.nn.functional.pad(values, (0, 0, 0, 2, 0, 1))
    may = torch.nn.functional.pad(possible, (0, 2, 0, 1))
    with torch.no_grad():
        alone = policy.log_probabilities(layers, whole(6), values, possible)
        among = policy.log_probabilities(layers, whole(6), more, may)
    assert torch.allclose(among[:, :, :3, :5], alone, atol=1e-5)
    assert (among[:, :, 3, 0] == 0).all()
    assert (among[:, :, 3, 1:] < -1e8).all()
    assert (among[:, :, :3, 5:] < -1e8).all()


def test_only_what_is_possible_is_chosen(policy):
    layers, values, possible = drawn()
    with torch.no_grad():
        logs = policy.log_probabilities(layers, whole(6), values, possible)
    assert torch.allclose((logs.exp() * possible).sum(-1), torch.ones(1, 6, 3), atol=1e-5)


def test_it_acts_on_families_that_it_has_not_seen(tmp_path):
    torch.manual_seed(0)
    env = gym.make("LRMP-Procedural-Spaces-OneShot-v0", tasks=TASKS).unwrapped
    observation, _ = env.reset(options={"instance": 0})
    policy = SpacePolicy(observation["layers"].shape[-1], observation["values"].shape[-1])
    policy.save(tmp_path / "policy.safetensors")
    again = load_policy(tmp_path / "policy.safetensors")
    for number, task_id in enumerate(TASKS):
        observation, _ = env.reset(options={"instance": number})
        action = again.act(observation)
        assert action.tolist() == policy.act(observation).tolist()
        _, reward, _, _, _ = env.step(action)
        # Untrained it prefers the last values, which of these knobs are the plain ones.
        last = np.array(load_task(task_id).space.sizes) - 1
        assert (env.outcome.design.settings == last).all()
        assert reward <= stored_optimum(task_id).bound


def test_other_features_are_refused(policy):
    observation = {
        "layers": np.zeros((4, 3), np.float32),
        "mask": np.ones(4, np.int8),
        "values": np.zeros((4, 2, 3, VALUES), np.float32),
        "value_mask": np.ones((4, 2, 3), np.int8),
    }
    with pytest.raises(PolicyError, match="Expected layers of 10 and values of 7 features, got 3"):
        policy.act(observation)
