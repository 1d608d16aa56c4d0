"""The joint optimum where the objective is a sum over layers: latency, energy, or a mixture.

Every layer l chooses weight bits w, activation bits a and copies r. Its tiles t, its cost c (cycles
or energy) and its accuracy terms s depend on its own choice alone, and the return of a design is

    ln(baseline / sum c) - penalty(sum s),    with sum t <= budget,

for a penalty that never falls as the sum of the terms grows; zero up to some sum, the free sum.
That is a knapsack with two budgets, tiles and accuracy; the budget of accuracy, the allowance, is
the free sum, unless paying for a larger one promises more, as where the penalty has a plateau:

1. Lagrangian bound. For any prices p >= 0 of a tile and q >= 0 of a unit of accuracy, a design's
   reduced cost ``c + p * t + q * s``, added over the layers, is at least the sum of the layers'
   least; the best prices are found by golden-section search (Fisher, Management Science 27(1),
   1981).
2. Core enumeration. Designs better than a target have a reduced cost within a slack of that bound.
   Layer by layer all partial designs within the slack are listed, dominated ones dropped. Either
   the best design is among them, or none is better than the target, and the target is moved away
   from the bound.

Costs, tiles and copies are integers and exact; reduced costs are floats, and every bound gives way
by ``MARGIN`` for their rounding.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import InfeasibleBudgetError, SolverError
from lrmp.hardware.design import MIN_BITS, Design
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.choices import Choices
from lrmp.solvers.joint_problem import Floats, JointProblem, uniform_problems

MARGIN = 1e-9  # relative; sums of a few hundred floats are good to 1e-13
MOST_PARTIAL_DESIGNS = 100_000  # kept after each layer; more are cut off, and the bound says so
MOST_EXTENDED = 2**24  # partial designs times choices of the next layer, at a time
ROUGH_PARTIAL_DESIGNS = 4_000  # the same where a tolerance is allowed
FIRST_TARGET = 2e-5  # above the Lagrangian bound, relative; then twice as far, and so on
LAST_TARGET = 1e6
FEW_PARTIAL_DESIGNS = 2_000  # looking for dominated ones among fewer is not worth it
CELLS = 512  # of the sums of terms that are paid for
LEVELS = 24  # of terms, in the search for dominated partial designs
GOLDEN = (math.sqrt(5) - 1) / 2
GOLDEN_STEPS = 50  # narrow a factor of 1e12 to 1e-9
ALLOWANCES = 12  # larger than the free sum that are tried where paying may be worth it
NEAR = 1e-6  # of the range of sums: cuts are not told apart more finely
PLATEAU_SAMPLES = 2_000  # of the penalty, in the search for its plateaus


@dataclass(frozen=True, eq=False)
class _Options:
    """All choices of all layers, in one flat list of N, layer by layer.

    ``first`` (L,) are the first options of the layers; all other arrays have shape (N,).
    """

    first: IntArray
    layer: IntArray
    weight_bits: IntArray
    activation_bits: IntArray
    copies: IntArray
    tiles: Floats
    cost: Floats
    terms: Floats

    @classmethod
    def of(cls, problem: JointProblem, cycle_weight: float, energy_weight: float) -> "_Options":
        """List every (w, a, r) that fits the budget and costs less than with fewer copies."""
        columns: list[tuple[NDArray[Any], ...]] = []
        for weight, activation, posed in uniform_problems(problem):
            choices = Choices.of(posed)
            cost = cycle_weight * (choices.cycles + posed.fixed_cycles[choices.block]).astype(float)
            if choices.energy_fj is not None:
                cost += energy_weight * choices.energy_fj
            # With the same bits, copies that do not cost less than fewer ones are of no use.
            useful = [
                np.append(True, mine[1:] < np.minimum.accumulate(mine)[:-1])
                for mine in np.split(cost, choices.start[1:-1])
            ]
            fits = np.concatenate(useful) & (choices.tiles <= problem.budget)
            layer, cost = choices.block[fits], cost[fits]
            terms = problem.weight_terms[:, weight - MIN_BITS]
            terms = terms + problem.activation_terms[:, activation - MIN_BITS]
            columns.append(
                (
                    layer,
                    np.full(len(layer), weight),
                    np.full(len(layer), activation),
                    choices.copies[fits],
                    choices.tiles[fits].astype(float),
                    cost,
                    terms[layer],
                )
            )
        joined = [np.concatenate(column) for column in zip(*columns, strict=True)]
        order = np.argsort(joined[0], kind="stable")
        layer, *rest = (column[order] for column in joined)
        layers = np.arange(len(problem.weight_terms))
        return cls(np.searchsorted(layer, layers), layer, *rest)

    def only(self, kept: NDArray[np.intp]) -> "_Options":
        """Keep some options, at least one of every layer."""
        layer = self.layer[kept]
        return _Options(
            np.searchsorted(layer, np.arange(len(self.first))),
            layer,
            self.weight_bits[kept],
            self.activation_bits[kept],
            self.copies[kept],
            self.tiles[kept],
            self.cost[kept],
            self.terms[kept],
        )

    def least(self, values: Floats) -> Floats:
        """Least of some values by layer, shape (L,)."""
        smallest: Floats = np.minimum.reduceat(values, self.first)
        return smallest


@dataclass(frozen=True)
class _Prices:
    """Prices of a tile and of a unit of accuracy.

    Designs within the budget have ``cost + accuracy * (terms - allowance) >= bound``, whatever
    their terms are.
    """

    tile: float
    accuracy: float
    allowance: float
    bound: float


class SumSearch:
    """The search for one task.

    Args:
        problem: The task.
        log: Called with every line of the log.
        cycle_weight: What is minimised is this many times the cycles
        energy_weight: plus this many times the energy, times the exponential of the penalty.
        tolerance: A design is good enough if none can cost less by more than this share of it. Then
            fewer partial designs are kept, and the search stops with the first good enough.

    Raises:
        InfeasibleBudgetError: If one copy of every layer does not fit at 2 bits.
    """

    def __init__(
        self,
        problem: JointProblem,
        log: Callable[[str], None],
        cycle_weight: float,
        energy_weight: float,
        tolerance: float = 0.0,
    ) -> None:
        self._problem = problem
        self._tolerance = tolerance
        self._most_partial = ROUGH_PARTIAL_DESIGNS if tolerance > 0 else MOST_PARTIAL_DESIGNS
        self._log = log
        self._options = options = _Options.of(problem, cycle_weight, energy_weight)
        needed = options.least(options.tiles).sum()
        if needed > problem.budget:
            raise InfeasibleBudgetError(
                f"Expected a budget of at least {needed:.0f} tiles for one copy of every layer at "
                f"2 bits, got {problem.budget} tiles. Raise the budget."
            )
        self._least_terms = float(options.least(options.terms).sum())
        self._most_terms = -float(options.least(-options.terms).sum())
        self._free_sum = self._largest_sum(0.0)
        self._known_prices: dict[float, _Prices] = {}
        self._prices = self._find_prices(self._best_allowance())

    def run(self) -> tuple[Design, float]:
        """Return the best design found and a lower bound on the penalised cost of all designs."""
        prices = self._prices
        expected = self._expected(prices)
        paying = prices.allowance > self._free_sum
        self._log(
            f"{len(self._options.layer)} choices of {len(self._options.first)} layers; accuracy "
            f"terms up to {self._free_sum:.6g} cost nothing"
            + (f", up to {prices.allowance:.6g} allowed" if paying else "")
        )
        self._log(
            f"Lagrangian bound {prices.bound:.1f} at {prices.tile:.6g} per tile and "
            f"{prices.accuracy:.6g} per unit of accuracy"
        )
        proven = self._floor(expected)  # penalised costs below this are impossible
        best: tuple[float, Design] | None = None
        distance = FIRST_TARGET
        while distance < LAST_TARGET:
            target = expected * (1 + distance)
            if best is not None:
                target = min(target, best[0] * (1 + MARGIN))
            found, whole, most = self._enumerate(target)
            self._log(
                f"designs within {target / expected - 1:.3e} of the bound: "
                f"{'none' if found is None else f'the best at {found[0] / expected - 1:.3e}'}; "
                f"{'all' if whole else 'not all'} partial designs enumerated, up to {most}"
            )
            if found is not None and (best is None or found[0] < best[0]):
                best = found
            good = best is not None and best[0] * (1 - self._tolerance) <= proven
            if good and self._tolerance > 0:
                break
            if whole:
                proven = max(proven, target * (1 - MARGIN))
                if best is not None and best[0] <= target:
                    proven = best[0] * (1 - MARGIN)
                    break
            elif best is not None and target <= best[0] * (1 + MARGIN):
                break  # even the designs better than the best are too many
            distance *= 2
        if best is None:
            raise SolverError(
                f"Expected a design within {LAST_TARGET:g} times the Lagrangian bound, got none."
            )
        return best[1], proven

    def _largest_sum(self, paid: float) -> float:
        """Find the largest sum of terms whose penalty is at most ``paid``, by bisection."""
        penalty, low, high = self._problem.penalty, self._least_terms, self._most_terms
        if penalty(low) > paid:
            return low
        if penalty(high) <= paid:
            return high
        while high - low > 1e-12 * max(1.0, abs(high)):
            middle = (low + high) / 2
            if penalty(middle) > paid:
                high = middle
            else:
                low = middle
        return low

    def _expected(self, prices: _Prices) -> float:
        """Say what the best design costs about, penalty included, if it uses the allowance up."""
        return prices.bound * self._factor(prices.allowance)

    def _factor(self, terms: float) -> float:
        """Say by how much the penalty for a sum of terms multiplies the cost."""
        return math.exp(min(self._problem.penalty(terms), 700.0))

    def _best_allowance(self) -> float:
        """Find the sum of terms that promises the least penalised cost.

        Any allowance gives valid bounds; with a good one few designs lie between bound and best.
        """
        free = self._find_prices(self._free_sum)
        cut = self._cut(self._expected(free))
        if cut - self._free_sum <= 2 * NEAR * (self._most_terms - self._free_sum):
            return self._free_sum  # nothing beyond is better
        sums = np.linspace(self._free_sum, cut, PLATEAU_SAMPLES)
        paid = np.array([self._problem.penalty(s) for s in sums.tolist()])
        flat = {p for p, after in pairwise(paid) if 0 < p == after}
        candidates = [self._largest_sum(p) for p in sorted(flat)]
        step = max(1, PLATEAU_SAMPLES // ALLOWANCES)
        candidates += sums[step::step].tolist()
        return min(
            (self._free_sum, *(c for c in candidates if c <= cut)),
            key=lambda allowance: self._expected(self._find_prices(allowance)),
        )

    def _floor(self, expected: float) -> float:
        """Bound the penalised cost of all designs from below, by prices alone.

        Up to the free sum a design costs at least what the prices say; beyond the cut, at least
        what is expected; between, the prices that say most decide, cell by cell.
        """
        grid, least = self._cells(expected)
        costs = least * [self._factor(low) for low in grid[:-1].tolist()]
        within = self._least_cost(grid[:1])
        return min(expected, float(within[0]), float(costs.min())) * (1 - MARGIN)

    def _cells(self, target: float) -> tuple[Floats, Floats]:
        """Part the sums of terms from the free sum to the cut.

        Returns:
            Borders of the cells, and what designs within each cost at least.
        """
        grid = np.linspace(self._free_sum, self._cut(target), CELLS + 1)
        return grid, self._least_cost(grid[1:])

    def _least_cost(self, terms: Floats) -> Floats:
        """Bound the cost of designs with terms up to a sum, by the prices that say most of it."""
        known = self._known_prices.values()
        costs = [p.bound - p.accuracy * (terms - p.allowance) for p in known]
        least: Floats = np.max(costs, axis=0)
        return least

    def _find_prices(self, allowance: float) -> _Prices:
        """Find the prices with the highest Lagrangian bound."""
        if allowance not in self._known_prices:
            self._known_prices[allowance] = self._search_prices(allowance)
        return self._known_prices[allowance]

    def _search_prices(self, allowance: float) -> _Prices:
        options, budget = self._options, self._problem.budget
        scale = float(options.least(options.cost).sum())
        spread = max(self._most_terms - self._least_terms, 1e-9)

        def with_accuracy(accuracy: float) -> tuple[float, float]:
            base = options.cost + accuracy * options.terms
            return _maximise(
                lambda tile: (
                    float(options.least(base + tile * options.tiles).sum()) - tile * budget
                ),
                scale / budget,
            )

        accuracy, bound = _maximise(
            lambda accuracy: with_accuracy(accuracy)[1] - accuracy * allowance, scale / spread
        )
        return _Prices(with_accuracy(accuracy)[0], accuracy, allowance, bound)

    def _cut(self, target: float) -> float:
        """Find a sum of terms beyond which no design is better than the target.

        Beyond the allowance the slack grows with the price of accuracy while the penalty shrinks
        what a design may cost. Other prices show that designs far beyond are no better.
        """

        def excluded(low: float, high: float) -> bool:
            bound = self._find_prices(high).bound * (1 - MARGIN)
            return bound * self._factor(low) >= target

        low, high = self._free_sum, self._most_terms
        least = NEAR * (high - low)
        if excluded(low + least, high):  # at once, where the penalty is steep
            return low + least
        while high - low > least and excluded((low + high) / 2, high):
            high = (low + high) / 2
        return high

    def _enumerate(self, target: float) -> tuple[tuple[float, Design] | None, bool, int]:
        """List the designs whose penalised cost, cost * exp(penalty), is below a target.

        Returns:
            The best of them with its penalised cost, or None; whether all were listed; and the
            largest number of partial designs kept.
        """
        problem, prices = self._problem, self._prices
        slack = _Slack(self, target)
        if slack.most < 0:
            return None, True, 0
        reduced = (
            self._options.cost
            + prices.tile * self._options.tiles
            + prices.accuracy * self._options.terms
        )
        reduced -= self._options.least(reduced)[self._options.layer]
        kept = np.flatnonzero(reduced <= slack.most)
        options, reduced = self._options.only(kept), reduced[kept]
        ends = np.append(options.first, len(kept))
        order = np.argsort(np.diff(ends), kind="stable").tolist()
        low_tiles, high_tiles = options.least(options.tiles), -options.least(-options.tiles)
        low_terms, high_terms = options.least(options.terms), -options.least(-options.terms)
        rest = [float(x.sum()) for x in (low_tiles, high_tiles, low_terms, high_terms)]

        tiles, terms, spent = np.zeros(1), np.zeros(1), np.zeros(1)
        path: list[tuple[NDArray[np.intp], int]] = []
        whole, most = True, 1
        for layer in order:
            rest = [
                r - float(x[layer])
                for r, x in zip(rest, (low_tiles, high_tiles, low_terms, high_terms), strict=True)
            ]
            mine = slice(ends[layer], ends[layer + 1])
            count = int(ends[layer + 1] - ends[layer])
            if len(tiles) * count > MOST_EXTENDED:
                whole = False
                few = np.sort(np.argsort(spent, kind="stable")[: MOST_EXTENDED // count])
                tiles, terms, spent = tiles[few], terms[few], spent[few]
                path[-1] = (path[-1][0][few], path[-1][1])
            tiles = (tiles[:, None] + options.tiles[mine]).ravel()
            terms = (terms[:, None] + options.terms[mine]).ravel()
            spent = (spent[:, None] + reduced[mine]).ravel()
            unused = np.maximum(problem.budget - rest[1] - tiles, 0)
            room = slack(terms + rest[2], terms + rest[3]) - spent - prices.tile * unused
            alive = np.flatnonzero((tiles + rest[0] <= problem.budget) & (room >= 0))
            if len(alive) > 4 * self._most_partial:  # more would not fit in memory side by side
                whole = False
                roomiest = np.argpartition(-room[alive], 4 * self._most_partial)
                alive = np.sort(alive[roomiest[: 4 * self._most_partial]])
            if len(alive) > FEW_PARTIAL_DESIGNS:
                cost = spent - prices.tile * tiles - prices.accuracy * terms
                alive = alive[_undominated(tiles[alive], terms[alive], cost[alive])]
            if len(alive) > self._most_partial:
                whole = False
                roomiest = np.argpartition(-room[alive], self._most_partial)
                alive = np.sort(alive[roomiest[: self._most_partial]])
            tiles, terms, spent = tiles[alive], terms[alive], spent[alive]
            path.append((alive, count))
            most = max(most, len(alive))
            if not len(alive):
                return None, whole, most
        cost = prices.bound + spent + prices.tile * (problem.budget - tiles)
        cost -= prices.accuracy * (terms - prices.allowance)
        penalised = cost * [self._factor(t) for t in terms.tolist()]
        state = int(penalised.argmin())
        best = float(penalised[state])
        chosen = np.empty(len(order), dtype=np.int64)
        for layer, (alive, count) in zip(reversed(order), reversed(path), strict=True):
            state, choice = divmod(int(alive[state]), count)
            chosen[layer] = ends[layer] + choice
        design = Design(
            options.weight_bits[chosen], options.activation_bits[chosen], options.copies[chosen]
        )
        return (best, design), whole, most


class _Slack:
    """What the reduced costs of a design better than the target may add up to.

    A design with terms s costs less than ``target * exp(-penalty(s))``, so its reduced cost and
    unused tiles are at most ``target * exp(-penalty(s)) + accuracy * (s - allowance) - bound``.
    Up to the free sum that grows with s; beyond it the most is taken over cells of a grid. Where
    other prices show that no design is better, there is none.
    """

    def __init__(self, search: "SumSearch", target: float) -> None:
        prices, penalty = search._prices, search._problem.penalty
        self._prices, self._free_sum = prices, search._free_sum
        self._at_free_sum = target - prices.bound * (1 - MARGIN)
        self._at_free_sum += prices.accuracy * (self._free_sum - prices.allowance)
        self._grid, least = search._cells(target)
        if search._least_cost(self._grid[:1])[0] * (1 - MARGIN) >= target:
            self._at_free_sum = -math.inf
        paid = np.array([math.exp(-penalty(s)) for s in self._grid[:-1].tolist()])
        cells = target * paid + prices.accuracy * (self._grid[1:] - prices.allowance)
        cells -= prices.bound * (1 - MARGIN)
        cells[least * (1 - MARGIN) >= target * paid] = -np.inf
        beyond = np.maximum.accumulate(cells[::-1])[::-1]
        self._beyond = np.append(beyond, -np.inf)  # nothing beyond the cut is better
        #: The most of all designs.
        self.most = max(self._at_free_sum, float(beyond[0]))

    def __call__(self, least_terms: Floats, most_terms: Floats) -> Floats:
        """Return the most that designs with terms between two sums may use."""
        short = np.minimum(most_terms - self._free_sum, 0)
        within = self._at_free_sum + self._prices.accuracy * short
        tolerance = 1e-9 * max(1.0, abs(float(self._grid[-1])))
        cell = np.searchsorted(self._grid, least_terms - tolerance, side="right") - 1
        beyond = self._beyond[np.clip(cell, 0, CELLS)]
        reaches = most_terms + tolerance > self._free_sum
        starts_within = least_terms - tolerance <= self._free_sum
        inside = np.where(starts_within, within, -np.inf)
        result: Floats = np.where(reaches, np.maximum(inside, beyond), inside)
        return result


def _undominated(tiles: Floats, terms: Floats, cost: Floats) -> NDArray[np.intp]:
    """Find partial designs that are not seen to be beaten in tiles, terms and cost at once.

    Of equal ones the first is kept. Beaten ones are recognised by coarse levels of the terms, so
    not every one is; that costs time, never correctness.
    """
    rounded = np.round(terms, 10)
    order = np.lexsort((cost, rounded, tiles))
    t, s, c = tiles[order], rounded[order], cost[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (t[1:] != t[:-1]) | (s[1:] != s[:-1])
    order, s, c = order[first], s[first], c[first]
    edges = np.quantile(s, np.linspace(0, 1, LEVELS + 1)[1:-1])
    level = np.searchsorted(edges, s, side="right")
    best = np.full((len(order), LEVELS + 1), np.inf)
    best[np.arange(len(order)), level + 1] = c
    # best[i, k]: the least cost among earlier ones, no heavier, of levels below k.
    best = np.minimum.accumulate(np.minimum.accumulate(best, axis=0), axis=1)
    beaten = best[np.arange(len(order)), level] <= c
    # Within its own level: the one before with as few tiles and fewer terms.
    kept: NDArray[np.intp] = np.sort(order[~beaten])
    return kept


def _maximise(function: Callable[[float], float], scale: float) -> tuple[float, float]:
    """Maximise a concave function of a price by golden-section search, on a logarithmic axis.

    Returns:
        The best price tried and its value; whatever price is returned gives a valid bound.
    """
    low, high = math.log(scale * 1e-6), math.log(scale * 1e6)
    inner = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)]
    values = [function(math.exp(x)) for x in inner]
    for _ in range(GOLDEN_STEPS):
        if values[0] >= values[1]:
            high, inner[1], values[1] = inner[1], inner[0], values[0]
            inner[0] = high - GOLDEN * (high - low)
            values[0] = function(math.exp(inner[0]))
        else:
            low, inner[0], values[0] = inner[0], inner[1], values[1]
            inner[1] = low + GOLDEN * (high - low)
            values[1] = function(math.exp(inner[1]))
    return max(zip(map(math.exp, inner), values, strict=True), key=lambda pair: pair[1])
