"""Pinned layers."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest

from lrmp.envs.wrappers import (
    CellWidthWeights,
    PinFirstLast,
)
from lrmp.errors import TaskError

ID = "LRMP-ResNet18-v0"  # cells of 1 bit

DISCRETE = pytest.mark.parametrize(
    "discrete", [False, True, "flat"], ids=["box", "discrete", "flat"]
)


def episode(env, actions):
    """Play an episode: requested and executed (weight, activation) bits, and the last info."""
    env.reset(seed=0)
    infos = [env.step(action)[4] for action in actions]
    names = ("weight_bits", "activation_bits")
    requested = [tuple(info[f"requested_{name}"] for name in names) for info in infos]
    executed = [tuple(info[name] for name in names) for info in infos]
    design = env.unwrapped.outcome.design
    bits = zip(design["weight_bits"].tolist(), design["activation_bits"].tolist(), strict=True)
    assert list(bits) == executed
    return requested, executed, infos[-1]


def chosen(actions, discrete):
    """Return the bits that actions ask for, by another formula than the wrappers'."""
    if discrete == "flat":
        bits = 2 + np.stack(np.divmod(actions, 7), axis=1)
    elif discrete:
        bits = 2 + actions
    else:
        bits = 2 + np.floor(7 * (actions.astype(np.float64) + 1) / 2).astype(int)
    return [tuple(pair) for pair in bits.tolist()]


def chip_of(env, cell_bits):
    """Return the environment's task on a chip with other cells."""
    task = env.unwrapped.task
    chip = dataclasses.replace(task.accelerator, cell_bits=cell_bits)
    return dataclasses.replace(task, id="Cells", accelerator=chip)


@DISCRETE
def test_pinned_layers_get_their_bits_and_the_others_their_own(discrete, random_actions):
    env = PinFirstLast(gym.make(ID, discrete=discrete), weight_bits=7, activation_bits=6)
    actions = random_actions(env, 0)
    requested, executed, _ = episode(env, actions)
    assert requested == chosen(actions, discrete)
    assert executed == [(7, 6), *requested[1:-1], (7, 6)]


@pytest.mark.parametrize("bits", [{"weight_bits": 9}, {"activation_bits": 1}])
def test_pinning_refuses_bits_that_cannot_be_chosen(bits):
    (name, value), *_ = bits.items()
    with pytest.raises(
        TaskError,
        match=rf"Expected {name} of the pinned layers to be one of 2, .*, 8; got {value}\.",
    ):
        PinFirstLast(gym.make(ID), **bits)


def test_pin_among_cell_widths_is_refused():
    task = chip_of(gym.make(ID), 3)
    with pytest.raises(TaskError, match=r"pinned layers to be one of 3, 6; got 8\."):
        PinFirstLast(CellWidthWeights(gym.make(ID, task=task)))
