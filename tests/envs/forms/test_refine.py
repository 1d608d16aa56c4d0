"""One value of one knob at a time."""

import gymnasium as gym
import numpy as np
import pytest

from lrmp.envs import RefineEnv
from lrmp.errors import ActionError, TaskError


def test_refinement_changes_one_bit_and_is_scored_at_once():
    env = gym.make("LRMP-LeNet-Refine-v0", horizon=6)
    observation, info = env.reset()
    names = env.unwrapped.feature_names
    assert names[:2] == ("weight_bits_0", "activation_bits_0")
    assert names[-5:] == ("tiles", "accuracy_spent", "cycles", "bottleneck", "steps_left")
    assert observation[:8].tolist() == [1.0] * 8
    # Nothing but taking bits away is possible at 8 bits.
    assert info["action_mask"].tolist() == [1] + [1, 0] * 8
    expected = np.full((4, 2), 8)
    total = 0.0
    moves = [(1, (0, 0, -1)), (15, (3, 1, -1)), (1, (0, 0, -1)), (2, (0, 0, 1)), (0, None)]
    for step, (action, change) in enumerate(moves, start=1):
        observation, reward, terminated, _, info = env.step(action)
        if change:
            layer, operand, by = change
            expected[layer, operand] += by
        total += reward
        assert observation[:8] == pytest.approx((expected.ravel() - 2) / 6)
        assert observation[-1] == pytest.approx((6 - step) / 6)
        assert info["action_possible"]
        outcome = env.unwrapped.dynamics.outcome(expected - 2)
        assert total == pytest.approx(outcome.reward(), rel=1e-12)
        assert info["gain"] == outcome.gain
        assert not terminated
    assert reward == 0
    mask = env.unwrapped.action_masks()
    assert mask.dtype == bool
    assert mask.tolist() == info["action_mask"].tolist()
    _, reward, terminated, _, info = env.step(8)  # layer 1 has 8 activation bits already
    assert not info["action_possible"]
    assert reward == 0
    assert terminated
    assert np.stack([info["weight_bits"], info["activation_bits"]], 1).tolist() == expected.tolist()
    assert env.unwrapped.outcome.design == outcome.design
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before step\(\)"):
        env.unwrapped.step(0)


def test_refinement_reaches_the_farthest_design_by_default():
    env = gym.make("LRMP-MLP-Refine-v0")
    env.reset()
    down = [1 + 4 * layer + operand for layer in range(3) for operand in (0, 2) for _ in range(6)]
    for action in down:
        _, _, terminated, _, info = env.step(action)
    assert terminated
    assert info["weight_bits"].tolist() == info["activation_bits"].tolist() == [2, 2, 2]


def test_wrong_horizon_is_refused():
    with pytest.raises(TaskError, match=r"Expected horizon of at least 1 step, got 0\."):
        RefineEnv("LRMP-MLP-v0", horizon=0)


@pytest.mark.parametrize("action", [-1, 13, 0.5, np.array([1, 2])])
def test_wrong_refinements_are_refused(action):
    env = RefineEnv("LRMP-MLP-v0")
    env.reset()
    with pytest.raises(ActionError, match=r"Expected an action in Discrete\(13\), got"):
        env.step(action)
