"""HAQ's budget."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from lrmp.envs.wrappers import (
    BudgetProjection,
)
from lrmp.errors import InfeasibleBudgetError, TaskError
from lrmp.hardware.space.design import Design

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


def tiles(task, weight_bits):
    """Count the tiles of one copy of every layer."""
    return task.cost_model.evaluate(Design.of({"weight_bits": weight_bits})).tiles


@DISCRETE
@pytest.mark.parametrize("fraction", [0.3, 0.5, 1.0])
def test_budget_projection_lowers_weights_by_no_more_than_it_must(
    discrete, fraction, random_actions
):
    env = BudgetProjection(gym.make(ID, discrete=discrete), fraction)
    task = env.unwrapped.task
    limit = int(fraction * task.budget)
    for seed in range(3):
        actions = random_actions(env, seed)
        requested, executed, _ = episode(env, actions)
        assert requested == chosen(actions, discrete)
        weights = [w for w, _ in executed]
        assert tiles(task, weights) <= limit
        for layer, ((asked, asked_a), (got, got_a)) in enumerate(
            zip(requested, executed, strict=True)
        ):
            assert got_a == asked_a
            assert got <= asked
            if got < asked:  # one bit more, and the rest would not fit at 2 bits
                wider = [*weights[:layer], got + 1] + [2] * (len(weights) - layer - 1)
                assert tiles(task, wider) > limit
        if fraction == 1.0:
            assert executed == requested


def test_budget_projection_leaves_what_fits_alone(play):
    plain, wrapped = gym.make(ID), BudgetProjection(gym.make(ID), 0.5)
    actions = np.full((21, 2), 5 / 7 - 1)  # 4 bits: half the tiles
    expected = play(plain, actions)
    observed = play(wrapped, actions)
    for bits, transition in zip([8, *[4] * 21], observed, strict=True):
        assert transition[4].pop("requested_weight_bits") == bits
        assert transition[4].pop("requested_activation_bits") == bits
    assert data_equivalence(observed, expected, exact=True)


@pytest.mark.parametrize("fraction", [0.0, 1.1, float("nan")])
def test_budget_projection_refuses_a_fraction_out_of_range(fraction):
    with pytest.raises(TaskError, match=r"Expected fraction of the budget above 0 and at most 1"):
        BudgetProjection(gym.make(ID), fraction)


def test_budget_projection_refuses_a_budget_for_less_than_the_fewest_bits():
    with pytest.raises(
        InfeasibleBudgetError,
        match=r"Expected a fraction with at least 402 tiles, .*; got 0\.2 of 1608, 321\.",
    ):
        BudgetProjection(gym.make(ID), 0.2)
