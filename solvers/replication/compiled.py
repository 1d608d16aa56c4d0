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
TURN = 1.1  # of chords from the solution at hand
AIM = 1e-7  # by how much chords end above a hyperbola
MARGIN = 1e-12  # of a bound in floats, whose rounding takes a thousandth of it
SOLVED, TOO_LARGE, TIED, OPEN = 0, 1, 2, 3  # what the functions return

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
def _walk_hulls(options, start, weights, costs, step_start, before, after):
    """List the steps down the lower convex hull of every block; rounding costs no exactness.

    ``options`` are those looked at, of block b ``options[start[b]] .. options[start[b + 1] - 1]``.
    """
    count = 0
    for block in range(len(start) - 1):
        step_start[block] = count
        first = options[start[block]]
        top = first  # vertices lie in after[], the first one apart
        for place in range(start[block] + 1, start[block + 1]):
            option = options[place]
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
def _extend(
    states, head, low, high, weights, reduced, first, most, full, free, capacity, gain, slack
):
    """Extend the states ``low .. high - 1`` by the options of a block; see ``_enumerate``.

    The lists of states with each of the options are merged by weight, their heads at hand.
    """
    w, z, parent, picked = states[0], states[1], states[2], states[3]
    width = len(weights)
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
    least, most, free, width = used, used, used, 0
    for level in range(count):
        low, high = start[level], start[level + 1]
        width = max(width, high - low)
        least += weights[low]
        most += weights[high - 1]
        for option in range(low, high):
            if reduced[option] == 0:
                free_weights[level] = weights[option]
                break
        free += free_weights[level]
    least, most, free = least - used, most - used, free - used
    head = np.empty((4, width), np.int64)
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
            head,
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
def _relax(start, weights, costs, capacity, step_start, before, after, slopes, chosen, ends):
    """Solve the linear relaxation: steps along the hulls, the best gain per weight first.

    Returns:
        ``SOLVED`` if all options of the least cost fit, ``OPEN`` if not, or ``TOO_LARGE``; the
        multiplier of the weight, ``gain / weight``; and the capacity that the options in
        ``chosen`` leave and their cost. ``ends`` is given what lies behind the options that fit by
        themselves.
    """
    count = len(start) - 1
    steps = step_start[count]
    heaviest, most_cost = 0.0, 0.0
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
        return TOO_LARGE, 0, 1, 0, 0
    needed = 0.0
    step_weights = np.empty(steps, np.int64)
    for step in range(steps):
        step_weights[step] = weights[after[step]] - weights[before[step]]
        needed += float(step_weights[step])
    if needed >= EXACT:
        return TOO_LARGE, 0, 1, 0, 0
    left, cost = capacity, 0
    if needed <= capacity:
        for block in range(count):
            low, high = step_start[block], step_start[block + 1]
            chosen[block] = after[high - 1] if high > low else start[block]
            left -= weights[chosen[block]]
            cost += costs[chosen[block]]
        return SOLVED, 0, 1, left, cost
    slope = _break_slope(slopes, step_weights, capacity)
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
        return TOO_LARGE, 0, 1, 0, 0  # slopes too close for floats
    gain = costs[before[broken]] - costs[after[broken]]
    weight = weights[after[broken]] - weights[before[broken]]
    total = float(weight) * most_cost + float(gain) * (heaviest + float(capacity))
    if total >= EXACT:
        # Any multiplier is valid: precision gives way to 64 bits.
        scaled = max(1, int(float(weight) / total * (EXACT / 2)))
        gain = int(float(gain) / float(weight) * float(scaled))
        weight = scaled
        if float(weight) * most_cost + float(gain) * (heaviest + float(capacity)) >= EXACT:
            return TOO_LARGE, 0, 1, 0, 0
    return OPEN, gain, weight, left, cost


@_compiled()
def _reduce(start, ends, weights, costs, gain, weight, reduced):
    """Weigh costs and weights, less the least of the block; return the sum of the least."""
    total = 0
    for block in range(len(ends)):
        low, high = start[block], ends[block]
        own, own_weights, own_costs = reduced[low:high], weights[low:high], costs[low:high]
        least = weight * own_costs[0] + gain * own_weights[0]
        for option in range(len(own)):
            own[option] = weight * own_costs[option] + gain * own_weights[option]
            least = min(least, own[option])
        for option in range(len(own)):
            own[option] -= least
        total += least
    return total


@_compiled()
def _solve(start, weights, costs, capacity, kind, step_start, before, after, slopes, chosen):
    """Choose one option per block, canonically; weights begin with 0 in every block."""
    count = len(start) - 1
    ends, reduced = np.empty(count, np.int64), np.empty(start[count], np.int64)
    status, gain, weight, left, cost = _relax(
        *(start, weights, costs, capacity, step_start, before, after, slopes, chosen, ends)
    )
    if status != OPEN:
        return status
    bound = _reduce(start, ends, weights, costs, gain, weight, reduced) - gain * capacity
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
def _hull_slopes(options, start, weights, costs, step_start, before, after):
    """List the steps down the hulls, and return what they gain per weight."""
    _walk_hulls(options, start, weights, costs, step_start, before, after)
    slopes = np.empty(step_start[-1])
    for step in range(len(slopes)):
        gain = costs[before[step]] - costs[after[step]]
        slopes[step] = float(gain) / float(weights[after[step]] - weights[before[step]])
    return slopes


@_compiled()
def _solve_any(start, weights, costs, capacity, kind, chosen):
    """Do the same for costs whose hulls are not known; weights begin with 0 in every block."""
    step_start = np.empty(len(start), np.int64)
    before, after = np.empty(len(weights), np.int64), np.empty(len(weights), np.int64)
    options = np.arange(len(weights))
    slopes = _hull_slopes(options, start, weights, costs, step_start, before, after)
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
    first, second = sums[2, 0], sums[2, 1]
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
def _crossing(line, product, side):
    """Find the larger (side 1) or the smaller (-1) first sum at which a line has some product.

    Where it has it nowhere, where its product is largest. Returns both sums.
    """
    a, b, bound = float(line[0]), float(line[1]), float(line[2])
    if a == 0.0:
        second = bound / b
        return product / second, second
    if b == 0.0:
        first = bound / a
        return first, product / first
    root = np.sqrt(max(bound * bound - 4 * a * b * product, 0.0))
    first = (bound + side * root) / (2 * a)
    return first, (bound - a * first) / b


@_compiled()
def _direction(first, second, largest, most):
    """Turn the slope of a chord into whole numbers whose weighted sums are about some number."""
    short = max(1, int(min(first, second) * (most / (first * largest[0] + second * largest[1]))))
    long = int(max(first, second) / min(first, second) * float(short) + 0.5)
    return (long, short) if first > second else (short, long)


@_compiled()
def _closes(lines, points, left_line, left, right_line, right):
    """Whether one of two points lies on both lines: below it there is nothing."""
    if left >= 0 and (left == right or _goes_through(lines, right_line, points, left)):
        return True
    return right >= 0 and _goes_through(lines, left_line, points, right)


@_compiled()
def _wait(lines, points, regions, bounds, waiting, left_line, left, right_line, right):
    """Note what lies between two points above two lines, unless nothing does; count what waits."""
    if _closes(lines, points, left_line, left, right_line, right):
        return waiting
    regions[0, waiting], regions[1, waiting] = left, left_line
    regions[2, waiting], regions[3, waiting] = right, right_line
    bounds[waiting] = _corner(lines, left_line, right_line)
    return waiting + 1


@_compiled()
def _hull_minimum(
    start, weights, sums, largest, capacity, kind, lines, solution, best_high, best_low, chosen
):
    """Minimise the product of two sums above two lines; see ``_least_product``.

    ``lines`` begins with the least first sum and the least second one, and ``solution`` has the
    product ``best_high * 2**62 + best_low``. What lies between two lines and might be better is
    split by another one, in the direction of a chord of the hyperbola of that product.
    """
    blocks = len(start) - 1
    points, found = np.empty((4, MOST_POINTS), np.int64), np.empty((MOST_POINTS, blocks), np.int64)
    number = np.zeros(3, np.int64)  # of points, of lines, of the best point
    number[1] = 2
    points[2, 0] = 2**62
    regions, bounds = np.empty((4, 2 * MOST_POINTS), np.int64), np.empty(2 * MOST_POINTS)
    # If the solution at hand is the best, two chords prove it, from it to what it is compared with;
    # they are turned away from its tangent a little more.
    first, second = solution
    left, left_line, waiting = -1, 0, 0
    for tilt in (first / float(lines[2, 0]), float(lines[2, 1]) / second):
        if abs(tilt - 1) < AIM:
            continue
        tilt = max(1 + TURN * (tilt - 1), tilt / 2)
        direction = _direction(tilt * second, first, largest, ROUNDED / blocks)
        line = number[1]
        middle = _support(
            start, weights, sums, largest, capacity, kind, direction, points, found, lines, number
        )
        if middle < 0:
            return TOO_LARGE
        waiting = _wait(lines, points, regions, bounds, waiting, left_line, left, line, middle)
        left, left_line = middle, line
    waiting = _wait(lines, points, regions, bounds, waiting, left_line, left, 1, -1)
    while waiting:
        region = np.argmin(bounds[:waiting])
        bound = bounds[region]
        left, left_line = regions[0, region], regions[1, region]
        right, right_line = regions[2, region], regions[3, region]
        waiting -= 1
        regions[:, region], bounds[region] = regions[:, waiting], bounds[waiting]
        if number[0] > 0 and (
            points[2, number[2]] < best_high
            or (points[2, number[2]] == best_high and points[3, number[2]] < best_low)
        ):
            best_high, best_low = points[2, number[2]], points[3, number[2]]
        least = float(best_high) * 2.0**62 + float(best_low)
        if bound > least + least * MARGIN:
            break
        if number[0] >= MOST_POINTS - 1 or number[1] >= 2 * MOST_POINTS - 1:
            return TOO_LARGE
        # A little above the hyperbola: a line that goes through one end closes the other, too.
        aim = least + least * AIM
        first, second = _crossing(lines[:, left_line], aim, 1)
        if left >= 0 and float(points[0, left]) > first:
            first, second = float(points[0, left]), float(points[1, left])
        other_first, other_second = _crossing(lines[:, right_line], aim, -1)
        if right >= 0 and float(points[0, right]) < other_first:
            other_first, other_second = float(points[0, right]), float(points[1, right])
        right_by, down_by = other_first - first, second - other_second
        if not (right_by > 0.0 and down_by > 0.0):
            return TOO_LARGE
        direction = _direction(down_by, right_by, largest, ROUNDED / blocks)
        for line in (left_line, right_line):
            if lines[0, line] == direction[0] and lines[1, line] == direction[1]:
                return TOO_LARGE
        line = number[1]
        middle = _support(
            start, weights, sums, largest, capacity, kind, direction, points, found, lines, number
        )
        if middle < 0:
            return TOO_LARGE
        waiting = _wait(lines, points, regions, bounds, waiting, left_line, left, line, middle)
        waiting = _wait(lines, points, regions, bounds, waiting, line, middle, right_line, right)
    best = number[2]
    for point in range(number[0]):
        same = points[2, point] == points[2, best] and points[3, point] == points[3, best]
        if same and point != best:
            return TIED
    chosen[:] = found[best]
    return SOLVED


@_compiled()
def _first_direction(start, weights, sums, capacity, largest, least_second):
    """Guess the tangent at the least product: copies share the capacity as if they were divisible.

    Of layers that halve their time with twice the copies each takes capacity in proportion to the
    root of time and weight. Energies are hardly more than the least.
    """
    roots, room = 0.0, float(capacity)
    for block in range(len(start) - 1):
        low, high = start[block], start[block + 1]
        step = float(weights[low + 1]) if high - low > 1 else 0.0
        roots += np.sqrt(float(sums[0, low]) * step)
        room += step
    first = roots * roots / max(room, 1.0) + float(sums[2, 0])
    return _direction(max(float(least_second), 1.0), max(first, 1.0), largest, ROUNDED / len(start))


@_compiled()
def _least_product(start, tried, tried_start, weights, sums, capacity, kind, chosen):
    """Minimise the product of two sums, to the same end as ``product.least_product``.

    The linear relaxation of one weighted sum bounds it, and what is beyond the best that its
    rounding gives: options that cost more are in no better solution. What is left is small.

    Args:
        start: As of ``solve_one``.
        tried: Options that the relaxation looks at, among them the first of every block.
        tried_start: Where those of every block begin there, shape (B + 1,).
        weights: From 0 on in every block, shape (N,).
        sums: What options add to the sums, and in the third row what the first begins with, (3, N).
        capacity: Beyond the first options.
        kind: As of ``solve_one``.
        chosen: Is given the options.

    Returns:
        ``SOLVED``; ``TIED`` if there are several best pairs of sums; or ``TOO_LARGE``.
    """
    blocks = len(start) - 1
    largest, least_second = np.zeros(2), np.int64(0)
    largest[0] = float(sums[2, 0])
    for block in range(blocks):
        most, more, less = 0, 0, np.int64(2**62)
        for option in range(start[block], start[block + 1]):
            most, more = max(most, sums[0, option]), max(more, sums[1, option])
            less = min(less, sums[1, option])
        largest[0] += float(most)
        largest[1] += float(more)
        least_second += less
    if largest[0] >= EXACT or largest[1] >= EXACT:
        return TOO_LARGE
    a, b = _first_direction(start, weights, sums, capacity, largest, least_second)
    if float(a) * largest[0] + float(b) * largest[1] >= EXACT:
        return TOO_LARGE
    costs = np.empty(len(weights), np.int64)
    for option in range(len(costs)):
        costs[option] = a * sums[0, option] + b * sums[1, option]
    step_start = np.empty(len(start), np.int64)
    before, after = np.empty(len(weights), np.int64), np.empty(len(weights), np.int64)
    slopes = _hull_slopes(tried, tried_start, weights, costs, step_start, before, after)
    ends = np.empty(blocks, np.int64)
    status, gain, weight, left, _ = _relax(
        *(start, weights, costs, capacity, step_start, before, after, slopes, chosen, ends)
    )
    if status == TOO_LARGE:
        return TOO_LARGE
    if status == OPEN:
        _improved(start, weights, costs, chosen, left)
    reduced = np.empty(len(weights), np.int64)
    bound = _reduce(start, ends, weights, costs, gain, weight, reduced) - gain * capacity
    # The least of either sum: the first with the same multiplier, the second whatever it weighs.
    first, second, least_first = sums[2, 0], 0, sums[2, 0]
    weighed = -gain * capacity
    for block in range(blocks):
        low, high = start[block], ends[block]
        first += sums[0, chosen[block]]
        second += sums[1, chosen[block]]
        less, lightest = np.int64(2**62), np.int64(2**62)
        for option in range(low, high):
            less = min(less, sums[0, option])
            lightest = min(lightest, weight * a * sums[0, option] + gain * weights[option])
        least_first += less
        weighed += lightest
    least_first = max(least_first, sums[2, 0] + weighed // (weight * a))
    if least_first <= 0 or least_second <= 0:
        return TOO_LARGE
    best_high, best_low = _product(first, second)
    best = (float(best_high) * 2.0**62 + float(best_low)) * (1 + MARGIN)
    # No better solution has a larger weighted sum than one of the ends of the hyperbola.
    beyond = 0.0
    for x, y in (
        (float(least_first), best / float(least_first)),
        (best / float(least_second), float(least_second)),
    ):
        beyond = max(beyond, float(a) * (x - float(sums[2, 0])) + float(b) * y)
    beyond *= float(weight) * (1 + MARGIN)
    slack = int(beyond) - bound + 1 if beyond < EXACT else np.int64(2**62)
    # What is left: blocks with a choice, and their options.
    own_start, own_kind = np.zeros(len(start), np.int64), np.empty(blocks, np.int64)
    kept, number, open_blocks = np.empty(len(weights), np.int64), 0, 0
    own_blocks = np.empty(blocks, np.int64)
    base_first, base_second = sums[2, 0], 0
    for block in range(blocks):
        begin = number
        for option in range(start[block], ends[block]):
            if reduced[option] <= slack:
                kept[number] = option
                number += 1
        only = kept[begin]
        capacity -= weights[only]
        if number - begin == 1:
            chosen[block] = only
            base_first += sums[0, only]
            base_second += sums[1, only]
            number = begin
        else:
            own_blocks[open_blocks], own_kind[open_blocks] = block, kind[block]
            open_blocks += 1
            own_start[open_blocks] = number
    if open_blocks == 0:
        return SOLVED
    own_weights, own_sums = np.empty(number, np.int64), np.empty((3, number), np.int64)
    largest[0], largest[1] = float(base_first), float(base_second)
    for level in range(open_blocks):
        low, high = own_start[level], own_start[level + 1]
        for option in range(low, high):
            own_weights[option] = weights[kept[option]] - weights[kept[low]]
            own_sums[0, option], own_sums[1, option] = sums[0, kept[option]], sums[1, kept[option]]
        largest[0] += float(own_sums[0, low:high].max())
        largest[1] += float(own_sums[1, low:high].max())
    own_sums[2, 0], own_sums[2, 1] = base_first, base_second
    lines, picked = np.empty((3, 2 * MOST_POINTS), np.int64), np.empty(open_blocks, np.int64)
    lines[:, 0] = 1, 0, least_first
    lines[:, 1] = 0, 1, least_second
    status = _hull_minimum(
        *(own_start[: open_blocks + 1], own_weights, own_sums, largest, capacity),
        *(own_kind[:open_blocks], lines, (float(first), float(second))),
        *(best_high, best_low, picked),
    )
    if status == SOLVED:
        for level in range(open_blocks):
            chosen[own_blocks[level]] = kept[picked[level]]
    return status


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
    # Copies that may be written to: so all is compiled for one kind of array.
    own_start, own_kind = start.copy(), kind.copy()
    beyond = np.empty(len(weights), np.int64)
    for block in range(len(start) - 1):
        first = weights[start[block]]
        capacity -= first
        for option in range(start[block], start[block + 1]):
            beyond[option] = weights[option] - first
    if len(energy) == 0:
        return _solve_any(own_start, beyond, costs.copy(), capacity, own_kind, chosen)
    sums = np.empty((3, len(weights)), np.int64)
    sums[0], sums[1], sums[2, 0] = costs, energy, fixed
    tried = np.arange(len(weights))
    return _least_product(own_start, tried, own_start, beyond, sums, capacity, own_kind, chosen)


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
    # Copies that may be written to: so all is compiled for one kind of array.
    own_start, own_step_start = start.copy(), step_start.copy()
    own_before, own_after = before.copy(), after.copy()
    weights, kind = np.empty(len(copies), np.int64), np.empty(layers, np.int64)
    sums, slopes = np.empty((3, len(copies)), np.int64), np.empty(len(ratios))
    costs = sums[0]
    # Where energies hardly differ the hulls of products are about those of the cycles.
    tried, tried_start = np.empty(layers + len(after), np.int64), np.zeros(layers + 1, np.int64)
    for layer in range(layers):
        at, first = tried_start[layer], step_start[layer]
        tried_start[layer + 1] = at + 1 + step_start[layer + 1] - first
        tried[at] = start[layer]
        tried[at + 1 : tried_start[layer + 1]] = after[first : step_start[layer + 1]]
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
            status[row] = _least_product(
                own_start, tried, tried_start, weights, sums, capacity, kind, chosen
            )
        else:
            for layer in range(layers):
                ratio = float(own_cycles[layer]) / float(max(own_tiles[layer], 1))
                for step in range(step_start[layer], step_start[layer + 1]):
                    slopes[step] = ratios[step] * ratio
            status[row] = _solve(
                *(own_start, weights, costs, capacity, kind),
                *(own_step_start, own_before, own_after, slopes, chosen),
            )
        if status[row] == SOLVED:
            for layer in range(layers):
                chosen[layer] = copies[chosen[layer]]
