"""What an agent sees: features of the layer to decide, and how the episode stands."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.hardware.space.design import MAX_BITS, MIN_BITS

Observation = NDArray[np.float32]
Number = TypeVar("Number", float, NDArray[np.float64])

#: Features of the layer to decide, in order; constant from episode to episode.
LAYER_FEATURES = (
    "depth",
    "linear",
    "rows",
    "columns",
    "positions",
    "kernel_size",
    "stride",
    "weights",
    "baseline_cycles",
    "baseline_tiles",
    "weight_sensitivity",
    "activation_sensitivity",
)
#: How the design stands with one copy of every layer, in order.
TOTALS = ("tiles", "accuracy_spent", "cycles", "bottleneck")
#: How the episode stands, in order.
RUNNING_FEATURES = ("previous_weight_bits", "previous_activation_bits", *TOTALS)
FEATURES = LAYER_FEATURES + RUNNING_FEATURES
LEAST_SENSITIVITY = 1e-4  # of the largest; below it all are alike


def layer_features(task: TaskLike) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Describe every layer.

    Sizes and sensitivities enter as logarithms; then each column is scaled to 0..1 over the layers
    of the network, the two sensitivities on one scale. Columns in which all layers are alike are
    left out.

    Args:
        task: Network, accelerator and accuracy model.

    Returns:
        Names of the n columns, out of ``LAYER_FEATURES`` in this order; the columns, shape (L, n).
    """
    task = find_task(task)
    network, baseline = task.network, task.cost_model.baseline
    sensitivity = task.accuracy.sensitivities()
    if sensitivity is None:
        sensitivity = np.zeros((len(network), 2))
    sensitivity = np.log10(np.maximum(sensitivity, LEAST_SENSITIVITY * sensitivity.max() or 1.0))
    columns = [
        np.arange(len(network)),
        [layer.kind == "linear" for layer in network.layers],
        np.log2(network.rows),
        np.log2(network.columns),
        np.log2(network.positions),
        [layer.kernel_size for layer in network.layers],
        [layer.stride for layer in network.layers],
        np.log2([layer.weights for layer in network.layers]),
        np.log2(baseline.layer_cycles),
        np.log2(np.maximum(baseline.layer_tiles, 1)),
        *sensitivity.T,
    ]
    table = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
    low, high = table.min(axis=0), table.max(axis=0)
    differ = high > low
    low[-2:], high[-2:] = low[-2:].min(), high[-2:].max()
    scaled = (table - low)[:, differ] / (high - low)[differ]
    names = tuple(name for name, shown in zip(LAYER_FEATURES, differ, strict=True) if shown)
    return names, scaled.astype(np.float32)


def bit_feature(bits: Number) -> Number:
    """Scale bits to 0..1.

    Args:
        bits: 2..8, a number or an array of any shape.

    Returns:
        ``(bits - 2) / 6``, same shape.
    """
    return (bits - MIN_BITS) / (MAX_BITS - MIN_BITS)


def share_of_allowance(spent: Number, allowance: float) -> Number:
    """Scale something without an upper end to 0..1.

    Args:
        spent: A number or an array of any shape; below 0 it counts as 0.
        allowance: Where the share is one half; above 0.

    Returns:
        ``spent / (spent + allowance)``, same shape.
    """
    positive = spent * (spent > 0)
    return positive / (positive + allowance)
