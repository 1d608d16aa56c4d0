"""Settings of layers on the command line: ``--set weight_bits=4``, the same in every command."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lrmp.errors import ForeignTextError, RunError, unknown_name
from lrmp.foreign_file import read_foreign_text
from lrmp.foreign_text import parse_json
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design import REPLICATION
from lrmp.hardware.space.design_space import DesignSpace


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add ``--set``.

    Args:
        parser: Of a command.
    """
    parser.add_argument(
        "--set",
        dest="settings",
        action="extend",
        nargs="+",
        metavar="KNOB=VALUE",
        help="settings of the layers: weight_bits=4 for all of them, weight_bits=8,4,4,8 one by "
        "one, or a JSON file with a list per knob; a knob that is left out keeps its plain value",
    )


def read_settings(words: Sequence[str], network: Network, space: DesignSpace) -> IntArray:
    """Read what ``--set`` was given.

    Args:
        words: ``KNOB=VALUE``, ``KNOB=VALUE,VALUE,...`` or the name of a JSON file; later ones win.
        network: Of L layers.
        space: The knobs.

    Returns:
        Settings, shape (L, K).

    Raises:
        RunError: If a word is none of these, or the file cannot be read.
        DesignError: If there is no such knob or value, or not one for every layer.
    """
    values: dict[str, Any] = {}
    for word in words:
        name, equals, given = word.partition("=")
        if not equals:
            values |= _of_file(Path(word), space)
            continue
        if name not in space.names:
            raise RunError(unknown_name("the knob of --set", name, space.names))
        parsed = [space[name].parse(value) for value in given.split(",")]
        values[name] = parsed if len(parsed) > 1 else parsed[0]
    return space.encode(values, [layer.name for layer in network.layers])


def _of_file(path: Path, space: DesignSpace) -> dict[str, Any]:
    """Read values by knob; copies, which a design has, too, are no settings."""
    if path.suffix != ".json":
        raise RunError(
            f"Expected --set as KNOB=VALUE with a knob of {', '.join(space.names)}, or a JSON file "
            f"of a design; got {path}."
        )
    try:
        values = parse_json(read_foreign_text(path))
    except (OSError, ForeignTextError) as error:
        raise RunError(f"Expected a readable JSON design at {path}: {error}.") from error
    if not isinstance(values, dict):
        raise RunError(f"Expected {path} to hold a list for every knob by name, got {values!r}.")
    return {name: given for name, given in values.items() if name != REPLICATION}
