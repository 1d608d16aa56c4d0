"""Numbers where knobs count, choices where they have labels: the continuous space in parts."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs import CUSTOM_ID, make_task
from lrmp.envs.wrappers import CellWidthWeights, HybridActions, PinFirstLast
from lrmp.errors import ActionError, TaskError
from lrmp.hardware import load_network
from lrmp.hardware.families import find_family

FAMILY = find_family("prune")


@pytest.fixture(scope="module")
def task():
    network, chip = load_network("lenet"), FAMILY.chip()
    space = FAMILY.space(network, chip)
    rng = np.random.default_rng(0)
    table = TableAccuracy(
        {
            ("weight_bits",): np.sort(rng.random((4, 7)))[:, ::-1] / 9,
            ("activation_bits",): np.sort(rng.random((4, 7)))[:, ::-1] / 9,
            ("pruning_ratio", "pruning_method"): np.sort(rng.random((4, 5, 3)), axis=1) / 9,
        },
        "made up",
        is_estimate=True,
        space=space,
    )
    return make_task(network, chip, accuracy=table, space=space, allowed_drop=1.0)


def test_a_part_for_every_knob(task):
    env = HybridActions(gym.make(CUSTOM_ID, task=task))
    number = spaces.Box(-1.0, 1.0, (), np.float32)
    assert env.action_space == spaces.Dict(
        {
            "weight_bits": number,
            "activation_bits": number,
            "pruning_ratio": number,
            "pruning_method": spaces.Discrete(3),
        }
    )


def test_the_same_episode_in_both_spaces(task):
    hybrid, box = (HybridActions(gym.make(CUSTOM_ID, task=task)) for _ in range(2))
    hybrid.action_space.seed(0)
    hybrid.reset(seed=0)
    box.reset(seed=0)
    ended = False
    while not ended:
        action = hybrid.action_space.sample()
        found = hybrid.step(action)
        expected = box.env.step(box.action(action))
        assert found[1:3] == expected[1:3]
        assert (found[0] == expected[0]).all()
        assert found[4]["pruning_method"] == action["pruning_method"]
        place = min(4, int(5 * (float(action["pruning_ratio"]) + 1) / 2))
        assert found[4]["pruning_ratio"] == (0, 25, 50, 75, 90)[place]
        ended = found[2]
    one, other = (env.get_wrapper_attr("outcome").design for env in (hybrid, box))
    assert one == other


def test_in_other_wrappers(task):
    chip = dataclasses.replace(task.accelerator, cell_bits=2)
    cells = dataclasses.replace(task, id="Cells", accelerator=chip)
    env = HybridActions(CellWidthWeights(PinFirstLast(gym.make(CUSTOM_ID, task=cells))))
    env.reset(seed=0)
    info = env.step(
        {"weight_bits": -1, "activation_bits": -1, "pruning_ratio": 0.9, "pruning_method": 1}
    )[4]
    assert (info["requested_weight_bits"], info["weight_bits"]) == (2, 8)  # pinned
    asked = info["requested_pruning_ratio"], info["requested_pruning_method"]
    assert asked == (90, 1)


GOOD = {"weight_bits": 0.0, "activation_bits": 0.0, "pruning_ratio": 0.0, "pruning_method": 0}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pruning_method": 3}, r"Expected pruning_method in Discrete\(3\), got 3"),
        ({"pruning_method": 0.5}, r"Expected pruning_method in Discrete\(3\), got 0\.5"),
        ({"pruning_ratio": 1.5}, r"Expected pruning_ratio in Box\(-1\.0, 1\.0, \(\), float32\)"),
        ({"pruning_ratio": float("nan")}, r"Expected pruning_ratio in Box"),
        ({"weight_bits": [0.0, 0.0]}, r"Expected weight_bits in Box"),
        ({"weight_bits": "8"}, r"Expected weight_bits in Box"),
        ({"weight_bits": [[0.0], [0.0, 0.0]]}, r"Expected weight_bits in Box"),
        ({"pruning_method": True}, r"Expected pruning_method in Discrete\(3\), got True"),
        ({3: 0.0}, r"Expected an action with weight_bits"),
        ({"ratio": 0.0}, r"Expected an action with weight_bits, activation_bits, pruning_ratio, "),
    ],
)
def test_actions_outside_are_refused(task, changed, message):
    env = HybridActions(gym.make(CUSTOM_ID, task=task))
    env.reset(seed=0)
    with pytest.raises(ActionError, match=message):
        env.step(GOOD | changed)
    with pytest.raises(ActionError, match=r"Expected an action with .* got 0\.5\. Give each one"):
        env.step(0.5)


@pytest.mark.parametrize("discrete", [True, "flat"])
def test_environments_without_numbers_are_refused(task, discrete):
    with pytest.raises(
        TaskError, match=r"layer-wise environment with continuous actions for HybridActions, got"
    ):
        HybridActions(gym.make(CUSTOM_ID, task=task, discrete=discrete))
