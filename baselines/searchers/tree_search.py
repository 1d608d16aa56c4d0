"""The optimum of a small task whose accuracy no table describes: all bits, searched as a tree.

Branch and bound (Land and Doig, Econometrica 28(3), 1960). Level by level the bits of one more
layer are fixed. A node's bound is the return with the fewest bits in all layers to come and no
penalty: cost never falls as bits grow, so nothing below the node does better. Energies are bounded
as if every layer had the copies that cost it least, whatever fits, and energy-delay products by the
product of least energy and least latency. Nodes whose bound is not above the best design found are
left out; what remains is evaluated with the network itself.
"""

import math
from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lrmp.accuracy.model.digits import DigitsAccuracy
from lrmp.baselines.searchers.digits_screen import DigitsScreen
from lrmp.envs.scoring.outcome import evaluate_bits
from lrmp.envs.scoring.reward import penalty
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.task import Task
from lrmp.errors import RunError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import BIT_WIDTHS, MIN_BITS
from lrmp.solvers.replication.batch import BatchObjective, ReplicationBatch, solve_batch
from lrmp.solvers.replication.exact import solve_exact
from lrmp.solvers.replication.problem import ReplicationProblem, useful_copies

MOST_LAYERS = 6  # seven have 49 times as many leaves
PAIRS = np.array(list(product(BIT_WIDTHS, BIT_WIDTHS)))  # shape (49, 2): weight and activation bits

Bits = tuple[IntArray, IntArray]


def search_tree(
    task: TaskLike, log: Callable[[str], None], *, progress: bool = True
) -> tuple[Bits, float, tuple[str, ...]]:
    """Find the bits with the highest return under the default reward.

    Args:
        task: What is solved.
        log: Called with every line of the log.
        progress: Show a bar over the first two levels of the tree.

    Returns:
        The best bits; their return, which no bits exceed; and the log.

    Raises:
        RunError: If the task has too many layers, or its cost falls where bits grow.
    """
    task = find_task(task)
    layers = len(task.network)
    if layers > MOST_LAYERS:
        raise RunError(
            f"Expected a task of at most {MOST_LAYERS} layers to search through, got {layers}. "
            "Give it an accuracy table."
        )
    search = _Search(task)
    search.check_monotone()
    lines = [search.start()]
    log(lines[0])
    search.descend(np.full((layers, 2), MIN_BITS), 0, progress=progress)
    lines.append(
        f"{search.nodes} nodes bounded, {search.screened} designs screened, {search.evaluated} "
        f"evaluated: no design is better than {search.value:.9f}"
    )
    log(lines[1])
    return (search.best[:, 0], search.best[:, 1]), search.value, tuple(lines)


class _Search:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._energies = self._least_energies() if task.objective in ("energy", "edp") else None
        self._baseline = task.cost_model.baseline.cost(task.objective)
        accuracy = task.accuracy
        self._screen = DigitsScreen(accuracy) if isinstance(accuracy, DigitsAccuracy) else None
        self.value = -math.inf
        self.best = np.full((len(task.network), 2), MIN_BITS)
        self.nodes = self.screened = 0
        self.evaluated = 0

    def check_monotone(self) -> None:
        """Make sure that fewer bits never cost more."""
        model, layers = self._task.cost_model, len(self._task.network)
        every = np.repeat(np.array(BIT_WIDTHS)[:, None], layers, axis=1)
        for name, values in (
            ("tiles", model.tiles_per_copy(every)),
            ("cycles", model.cycles_per_unit(every)),
            ("fixed cycles", model.fixed_cycles(every)),
            *(() if self._energies is None else (("energies", self._energies),)),
        ):
            # Energies depend on both widths: axes 0 and 1; the others on one.
            axes = range(values.ndim - 1)
            if any((np.diff(values, axis=axis) < 0).any() for axis in axes):
                raise RunError(
                    f"Expected {name} of {self._task.id} that never fall as bits grow, got some "
                    "that do. The tree search would prove nothing."
                )

    def _least_energies(self) -> IntArray:
        """Return the energy of every layer with the copies that cost it least, shape (7, 7, L)."""
        model = self._task.cost_model
        copies = [useful_copies(int(units)) for units in model.units]
        layers = len(copies)
        return np.array(
            [
                [
                    [
                        energies.min()
                        for energies in model.copies_energy_fj(
                            [weight] * layers, [activation] * layers, copies
                        )
                    ]
                    for activation in BIT_WIDTHS
                ]
                for weight in BIT_WIDTHS
            ]
        )

    def start(self) -> str:
        """Find a first design: uniform pairs of bits, then the best change of a layer at a time."""
        layers = len(self._task.network)
        for pair in PAIRS:
            self._evaluate(np.tile(pair, (layers, 1)))
        uniform, before = self.value, -math.inf
        while self.value > before:
            before = self.value
            for layer in range(layers):
                bits = np.repeat(self.best[None], len(PAIRS), axis=0)
                bits[:, layer] = PAIRS
                for promising in np.flatnonzero(self._most(bits) > self.value):
                    self._evaluate(bits[promising])
        return f"uniform pairs of bits {uniform:.6f}, best change by layer {self.value:.6f}"

    def descend(self, prefix: IntArray, depth: int, *, progress: bool = False) -> None:
        """Search below a node whose first ``depth`` layers are decided, best bounds first."""
        bits = np.repeat(prefix[None], len(PAIRS), axis=0)
        bits[:, depth] = PAIRS
        bounds = self._most(bits)
        self.nodes += len(bits)
        leaf = depth + 1 == len(prefix)
        order = np.argsort(-bounds, kind="stable")
        for child in tqdm(order, desc="tree", unit="subtree", disable=not progress):
            if bounds[child] <= self.value:
                break
            if leaf:
                if not self._ruled_out(bits[child], float(bounds[child])):
                    self._evaluate(bits[child], float(bounds[child]))
            else:
                self.descend(bits[child], depth + 1)

    def _most(self, bits: IntArray) -> NDArray[np.float64]:
        """Bound returns by ln(gain); minus infinity where designs do not fit. Shape (B,)."""
        most = np.full(len(bits), -np.inf)
        tiles = self._task.cost_model.tiles_per_copy(bits[:, :, 0])
        fits = np.flatnonzero(tiles.sum(axis=1) <= self._task.budget)
        if fits.size:
            most[fits] = np.log(self._baseline / self._least_costs(bits[fits]))
        return most

    def _least_costs(self, bits: IntArray) -> NDArray[np.float64]:
        """Bound the cost of designs that fit from below; cycles are exact. Shape (B,)."""
        objective, cost = self._task.objective, np.ones(len(bits))
        if self._energies is not None:
            places = np.arange(bits.shape[1])
            layers = self._energies[bits[:, :, 0] - MIN_BITS, bits[:, :, 1] - MIN_BITS, places]
            cost *= layers.sum(axis=1)
        if objective == "edp":
            cost *= self._least_cycles(bits, "latency")
        elif objective != "energy":
            cost *= self._least_cycles(bits, objective)
        return cost

    def _least_cycles(self, bits: IntArray, objective: BatchObjective) -> NDArray[np.int64]:
        batch = ReplicationBatch.of(
            self._task.cost_model, bits[:, :, 0], bits[:, :, 1], self._task.budget, objective
        )
        return batch.objective_values(solve_batch(batch))

    def _ruled_out(self, bits: IntArray, most: float) -> bool:
        """Say whether a few images show that a design is no better than the best so far."""
        if self._screen is None:
            return False
        self.screened += 1
        drop = self._screen.least_drop(bits)
        return most - penalty(drop, self._task.allowed_drop) <= self.value

    def _evaluate(self, bits: IntArray, most: float | None = None) -> None:
        """Measure a design's accuracy and keep the design if it is the best so far."""
        task, (weights, activations) = self._task, bits.T
        if most is not None and self._energies is not None:
            posed = ReplicationProblem.of(
                task.cost_model, weights, activations, task.budget, task.objective
            )
            most = math.log(self._baseline / solve_exact(posed).objective_value)
            if most <= self.value:
                return
        self.evaluated += 1
        if most is None:
            value = evaluate_bits(task, weights, activations).reward()
        else:
            drop = task.accuracy.drop(weights, activations)
            value = most - penalty(drop, task.allowed_drop)
        if value > self.value:
            self.value, self.best = value, bits.copy()
