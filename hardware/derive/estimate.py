"""What a model says of a component."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a model says of a component.

    Attributes:
        energy_fj: Of its event.
        source: The model: package, version, class and arguments, and what was asked.
        area_um2: Of one; None where the model says nothing of it.
        leakage_uw: Of one; None where the model says nothing of it.
    """

    energy_fj: float
    source: str
    area_um2: float | None = None
    leakage_uw: float | None = None


class ModelError(Exception):
    """A model that does not run here, or not for these values; the message says why."""
