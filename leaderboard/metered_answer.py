"""What a board says of a design in a metered run: the server writes it, the client reads it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What the server says of a design.

    Attributes:
        number: Which of the run's evaluations, from 1.
        score: ln(gain), or None beyond the allowed drop.
        reward: What the environment's default return would be.
        gain: Baseline / design.
        accuracy_drop: Percentage points.
    """

    number: int
    score: float | None
    reward: float
    gain: float
    accuracy_drop: float
