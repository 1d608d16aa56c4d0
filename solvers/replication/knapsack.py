"""The multiple-choice knapsack: one option per block, within a capacity, at the least cost.

Exact, in the way of Sinha and Zoltners (Operations Research 27(3), 1979) and Pisinger (European
Journal of Operational Research 83(2), 1995): the linear relaxation is solved on the convex hulls;
its multiplier gives every option a reduced cost; options that cost more than the gap to a solution
at hand are in no better one; what is left, the core, is enumerated with dominance.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import SolverError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.method import compiled

EXACT = 2.0**61  # 64-bit sums below it are exact, with room for a difference
FEW_STATES = 48  # looking for needless ones among fewer takes longer than it saves
MOST_STATES = 2**26  # of one step of the enumeration: 1 GiB

Integers = NDArray[Any]  # int64, or Python's integers where 64 bits would not do


@dataclass(frozen=True)
class Knapsack:
    """Blocks of options, in one flat list of N options.

    Attributes:
        start: Options of block b are ``start[b] .. start[b + 1] - 1``; shape (B + 1,).
        block: Block of every option, shape (N,).
        weights: Strictly ascending in every block, at least 0, shape (N,).
        costs: Shape (N,).
        capacity: At least the weight of the first options together.
        steps: Called if needed; returns ``hull_steps`` of the blocks, one after the other. None to
            have them computed.
    """

    start: IntArray
    block: IntArray
    weights: Integers
    costs: Integers
    capacity: int
    steps: Callable[[], IntArray] | None = None


def solve_knapsack(knapsack: Knapsack, kinds: Callable[[], Sequence[int]]) -> IntArray:
    """Choose one option per block at the least cost.

    Among the cheapest choices the canonical one is returned: it has the least weight and then
    comes first in lexicographic order of its options, reading the blocks kind by kind, kinds in
    the order in which they first appear.

    Args:
        knapsack: Blocks and capacity.
        kinds: Called if needed; returns for every block the first one that is alike.

    Returns:
        The chosen options, shape (B,).

    Raises:
        SolverError: If the enumeration would not fit in memory.
    """
    core = compiled()
    if core is not None:
        chosen = _solve_compiled(core, knapsack, kinds)
        if chosen is not None:
            return chosen
    first = knapsack.start[:-1]
    weights = knapsack.weights - knapsack.weights[first][knapsack.block]
    capacity = knapsack.capacity - sum(knapsack.weights[first].tolist())
    costs = knapsack.costs
    steps = _all_steps(knapsack) if knapsack.steps is None else knapsack.steps()
    heaviest = float(weights[knapsack.start[1:] - 1].astype(float).sum())
    if heaviest >= EXACT:
        weights = weights.astype(object)

    # The linear relaxation: steps along the hulls, the best gain per weight first.
    step_weights = weights[steps[1]] - weights[steps[0]]
    step_gains = costs[steps[0]] - costs[steps[1]]
    order = np.argsort((-step_gains / step_weights).astype(float), kind="stable")
    filled = np.cumsum(step_weights[order])
    whole = int(np.searchsorted(filled, capacity, side="right"))
    options = first.copy()
    taken = steps[1][order[:whole]]
    options[knapsack.block[taken]] = taken  # the last step of a block wins
    if whole == len(order):
        return options
    broken = order[whole]
    gain, weight = int(step_gains[broken]), int(step_weights[broken])

    # The multiplier is gain / weight. Any other is valid too, so precision gives way to 64 bits.
    most_cost = float(np.abs(costs).max()) * len(first)
    most_weight = heaviest + capacity
    total = weight * most_cost + gain * most_weight
    if total >= EXACT:
        scaled = max(1, int(weight / total * EXACT))
        gain, weight = gain * scaled // weight, scaled
        if weight * most_cost + gain * most_weight >= EXACT:
            costs, weights = costs.astype(object), weights.astype(object)
    reduced = weight * costs + gain * weights
    least = np.minimum.reduceat(reduced, first)
    reduced -= least[knapsack.block]
    bound = sum(least.tolist()) - gain * capacity
    incumbent = _round(knapsack, weights, costs, capacity, options, steps[:, broken])
    slack = weight * incumbent - bound

    kept = np.flatnonzero(reduced <= slack)
    return enumerate_core(
        blocks=knapsack.block[kept],
        options=kept,
        weights=weights[kept],
        reduced=reduced[kept],
        capacity=capacity,
        gain=gain,
        slack=slack,
        kinds=kinds,
    )


def _solve_compiled(
    core: Any, knapsack: Knapsack, kinds: Callable[[], Sequence[int]]
) -> IntArray | None:
    """Solve on 64-bit integers; None if they would not do."""
    if knapsack.weights.dtype == object or knapsack.costs.dtype == object:
        return None
    alike, none = np.array(kinds(), dtype=np.int64), np.empty(0, dtype=np.int64)
    chosen = np.empty(len(alike), dtype=np.int64)
    status = core.solve_one(
        *(knapsack.start, knapsack.weights, knapsack.costs, none, 0, knapsack.capacity),
        *(alike, chosen),
    )
    return chosen if status == core.SOLVED else None


def _round(
    knapsack: Knapsack,
    weights: Integers,
    costs: Integers,
    capacity: int,
    options: IntArray,
    step: IntArray,
) -> int:
    """Turn the linear relaxation into a solution, by the best single change; return its cost.

    Once from the whole steps alone, which leaves capacity unused, and once from one step more,
    which needs too much.
    """
    block, after = knapsack.block, int(step[1])
    changed = int(block[after])
    chosen_weights, chosen_costs = weights[options], costs[options]
    left = capacity - sum(chosen_weights.tolist())
    more_weight = weights - chosen_weights[block]
    more_cost = costs - chosen_costs[block]
    best = int(more_cost[more_weight <= left].min())  # no change at all is among them
    # The block of the step has been changed already.
    more_weight[knapsack.start[changed] : knapsack.start[changed + 1]] = capacity + 1
    left -= int(weights[after] - chosen_weights[changed])
    repairing = more_cost[more_weight <= left]
    if repairing.size:
        best = min(best, int(costs[after] - chosen_costs[changed]) + int(repairing.min()))
    total: int = sum(chosen_costs.tolist())
    return total + best


def enumerate_core(
    blocks: IntArray,
    options: IntArray,
    weights: Integers,
    reduced: Integers,
    capacity: int,
    gain: int,
    slack: int,
    kinds: Callable[[], Sequence[object]],
) -> IntArray:
    """Try all choices whose reduced costs stay within the slack, in lexicographic order.

    States are kept in that order, so that the first of equal ones is the canonical one. With the
    multiplier ``gain / weight`` a state of weight w and reduced cost z costs
    ``(z - gain * w) / weight`` more than a constant: one that is no lighter and no cheaper than
    another is dropped.

    Args:
        blocks: Block of every option that is left, ascending, shape (n,).
        options: What the options are called in the answer, shape (n,).
        weights: Beyond those of the first options of all blocks, shape (n,).
        reduced: Reduced costs, beyond the least of the block, shape (n,).
        capacity: For these weights.
        gain: Reduced cost of a unit of weight left over.
        slack: What reduced costs may add up to; some choice stays within it.
        kinds: Called if needed; returns a label per block, equal for blocks that are alike.

    Returns:
        The canonical cheapest choice, one option per block.

    Raises:
        SolverError: If the states would not fit in memory.
    """
    firsts = np.searchsorted(blocks, np.arange(blocks[-1] + 1))
    starts: list[int] = [*firsts.tolist(), len(blocks)]
    result: IntArray = options[firsts]
    core = [b for b, (a, end) in enumerate(pairwise(starts)) if end - a > 1]
    base = sum(weights[firsts].tolist()) - sum(int(weights[starts[b]]) for b in core)
    if len(core) > 1:
        core = reading_order(core, kinds())
    lightest = [int(weights[starts[b]]) for b in core]
    heaviest = [int(weights[starts[b + 1] - 1]) for b in core]
    rest_least, rest_most = sum(lightest), sum(heaviest)

    w = np.array([base], dtype=weights.dtype)
    z = np.zeros(1, dtype=reduced.dtype)
    origins = []
    for b, low, high in zip(core, lightest, heaviest, strict=True):
        rest_least -= low
        rest_most -= high
        mine = slice(starts[b], starts[b + 1])
        count = starts[b + 1] - starts[b]
        if len(w) * count > MOST_STATES:
            raise SolverError(
                f"Expected at most {MOST_STATES} states in the enumeration, got "
                f"{len(w) * count}. Use solve_ilp with canonical=False."
            )
        w = (w[:, None] + weights[mine]).ravel()
        z = (z[:, None] + reduced[mine]).ravel()
        alive = None
        if len(w) > FEW_STATES or b == core[-1]:
            # Weight left over at the end counts with the multiplier.
            unused = np.maximum(capacity - rest_most - w, 0)
            alive = ((w <= capacity - rest_least) & (z + gain * unused <= slack)).nonzero()[0]
            w, z = w[alive], z[alive]
        if alive is not None and len(w) > FEW_STATES:
            best = _undominated(w, z - gain * w)
            alive, w, z = alive[best], w[best], z[best]
        origins.append((alive, count))
    state = int(np.lexsort((w, z - gain * w))[0])
    for b, (alive, count) in zip(reversed(core), reversed(origins), strict=True):
        flat = state if alive is None else int(alive[state])
        state, choice = divmod(flat, count)
        result[b] = options[starts[b] + choice]
    return result


def reading_order(blocks: Iterable[int], kinds: Sequence[object]) -> list[int]:
    """Sort blocks kind by kind, kinds in the order in which they first appear.

    Args:
        blocks: Ascending.
        kinds: Label of every block.

    Returns:
        The blocks in the order in which canonical solutions compare them.
    """
    members: dict[object, list[int]] = {}
    for block in blocks:
        members.setdefault(kinds[block], []).append(block)
    return [block for alike in members.values() for block in alike]


def _undominated(weights: Integers, costs: Integers) -> IntArray:
    """Find the states that no lighter or equal one beats or equals; of equal ones the first."""
    order = np.lexsort((costs, weights))
    ordered = costs[order]
    lower = np.ones(len(order), dtype=bool)
    lower[1:] = ordered[1:] < np.minimum.accumulate(ordered)[:-1]
    undominated: IntArray = order[lower]
    undominated.sort()
    return undominated


def hull_steps(weights: Integers, costs: Integers) -> IntArray:
    """Walk the lower convex hull of a block, down to its cheapest option (monotone chain).

    Args:
        weights: Strictly ascending, shape (K,).
        costs: Shape (K,).

    Returns:
        Steps from one vertex to the next, shape (2, H): option before, option after. The gain per
        weight falls strictly from step to step.
    """
    hull: list[tuple[int, int, int]] = []
    for index, (w, c) in enumerate(zip(weights.tolist(), costs.tolist(), strict=True)):
        if hull and c >= hull[-1][1]:
            continue
        while len(hull) > 1:
            (w0, c0, _), (w1, c1, _) = hull[-2:]
            if (c0 - c1) * (w - w1) > (c1 - c) * (w1 - w0):
                break
            hull.pop()
        hull.append((w, c, index))
    vertices = [index for *_, index in hull]
    return np.array([vertices[:-1], vertices[1:]], dtype=np.int64)


def _all_steps(knapsack: Knapsack) -> IntArray:
    steps = [
        a + hull_steps(knapsack.weights[a:b], knapsack.costs[a:b])
        for a, b in pairwise(knapsack.start.tolist())
        if b > a + 1
    ]
    return np.concatenate(steps, axis=1) if steps else np.empty((2, 0), dtype=np.int64)
