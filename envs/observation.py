"""What an agent sees: features of the layer to decide, and how the episode stands."""

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.task import Task
from lrmp.hardware.design import MAX_BITS, MIN_BITS

Observation = NDArray[np.float32]

#: Features of the layer to decide, in order; constant from episode to episode.
STATIC_FEATURES = (
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
#: How the episode stands, in order.
RUNNING_FEATURES = (
    "previous_weight_bits",
    "previous_activation_bits",
    "tiles",
    "accuracy_spent",
    "cycles",
    "bottleneck",
)
FEATURES = STATIC_FEATURES + RUNNING_FEATURES


def static_features(task: Task) -> NDArray[np.float32]:
    """Describe every layer.

    Sizes enter as logarithms; then each column is scaled to 0..1 over the layers of the network.

    Args:
        task: Network and accelerator.

    Returns:
        Shape (L, 10), columns as in ``STATIC_FEATURES``.
    """
    network, baseline = task.network, task.cost_model.baseline
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
        np.log2(baseline.layer_tiles),
    ]
    table = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
    low = table.min(axis=0)
    spread = table.max(axis=0) - low
    scaled: NDArray[np.float64] = (table - low) / np.where(spread > 0, spread, 1)
    return scaled.astype(np.float32)


def running_features(
    task: Task,
    weight_bits: int,
    activation_bits: int,
    tiles: int,
    accuracy_drop: float,
    cycles: int,
    bottleneck_cycles: int,
) -> tuple[float, ...]:
    """Describe how an episode stands; layers not decided yet count with 8 bits and one copy.

    Args:
        task: Budget and baseline.
        weight_bits: Of the layer decided last; 8 at the start.
        activation_bits: Of the layer decided last; 8 at the start.
        tiles: One copy of every layer.
        accuracy_drop: Percentage points.
        cycles: Sum over layers, one copy each.
        bottleneck_cycles: Largest of any layer, one copy each.

    Returns:
        Numbers in 0..1, as in ``RUNNING_FEATURES``.
    """
    baseline = task.cost_model.baseline
    spent = max(0.0, accuracy_drop)
    return (
        (weight_bits - MIN_BITS) / (MAX_BITS - MIN_BITS),
        (activation_bits - MIN_BITS) / (MAX_BITS - MIN_BITS),
        min(1.0, tiles / task.budget),
        spent / (spent + task.allowed_drop) if spent else 0.0,
        cycles / baseline.latency_cycles,
        bottleneck_cycles / baseline.bottleneck_cycles,
    )
