"""Rewards: formulas by name, the first of which is the ranked one, or the user's own function."""

import math
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from lrmp.envs.scoring.observation import Number
from lrmp.envs.scoring.own_function import call_own, function_name
from lrmp.errors import TaskError, unknown_name

if TYPE_CHECKING:
    from lrmp.envs.scoring.outcome import Outcome

RewardName = Literal["lrmp", "haq", "cim-aq"]
#: What scores a design: a formula by its name, or a function of the user's own.
Reward: TypeAlias = "RewardName | Callable[[Outcome], float]"
RewardFunction = Callable[[float, float, float], float]

PENALTY_PER_POINT = 1.0
#: The default reward, as people read it.
FORMULA = f"ln(gain) - {PENALTY_PER_POINT:g} * max(0, accuracy drop - allowed drop)"


def penalty(drop: Number, allowed_drop: float) -> Number:
    """Say what accuracy drops cost in the default reward; it never falls as a drop grows.

    Searches that bound ``ln(gain)`` take it off, as ``lrmp_reward`` does.

    Args:
        drop: Percentage points, a number or an array of any shape.
        allowed_drop: Percentage points that cost nothing.

    Returns:
        At least 0, same shape.
    """
    excess = drop - allowed_drop
    return PENALTY_PER_POINT * excess * (excess > 0)


def lrmp_reward(gain: float, drop: float, allowed_drop: float) -> float:
    """Score a design by ``FORMULA``: the default return of an episode, and what ranks agents.

    Zero for the plain design, the baseline. One point too many costs as much as a factor e of gain.

    Args:
        gain: Baseline / design, of what the task minimises.
        drop: Accuracy drop in percentage points.
        allowed_drop: Percentage points that cost nothing.

    Returns:
        The reward.
    """
    return math.log(gain) - penalty(drop, allowed_drop)


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


def check_reward(reward: "Reward") -> None:
    """Refuse what is no reward.

    Args:
        reward: A name, or a function of the user's own.

    Raises:
        TaskError: If it is neither.
    """
    if not callable(reward):
        reward_function(reward)


def own_reward(function: "Callable[[Outcome], float]", outcome: "Outcome") -> float:
    """Score a design by a function of the user's own.

    Args:
        function: Takes the finished design and returns its score.
        outcome: The finished design.

    Returns:
        The score.

    Raises:
        TaskError: If the function raises, or returns no finite number.
    """
    wanted = f"a finite number as the reward of a design of {outcome.task.id}"
    score = call_own(function, outcome, wanted)
    if not isinstance(score, Real) or not math.isfinite(score):
        raise TaskError(
            f"Expected {function_name(function)} to return {wanted}, got {score!r}. Mend the "
            "function."
        )
    return float(score)


def reward_function(name: RewardName) -> RewardFunction:
    """Look up a formula.

    Args:
        name: ``"lrmp"``, ``"haq"`` or ``"cim-aq"``.

    Returns:
        A function of gain, drop and allowed drop.

    Raises:
        TaskError: If there is no such reward.
    """
    if not isinstance(name, str):
        raise TaskError(f"Expected reward to be a name, or a function of an outcome; got {name!r}.")
    if name not in _REWARDS:
        raise TaskError(unknown_name("reward", name, get_args(RewardName)))
    return _REWARDS[name]
