"""Draws design spaces: some knobs are present and some not, with some of their values."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lrmp.envs.procedural.fit_columns import KNOB as COLUMNS
from lrmp.envs.procedural.sensitivities import Rng
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.half_precision import STORED_BITS
from lrmp.hardware.space.alignment_bits import ALIGNMENT_BITS
from lrmp.hardware.space.column_nonzeros import column_nonzeros
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob, Value
from lrmp.hardware.space.mean_weight_bits import MEAN_WEIGHT_BITS
from lrmp.hardware.space.precision import activation_bits, weight_bits

#: A quarter of all spaces are for tests alone, told by a hash.
SPACE_TEST_SHARE = 1 / 4
LEAST_SETTINGS = 6
KEPT = 0.75  # of the values that are not plain
PINNED = 0.25  # of the spaces keep the first and the last layer plain
ACTIVE_COLUMNS = 8  # of an operation unit
_MOST_CELL_BITS = 2  # there: ADCs of more than 10 bits have no figures
_COLUMN_ROWS = (32, 64, 128)  # driven together where zeros in columns are a knob


def draw_space(rng: Rng) -> DesignSpace:
    """Draw knobs and their values.

    - of weights: bits (a half), mean bits of blocks (a fifth), or nothing;
    - of inputs: bits (a half), alignment of half-precision inputs (a fifth), or nothing;
    - weights other than 0 per column: two spaces of five; not beside blocks, which are stored with
      an offset;
    - of every knob the plain value, and three quarters of the others, at least one.

    What has fewer than 6 settings is drawn again.

    Args:
        rng: Source of randomness.

    Returns:
        1 to 3 knobs, whose values all layers have.
    """
    while True:
        pools: tuple[tuple[Knob | None, ...], ...] = (
            (weight_bits(), MEAN_WEIGHT_BITS, None),
            (activation_bits(), ALIGNMENT_BITS, None),
        )
        chosen = [pool[int(rng.choice(3, p=[0.5, 0.2, 0.3]))] for pool in pools]
        if rng.random() < 0.4 and chosen[0] is not MEAN_WEIGHT_BITS:
            chosen.append(column_nonzeros(int(rng.choice(_COLUMN_ROWS))))
        knobs = [_some_values(knob, rng) for knob in chosen if knob is not None]
        if knobs and np.prod([len(knob) for knob in knobs]) >= LEAST_SETTINGS:
            return DesignSpace(knobs)


def is_test_space(space: DesignSpace) -> bool:
    """Say on which side of the family a space falls.

    Args:
        space: Its knobs and their values count, not which layers have them.

    Returns:
        True for a quarter of all.
    """
    text = json.dumps([knob.to_json() for knob in space], sort_keys=True)
    return hashlib.sha256(text.encode()).digest()[0] < 256 * SPACE_TEST_SHARE


def pinned(space: DesignSpace, layers: int) -> DesignSpace:
    """Keep the first and the last layer plain, as most published systems do.

    Args:
        space: K knobs.
        layers: L.

    Returns:
        The space with what its layers may have.
    """
    allowed: dict[str, Sequence[tuple[Value, ...]]] = {}
    for knob in space:
        plain = (knob.plain,)
        allowed[knob.name] = [plain, *[knob.values] * (layers - 2), plain]
    return DesignSpace(space.knobs, allowed)


def with_features(chip: Accelerator, space: DesignSpace, rng: Rng) -> Accelerator:
    """Give a chip what knobs need.

    Args:
        chip: Any without them.
        space: Drawn by ``draw_space``.
        rng: Source of randomness.

    Returns:
        A chip that reads operation units, aligns half-precision inputs, or has ADCs that follow the
        layers, as far as there are knobs for it.
    """
    if MEAN_WEIGHT_BITS.name in space.names:
        columns = chip.crossbar_columns // ACTIVE_COLUMNS
        chip = replace(chip, cell_bits=1, active_columns=ACTIVE_COLUMNS, columns_per_adc=columns)
    if ALIGNMENT_BITS.name in space.names:
        chip = replace(chip, float_input_bits=STORED_BITS)
    if COLUMNS in space.names:
        rows = int(space[COLUMNS].plain)
        chip = replace(
            chip,
            crossbar_rows=max(rows, chip.crossbar_rows),
            active_rows=rows,
            cell_bits=min(chip.cell_bits, _MOST_CELL_BITS),
            weight_encoding="differential-columns",
            adc="per-layer" if rng.random() < 0.5 else "early-stop",
        )
    return chip


def _some_values(knob: Knob, rng: Rng) -> Knob:
    others = [value for value in knob.values if value != knob.plain]
    kept = {value for value in others if rng.random() < KEPT}
    kept = kept or {others[int(rng.integers(len(others)))]}
    return replace(knob, values=tuple(v for v in knob.values if v in kept or v == knob.plain))
