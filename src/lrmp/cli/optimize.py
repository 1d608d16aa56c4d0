"""The ``lrmp optimize`` command: from a network and a chip to a design that was checked."""

import argparse
from pathlib import Path
from typing import Any, get_args

from tqdm import tqdm

from lrmp.architect.effort import Effort
from lrmp.architect.folder import REPORT
from lrmp.architect.limit import NATS, POINTS
from lrmp.architect.optimize import DEFAULT_CHIP, Request, run_request
from lrmp.architect.own_network import Images, OwnNetwork
from lrmp.cli.exit_codes import EPILOG, EXIT_OK, EXIT_REFUSED
from lrmp.cli.image_options import add_pixels, given_pixels
from lrmp.cli.network_argument import HELP, SHAPE_HELP
from lrmp.cli.output import add_json, note, print_json
from lrmp.cli.settings_argument import GivenSettings, add_settings
from lrmp.envs.task.task_baseline import FROM_FILE
from lrmp.errors import MissingExtraError, RunError
from lrmp.hardware.cost.cost_report import NETWORK_OBJECTIVES, Objective
from lrmp.hardware.networks import NETWORKS
from lrmp.hardware.readers.network_source import InputShape, make_module

DESCRIPTION = """\
Find the best bits and copies for a network on a chip, and check on images that
the network stands them.

How much every layer loses with fewer bits is measured on the network. The best
design by these measurements is found and proven, runs on the validation
images, and corrects the measurements, until the network loses no more than the
limit. Interrupted, the same command goes on where it stopped, to the same
result.

  lrmp optimize --network my.onnx --chip my.toml \\
      --calibration train/ --validation val/ --out out
"""
#: Options, by field of ``Effort``.
EFFORT = {
    "random": "random designs that the first table is fitted to",
    "near": "designs near the best that run on the network, of every round and chip",
    "rounds": "most rounds of solving, running and correcting",
    "checks": "most designs of a chip that run on validation images that no search has seen",
    "seed": "of the drawing of designs near the best",
}


def add_commands(commands: Any) -> None:
    """Add ``lrmp optimize``.

    Args:
        commands: The subparsers of ``lrmp``.
    """
    parser = commands.add_parser(
        "optimize",
        help="find and check the best design for your network and chip",
        description=DESCRIPTION,
        epilog=f"1 also says that the network loses more than the limit.\n{EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--network", required=True, metavar="NETWORK", help=f"what to run: {HELP}")
    parser.add_argument(
        "--chip",
        nargs="+",
        default=[DEFAULT_CHIP],
        metavar="PRESET|FILE.toml",
        help="what to run it on; several are compared; `lrmp hardware list` names the presets; "
        f"default: {DEFAULT_CHIP}",
    )
    parser.add_argument(
        "--budget",
        type=int,
        metavar="TILES",
        help="how many there are for all copies; default: as many as one copy of every layer takes "
        "in the baseline",
    )
    parser.add_argument(
        "--baseline",
        choices=[FROM_FILE],
        help="what gains are measured against: the bits that an ONNX file is quantised to; "
        "default: the plain design, 8 bits and one copy of every layer",
    )
    parser.add_argument(
        "--objective",
        choices=[each for each in get_args(Objective) if each in NETWORK_OBJECTIVES],
        default="latency",
        help="what is made best; default: %(default)s",
    )
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument(
        "--max-drop",
        type=float,
        metavar="POINTS",
        help="how many points of top-1 accuracy may be lost, where the images have labels; "
        f"default: {POINTS:g}",
    )
    limit.add_argument(
        "--max-divergence",
        type=float,
        metavar="NATS",
        help="how far class probabilities may be from those of the float network, where the images "
        f"have no labels; default: {NATS:g}",
    )
    images = parser.add_argument_group("images")
    images.add_argument(
        "--calibration",
        type=Path,
        metavar="DIR|NPZ",
        help="images from which the ranges of activations are taken",
    )
    images.add_argument(
        "--validation",
        type=Path,
        metavar="DIR|NPZ",
        help="images that designs run on: half of them for the search, half for checks alone. A "
        "folder of PNG and JPEG files, in a folder for every class where labels are known, or "
        "'images' and 'labels' of an archive",
    )
    add_pixels(images)
    images.add_argument("--input-shape", metavar="SIZES", action="append", help=SHAPE_HELP)
    images.add_argument(
        "--search-images",
        type=int,
        metavar="N",
        default=Images.search,
        help="most validation images that designs are searched on; default: %(default)s",
    )
    images.add_argument(
        "--sensitivity-images",
        type=int,
        metavar="N",
        default=Images.sensitivity,
        help="most of these on which single layers are measured; default: %(default)s",
    )
    images.add_argument(
        "--no-accuracy",
        action="store_true",
        help="run nothing: the best copies at given bits (--set, --design; 8 by default)",
    )
    add_settings(images.add_mutually_exclusive_group())
    effort = parser.add_argument_group("effort")
    for name, text in EFFORT.items():
        default = getattr(Effort, name)
        effort.add_argument(
            f"--{name}", type=int, metavar="N", default=default, help=f"{text}; default: {default}"
        )
    effort.add_argument(
        "--processes",
        type=int,
        metavar="N",
        default=1,
        help="processes that run the network; default: %(default)s",
    )
    effort.add_argument(
        "--device",
        dest="processor",
        metavar="NAME",
        default="cpu",
        help="where torch computes, such as cuda; default: %(default)s",
    )
    effort.add_argument(
        "--data", type=Path, metavar="DIR", help="weights and images of built-in networks"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where design and report go"
    )
    add_json(parser)
    parser.set_defaults(run=_optimize)


def _optimize(options: argparse.Namespace) -> int:
    request = _request(options)
    try:
        answer = run_request(request, options.out, note if options.json else tqdm.write)
    except ImportError as error:
        if isinstance(error, MissingExtraError):
            raise
        raise MissingExtraError.of(error.name, "to optimise", "optimize") from error
    if options.json:
        print_json(answer.to_json())
    else:
        for each in answer.chips:
            outcome = each.outcome
            tiles = outcome.report.tiles_text(outcome.task.budget)
            print(
                f"{each.chip.name}: {outcome.task.objective} gain {outcome.gain:.3f}x, {tiles} "
                f"tiles\n  {each.verdict}"
            )
    (note if options.json else print)(f"report: {options.out / REPORT}")
    return EXIT_OK if answer.holds else EXIT_REFUSED


def _request(options: argparse.Namespace) -> Request:
    given = GivenSettings.of(options)
    if given and not options.no_accuracy:
        raise RunError("Expected --set and --design beside --no-accuracy; bits are optimised else.")
    shapes = [InputShape.parse(word) for word in options.input_shape or ()]
    network = OwnNetwork(
        *_source(options.network), inputs={each.name: each.sizes for each in shapes} or None
    )
    images = None
    folders = (options.calibration, options.validation)
    if any(folders) and not all(folders):
        raise RunError("Expected --calibration and --validation, got one of them.")
    if all(folders):
        images = Images(
            *folders, given_pixels(options), options.search_images, options.sensitivity_images
        )
    effort = Effort(**{name: getattr(options, name) for name in EFFORT})
    return Request(
        network,
        tuple(options.chip),
        images,
        options.budget,
        options.objective,
        options.max_drop,
        options.max_divergence,
        not options.no_accuracy,
        FROM_FILE if given.from_file else given.values_of_knobs() if given else None,
        effort,
        options.data,
        options.processes,
        options.processor,
        options.baseline,
    )


def _source(word: str) -> tuple[Any, str | None]:
    """Return what the network is, and its name where the word does not say it."""
    if word in NETWORKS or word.endswith(".onnx"):
        return word, None
    return make_module(word), word.rpartition(":")[2].rpartition(".")[2]
