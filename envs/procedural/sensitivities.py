"""Draws what is sensitive to the knobs of a network: a table like the measured ones."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.accuracy.model.drop_map import DropMap
from lrmp.accuracy.model.table import Axes, TableAccuracy
from lrmp.envs.procedural.fit import LEVEL_BITS
from lrmp.envs.procedural.fit_columns import KNOB as COLUMNS
from lrmp.envs.procedural.fit_columns import LEVEL_HALVINGS
from lrmp.hardware.chip.half_precision import SIGNIFICAND_BITS
from lrmp.hardware.space.alignment_bits import ALIGNMENT_BITS
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.mean_weight_bits import MEAN_WEIGHT_BITS, PARTS
from lrmp.hardware.space.precision import PRECISION

Rng = np.random.Generator
KNOTS = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # points at which the drop map is cut


def draw_accuracy(rng: Rng, layers: int, space: DesignSpace = PRECISION) -> TableAccuracy:
    """Draw sensitivities and a map to the drop.

    Mean bits of blocks harm as much as bits do, and a significand of b bits as values of b bits.

    Args:
        rng: Source of randomness.
        layers: L.
        space: The knobs: bits of weights or of blocks, bits or alignment of inputs, weights other
            than 0 per column.

    Returns:
        A table that never grows from a value to the next.
    """
    laws = [_law(knob) for knob in space]
    numbers = distributions()
    if any(law == "column" for law, _ in laws):
        numbers = numbers | column_distributions()
    draws = {key: float(rng.normal(*pair)) for key, pair in numbers.items()}
    depth = np.linspace(-0.5, 0.5, layers)
    common, *own = rng.standard_normal((1 + len(space), layers))
    share = np.clip(draws["correlation"], 0.0, 1.0)
    tables: dict[Axes, ArrayLike] = {}
    for knob, (law, steps), rest in zip(space, laws, own, strict=True):
        spread, slope_spread, noise = (
            abs(draws[f"{law}_{key}"]) for key in ("spread", "slope_spread", "noise")
        )
        level = draws[f"{law}_level"] + draws[f"{law}_trend"] * depth
        level += spread * (np.sqrt(share) * common + np.sqrt(1 - share) * rest)
        slopes = draws[f"{law}_slope"] + slope_spread * rng.standard_normal(layers)
        logs = level[:, None] + slopes[:, None] * steps
        logs += noise * rng.standard_normal(logs.shape)
        table = 10 ** np.minimum.accumulate(logs, axis=1)
        if law == "column":
            table[:, knob.plain_index] = 0.0  # nothing is pruned
        tables[knob.name] = table
    # (sum / allowance) ** exponent points.
    ceiling = float(np.clip(draws["ceiling"], 50, 100))
    points = np.array([0.0, *(knot for knot in KNOTS if knot < ceiling)])
    sums = 10 ** draws["allowance"] * points ** (1 / max(draws["exponent"], 1.0))
    drop_map = DropMap(sums.tolist(), points.tolist(), ceiling)
    return _table(tables, drop_map, space)


def in_space(accuracy: TableAccuracy, space: DesignSpace) -> TableAccuracy:
    """Take drawn sensitivities over to a space of the same knobs.

    Args:
        accuracy: From ``draw_accuracy``.
        space: The same knobs, perhaps with other values allowed.

    Returns:
        The same table for it.
    """
    assert isinstance(accuracy.drop_map, DropMap)
    return _table(accuracy.terms, accuracy.drop_map, space)


@cache
def distributions() -> dict[str, tuple[float, float]]:
    """Read mean and standard deviation of every number that is drawn for an accuracy model.

    Returns:
        As ``fit_distributions`` gives them.
    """
    return _read("distributions.toml")


@cache
def column_distributions() -> dict[str, tuple[float, float]]:
    """Read mean and standard deviation of what is drawn for zeros in columns.

    Returns:
        As ``fit_columns`` wrote them.
    """
    return _read("column_distributions.toml")


def _read(name: str) -> dict[str, tuple[float, float]]:
    text = resources.files("lrmp.envs.procedural").joinpath(name).read_text("utf-8")
    found: dict[str, tuple[float, float]] = tomllib.loads(text)["distributions"]
    return found


def _table(terms: Any, drop_map: DropMap, space: DesignSpace) -> TableAccuracy:
    return TableAccuracy(
        terms,
        "drawn like the tables of measured networks",
        is_estimate=True,
        drop_map=drop_map,
        space=space,
    )


def _law(knob: Knob) -> tuple[str, NDArray[np.float64]]:
    """Name the distributions that a knob follows, and how far its values are from their level."""
    values = knob.array.astype(np.float64)
    if knob.name == COLUMNS:
        return "column", np.log2(float(knob.plain) / values) - LEVEL_HALVINGS
    if knob.name == MEAN_WEIGHT_BITS.name:
        values = values / PARTS
    elif knob.name == ALIGNMENT_BITS.name:
        values = values + SIGNIFICAND_BITS
    law = "weight" if "weight" in knob.name else "activation"
    return law, values - LEVEL_BITS
