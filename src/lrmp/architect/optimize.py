"""One command from a network and a chip to a design that the network was seen to hold."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lrmp.accuracy.lab.images.own_images import UNIT, Pixels
from lrmp.accuracy.model.factories import noise_seeds
from lrmp.accuracy.model.sensitivity_table import chip_identity
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.architect.answer import Answer, ChipAnswer
from lrmp.architect.effort import USUAL_EFFORT, Effort
from lrmp.architect.folder import (
    MEASUREMENTS,
    REQUEST,
    SUMMARY,
    folder_name,
    write_answer,
)
from lrmp.architect.limit import NATS, POINTS, Limit
from lrmp.architect.own_network import Images, OwnNetwork
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.task.custom_task import make_task
from lrmp.envs.task.task import Task
from lrmp.envs.task.task_baseline import Baseline, FromFile, baseline_design
from lrmp.errors import ForeignTextError, RunError
from lrmp.foreign_file import is_present, read_foreign_text
from lrmp.foreign_text import parse_json
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset, read_preset
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.precision import PRECISION
from lrmp.whole_file import write_whole

DEFAULT_CHIP = "lrmp_frontiers_2024"


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be optimised.

    Attributes:
        network: The network.
        chips: An accelerator, a preset's name or a file for each.
        images: Of the network; None for a built-in one, which has its own, or without accuracy.
        budget: Tiles; None for those of the plain design with one copy of every layer.
        objective: What is to be least.
        max_drop: Points of top-1 accuracy that may be lost; None for 1, where labels are known.
        max_divergence: Nats that the class probabilities may diverge; None for 0.05, where they are
            not.
        accuracy: Whether the network is run. Without, the copies alone are optimised.
        bits: Without accuracy: for each knob the value of every layer, or one for all; or
            ``"from-file"``, those of the network's own.
        effort: How much is run.
        data: Folder of a built-in network's weights and images; None for the default.
        processes: Worker processes that run designs.
        processor: Where torch computes.
        baseline: What gains are measured against, as ``make_task`` takes it.

    Raises:
        RunError: If options contradict each other.
    """

    network: OwnNetwork
    chips: tuple[Accelerator | str | Path, ...] = (DEFAULT_CHIP,)
    images: Images | None = None
    budget: int | None = None
    objective: Objective = "latency"
    max_drop: float | None = None
    max_divergence: float | None = None
    accuracy: bool = True
    bits: Mapping[str, ArrayLike] | FromFile | None = None
    effort: Effort = USUAL_EFFORT
    data: Path | None = None
    processes: int = 1
    processor: str = "cpu"
    baseline: Baseline = None

    def __post_init__(self) -> None:
        if not self.chips:
            raise RunError("Expected at least one chip, got none.")
        if self.max_drop is not None and self.max_divergence is not None:
            raise RunError("Expected --max-drop or --max-divergence, got both.")
        if self.accuracy and self.bits:
            raise RunError(
                "Expected bits beside --no-accuracy; with images they are what is optimised."
            )
        if not self.accuracy and self.images is not None:
            raise RunError("Expected images or --no-accuracy, got both.")
        if self.processes < 1:
            raise RunError(f"Expected at least 1 process, got {self.processes}.")

    def limit(self, *, labelled: bool) -> Limit:
        """Say what the network may lose.

        Args:
            labelled: Whether the validation images have labels.

        Returns:
            Points with labels, nats without.

        Raises:
            RunError: If points are asked for without labels.
        """
        if self.max_divergence is not None:
            return Limit(self.max_divergence, "nats")
        if labelled:
            return Limit(POINTS if self.max_drop is None else self.max_drop, "points")
        if self.max_drop is not None:
            raise RunError(
                "Expected labels to hold --max-drop, got images without: a folder for every class, "
                "or 'labels' in the archive. Without labels give --max-divergence, in nats."
            )
        return Limit(NATS, "nats")


def optimize(
    network: Any,
    chip: Accelerator | str | Path | Sequence[Accelerator | str | Path] = DEFAULT_CHIP,
    *,
    out: str | Path,
    calibration: str | Path | None = None,
    validation: str | Path | None = None,
    input_shape: Sequence[int] | None = None,
    pixels: Pixels = UNIT,
    progress: bool = True,
    **options: Any,
) -> Answer:
    """Find the best design of a network on a chip that the network itself was seen to hold.

    Its own sensitivities are measured, the task is solved to a proven optimum, the winner runs on
    the validation images, and tables are fitted again until the network holds the limit. What was
    run is kept in the folder, and the same call goes on where it was stopped.

    Args:
        network: An ONNX file, a ``torch.nn.Module``, or the name of a built-in network.
        chip: A chip, the name of a preset or a preset file; several are compared.
        out: Folder of the design, the record and the report; made if it is not there.
        calibration: Folder of images or archive (``.npz``) that quantiser steps are chosen on.
        validation: Folder or archive that designs run on, with labels or without.
        input_shape: Of one input with a batch of 1, for a module that a folder of images is for.
        pixels: What is done to pixels.
        progress: Whether to print a line for every step.
        **options: Other fields of ``lrmp.architect.optimize.Request``: ``budget``, ``objective``,
            ``max_drop``, ``max_divergence``, ``accuracy``, ``bits``, ``effort``, ``data``,
            ``processes``, ``processor``, ``baseline``.

    Returns:
        The answer; the files in the folder say the same.

    Raises:
        LRMPError: If something cannot be read, does not fit, or no design is within the limit.
    """
    several = isinstance(chip, Sequence) and not isinstance(chip, str)
    images = None
    if calibration is not None or validation is not None:
        if calibration is None or validation is None:
            missing = "calibration" if calibration is None else "validation"
            raise RunError(f"Expected images for both, got none for {missing}.")
        images = Images(Path(calibration), Path(validation), pixels)
    own = OwnNetwork(network, inputs=None if input_shape is None else {"": input_shape})
    request = Request(own, tuple(chip) if several else (chip,), images, **options)  # type: ignore[arg-type]
    return run_request(request, Path(out), print if progress else lambda line: None)


def run_request(
    request: Request, out: Path, report: Callable[[str], None] = lambda line: None
) -> Answer:
    """Optimise, and write the folder.

    Args:
        request: What is to be optimised.
        out: The folder; what was measured there for the same request is not measured again.
        report: Called with a line for every step.

    Returns:
        The answer.

    Raises:
        RunError: If the folder is another request's.
        LRMPError: As ``optimize``.
    """
    from lrmp.architect.report import write_report  # pictures, which need matplotlib

    started = time.monotonic()
    chips = _chips(request)
    _claim(request, chips, out)
    if request.accuracy:
        answers = _with_accuracy(request, chips, out, report)
    else:
        answers = _copies_alone(request, chips)
    name = answers[0].outcome.task.network.name
    answer = Answer(name, tuple(answers), _provenance(request, chips, answers))
    seconds = time.monotonic() - started
    for each in answers:
        write_answer(each, out / folder_name(each.chip), seconds)
    write_whole(out / SUMMARY, json.dumps(answer.to_json(), indent=2, allow_nan=False) + "\n")
    write_report(answer, out)
    return answer


def _with_accuracy(
    request: Request,
    chips: Sequence[Accelerator],
    out: Path,
    report: Callable[[str], None],
) -> list[ChipAnswer]:
    from lrmp.accuracy.lab.measurement import Measurement
    from lrmp.architect.search import search_designs

    subject = request.network.subject(request.images, request.data)
    labelled = subject.examples("search", 1).labels is not None
    limit = request.limit(labelled=labelled)
    network = subject.network() if subject.protocol is None else request.network.network()
    tasks = [_task(request, network, chip) for chip in chips]
    for task in tasks:
        if noise_seeds(task.accelerator):
            raise RunError(
                f"Expected a chip whose cells hold what was written, got {task.accelerator.name} "
                "with noise, which only knobs of noise know of. Leave [noise] out."
            )
    measurement = Measurement(
        subject, out / MEASUREMENTS, request.processor, request.processes, PRECISION
    )
    report(f"{network!r}; measuring sensitivities")
    return search_designs(measurement, tasks, limit, request.effort, "lrmp optimize", report)


def _copies_alone(request: Request, chips: Sequence[Accelerator]) -> list[ChipAnswer]:
    network = request.network.network()
    names = [layer.name for layer in network.layers]
    values = request.bits or {}
    if isinstance(values, str):
        own = request.network.file_bits()
        own.require_any()
        values = own.values()
    settings = PRECISION.encode(dict(values), names)
    tasks = [_task(request, network, chip) for chip in chips]
    return [ChipAnswer(evaluate_settings(task, settings)) for task in tasks]


def _task(request: Request, network: Network, chip: Accelerator) -> Task:
    """Pose the task of a chip before anything is known of the accuracy."""
    layers = len(network)
    nothing = {knob.name: np.zeros((layers, len(knob))) for knob in PRECISION}
    unknown = TableAccuracy(nothing, "accuracy was not looked at", is_estimate=True)
    baseline = request.baseline
    if isinstance(baseline, str):
        baseline = baseline_design(baseline, network, request.network.file_bits(), PRECISION)
    return make_task(network, chip, request.budget, request.objective, unknown, baseline=baseline)


def _chips(request: Request) -> list[Accelerator]:
    """Find the chips; each has a folder of its own."""
    chips = [_chip(chip) for chip in request.chips]
    names = [folder_name(chip) for chip in chips]
    if len(set(names)) < len(names):
        raise RunError(f"Expected chips with names of their own, got {', '.join(names)}.")
    return chips


def _chip(chip: Accelerator | str | Path) -> Accelerator:
    if isinstance(chip, Accelerator):
        return chip
    return read_preset(Path(chip)) if str(chip).endswith(".toml") else load_preset(str(chip))


def _claim(request: Request, chips: Sequence[Accelerator], out: Path) -> None:
    """Take a folder that is empty, or this request's."""
    document = _document(request, chips)
    path = out / REQUEST
    try:
        out.mkdir(parents=True, exist_ok=True)
        if is_present(path):
            before = parse_json(read_foreign_text(path))
            if before != document:
                differing = [key for key in document if before.get(key) != document[key]]
                raise RunError(
                    f"Expected {out} to be of this request, got one with other "
                    f"{', '.join(differing)}. Name another folder, or delete it."
                )
            return
        write_whole(path, json.dumps(document, indent=2) + "\n")
    except (OSError, ForeignTextError, AttributeError) as error:
        raise RunError(f"Expected a folder for the results at {out}: {error}.") from error


def _document(request: Request, chips: Sequence[Accelerator]) -> dict[str, Any]:
    """Write down what results depend on; images and weights are in the measurement's identity."""
    own, images = request.network, request.images
    document = {
        "network": own.label,
        "network_sha256": own.identity,
        "inputs": {name: list(sizes) for name, sizes in (own.inputs or {}).items()},
        "chips": [chip_identity(chip) for chip in chips],
        "images": None if images is None else asdict(images),
        "bits": _plain_values(request.bits or {}),
        "baseline": _plain_values(request.baseline),
        "effort": asdict(request.effort),
    }
    for each in fields(request):
        if each.name in ("budget", "objective", "max_drop", "max_divergence", "accuracy"):
            document[each.name] = getattr(request, each.name)
    found: dict[str, Any] = json.loads(json.dumps(document, default=str))
    return found


def _plain_values(given: Baseline) -> Any:
    """Write values by the name of a knob as JSON has them."""
    if isinstance(given, Design):
        return given.to_json()
    if not isinstance(given, Mapping):
        return given
    return {name: np.asarray(values).tolist() for name, values in given.items()}


def _provenance(
    request: Request, chips: Sequence[Accelerator], answers: Sequence[ChipAnswer]
) -> dict[str, Any]:
    check = answers[0].check
    measured = {} if check is None else dict(check.table.provenance)
    versions = {}
    for name in ("lrmp", "torch", "onnx", "onnx2pytorch", "numpy", "ortools"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        **_document(request, chips),
        "measurement": {
            name: measured[name]
            for name in (
                "weights",
                "sha256",
                "recipe",
                "calibration",
                "search",
                "sensitivity_images",
            )
            if name in measured
        },
        "versions": versions,
    }
