"""What an agent sees: features of the layer to decide, and how the episode stands."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design_space import DesignSpace

Observation = NDArray[np.float32]
Number = TypeVar("Number", float, NDArray[np.float64])

#: Features of the layer to decide, in order, before the sensitivity to every knob; constant from
#: episode to episode.
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
)
#: How the design stands with one copy of every layer, in order.
TOTALS = ("tiles", "accuracy_spent", "cycles", "bottleneck")
LEAST_SENSITIVITY = 1e-4  # of the largest; below it all are alike


def sensitivity_names(space: DesignSpace) -> tuple[str, ...]:
    """Name the features that say how much a layer minds.

    Args:
        space: The knobs.

    Returns:
        ``weight_bits_sensitivity`` and so on, one per knob.
    """
    return tuple(f"{name}_sensitivity" for name in space.names)


def running_features(space: DesignSpace) -> tuple[str, ...]:
    """Name the features that say how an episode stands.

    Args:
        space: The knobs.

    Returns:
        ``previous_weight_bits`` and so on, one per knob, and the four totals.
    """
    return (*(f"previous_{name}" for name in space.names), *TOTALS)


def layer_features(task: TaskLike) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Describe every layer.

    Sizes and sensitivities enter as logarithms; then each column is scaled to 0..1 over the layers
    of the network, the sensitivities on one scale. Columns in which all layers are alike are left
    out.

    Args:
        task: Network, accelerator, knobs and accuracy model.

    Returns:
        Names of the n columns, out of ``LAYER_FEATURES`` and the sensitivities in this order; the
        columns, shape (L, n).
    """
    task = find_task(task)
    network, baseline = task.network, task.cost_model.baseline
    sensitivity = task.accuracy.sensitivities()
    if sensitivity is None:
        sensitivity = np.zeros((len(network), len(task.space)))
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
    minds = slice(-len(task.space), None)
    low[minds], high[minds] = low[minds].min(), high[minds].max()
    scaled = (table - low)[:, differ] / (high - low)[differ]
    every = LAYER_FEATURES + sensitivity_names(task.space)
    names = tuple(name for name, shown in zip(every, differ, strict=True) if shown)
    return names, scaled.astype(np.float32)


def knob_features(space: DesignSpace, settings: IntArray) -> NDArray[np.float64]:
    """Scale settings to 0..1.

    Args:
        space: The knobs.
        settings: Places of values, shape (..., K).

    Returns:
        ``place / (V - 1)`` for V values, same shape; 0 for a knob of one value.
    """
    scaled: NDArray[np.float64] = settings / np.maximum(np.array(space.sizes) - 1, 1)
    return scaled


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
