"""Rewards: one formula each, on the outcome of a whole design."""

import math
from collections.abc import Callable
from typing import Literal, get_args

from lrmp.errors import TaskError, unknown_name

RewardName = Literal["lrmp", "haq", "cim-aq"]

PENALTY_PER_POINT = 1.0

RewardFunction = Callable[[float, float, float], float]


def lrmp_reward(gain: float, drop: float, allowed_drop: float) -> float:
    """Score a design: ``ln(gain) - beta * max(0, drop - allowed)`` with beta = 1 per point.

    Zero for the 8-bit baseline. One point too many costs as much as a factor e of speed.

    Args:
        gain: Baseline / design, of what the task minimises.
        drop: Accuracy drop in percentage points.
        allowed_drop: Percentage points that cost nothing.

    Returns:
        The reward; the leaderboard ranks by it.
    """
    return math.log(gain) - PENALTY_PER_POINT * max(0.0, drop - allowed_drop)


def haq_reward(gain: float, drop: float, allowed_drop: float) -> float:
    """Score accuracy alone, as HAQ does (CVPR 2019): ``-0.1 * drop``.

    HAQ enforces its budget by changing the agent's action; without such a wrapper the best design
    is the most accurate one.

    Args:
        gain: Not used.
        drop: Accuracy drop in percentage points.
        allowed_drop: Not used.

    Returns:
        The reward.
    """
    return -0.1 * drop


def cim_aq_reward(gain: float, drop: float, allowed_drop: float) -> float:
    """Score as CIM-AQ does (arXiv 2601.21737).

    Beyond the allowed drop ``-10`` per point too many; within it
    ``100 * (gain - 1) + 0.1 * (allowed - drop)``.

    Args:
        gain: Baseline / design, of what the task minimises.
        drop: Accuracy drop in percentage points.
        allowed_drop: Percentage points allowed.

    Returns:
        The reward.
    """
    if drop > allowed_drop:
        return -10 * (drop - allowed_drop)
    return 100 * (gain - 1) + 0.1 * (allowed_drop - drop)


_REWARDS: dict[RewardName, RewardFunction] = {
    "lrmp": lrmp_reward,
    "haq": haq_reward,
    "cim-aq": cim_aq_reward,
}


def reward_function(name: RewardName) -> RewardFunction:
    """Look up a reward.

    Args:
        name: ``"lrmp"``, ``"haq"`` or ``"cim-aq"``.

    Returns:
        A function of gain, drop and allowed drop.

    Raises:
        TaskError: If there is no such reward.
    """
    if name not in _REWARDS:
        raise TaskError(unknown_name("reward", name, get_args(RewardName)))
    return _REWARDS[name]
