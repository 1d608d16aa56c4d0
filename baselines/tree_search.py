"""The optimum of a small task whose accuracy no table describes: all bits, searched as a tree.

Branch and bound (Land and Doig, Econometrica 28(3), 1960). Level by level the bits of one more
layer are fixed. A node's bound is the return with the fewest bits in all layers to come and no
penalty: cost never falls as bits grow, so nothing below the node does better. Nodes whose bound is
not above the best design found are left out; what remains is evaluated with the network itself.
"""

import math
from collections.abc import Callable
from itertools import product
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lrmp.baselines.digits_screen import DigitsScreen
from lrmp.envs.accuracy.digits import DigitsAccuracy
from lrmp.envs.outcome import evaluate_bits
from lrmp.envs.reward import lrmp_reward
from lrmp.envs.task import Task
from lrmp.errors import RunError
from lrmp.hardware.design import BIT_WIDTHS, MIN_BITS
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.batch import BatchObjective, ReplicationBatch, solve_batch

MOST_LAYERS = 6  # seven have 49 times as many leaves
PAIRS = np.array(list(product(BIT_WIDTHS, BIT_WIDTHS)))  # shape (49, 2): weight and activation bits

Bits = tuple[IntArray, IntArray]


def search_tree(
    task: Task, log: Callable[[str], None], *, progress: bool = True
) -> tuple[Bits, float, tuple[str, ...]]:
    """Find the bits with the highest return under the default reward.

    Args:
        task: What is solved; its objective is latency or throughput.
        log: Called with every line of the log.
        progress: Show a bar over the first two levels of the tree.

    Returns:
        The best bits; their return, which no bits exceed; and the log.

    Raises:
        RunError: If the task minimises something else, has too many layers, or its cost falls
            where bits grow.
    """
    layers = len(task.network)
    if task.objective not in get_args(BatchObjective):
        raise RunError(
            f"Expected a latency or throughput task to search through, got {task.id}, which "
            f"minimises {task.objective}."
        )
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
        self._objective = cast(BatchObjective, task.objective)  # checked by search_tree
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
        ):
            if (np.diff(values, axis=0) < 0).any():
                raise RunError(
                    f"Expected {name} of {self._task.id} that never fall as bits grow, got some "
                    "that do. The tree search would prove nothing."
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
                for promising in np.flatnonzero(self._gains(bits) > self.value):
                    self._evaluate(bits[promising])
        return f"uniform pairs of bits {uniform:.6f}, best change by layer {self.value:.6f}"

    def descend(self, prefix: IntArray, depth: int, *, progress: bool = False) -> None:
        """Search below a node whose first ``depth`` layers are decided, best bounds first."""
        bits = np.repeat(prefix[None], len(PAIRS), axis=0)
        bits[:, depth] = PAIRS
        gains = self._gains(bits)
        self.nodes += len(bits)
        leaf = depth + 1 == len(prefix)
        order = np.argsort(-gains, kind="stable")
        for child in tqdm(order, desc="tree", unit="subtree", disable=not progress):
            if gains[child] <= self.value:
                break
            if leaf:
                if not self._ruled_out(bits[child], float(gains[child])):
                    self._evaluate(bits[child], float(gains[child]))
            else:
                self.descend(bits[child], depth + 1)

    def _gains(self, bits: IntArray) -> NDArray[np.float64]:
        """Return ln(speedup) of designs; minus infinity where they do not fit. Shape (B,)."""
        task, model = self._task, self._task.cost_model
        tiles = model.tiles_per_copy(bits[:, :, 0])
        gains = np.full(len(bits), -np.inf)
        fits = np.flatnonzero(tiles.sum(axis=1) <= task.budget)
        if fits.size:
            batch = ReplicationBatch(
                tiles[fits],
                model.units,
                model.cycles_per_unit(bits[fits, :, 1]),
                model.fixed_cycles(bits[fits, :, 1]),
                task.budget,
                self._objective,
            )
            values = batch.objective_values(solve_batch(batch))
            gains[fits] = np.log(self._baseline / values)
        return gains

    def _ruled_out(self, bits: IntArray, gain: float) -> bool:
        """Say whether a few images show that a design is no better than the best so far."""
        if self._screen is None:
            return False
        self.screened += 1
        drop = self._screen.least_drop(bits)
        return lrmp_reward(math.exp(gain), drop, self._task.allowed_drop) <= self.value

    def _evaluate(self, bits: IntArray, gain: float | None = None) -> None:
        """Measure a design's accuracy and keep the design if it is the best so far."""
        self.evaluated += 1
        if gain is None:
            value = evaluate_bits(self._task, bits[:, 0], bits[:, 1]).reward()
        else:
            drop = self._task.accuracy.drop(bits[:, 0], bits[:, 1])
            value = lrmp_reward(math.exp(gain), drop, self._task.allowed_drop)
        if value > self.value:
            self.value, self.best = value, bits.copy()
