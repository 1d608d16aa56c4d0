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
ROUNDED = 2.0**58  # a weighted sum along a rounded direction, for every block
FEW_STEPS = 24  # sorted at the end
FIRST_STATES = 512  # room for them at first

MOST_POINTS = 256  # of one hull
MARGIN = 1e-12  # of a bound in floats, whose rounding takes a thousandth of it
SOLVED, TOO_LARGE, TIED = 0, 1, 2  # what the functions return

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
    heaviest, most_cost = 0.0, 0.0
    ends = np.empty(count, np.int64)  # behind the options that fit by themselves
    for block in range(count):
        low, high = start[block], start[block + 1]
        while low < high:
            middle = (low + high) // 2
            if weights[middle] <= capacity:
                low = middle + 1
            else:
                high = middle
        ends[block] = low
        heaviest += float(weights[low - 1])
        dearest = 0
        for cost in costs[start[block] : low]:
            dearest = max(dearest, abs(cost))
        most_cost += float(dearest)
    if heaviest >= EXACT:
        return TOO_LARGE
    # The linear relaxation: steps along the hulls, the best gain per weight first.
    needed = 0.0
    step_weights = np.empty(steps, np.int64)
    for step in range(steps):
        step_weights[step] = weights[after[step]] - weights[before[step]]
        needed += float(step_weights[step])
    if needed >= EXACT:
        return TOO_LARGE
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
        low, high = start[block], ends[block]
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
        own = reduced[start[block] : ends[block]]
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
        for option in range(start[block], ends[block]):
            if reduced[option] <= slack:
                kept[number] = option
                number += 1
    core_start[open_blocks] = number
    kept = kept[:number]
    return _enumerate(
        blocks, core_start, kept, weights[kept], reduced[kept], used, capacity, gain, slack, chosen
    )


@_compiled()
def _solve_any(start, weights, costs, capacity, kind, chosen):
    """Do the same for costs whose hulls are not known; weights begin with 0 in every block."""
    step_start = np.empty(len(start), np.int64)
    before, after = np.empty(len(weights), np.int64), np.empty(len(weights), np.int64)
    _walk_hulls(start, weights, costs, step_start, before, after)
    slopes = np.empty(step_start[-1])
    for step in range(len(slopes)):
        gain = costs[before[step]] - costs[after[step]]
        slopes[step] = float(gain) / float(weights[after[step]] - weights[before[step]])
    return _solve(start, weights, costs, capacity, kind, step_start, before, after, slopes, chosen)


@_compiled()
def _product(a, b):
    """Multiply two numbers from 0 to 2**62; return the quotient by 2**62 and the rest."""
    half = np.int64(2**31 - 1)
    middle = (a >> 31) * (b & half) + (a & half) * (b >> 31)
    low = (a & half) * (b & half) + ((middle & half) << 31)
    return (a >> 31) * (b >> 31) + (middle >> 31) + (low >> 62), low & np.int64(2**62 - 1)


@_compiled()
def _difference(a, b, c, d):
    """Return a * b - c * d, rounded once."""
    high, low = _product(a, b)
    other_high, other_low = _product(c, d)
    high, low = high - other_high, low - other_low
    if high > 0 > low:
        high, low = high - 1, low + np.int64(2**62)
    elif high < 0 < low:
        high, low = high + 1, low - np.int64(2**62)
    return float(high) * 2.0**62 + float(low)


@_compiled()
def _corner(lines, one, other):
    """Bound the product from below where two lines ``a C + b E = bound`` cross, the steeper first.

    By nothing where they do not.
    """
    a, b, bound = lines[0, one], lines[1, one], lines[2, one]
    other_a, other_b, other_bound = lines[0, other], lines[1, other], lines[2, other]
    determinant = _difference(a, other_b, other_a, b)
    if determinant <= 0:
        return 0.0
    first = _difference(bound, other_b, other_bound, b) / determinant
    second = _difference(a, other_bound, other_a, bound) / determinant
    product = first * second
    return product - abs(product) * MARGIN


@_compiled()
def _goes_through(lines, line, points, point):
    weighted = lines[0, line] * points[0, point] + lines[1, line] * points[1, point]
    return weighted == lines[2, line]


@_compiled()
def _support(
    start, weights, sums, largest, capacity, kind, direction, points, found, lines, number
):
    """Find the solution that lies farthest in a direction; return its number or -1."""
    a, b = direction
    if float(a) * float(largest[0]) + float(b) * float(largest[1]) >= EXACT:
        return -1
    count, costs, chosen = number[0], np.empty(len(weights), np.int64), found[number[0]]
    for option in range(len(costs)):
        costs[option] = a * sums[0, option] + b * sums[1, option]
    if _solve_any(start, weights, costs, capacity, kind, chosen) != SOLVED:
        return -1
    first, second = sums[2, 0], 0
    for block in range(len(chosen)):
        first += sums[0, chosen[block]]
        second += sums[1, chosen[block]]
    line = number[1]
    lines[0, line], lines[1, line], lines[2, line] = a, b, a * first + b * second
    number[1] += 1
    for point in range(count):
        if points[0, point] == first and points[1, point] == second:
            return point
    points[0, count], points[1, count] = first, second
    points[2, count], points[3, count] = _product(first, second)
    if points[2, count] < points[2, number[2]] or (
        points[2, count] == points[2, number[2]] and points[3, count] < points[3, number[2]]
    ):
        number[2] = count
    number[0] += 1
    return count


@_compiled()
def _lies_below(points, a, b, left, middle):
    """Whether the line through the left point in a direction is above the middle one."""
    right_by = points[0, middle] - points[0, left]
    down_by = points[1, left] - points[1, middle]
    if right_by <= 0 or down_by <= 0:
        return right_by <= 0 <= down_by and right_by < down_by
    high, low = _product(a, right_by)
    other_high, other_low = _product(b, down_by)
    return high < other_high or (high == other_high and low < other_low)


@_compiled()
def _common_divisor(a, b):
    while b:
        a, b = b, a % b
    return a


@_compiled()
def _rounded(a, b, largest, most):
    """Shorten a direction whose weighted sums might be more than some number."""
    total = float(a) * float(largest[0]) + float(b) * float(largest[1])
    if total < most:
        return a, b
    short = max(1, int(float(min(a, b)) * (most / total)))
    long = int(float(max(a, b)) / float(min(a, b)) * float(short) + 0.5)
    return (long, short) if a > b else (short, long)


@_compiled()
def _least_product(start, weights, sums, capacity, kind, chosen):
    """Minimise the product of two sums, as ``product.least_product`` does.

    Args:
        start: As of ``solve_one``.
        weights: From 0 on in every block, shape (N,).
        sums: What options add to the sums, and in the third row what the first begins with, (3, N).
        capacity: Beyond the first options.
        kind: As of ``solve_one``.
        chosen: Is given the options.

    Returns:
        ``SOLVED``; ``TIED`` if there are several best pairs of sums; or ``TOO_LARGE``.
    """
    blocks = len(start) - 1
    largest = np.zeros(2)
    largest[0] = float(sums[2, 0])
    for row in range(2):
        for block in range(blocks):
            largest[row] += float(sums[row, start[block] : start[block + 1]].max())
    if largest[0] >= EXACT or largest[1] >= EXACT:
        return TOO_LARGE
    points, found = np.empty((4, MOST_POINTS), np.int64), np.empty((MOST_POINTS, blocks), np.int64)
    lines, number = np.empty((3, 2 * MOST_POINTS), np.int64), np.zeros(3, np.int64)
    points[2, 0] = 2**62  # the best so far
    # What lies between two points, above the lines that they were found on: see ``product``.
    regions, bounds = np.empty((4, 2 * MOST_POINTS), np.int64), np.empty(2 * MOST_POINTS)
    for a in (1, 0):
        end = _support(
            start, weights, sums, largest, capacity, kind, (a, 1 - a), points, found, lines, number
        )
        if end < 0:
            return TOO_LARGE
        regions[2 * (1 - a), 0], regions[2 * (1 - a) + 1, 0] = end, 1 - a
    bounds[0] = 0.0
    waiting = 1
    while waiting:
        region = np.argmin(bounds[:waiting])
        bound = bounds[region]
        left, left_line = regions[0, region], regions[1, region]
        right, right_line = regions[2, region], regions[3, region]
        waiting -= 1
        regions[:, region], bounds[region] = regions[:, waiting], bounds[waiting]
        least = float(points[2, number[2]]) * 2.0**62 + float(points[3, number[2]])
        least += least * MARGIN
        if bound > least:
            break
        a, b = points[1, left] - points[1, right], points[0, right] - points[0, left]
        if a <= 0 or b <= 0:
            continue
        divisor = _common_divisor(a, b)
        a, b = a // divisor, b // divisor
        direction = _rounded(a, b, largest, ROUNDED / blocks)
        before, tried = -1, 0
        while True:
            if number[1] >= 2 * MOST_POINTS - 1 or number[0] >= MOST_POINTS - 1:
                return TOO_LARGE
            line = number[1]
            middle = _support(
                *(start, weights, sums, largest, capacity, kind, direction, points, found),
                *(lines, number),
            )
            if middle < 0:
                return TOO_LARGE
            if _lies_below(points, a, b, left, middle):
                regions[0, waiting], regions[1, waiting] = left, left_line
                regions[2, waiting], regions[3, waiting] = middle, line
                bounds[waiting] = _corner(lines, left_line, line)
                waiting += 1
                regions[0, waiting], regions[1, waiting] = middle, line
                regions[2, waiting], regions[3, waiting] = right, right_line
                bounds[waiting] = _corner(lines, line, right_line)
                waiting += 1
                break
            if direction == (a, b):
                break  # an edge of the hull
            # The rounded direction, then its neighbour on the other side, then as it is.
            tried += 1
            left_by = _difference(direction[0], b, a, direction[1])
            if tried == 1:
                before, down = line, -1 if left_by > 0 else 1
                direction = (
                    (direction[0] + down, direction[1])
                    if direction[0] > direction[1]
                    else (direction[0], direction[1] - down)
                )
                continue
            steep, flat = (line, before) if left_by > 0 else (before, line)
            beside = _corner(lines, steep, flat)
            # Below a point that both lines go through nothing is left.
            if not _goes_through(lines, steep, points, left):
                beside = min(beside, _corner(lines, left_line, steep))
            if not _goes_through(lines, flat, points, right):
                beside = min(beside, _corner(lines, flat, right_line))
            if beside > least:
                break
            direction = (a, b)
    best = number[2]
    for point in range(number[0]):
        same = points[2, point] == points[2, best] and points[3, point] == points[3, best]
        if same and point != best:
            return TIED
    chosen[:] = found[best]
    return SOLVED


@_compiled(_INT(_INTS, _INTS, _INTS, _INTS, _INT, _INT, _INTS, _OUT))
def solve_one(start, weights, costs, energy, fixed, capacity, kind, chosen):
    """Do what ``knapsack.solve_knapsack`` does, or minimise the product of two sums.

    Args:
        start: Options of block b are ``start[b] .. start[b + 1] - 1``; shape (B + 1,).
        weights: Strictly ascending in every block, at least 0, shape (N,).
        costs: Shape (N,).
        energy: The costs of the other sum, shape (N,); of shape (0,) for a knapsack.
        fixed: What the sum of costs begins with, in a product.
        capacity: At least the weight of the first options together.
        kind: For every block the first one that is alike, shape (B,).
        chosen: Is given the options, shape (B,).

    Returns:
        ``SOLVED``, or ``TOO_LARGE`` for 64 bits or for memory; of products ``TIED`` if several
        pairs of sums are best.
    """
    beyond = np.empty(len(weights), np.int64)
    for block in range(len(start) - 1):
        first = weights[start[block]]
        capacity -= first
        for option in range(start[block], start[block + 1]):
            beyond[option] = weights[option] - first
    if len(energy) == 0:
        return _solve_any(start, beyond, costs, capacity, kind, chosen)
    sums = np.empty((3, len(weights)), np.int64)
    sums[0], sums[1], sums[2, 0] = costs, energy, fixed
    return _least_product(start, beyond, sums, capacity, kind, chosen)


@_compiled(
    types.void(
        *(_INTS, _INTS, _INTS, _INTS, _INTS, _INTS, _FLOATS, _ROWS, _ROWS, _ROWS, _INTS, _ROWS),
        *(_INT, _OUT_ROWS, _OUT),
    )
)
def solve_many(
    start, copies, shares, step_start, before, after, ratios, tiles, per_unit, fixed, energy, rows,
    budget, found, status,
):  # fmt: skip
    """Minimise the latency, or its product with the energy, in many problems of the same layers.

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
        fixed: Shape (B, L).
        energy: Energies of layers with all their copies, one after the other; (0,) for latency.
        rows: Where those of every layer begin, shape (B, L).
        budget: At least the tiles of one copy of every layer.
        found: Is given the copies, shape (B, L).
        status: Is given what ``solve_one`` returns, shape (B,).
    """
    layers = len(start) - 1
    weights, kind = np.empty(len(copies), np.int64), np.empty(layers, np.int64)
    sums, slopes = np.empty((3, len(copies)), np.int64), np.empty(len(ratios))
    costs = sums[0]
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
            if len(energy) > 0:
                sums[1, low:high] = energy[rows[row, layer] : rows[row, layer] + high - low]
            kind[layer] = layer
            for other in range(layer):
                if (
                    own_tiles[other] == own_tiles[layer]
                    and own_cycles[other] == own_cycles[layer]
                    and copies[start[other + 1] - 1] == copies[high - 1]
                ):
                    alike = True
                    if len(energy) > 0:
                        for option in range(high - low):
                            if sums[1, low + option] != sums[1, start[other] + option]:
                                alike = False
                                break
                    if alike:
                        kind[layer] = other
                        break
        if len(energy) > 0:
            sums[2, 0] = fixed[row].sum()
            status[row] = _least_product(start, weights, sums, capacity, kind, chosen)
        else:
            for layer in range(layers):
                ratio = float(own_cycles[layer]) / float(max(own_tiles[layer], 1))
                for step in range(step_start[layer], step_start[layer + 1]):
                    slopes[step] = ratios[step] * ratio
            status[row] = _solve(
                start, weights, costs, capacity, kind, step_start, before, after, slopes, chosen
            )
        if status[row] == SOLVED:
            for layer in range(layers):
                chosen[layer] = copies[chosen[layer]]
