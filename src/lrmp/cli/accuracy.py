"""The ``lrmp accuracy`` commands: measure a table, check a design, report the fidelity."""

import argparse
import hashlib
import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrmp.accuracy.lab.images import (
    SHAPES,
    SOURCES,
    ImageFolder,
    Source,
    data_root,
    source_size,
)
from lrmp.accuracy.lab.protocol import Protocol, Split, load_protocol, protocol_of, read_protocols
from lrmp.accuracy.model.design_result import DesignResult, design_values
from lrmp.accuracy.model.factories import noise_seeds
from lrmp.accuracy.model.sensitivity_table import SensitivityTable, table_for
from lrmp.baselines.running.run import task_name
from lrmp.cli.accuracy_refine import add_refine
from lrmp.cli.exit_codes import EPILOG
from lrmp.cli.output import add_json, print_json
from lrmp.cli.settings_argument import GivenSettings, add_settings
from lrmp.envs.task.custom_task import find_task
from lrmp.envs.task.task import Task
from lrmp.errors import AccuracyDataError, AccuracyTableError, MissingExtraError, RunError
from lrmp.hardware.networks import load_network
from lrmp.hardware.space.catalogue import KNOBS
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Value
from lrmp.hardware.space.precision import PRECISION
from lrmp.whole_file import write_whole

if TYPE_CHECKING:
    from lrmp.accuracy.lab.subject import Subject

TABLES, RUNS = Path("runs") / "accuracy", Path("runs") / "tune"


def add_commands(commands: Any) -> None:
    """Add ``lrmp accuracy``.

    Args:
        commands: The subparsers of ``lrmp``.
    """
    accuracy = commands.add_parser(
        "accuracy",
        help="measure sensitivities, check designs on real images",
        description="Accuracy from real quantised networks; docs/protocol.md explains it.",
        epilog=EPILOG,
    )
    parts = accuracy.add_subparsers(title="commands", required=True, metavar="COMMAND")

    measure = parts.add_parser(
        "measure",
        help="measure a network's sensitivity table",
        description="Divergences layer by layer and knob by knob, then random designs, on the "
        "search images. Interrupted, it goes on where it stopped.",
        epilog=EPILOG,
    )
    which = measure.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--network",
        choices=sorted(read_protocols()),
        metavar="NETWORK",
        help=f"one of lrmp's own: {', '.join(sorted(read_protocols()))}",
    )
    which.add_argument(
        "--subject",
        metavar="MODULE:FUNCTION",
        help="a network of your own: code that makes an lrmp.accuracy.lab.subject.Subject, such as "
        "my_package.my_networks:digits; it is run",
    )
    measure.add_argument("--weights", type=Path, help="other weights of that network, safetensors")
    measure.add_argument(
        "--images",
        metavar="SET|DIR",
        help="other calibration and search images: a known image set, or a folder with a folder of "
        "images for every class",
    )
    measure.add_argument(
        "--knobs",
        nargs="+",
        metavar="KNOB",
        choices=KNOBS,
        default=list(PRECISION.names),
        help=f"what is turned, of {', '.join(KNOBS)}; default: {' '.join(PRECISION.names)}",
    )
    measure.add_argument("--designs", type=int, default=64, help="drawn to fit the map to")
    measure.add_argument("--limit", type=int, metavar="N", help="run only the first N of them")
    measure.add_argument(
        "--judge",
        type=int,
        default=0,
        metavar="N",
        help="also run N held-out designs on the test images, for the fidelity report",
    )
    measure.add_argument(
        "--extend",
        action="store_true",
        help="start from the results of the shipped table, to run more designs",
    )
    measure.add_argument("--processes", type=int, default=1, help="worker processes")
    measure.add_argument(
        "--out", type=Path, default=TABLES, help="folder of table and log; default: %(default)s"
    )
    _add_data(measure)
    measure.set_defaults(run=_measure)

    _add_data(add_refine(parts, TABLES))

    check = parts.add_parser(
        "check",
        help="run a design on the test images, beside its table",
        description="Table drop and network drop of a design, side by side.",
        epilog=EPILOG,
    )
    _add_design(check)
    add_json(check)
    _add_data(check)
    check.set_defaults(run=_check)

    tune = parts.add_parser(
        "tune",
        help="fine-tune a design",
        description="Recipe qat-1: a design's drop before and after fine-tuning, on the "
        "network's training images. Interrupted, it goes on with the epoch it was in.",
        epilog=EPILOG,
    )
    _add_design(tune)
    tune.add_argument("--epochs", type=int, default=3, help="default: %(default)s")
    tune.add_argument("--limit", type=int, metavar="N", help="train on the first N images alone")
    tune.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    tune.add_argument(
        "--out", type=Path, default=RUNS, help="folder of all runs; default: %(default)s"
    )
    add_json(tune)
    _add_data(tune)
    tune.set_defaults(run=_tune)

    report = parts.add_parser(
        "report",
        help="write the fidelity page and picture",
        description="Judge the shipped tables by the held-out designs that are shipped with them.",
        epilog=EPILOG,
    )
    report.add_argument(
        "--out", type=Path, default=Path("docs") / "accuracy", help="default: %(default)s"
    )
    report.set_defaults(run=_report)


def _add_design(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_dir", nargs="?", type=Path, help="a finished run directory")
    parser.add_argument(
        "--env-id", help="settings of your own instead of a run: the environment, or a task file"
    )
    add_settings(parser.add_mutually_exclusive_group())


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        help="folder of data sets and weights; default: LRMP_DATA, else ../shared/data",
    )
    parser.add_argument(
        "--device",
        dest="processor",
        metavar="DEVICE",
        default="cpu",
        help="where torch computes; default: cpu",
    )


def _measure(options: argparse.Namespace) -> int:
    _need_torch()
    from lrmp.accuracy.lab.measurement import JUDGE_SEED, Measurement
    from lrmp.accuracy.lab.table_build import build_table, extend_shipped, write_table

    subject, given = _subject(options), options.subject
    log = options.out / f"{subject.name}.log.jsonl"
    space = DesignSpace(KNOBS[name] for name in options.knobs)
    measurement = Measurement(subject, log, options.processor, options.processes, space)
    if options.extend:
        extend_shipped(measurement)
    which = f"--subject {given}" if given else f"--network {subject.name}"
    command = f"lrmp accuracy measure {which} --designs {options.designs}"
    if space != PRECISION:
        command += f" --knobs {' '.join(space.names)}"
    if options.limit is not None:
        command += f" --limit {options.limit}"
    table = build_table(measurement, command, options.designs, options.limit)
    if options.judge:
        measurement.measure_designs("test", options.judge, JUDGE_SEED)
    path = write_table(table, measurement, options.out)
    print(f"wrote {path}; one point of drop is a sum of {table.drop_map.threshold(1.0):.4g}")
    return 0


def _subject(options: argparse.Namespace) -> "Subject":
    """Return what is measured: a network of lrmp's own, or what the user's code makes."""
    from lrmp.accuracy.lab.subject import make_subject

    if options.subject is None:
        return _protocol(options).subject(data_root(options.data))
    if options.weights is not None or options.images is not None or options.extend:
        raise AccuracyDataError(
            "Expected --weights, --images and --extend beside --network; a subject has its own "
            "weights and images, and no table that is shipped."
        )
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)  # worker processes look for modules where this one does
    return make_subject(options.subject)


def _protocol(options: argparse.Namespace) -> Protocol:
    """Return the network's protocol, with the user's weights and images where given."""
    protocol = load_protocol(options.network)
    if options.weights is not None:
        from lrmp.accuracy.lab.protocol import file_sha256

        path = options.weights.resolve()
        protocol = replace(
            protocol, weights=str(path), sha256=file_sha256(path), about=f"user's {path.name}"
        )
    if options.images is not None:
        if options.images == protocol.test.source:
            raise AccuracyDataError(
                f"Expected images other than the test images, got {options.images}. "
                "A search never sees the test split."
            )
        protocol = _with_images(protocol, options.images)
    return protocol


def _with_images(protocol: Protocol, images: str) -> Protocol:
    """Let other images calibrate and be searched on: a known set, or a folder."""
    source: Source = images
    if images not in SOURCES and Path(images).is_dir():
        kind, _, _ = str(protocol.calibration.source).partition("-")
        classes = int(load_network(protocol.network).layers[-1].columns)
        source = ImageFolder(str(Path(images).resolve()), classes, *SHAPES[kind])
    count, seed = source_size(source), protocol.calibration.seed
    # Of few images a quarter calibrates.
    first = min(len(protocol.calibration), count // 4)
    if first < 1:
        raise AccuracyDataError(f"Expected at least 4 images in {images}, got {count}.")
    last = min(first + len(protocol.search), count)
    return replace(
        protocol,
        calibration=Split(source, seed, 0, first),
        search=Split(source, seed, first, last),
        sensitivity_images=min(protocol.sensitivity_images, last - first),
    )


def _check(options: argparse.Namespace) -> int:
    task, design = _design(options)
    protocol = protocol_of(task.network)
    table = _shipped_table(task)
    _need_torch()
    from lrmp.accuracy.lab.evaluator import NetworkEvaluator

    subject = protocol.subject(data_root(options.data))
    chip = task.accelerator
    evaluator = NetworkEvaluator(subject, options.processor, noise_seeds(chip), chip)
    results = {split: evaluator.evaluate(design, split) for split in _SPLITS}
    found: dict[str, Any] = {
        "task": task.id,
        "design": _values(design),
        "table_drop": task.accuracy.drop(design),
        "table": task.accuracy_label,
        "table_divergence": None if table is None else table.divergence_of(design),
        "recipe": protocol.recipe,
        **{f"network_{split}": _result_json(result) for split, result in results.items()},
    }
    if options.json:
        print_json(found)
        return 0
    print(f"{task.id}, {protocol.recipe}\n  design          {_text(design)}")
    print(f"  table drop      {found['table_drop']:.2f} points, {found['table']}")
    for split, result in results.items():
        print(f"  network drop    {_result_text(result, split)}")
    if table is not None:
        print(
            f"  divergence      table {found['table_divergence']:.4f} nats, network "
            f"{results['test'].divergence:.4f} nats (test split)"
        )
    return 0


def _shipped_table(task: Task) -> SensitivityTable | None:
    try:
        return table_for(task.network.name, task.space)
    except AccuracyTableError:
        return None


def _tune(options: argparse.Namespace) -> int:
    if options.epochs < 1 or options.seed < 0 or (options.limit is not None and options.limit < 1):
        raise RunError(
            "Expected --epochs and --limit of at least 1 and --seed of at least 0, got "
            f"{options.epochs}, {options.limit} and {options.seed}."
        )
    task, design = _design(options)
    _need_torch()
    from lrmp.accuracy.lab.design_tuning import CHECKED, tune_design
    from lrmp.accuracy.lab.evaluator import NetworkEvaluator
    from lrmp.accuracy.lab.quantization.fine_tuning import FineTuning

    # The folder names all that the epochs depend on, so that none is taken for another's.
    text = json.dumps(_values(design))
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    images = "" if options.limit is None else f"__{options.limit}"
    folder = options.out / f"{task_name(task)}__{digest}__{options.seed}{images}"
    settings = FineTuning(epochs=options.epochs, seed=options.seed)
    subject = protocol_of(task.network).subject(data_root(options.data))
    chip = task.accelerator
    evaluator = NetworkEvaluator(subject, options.processor, noise_seeds(chip), chip)
    tuned = tune_design(evaluator, design, settings, folder, options.limit)
    write_whole(folder / "design.json", text)  # for the reader of the folder
    if options.json:
        print_json(
            {
                "task": task.id,
                "design": _values(design),
                "settings": asdict(settings),
                "training_images": tuned.images,
                "seconds": tuned.seconds,
                **{
                    f"{when}_{split}": _result_json(results[split])
                    for when, results in (("before", tuned.before), ("after", tuned.after))
                    for split in CHECKED
                },
            }
        )
        return 0
    print(
        f"{task.id}, {settings.name}: {settings.epochs} epochs of {tuned.images} images, seed "
        f"{settings.seed}, {tuned.seconds:.0f} s\n  design          {_text(design)}"
    )
    for split in CHECKED:
        for when, results in (("before", tuned.before), ("after", tuned.after)):
            print(f"  {when:<16}{_result_text(results[split], split)}")
    return 0


_SPLITS: tuple[Any, ...] = ("search", "test")


def _result_text(result: DesignResult, split: str) -> str:
    low, high = result.interval()
    return (
        f"{result.drop:.2f} points [{low:.2f}, {high:.2f}], {split} split: "
        f"top-1 {100 * result.float_correct / result.images:.2f} -> {result.top1:.2f} %, "
        f"{result.images} images, 95 % paired bootstrap"
    )


def _result_json(result: DesignResult) -> dict[str, Any]:
    return {
        **result.to_json(),
        "drop": result.drop,
        "top1": result.top1,
        "interval": result.interval(),
    }


def _values(design: Design) -> dict[str, list[Value]]:
    return design_values(design.settings, design.space)


def _text(design: Design) -> str:
    return ", ".join(f"{name} {' '.join(map(str, v))}" for name, v in _values(design).items())


def _design(options: argparse.Namespace) -> tuple[Task, Design]:
    """Read the design from a run directory or from the command line."""
    given = GivenSettings.of(options)
    if (options.run_dir is None) == (options.env_id is None):
        raise RunError(
            "Expected either a run directory or --env-id, which takes --set or --design."
        )
    if options.run_dir is not None:
        from lrmp.baselines.running.run_directory import RunDirectory
        from lrmp.leaderboard.submission import check_definition, read_submission

        if given:
            raise RunError(
                "Expected --set or --design beside --env-id; a run directory has its own design."
            )
        run = options.run_dir
        own_task = RunDirectory(run).own_task() if os.path.isdir(run) else None
        records = read_submission(run, own_task)
        if len(records) != 1:
            raise RunError(f"Expected one record in {options.run_dir}, got {len(records)}.")
        task = check_definition(records[0], own_task)
        return task, records[0].design_for(task)
    task = find_task(options.env_id)
    return task, given.design(task.space, [layer.name for layer in task.network.layers])


def _report(options: argparse.Namespace) -> int:
    try:
        import matplotlib  # noqa: F401  the picture needs it
    except ImportError as error:
        raise MissingExtraError.of(error.name, "for the report", "accuracy,plot") from error
    from lrmp.accuracy.lab.fidelity_report import write_report

    print(f"wrote {write_report(options.out)}")
    return 0


def _need_torch() -> None:
    try:
        import torch  # noqa: F401  networks run on it
        from PIL import Image  # noqa: F401  images are decoded with it
    except ImportError as error:
        raise MissingExtraError.of(
            error.name, "for accuracies of the network itself", "accuracy"
        ) from error
