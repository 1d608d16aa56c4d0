"""What all networks but one make of designs better than a target."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lrmp.solvers.joint.floats import ROUNDING, Floats
from lrmp.solvers.replication.knapsack import hull_steps

#: Where the range of what other networks pay is divided: evenly, and finely towards the least.
PIECES = np.unique(np.append(np.linspace(0, 1, 9), 0.25 ** np.arange(2, 11)))


@dataclass(frozen=True)
class Stairs:
    """What designs better than the target make of one network, step by step of its accuracy.

    Attributes:
        paid: What they pay for it at least, shape (n,).
        cost: What they cost at least, the network's part by tile prices, shape (P, n).
        priced: What they give up at most, at its price, shape (n,).
    """

    paid: Floats
    cost: Floats
    priced: Floats


class Others:
    """What all networks but one make of designs better than the target.

    What they pay adds up. Its exponential lies below a chord over each of some pieces of its range,
    and along a chord every network has a best step of its own.

    Args:
        stairs: Of those networks.

    Attributes:
        at_none: exp(-paid) is at most ``at_none - slope * paid`` on one of the pieces, shape (K,).
    """

    def __init__(self, stairs: Sequence[Stairs]) -> None:
        low, high = (sum(float(end(s.paid)) for s in stairs) for end in (np.min, np.max))
        edges = low + (high - low) * PIECES
        if not (np.diff(edges) > 0).all():
            edges = np.array([low, high])
        left, right = np.exp(-edges[:-1]), np.exp(-edges[1:])
        self._slope = (left - right) / (np.diff(edges) if high > low else 1.0)
        self.at_none = left + self._slope * edges[:-1]
        if low > 0 or high > low:
            self.at_none *= 1 + 32 * ROUNDING
        self._costs = [[_Least(s.paid, cost) for cost in s.cost] for s in stairs]
        self._priced = [_Least(s.paid, -s.priced) for s in stairs]

    def cost(self, worth: Floats) -> Floats:
        """Bound from below what they cost, and what their paying takes off a worth.

        Args:
            worth: What designs may cost if the others pay nothing, shape (n,).

        Returns:
            By tile prices, or once if there are no others, shape (P, n, K).
        """
        price = worth[:, None] * self._slope
        costs = (np.stack([least(price) for least in network]) for network in self._costs)
        return sum(costs, start=np.zeros((1, *price.shape)))

    def priced(self, worth: Floats) -> Floats:
        """Bound from above what they give up at its price, less what paying takes off a worth.

        Args:
            worth: What designs may cost if the others pay nothing, shape (n,).

        Returns:
            Shape (n, K).
        """
        price = worth[:, None] * self._slope
        return -sum((least(price) for least in self._priced), start=np.zeros(price.shape))


class _Least:
    """The least of values plus a price times what is paid, as a function of the price.

    Args:
        paid: Shape (n,).
        values: Shape (n,).
    """

    def __init__(self, paid: Floats, values: Floats) -> None:
        order = np.lexsort((values, paid))
        order = order[np.append(True, np.diff(paid[order]) > 0)]
        before, after = order[hull_steps(paid[order], values[order])]
        corners = np.append(order[:1], after)  # of the lower hull, by what they pay
        self._paid, self._values = paid[corners], values[corners]
        self._gains = (values[before] - values[after]) / (paid[after] - paid[before])
        self._rounding = 16 * ROUNDING * np.array([np.abs(values).max(), paid.max()])

    def __call__(self, price: Floats) -> Floats:
        """Bound the least from below; any shape."""
        corner = np.searchsorted(-self._gains, -price)
        least = self._values[corner] + price * self._paid[corner]
        bound: Floats = least - self._rounding[0] - price * self._rounding[1]
        return bound
