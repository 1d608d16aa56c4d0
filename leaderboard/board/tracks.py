"""The tracks in which agents are ranked, and how a run of them is scored."""

from collections.abc import Sequence
from typing import Literal, get_args

Track = Literal["search", "zero-shot"]
TRACKS: tuple[str, ...] = get_args(Track)
#: After how many evaluations the curve of a search is read.
BUDGETS = (100, 600, 1000)
LEAST_INSTANCES = 10  # for a rank


def budgets_of(track: str) -> tuple[int, ...]:
    """Say at which numbers of evaluations runs are compared.

    Args:
        track: ``"search"`` or ``"zero-shot"``.

    Returns:
        The numbers; the last is how many a run may have.
    """
    return BUDGETS if track == "search" else (1,)


def scores_at(track: str, scores: Sequence[float | None], optimum: float) -> dict[str, float]:
    """Score a run: its best design so far / the certified optimum, at every budget.

    Args:
        track: ``"search"`` or ``"zero-shot"``.
        scores: Of its designs in order; None beyond the allowed drop counts as the plain design, 0.
        optimum: Score of the best design there is; where it is 0, nothing can be gained or missed.

    Returns:
        By budget, as text.
    """
    best = {n: max((score or 0.0 for score in scores[:n]), default=0.0) for n in budgets_of(track)}
    return {str(n): max(b, 0.0) / optimum if optimum > 0 else 1.0 for n, b in best.items()}
