"""Features of layers that mean the same in every network, so that a policy can be carried over."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.scoring.features import Feature, feature_name, own_feature
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.task import Task
from lrmp.errors import TaskError
from lrmp.hardware.space.design import BIT_WIDTHS, MIN_BITS

#: Of every layer, in order.
TRANSFER_FEATURES = (
    "depth",
    "linear",
    "rows",
    "columns",
    "positions",
    "cycles_share",
    "tiles_share",
    "tiles_at_2_bits",
    "cycles_at_2_bits",
    "weight_harm_4",
    "weight_harm_2",
    "activation_harm_4",
    "activation_harm_2",
    "spare_tiles",
)
LARGEST = 20.0  # log2; of rows, columns and positions
LEAST_SHARE = 6.0  # minus log10; of the network's cycles or tiles
HARM = (-5.0, 3.0)  # log10 of what bits add to the accuracy spent, over the allowance


def transfer_features(
    task: TaskLike, features: Sequence[Feature] = TRANSFER_FEATURES
) -> NDArray[np.float32]:
    """Describe every layer on scales that no network sets.

    Args:
        task: With a table for its accuracy.
        features: Out of ``TRANSFER_FEATURES``, and functions of the user's own with values in 0..1.

    Returns:
        Shape (L, n), a column per feature, each in 0..1. ``LRMP-Procedural-v0`` documents those of
        ``TRANSFER_FEATURES``.

    Raises:
        TaskError: If a function of the user's own fails.
    """
    task = find_task(task)
    network, model = task.network, task.cost_model
    assert isinstance(task.accuracy, TableAccuracy)
    every_width = np.repeat(np.array(BIT_WIDTHS)[:, None], len(network), axis=1)
    tiles = np.maximum(model.tiles_per_copy(every_width), 1)
    cycles = model.layer_cycles(every_width, every_width, 1)
    allowance = task.accuracy.drop_map.threshold(task.allowed_drop)
    allowance = allowance if 0 < allowance < np.inf else 1.0
    tables = task.accuracy.weight_table, task.accuracy.activation_table
    columns = [
        np.linspace(0, 1, len(network)),
        [layer.kind == "linear" for layer in network.layers],
        *(np.log2(sizes) / LARGEST for sizes in (network.rows, network.columns, network.positions)),
        1 + np.log10(cycles[-1] / cycles[-1].sum()) / LEAST_SHARE,
        1 + np.log10(tiles[-1] / tiles[-1].sum()) / LEAST_SHARE,
        tiles[0] / tiles[-1],
        cycles[0] / cycles[-1],
        *(_harm(table, bits, allowance) for table in tables for bits in (4, 2)),
        np.full(len(network), 1 - tiles[-1].sum() / max(task.budget, tiles[-1].sum())),
    ]
    documented = dict(zip(TRANSFER_FEATURES, columns, strict=True))
    shown = [_own(f, task) if callable(f) else documented[f] for f in features]
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


def _harm(table: NDArray[np.float64], bits: int, allowance: float) -> NDArray[np.float64]:
    added = np.maximum(table[:, bits - MIN_BITS] - table[:, -1], 1e-12) / allowance
    low, high = HARM
    harm: NDArray[np.float64] = (np.log10(added) - low) / (high - low)
    return harm
