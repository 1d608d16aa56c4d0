"""What a chip is built of: components with their area and power, and how they add up."""

from dataclasses import dataclass
from typing import Literal, get_args

from lrmp.errors import PresetError

Part = Literal[
    "crossbar",
    "adc",
    "dac",
    "registers",
    "shift_add",
    "buffer",
    "bus",
    "noc",
    "vector",
    "control",
    "global",
]
Level = Literal["cell", "row", "column", "adc", "tile", "core", "chip"]


@dataclass(frozen=True, slots=True)
class Component:
    """One line of a chip's area and power table.

    Attributes:
        name: Such as ``"edram"``.
        part: The entry of the breakdown it counts to.
        per: What it belongs to. The number of cells, rows, columns and ADCs of a tile follows from
            the accelerator's geometry; a core is a group of tiles that share the component.
        count: How many each of those has; a fraction where several share one.
        area_um2: Area of one.
        peak_power_uw: Power of one when busy all the time; None where it is not published.
        leakage_uw: Power of one when powered and idle.

    Raises:
        PresetError: If a number is negative or not finite, or a name is unknown.
    """

    name: str
    part: Part
    per: Level
    count: float
    area_um2: float
    peak_power_uw: float | None = None
    leakage_uw: float = 0.0

    def __post_init__(self) -> None:
        for field, names in (("part", get_args(Part)), ("per", get_args(Level))):
            if getattr(self, field) not in names:
                raise PresetError(
                    f"Expected {field} of component {self.name!r} to be one of "
                    f"{', '.join(names)}; got {getattr(self, field)!r}."
                )
        for field in ("count", "area_um2", "leakage_uw"):
            check_amount(f"{field} of component {self.name!r}", getattr(self, field))
        if self.peak_power_uw is not None:
            check_amount(f"peak_power_uw of component {self.name!r}", self.peak_power_uw)


def check_amount(what: str, value: object) -> None:
    """Refuse what is no finite, non-negative number.

    Args:
        what: The quantity, for the error message.
        value: What was given.

    Raises:
        PresetError: If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**63:
        raise PresetError(f"Expected {what} to be a finite number >= 0, got {value!r}.")
