"""Chips on the command line: names of presets, preset files, or ``all``."""

from collections.abc import Sequence
from pathlib import Path

from lrmp.errors import PresetError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import list_presets, load_preset, read_preset

ALL = "all"


def load_chip(word: str) -> Accelerator:
    """Load one chip.

    Args:
        word: Name of a preset that ships with lrmp, or a file ending in ``.toml``.

    Returns:
        The chip.

    Raises:
        PresetError: If there is no such preset, or the file is malformed.
    """
    return read_preset(Path(word)) if word.endswith(".toml") else load_preset(word)


def load_chips(words: Sequence[str]) -> list[Accelerator]:
    """Load several chips.

    Args:
        words: As for ``load_chip``, or ``"all"`` for every preset that ships with lrmp.

    Returns:
        The chips in the order given, each once.

    Raises:
        PresetError: If there is no such preset, a file is malformed, or two chips share a name.
    """
    every = [chip for word in words for chip in (list_presets() if word == ALL else [word])]
    chips = [load_chip(word) for word in dict.fromkeys(every)]
    names = [chip.name for chip in chips]
    for name in names:
        if names.count(name) > 1:
            raise PresetError(
                f"Expected chips of different names, got {name!r} twice. Rename the file."
            )
    return chips
