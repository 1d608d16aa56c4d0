"""The knapsacks of ``knapsack`` and ``batch``, compiled with Numba; see ``method`` for when.

The same method, a problem at a time and on 64-bit integers alone. The canonical solution is one,
whatever the multiplier and the order of the work, so both ways return the same. What might overflow
is measured in floats first, and given back undone.
"""

# Numba finds the types.
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN201, ANN202, C901
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types

EXACT = 2.0**61  # 64-bit sums below it are exact, with room for a difference
MOST_STATES = 2**24  # of one problem: half a GiB
FEW_STEPS = 24  # sorted at the end
FIRST_STATES = 512  # room for them at first

SOLVED, TOO_LARGE = 0, 1  # what the functions return

_INT = types.int64
_INTS = types.Array(_INT, 1, "C", readonly=True)
_ROWS = types.Array(_INT, 2, "C", readonly=True)
_FLOATS = types.Array(types.float64, 1, "C", readonly=True)
_OUT = types.Array(_INT, 1, "C")
_OUT_ROWS = types.Array(_INT, 2, "C")


def _compiled(*signature: Any) -> Callable[[Any], Any]:
    """Compile a function; machine code is kept where Numba finds a folder that it may write."""

    def decorate(function: Any) -> Any:
        try:
            return njit(*signature, cache=True, nogil=True)(function)
        except RuntimeError:  # no such folder
            return njit(*signature, nogil=True)(function)

    return decorate


@_compiled()
def _walk_hulls(start, weights, costs, step_start, before, after):
    """List the steps down the lower convex hull of every block; rounding costs no exactness."""
    count = 0
    for block in range(len(start) - 1):
        step_start[block] = count
        first = start[block]
        top = first  # vertices lie in after[], the first one apart
        for option in range(first + 1, start[block + 1]):
            if costs[option] >= costs[top]:
                continue
            while count > step_start[block]:
                last = before[count - 1]
                gained = float(costs[last] - costs[top]) * float(weights[option] - weights[top])
                if gained > float(costs[top] - costs[option]) * float(weights[top] - weights[last]):
                    break
                count -= 1
                top = last
            before[count], after[count] = top, option
            count += 1
            top = option
    step_start[len(start) - 1] = count


@_compiled()
def _weight_above(slopes, step_weights, slope):
    weight, count = 0, 0
    for step in range(len(slopes)):
        above = slopes[step] > slope
        weight += step_weights[step] if above else 0
        count += above
    return weight, count


@_compiled()
def _break_slope(slopes, step_weights, room):
    """Find the slope of the step that does not fit, when those of the largest slopes go first."""
    steep, flat = np.inf, 0.0  # steps above the first one fit, those above the second do not
    at_steep, at_flat = 0, np.sum(step_weights)
    x_steep, x_flat = 0.0, np.inf
    above, below = 0, len(slopes)
    slope = np.max(slopes) / 64
    for turn in range(64):
        if below - above <= FEW_STEPS:
            break
        weight, count = _weight_above(slopes, step_weights, slope)
        x = 1 / np.sqrt(slope)
        if weight <= room:
            steep, at_steep, x_steep, above = slope, weight, x, count
        else:
            flat, at_flat, x_flat, below = slope, weight, x, count
        if flat == 0.0:
            slope = steep / 16
        elif turn % 3 == 2:
            slope = np.sqrt(min(steep, flat * 1e9)) * np.sqrt(flat)
        else:
            # Of layers that halve their time with twice the copies the weight is linear in x.
            share = (float(room - at_steep) + 0.5) / float(at_flat - at_steep)
            x = x_steep + (x_flat - x_steep) * min(max(share, 0.02), 0.98)
            slope = 1 / (x * x)
        if not flat < slope < steep:
            slope = flat + (steep - flat) / 2
            if not flat < slope < steep:
                break
    between = np.empty(below - above)
    weights = np.empty(below - above, np.int64)
    room -= at_steep
    number = 0
    for step in range(len(slopes)):
        if flat < slopes[step] <= steep:
            at = number
            while at > 0 and between[at - 1] < slopes[step]:
                between[at], weights[at] = between[at - 1], weights[at - 1]
                at -= 1
            between[at], weights[at] = slopes[step], step_weights[step]
            number += 1
    for at in range(number):
        room -= weights[at]
        if room < 0:
            return between[at]
    return flat


@_compiled()
def _improved(start, weights, costs, chosen, left):
    """Spend what is left, the best single change first; return the cost that this saves."""
    saved = 0
    while True:
        best, best_block, best_option = 0, -1, -1
        for block in range(len(start) - 1):
            option = chosen[block]
            most, cost = weights[option] + left, costs[option]
            option += 1
            while option < start[block + 1] and weights[option] <= most:
                if cost - costs[option] > best:
                    best, best_block, best_option = cost - costs[option], block, option
                option += 1
        if best_block < 0:
            return saved
        left -= weights[best_option] - weights[chosen[best_block]]
        chosen[best_block] = best_option
        saved += best


@_compiled()
def _first_in_order(parent, option, a, a_option, b, b_option):
    """Whether the choices that lead to one state come before those that lead to another."""
    while a != b:
        a_option, b_option = option[a], option[b]
        a, b = parent[a], parent[b]
    return a_option < b_option


@_compiled()
def _extend(states, low, high, weights, reduced, first, most, full, free, capacity, gain, slack):
    """Extend the states ``low .. high - 1`` by the options of a block; see ``_enumerate``.

    The lists of states with each of the options are merged by weight, their heads at hand.
    """
    w, z, parent, picked = states[0], states[1], states[2], states[3]
    width = len(weights)
    head = np.empty((4, width), np.int64)
    at, head_w, head_z, head_c = head[0], head[1], head[2], head[3]
    end, lowest = high, np.int64(2**62)
    for j in range(width):
        at[j] = low - 1
    moved, last = 0, width
    while True:
        for j in range(moved, last):
            more_w, more_z = weights[j], reduced[j]
            state = at[j] + 1
            while state < high:
                new_w, new_z = w[state] + more_w, z[state] + more_z
                if new_w > most:
                    state = high
                    break
                unused = max(full - new_w, 0)
                c = new_z - gain * new_w
                if c < lowest and new_z + gain * unused <= slack:
                    head_w[j], head_z[j], head_c[j] = new_w, new_z, c
                    break
                state += 1
            if state >= high:
                head_w[j] = np.int64(2**62)
            at[j] = state
        moved = 0
        for j in range(1, width):
            if head_w[j] > head_w[moved]:
                continue
            if (
                head_w[j] < head_w[moved]
                or head_c[j] < head_c[moved]
                or (
                    head_c[j] == head_c[moved]
                    and at[j] < high
                    and _first_in_order(parent, picked, at[j], first + j, at[moved], first + moved)
                )
            ):
                moved = j
        if at[moved] >= high:
            return end, slack
        last = moved + 1
        if head_c[moved] < lowest:
            lowest = head_c[moved]
            w[end], z[end] = head_w[moved], head_z[moved]
            parent[end], picked[end] = at[moved], first + moved
            end += 1
            left = capacity - head_w[moved] - free
            if left >= 0:
                slack = min(slack, head_z[moved] + gain * left)


@_compiled()
def _enumerate(blocks, start, options, weights, reduced, used, capacity, gain, slack, chosen):
    """Try all choices of some blocks whose reduced costs stay within the slack.

    States are kept by weight, their costs strictly falling; of equal ones the first in order. Each
    is completed with options of no reduced cost, which may tighten the slack.
    """
    count = len(blocks)
    free_weights = np.empty(count, np.int64)
    least, most, free = used, used, used
    for level in range(count):
        low, high = start[level], start[level + 1]
        least += weights[low]
        most += weights[high - 1]
        for option in range(low, high):
            if reduced[option] == 0:
                free_weights[level] = weights[option]
                break
        free += free_weights[level]
    least, most, free = least - used, most - used, free - used
    states = np.empty((4, FIRST_STATES), np.int64)  # weight, reduced cost, state before, option
    states[:, 0] = used, 0, -1, -1
    low, high = 0, 1  # those of the level before
    for level in range(count):
        first, last = start[level], start[level + 1]
        least -= weights[first]
        most -= weights[last - 1]
        free -= free_weights[level]
        needed = high + (high - low) * (last - first)
        if needed > states.shape[1]:
            if needed > MOST_STATES:
                return TOO_LARGE
            larger = np.empty((4, 2 * needed), np.int64)
            larger[:, :high] = states[:, :high]
            states = larger
        end, slack = _extend(
            states,
            low,
            high,
            weights[first:last],
            reduced[first:last],
            first,
            capacity - least,
            capacity - most,
            free,
            capacity,
            gain,
            slack,
        )
        low, high = high, end
    state = high - 1
    for level in range(count - 1, -1, -1):
        chosen[blocks[level]] = options[states[3, state]]
        state = states[2, state]
    return SOLVED


@_compiled()
def _solve(start, weights, costs, capacity, kind, step_start, before, after, slopes, chosen):
    """Choose one option per block, canonically; weights begin with 0 in every block."""
    count = len(start) - 1
    steps = step_start[count]
    heaviest = 0.0
    most_cost = 0.0
    for block in range(count):
        heaviest += float(weights[start[block + 1] - 1])
        dearest = 0
        for cost in costs[start[block] : start[block + 1]]:
            dearest = max(dearest, abs(cost))
        most_cost += float(dearest)
    if heaviest >= EXACT:
        return TOO_LARGE
    # The linear relaxation: steps along the hulls, the best gain per weight first.
    needed = 0
    step_weights = np.empty(steps, np.int64)
    for step in range(steps):
        step_weights[step] = weights[after[step]] - weights[before[step]]
        needed += step_weights[step]
    if needed <= capacity:
        for block in range(count):
            low, high = step_start[block], step_start[block + 1]
            chosen[block] = after[high - 1] if high > low else start[block]
        return SOLVED
    slope = _break_slope(slopes, step_weights, capacity)
    left, cost = capacity, 0
    for block in range(count):
        option = start[block]
        step = step_start[block]
        while step < step_start[block + 1] and slopes[step] > slope:
            option = after[step]
            step += 1
        chosen[block] = option
        left -= weights[option]
        cost += costs[option]
    broken = -1
    for block in range(count):
        for step in range(step_start[block], step_start[block + 1]):
            if slopes[step] == slope and before[step] == chosen[block]:
                weight = weights[after[step]] - weights[before[step]]
                if weight <= left:
                    left -= weight
                    cost += costs[after[step]] - costs[before[step]]
                    chosen[block] = after[step]
                elif broken < 0:
                    broken = step
            elif slopes[step] < slope:
                break
    if broken < 0:
        return TOO_LARGE  # slopes too close for floats
    gain = costs[before[broken]] - costs[after[broken]]
    weight = weights[after[broken]] - weights[before[broken]]
    total = float(weight) * most_cost + float(gain) * (heaviest + float(capacity))
    if total >= EXACT:
        # Any multiplier is valid: precision gives way to 64 bits.
        scaled = max(1, int(float(weight) / total * (EXACT / 2)))
        gain = int(float(gain) / float(weight) * float(scaled))
        weight = scaled
        if float(weight) * most_cost + float(gain) * (heaviest + float(capacity)) >= EXACT:
            return TOO_LARGE
    reduced = np.empty(start[count], np.int64)
    bound = -gain * capacity
    for block in range(count):
        low, high = start[block], start[block + 1]
        own, own_weights, own_costs = reduced[low:high], weights[low:high], costs[low:high]
        least = weight * own_costs[0] + gain * own_weights[0]
        for option in range(len(own)):
            own[option] = weight * own_costs[option] + gain * own_weights[option]
            least = min(least, own[option])
        for option in range(len(own)):
            own[option] -= least
        bound += least
    cost -= _improved(start, weights, costs, chosen, left)
    slack = weight * cost - bound
    # What is left: blocks with a choice in reading order, and their options.
    kept = np.empty(start[count], np.int64)
    blocks = np.empty(count, np.int64)
    open_blocks, used, number = 0, 0, 0
    for block in range(count):
        number, last = 0, 0
        own = reduced[start[block] : start[block + 1]]
        for option in range(len(own)):
            within = own[option] <= slack
            number += within
            last = max(last, option if within else 0)
        chosen[block] = start[block] + last
        if number == 1:
            used += weights[chosen[block]]
        else:
            at = open_blocks
            while at > 0 and kind[blocks[at - 1]] > kind[block]:
                blocks[at] = blocks[at - 1]
                at -= 1
            blocks[at] = block
            open_blocks += 1
    if open_blocks == 0:
        return SOLVED
    blocks = blocks[:open_blocks]
    core_start = np.empty(open_blocks + 1, np.int64)
    number = 0
    for level in range(open_blocks):
        core_start[level] = number
        block = blocks[level]
        for option in range(start[block], start[block + 1]):
            if reduced[option] <= slack:
                kept[number] = option
                number += 1
    core_start[open_blocks] = number
    kept = kept[:number]
    return _enumerate(
        blocks, core_start, kept, weights[kept], reduced[kept], used, capacity, gain, slack, chosen
    )


@_compiled(_INT(_INTS, _INTS, _INTS, _INT, _INTS, _OUT))
def solve_knapsack(start, weights, costs, capacity, kind, chosen):
    """Do what ``knapsack.solve_knapsack`` does.

    Args:
        start: Options of block b are ``start[b] .. start[b + 1] - 1``; shape (B + 1,).
        weights: Strictly ascending in every block, at least 0, shape (N,).
        costs: Shape (N,).
        capacity: At least the weight of the first options together.
        kind: For every block the first one that is alike, shape (B,).
        chosen: Is given the options, shape (B,).

    Returns:
        ``SOLVED``, or ``TOO_LARGE`` for 64 bits or for memory.
    """
    count = len(start) - 1
    beyond = np.empty(len(weights), np.int64)
    for block in range(count):
        first = weights[start[block]]
        capacity -= first
        for option in range(start[block], start[block + 1]):
            beyond[option] = weights[option] - first
    step_start = np.empty(count + 1, np.int64)
    before, after = np.empty(len(weights), np.int64), np.empty(len(weights), np.int64)
    _walk_hulls(start, beyond, costs, step_start, before, after)
    steps = step_start[count]
    slopes = np.empty(steps)
    for step in range(steps):
        gain = costs[before[step]] - costs[after[step]]
        slopes[step] = float(gain) / float(beyond[after[step]] - beyond[before[step]])
    return _solve(start, beyond, costs, capacity, kind, step_start, before, after, slopes, chosen)


@_compiled(
    types.void(
        _INTS, _INTS, _INTS, _INTS, _INTS, _INTS, _FLOATS, _ROWS, _ROWS, _INT, _OUT_ROWS, _OUT
    )
)
def solve_latencies(
    start, copies, shares, step_start, before, after, ratios, tiles, per_unit, budget, found, status
):
    """Minimise the latency in many problems of the same layers.

    Args:
        start: As the other tables of options and hull steps that of a ``CopyTable``.
        copies: Shape (N,).
        shares: Shape (N,).
        step_start: Shape (L + 1,).
        before: Shape (H,).
        after: Shape (H,).
        ratios: Shares saved by every step for a copy, shape (H,).
        tiles: Shape (B, L), at least 1 where copies compete.
        per_unit: Shape (B, L).
        budget: At least the tiles of one copy of every layer.
        found: Is given the copies, shape (B, L).
        status: Is given ``SOLVED`` or ``TOO_LARGE``, shape (B,).
    """
    layers = len(start) - 1
    weights, costs = np.empty(len(copies), np.int64), np.empty(len(copies), np.int64)
    slopes, kind = np.empty(len(ratios)), np.empty(layers, np.int64)
    for row in range(len(tiles)):
        own_tiles, own_cycles, chosen = tiles[row], per_unit[row], found[row]
        capacity = budget
        for layer in range(layers):
            low, high = start[layer], start[layer + 1]
            capacity -= own_tiles[layer]
            own_copies, own_shares = copies[low:high], shares[low:high]
            own_weights, own_costs = weights[low:high], costs[low:high]
            for option in range(len(own_copies)):
                own_weights[option] = (own_copies[option] - 1) * own_tiles[layer]
                own_costs[option] = own_shares[option] * own_cycles[layer]
            ratio = float(own_cycles[layer]) / float(max(own_tiles[layer], 1))
            for step in range(step_start[layer], step_start[layer + 1]):
                slopes[step] = ratios[step] * ratio
            kind[layer] = layer
            for other in range(layer):
                if (
                    own_tiles[other] == own_tiles[layer]
                    and own_cycles[other] == own_cycles[layer]
                    and copies[start[other + 1] - 1] == copies[high - 1]
                ):
                    kind[layer] = other
                    break
        status[row] = _solve(
            start, weights, costs, capacity, kind, step_start, before, after, slopes, chosen
        )
        if status[row] == SOLVED:
            for layer in range(layers):
                chosen[layer] = copies[chosen[layer]]
