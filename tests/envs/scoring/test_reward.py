"""The three rewards on hand-computed values: (gain, drop, allowed drop) -> reward."""

import math

import pytest

from lrmp.envs.scoring.reward import reward_function
from lrmp.errors import TaskError


@pytest.mark.parametrize(
    ("gain", "drop", "allowed", "reward"),
    [
        (1.0, 0.0, 1.0, 0.0),
        (1.0, 1.0, 1.0, 0.0),
        (math.e, -2.0, 1.0, 1.0),  # better than the float network earns nothing
        (math.e, 2.5, 1.0, -0.5),
        (math.e**2, 1.25, 0.25, 1.0),
        (1 / math.e, 0.5, 1.0, -1.0),
    ],
)
def test_lrmp(gain, drop, allowed, reward):
    assert reward_function("lrmp")(gain, drop, allowed) == pytest.approx(reward, abs=1e-12)


@pytest.mark.parametrize(
    ("gain", "drop", "allowed", "reward"),
    [(1.0, 0.0, 1.0, 0.0), (9.0, 2.5, 1.0, -0.25), (1.0, 2.5, 7.0, -0.25), (2.0, -1.0, 1.0, 0.1)],
)
def test_haq(gain, drop, allowed, reward):
    assert reward_function("haq")(gain, drop, allowed) == pytest.approx(reward, abs=1e-12)


@pytest.mark.parametrize(
    ("gain", "drop", "allowed", "reward"),
    [
        (1.0, 0.0, 1.0, 0.1),
        (3.0, 0.5, 1.0, 200.05),
        (3.0, 1.0, 1.0, 200.0),  # the allowed drop is allowed
        (3.0, 1.5, 1.0, -5.0),
        (3.0, 0.75, 0.25, -5.0),
        (1.5, -1.0, 1.0, 50.2),
    ],
)
def test_cim_aq(gain, drop, allowed, reward):
    assert reward_function("cim-aq")(gain, drop, allowed) == pytest.approx(reward, abs=1e-12)


def test_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(
        TaskError,
        match=r"Expected reward to be one of haq, cim-aq, lrmp; got 'HAQ'\. Did",
    ):
        reward_function("HAQ")
    with pytest.raises(TaskError, match=r"got 'cimaq'\. Did you mean 'cim-aq'\?$"):
        reward_function("cimaq")
