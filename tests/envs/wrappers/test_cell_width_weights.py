"""CIM-AQ's cell widths."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest

from lrmp.envs import CUSTOM_ID
from lrmp.envs.wrappers import (
    CellWidthWeights,
)

ID = "LRMP-ResNet18-v0"  # cells of 1 bit


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


def chip_of(env, cell_bits):
    """Return the environment's task on a chip with other cells."""
    task = env.unwrapped.task
    chip = dataclasses.replace(task.accelerator, cell_bits=cell_bits)
    return dataclasses.replace(task, id="Cells", accelerator=chip)


@pytest.mark.parametrize(
    ("cell_bits", "widths"),
    [(1, (2, 3, 4, 5, 6, 7, 8)), (2, (2, 4, 6, 8)), (3, (3, 6)), (4, (4, 8))],
)
def test_cell_width_weights_are_multiples_chosen_by_equal_parts(cell_bits, widths):
    plain = gym.make("LRMP-ResNet50-v0")
    task = chip_of(plain, cell_bits)
    box = CellWidthWeights(gym.make(CUSTOM_ID, task=task))
    grid = np.linspace(-0.98, 0.98, len(task.network))
    requested, executed, _ = episode(box, np.stack([grid, grid], axis=1))
    expected = [widths[int(len(widths) * (a + 1) / 2)] for a in grid]
    assert [w for w, _ in executed] == expected
    assert {w for w, _ in executed} == set(widths)
    assert [a for _, a in executed] == [2 + int(7 * (a + 1) / 2) for a in grid]
    assert requested == executed

    discrete = CellWidthWeights(gym.make(CUSTOM_ID, task=task, discrete=True))
    assert discrete.action_space == gym.spaces.MultiDiscrete([len(widths), 7])
    choices = [(i % len(widths), i % 7) for i in range(len(task.network))]
    _, executed, _ = episode(discrete, choices)
    assert executed == [(widths[w], 2 + a) for w, a in choices]
