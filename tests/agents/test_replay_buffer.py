import numpy as np
import pytest

pytest.importorskip("torch")

from lrmp.agents.replay_buffer import ReplayBuffer


def filled(count, capacity=4):
    buffer = ReplayBuffer(capacity, observation_size=2, action_size=1)
    for i in range(count):
        buffer.add(np.full(2, i), np.full(1, i), i, np.full(2, i + 1), i % 2 == 1)
    return buffer


def test_length_grows_to_the_capacity():
    assert [len(filled(n)) for n in (0, 1, 4, 5, 9)] == [0, 1, 4, 4, 4]


def test_oldest_transitions_are_overwritten():
    assert sorted(filled(6).arrays["reward"].tolist()) == [2, 3, 4, 5]


def test_a_sampled_row_is_one_transition():
    batch = filled(4).sample(np.random.default_rng(0), 64)
    reward = batch.reward.numpy()
    assert set(reward) == {0, 1, 2, 3}
    assert np.array_equal(batch.observation.numpy(), np.stack([reward, reward], 1))
    assert np.array_equal(batch.next_observation.numpy(), batch.observation.numpy() + 1)
    assert np.array_equal(batch.action.numpy()[:, 0], reward)
    assert np.array_equal(batch.terminated.numpy(), reward % 2)


def test_only_stored_transitions_are_sampled():
    assert set(filled(1).sample(np.random.default_rng(0), 32).reward.numpy()) == {0}
