"""What comes of optimising a network on a chip."""

from dataclasses import dataclass
from typing import Any

from lrmp.accuracy.model.design_result import DesignResult, design_values
from lrmp.accuracy.model.sensitivity_table import SensitivityTable
from lrmp.architect.limit import Limit
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.task.optimum import Optimum
from lrmp.hardware.chip.accelerator import Accelerator


@dataclass(frozen=True, eq=False)
class Check:
    """A design that was run on images which no search has seen.

    Attributes:
        round: After which it was the proven best, from 0.
        share: Of the limit that the table was asked for: less than 1 after a check that failed.
        table: That it was the best by.
        optimum: Its certificate.
        outcome: The design, and its drop by the table.
        search: What it does to the images that searches see.
        held_out: What it does to the others.
        lost: On the latter, in the unit of the limit.
        interval: Of what is lost, 95 %.
        within: Whether that is at most the limit.
    """

    round: int
    share: float
    table: SensitivityTable
    optimum: Optimum
    outcome: Outcome
    search: DesignResult
    held_out: DesignResult
    lost: float
    interval: tuple[float, float]
    within: bool

    @property
    def predicted(self) -> float:
        """Divergence by the table, in nats."""
        return float(self.table.divergences(self.outcome.design.settings[None])[0])

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values.

        Returns:
            A mapping.
        """
        return {
            "round": self.round,
            "share_of_limit": self.share,
            "design": design_values(self.outcome.design.settings, self.outcome.design.space),
            "table_drop": self.outcome.accuracy_drop,
            "table_divergence": self.predicted,
            "search": _result(self.search),
            "held_out": _result(self.held_out),
            "lost": self.lost,
            "interval": list(self.interval),
            "within": self.within,
        }


def _result(result: DesignResult) -> dict[str, Any]:
    return {
        "images": result.images,
        "drop": result.drop,
        "expected_drop": result.expected_drop,
        "top1": result.top1,
        "float_top1": 100 * result.float_correct / result.images,
        "divergence": result.divergence,
        "divergence_error": result.divergence_error,
        "interval": list(result.interval()),
    }


@dataclass(frozen=True, eq=False)
class Point:
    """A proven best design at another limit, by the table alone.

    Attributes:
        share: Of the limit.
        outcome: The design.
    """

    share: float
    outcome: Outcome


@dataclass(frozen=True, eq=False)
class ChipAnswer:
    """What was found for one chip.

    Attributes:
        outcome: The design with its cost.
        checks: Designs that were run on images which no search has seen; the design is one of them.
            None where only the copies were optimised.
        front: Proven best designs at other limits.
        limit: What the network may lose; None where nobody looked.
    """

    outcome: Outcome
    checks: tuple[Check, ...] = ()
    front: tuple[Point, ...] = ()
    limit: Limit | None = None

    @property
    def chip(self) -> Accelerator:
        """The chip."""
        return self.outcome.task.accelerator

    @property
    def check(self) -> Check | None:
        """The check of the design; None where nobody looked."""
        return next((each for each in self.checks if each.outcome is self.outcome), None)

    @property
    def optimum(self) -> Optimum | None:
        """The certificate of the design; None where only the copies were optimised."""
        return None if self.check is None else self.check.optimum

    @property
    def holds(self) -> bool | None:
        """Whether the network loses no more than the limit; None where nobody looked."""
        return None if self.check is None else self.check.within

    @property
    def verdict(self) -> str:
        """What can be said of the accuracy, a sentence."""
        check, limit = self.check, self.limit
        if check is None or limit is None:
            return "Accuracy was not looked at: only the copies are optimised, at the given bits."
        low, high = check.interval
        said = (
            f"the network lost {check.lost:.3g} {limit.unit} [{low:.3g}, {high:.3g}] on "
            f"{check.held_out.images} images that no search had seen, of {limit} allowed"
        )
        if not check.within:
            return f"DOES NOT HOLD: {said}; none of {len(self.checks)} checked designs held."
        sure = (
            "" if high <= limit.value else "; the interval reaches beyond: more images would tell"
        )
        return f"Holds: {said}{sure}."

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values.

        Returns:
            A mapping that ``json.dumps`` accepts.
        """
        found, optimum = self.outcome.to_json(), self.optimum
        if self.limit is None:
            for name in ("score", "accuracy_drop", "accuracy", "accuracy_holds"):
                found[name] = None
        return found | {
            "chip": self.chip.name,
            "limit": None if self.limit is None else vars(self.limit),
            "holds": self.holds,
            "verdict": self.verdict,
            "checks": [check.to_json() for check in self.checks],
            "certificate": None
            if optimum is None
            else {
                "value": optimum.value,
                "bound": optimum.bound,
                "gap": optimum.gap,
                "method": optimum.method,
                "log": list(optimum.log),
            },
            "front": [
                {
                    "share_of_limit": point.share,
                    "table_drop": point.outcome.accuracy_drop,
                    "gain": point.outcome.gain,
                    "latency_s": point.outcome.report.latency_s,
                    "throughput_per_s": point.outcome.report.throughput_per_s,
                }
                for point in self.front
            ],
        }


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found for all chips.

    Attributes:
        network: Name of the network.
        chips: An answer for each, in the order given.
        provenance: What the numbers depend on, by name.
    """

    network: str
    chips: tuple[ChipAnswer, ...]
    provenance: dict[str, Any]

    @property
    def holds(self) -> bool:
        """Whether no chip's design loses more than the limit."""
        return all(answer.holds is not False for answer in self.chips)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values.

        Returns:
            A mapping that ``json.dumps`` accepts.
        """
        return {
            "network": self.network,
            "holds": self.holds,
            "chips": [answer.to_json() for answer in self.chips],
            "provenance": self.provenance,
        }
