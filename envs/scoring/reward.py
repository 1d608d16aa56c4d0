"""What ranks designs and what rewards agents: formulas by name, or the user's own function."""

import math
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.scoring.own_function import call_own, find_function, function_name
from lrmp.errors import TaskError, unknown_name

if TYPE_CHECKING:
    from lrmp.envs.scoring.outcome import Outcome

RewardName = Literal["lrmp", "haq", "cim-aq"]
#: What scores a design: a formula by its name, or a function of the user's own.
Reward: TypeAlias = "RewardName | Callable[[Outcome], float]"

#: How fast the credit for gain fades beyond the allowance, per factor e of divergence: so steep
#: that no design beyond it is worth more than the best within (``lrmp.envs.Optimum`` proves it).
STEEP = 100.0
#: What divergence costs beyond that: so mild that random designs are about as far below 0 as good
#: ones are above it.
MILD = 0.5
#: The ranked score, as people read it.
SCORE_FORMULA = "ln(gain) of a design within the allowed drop; none for others"
#: By how much a design exceeds the allowed drop, as people read it.
EXCESS = "ln(divergence / allowed divergence)"
#: The default reward, as people read it: beyond the allowed drop, and in whole.
BEYOND = f"max(ln(gain) - {STEEP:g} x, -{MILD:g} x)"
REWARD_FORMULA = f"ln(gain) within the allowed drop; beyond it {BEYOND}, x = {EXCESS}"


class Measured(NamedTuple):
    """The numbers of a design that a reward formula may use.

    Attributes:
        gain: Baseline / design, of what the task minimises.
        excess: ``ln(divergence / allowed divergence)``, 0 within the allowance.
        drop: Accuracy drop in percentage points.
        allowed_drop: Percentage points that cost nothing.
    """

    gain: float
    excess: float
    drop: float
    allowed_drop: float


RewardFunction = Callable[[Measured], float]


def ranked_score(log_gain: float, excess: float) -> float | None:
    """Score a design by ``SCORE_FORMULA``: what ranks agents, as LRMP compares at equal accuracy.

    Args:
        log_gain: Logarithm of baseline / design, of what the task minimises.
        excess: ``ln(divergence / allowed divergence)``, 0 within the allowance.

    Returns:
        It, 0 for the plain design; None beyond the allowance.
    """
    return log_gain if excess == 0 else None


def score_text(score: float | None) -> str:
    """Word a ranked score for people.

    Args:
        score: As ``ranked_score`` returns it.

    Returns:
        Such as ``"score 1.7700"``, or ``"no score"``.
    """
    return "no score" if score is None else f"score {score:.4f}"


def lrmp_reward(log_gain: float, excess: float) -> float:
    """Reward a design by ``REWARD_FORMULA``: the default return of an episode.

    Within the allowance it is the ranked score. Beyond it the credit for a gain fades at once, and
    what remains falls strictly with the divergence, which nothing bounds: making a design that has
    spent too much cheaper pays nothing, making it more accurate does. The rule is Deb's for
    constraints (Comput. Methods Appl. Mech. Eng. 186, 2000): designs within are compared by what
    they gain, others by how far they are from it. Here it is continuous.

    Args:
        log_gain: Logarithm of baseline / design, of what the task minimises.
        excess: ``ln(divergence / allowed divergence)``, 0 within the allowance.

    Returns:
        The reward: continuous in both, never falling with the gain, falling with the excess.
    """
    return max(log_gain - STEEP * excess, min(log_gain, 0.0) - MILD * excess)


def lrmp_rewards(
    log_gains: NDArray[np.float64], excesses: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Reward many designs by ``REWARD_FORMULA``, with the numbers of ``lrmp_reward``.

    Args:
        log_gains: Shape (B,).
        excesses: Shape (B,).

    Returns:
        The rewards, shape (B,).
    """
    within = np.minimum(log_gains, 0.0) - MILD * excesses
    rewards: NDArray[np.float64] = np.maximum(log_gains - STEEP * excesses, within)
    return rewards


def haq_reward(drop: float) -> float:
    """Score accuracy alone, as HAQ does (CVPR 2019): ``-0.1 * drop``.

    HAQ enforces its budget by changing the agent's action; without such a wrapper the best design
    is the most accurate one.

    Args:
        drop: Accuracy drop in percentage points.

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


#: The formulas by name, the default first.
REWARDS: dict[RewardName, RewardFunction] = {
    "lrmp": lambda design: lrmp_reward(math.log(design.gain), design.excess),
    "haq": lambda design: haq_reward(design.drop),
    "cim-aq": lambda design: cim_aq_reward(design.gain, design.drop, design.allowed_drop),
}


def find_reward(reward: "Reward | str") -> "Reward":
    """Find what scores designs, and refuse what is no reward.

    Args:
        reward: The name of a formula, a function of the user's own, or where that is:
            ``"package.module:function"``.

    Returns:
        The name or the function.

    Raises:
        TaskError: If it is none of these.
    """
    if isinstance(reward, str) and ":" in reward:
        return find_function(reward)
    if not callable(reward):
        reward_function(reward)  # type: ignore[arg-type]  # refuses what is no name
    return reward  # type: ignore[return-value]


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
        name: A key of ``REWARDS``.

    Returns:
        A function of what is measured of a design.

    Raises:
        TaskError: If there is no such reward.
    """
    if not isinstance(name, str):
        raise TaskError(f"Expected reward to be a name, or a function of an outcome; got {name!r}.")
    if name not in REWARDS:
        raise TaskError(unknown_name("reward", name, REWARDS))
    return REWARDS[name]
