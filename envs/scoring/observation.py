"""What an agent sees: features of the layer to decide, and how the episode stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.scoring.features import Feature, check_features, feature_name, own_feature
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.task import Task
from lrmp.errors import TaskError, unknown_name
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


def layer_feature_names(space: DesignSpace, *, shared: bool = False) -> tuple[str, ...]:
    """Name the documented features of layers.

    Args:
        space: The knobs.
        shared: Whether several networks share the chip.

    Returns:
        ``LAYER_FEATURES``, of several networks ``network``, then ``weight_bits_sensitivity`` and so
        on, one per knob.
    """
    owner = ("network",) if shared else ()
    return (*LAYER_FEATURES, *owner, *(f"{name}_sensitivity" for name in space.names))


def total_names(task: Task) -> tuple[str, ...]:
    """Name the features that say how a design stands.

    Args:
        task: What is solved.

    Returns:
        ``TOTALS``; where N networks share the chip, ``accuracy_spent_0`` to
        ``accuracy_spent_{N - 1}`` in the place of ``accuracy_spent``.
    """
    networks = len(task.workload)
    if networks == 1:
        return TOTALS
    tiles, spent, *others = TOTALS
    return (tiles, *(f"{spent}_{network}" for network in range(networks)), *others)


def running_features(space: DesignSpace, totals: tuple[str, ...] = TOTALS) -> tuple[str, ...]:
    """Name the features that say how an episode stands.

    Args:
        space: The knobs.
        totals: As ``total_names`` returns them.

    Returns:
        ``previous_weight_bits`` and so on, one per knob, and the totals.
    """
    return (*(f"previous_{name}" for name in space.names), *totals)


@dataclass(frozen=True, eq=False)
class ShownFeatures:
    """What an observation holds: features of layers, and running ones.

    Attributes:
        names: Of its elements, in order.
        layers: Features of every layer, shape (L, n).
        order: Which of the n features and the running ones behind them are shown, in order; None
            for all as they are.
    """

    names: tuple[str, ...]
    layers: NDArray[np.float32]
    order: IntArray | None

    def pick(self, observations: Observation) -> Observation:
        """Take what is shown out of whole observations.

        Args:
            observations: The n features and the running ones along the last axis.

        Returns:
            What is shown along the last axis.
        """
        return observations if self.order is None else observations[..., self.order]


def check_observation(observation: object, known: Sequence[str]) -> None:
    """Refuse a kind of observation that a form does not have.

    Args:
        observation: As given to the environment.
        known: Those of the form.

    Raises:
        TaskError: If it is none of them.
    """
    if observation not in known:
        raise TaskError(unknown_name("observation", observation, known))


def shown_features(
    task: TaskLike, features: Sequence[Feature] | None, running: tuple[str, ...]
) -> ShownFeatures:
    """Say what observations hold.

    Args:
        task: What is solved.
        features: Names of documented features and the user's own functions, in order; None for all
            documented ones.
        running: Names of the running features.

    Returns:
        The features; those in which all layers are alike are left out, listed or not.

    Raises:
        TaskError: If there is no such feature, one is listed twice, none is left, or a function of
            the user's own fails.
    """
    if features is None:
        names, layers = layer_features(task)
        return ShownFeatures(names + running, layers, None)
    known = _layer_feature_names(find_task(task))
    features = check_features(features, known + running)
    of_layers = [f for f in features if callable(f) or f in known]
    names, layers = layer_features(task, of_layers)
    places = {name: place for place, name in enumerate(names + running)}
    shown = tuple(name for name in map(feature_name, features) if name in places)
    if not shown:
        raise TaskError(
            f"Expected a feature in which the layers of {find_task(task).id} differ, got "
            f"{[feature_name(feature) for feature in features]}. List others, too."
        )
    return ShownFeatures(shown, layers, np.array([places[name] for name in shown]))


def layer_features(
    task: TaskLike, features: Sequence[Feature] | None = None
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Describe every layer.

    Sizes and sensitivities enter as logarithms; then each column is scaled to 0..1 over the layers
    of the network, the sensitivities on one scale. So are those of the user's own functions, in
    whatever unit they are. Columns in which all layers are alike are left out.

    Args:
        task: Network, accelerator, knobs and accuracy model.
        features: Out of ``layer_feature_names``, and functions of the user's own; None for all of
            the former.

    Returns:
        Names of the n columns, in the order of the features; the columns, shape (L, n).

    Raises:
        TaskError: If a function of the user's own fails.
    """
    task = find_task(task)
    network, baseline = task.network, task.cost_model.baseline
    sizes = network.sizes
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
        *([np.repeat(np.arange(len(sizes)), sizes)] if len(sizes) > 1 else []),
        *sensitivity.T,
    ]
    table = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
    low, high = table.min(axis=0), table.max(axis=0)
    differ = high > low
    minds = slice(-len(task.space), None)
    low[minds], high[minds] = low[minds].min(), high[minds].max()
    scaled = (table - low)[:, differ] / (high - low)[differ]
    every = _layer_feature_names(task)
    names = [name for name, shown in zip(every, differ, strict=True) if shown]
    found = dict(zip(names, scaled.T, strict=True))
    listed = every if features is None else features
    for feature in listed:
        if callable(feature):
            values = own_feature(feature, task)
            if np.ptp(values) > 0:
                found[feature_name(feature)] = (values - values.min()) / np.ptp(values)
    shown = tuple(name for name in map(feature_name, listed) if name in found)
    kept = np.empty((len(network), len(shown)), np.float32)
    for place, name in enumerate(shown):
        kept[:, place] = found[name]
    return shown, kept


def _layer_feature_names(task: Task) -> tuple[str, ...]:
    return layer_feature_names(task.space, shared=len(task.workload) > 1)


def knob_features(space: DesignSpace, settings: IntArray) -> NDArray[np.float64]:
    """Scale settings to 0..1.

    Args:
        space: The knobs.
        settings: Places of values, shape (..., K).

    Returns:
        ``place / (V - 1)`` for V values, same shape; 0 for a knob of one value.
    """
    scaled: NDArray[np.float64] = settings / space.last_places
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
