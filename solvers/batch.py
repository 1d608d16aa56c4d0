"""Many replication problems of one network at once, as a vector environment has them."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import InfeasibleBudgetError, SolverError
from lrmp.hardware.design import as_integers
from lrmp.hardware.frozen_arrays import FrozenArrays, IntArray, read_only
from lrmp.hardware.mapping import ceil_div
from lrmp.solvers.choices import CopyTable, copy_table
from lrmp.solvers.exact import solve_exact
from lrmp.solvers.replication import ReplicationProblem

BatchObjective = Literal["latency", "throughput"]
CHUNK = 128  # problems at a time: their options stay in the processor's cache
FEW_STATES = 24  # per problem; looking for dominated ones among fewer takes longer than it saves
EXACT = 2**61  # 64-bit sums below it are exact, with room for a difference


@dataclass(frozen=True, eq=False)
class ReplicationBatch(FrozenArrays):
    """B problems for the same L layers; they differ in the layers' bits.

    Attributes:
        tiles: Tiles of one copy, shape (B, L), each at least 0; 0 only for a layer of one unit.
        units: Units of work that the copies share, shape (L,), each at least 1.
        cycles_per_unit: Shape (B, L), each at least 1.
        fixed_cycles: Cycles that copies do not shorten, shape (B, L), each at least 0.
        budget: Tiles on the chip.
        objective: ``"latency"`` or ``"throughput"``.

    Raises:
        SolverError: If the arrays differ in shape, hold values out of range, or sums overflow.
        InfeasibleBudgetError: If in some problem one copy of every layer does not fit.
    """

    tiles: IntArray
    units: IntArray
    cycles_per_unit: IntArray
    fixed_cycles: IntArray
    budget: int
    objective: BatchObjective

    def __post_init__(self) -> None:
        if self.objective not in get_args(BatchObjective):
            raise SolverError(
                f"Expected objective to be one of {', '.join(get_args(BatchObjective))}; "
                f"got {self.objective!r}. Solve other problems one by one."
            )
        shape = np.shape(self.tiles)
        for name, least in (
            ("tiles", 0),
            ("units", 1),
            ("cycles_per_unit", 1),
            ("fixed_cycles", 0),
        ):
            values = as_integers(name, getattr(self, name), SolverError)
            expected = shape[1:] if name == "units" else shape
            if len(shape) != 2 or 0 in shape or values.shape != expected:
                raise SolverError(
                    f"Expected {name} of shape {'(L,)' if name == 'units' else '(B, L)'}, "
                    f"tiles being (B, L), got {values.shape} beside {shape}."
                )
            if (values < least).any():
                raise SolverError(f"Expected {name} of at least {least}, got {values.min()}.")
            object.__setattr__(self, name, read_only(values))
        if ((self.tiles == 0) & (self.units > 1)).any():
            raise SolverError("Expected tiles of at least 1 for a layer of more than one unit.")
        object.__setattr__(self, "budget", int(as_integers("budget", self.budget, SolverError)))
        # Floats cannot overflow, and the limit leaves more room than their rounding takes.
        cycles = (self.units * self.cycles_per_unit.astype(float) + self.fixed_cycles).sum(axis=1)
        tiles = (self.units * self.tiles.astype(float)).sum(axis=1)
        if max(cycles.max(), tiles.max(), abs(self.budget)) >= EXACT:
            raise SolverError(
                "Expected total cycles, tiles of all useful copies and budget below 2**61, got "
                f"{max(cycles.max(), tiles.max(), abs(self.budget)):.3g}. Solve such problems one "
                "by one."
            )
        needed = int(self.tiles.sum(axis=1).max())
        if needed > self.budget:
            raise InfeasibleBudgetError(
                f"Expected a budget of at least {needed} tiles for one copy of every layer, got "
                f"{self.budget}. Lower the weight bits or raise the budget."
            )

    def __len__(self) -> int:
        return len(self.tiles)

    def problem(self, index: int) -> ReplicationProblem:
        """Pose one of the problems by itself.

        Args:
            index: 0 to B - 1.

        Returns:
            The problem.
        """
        return ReplicationProblem(
            self.tiles[index],
            self.units,
            self.cycles_per_unit[index],
            self.fixed_cycles[index],
            self.budget,
            self.objective,
        )

    def objective_values(self, copies: IntArray) -> IntArray:
        """Return what is minimised.

        Args:
            copies: Shape (B, L), each at least 1.

        Returns:
            Cycles of all layers for latency, of the slowest for throughput; shape (B,).
        """
        cycles = ceil_div(self.units, copies) * self.cycles_per_unit + self.fixed_cycles
        values: IntArray = cycles.sum(axis=1) if self.objective == "latency" else cycles.max(axis=1)
        return values


def solve_batch(batch: ReplicationBatch) -> IntArray:
    """Find the canonical optimal copies of every problem, the same as ``solve_exact``.

    The linear relaxations are solved side by side; what each leaves open is enumerated by itself.

    Args:
        batch: The problems.

    Returns:
        Copies, shape (B, L).
    """
    if batch.objective == "throughput":
        return _fewest_copies(batch)
    table = copy_table(tuple(batch.units.tolist()))
    copies = np.empty(batch.tiles.shape, dtype=np.int64)
    for low in range(0, len(batch), CHUNK):
        rows = slice(low, min(low + CHUNK, len(batch)))
        copies[rows] = _least_latency(batch, table, rows)
    return copies


def _fewest_copies(batch: ReplicationBatch) -> IntArray:
    """Bisect the cycles of the slowest layer, in all problems at once."""
    low = (batch.cycles_per_unit + batch.fixed_cycles).max(axis=1)
    high = (batch.units * batch.cycles_per_unit + batch.fixed_cycles).max(axis=1)

    def copies(limit: IntArray) -> IntArray:
        per_copy = (limit[:, None] - batch.fixed_cycles) // batch.cycles_per_unit
        return ceil_div(batch.units, per_copy)

    while (low < high).any():
        middle = (low + high) // 2
        fits = (copies(middle) * batch.tiles).sum(axis=1) <= batch.budget
        high = np.where(fits, middle, high)
        low = np.where(fits, low, np.minimum(middle + 1, high))
    return copies(low)


def _least_latency(batch: ReplicationBatch, table: CopyTable, rows: slice) -> IntArray:
    """Solve the knapsacks of some problems; see ``solve_knapsack`` for the method."""
    tiles, per_unit = batch.tiles[rows], batch.cycles_per_unit[rows]
    layer, first = table.layer, table.start[:-1]
    capacity = batch.budget - tiles.sum(axis=1)
    every = np.arange(len(tiles))
    result = np.broadcast_to(batch.units, tiles.shape).copy()
    if not table.steps.shape[1]:
        return result

    step_weights = (table.copies[table.steps[1]] - table.copies[table.steps[0]]) * tiles[
        :, layer[table.steps[0]]
    ]
    step_gains = (table.shares[table.steps[0]] - table.shares[table.steps[1]]) * per_unit[
        :, layer[table.steps[0]]
    ]
    slopes = step_gains / step_weights
    order = np.argsort(-slopes, axis=1)  # in which order equal slopes come does not matter
    filled = np.cumsum(np.take_along_axis(step_weights, order, axis=1), axis=1)
    whole = (filled <= capacity[:, None]).sum(axis=1)
    open_rows = np.flatnonzero(whole < order.shape[1])  # in the others all copies fit
    if not open_rows.size:
        return result
    if open_rows.size < len(tiles):
        part = ReplicationBatch(
            tiles[open_rows],
            batch.units,
            per_unit[open_rows],
            batch.fixed_cycles[rows][open_rows],
            batch.budget,
            "latency",
        )
        result[open_rows] = _least_latency(part, table, slice(None))
        return result

    broken = order[every, whole]
    gain, weight = step_gains[every, broken], step_weights[every, broken]
    most_cost = (batch.units * per_unit.astype(float)).sum(axis=1)
    most_weight = (batch.units * tiles.astype(float)).sum(axis=1) + capacity
    if (weight * most_cost + gain * most_weight).max() >= EXACT // (4 * CHUNK):
        numbers = range(*rows.indices(len(batch)))
        return np.stack([solve_exact(batch.problem(number)).copies for number in numbers])
    reduced, least = _reduced_costs(table, weight[:, None] * per_unit, gain[:, None] * tiles)
    bound = least.sum(axis=1) - gain * capacity

    # The steps before the broken one, layer by layer; then that one too.
    options = np.broadcast_to(first, tiles.shape).copy()
    taken = np.zeros_like(order, dtype=bool)
    np.put_along_axis(taken, order, np.arange(order.shape[1]) < whole[:, None], axis=1)
    counts = np.add.reduceat(taken, table.step_start, axis=1, dtype=np.int64)
    reached = table.steps[1][table.step_start + np.maximum(counts, 1) - 1]
    options[:, table.stepped] = np.where(counts > 0, reached, first[table.stepped])
    incumbent = _best_change(table, tiles, per_unit, options, capacity)
    options[every, layer[table.steps[1][broken]]] = table.steps[1][broken]
    incumbent = np.minimum(incumbent, _best_change(table, tiles, per_unit, options, capacity))
    slack = weight * incumbent - bound

    core = _Core.of(table, tiles, reduced, slack, _reading_keys(batch, rows))
    return table.copies[core.cheapest(capacity, gain, slack)]


def _reading_keys(batch: ReplicationBatch, rows: slice) -> IntArray:
    """Rank the layers of every problem as ``reading_order`` does; shape (rows, L)."""
    tiles, per_unit = batch.tiles[rows], batch.cycles_per_unit[rows]
    alike = (tiles[:, :, None] == tiles[:, None, :]) & (per_unit[:, :, None] == per_unit[:, None])
    alike &= batch.units[:, None] == batch.units
    layers = np.arange(len(batch.units))
    keys: IntArray = alike.argmax(axis=2) * len(layers) + layers
    return keys


@dataclass(frozen=True, eq=False)
class _Core:
    """The options that are left in B problems, n in all; see ``enumerate_core`` for the method.

    Attributes:
        option: Which options of the table they are, problem by problem, block by block, (n,).
        weights: Shape (n,).
        reduced: Shape (n,).
        start: First option of every block, shape (B, L).
        size: Number of options of every block, shape (B, L).
        order: Layers of every problem, those with a choice first and in reading order, (B, L).
    """

    option: IntArray
    weights: IntArray
    reduced: IntArray
    start: IntArray
    size: IntArray
    order: IntArray

    @classmethod
    def of(
        cls,
        table: CopyTable,
        tiles: IntArray,
        reduced: IntArray,
        slack: IntArray,
        reading_keys: IntArray,
    ) -> "_Core":
        """Collect the options that cost no more than the slack."""
        problem, option = np.nonzero(reduced <= slack[:, None])
        layer = table.layer[option]
        problems, layers = tiles.shape
        size = np.bincount(problem * layers + layer, minlength=problems * layers)
        size = size.reshape(problems, layers)
        undecided = np.where(size > 1, reading_keys, layers * layers)
        return cls(
            option=option,
            weights=(table.copies[option] - 1) * tiles[problem, layer],
            reduced=reduced[problem, option],
            start=(np.cumsum(size) - size.ravel()).reshape(problems, layers),
            size=size,
            order=np.argsort(undecided, axis=1, kind="stable"),
        )

    def cheapest(self, capacity: IntArray, gain: IntArray, slack: IntArray) -> IntArray:
        """Choose one option of the table per block, canonically; shape (B, L)."""
        low = self.weights[self.start]
        high = self.weights[self.start + self.size - 1]
        rest_low, rest_high = low.sum(axis=1), high.sum(axis=1)
        every = np.arange(len(capacity))
        chosen = self.option[self.start]
        # States of all problems, problem by problem and in lexicographic order.
        problem, w, z = every, (low * (self.size == 1)).sum(axis=1), np.zeros_like(capacity)
        rest_low, rest_high = rest_low - w, rest_high - w
        history = []
        for step in range(int((self.size > 1).sum(axis=1).max())):
            block = self.order[:, step]
            size = self.size[every, block]
            rest_low = rest_low - np.where(size > 1, low[every, block], 0)
            rest_high = rest_high - np.where(size > 1, high[every, block], 0)
            count = size[problem]
            parent = np.repeat(np.arange(len(problem)), count)
            within = np.arange(len(parent)) - np.repeat(np.cumsum(count) - count, count)
            problem = problem[parent]
            option = self.start[problem, block[problem]] + within
            decided = size[problem] == 1  # and counted from the beginning
            w = w[parent] + np.where(decided, 0, self.weights[option])
            z = z[parent] + np.where(decided, 0, self.reduced[option])
            unused = np.maximum((capacity - rest_high)[problem] - w, 0)
            alive = w <= (capacity - rest_low)[problem]
            alive &= z + gain[problem] * unused <= slack[problem]
            kept = np.flatnonzero(alive)
            if len(kept) > FEW_STATES * len(every):
                kept = kept[_undominated(problem[kept], w[kept], (z - gain[problem] * w)[kept])]
            problem, w, z = problem[kept], w[kept], z[kept]
            history.append((block, parent[kept], option[kept]))
        order = np.lexsort((w, z - gain[problem] * w, problem))
        state = order[np.searchsorted(problem[order], every)]
        for block, parent, option in reversed(history):
            chosen[every, block] = self.option[option[state]]
            state = parent[state]
        return chosen


def _undominated(problem: IntArray, weights: IntArray, costs: IntArray) -> NDArray[np.intp]:
    """Find the states that no lighter or equal one of their problem beats or equals."""
    order = np.lexsort((costs, weights, problem))
    ordered = costs[order]
    # Every problem's costs are moved below those of the one before: the minimum starts anew.
    # `_least_latency` leaves room for that.
    span = int(ordered.max()) - int(ordered.min()) + 1
    ordered = ordered - problem[order] * span
    lower = np.ones(len(order), dtype=bool)
    lower[1:] = ordered[1:] < np.minimum.accumulate(ordered)[:-1]
    undominated: NDArray[np.intp] = np.sort(order[lower])
    return undominated


def _reduced_costs(
    table: CopyTable, per_share: IntArray, per_copy: IntArray
) -> tuple[IntArray, IntArray]:
    """Price every option, (B, N), less the cheapest of its layer, and that one, (B, L)."""
    reduced = np.empty((len(per_share), len(table.layer)), dtype=np.int64)
    least = np.empty(per_share.shape, dtype=np.int64)
    # Layer by layer: faster than to spread the layers' factors over the options first.
    for layer, (low, high) in enumerate(pairwise(table.start.tolist())):
        prices = reduced[:, low:high]
        np.multiply(per_share[:, layer, None], table.shares[low:high], out=prices)
        prices += per_copy[:, layer, None] * (table.copies[low:high] - 1)
        prices.min(axis=1, out=least[:, layer])
        prices -= least[:, layer, None]
    return reduced, least


def _best_change(
    table: CopyTable, tiles: IntArray, per_unit: IntArray, options: IntArray, capacity: IntArray
) -> IntArray:
    """Return the least cost after one change that makes the options fit; huge if there is none.

    More copies never cost more, so a layer's best change is to as many as fit.
    """
    cost = table.shares[options] * per_unit
    weight = (table.copies[options] - 1) * tiles
    room = (capacity - weight.sum(axis=1))[:, None] + weight
    most = np.minimum(np.maximum(room, 0) // np.maximum(tiles, 1) + 1, table.key_step - 1)
    keys = np.arange(tiles.shape[1]) * table.key_step + most
    changed = np.searchsorted(table.keys, keys, side="right") - 1
    change = np.where(room >= 0, table.shares[changed] * per_unit - cost, 2**61)
    best: IntArray = cost.sum(axis=1) + change.min(axis=1)
    return best
