"""A task of your own: your network, chip, budget and accuracy, in Python or in a TOML file."""

import reprlib
from collections.abc import Mapping, Sequence
from inspect import isfunction, signature
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind, AccuracyModel
from lrmp.accuracy.model.factories import (
    AccuracyFactory,
    GivenAccuracy,
    NoisyAccuracy,
    check_kind,
    network_accuracy,
    table_accuracy,
)
from lrmp.accuracy.model.sensitivity_table import SensitivityTable
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.task.environment_id import task_id_of
from lrmp.envs.task.task import Task, load_task
from lrmp.envs.task.task_baseline import FROM_FILE, Baseline, baseline_design
from lrmp.envs.task.task_definition import is_task_document, task_of_document
from lrmp.envs.task.workload import Tenant, Workload
from lrmp.errors import (
    AccuracyTableError,
    ForeignTextError,
    InfeasibleBudgetError,
    NetworkError,
    PresetError,
    TaskError,
    unknown_name,
    unlike_names,
)
from lrmp.foreign_file import read_foreign_text
from lrmp.foreign_text import parse_json, parse_toml
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset, read_preset
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks import load_network
from lrmp.hardware.networks.network import Network
from lrmp.hardware.readers.file_bits import FileBits, read_file_bits
from lrmp.hardware.readers.network_source import InputShape, Reading, read_bits, read_network
from lrmp.hardware.space.catalogue import space_from_json
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.precision import PRECISION
from lrmp.solvers.replication.problem import ReplicationProblem

CUSTOM_ID = "LRMP-Custom-v0"
EVERY_LAYER = "*"
#: Of a task in JSON, with all layers and tables.
MAX_DOCUMENT_BYTES = 2**24

#: How tasks are named: a registered id, a TOML file, the arguments of ``make_task``, the task, or
#: the JSON values that ``task_document`` writes it down in.
TaskLike = Task | str | Path | Mapping[str, Any]

#: Keys of a task file that say how its network is read.
_READING = ("input_shapes", "input_values", "batch_dimension")

_ABOUT_POINTS = ("provenance", "estimate")


def make_task(
    network: Network | FileBits | str | Path,
    accelerator: Accelerator | str | Path = "lrmp_frontiers_2024",
    budget: int | None = None,
    objective: Objective = "latency",
    accuracy: AccuracyModel | str | Path | Mapping[str, Any] = "table",
    allowed_drop: float = 1.0,
    space: DesignSpace | Mapping[str, Any] = PRECISION,
    noise_seeds: Sequence[int] = (),
    baseline: Baseline = None,
) -> Task:
    """Define a task of your own, for ``gym.make("LRMP-Custom-v0", task=...)``.

    Everything is read and checked at once, so the task travels to worker processes without its
    files. Its ``fingerprint`` tells it from every other.

    Args:
        network: A network, the name of a built-in one, an ONNX file, or what ``read_file_bits``
            made of one.
        accelerator: A chip, the name of a preset, or a preset file (``.toml``).
        budget: Tiles; None for those of the baseline, the plain design with one copy of every
            layer if no other is given. A time-multiplexed chip, on which layers take turns, has its
            own and no others.
        objective: ``"latency"``, ``"throughput"``, ``"energy"`` or ``"edp"``.
        accuracy: A model; ``"table"``, the table that comes with lrmp for a built-in network, or
            ``"network"``, which runs it; a sensitivity table (``.json``) as ``lrmp accuracy
            measure`` writes it; or percentage points by layer: ``{"weight_bits": {layer: a
            number for each of the knob's values}, "activation_bits": {...}, "provenance": where
            they come from}``, with every knob of the space, where ``"*"`` stands for every layer
            that is not named, and ``"estimate": False`` says that they were measured on the network
            itself.
        allowed_drop: Percentage points of accuracy that cost nothing.
        space: The knobs: a design space, or ``{"knobs": names of lrmp's own, "allowed": {knob:
            the values of every layer}}``.
        noise_seeds: Of ``accuracy="network"``: what knobs draw noise from. A design that has some
            runs once with each, and its drop is the mean.
        baseline: The design that gains are measured against: None for the plain one;
            ``"from-file"`` for the bits that an ONNX file quantises its layers to, plain ones where
            it leaves floats; values by the name of a knob, one for all layers or one for each, with
            ``"replication"`` for copies; or a design.

    Returns:
        The task, with the id ``"LRMP-Custom-v0"``.

    Raises:
        NetworkError: If there is no such network.
        PresetError: If there is no such chip, or it lacks energies that the objective needs.
        InfeasibleBudgetError: If the network does not fit the budget in any setting.
        DesignError: If the space has unknown knobs or values, the baseline has others than the
            space, or the file that it is to come from has no bits.
        AccuracyTableError: If nothing is known about the accuracy of the network, or not what a
            table of it needs.
        TaskError: If an argument is of the wrong kind or out of range.
        MissingExtraError: If a library is missing for the kind of file.
    """
    found, chip = _network(network, baseline), _accelerator(accelerator)
    found_network, bits = (found.network, found) if isinstance(found, FileBits) else (found, None)
    knobs = space if isinstance(space, DesignSpace) else space_from_json(space)
    model = CostModel(found_network, chip, knobs)
    before = baseline_design(baseline, found_network, bits, knobs)
    factory = (
        _noisy(accuracy, noise_seeds)
        if noise_seeds
        else _accuracy_factory(accuracy, found_network, chip, knobs)
    )
    task = Task(
        id=CUSTOM_ID,
        workload=Workload((Tenant(found_network, factory, allowed_drop),)),
        accelerator=chip,
        budget=_tiles(model, before) if budget is None else budget,
        objective=objective,
        space=knobs,
        baseline=before,
    )
    task.accuracy  # noqa: B018  say at once if there is none
    task.baseline_report  # noqa: B018  and if the chip cannot hold its copies
    # What no episode could ever finish is refused here: budget, objective and chip.
    smallest = smallest_settings(task)
    needed = int(model.tiles_at_once(smallest))
    if needed > task.budget:
        raise InfeasibleBudgetError(
            f"Expected a budget of at least {needed} tiles, which {found_network.name} holds in "
            f"its smallest settings with one copy of every layer; got {task.budget}."
        )
    ReplicationProblem.of(model, smallest, task.budget, objective)
    return task


def _tiles(model: CostModel, baseline: Design | None) -> int:
    """Count the tiles of a chip that holds the baseline."""
    if baseline is None or model.accelerator.is_time_multiplexed:
        return model.plain_budget
    return model.evaluate(baseline).tiles


def smallest_settings(task: Task) -> IntArray:
    """Find the setting of every layer that takes the fewest tiles.

    Args:
        task: What is solved.

    Returns:
        The first of them in the order of the space, shape (L, K).
    """
    layers = len(task.network)
    designs = task.space.uniform(layers)
    smallest = task.cost_model.tiles_per_copy(designs).argmin(axis=0)
    settings: IntArray = designs[smallest, np.arange(layers)]
    return settings


def read_task(path: Path) -> Task:
    """Read a task from a TOML file.

    Its keys are the arguments of ``make_task``; ``baseline`` is ``"from-file"`` or a
    table. File names are relative to the file's folder. The
    network may also be ``package.module:factory`` or ``file.py:factory``, which is run. How it is
    read say ``input_shapes``, by name sizes or a text such as ``"1,128:int64"``, ``input_values``,
    by name, and ``batch_dimension``, a place or ``"none"``.

    Args:
        path: The file.

    Returns:
        The task.

    Raises:
        TaskError: If the file is missing, is no TOML, or has an unknown key.
        LRMPError: As ``make_task`` does.
    """
    try:
        document = parse_toml(read_foreign_text(path))
    except OSError as error:
        raise TaskError(f"Expected a readable task file at {path}: {error}.") from error
    except ForeignTextError as error:
        raise TaskError(f"Expected {path} to be valid TOML: {error}.") from error
    for key, ending in (("accelerator", ".toml"), ("accuracy", ".json")):
        value = document.get(key)
        if isinstance(value, str) and value.endswith(ending):
            document[key] = path.parent / value
    _check_keys(document, str(path), _READING)
    how = _reading({key: document.pop(key) for key in _READING if key in document})
    network = document.get("network")
    if isinstance(network, str) and (how or network.endswith(".onnx") or ":" in network):
        with_bits = document.get("baseline") == FROM_FILE
        document["network"] = _read_network(network, path.parent, how or Reading(), with_bits)
    return _from_mapping(document, str(path))


def _reading(keys: Mapping[str, Any]) -> Reading | None:
    """Find how a task file wants its network to be read; None where it does not say."""
    if not keys:
        return None
    shapes, values = (keys.get(key, {}) for key in ("input_shapes", "input_values"))
    for key, table in (("input_shapes", shapes), ("input_values", values)):
        if not isinstance(table, Mapping):
            raise TaskError(f"Expected {key} as a table by the name of the input, got {table!r}.")
    words = {
        name: ",".join(map(str, sizes)) if isinstance(sizes, list) else str(sizes)
        for name, sizes in shapes.items()
    }
    batch = keys.get("batch_dimension", 0)
    if batch != "none" and type(batch) is not int:
        raise TaskError(f'Expected batch_dimension as a whole number or "none", got {batch!r}.')
    return Reading(
        tuple(InputShape.parse(f"{name}={word}") for name, word in words.items()),
        values,
        None if batch == "none" else batch,
    )


def _read_network(word: str, folder: Path, how: Reading, with_bits: bool) -> Network | FileBits:
    """Read the network of a task file, whose folder its names are relative to."""
    where, colon, factory = word.rpartition(":")
    if word.endswith(".onnx"):
        word = str(folder / word)
    elif colon and where.endswith(".py"):
        word = f"{folder / where}:{factory}"
    try:
        return read_bits(word, how) if with_bits else read_network(word, how)
    except NetworkError as error:
        hints = ("input_shapes={", "--input-shape", "input_values={", "batch_dimension")
        if not any(hint in str(error) for hint in hints):
            raise
        raise NetworkError(
            f"{error} In a task file these are [input_shapes], [input_values] and batch_dimension."
        ) from error


def find_task(task: TaskLike | None, accuracy: AccuracyKind | None = None) -> Task:
    """Find the task that an argument means; everything that takes a task takes it so.

    Args:
        task: A task; the id of a registered one, in any form and with or without ``lrmp:``; a TOML
            file; the arguments of ``make_task`` by name; or what ``task_document`` returns, such as
            in a run's ``task.json``.
        accuracy: ``"table"`` or ``"network"``; None for the task's own kind.

    Returns:
        The task.

    Raises:
        TaskError: If there is none.
        AccuracyTableError: If there is no such kind, or no table for the network.
        AccuracyDataError: If the network has no protocol.
        LRMPError: As ``read_task``, ``make_task`` and ``task_of_document`` do.
    """
    found = task if isinstance(task, Task) else _find(task)
    return found if accuracy is None else found.with_accuracy(accuracy)


def _find(task: str | Path | Mapping[str, Any] | None) -> Task:
    if isinstance(task, Mapping):
        if is_task_document(task):
            return task_of_document(task)
        return _from_mapping(task, "the task")
    if isinstance(task, str | Path) and str(task).endswith(".json"):
        return _of_document(Path(task))
    if isinstance(task, Path) or (isinstance(task, str) and task.endswith(".toml")):
        return read_task(Path(task))
    if task is None or (isinstance(task, str) and task_id_of(task) == CUSTOM_ID):
        raise TaskError(
            f"Expected task= for {CUSTOM_ID}: what make_task returns, a TOML file, or the "
            "arguments of make_task by name; got none."
        )
    if not isinstance(task, str):
        raise TaskError(
            "Expected a task: a Task, an id such as 'LRMP-ResNet18-v0', a TOML file or the "
            f"arguments of make_task by name; got {reprlib.repr(task)}."
        )
    return load_task(task)


def _of_document(path: Path) -> Task:
    """Read a task that was written down whole, such as ``task.json`` of a run."""
    try:
        return task_of_document(parse_json(read_foreign_text(path, MAX_DOCUMENT_BYTES)))
    except (OSError, ForeignTextError) as error:
        raise TaskError(f"Expected a task in JSON at {path}: {error}.") from error


def _from_mapping(arguments: Mapping[str, Any], name: str) -> Task:
    _check_keys(arguments, name)
    if "network" not in arguments:
        raise TaskError(f"Expected {name} to give a network, got {', '.join(arguments) or 'none'}.")
    return make_task(**arguments)


def _check_keys(arguments: Mapping[str, Any], name: str, others: Sequence[str] = ()) -> None:
    known = (*signature(make_task).parameters, *others)
    if unknown := [key for key in arguments if key not in known]:
        raise TaskError(unknown_name(f"each key of {name}", unknown[0], known))


def _network(
    network: Network | FileBits | str | Path, baseline: Baseline = None
) -> Network | FileBits:
    if isinstance(network, Network | FileBits):
        return network
    if not isinstance(network, str | Path):
        raise NetworkError(
            f"Expected network as a Network, a name or an ONNX file, got {network!r}."
        )
    if str(network).endswith(".onnx"):
        wanted = isinstance(baseline, str) and baseline == FROM_FILE
        return read_file_bits(network) if wanted else Network.from_onnx(network)
    try:
        return load_network(str(network))
    except NetworkError as error:
        raise NetworkError(f"{error} Your own: a file ending in .onnx.") from error


def _accelerator(accelerator: Accelerator | str | Path) -> Accelerator:
    if isinstance(accelerator, Accelerator):
        return accelerator
    if not isinstance(accelerator, str | Path):
        raise PresetError(
            f"Expected accelerator as an Accelerator, a preset's name or a TOML file, got "
            f"{accelerator!r}."
        )
    if str(accelerator).endswith(".toml"):
        return read_preset(Path(accelerator))
    try:
        return load_preset(str(accelerator))
    except PresetError as error:
        raise PresetError(f"{error} Your own: a file ending in .toml.") from error


#: What every accuracy model can do.
_METHODS = [
    name
    for name, member in vars(AccuracyModel).items()
    if isfunction(member) and not name.startswith("_")
]


def _accuracy_factory(
    accuracy: AccuracyModel | str | Path | Mapping[str, Any],
    network: Network,
    chip: Accelerator,
    space: DesignSpace,
) -> AccuracyFactory:
    if isinstance(accuracy, Mapping):
        return GivenAccuracy(_of_points(accuracy, network, space))
    if isinstance(accuracy, str | Path):
        if str(accuracy).endswith(".json"):
            return GivenAccuracy(_of_file(Path(accuracy), network, space))
        return _of_kind(str(accuracy), network, chip, space)
    missing = [name for name in _METHODS if not callable(getattr(accuracy, name, None))]
    if missing == _METHODS:
        raise AccuracyTableError(
            "Expected accuracy as a model, 'table', 'network', a JSON file or points by layer, got "
            f"{accuracy!r}."
        )
    if missing:
        raise AccuracyTableError(
            f"Expected an accuracy model with the methods {', '.join(_METHODS)}; got "
            f"{type(accuracy).__name__} without {', '.join(missing)}. Add them, as "
            "lrmp.accuracy.model.accuracy_model.AccuracyModel says."
        )
    if isinstance(accuracy, TableAccuracy):
        if accuracy.layers != len(network):
            raise AccuracyTableError(
                f"Expected an accuracy table of {len(network)} layers for {network.name}, got one "
                f"of {accuracy.layers}."
            )
        if accuracy.space != space:
            raise AccuracyTableError(
                f"Expected an accuracy table of the task's knobs, {', '.join(space.names)}, with "
                f"their values; got one of {', '.join(accuracy.space.names)}."
            )
    return GivenAccuracy(accuracy)


def _of_kind(kind: str, network: Network, chip: Accelerator, space: DesignSpace) -> AccuracyFactory:
    """Take what comes with lrmp; where there is nothing, say what could be given instead."""
    check_kind(kind)
    if kind == "network":
        return network_accuracy
    try:
        table_accuracy(network, chip, space)
    except AccuracyTableError as error:
        raise AccuracyTableError(
            f"{error} Or give accuracy= as a sensitivity table of your own (.json), or as "
            "percentage points by layer."
        ) from error
    return table_accuracy


def _noisy(accuracy: object, seeds: Any) -> AccuracyFactory:
    """Take the network itself with noise, from which alone seeds of noise can be asked."""
    if accuracy != "network" or not isinstance(seeds, Sequence):
        raise TaskError(
            "Expected noise_seeds as a list of whole numbers beside accuracy='network', whose "
            f"noise they are of; got {seeds!r} beside {reprlib.repr(accuracy)}. Give an accuracy "
            "model of your own its seeds itself."
        )
    return NoisyAccuracy(tuple(seeds))


def _of_file(path: Path, network: Network, space: DesignSpace) -> AccuracyModel:
    try:
        table = SensitivityTable.from_text(read_foreign_text(path))
    except OSError as error:
        raise AccuracyTableError(
            f"Expected a readable sensitivity table at {path}: {error}."
        ) from error
    except AccuracyTableError as error:
        raise AccuracyTableError(f"{path}: {error}") from error
    layers = tuple(layer.name for layer in network.layers)
    if table.layers != layers:
        raise AccuracyTableError(
            f"Expected {path} to hold the {unlike_names('layers', layers, table.layers)}. It is "
            f"no table of {network.name}."
        )
    return table.accuracy(space)


def _of_points(points: Mapping[str, Any], network: Network, space: DesignSpace) -> AccuracyModel:
    """Make a table from percentage points by layer."""
    known, needed = (*space.names, *_ABOUT_POINTS), (*space.names, "provenance")
    if unknown := [key for key in points if key not in known]:
        raise AccuracyTableError(unknown_name("each key of accuracy", unknown[0], known))
    if missing := [key for key in needed if key not in points]:
        raise AccuracyTableError(
            f"Expected accuracy to give {', '.join(needed)}; {', '.join(missing)} missing."
        )
    estimate = points.get("estimate", True)
    if not isinstance(points["provenance"], str) or not isinstance(estimate, bool):
        raise AccuracyTableError(
            "Expected provenance of accuracy as text and estimate as true or false, got "
            f"{points['provenance']!r} and {estimate!r}."
        )
    return TableAccuracy(
        {knob.name: _rows(knob, points[knob.name], network) for knob in space},
        points["provenance"],
        is_estimate=estimate,
        space=space,
    )


def _rows(knob: Knob, rows: Any, network: Network) -> NDArray[np.float64]:
    """Put the rows of all layers in network order, shape (L, V)."""
    names = [layer.name for layer in network.layers]
    if not isinstance(rows, Mapping):
        raise AccuracyTableError(f"Expected {knob.name} of accuracy by layer, got {rows!r}.")
    if unknown := [name for name in rows if name not in (*names, EVERY_LAYER)]:
        raise AccuracyTableError(unknown_name(f"each layer in {knob.name}", unknown[0], names))
    if missing := [name for name in names if name not in rows and EVERY_LAYER not in rows]:
        raise AccuracyTableError(
            f"Expected {knob.name} of accuracy for every layer, got none for {missing[0]!r}; "
            f"{EVERY_LAYER!r} stands for all that are not named."
        )
    return np.array([_row(knob, name, rows.get(name, rows.get(EVERY_LAYER))) for name in names])


def _row(knob: Knob, layer: str, row: Any) -> Sequence[float]:
    numbers = isinstance(row, Sequence) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in row
    )
    if not numbers or len(row) != len(knob):
        raise AccuracyTableError(
            f"Expected {knob.name} of layer {layer!r} as {len(knob)} numbers, for "
            f"{', '.join(map(str, knob.values))}; got {row!r}."
        )
    return [float(value) for value in row]
