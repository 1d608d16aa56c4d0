"""What a chip's assumed numbers decide: each is changed, and the design costed again.

By 30 %, or to the least and the greatest that models say of it, where these are known.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from lrmp.envs.scoring.outcome import Outcome
from lrmp.errors import LRMPError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.cost.cost_model import CostModel

SPREAD = 0.3
#: How a number that nobody has published is marked.
ASSUMED = ("assumed", "modelled")


@dataclass(frozen=True)
class Assumed:
    """A number of a chip that is assumed or modelled, or of which models say something else.

    Attributes:
        key: As the preset names it.
        value: Of it.
        source: Why it was assumed so.
        low: What the design's objective and gain are with 30 % less, or the least that models say,
            relative to now; None where the design does not run then, or the number is a choice of
            words.
        high: The same with 30 % more, or the greatest.
        note: What else is to be said, such as that a whole number cannot change by 30 %.
    """

    key: str
    value: Any
    source: str
    low: tuple[float, float] | None = None
    high: tuple[float, float] | None = None
    note: str = ""

    @property
    def change(self) -> float:
        """The larger change of the objective, relative; 0 where none is known."""
        return max((abs(pair[0] - 1) for pair in (self.low, self.high) if pair), default=0.0)


def assumed_numbers(outcome: Outcome) -> list[Assumed]:
    """Change every number of a chip that is assumed or modelled, or has a range.

    Args:
        outcome: A design; it stays as it is, copies and all.

    Returns:
        All of them, those that change most first. The objective is one of cost: less is better.
    """
    found = list(_changed(outcome))
    return sorted(found, key=lambda each: (-each.change, each.key))


def _changed(outcome: Outcome) -> Iterator[Assumed]:
    chip = outcome.task.accelerator
    for key, origin in chip.provenance.items():
        for name, value in _numbers(chip, key):
            ends = origin.ranges.get("value" if key == name else name.rpartition(".")[2])
            if ends and ends[0] <= value <= ends[1]:
                yield _between(outcome, name, value, origin.source, ends)
            elif origin.status not in ASSUMED:
                continue
            elif isinstance(value, str):
                yield Assumed(name, value, origin.source, note="a choice, not a number")
            elif not value:
                yield Assumed(name, value, origin.source, note="left out of the model")
            else:
                yield _with_spread(outcome, name, value, origin.source)


def _between(
    outcome: Outcome, key: str, value: float, source: str, ends: tuple[float, float]
) -> Assumed:
    """Change a number to the ends of its range."""
    low, high = (_side(outcome, key, end) for end in ends)
    note = f"models: {ends[0]:g} to {ends[1]:g}, in place of {SPREAD:.0%}"
    return Assumed(key, value, source, low[0], high[0], note)


def _with_spread(outcome: Outcome, key: str, value: Any, source: str) -> Assumed:
    low, high = (_changed_side(outcome, key, value, sign * SPREAD) for sign in (-1, 1))
    notes = dict.fromkeys(note for _, note in (low, high) if note)
    return Assumed(key, value, source, low[0], high[0], "; ".join(notes))


def _changed_side(
    outcome: Outcome, key: str, value: float, change: float
) -> tuple[tuple[float, float] | None, str]:
    other = value * (1 + change)
    if isinstance(value, int):
        other = round(other)
        if other == value:
            return (1.0, 1.0), f"a whole number that {SPREAD:.0%} do not change"
    return _side(outcome, key, other)


def _side(outcome: Outcome, key: str, other: float) -> tuple[tuple[float, float] | None, str]:
    """Return objective and gain with another number, relative, and what is to be said of it."""
    try:
        return _relative(outcome, _with(outcome.task.accelerator, key, other)), ""
    except LRMPError:
        return None, f"the design does not run with {other:g}"


def _relative(outcome: Outcome, chip: Accelerator) -> tuple[float, float]:
    """Return objective and gain relative to those of the chip as it is."""
    task = outcome.task
    model = CostModel(task.network, chip, task.space)
    report = model.evaluate(outcome.design)
    # Cycles of another clock are other times.
    clocks = task.accelerator.clock_hz / chip.clock_hz if _is_timed(task.objective) else 1.0
    cost = report.cost(task.objective) * clocks / outcome.report.cost(task.objective)
    before = model.baseline if task.baseline is None else model.evaluate(task.baseline)
    gain = before.cost(task.objective) / report.cost(task.objective)
    return cost, gain / outcome.gain


def _is_timed(objective: str) -> bool:
    return objective != "energy"


def _numbers(chip: Accelerator, key: str) -> Iterator[tuple[str, Any]]:
    """Yield what a key of the provenance stands for; a component has several numbers."""
    section, _, name = key.partition(".")
    if not name:
        yield key, getattr(chip, key)
    elif section == "energy":
        yield key, getattr(chip.energy, name)
    elif section == "components":
        component = next(each for each in chip.components if each.name == name)
        for part, value in asdict(component).items():
            if isinstance(value, int | float):
                yield f"{key}.{part}", value


def _with(chip: Accelerator, key: str, value: Any) -> Accelerator:
    section, _, name = key.partition(".")
    if not name:
        return replace(chip, **{key: value})
    if section == "energy":
        assert chip.energy is not None
        return replace(chip, energy=replace(chip.energy, **{name: value}))
    name, _, part = name.rpartition(".")
    components = tuple(
        replace(each, **{part: value}) if each.name == name else each for each in chip.components
    )
    return replace(chip, components=components)
