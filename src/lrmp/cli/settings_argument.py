"""Settings on the command line: ``--set weight_bits=4``, or ``--design FILE``."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lrmp.architect.exports.policy import read_policy
from lrmp.cli.assignment import read_assignments
from lrmp.envs.task.task_baseline import FROM_FILE
from lrmp.errors import DesignError, ForeignTextError, RunError
from lrmp.foreign_file import read_foreign_text
from lrmp.foreign_text import parse_json
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import REPLICATION, Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob, Value
from lrmp.hardware.space.precision import PRECISION


def add_settings(group: "argparse._MutuallyExclusiveGroup") -> None:
    """Offer ``--set`` and ``--design``.

    Args:
        group: Of a command, with whatever else says who chooses the settings.
    """
    group.add_argument(
        "--set",
        action="append",
        metavar="KNOB=VALUES",
        help="the value of a knob for all layers, or one for each: weight_bits=4, "
        "weight_bits=8,4,4,6; repeat it for other knobs; one that is not set keeps its plain "
        "value; from-file takes the bits that an ONNX file is quantised to (lrmp hardware and "
        "lrmp optimize alone)",
    )
    group.add_argument(
        "--design",
        type=Path,
        metavar="FILE",
        help="the settings of the design in a file: a record, what a command prints with --json, "
        "or a policy of HAQ or CIM-AQ (.npy)",
    )


@dataclass(frozen=True)
class GivenSettings:
    """What ``--set`` or ``--design`` say, before the design space is known.

    Attributes:
        words: By the name of a knob its values as they were written: one, or one per layer.
        document: The design in the file of ``--design``; None without it.
        file: Where that stands.
        from_file: Whether the bits are those of the network's own file.
    """

    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    document: Mapping[str, Any] | None = None
    file: Path | None = None
    from_file: bool = False

    @classmethod
    def of(cls, options: argparse.Namespace) -> "GivenSettings":
        """Read the options that ``add_settings`` offers.

        Args:
            options: Of the command.

        Returns:
            What they say; nothing, which is the plain setting, if neither is there.

        Raises:
            RunError: If a word is no ``KNOB=VALUES``, a knob is set twice, or the file holds no
                design.
        """
        if options.design is not None:
            return cls(document=_design_in(options.design), file=options.design)
        if options.set == [FROM_FILE]:
            return cls(from_file=True)
        example = "weight_bits=4 or weight_bits=8,4,4"
        return cls(read_assignments("--set", options.set or (), "KNOB=VALUES", example))

    def __bool__(self) -> bool:
        return bool(self.words) or self.document is not None or self.from_file

    @property
    def knobs(self) -> tuple[str, ...]:
        """The names of the knobs that are given."""
        return tuple(name for name in self.document or self.words if name != REPLICATION)

    def integers(self, knobs: Sequence[str]) -> list[int]:
        """Find the whole numbers among the values that were given.

        Args:
            knobs: Whose values.

        Returns:
            Those of all knobs.
        """
        if self.document is not None:
            lists = [self.document.get(name, ()) for name in knobs]
            values = [value for each in lists if isinstance(each, list) for value in each]
            return [value for value in values if type(value) is int]
        words = [word.strip() for name in knobs for word in self.words.get(name, ())]
        return [int(word) for word in words if word.isdecimal()]

    def values_of_knobs(self) -> dict[str, Any]:
        """Return what is given without a design space, which checks it.

        Returns:
            By the name of a knob its value for all layers, or one for each.

        Raises:
            DesignError: If a word is no value of lrmp's bits.
        """
        if self.document is not None:
            return {name: values for name, values in self.document.items() if name != REPLICATION}
        found: dict[str, Any] = {}
        for name, words in self.words.items():
            values = [PRECISION[name].parse(word) for word in words]
            found[name] = values if len(values) > 1 else values[0]
        return found

    def settings(self, space: DesignSpace, layers: Sequence[str]) -> IntArray:
        """Find the settings that are meant.

        Args:
            space: The K knobs.
            layers: Names of the L layers.

        Returns:
            Places of values, shape (L, K).

        Raises:
            DesignError: If there is no such knob or value, or not one for each layer.
        """
        return self.design(space, layers).settings

    def design(self, space: DesignSpace, layers: Sequence[str]) -> Design:
        """Find the settings with the copies that stand beside them.

        Args:
            space: The K knobs.
            layers: Names of the L layers.

        Returns:
            The design; one copy of every layer where none stand there.

        Raises:
            DesignError: If there is no such knob or value, or not one for each layer.
        """
        if self.from_file:
            raise RunError(
                f"Expected --set {FROM_FILE} beside a file with bits, as lrmp hardware takes one, "
                "got it elsewhere. Save what lrmp hardware cost prints with --json, and take it as "
                "--design."
            )
        if self.document is not None:
            try:
                one_copy = {REPLICATION: [1] * len(layers)}
                return Design.from_json(one_copy | dict(self.document), space, layers)
            except DesignError as error:
                raise DesignError(f"{self.file}: {error}") from error
        values = {name: _values(space[name], words, layers) for name, words in self.words.items()}
        settings = space.encode(values, layers)
        return replace(Design.plain(len(layers), space), settings=settings)


def _values(knob: Knob, words: Sequence[str], layers: Sequence[str]) -> list[Value] | Value:
    if len(words) == 1:
        return knob.parse(words[0])
    if len(words) != len(layers):
        raise DesignError(
            f"Expected one {knob.name} for all layers, or {len(layers)}, one per layer; got "
            f"{len(words)}."
        )
    return [
        knob.parse(word, f" for layer {number} ({layer})")
        for number, (word, layer) in enumerate(zip(words, layers, strict=True))
    ]


def _design_in(path: Path) -> Mapping[str, Any]:
    """Find the design in whatever lrmp writes one into, or the policy of another tool."""
    if path.suffix == ".npy":
        return read_policy(path)
    try:
        document = parse_json(read_foreign_text(path))
    except OSError as error:
        raise RunError(f"Expected a file with a design at {path}: {error}.") from error
    except ForeignTextError as error:
        raise RunError(f"Expected one JSON value with a design in {path}: {error}.") from error
    found = document
    if isinstance(document, dict) and isinstance(document.get("design"), dict):
        found = document["design"]
    if not isinstance(found, dict):
        raise RunError(
            f"Expected a design in {path}, a list of values per knob, alone or as 'design' of a "
            f"record; got {found!r:.80}."
        )
    return found
