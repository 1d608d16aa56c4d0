"""Many replication problems of one network at once, as a vector environment has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.errors import InfeasibleBudgetError, SolverError
from lrmp.hardware.cost.cost_model import CopyCosts, CostModel
from lrmp.hardware.cost.mapping import ceil_div
from lrmp.hardware.frozen_arrays import FrozenArrays, IntArray, read_only
from lrmp.hardware.integers import as_integers
from lrmp.solvers.replication.choices import CopyTable, copy_table
from lrmp.solvers.replication.exact import solve_exact, solve_many
from lrmp.solvers.replication.method import compiled
from lrmp.solvers.replication.problem import (
    ReplicationProblem,
    check_rates,
    times,
)

BatchObjective = Literal["latency", "throughput"]
RELAXED = 64  # problems at a time: all their options stay in the processor's cache
ENUMERATED = 512  # problems at a time: few options are left, and every pass has its price
FEW_PROBLEMS = 6  # and many layers: in NumPy faster one by one
MANY_LAYERS = 128
FEW_STATES = 24  # per problem; looking for dominated ones among fewer takes longer than it saves
EXACT = 2**61  # 64-bit sums below it are exact, with room for a difference


@dataclass(frozen=True, eq=False)
class ReplicationBatch(FrozenArrays):
    """B problems for the same L layers; they differ in the layers' settings.

    Attributes:
        tiles: Tiles of one copy, shape (B, L), each at least 0; 0 only for a layer of one unit.
        units: Units of work that the copies share, shape (L,), each at least 1.
        cycles_per_unit: Shape (B, L), each at least 1.
        fixed_cycles: Cycles that copies do not shorten, shape (B, L), each at least 0.
        budget: Tiles on the chip.
        objective: ``"latency"`` or ``"throughput"``.
        least_interval: Cycles that the interval has whatever the settings and copies, at least 0.

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
    least_interval: int = 0

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
        for number in ("budget", "least_interval"):
            value = int(as_integers(number, getattr(self, number), SolverError))
            object.__setattr__(self, number, value)
        if self.least_interval < 0:
            raise SolverError(f"Expected least_interval of at least 0, got {self.least_interval}.")
        # Floats cannot overflow, and the limit leaves more room than their rounding takes.
        cycles = (self.units * self.cycles_per_unit.astype(float) + self.fixed_cycles).sum(axis=1)
        tiles = (self.units * self.tiles.astype(float)).sum(axis=1)
        largest = max(cycles.max(), self.least_interval, tiles.max(), abs(self.budget))
        if largest >= EXACT:
            raise SolverError(
                "Expected total cycles, tiles of all useful copies and budget below 2**61, got "
                f"{largest:.3g}. Solve such problems one by one."
            )
        needed = int(self.tiles.sum(axis=1).max())
        if needed > self.budget:
            raise InfeasibleBudgetError(
                f"Expected a budget of at least {needed} tiles for one copy of every layer, got "
                f"{self.budget}. Choose smaller settings or raise the budget."
            )

    def __len__(self) -> int:
        return len(self.tiles)

    @classmethod
    def of(
        cls,
        cost_model: CostModel,
        settings: ArrayLike,
        budget: int,
        objective: BatchObjective,
    ) -> Self:
        """Pose the problems that remain once the settings are chosen.

        Args:
            cost_model: Network and accelerator.
            settings: Places of the layers' values, shape (B, L, K).
            budget: Tiles on the chip.
            objective: What is minimised.

        Returns:
            The problems of ``ReplicationProblem.of``.

        Raises:
            DesignError: If the settings are out of range or of the wrong shape.
            InfeasibleBudgetError: If in some problem one copy of every layer does not fit.
            SolverError: If the settings change the units that copies share, or layers wait for a
                memory.
        """
        costs = cost_model.copy_costs(settings)
        units = costs.units.reshape(-1, costs.units.shape[-1])
        if not cost_model.units_are_fixed and (units != units[:1]).any():
            raise SolverError(
                "Expected settings that leave the units of work as they are, got others. Solve "
                "such problems one by one."
            )
        if cost_model.waits_for_memory:
            raise SolverError(
                f"Expected layers that wait for no memory, got memory_bits_per_cycle of "
                f"{cost_model.accelerator.name!r}. Solve such problems one by one."
            )
        return cls(
            tiles=costs.tiles,
            units=units[0] if len(units) else units,
            cycles_per_unit=costs.cycles_per_unit,
            fixed_cycles=costs.fixed_cycles,
            budget=budget,
            # Layers that take turns are not pipelined: see ``posed_objective``.
            objective="latency" if cost_model.accelerator.is_time_multiplexed else objective,
            least_interval=cost_model.least_interval,
        )

    @classmethod
    def together(cls, batches: Sequence[Self], rates: Sequence[int]) -> Self:
        """Pose the problems of several networks that share one chip.

        Args:
            batches: Of every network, as many problems each, with the budget and objective of all.
            rates: How often each network runs in a round, each at least 1.

        Returns:
            The problems of ``ReplicationProblem.together``.

        Raises:
            SolverError: If there is not one rate for each batch, they differ in budget, objective
                or length, or sums overflow.
            InfeasibleBudgetError: If in some problem one copy of every layer does not fit.
        """
        check_rates(batches, rates)
        if len({len(batch) for batch in batches}) > 1:
            raise SolverError(
                "Expected batches of as many problems each, got "
                f"{', '.join(str(len(batch)) for batch in batches)}."
            )
        rated = list(zip(batches, rates, strict=True))
        return cls(
            tiles=np.concatenate([batch.tiles for batch in batches], axis=1),
            units=np.concatenate([batch.units for batch in batches]),
            cycles_per_unit=np.concatenate(
                [times(rate, batch.cycles_per_unit) for batch, rate in rated], axis=1
            ),
            fixed_cycles=np.concatenate(
                [times(rate, batch.fixed_cycles) for batch, rate in rated], axis=1
            ),
            budget=batches[0].budget,
            objective=batches[0].objective,
            least_interval=sum(rate * batch.least_interval for batch, rate in rated),
        )

    def problem(self, index: int) -> ReplicationProblem:
        """Pose one of the problems by itself.

        Args:
            index: 0 to B - 1.

        Returns:
            The problem.
        """
        return ReplicationProblem.trusted(  # the batch is checked
            tiles=self.tiles[index],
            units=self.units,
            cycles_per_unit=self.cycles_per_unit[index],
            fixed_cycles=self.fixed_cycles[index],
            budget=self.budget,
            objective=self.objective,
            least_interval=self.least_interval,
        )

    def objective_values(self, copies: IntArray) -> IntArray:
        """Return what is minimised.

        Args:
            copies: Shape (B, L), each at least 1.

        Returns:
            Cycles of all layers for latency, of the interval for throughput; shape (B,).
        """
        cycles = ceil_div(self.units, copies) * self.cycles_per_unit + self.fixed_cycles
        return self.totals(cycles)

    def totals(self, layer_cycles: IntArray) -> IntArray:
        """Put the cycles of the layers together as the objective does.

        Args:
            layer_cycles: Shape (B, L).

        Returns:
            Cycles of all layers for latency, of the interval for throughput; shape (B,).
        """
        if self.objective == "latency":
            total: IntArray = layer_cycles.sum(axis=1)
            return total
        interval: IntArray = np.maximum(layer_cycles.max(axis=1), self.least_interval)
        return interval


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
    core = compiled(len(batch))
    if core is not None:
        costs = CopyCosts(batch.tiles, batch.units, batch.cycles_per_unit, batch.fixed_cycles)
        copies, solved = solve_many(core, costs, batch.budget)
        for row in np.flatnonzero(~solved).tolist():
            copies[row] = solve_exact(batch.problem(row)).copies
        return copies
    if len(batch) < FEW_PROBLEMS or len(batch.units) >= MANY_LAYERS:
        return np.stack([solve_exact(batch.problem(row)).copies for row in range(len(batch))])
    table = copy_table(tuple(batch.units.tolist()))
    copies = np.empty(batch.tiles.shape, dtype=np.int64)
    for low in range(0, len(batch), ENUMERATED):
        rows = np.arange(low, min(low + ENUMERATED, len(batch)))
        copies[rows] = _least_latency(batch, table, rows)
    return copies


def _fewest_copies(batch: ReplicationBatch) -> IntArray:
    """Bisect the interval, in all problems at once."""
    low = batch.totals(batch.cycles_per_unit + batch.fixed_cycles)
    high = batch.totals(batch.units * batch.cycles_per_unit + batch.fixed_cycles)

    def copies(limit: IntArray) -> IntArray:
        per_copy = (limit[:, None] - batch.fixed_cycles) // batch.cycles_per_unit
        return ceil_div(batch.units, per_copy)

    while (low < high).any():
        middle = (low + high) // 2
        fits = (copies(middle) * batch.tiles).sum(axis=1) <= batch.budget
        high = np.where(fits, middle, high)
        low = np.where(fits, low, np.minimum(middle + 1, high))
    return copies(low)


def _least_latency(batch: ReplicationBatch, table: CopyTable, rows: IntArray) -> IntArray:
    """Solve the knapsacks of some problems; see ``solve_knapsack`` for the method."""
    copies = np.broadcast_to(batch.units, (len(rows), len(batch.units))).copy()
    relaxed = []
    for low in range(0, len(rows), RELAXED):
        part = rows[low : low + RELAXED]
        found = _relax(batch, table, part)
        if found is None:
            copies[low : low + RELAXED] = [solve_exact(batch.problem(row)).copies for row in part]
        elif len(found.rows):
            relaxed.append(found)
    if relaxed:
        core = _Core.of(batch, table, relaxed)
        copies[core.rows - rows[0]] = core.cheapest(table)
    return copies


@dataclass(frozen=True, eq=False)
class _Relaxation:
    """What the linear relaxations of n problems leave open.

    Attributes:
        rows: Their numbers in the batch, shape (n,); in no other problem do copies compete.
        capacity: Tiles beside one copy of every layer, shape (n,).
        gain: Cycles that the broken step saves, shape (n,).
        slack: The most that an optimal design's options cost, reduced, shape (n,).
        problem: Of every option that costs no more, which of the n it belongs to, shape (k,).
        option: Which option of the table it is, shape (k,).
        reduced: What it costs, reduced, shape (k,).
    """

    rows: IntArray
    capacity: IntArray
    gain: IntArray
    slack: IntArray
    problem: IntArray
    option: IntArray
    reduced: IntArray


def _relax(batch: ReplicationBatch, table: CopyTable, rows: IntArray) -> _Relaxation | None:
    """Bound some problems and drop the options that cannot be optimal.

    Returns:
        What is left; None if numbers are too large for sums of 64 bits.
    """
    tiles, per_unit = batch.tiles[rows], batch.cycles_per_unit[rows]
    capacity = batch.budget - tiles.sum(axis=1)
    before, after = table.steps
    step_layer = table.layer[before]
    step_copies = table.copies[after] - table.copies[before]
    step_shares = table.shares[before] - table.shares[after]
    step_weights = step_copies * tiles[:, step_layer]
    keys = _step_keys(step_copies / step_shares * (tiles / per_unit)[:, step_layer])
    order = np.sort(keys, axis=1) & _number_mask(len(before))
    filled = np.cumsum(np.take_along_axis(step_weights, order, axis=1), axis=1)
    whole = (filled <= capacity[:, None]).sum(axis=1)
    open_rows = np.flatnonzero(whole < len(before))  # in the others all copies fit
    if not open_rows.size:
        return _Relaxation(*[open_rows] * 7)
    if open_rows.size < len(rows):
        return _relax(batch, table, rows[open_rows])

    every = np.arange(len(rows))
    broken = order[every, whole]
    gain = step_shares[broken] * per_unit[every, step_layer[broken]]
    weight = step_weights[every, broken]
    most_cost = (batch.units * per_unit.astype(float)).sum(axis=1)
    most_weight = (batch.units * tiles.astype(float)).sum(axis=1) + capacity
    if (weight * most_cost + gain * most_weight).max() >= EXACT // (4 * ENUMERATED):
        return None
    reduced, least = _reduced_costs(table, weight[:, None] * per_unit, gain[:, None] * tiles)
    bound = least.sum(axis=0) - gain * capacity

    # The steps before the broken one, layer by layer; then that one too.
    first = table.start[:-1]
    options = np.broadcast_to(first, tiles.shape).copy()
    taken = keys < keys[every, broken][:, None]
    counts = np.add.reduceat(taken, table.step_start, axis=1, dtype=np.int64)
    reached = after[table.step_start + np.maximum(counts, 1) - 1]
    options[:, table.stepped] = np.where(counts > 0, reached, first[table.stepped])
    incumbent = _best_change(table, tiles, per_unit, options, capacity)
    options[every, step_layer[broken]] = after[broken]
    incumbent = np.minimum(incumbent, _best_change(table, tiles, per_unit, options, capacity))
    slack = weight * incumbent - bound

    kept = np.ascontiguousarray((reduced <= slack).T)
    problem, option = np.divmod(np.flatnonzero(kept), kept.shape[1])
    return _Relaxation(rows, capacity, gain, slack, problem, option, reduced[option, problem])


def _reading_keys(batch: ReplicationBatch, rows: IntArray) -> IntArray:
    """Rank the layers of some problems as ``reading_order`` does; shape (rows, L)."""
    tiles, per_unit = batch.tiles[rows], batch.cycles_per_unit[rows]
    alike = (tiles[:, :, None] == tiles[:, None, :]) & (per_unit[:, :, None] == per_unit[:, None])
    alike &= batch.units[:, None] == batch.units
    layers = np.arange(len(batch.units))
    keys: IntArray = alike.argmax(axis=2) * len(layers) + layers
    return keys


@dataclass(frozen=True, eq=False)
class _Core:
    """The options that are left in B problems, n in all; see ``enumerate_core`` for the method.

    Problems with more undecided layers come first, so that those still open stay together.

    Attributes:
        rows: Numbers of the problems in the batch, shape (B,).
        capacity: Shape (B,), as the other two of ``_Relaxation``.
        gain: Shape (B,).
        slack: Shape (B,).
        option: Which options of the table they are, problem by problem, block by block, (n,).
        weights: Shape (n,).
        reduced: Shape (n,).
        start: First option of every block, shape (B, L).
        size: Number of options of every block, shape (B, L).
        free: Weight of an option of every block that has no reduced cost, shape (B, L).
        order: Layers of every problem, those with a choice first and in reading order, (B, L).
    """

    rows: IntArray
    capacity: IntArray
    gain: IntArray
    slack: IntArray
    option: IntArray
    weights: IntArray
    reduced: IntArray
    start: IntArray
    size: IntArray
    free: IntArray
    order: IntArray

    @classmethod
    def of(cls, batch: ReplicationBatch, table: CopyTable, relaxed: list[_Relaxation]) -> "_Core":
        """Collect what relaxations leave open."""
        rows, capacity, gain, slack, option, reduced = (
            np.concatenate([getattr(r, name) for r in relaxed])
            for name in ("rows", "capacity", "gain", "slack", "option", "reduced")
        )
        first = np.cumsum([0, *(len(r.rows) for r in relaxed[:-1])])
        problem = np.concatenate([r.problem + f for r, f in zip(relaxed, first, strict=True)])
        tiles, layer = batch.tiles[rows], table.layer[option]
        problems, layers = tiles.shape
        size = np.bincount(problem * layers + layer, minlength=problems * layers)
        size = size.reshape(problems, layers)
        start = (np.cumsum(size) - size.ravel()).reshape(problems, layers)
        undecided = np.where(size > 1, _reading_keys(batch, rows), layers * layers)
        by = np.argsort((size == 1).sum(axis=1), kind="stable")
        weights = (table.copies[option] - 1) * tiles[problem, layer]
        free = np.empty(size.size, dtype=np.int64)
        none = np.flatnonzero(reduced == 0)
        free[(problem * layers + layer)[none]] = weights[none]
        return cls(
            rows=rows[by],
            capacity=capacity[by],
            gain=gain[by],
            slack=slack[by],
            option=option,
            weights=weights,
            reduced=reduced,
            start=start[by],
            size=size[by],
            free=free.reshape(size.shape)[by],
            order=np.argsort(undecided[by], axis=1, kind="stable"),
        )

    def cheapest(self, table: CopyTable) -> IntArray:
        """Choose one option per block, canonically; return their copies, shape (B, L)."""
        undecided = self.size > 1
        lightest = self.weights[self.start]
        low = np.where(undecided, lightest, 0)
        high = np.where(undecided, self.weights[self.start + self.size - 1], 0)
        least, most = self.capacity - low.sum(axis=1), self.capacity - high.sum(axis=1)
        # States of all problems, problem by problem and in lexicographic order. Decided layers
        # count from the beginning.
        problem, z = np.arange(len(self.rows)), np.zeros_like(self.rows)
        w = (lightest - low).sum(axis=1)
        open_after = undecided.sum(axis=1)
        free = np.where(undecided, self.free, 0).sum(axis=1)
        slack = self.slack.copy()
        ended, history = [], []
        for step in range(int(open_after[0])):
            active = int((open_after > step).sum())
            cut = int(np.searchsorted(problem, active))
            ended.append((problem[cut:], w[cut:], z[cut:], np.arange(cut, len(problem))))
            problem, w, z = problem[:cut], w[:cut], z[:cut]
            block, every = self.order[:active, step], np.arange(active)
            # The most that the states may weigh for all, and for some, of what follows to fit.
            most = most[:active] + high[every, block]
            least = least[:active] + low[every, block]
            free = free[:active] - self.free[every, block]
            count = self.size[every, block][problem]
            parent = np.repeat(np.arange(cut), count)
            ahead = self.start[every, block][problem] - (np.cumsum(count) - count)
            option = np.arange(len(parent)) + ahead[parent]
            problem = problem[parent]
            w, z = w[parent] + self.weights[option], z[parent] + self.reduced[option]
            gain = self.gain[problem]
            alive = w <= least[problem]
            alive &= z + gain * np.maximum(most[problem] - w, 0) <= slack[problem]
            kept = np.flatnonzero(alive)
            if len(kept) > FEW_STATES * len(self.rows):
                kept = kept[_undominated(problem[kept], w[kept], (z - gain * w)[kept])]
            problem, w, z = problem[kept], w[kept], z[kept]
            _tighten(slack, problem, z, gain[kept], (self.capacity[:active] - free)[problem] - w)
            history.append((every, block, parent[kept], option[kept]))
        ended.append((problem, w, z, np.arange(len(problem))))
        problem, w, z, state = (np.concatenate(part) for part in zip(*ended, strict=True))
        order = np.lexsort((w, z - self.gain[problem] * w, problem))
        state = state[order[np.searchsorted(problem[order], np.arange(len(self.rows)))]]
        chosen = self.option[self.start]
        for every, block, parent, option in reversed(history):
            best = state[: len(every)]
            chosen[every, block] = self.option[option[best]]
            state[: len(every)] = parent[best]
        return table.copies[chosen]


def _tighten(
    slack: IntArray, problem: IntArray, z: IntArray, gain: IntArray, unused: IntArray
) -> None:
    """Complete states with options of no reduced cost; those that fit bound the slack."""
    value = np.where(unused >= 0, z + gain * unused, EXACT)
    firsts = np.flatnonzero(np.diff(problem, prepend=-1))
    which = problem[firsts]
    slack[which] = np.minimum(slack[which], np.minimum.reduceat(value, firsts))


def _undominated(problem: IntArray, weights: IntArray, costs: IntArray) -> NDArray[np.intp]:
    """Find the states that no lighter or equal one of their problem beats or equals."""
    order = np.lexsort((costs, weights, problem))
    ordered = costs[order]
    # Every problem's costs are moved below those of the one before: the minimum starts anew.
    # `_relax` leaves room for that.
    span = int(ordered.max()) - int(ordered.min()) + 1
    ordered = ordered - problem[order] * span
    lower = np.ones(len(order), dtype=bool)
    lower[1:] = ordered[1:] < np.minimum.accumulate(ordered)[:-1]
    undominated: NDArray[np.intp] = np.sort(order[lower])
    return undominated


def _step_keys(prices: NDArray[np.float64]) -> IntArray:
    """Make the prices of steps, (B, S), integers that sort alike and end in the step's number.

    Sorting these is faster than an argsort. What the numbers displace of the prices may exchange
    steps whose prices differ by a millionth of a millionth: the bound stays one.
    """
    keys: IntArray = prices.view(np.int64)
    keys &= ~_number_mask(prices.shape[1])
    keys |= np.arange(prices.shape[1])
    return keys


def _number_mask(count: int) -> int:
    return (1 << count.bit_length()) - 1


def _reduced_costs(
    table: CopyTable, per_share: IntArray, per_copy: IntArray
) -> tuple[IntArray, IntArray]:
    """Price every option, (N, B), less the cheapest of its layer, and that one, (L, B)."""
    reduced = np.empty((len(table.layer), len(per_share)), dtype=np.int64)
    least = np.empty(per_share.T.shape, dtype=np.int64)
    # Problems come last, so that rows are long; layer by layer, for these blocks fit the cache.
    for layer, (low, high) in enumerate(pairwise(table.start.tolist())):
        prices = reduced[low:high]
        np.multiply(table.shares[low:high, None], per_share[:, layer], out=prices)
        prices += (table.copies[low:high, None] - 1) * per_copy[:, layer]
        prices.min(axis=0, out=least[layer])
        prices -= least[layer]
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
