"""The ``lrmp hardware derive`` command: a chip whose energies and areas a library models."""

import argparse
from dataclasses import asdict
from pathlib import Path

from lrmp.cli.exit_codes import EXIT_OK
from lrmp.cli.output import note, print_json
from lrmp.errors import PresetError, RunError
from lrmp.foreign_file import is_present, read_foreign_text
from lrmp.hardware.derive.derived_chip import DerivedChip, DerivedNumber, derive_chip
from lrmp.si_prefix import format_number
from lrmp.text_table import columns_of_rows, format_table, output_width
from lrmp.whole_file import write_whole

#: What stands above every file.
_HEADER = (
    "# Derived from {spec} by lrmp hardware derive. `modelled` numbers are what the first model\n"
    "# says, range is that of both. Gains are robust to them; absolute energies are not.\n\n"
)


def add_derive(parser: argparse.ArgumentParser) -> None:
    """Offer the arguments of ``lrmp hardware derive``.

    Args:
        parser: Of the command.
    """
    parser.add_argument(
        "specification",
        type=Path,
        metavar="SPEC.toml",
        help="a chip's file with tables [derive.NAME]",
    )
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="CHIP.toml", help="to be written"
    )
    parser.set_defaults(run=_derive)


def _derive(options: argparse.Namespace) -> int:
    if is_present(options.out):
        raise RunError(f"Expected no file at {options.out} yet, got one. Name another.")
    try:
        text = read_foreign_text(options.specification)
    except OSError as error:
        raise PresetError(
            f"Expected a readable specification at {options.specification}: {error}."
        ) from error
    derived = derive_chip(options.out.stem, text)
    write_whole(options.out, _HEADER.format(spec=options.specification.name) + derived.text)
    for each in derived.notes:
        note(f"lrmp: {each}")
    if options.json:
        print_json(
            {
                "file": str(options.out),
                "numbers": [asdict(n) | {"spread": n.spread} for n in derived.numbers],
                "notes": list(derived.notes),
            }
        )
    else:
        print(_format(options.out, derived))
    return EXIT_OK


def _format(out: Path, derived: DerivedChip) -> str:
    titles = ("number", "unit", "before", "modelled", "second model", "spread")
    rows = [_row(number) for number in derived.numbers]
    columns = columns_of_rows(titles, rows, name="number", leaves={"before": 1})
    table = format_table(columns, output_width())
    return (
        f"{out}: {len(rows)} numbers modelled\n\n{table}\n\n"
        "Gains are robust to which model is right, absolute energies are not."
    )


def _row(number: DerivedNumber) -> list[str]:
    values = (number.before, number.value, number.second)
    return [
        number.key.removeprefix("energy.").removeprefix("components."),
        number.unit,
        *("-" if value is None else format_number(value) for value in values),
        "-" if number.spread is None else f"{number.spread:.3g}x",
    ]
