"""Features of layers that mean the same in every network, so that a policy can be carried over."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.scoring.features import Feature, feature_name, own_feature
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.task import Task
from lrmp.errors import TaskError
from lrmp.hardware.space.design_space import DesignSpace

LARGEST = 20.0  # log2; of rows, columns and positions
LEAST_SHARE = 6.0  # minus log10; of the network's cycles or tiles
HARM = (-5.0, 3.0)  # log10 of what a value adds to the accuracy spent, over the allowance


def transfer_feature_names(space: DesignSpace) -> tuple[str, ...]:
    """Name the features of a layer.

    Args:
        space: The knobs.

    Returns:
        In the order of ``transfer_features``.
    """
    return (
        *("depth", "linear", "rows", "columns", "positions"),
        *("cycles_share", "tiles_share", "least_tiles", "least_cycles"),
        *(f"{space[name].name}_harm_{space[name].values[p]}" for name, p in _harmful(space)),
        "spare_tiles",
    )


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
    tiles_table, cycles_table = task.cost_model.one_copy
    plain = task.cost_model.baseline
    least_tiles, least_cycles = (table.values.min(axis=1) for table in (tiles_table, cycles_table))
    tiles, cycles = np.maximum(plain.layer_tiles, 1), plain.layer_cycles
    allowance = task.accuracy.drop_map.threshold(task.allowed_drop)
    allowance = allowance if 0 < allowance < np.inf else 1.0
    columns = [
        np.linspace(0, 1, count),
        [layer.kind == "linear" for layer in network.layers],
        *(np.log2(sizes) / LARGEST for sizes in (network.rows, network.columns, network.positions)),
        1 + np.log10(cycles / cycles.sum()) / LEAST_SHARE,
        1 + np.log10(tiles / tiles.sum()) / LEAST_SHARE,
        np.maximum(least_tiles, 1) / tiles,
        least_cycles / cycles,
        *(_harm(task.accuracy, name, place, allowance) for name, place in _harmful(space)),
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


def _harmful(space: DesignSpace) -> list[tuple[str, int]]:
    """Name values whose harm is shown: of every knob one a third of the way up, and the first."""
    return [(knob.name, place) for knob in space for place in ((len(knob) - 1) // 3, 0)]


def _harm(accuracy: TableAccuracy, name: str, place: int, allowance: float) -> NDArray[np.float64]:
    plain = accuracy.space.plain_settings(accuracy.layers)
    turned = plain.copy()
    turned[:, accuracy.space.place(name)] = place
    added = sum(
        term - of_plain
        for term, of_plain in zip(
            accuracy.term_values(turned), accuracy.term_values(plain), strict=True
        )
    )
    low, high = HARM
    harm: NDArray[np.float64] = (np.log10(np.maximum(added, 1e-12) / allowance) - low) / (
        high - low
    )
    return harm
