import itertools

import pytest

from lrmp.baselines.running.algorithms import ALGORITHMS
from lrmp.leaderboard.agent_name import skeleton

ALIKE = (
    ("ddpg", "Ddpg", "DDPG", "ddpg_", "ddpg.", "ddpg-"),
    (
        "policy-gradient",
        "policy_gradient",
        "policy.gradient",
        "Policy--Gradient",
        "po1icy-gradient",
    ),
    ("sac", "SAC"),
    ("hello", "HELL0", "he11o", "heIIo", "heLlo", "heiio"),
    ("model", "rnodel", "MODEL", "mode1"),
    ("win", "vvin", "WlN"),
    ("dqn", "clqn"),
)


@pytest.mark.parametrize("names", ALIKE)
def test_names_that_look_alike_have_one_skeleton(names):
    assert len({skeleton(name) for name in names}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ppo", "ippo"),
        ("ppo", "mappo"),
        ("td3", "td4"),
        ("ppo-2", "ppo2"),
        ("a", "b"),
        ("sac", "s-ac"),
    ],
)
def test_names_that_look_different_have_two(one, other):
    assert skeleton(one) != skeleton(other)


def test_the_baselines_look_different():
    for one, other in itertools.combinations(ALGORITHMS, 2):
        assert skeleton(one) != skeleton(other)
