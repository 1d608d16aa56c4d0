"""How far a design is from the certified optimum."""

import math

from lrmp.leaderboard.ranked_tasks import proven_best


def optimum_gap(task_id: str, fingerprint: str, score: float | None) -> float | None:
    """Say by how much a design is worse than the certified optimum of its task.

    Args:
        task_id: Of the task.
        fingerprint: Of its definition.
        score: Of the design, or None beyond the allowed drop.

    Returns:
        By how much what the task minimises is larger than the optimum's: 0.01 is 1 %. None where
        the optimum is not known, or the design has no score.
    """
    found = None if score is None else proven_best(task_id, fingerprint)
    return design_gap(None if found is None else found.certificate.value, score)


def design_gap(optimum: float | None, score: float | None) -> float | None:
    """Say by how much a design is worse than the best that is known.

    Args:
        optimum: Score of the certified optimum, or None if the task has none.
        score: Of the design, or None beyond the allowed drop.

    Returns:
        By how much what the task minimises is larger than the optimum's; 0.01 is 1 %. None where
        there is nothing to compare.
    """
    return None if optimum is None or score is None else math.expm1(optimum - score)


def gap_text(gap: float | None) -> str:
    """Word a gap.

    Args:
        gap: As ``optimum_gap`` returns it.

    Returns:
        Such as ``"+1.25 %"``; ``"-"`` for None. Rounding is no gap: 0 is written for what is less
        than floating point tells apart.
    """
    if gap is None:
        return "-"
    return "0 %" if abs(gap) < 1e-9 else f"{100 * gap:+.2f} %"
