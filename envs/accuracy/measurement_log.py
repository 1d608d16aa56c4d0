"""The log of a measurement: one line of JSON per result, so that it can be resumed."""

import json
from pathlib import Path
from typing import Any

from lrmp.errors import AccuracyDataError


class MeasurementLog:
    """Results in the order in which they came.

    Args:
        path: The file; made if it is not there.
        identity: What the results depend on; a log of anything else is refused.

    Raises:
        AccuracyDataError: If the file belongs to another measurement, or is damaged.
    """

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path = path
        self.results: list[dict[str, Any]] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text("utf-8") if path.is_file() else ""
        whole = text[: text.rfind("\n") + 1]
        try:
            lines = [json.loads(line) for line in whole.splitlines()]
        except json.JSONDecodeError as error:
            raise AccuracyDataError(
                f"Expected one JSON value per line in {path}: {error}. Delete it to start afresh."
            ) from error
        if lines and lines[0] != identity:
            raise AccuracyDataError(
                f"Expected {path} to belong to this measurement, got another one's "
                f"({_difference(lines[0], identity)}). Delete it, or name another file."
            )
        self.results = lines[1:]
        if whole != text:  # interrupted within a line
            path.write_text(whole, "utf-8")
        if not lines:
            self._write(identity)

    def append(self, result: dict[str, Any]) -> None:
        """Keep a result.

        Args:
            result: Plain JSON values.
        """
        self.results.append(result)
        self._write(result)

    def _write(self, value: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(value, separators=(",", ":")) + "\n")


def _difference(found: Any, expected: dict[str, Any]) -> str:
    if not isinstance(found, dict):
        return "no description at the top"
    names = sorted(k for k in found.keys() | expected if found.get(k) != expected.get(k))
    return f"different: {', '.join(names)}"
