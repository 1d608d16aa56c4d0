"""All layers in one action."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from lrmp.envs import OneShotEnv
from lrmp.envs.task.environment_id import environment_id
from lrmp.errors import ActionError


def same(a, b):
    return data_equivalence(a, b, exact=True)


@pytest.mark.parametrize("task_id", ["LRMP-ResNet18-v0", "LRMP-LeNet-EDP-v0", "LRMP-Digits-v0"])
@pytest.mark.parametrize("discrete", [False, True, "flat"])
def test_one_shot_scores_as_layer_by_layer(task_id, discrete, play, random_actions):
    layerwise = gym.make(task_id, discrete=discrete)
    actions = random_actions(layerwise, 3)
    *_, (_, reward, _, _, info) = play(layerwise, actions)
    one_shot = gym.make(environment_id(task_id, "OneShot"), discrete=discrete)
    one_shot.reset()
    _, other_reward, terminated, _, other = one_shot.step(actions.reshape(-1))
    assert terminated
    assert other_reward == reward
    bits = info["design_weight_bits"], info["design_activation_bits"]
    assert same((other.pop("weight_bits"), other.pop("activation_bits")), bits)
    for key in ("weight_bits", "activation_bits", "layer"):
        info.pop(key)
    assert len(other.pop("action_mask")) == len(info.pop("action_mask")) * len(bits[0])
    assert same(other, info)


@pytest.mark.parametrize("action", [[0.5] * 5, [0.5] * 5 + [1.1], [np.nan] * 6, [[0], [0, 1]]])
def test_wrong_one_shot_actions_are_refused(action):
    env = OneShotEnv("LRMP-MLP-v0")
    env.reset()
    with pytest.raises(ActionError, match=r"Expected an action in Box\(-1\.0, 1\.0, \(6,\)"):
        env.step(action)
    assert env.step([0.5] * 6)[2]
