"""The log of a measurement: one line of JSON per result, so that it can be resumed."""

import json
import os
from pathlib import Path
from typing import Any

from lrmp.errors import AccuracyDataError
from lrmp.foreign_text import parse_json
from lrmp.growing_file import GrowingFile, open_growing

_OF_LAYER = {"layer", "knob", "value", "divergence"}
_OF_DESIGN = {"split", "design"}


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
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with GrowingFile(path) as file:  # what an interruption has torn is cut off
                lines = [parse_json(line) for line in file.lines]
        except (OSError, ValueError) as error:
            raise AccuracyDataError(
                f"Expected one JSON value per line in {path}: {error}. Delete it to start afresh."
            ) from error
        if lines and lines[0] != identity:
            raise AccuracyDataError(
                f"Expected {path} to belong to this measurement, got another one's "
                f"({_difference(lines[0], identity)}). Delete it, or name another file."
            )
        for result in lines[1:]:
            wanted = _OF_LAYER if isinstance(result, dict) and "layer" in result else _OF_DESIGN
            if not isinstance(result, dict) or not wanted <= result.keys():
                raise AccuracyDataError(
                    f"Expected results with {', '.join(sorted(wanted))} in {path}, got "
                    f"{str(result)[:80]}. Delete it to start afresh."
                )
        self.results = lines[1:]
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
        with open_growing(self.path) as file:
            file.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")
            os.fsync(file.fileno())


def _difference(found: Any, expected: dict[str, Any]) -> str:
    if not isinstance(found, dict):
        return "no description at the top"
    names = sorted(k for k in found.keys() | expected if found.get(k) != expected.get(k))
    return f"different: {', '.join(names)}"
