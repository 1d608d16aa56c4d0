"""How much a network may lose: points of accuracy, or nats where nobody knows the labels."""

from dataclasses import dataclass
from typing import Literal

from lrmp.accuracy.model.design_result import DesignResult
from lrmp.accuracy.model.sensitivity_table import SensitivityTable
from lrmp.errors import RunError

Unit = Literal["points", "nats"]
#: What is allowed where nobody says it.
POINTS, NATS = 1.0, 0.05


@dataclass(frozen=True)
class Limit:
    """What a design may lose against the float network.

    Attributes:
        value: In the unit.
        unit: ``"points"`` of top-1 accuracy, or ``"nats"`` of mean divergence of the class
            probabilities.

    Raises:
        RunError: If the value is not above 0, or more than 100 points.
    """

    value: float
    unit: Unit

    def __post_init__(self) -> None:
        if not 0 < self.value <= (100 if self.unit == "points" else 1e6):  # NaN, too
            option = "--max-drop" if self.unit == "points" else "--max-divergence"
            raise RunError(f"Expected {option} above 0{self._most}, got {self.value!r}.")

    @property
    def _most(self) -> str:
        return " and at most 100 points" if self.unit == "points" else " nats"

    def __str__(self) -> str:
        return f"{self.value:g} {self.unit}"

    def allowed_drop(self, table: SensitivityTable, share: float = 1.0) -> float:
        """Say what a task with a table allows.

        Args:
            table: Of the network.
            share: Of the limit.

        Returns:
            Points of the table's map: exactly where the table's divergence is at most the limit in
            nats.
        """
        value = self.value * share
        if self.unit == "nats":
            value = table.drop_map.of_one(value ** (1 / table.exponent))
        return min(100.0, value)

    def lost(self, result: DesignResult) -> float:
        """Say what a design has lost.

        Args:
            result: Of running it.

        Returns:
            In the unit; points by the labels.
        """
        return result.drop if self.unit == "points" else result.divergence

    def expected(self, result: DesignResult) -> float:
        """Say what a design is expected to lose on other images.

        Args:
            result: Of running it.

        Returns:
            In the unit; points by the float network's own class probabilities, which say the same
            as labels with less noise.
        """
        return result.expected_drop if self.unit == "points" else result.divergence

    def interval(self, result: DesignResult) -> tuple[float, float]:
        """Say between what the loss is with 95 % confidence, images being a sample.

        Args:
            result: Of running a design.

        Returns:
            In the unit.
        """
        if self.unit == "points" and not (result.lost or result.gained):
            # No resampling shows what a larger sample might: Clopper and Pearson's bound of none.
            most = 100 * (1 - 0.025 ** (1 / result.images))
            return -most, most
        if self.unit == "points":
            return result.interval()
        error = 1.96 * result.divergence_error
        return max(0.0, result.divergence - error), result.divergence + error
