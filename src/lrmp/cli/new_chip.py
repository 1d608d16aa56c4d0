"""The ``lrmp hardware new`` command: a chip of your own, like one that is there."""

import argparse
from pathlib import Path
from typing import Any, get_args

from lrmp.cli.assignment import read_assignments
from lrmp.cli.exit_codes import EXIT_OK
from lrmp.cli.output import note, print_json
from lrmp.errors import RunError, unknown_name
from lrmp.foreign_file import is_present
from lrmp.hardware.chip.accelerator import PARAMETERS, Accelerator
from lrmp.hardware.chip.event_energies import EVENTS
from lrmp.hardware.chip.preset import chip_of_text, load_preset
from lrmp.hardware.chip.preset_text import number_line, toml_value
from lrmp.hardware.chip.provenance import Status
from lrmp.si_prefix import format_number
from lrmp.whole_file import write_whole

SET_SOURCE = "set by lrmp hardware new; say where it is from"


def add_new(parser: argparse.ArgumentParser, preset: str) -> None:
    """Offer the arguments of ``lrmp hardware new``.

    Args:
        parser: Of the command.
        preset: What chips are like if nobody says.
    """
    parser.add_argument("file", type=Path, metavar="FILE.toml", help="to be written")
    parser.add_argument(
        "--like",
        default=preset,
        metavar="PRESET",
        help="whose numbers it has where it has none of its own, as assumptions; "
        "default: %(default)s",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a parameter or an energy of its own: clock_mhz=400, slice_bits=4,2,2, "
        "adc_conversion_fj=900; repeat it for others",
    )
    parser.add_argument("--title", default="", help="one line that describes it")
    parser.set_defaults(run=_new)


def _new(options: argparse.Namespace) -> int:
    if is_present(options.file):
        raise RunError(f"Expected no file at {options.file} yet, got one. Name another.")
    if options.file.suffix != ".toml":
        raise RunError(f"Expected a file ending in .toml, got {options.file}. Add .toml.")
    words = read_assignments("--set", options.set, "KEY=VALUE", "clock_mhz=400")
    given = {key: _value(key, values) for key, values in words.items()}
    base = load_preset(options.like)
    text = _write(options.title or f"like {options.like}", base, given)
    chip = chip_of_text(options.file.stem, text)
    write_whole(options.file, text)
    inherited = sum(key not in given for key in base.parameters)
    if options.json:
        print_json({"file": str(options.file), "like": options.like, "set": given})
    else:
        print(
            f"{options.file}: {len(given)} numbers of its own, {inherited} parameters as "
            f"{options.like}, which count as assumed"
        )
        if chip.technology_nm != base.technology_nm and base.technology_nm:
            note(
                f"energies and areas of {base.technology_nm} nm are scaled to "
                f"{chip.technology_nm} nm"
            )
    return EXIT_OK


def _value(key: str, values: list[str]) -> Any:
    known = (*PARAMETERS, *EVENTS)
    if key not in known:
        raise RunError(unknown_name("each key of --set", key, known))
    if key == "slice_bits":
        return [_number(value) for value in values]
    if len(values) > 1:
        raise RunError(f"Expected one {key}, got {len(values)}: {','.join(values)}.")
    return _number(values[0])


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _write(title: str, base: Accelerator, given: dict[str, Any]) -> str:
    """Write the file: its own numbers, and those that it inherits as comments to be taken up."""
    *statuses, last = get_args(Status)
    lines = [
        f"# A chip like {base.name}. What is not given here is taken from there and counts as",
        "# assumed. Take the # from a line to give a number of your own, and say where it is from:",
        f"# status {', '.join(statuses)} or {last}, and the source.",
        "",
        f"title = {toml_value(title)}",
        f"like = {toml_value(base.name)}",
    ]
    energies = {} if base.energy is None else {key: getattr(base.energy, key) for key in EVENTS}
    sections = {"parameters": {**base.parameters}, "energy": energies}
    for section, numbers in sections.items():
        own = {key: value for key, value in given.items() if key in _KEYS[section]}
        if not numbers and not own:
            continue
        lines += ["", f"[{section}]"]
        prefix = "" if section == "parameters" else f"{section}."
        for key, value in (numbers | own).items():
            if key in own:
                lines.append(number_line(key, _entry(own[key], "assumed", SET_SOURCE)))
            elif origin := base.provenance.get(prefix + key):
                lines.append(f"# {number_line(key, _entry(value, origin.status, origin.source))}")
    if base.components:
        lines += ["", "# Components, each a table [components.NAME] that may be given anew:"]
        for c in base.components:
            area = format_number(c.area_um2)
            lines.append(f"# {c.name} ({c.part}): {c.count:g} per {c.per}, {area} um2")
    return "\n".join(lines) + "\n"


_KEYS = {"parameters": PARAMETERS, "energy": EVENTS}


def _entry(value: Any, status: str, source: str) -> dict[str, Any]:
    return {"value": value, "status": status, "source": source}
