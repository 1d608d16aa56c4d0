"""The ``lrmp export`` command: a design as other tools take it."""

import argparse
from pathlib import Path
from typing import Any

from lrmp.architect.exports.layer_csv import write_csv
from lrmp.architect.exports.policy import write_policy
from lrmp.architect.exports.torch_configuration import write_brevitas, write_torchao
from lrmp.cli.exit_codes import EPILOG, EXIT_OK
from lrmp.cli.image_options import add_pixels, given_pixels
from lrmp.cli.settings_argument import GivenSettings, add_settings
from lrmp.envs.scoring.outcome import Outcome, evaluate_settings
from lrmp.envs.task.custom_task import find_task
from lrmp.errors import RunError

FORMATS = {
    "csv": "a line per layer: bits, copies, tiles, cycles, energy",
    "haq": "the policy of HAQ and CIM-AQ, .npy",
    "brevitas": "Python that quantises the torch module with Brevitas",
    "torchao": "Python that quantises its linear layers with torchao",
    "onnx": "an ONNX file with QuantizeLinear and DequantizeLinear, of a float one",
}


def add_commands(commands: Any) -> None:
    """Add ``lrmp export``.

    Args:
        commands: The subparsers of ``lrmp``.
    """
    parser = commands.add_parser(
        "export",
        help="write a design as other tools take it",
        description="A design for HAQ, CIM-AQ, Brevitas, torchao, ONNX runtimes or a spreadsheet. "
        + " ".join(f"{name}: {text}." for name, text in FORMATS.items()),
        epilog=EPILOG,
    )
    parser.add_argument(
        "--env-id", required=True, help="the task: an id, a file.toml, or task.json of a result"
    )
    add_settings(parser.add_mutually_exclusive_group())
    parser.add_argument("--to", required=True, choices=FORMATS, help="the format")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE")
    parser.add_argument(
        "--network", type=Path, metavar="FILE.onnx", help="of --to onnx: the float network"
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="DIR|NPZ",
        help="of --to onnx: images that steps are chosen on",
    )
    add_pixels(parser)
    parser.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    task = find_task(options.env_id)
    names = [layer.name for layer in task.network.layers]
    given = GivenSettings.of(options)
    outcome = evaluate_settings(task, given.settings(task.space, names))
    design, network = outcome.design, task.network.name
    try:
        match options.to:
            case "csv":
                write_csv(outcome.to_table(), options.out)
            case "haq":
                write_policy(design, options.out)
            case "brevitas":
                write_brevitas(design, network, names, options.out)
            case "torchao":
                write_torchao(design, network, names, options.out)
            case "onnx":
                _onnx(outcome, options)
    except OSError as error:
        raise RunError(f"Expected to write {options.out}: {error}.") from error
    print(f"wrote {options.out}")
    return EXIT_OK


def _onnx(outcome: Outcome, options: argparse.Namespace) -> None:
    if options.network is None or options.calibration is None:
        raise RunError(
            "Expected --network FILE.onnx and --calibration for --to onnx, whose steps are chosen "
            "on images."
        )
    from lrmp.architect.exports.onnx_qdq import write_qdq
    from lrmp.architect.own_network import OwnNetwork, calibrated

    own = OwnNetwork(str(options.network))
    network = calibrated(own, options.calibration, given_pixels(options))
    write_qdq(network, outcome.design, options.network, options.out)
