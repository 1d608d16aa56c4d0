"""Scales: from values to coordinates, with ticks at round numbers."""

import math
from dataclasses import dataclass

MOST_TICKS = 6


@dataclass(frozen=True)
class Tick:
    """A mark of an axis.

    Attributes:
        at: Coordinate.
        text: What it says.
    """

    at: float
    text: str


@dataclass(frozen=True)
class Scale:
    """A map from values to coordinates.

    Attributes:
        low: The least value.
        high: The largest value, above it.
        start: Coordinate of ``low``.
        end: Coordinate of ``high``.
        is_log: Whether equal ratios, not differences, are equally far apart.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """Place a value.

        Args:
            value: Any; what is outside goes to the end.

        Returns:
            A coordinate, rounded to a tenth.
        """
        inside = min(max(value, self.low), self.high)
        if self.is_log:
            low = math.log(self.low)
            share = (math.log(inside) - low) / (math.log(self.high) - low)
        else:
            share = (inside - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[Tick]:
        """Choose marks.

        Returns:
            From the least to the largest.
        """
        values = _log_ticks(self.low, self.high) if self.is_log else _ticks(self.low, self.high)
        return [Tick(self(value), f"{value:,.10g}") for value in values]


def scale_over(
    values: list[float], start: float, end: float, *, is_log: bool = False, zero: bool = False
) -> Scale:
    """Make a scale that shows all values.

    Args:
        values: Any number of them; positive if it is logarithmic.
        start: Coordinate of the least.
        end: Coordinate of the largest.
        is_log: Whether it is logarithmic.
        zero: Whether it begins at 0.

    Returns:
        The scale; of a single value it has some room on both sides.
    """
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if zero:
        low = min(low, 0.0)
    if is_log:
        low, high = max(low, 1e-9), max(high, 1e-9)
        return Scale(low, high if high > low else 10 * low, start, end, is_log=True)
    if not high > low:
        low, high = (low - 0.5, high + 0.5) if not zero else (low, low + 1.0)
    room = 0.04 * (high - low)
    return Scale(low if zero else low - room, high + room, start, end)


def _ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / MOST_TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    powers = range(first, last + 1, max(1, (last - first) // MOST_TICKS))
    factors = (1,) if last - first > 2 else (1, 2, 5)
    found = [factor * 10.0**power for power in powers for factor in factors]
    return [value for value in found if low <= value <= high]
