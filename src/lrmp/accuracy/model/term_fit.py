"""Fits the terms of a table to measured designs: what layers' errors come to together.

A table is measured one knob of one layer at a time, and sums miss how errors combine, most of all
in the designs that a search picks. Here the terms are estimated again, from designs that were run:

    divergence of a design = (sum over its layers and knobs of a term) ^ exponent

With exponent 1 divergences add, with 2 the errors themselves would; a network that is sure of its
classes, whose divergence stays small until errors reach its margins, has a larger one. A power is
monotone, so what solvers bound is still a sum.

Every term is a sum of steps, one from each value of a knob to the next coarser one, so that terms
are positive and monotone. A step is the measured one times a factor for all, for the layer, for the
layer's knob, and of its own; their logarithms are held near 0, the more closely the more particular
they are. So few designs correct a few factors, and many correct steps. A knob whose measured terms
are all 0 does nothing to the network, and its terms stay 0.

The terms of knobs that act together are such sums along the first of them, for every value of the
others; those that measure the same have one fit. Where its least value does nothing, there it stays
0, whatever the others are; and where no value does anything to a layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.table import Floats
from lrmp.errors import AccuracyTableError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design_space import DesignSpace

#: Least step, as a share of the largest term of the layer's knob: measured steps can be 0.
LEAST_STEP = 1e-3
#: Standard deviation of a design's logarithm that is expected of a good fit.
NOISE = 0.1
MOST_ITERATIONS = 2000


@dataclass(frozen=True)
class Stiffness:
    """What deviations from measured terms cost: weights of their squared logarithms.

    Attributes:
        layer: Of the factor of a layer.
        knob: Of the factor of a layer's knob.
        step: Of the factor of a single step.
    """

    layer: float = 0.3
    knob: float = 1.0
    step: float = 3.0

    def times(self, factor: float) -> "Stiffness":
        """Return one that is stiffer.

        Args:
            factor: Of all weights.

        Returns:
            The stiffness; with a factor far above 1, measured terms keep their proportions.
        """
        return Stiffness(factor * self.layer, factor * self.knob, factor * self.step)


@dataclass(frozen=True, eq=False)
class _Chain:
    """Steps along the values of a knob, for fixed values of those that act with it.

    Attributes:
        axes: Names of these knobs; the steps are along the first.
        places: Of the knobs in the space.
        numbers: Of the fixed values among all of theirs, the last knob's changing fastest; several
            where they measure the same in every layer, and so do the same.
        others: Their places, for each of these numbers.
        order: Places of the first one's values, from the least term to the most.
        steps: As measured, shape (L, steps); one less than values where the first does nothing.
        matters: Of knobs that act together, whether they do anything to a layer; shape (L,).
    """

    axes: tuple[str, ...]
    places: tuple[int, ...]
    numbers: tuple[int, ...]
    others: tuple[tuple[int, ...], ...]
    order: IntArray
    steps: Floats
    matters: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        axes: tuple[str, ...],
        numbers: tuple[int, ...],
        entries: Floats,
        space: DesignSpace,
        exponent: float,
    ) -> "_Chain":
        """Order what was measured."""
        given = np.maximum(_by_chain(entries)[:, :, numbers[0]], 0.0) ** (1 / exponent)
        falling = bool(given[:, 0].sum() > given[:, -1].sum())
        order = np.arange(given.shape[1])[:: -1 if falling else 1]
        rising = np.maximum.accumulate(given[:, order], axis=1)
        least = LEAST_STEP * np.maximum(rising[:, -1:], 1e-300)
        steps = np.maximum(np.diff(rising, axis=1, prepend=0.0), least)
        if len(axes) > 1 and not given[:, order[0]].any():
            steps = steps[:, 1:]
        places = tuple(map(space.place, axes))
        others = np.transpose(np.unravel_index(numbers, entries.shape[2:] or (1,)))
        fixed = tuple(map(tuple, others[:, : len(axes) - 1].tolist()))
        matters = np.logical_or(given.any(axis=1), len(axes) == 1)
        return cls(axes, places, numbers, fixed, order, steps, matters)

    def taken(self, settings: IntArray) -> NDArray[np.bool_]:
        """Say which steps the layers of designs take, shape (N, L, steps)."""
        rank = np.empty_like(self.order)
        rank[self.order] = np.arange(len(self.order))
        first, *fixed = self.places
        skipped = len(self.order) - self.steps.shape[1]
        reached = rank[settings[:, :, first]][:, :, None] >= np.arange(skipped, len(self.order))
        if fixed:
            found = settings[:, :, None, fixed] == np.array(self.others)
            reached = reached & found.all(-1).any(-1)[:, :, None]
        return reached

    def put(self, steps: NDArray[np.float64], entries: Floats) -> None:
        """Write the sums of fitted steps into the entries of the term."""
        rising = np.cumsum(steps.reshape(self.steps.shape), axis=1)
        rising[~self.matters] = 0
        skipped = len(self.order) - rising.shape[1]
        for number in self.numbers:
            _by_chain(entries)[:, self.order[skipped:], number] = rising


def _alike(entries: Floats) -> list[tuple[int, ...]]:
    """Number the chains of a term, those together that are measured alike in every layer."""
    found: dict[bytes, list[int]] = {}
    chains = _by_chain(entries)
    for number in range(chains.shape[2]):
        found.setdefault(chains[:, :, number].tobytes(), []).append(number)
    return [tuple(numbers) for numbers in found.values()]


def _by_chain(entries: Floats) -> Floats:
    """View a term by layer, by value of its first knob, and by values of all others."""
    return entries.reshape(*entries.shape[:2], -1)


def fit_terms(
    terms: Mapping[tuple[str, ...], Floats],
    space: DesignSpace,
    settings: IntArray,
    divergences: NDArray[np.float64],
    weights: NDArray[np.float64],
    exponent: float = 1.0,
    stiffness: Stiffness = Stiffness(),
) -> dict[tuple[str, ...], Floats]:
    """Estimate terms so that powers of their sums are the divergences of measured designs.

    Weighted least squares of logarithms, for divergences differ by factors.

    Args:
        terms: As measured, of single knobs or of a few together: by layer and value, shape (L, V)
            or (L, V, ...), in nats.
        space: The K knobs.
        settings: Designs that were run, shape (N, L, K).
        divergences: Of the designs, shape (N,), in nats.
        weights: How much each design counts, shape (N,).
        exponent: Of the sum.
        stiffness: How closely the measured terms are kept to.

    Returns:
        Terms of the same shapes, in nats^(1 / exponent): positive but where knobs together do
        nothing, and monotone in the order in which the measured ones rise on the whole.

    Raises:
        AccuracyTableError: If there is no design, or a divergence is not positive, or no knob does
            anything.
    """
    from scipy.optimize import minimize  # only a fit needs it

    if not len(divergences) or not (divergences > 0).all():
        raise AccuracyTableError(
            f"Expected designs of positive divergence to fit terms to, got {len(divergences)}, "
            f"{int((divergences <= 0).sum())} of them not positive. Measure other designs."
        )
    chains = [
        _Chain.of(axes, numbers, entries, space, exponent)
        for axes, entries in terms.items()
        if entries.any()
        for numbers in _alike(entries)
    ]
    if not chains:
        raise AccuracyTableError(
            f"Expected a knob that does something to the network among {', '.join(space.names)}, "
            "got divergences of 0 alone: its answers are the same whatever the bits. Check that "
            "its weights are not all 0, and measure it."
        )
    layers = settings.shape[1]
    # Column of the design matrix: a step of a layer's knob. A design takes all steps up to its
    # value.
    matrices, layer_of, knob_of = [], [], []
    for number, chain in enumerate(chains):
        taken = chain.taken(settings)  # (N, L, V)
        matrices.append(taken.reshape(len(settings), -1))
        size = taken.shape[-1]
        layer_of.append(np.repeat(np.arange(layers), size))
        knob_of.append(np.repeat(number * layers + np.arange(layers), size))
    matrix = np.concatenate(matrices, axis=1).astype(np.float64)
    start = np.log(np.concatenate([chain.steps.ravel() for chain in chains]))
    of_layer, of_knob = np.concatenate(layer_of), np.concatenate(knob_of)
    knobs = len(chains) * layers
    logs = np.log(divergences) / exponent
    scale = weights / weights.mean() * (exponent / NOISE) ** 2
    penalties = np.concatenate(
        [
            [0.0],
            np.full(layers, stiffness.layer),
            np.full(knobs, stiffness.knob),
            np.full(len(start), stiffness.step),
        ]
    )

    def spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
        common, own, knob, step = np.split(values, [1, 1 + layers, 1 + layers + knobs])
        logarithms: NDArray[np.float64] = start + common + own[of_layer] + knob[of_knob] + step
        return logarithms

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        steps = np.exp(spread(values))
        sums = matrix @ steps
        errors = np.log(sums) - logs
        by_step = (matrix.T @ (2 * scale * errors / sums)) * steps
        gradient = np.concatenate(
            [
                [by_step.sum()],
                np.bincount(of_layer, by_step, layers),
                np.bincount(of_knob, by_step, knobs),
                by_step,
            ]
        )
        value = float((scale * errors**2).sum() + (penalties * values**2).sum())
        return value, gradient + 2 * penalties * values

    first = np.zeros(1 + layers + knobs + len(start))
    first[0] = np.median(logs - np.log(matrix @ np.exp(start)))
    found = minimize(loss, first, jac=True, method="L-BFGS-B", options={"maxiter": MOST_ITERATIONS})
    steps = np.exp(spread(found.x))
    fitted = {axes: np.zeros(entries.shape) for axes, entries in terms.items()}
    at = 0
    for chain in chains:
        size = chain.steps.size
        chain.put(steps[at : at + size], fitted[chain.axes])
        at += size
    return fitted
