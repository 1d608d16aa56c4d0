"""Rankings of designs as text, from this machine's store and from hosted boards alike."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from lrmp.leaderboard.design_ranking import DESIGN_SCORE, ESTIMATE
from lrmp.leaderboard.gap import gap_text
from lrmp.printable import printable
from lrmp.text_table import columns_of_rows, fold, format_table

NOTE = (
    "gap: in what the task minimises, to the certified optimum; drops in percentage points\n"
    "known as: the number of the first entry with the same settings, whose the credit is"
)
ESTIMATES = "Estimates: the accuracy of these tasks was not measured on their networks"
NO_ENTRIES = "No entries yet: `lrmp demo` makes some; `lrmp submit RUN` adds a run."

_TITLES = (
    "place",
    "agent",
    "score",
    "gap",
    "gain",
    "drop",
    "test drop",
    "on the network",
    "accuracy",
    "known as",
)
#: In what turn columns are left out where there is no room.
_LEAVES = {"accuracy": 1, "known as": 2, "test drop": 3, "on the network": 4, "drop": 5}


def format_ranking(rankings: Sequence[Mapping[str, Any]], width: int | None = None) -> str:
    """Write rankings as text.

    Args:
        rankings: Plain JSON values, as ``to_json`` returns them and ``/rankings/designs`` answers.
        width: Characters of a line; None for as many as it takes.

    Returns:
        The formula, then one table per task, those of estimates under a heading of their own; no
        newline at the end.
    """
    blocks = [fold(f"{DESIGN_SCORE}\n{NOTE}", width, indent=2)]
    if not rankings:
        blocks.append(NO_ENTRIES)
    for is_estimate, section in groupby(rankings, key=_is_estimate):
        if is_estimate:
            blocks.append(ESTIMATES)
        blocks += [f"{fold(_title(each), width)}\n{_table(each, width)}" for each in section]
    return printable("\n\n".join(blocks))


def _is_estimate(ranking: Mapping[str, Any]) -> bool:
    return any(design["accuracy"].endswith(ESTIMATE) for design in ranking["designs"])


def _title(ranking: Mapping[str, Any]) -> str:
    total = ranking["total"]
    title = f"{ranking['task']}: {total} design{'s' * (total != 1)}"
    if not ranking["is_current"]:
        return (
            f"{title}, under another definition of the task than today's: fingerprint "
            f"{ranking['fingerprint'][:16]}..., not comparable"
        )
    if misses := ranking["accuracy_misses"]:
        return f"{title}, by a table not found to hold on optimised designs: {'; '.join(misses)}"
    return title


def _table(ranking: Mapping[str, Any], width: int | None) -> str:
    rows = []
    reference = ranking["reference"]
    if reference is not None:
        optimum = ("-", "(certified optimum)", _number(reference["value"]), gap_text(0.0))
        rows.append([*optimum, *[""] * (len(_TITLES) - len(optimum))])
    for each in ranking["designs"]:
        test, known = each["test_accuracy_drop"], each["known_as"]
        rows.append(
            [
                str(each["place"]),
                each["agent"],
                _number(each["score"]),
                gap_text(each["gap"]),
                f"{each['gain']:.3f}x",
                f"{each['accuracy_drop']:.2f}",
                "-" if test is None else f"{test:.2f}",
                _checked(each),
                each["accuracy"],
                "new" if known is None else "optimum" if known == 0 else f"#{known}",
            ]
        )
    return format_table(columns_of_rows(_TITLES, rows, name="agent", leaves=_LEAVES), width)


def _checked(design: Mapping[str, Any]) -> str:
    """Write the drop of a design that was run on its network, with its interval."""
    if design["network_drop"] is None:
        return "-"
    drop, low, high = (design[f"network_{name}"] for name in ("drop", "low", "high"))
    return f"{drop:.2f} [{low:.2f}, {high:.2f}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
