"""A ranking of designs: what it says of a task and of each design on it."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from lrmp.accuracy.model.accuracy_model import accuracy_label
from lrmp.envs.scoring.reward import SCORE_FORMULA
from lrmp.leaderboard.log.item import canonical
from lrmp.leaderboard.ranked_tasks import proven_best

if TYPE_CHECKING:
    from lrmp.leaderboard.entry import Entry

#: What `known_as` says of a design that is the reference row's.
REFERENCE = 0
#: How labels of accuracies end that were not measured on the network.
ESTIMATE = accuracy_label("table", True).removeprefix("table")
DESIGN_SCORE = f"score of a design = {SCORE_FORMULA}"


@dataclass(frozen=True)
class RankedDesign:
    """A design's place on a task. Nobody is ranked: designs are.

    Attributes:
        place: From 1, by score; of equal scores the first in the log comes first.
        number: In the log.
        submission: Id of the submission.
        agent: Who handed it in.
        score: ln(gain), or None beyond the allowed drop.
        gap: By how much it is worse than the certified optimum; 0.01 is 1 %. None without either.
        known_as: Number of the first item with the same settings, or 0 for the certified
            optimum's: then it is nothing new. None if it was new.
        gain: Baseline / design.
        accuracy_drop: Percentage points, as searches see it.
        test_accuracy_drop: On images that no search has seen, or None.
        accuracy: ``"network"``, ``"table"`` or ``"table (estimate)"``.
        network_drop: Percentage points on test images, when the design was run on its network; None
            if it was not.
        network_low: Lower end of its 95 % interval.
        network_high: Upper end.
        network_images: How many images.
        network_check: Number of the check in the log.
        latency_cycles: Of one inference.
        bottleneck_cycles: Between two images of a full pipeline.
        tiles: Held by all copies.
        at: When it was logged.
    """

    place: int
    number: int
    submission: str
    agent: str
    score: float | None
    gap: float | None
    known_as: int | None
    gain: float
    accuracy_drop: float
    test_accuracy_drop: float | None
    accuracy: str
    network_drop: float | None
    network_low: float | None
    network_high: float | None
    network_images: int | None
    network_check: int | None
    latency_cycles: int
    bottleneck_cycles: int
    tiles: int
    at: str


@dataclass(frozen=True)
class Reference:
    """The certified optimum of a task, as the ranking's reference row.

    Attributes:
        value: Score of the best design that is known.
        bound: No design has a higher score, proven.
        constant: Score of the best setting for all layers alike.
        method: How it was found and proven.
    """

    value: float
    bound: float
    constant: float
    method: str


@dataclass(frozen=True)
class DesignRanking:
    """The designs of a task.

    Attributes:
        task: Id.
        fingerprint: Of its definition; others are ranked apart.
        is_current: Whether that is how this lrmp defines it.
        accuracy_misses: In what its drops were not found to be the network's on designs that
            optimisers pick; empty where they were. None for another definition than this lrmp's.
        as_of: Number of the last item of the log that counts.
        reference: The certified optimum, if it is known.
        total: How many designs there are.
        designs: Those that were asked for, in order.
    """

    task: str
    fingerprint: str
    is_current: bool
    accuracy_misses: list[str] | None
    as_of: int
    reference: Reference | None
    total: int
    designs: list[RankedDesign]

    @property
    def is_estimate(self) -> bool:
        """Whether drops on this task were not measured on its network."""
        return any(design.accuracy.endswith(ESTIMATE) for design in self.designs)


@cache
def reference_of(task_id: str, fingerprint: str) -> tuple[Reference, str] | None:
    """Look up the certified optimum of a task.

    Args:
        task_id: Of the task.
        fingerprint: Of its definition.

    Returns:
        The reference row and the hash of its design; None if it is not known.
    """
    found = proven_best(task_id, fingerprint)
    if found is None:
        return None
    proven = found.certificate
    row = Reference(proven.value, proven.bound, proven.constant_value, found.method)
    return row, design_hash(found.design)


def design_hash(design: dict[str, Any]) -> str:
    """Tell designs apart by their settings: copies follow from them, whichever of a tie.

    Args:
        design: What ``Design.to_json`` returns.

    Returns:
        SHA-256, hexadecimal.
    """
    settings = {name: values for name, values in design.items() if name != "replication"}
    return hashlib.sha256(canonical(settings).encode()).hexdigest()


def rank(entries: Sequence["Entry"]) -> list[DesignRanking]:
    """Rank the designs of a store, for every definition of a task apart.

    Args:
        entries: What ``Store.entries`` returned.

    Returns:
        Rankings by task: measured ones before estimates, today's definition before others.
    """
    # SQLAlchemy takes 0.2 s that `import lrmp.leaderboard` need not pay.
    from lrmp.leaderboard.log.rank import rank_log

    return rank_log([entry.item for entry in entries])


def to_json(rankings: Sequence[DesignRanking]) -> dict[str, Any]:
    """Return rankings as plain JSON values, as a hosted board answers them.

    Args:
        rankings: What ``rank`` returned.

    Returns:
        The formula of a score, and the rankings in order.
    """
    return {"design_score": DESIGN_SCORE, "rankings": [asdict(each) for each in rankings]}
