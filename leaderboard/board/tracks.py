"""The tracks in which agents are ranked, and how a run of them is scored."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

Track = Literal["search", "zero-shot"]
TRACKS: tuple[str, ...] = get_args(Track)
#: After how many evaluations the curve of a search is read.
BUDGETS = (100, 600, 1000)
LEAST_INSTANCES = 10  # for a rank
PROVEN = 1e-9  # in the score, ln(gain): what rounding leaves between an optimum and its bound


def budgets_of(track: str) -> tuple[int, ...]:
    """Say at which numbers of evaluations runs are compared.

    Args:
        track: ``"search"`` or ``"zero-shot"``.

    Returns:
        The numbers; the last is how many a run may have.
    """
    return BUDGETS if track == "search" else (1,)


def is_bounded(value: float | None, bound: float | None) -> bool:
    """Say whether a design may be better than the best one that is known.

    Args:
        value: Score of the best design of an instance that is known; None before it is sought.
        bound: What no design of it exceeds.

    Returns:
        Whether they do not meet: the proof was cut off after so much work.
    """
    return value is not None and bound is not None and bound - value > PROVEN


def scores_at(
    track: str, scores: Sequence[float | None], optimum: Mapping[str, float]
) -> dict[str, float]:
    """Score a run: its best design so far / the certified optimum, at every budget.

    Args:
        track: ``"search"`` or ``"zero-shot"``.
        scores: Of its designs in order; None beyond the allowed drop counts as the plain design, 0.
        optimum: Of the instance, ``value`` and ``bound``: where they do not meet, the bound
            measures, and nobody is told more than is true. Where nothing can be gained, nothing
            is missed.

    Returns:
        By budget, as text.
    """
    most, bound = optimum["value"], optimum["bound"]
    if is_bounded(most, bound):
        most = bound
    best = {n: max((score or 0.0 for score in scores[:n]), default=0.0) for n in budgets_of(track)}
    return {str(n): max(b, 0.0) / most if most > 0 else 1.0 for n, b in best.items()}
