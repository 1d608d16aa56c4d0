"""The ``lrmp accuracy refine`` command: make a table true on the designs that it leads to."""

import argparse
from pathlib import Path
from typing import Any

from lrmp.accuracy.lab.images import data_root
from lrmp.accuracy.lab.protocol import load_protocol, read_protocols
from lrmp.accuracy.model.factories import noise_seeds
from lrmp.accuracy.model.sensitivity_table import table_name
from lrmp.cli.exit_codes import EPILOG, EXIT_OK
from lrmp.envs.task.custom_task import make_task
from lrmp.errors import MissingExtraError
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.families import WITH_TABLES
from lrmp.hardware.families.filters import FILTERS
from lrmp.hardware.families.precision import PRECISION
from lrmp.hardware.networks import load_network

ALL = "all"
#: Options of the command, by field of ``Plan``.
COUNTS = {
    "random": "random designs that the first table is fitted to",
    "near": "designs near the proven best, of every round",
    "annealed": "designs that annealing scores for every objective and allowance of a round",
    "learnt": "designs that agents learn from in a round, a multiple of 20",
    "rounds": "most rounds",
    "judged_near": "designs near the best that judge the table on the test images",
    "judged_random": "random designs that judge it",
    "seed": "of what is left out near the best",
}


def add_refine(commands: Any, tables: Path) -> argparse.ArgumentParser:
    """Add the command.

    Args:
        commands: The subparsers of ``lrmp accuracy``.
        tables: Where tables are written unless told otherwise.

    Returns:
        Its parser.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        "refine",
        help="measure a table, and refine it where optimisers go",
        description="Solve the network's tasks by the table, run the winners on the search images, "
        "fit the table to them, and repeat until it holds; then judge it on the test images. "
        "Interrupted, it goes on where it stopped.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "--network",
        required=True,
        nargs="+",
        choices=[ALL, *sorted(read_protocols())],
        metavar="NETWORK",
        help=f"which ones, one after the other: {ALL}, or of {', '.join(read_protocols())}",
    )
    parser.add_argument(
        "--family",
        choices=WITH_TABLES,
        metavar="FAMILY",
        default=PRECISION.name,
        help="whose knobs are turned, on its chip, of "
        f"{', '.join(WITH_TABLES)}; default: %(default)s",
    )
    for name, text in COUNTS.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=int, metavar="N", default=None, help=text
        )
    parser.add_argument(
        "--extend", action="store_true", help="start from what was measured for the shipped table"
    )
    parser.add_argument("--processes", type=int, default=1, help="worker processes")
    parser.add_argument(
        "--out", type=Path, default=tables, help="folder of table and log; default: %(default)s"
    )
    parser.set_defaults(run=_refine)
    return parser


def _refine(options: argparse.Namespace) -> int:
    try:
        from lrmp.accuracy.lab.measurement import Measurement
        from lrmp.accuracy.lab.table_build import extend_shipped, write_table
        from lrmp.accuracy.model.optimised_fidelity import judged
        from lrmp.baselines.refinement.refine import Plan, TaskOptimisers, judge_designs, refine
        from lrmp.baselines.refinement.width_designs import WidthOptimisers
    except ImportError as error:
        raise MissingExtraError.of(error.name, "to run networks", "accuracy") from error

    given = {name: value for name in COUNTS if (value := getattr(options, name)) is not None}
    plan = Plan(**given)
    family, own = WITH_TABLES[options.family], options.family == PRECISION.name
    networks = list(read_protocols()) if ALL in options.network else options.network
    for network in networks:
        layout, chip = load_network(network), family.chip()
        space = family.space(layout, chip)
        subject = load_protocol(network).subject(data_root(options.data))
        measurement = Measurement(
            subject,
            options.out / f"{table_name(network, family.name)}.log.jsonl",
            options.processor,
            options.processes,
            space,
            noise_seeds(chip),
            None if own else chip,
            family.name,
        )
        if options.extend:
            extend_shipped(measurement)
        which = f"--network {network}" + ("" if own else f" --family {family.name}")
        command = f"lrmp accuracy refine {which}" + "".join(
            f" --{name.replace('_', '-')} {value}" for name, value in given.items()
        )
        measurement.measure_divergences()
        task = make_task(
            layout,
            chip,
            accuracy=measurement.table(),
            budget=family.budget(CostModel(layout, chip, space)),
            space=space,
        )
        optimisers = WidthOptimisers(network) if family is FILTERS else TaskOptimisers(task)
        table, _ = refine(measurement, optimisers, plan, command, _print_round)
        judge_designs(measurement, optimisers, table, plan)
        table = judged(table, measurement.log.results)
        path = write_table(table, measurement, options.out)
        verdict = "; ".join(table.verdict.misses) or "it holds on optimised designs"
        print(f"wrote {path}; {verdict}")
    return EXIT_OK


def _print_round(found: object) -> None:
    print(found, flush=True)
