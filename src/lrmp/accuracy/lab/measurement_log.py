"""The log of a measurement: a line of JSON per result and per round, so that it can be resumed."""

import json
import os
from pathlib import Path
from typing import Any

from lrmp.errors import AccuracyDataError
from lrmp.foreign_text import parse_json
from lrmp.growing_file import GrowingFile, open_growing

_OF_LAYER = {"layer", "knob", "value", "divergence"}
_OF_DESIGN = {"split", "design"}
_ROUND = "round"


class MeasurementLog:
    """Results in the order in which they came, and the rounds of a refinement that are over.

    Args:
        path: The file; made if it is not there.
        identity: What the results depend on; a log of anything else is refused.

    Attributes:
        path: The file.
        results: Of single settings of layers and of designs.
        rounds: What each round of a refinement came to.

    Raises:
        AccuracyDataError: If the file belongs to another measurement, or is damaged.
    """

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path = path
        self.results: list[dict[str, Any]] = []
        self.rounds: list[dict[str, Any]] = []
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
            if isinstance(result, dict) and result.keys() == {_ROUND}:
                self.rounds.append(result[_ROUND])
                continue
            wanted = _OF_LAYER if isinstance(result, dict) and "layer" in result else _OF_DESIGN
            if not isinstance(result, dict) or not wanted <= result.keys():
                raise AccuracyDataError(
                    f"Expected results with {', '.join(sorted(wanted))} in {path}, got "
                    f"{str(result)[:80]}. Delete it to start afresh."
                )
            self.results.append(result)
        if not lines:
            self._write(identity)

    def append(self, result: dict[str, Any]) -> None:
        """Keep a result.

        Args:
            result: Plain JSON values.
        """
        self.results.append(result)
        self._write(result)

    def append_round(self, found: dict[str, Any]) -> None:
        """Keep what a round of a refinement came to: all its designs were run.

        Args:
            found: Plain JSON values.
        """
        self.rounds.append(found)
        self._write({_ROUND: found})

    def _write(self, value: dict[str, Any]) -> None:
        with open_growing(self.path) as file:
            file.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")
            os.fsync(file.fileno())


def _difference(found: Any, expected: dict[str, Any]) -> str:
    if not isinstance(found, dict):
        return "no description at the top"
    names = sorted(k for k in found.keys() | expected if found.get(k) != expected.get(k))
    return f"different: {', '.join(names)}"
