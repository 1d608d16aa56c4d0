"""The ``lrmp hardware`` commands: chips, and what a network costs on them."""

import argparse
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from lrmp.cli.chip_cost import ChipCost, CostOptions, cost_network
from lrmp.cli.chip_sheet import chip_json, format_chip
from lrmp.cli.cost_tables import chips_json, format_chips, format_layers, layers_json
from lrmp.cli.derive_chip import add_derive
from lrmp.cli.exit_codes import EPILOG, EXIT_OK, EXIT_REFUSED
from lrmp.cli.network_argument import HELP, add_reading, read_bits, read_network, reading
from lrmp.cli.network_swap import format_swap, swap_network
from lrmp.cli.new_chip import add_new
from lrmp.cli.output import add_json, note, print_folded, print_json, print_table
from lrmp.cli.picture import save_picture
from lrmp.cli.preset_argument import ALL, load_chip, load_chips
from lrmp.cli.settings_argument import GivenSettings, add_settings
from lrmp.errors import LRMPError, RunError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import list_presets, load_preset, preset_title
from lrmp.hardware.cost.cost_report import NETWORK_OBJECTIVES
from lrmp.hardware.networks import NETWORKS
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.catalogue import space_from_json
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.precision import PRECISION, precision_for
from lrmp.plotting.cost_plot import plot_cost
from lrmp.plotting.floor_plan import plot_floor_plan
from lrmp.si_prefix import format_quantity
from lrmp.text_table import Column, output_width

DEFAULT_PRESET = "lrmp_frontiers_2024"


def add_commands(commands: Any) -> None:
    """Add ``lrmp hardware``.

    Args:
        commands: The subparsers of ``lrmp``.
    """
    parser = commands.add_parser(
        "hardware",
        help="chips, and what a network costs on them",
        description="Presets of published chips, your own, and what a network costs on them.",
        epilog=EPILOG,
    )
    actions = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(
        name: str, help_: str, run: Callable[[argparse.Namespace], int]
    ) -> argparse.ArgumentParser:
        action: argparse.ArgumentParser = actions.add_parser(
            name, help=help_, description=f"{help_[0].upper()}{help_[1:]}.", epilog=EPILOG
        )
        add_json(action)
        action.set_defaults(run=run)
        return action

    add("list", "list the presets", _list)
    show = add("show", "print every number of a chip with its source", _show)
    show.add_argument("chip", metavar="PRESET|FILE.toml")

    new = add("new", "write a file for a chip of your own", _show)
    add_new(new, DEFAULT_PRESET)

    derive = add("derive", "write a chip whose energies a component library models", _show)
    add_derive(derive)

    compare = add("compare", "cost a network on several chips, one copy of every layer", _compare)
    compare.add_argument("presets", nargs="*", metavar="PRESET", help="or file.toml; default: all")
    compare.add_argument(
        "--network", default="resnet18", help=f"{HELP}; default: %(default)s", metavar="NETWORK"
    )
    _add_network_options(compare)

    cost = add("cost", "cost a network on a chip, with the best copies that fit it", _cost)
    cost.add_argument("network", metavar="NETWORK", help=HELP)
    cost.add_argument(
        "--preset",
        action="append",
        metavar="NAME|FILE.toml|all",
        help=f"the chip; repeat it for several; default: {DEFAULT_PRESET}",
    )
    _add_network_options(cost)
    room = cost.add_mutually_exclusive_group()
    room.add_argument(
        "--budget", type=_count, metavar="TILES", help="for all copies; default: the chip's own"
    )
    room.add_argument("--one-copy", action="store_true", help="of every layer, whatever room is")
    cost.add_argument(
        "--time-multiplexed",
        action="store_true",
        help="let layers take turns on the tiles, writing their weights in every inference",
    )
    cost.add_argument(
        "--objective",
        choices=NETWORK_OBJECTIVES,
        default="latency",
        help="what the copies are for; default: %(default)s",
    )
    cost.add_argument(
        "--picture", type=Path, metavar="FILE", help="draw the cost: .png, .svg or .pdf"
    )
    cost.add_argument(
        "--floor-plan", type=Path, metavar="FILE", help="draw which tiles hold what: .png, .svg"
    )
    swap = add("swap", "cost writing a network in, and say when its own turn pays", _swap)
    swap.add_argument("network", metavar="NETWORK", help=HELP)
    swap.add_argument(
        "--preset",
        default=DEFAULT_PRESET,
        metavar="NAME|FILE.toml",
        help="the chip; default: %(default)s",
    )
    _add_network_options(swap)
    swap.add_argument(
        "--budget", type=_count, metavar="TILES", help="of its own turn; default: the chip's own"
    )
    swap.add_argument(
        "--share",
        type=_count,
        metavar="TILES",
        help="that it has beside other networks; default: one copy of every layer",
    )
    swap.add_argument(
        "--at-once",
        type=_count,
        metavar="TILES",
        help="written at the same time, as power allows; default: all",
    )
    add("validate", "compare the cost model with published chips and simulators", _validate)


def _add_network_options(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"Built-in networks: {', '.join(sorted(NETWORKS))}. {EPILOG}"
    add_settings(parser.add_mutually_exclusive_group())
    add_reading(parser)


def _count(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"expected a positive number of tiles, got {word!r}")
    return int(word)


def _list(options: argparse.Namespace) -> int:
    chips = [load_preset(name) for name in list_presets()]
    if options.json:
        print_json([_summary(chip) for chip in chips])
        return EXIT_OK
    known = [", ".join(name for name, there in _known(chip).items() if there) for chip in chips]
    sizes = [f"{chip.crossbar_rows} x {chip.crossbar_columns}" for chip in chips]
    print_table(
        [
            Column("preset", [chip.name for chip in chips], text=True),
            Column("energy, area", [text or "-" for text in known], text=True, leaves=3),
            Column("node", [f"{c.technology_nm} nm" if c.technology_nm else "-" for c in chips]),
            Column("crossbar", sizes),
            Column("cell", [f"{chip.cell_bits} b" for chip in chips]),
            Column("ADC", ["-" if c.adc == "none" else f"{c.adc_bits} b" for c in chips]),
            Column("rows at once", [str(chip.active_rows) for chip in chips], leaves=2),
            Column("tiles", [f"{chip.tiles:,}" if chip.tiles else "-" for chip in chips]),
            Column("title", [preset_title(chip.name) for chip in chips], text=True, leaves=1),
        ]
    )
    return EXIT_OK


def _known(chip: Accelerator) -> dict[str, bool]:
    return {"energy": chip.energy is not None, "area": bool(chip.components)}


def _summary(chip: Accelerator) -> dict[str, Any]:
    return {
        "preset": chip.name,
        "title": preset_title(chip.name),
        "technology_nm": chip.technology_nm or None,
        "crossbar_rows": chip.crossbar_rows,
        "crossbar_columns": chip.crossbar_columns,
        "cell_bits": chip.cell_bits,
        "adc_bits": None if chip.adc == "none" else chip.adc_bits,
        "active_rows": chip.active_rows,
        "tiles": chip.tiles or None,
        "known": _known(chip),
    }


def _show(options: argparse.Namespace) -> int:
    chip = load_chip(options.chip)
    title = preset_title(chip.name) if options.chip in list_presets() else ""
    if options.json:
        print_json(chip_json(chip) | {"title": title})
    else:
        print(format_chip(chip, title, output_width()))
    return EXIT_OK


def _compare(options: argparse.Namespace) -> int:
    network = _network(options)
    how = CostOptions(_design(options, network), one_copy=True)
    costs = _costs(network, load_chips(options.presets or [ALL]), how)
    return _print_chips(network, costs, how, "one copy of every layer", as_json=options.json)


def _cost(options: argparse.Namespace) -> int:
    chips = load_chips(options.preset or [DEFAULT_PRESET])
    pictures = options.picture, options.floor_plan
    if len(chips) > 1 and any(pictures):
        raise RunError(f"Expected one --preset for a picture, got {len(chips)}.")
    network = _network(options)
    how = CostOptions(
        _design(options, network),
        budget=options.budget,
        one_copy=options.one_copy,
        time_multiplexed=options.time_multiplexed,
        objective=options.objective,
    )
    if len(chips) > 1:
        best = f"best copies that fit for {options.objective}"
        copies = "one copy of every layer" if options.one_copy else best
        costs = _costs(network, chips, how)
        return _print_chips(network, costs, how, copies, as_json=options.json)
    cost = cost_network(network, chips[0], how)
    drawn = _draw(cost, *pictures)
    if options.json:
        print_json(chips_json({chips[0].name: cost})[0] | {"layers": layers_json(cost)})
    else:
        print(format_layers(cost, output_width()))
    for path in drawn:
        (note if options.json else print)(f"picture: {path}")
    return EXIT_OK


def _swap(options: argparse.Namespace) -> int:
    (chip,) = load_chips([options.preset])
    network = _network(options)
    how = CostOptions(_design(options, network), budget=options.budget)
    swap = swap_network(network, chip, how, options.share, options.at_once)
    if options.json:
        print_json(swap.to_json())
    else:
        print(format_swap(swap))
    return EXIT_OK


def _network(options: argparse.Namespace) -> Network:
    return read_network(options.network, reading(options))


def _design(options: argparse.Namespace, network: Network) -> Design:
    """Give the layers the settings that are asked for, and one copy.

    Beside LRMP's knobs there are those that are named; others would stay at their plain values.
    """
    given = GivenSettings.of(options)
    if given.from_file:
        return _of_file(options)
    others = [name for name in given.knobs if name not in PRECISION.names]
    bits = precision_for(given.integers(PRECISION.names))
    knobs = [knob.to_json() for knob in bits] if bits != PRECISION else [*PRECISION.names]
    space = space_from_json({"knobs": [*knobs, *others]})
    settings = given.settings(space, [layer.name for layer in network.layers])
    return replace(Design.plain(len(network), space), settings=settings)


def _of_file(options: argparse.Namespace) -> Design:
    """Take the bits that the network's own file has chosen; note where it has none."""
    found = read_bits(options.network, reading(options))
    design = found.design()
    for knob, layers in found.open_layers.items():
        if layers:
            shown = ", ".join(layers[:3]) + (f" and {len(layers) - 3} more" if layers[3:] else "")
            note(f"lrmp: no {knob} in the file for {shown}; they have {PRECISION[knob].plain}")
    return design


def _costs(
    network: Network, chips: list[Accelerator], options: CostOptions
) -> dict[str, ChipCost | LRMPError]:
    """Cost the network on every chip; one that cannot run it does not stop the others."""
    costs: dict[str, ChipCost | LRMPError] = {}
    for chip in chips:
        try:
            costs[chip.name] = cost_network(network, chip, options)
        except LRMPError as error:
            costs[chip.name] = error
    errors = [cost for cost in costs.values() if isinstance(cost, LRMPError)]
    if len(errors) == len(costs):
        raise errors[0]
    return costs


def _print_chips(
    network: Network,
    costs: dict[str, ChipCost | LRMPError],
    options: CostOptions,
    copies: str,
    *,
    as_json: bool,
) -> int:
    if as_json:
        print_json(chips_json(costs))
        return EXIT_OK
    print_folded(
        f"{network.name}: {len(network)} layers, {format_quantity(network.macs, 'MAC')}; "
        f"{options.design.settings_summary}, {copies}"
    )
    print(f"\n{format_chips(costs, output_width())}")
    return EXIT_OK


def _draw(cost: ChipCost, picture: Path | None, floor_plan: Path | None) -> list[Path]:
    """Draw what was asked for."""
    what = cost.model, cost.design, cost.budget
    if picture is not None:
        save_picture(partial(plot_cost, *what), picture)
    if floor_plan is not None:
        save_picture(partial(plot_floor_plan, *what), floor_plan)
    return [path for path in (picture, floor_plan) if path is not None]


def _validate(options: argparse.Namespace) -> int:
    from lrmp.baselines.validation import format_cases, run_validation

    cases = run_validation()
    if options.json:
        print_json([asdict(c) | {"ratios": c.ratios, "holds": c.holds} for c in cases])
    else:
        print(format_cases(cases, width=output_width()))
    return EXIT_REFUSED if any(case.holds is False for case in cases) else EXIT_OK
