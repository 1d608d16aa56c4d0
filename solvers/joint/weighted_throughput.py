"""The joint optimum for the weighted throughput of networks: a split of the tiles among them.

Once it is settled how many tiles each network has, the networks have nothing to do with each other,
and the best of each is the joint optimum for throughput of that network alone. The mean of the
networks' throughputs, each less by what it pays for its accuracy, is never less than the mean less
by what all pay together; so the best split of such returns bounds all designs, and where nothing is
paid, as in every design within the allowances, it is the optimum.

A network's best return never falls with its tiles, and the design found within some may need fewer:
between what it needs and what it was given the return is known. The split that promises most is
looked at more closely, by halves, until what it promises is what designs have.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lrmp.errors import InfeasibleAccuracyError
from lrmp.hardware.cost.cost_report import BILLION
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.floats import Floats
from lrmp.solvers.joint.problem import JointProblem, evaluate_joint, no_design_allowed
from lrmp.solvers.joint.throughput import search_throughput
from lrmp.solvers.replication.problem import ReplicationProblem

ROUNDING = 1e-12  # of a sum of returns; the bound counts it


def search_weighted_throughput(
    problem: JointProblem, log: Callable[[str], None]
) -> tuple[IntArray, float]:
    """Find the settings of the highest return and a bound on all returns.

    Args:
        problem: Of several networks, or of one.
        log: Called with every line of the log.

    Returns:
        Settings, shape (L,), and a lower bound on ``cost * exp(penalty - least)`` of all designs.

    Raises:
        InfeasibleBudgetError: If one copy of every layer does not fit in its smallest setting.
        InfeasibleAccuracyError: If no design that fits is allowed.
    """
    problem.simple_designs()  # refuses a budget that is too small
    curves = [_Curve(problem, network) for network in range(len(problem.accuracy))]
    least = [curve.least for curve in curves]
    spare = problem.budget - sum(least)
    asked = 0
    while True:
        promised, split = _best_split([curve.most(spare) for curve in curves])
        held, shares = _best_split([curve.held(spare) for curve in curves])
        if promised == 0:
            raise no_design_allowed()
        gaps = [curve.gap(share) for curve, share in zip(curves, split, strict=True)]
        if promised <= held * (1 + ROUNDING) or not any(gaps):
            break
        widest = gaps.index(max(gaps))
        curves[widest].ask(split[widest])
        asked += 1
    tiles = [low + share for low, share in zip(least, shares, strict=True)]
    log(f"{asked} budgets of single networks solved; tiles shared as {' + '.join(map(str, tiles))}")
    settings = np.concatenate(
        [curve.settings(share) for curve, share in zip(curves, shares, strict=True)]
    )
    # Rounds are counted whole, so that a mean interval is no less than this.
    cost = len(curves) * BILLION / (promised * (1 + ROUNDING))
    return settings, cost * math.exp(-problem.least_penalty)


@dataclass(frozen=True)
class _Answer:
    """The best of a network within some tiles beyond its least.

    Attributes:
        needed: Tiles that the design takes; no fewer do for its return, as far as is known.
        given: Tiles that it might have taken.
        value: ``exp(return)`` of the design, in rounds per cycle; 0 if none is allowed.
        bound: No design within the tiles given has more.
        settings: Of the design, shape (l,).
    """

    needed: int
    given: int
    value: float
    bound: float
    settings: IntArray | None


class _Curve:
    """What a network has at best within every number of tiles, as far as it is known."""

    def __init__(self, problem: JointProblem, network: int) -> None:
        self._problem = _alone(problem, network)
        self.least = int(self._problem.tiles.min(axis=1).sum())
        self._answers: list[_Answer] = []  # by tiles
        self._most = problem.budget - int(problem.tiles.min(axis=1).sum())
        self._solve(self._most)

    def most(self, spare: int) -> Floats:
        """Return what the network has at most with 0 to ``spare`` tiles beyond its least."""
        given = np.array([answer.given for answer in self._answers])
        bounds = np.array([answer.bound for answer in self._answers])
        return bounds[np.searchsorted(given, np.arange(spare + 1))]

    def held(self, spare: int) -> Floats:
        """Return what designs that are known have."""
        needed = np.array([answer.needed for answer in self._answers])
        values = np.maximum.accumulate([answer.value for answer in self._answers])
        place = np.searchsorted(needed, np.arange(spare + 1), side="right")
        return np.concatenate([[0.0], values])[place]

    def gap(self, share: int) -> int:
        """Return how many tiles lie between a share and the design that is promised for it."""
        answer = self._answers[self._place(share)]
        return max(0, answer.needed - share)

    def ask(self, share: int) -> None:
        """Find out what the network has half way to the design that is promised for a share."""
        answer = self._answers[self._place(share)]
        self._solve((share + answer.needed - 1) // 2)

    def settings(self, share: int) -> IntArray:
        """Return the best settings known within a share."""
        fitting = [answer for answer in self._answers if answer.needed <= share]
        best = max(fitting, key=lambda answer: answer.value).settings
        assert best is not None
        return best

    def _place(self, share: int) -> int:
        return bisect_left(self._answers, share, key=lambda answer: answer.given)

    def _solve(self, given: int) -> None:
        problem = replace(self._problem, budget=self.least + given)
        try:
            settings, least = search_throughput(problem, lambda line: None)
        except InfeasibleAccuracyError:
            # Up to these tiles there is none; what is needed is more than was given.
            answer = _Answer(given + 1, given, 0.0, 0.0, None)
        else:
            value, copies = evaluate_joint(problem, settings)
            posed = problem.pose(settings, problem.budget)
            needed = posed.tiles_of(copies.tolist()) - self.least
            bound = math.exp(-problem.least_penalty) / least * (1 + ROUNDING)
            answer = _Answer(needed, given, math.exp(value), bound, settings)
        self._answers.insert(self._place(given), answer)


def _alone(problem: JointProblem, network: int) -> JointProblem:
    """Pose a network's own problem, the others being none of its business."""
    layers = problem.layers[network]
    others = np.zeros(len(problem.terms), dtype=np.int64)

    def pose(settings: IntArray, budget: int) -> ReplicationProblem:
        chosen = others.copy()
        chosen[layers] = settings
        posed = problem.pose(chosen, 2**62)
        return ReplicationProblem(
            tiles=posed.tiles[layers],
            units=posed.units[layers],
            cycles_per_unit=posed.cycles_per_unit[layers],
            fixed_cycles=posed.fixed_cycles[layers],
            budget=budget,
            objective="throughput",
        )

    return JointProblem(
        pose=pose,
        budget=problem.budget,
        objective="throughput",
        baseline=1,
        accuracy=(problem.accuracy[network],),
    )


def _best_split(curves: Sequence[Floats]) -> tuple[float, list[int]]:
    """Share tiles so that what networks have adds up to most, each of them having something.

    Args:
        curves: What every network has with 0 to T tiles, never falling, shape (T + 1,) each.

    Returns:
        The sum and the shares; 0 if some network has nothing.
    """
    total, taken = curves[0], []
    for mine in curves[1:]:
        best = np.zeros(len(total))
        share = np.zeros(len(total), dtype=np.int64)
        for place in np.flatnonzero(np.diff(mine, prepend=0.0) > 0).tolist():
            before = total[: len(total) - place]
            after = np.where(before > 0, before + mine[place], 0.0)
            better = after > best[place:]
            best[place:][better], share[place:][better] = after[better], place
        total = best
        taken.append(share)
    left, shares = len(total) - 1, []
    # Of equal sums the one of the fewest tiles: what is left over is nobody's.
    left = int(np.searchsorted(total, total[-1]))
    for share in reversed(taken):
        shares.append(int(share[left]))
        left -= shares[-1]
    shares.append(left)
    return float(total[-1]), shares[::-1]
