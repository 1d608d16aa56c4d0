"""One line of the validation: figures of the model beside published ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lrmp.text_table import Column, format_table

Check = Literal["digits", "ratio", "range"]
Basis = Literal["same formulas", "reconstruction", "roll-up", "by construction", "prediction"]


@dataclass(frozen=True, slots=True)
class ValidationCase:
    """Published figures of one kind, and the model's.

    Attributes:
        case: Which case it belongs to, such as ``"V5"``; a case may have several lines.
        what: What is compared, on which chip and network.
        unit: Unit of all figures; empty for plain numbers.
        model: What lrmp computes.
        published: What the source says: as a rule one figure for each of the model's; for
            ``"range"`` its two ends.
        check: ``"digits"``: equal in all printed digits. ``"ratio"``: within the tolerance.
            ``"range"``: every figure of the model lies in the published range.
        basis: What agreement would mean. ``"same formulas"``: the source's model, run by ours.
            ``"reconstruction"``: figures of this project's own reconstruction of a design.
            ``"roll-up"``: published parts add up to published totals. ``"by construction"``: the
            figure, or what it follows from, went into the preset. ``"prediction"``: it did not.
        confidence: ``"H"`` read in the source, ``"C"`` computed from such figures or by a published
            tool, ``"M"`` second-hand.
        source: Where the figures were published.
        tolerance: Largest deviation either way for ``"ratio"``, as a fraction: 2 allows a third to
            three times as much.
        decimals: Digits after the point, printed and compared.
        tested: Whether the check counts; otherwise the figures are only shown.
        note: Why the model differs, or what went into it.
    """

    case: str
    what: str
    unit: str
    model: tuple[float, ...]
    published: tuple[float, ...]
    check: Check
    basis: Basis
    confidence: str
    source: str
    tolerance: float = 0.0
    decimals: int = 2
    tested: bool = True
    note: str = ""

    @property
    def ratios(self) -> tuple[float, ...]:
        """The model's figures over the published ones; empty where they are not pairs."""
        if self.check == "range" or len(self.model) != len(self.published):
            return ()
        return tuple(m / p for m, p in zip(self.model, self.published, strict=True))

    @property
    def holds(self) -> bool | None:
        """Whether the check is passed; None where nothing is tested."""
        if not self.tested:
            return None
        match self.check:
            case "digits":
                return self.written(self.model) == self.written(self.published)
            case "ratio":
                most = 1 + self.tolerance
                return bool(self.ratios) and all(1 / most <= r <= most for r in self.ratios)
            case "range":
                least, greatest = self.published
                return all(least <= figure <= greatest for figure in self.model)

    @property
    def requirement(self) -> str:
        """What is tested, in words."""
        if not self.tested:
            return "-"
        match self.check:
            case "digits":
                return "all digits"
            case "ratio" if self.tolerance < 1:
                return f"{100 * self.tolerance:g} %"
            case "ratio":
                return f"{1 + self.tolerance:g} x"
            case "range":
                return "in range"

    def written(self, figures: tuple[float, ...]) -> str:
        """Write figures with the decimals of the case.

        Args:
            figures: Some.

        Returns:
            The numbers, separated by slashes; ``"-"`` for none.
        """
        return " / ".join(f"{figure:.{self.decimals}f}" for figure in figures) or "-"


def format_cases(
    cases: Iterable[ValidationCase], *, markdown: bool = False, width: int | None = None
) -> str:
    """Lay cases out as a table.

    Args:
        cases: The cases.
        markdown: Whether to write a Markdown table with sources and notes, not plain text.
        width: Characters of a line of plain text; None for as many as it takes.

    Returns:
        The table, without a newline at its end.
    """
    if not markdown:
        rows = zip(*map(_row, cases), strict=True)
        return format_table(
            [
                Column(
                    title,
                    cells,
                    text=True,
                    fit=_FIT.get(title, "whole"),
                    leaves=_LEAVES.get(title, 0),
                )
                for title, cells in zip(_HEADER, rows, strict=True)
            ],
            width,
        )
    header = (*_HEADER, "basis", "confidence", "source, note")
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    for case in cases:
        remark = f"{case.source}. {case.note}" if case.note else case.source
        cells = (*_row(case), case.basis, case.confidence, remark)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


_HEADER = ("case", "what", "unit", "lrmp", "published", "ratio", "required", "result")
_FIT: dict[str, Literal["wrap"]] = {"what": "wrap", "lrmp": "wrap", "published": "wrap"}
_LEAVES = {"required": 1, "ratio": 2}
_RESULTS = {True: "holds", False: "FAILS", None: "shown"}


def _row(case: ValidationCase) -> tuple[str, ...]:
    published = case.written(case.published)
    if case.check == "range":
        published = " to ".join(f"{end:g}" for end in case.published)
    ratios = [f"{ratio:.3f}" for ratio in sorted(case.ratios)]
    ratio = " to ".join(dict.fromkeys((ratios[0], ratios[-1]))) if ratios else "-"
    return (
        case.case,
        case.what,
        case.unit,
        case.written(case.model),
        published,
        ratio,
        case.requirement,
        _RESULTS[case.holds],
    )
