"""Features of layers that mean the same in every network, so that a policy can be carried over."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.scoring.features import Feature, feature_name, own_feature
from lrmp.envs.scoring.observation_table import (
    INDEX,
    LINEAR,
    SIZES,
    ObservationTable,
    harm_words,
    table_of,
)
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.task import Task
from lrmp.errors import TaskError
from lrmp.hardware.cost.setting_table import SettingTable
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.knob import Knob

LARGEST = 20.0  # log2; of rows, columns and positions
LEAST_SHARE = 6.0  # minus log10; of the network's cycles or tiles
HARM = (-5.0, 3.0)  # log10 of what a value adds to the accuracy spent, over the allowance


def transfer_feature_names(space: Iterable[Knob]) -> tuple[str, ...]:
    """Name the features of a layer.

    Args:
        space: The knobs whose harms are among them; none where values have features of their own.

    Returns:
        In the order of ``transfer_features``.
    """
    return (
        *("depth", "linear", "rows", "columns", "positions"),
        *("cycles_share", "tiles_share", "least_tiles", "least_cycles"),
        *(_name(knob, place) for knob, place in _shown(space)),
        "spare_tiles",
    )


def describe_transfer_features(space: Iterable[Knob], names: Sequence[str]) -> ObservationTable:
    """Say what features of a layer mean.

    Args:
        space: The knobs.
        names: Of the features, in order.

    Returns:
        A row per feature.
    """
    harm = f"(log10 h + {-HARM[0]:g}) / {HARM[1] - HARM[0]:g}"
    share = f"1 + log10 / {LEAST_SHARE:g}"
    words = {
        "depth": (INDEX, "/ that of the last"),
        "linear": (LINEAR, "as it is"),
        **{name: (meaning, f"log2, / {LARGEST:g}") for name, meaning in SIZES.items()},
        "cycles_share": ("share of the plain design's cycles", share),
        "tiles_share": ("share of the plain design's tiles", share),
        "least_tiles": ("fewest tiles of any setting", "/ the plain setting's"),
        "least_cycles": ("fewest cycles of any setting", "/ the plain setting's"),
        "spare_tiles": ("tiles beyond the plain design's, for all layers", "/ budget"),
    }
    for knob, place in _shown(space):
        words[_name(knob, place)] = (harm_words(knob, place), harm)
    return table_of(names, words, ("a feature of your own", "as it is"))


def transfer_features(
    task: TaskLike, features: Sequence[Feature] | None = None
) -> NDArray[np.float32]:
    """Describe every layer on scales that no network sets.

    Args:
        task: With a table for its accuracy.
        features: Out of ``transfer_feature_names``, and functions of the user's own with values in
            0..1; None for all of the former.

    Returns:
        Shape (L, n), a column per feature, each in 0..1. ``LRMP-Procedural-v0`` documents them.

    Raises:
        TaskError: If a function of the user's own fails.
    """
    task = find_task(task)
    network, space, count = task.network, task.space, len(task.network)
    assert isinstance(task.accuracy, TableAccuracy)
    plain = task.cost_model.baseline
    least_tiles, least_cycles = (_least(table, task) for table in task.cost_model.one_copy)
    tiles, cycles = np.maximum(plain.layer_tiles, 1), plain.layer_cycles
    allowance = task.allowance.limit
    allowance = allowance if 0 < allowance < np.inf else 1.0
    columns = [
        np.linspace(0, 1, count),
        [layer.kind == "linear" for layer in network.layers],
        *(np.log2(sizes) / LARGEST for sizes in (network.rows, network.columns, network.positions)),
        1 + np.log10(cycles / cycles.sum()) / LEAST_SHARE,
        1 + np.log10(tiles / tiles.sum()) / LEAST_SHARE,
        np.maximum(least_tiles, 1) / tiles,
        least_cycles / cycles,
        *(_harm(task.accuracy, knob, place, allowance) for knob, place in _shown(space)),
        np.full(count, 1 - tiles.sum() / max(task.budget, tiles.sum())),
    ]
    names = transfer_feature_names(space)
    documented = dict(zip(names, columns, strict=True))
    shown = [_own(f, task) if callable(f) else documented[f] for f in features or names]
    table = np.stack([np.asarray(column, dtype=np.float64) for column in shown], axis=1)
    return np.clip(table, 0, 1).astype(np.float32)


def _own(function: Callable[[Task], ArrayLike], task: Task) -> NDArray[np.float64]:
    values = own_feature(function, task)
    if values.min() < 0 or values.max() > 1:
        raise TaskError(
            f"Expected {feature_name(function)} to return values of 0 to 1, which mean the same in "
            f"every network, got {values.min():g} to {values.max():g} for {task.id}. Scale them."
        )
    return values


def _least(table: SettingTable[np.int64], task: Task) -> IntArray:
    """Find the least of a quantity that every layer may have, shape (L,)."""
    space, layers = task.space, len(task.network)
    values = table.values.reshape(layers, *(space.sizes[axis] for axis in table.axes))
    masks = space.masks(layers)
    for place, axis in enumerate(table.axes, start=1):
        shape = [layers] + [1] * len(table.axes)
        shape[place] = -1
        values = np.where(masks[axis].reshape(shape), values, values.max())
    least: IntArray = values.reshape(layers, -1).min(axis=1)
    return least


def _shown(space: Iterable[Knob]) -> list[tuple[Knob, int]]:
    """List places of values whose harm is shown: of every knob its probe and its farthest."""
    return [
        (knob, place)
        for knob in space
        for place in dict.fromkeys((knob.probe_index, knob.farthest_index))
        if place != knob.plain_index
    ]


def _name(knob: Knob, place: int) -> str:
    """Name what a value does to the accuracy spent: those above the plain one take some off."""
    effect = "harm" if place < knob.plain_index else "relief"
    return f"{knob.name}_{effect}_{knob.values[place]}"


def _harm(accuracy: TableAccuracy, knob: Knob, place: int, allowance: float) -> NDArray[np.float64]:
    space = accuracy.space
    plain = space.plain_settings(accuracy.layers)
    turned = plain.copy()
    turned[:, space.place(knob.name)] = place
    lower, upper = space.nearest(turned), plain
    if place > knob.plain_index:
        lower, upper = upper, lower
    added = sum(
        term - other
        for term, other in zip(
            accuracy.term_values(lower), accuracy.term_values(upper), strict=True
        )
    )
    low, high = HARM
    harm: NDArray[np.float64] = (np.log10(np.maximum(added, 1e-12) / allowance) - low) / (
        high - low
    )
    return harm
