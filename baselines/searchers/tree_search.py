"""The optimum of a small task whose accuracy no table describes: all settings, searched as a tree.

Branch and bound (Land and Doig, Econometrica 28(3), 1960). Level by level the setting of one more
layer is fixed. A node's bound is the return with the cheapest settings in all layers to come and no
penalty: no setting costs less than the cheapest, so nothing below the node does better. Energies
are bounded as if every layer had the copies that cost it least, whatever fits, and energy-delay
products by the product of least energy and least latency. Nodes whose bound is not above the best
design found are left out; what remains is evaluated with the network itself.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lrmp.accuracy.model.digits import DigitsAccuracy
from lrmp.baselines.searchers.digits_screen import DigitsScreen
from lrmp.envs.scoring.reward import lrmp_reward
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.task import Task
from lrmp.errors import RunError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import Design
from lrmp.solvers.replication.batch import BatchObjective, ReplicationBatch, solve_batch
from lrmp.solvers.replication.exact import solve_exact
from lrmp.solvers.replication.problem import ReplicationProblem, useful_copies

MOST_DESIGNS = 10**11  # six layers of 49 settings have a tenth as many, seven five times as many


def search_tree(
    task: TaskLike, log: Callable[[str], None], *, progress: bool = True
) -> tuple[IntArray, float, tuple[str, ...]]:
    """Find the settings with the highest return under the default reward.

    Args:
        task: What is solved.
        log: Called with every line of the log.
        progress: Show a bar over the first two levels of the tree.

    Returns:
        The best settings, shape (L, K); their return, which no others exceed; and the log.

    Raises:
        RunError: If the task has too many designs, some layer no cheapest setting, or the objective
            tells networks apart.
    """
    task = find_task(task)
    if task.objective == "weighted_throughput":
        raise RunError(
            f"Expected an objective of one network for {task.id}, got weighted_throughput. Take "
            "throughput, which is the same of one."
        )
    designs = task.space.count_designs(len(task.network))
    if designs > MOST_DESIGNS:
        raise RunError(
            f"Expected a task of at most {MOST_DESIGNS:.0e} designs to search through, got one of "
            f"{len(task.network)} layers and {designs:.0e} designs. Give it an accuracy table."
        )
    search = _Search(task)
    lines = [search.start()]
    log(lines[0])
    search.descend(search.cheapest, 0, progress=progress)
    lines.append(
        f"{search.nodes} nodes bounded, {search.screened} designs screened, {search.evaluated} "
        f"evaluated: no design is better than {search.value:.9f}"
    )
    log(lines[1])
    return search.best, search.value, tuple(lines)


class _Search:
    def __init__(self, task: Task) -> None:
        self._task = task
        layers = len(task.network)
        allowed = task.space.allows(np.repeat(task.space.settings[:, None], layers, axis=1))
        #: What a layer may have, shape (S, K).
        self._settings = [task.space.settings[allowed[:, layer]] for layer in range(layers)]
        self._energies = None
        if task.objective in ("energy", "edp"):
            self._energies = self._least_energies(task.space.uniform(layers))
        self._baseline = task.cost_model.baseline.cost(task.objective)
        accuracy = task.accuracy
        self._screen = DigitsScreen(accuracy) if isinstance(accuracy, DigitsAccuracy) else None
        self.value = -math.inf
        self.cheapest = self.best = self._cheapest()
        self.nodes = self.screened = 0
        self.evaluated = 0

    def _cheapest(self) -> IntArray:
        """Find a setting of every layer that costs least in every respect, shape (L, K)."""
        model, plain = self._task.cost_model, self._task.space.plain_settings(len(self._settings))
        found = []
        for layer, settings in enumerate(self._settings):
            designs = np.repeat(plain[None], len(settings), axis=0)
            designs[:, layer] = settings
            needs = [
                count(designs)[:, layer]
                for count in (
                    model.tiles_per_copy,
                    model.units,
                    model.cycles_per_unit,
                    model.fixed_cycles,
                )
            ]
            if model.waits_for_memory:
                needs.append(
                    np.array([model.least_cycles(design)[layer] for design in designs])  # type: ignore[index]
                )
            if self._energies is not None:
                needs.append(self._energies[self._number(settings), layer])
            least = np.all([need == need.min() for need in needs], axis=0)
            if not least.any():
                raise RunError(
                    f"Expected a setting that needs the fewest tiles, cycles and energy at once in "
                    f"layer {layer} of {self._task.id}, got none. The tree search would prove "
                    "nothing."
                )
            found.append(settings[least.argmax()])
        return np.array(found)

    def _number(self, settings: IntArray) -> IntArray:
        """Return the numbers of settings among those of the space, shape (...)."""
        numbers = np.ravel_multi_index(tuple(np.moveaxis(settings, -1, 0)), self._task.space.sizes)
        return np.asarray(numbers)

    def _least_energies(self, designs: IntArray) -> IntArray:
        """Return the energy of every layer with the copies that cost it least, shape (S, L)."""
        model = self._task.cost_model
        return np.array(
            [
                [
                    energies.min()
                    for energies in model.copies_energy_fj(
                        settings,
                        [useful_copies(int(units)) for units in model.units(settings)],
                    )
                ]
                for settings in designs
            ]
        )

    def start(self) -> str:
        """Find a first design: uniform settings, then the best change of a layer at a time."""
        layers = len(self._settings)
        designs = self._task.space.uniform(layers)
        for design in designs[self._most(designs)[0] > -np.inf]:
            self._evaluate(design)
        uniform, before = self.value, -math.inf
        while self.value > before:
            before = self.value
            for layer in range(layers):
                designs = self._with(self.best, layer)
                for promising in np.flatnonzero(self._most(designs)[0] > self.value):
                    self._evaluate(designs[promising])
        return f"uniform settings {uniform:.6f}, best change by layer {self.value:.6f}"

    def descend(self, prefix: IntArray, depth: int, *, progress: bool = False) -> None:
        """Search below a node whose first ``depth`` layers are decided, best bounds first."""
        designs = self._with(prefix, depth)
        bounds, copies = self._most(designs)
        self.nodes += len(designs)
        leaf = depth + 1 == len(prefix)
        order = np.argsort(-bounds, kind="stable")
        for child in tqdm(order, desc="tree", unit="subtree", disable=not progress or None):
            if bounds[child] <= self.value:
                break
            if leaf:
                if not self._ruled_out(designs[child], float(bounds[child])):
                    self._evaluate(designs[child], float(bounds[child]), copies[child])
            else:
                self.descend(designs[child], depth + 1)

    def _with(self, design: IntArray, layer: int) -> IntArray:
        """Give a layer of a design every setting that it may have, shape (S, L, K)."""
        designs = np.repeat(design[None], len(self._settings[layer]), axis=0)
        designs[:, layer] = self._settings[layer]
        return designs

    def _most(self, designs: IntArray) -> tuple[NDArray[np.float64], IntArray]:
        """Bound returns by ln(gain), minus infinity where designs do not fit. Shape (B,).

        And the best copies, shape (B, L), where the objective is one of cycles alone.
        """
        most, copies = np.full(len(designs), -np.inf), np.zeros(designs.shape[:2], dtype=np.int64)
        tiles = self._task.cost_model.tiles_at_once(designs)
        fits = np.flatnonzero(tiles <= self._task.budget)
        if fits.size:
            costs, copies[fits] = self._least_costs(designs[fits])
            most[fits] = np.log(self._baseline / costs)
        return most, copies

    def _least_costs(self, designs: IntArray) -> tuple[NDArray[np.float64], IntArray]:
        """Bound the cost of designs that fit from below; cycles, with their copies, are exact."""
        objective, cost = self._task.objective, np.ones(len(designs))
        copies = np.zeros(designs.shape[:2], dtype=np.int64)
        if self._energies is not None:
            layers = np.arange(designs.shape[1])
            cost *= self._energies[self._number(designs), layers].sum(axis=1)
        if objective != "energy":
            goal: BatchObjective = "throughput" if objective == "throughput" else "latency"
            cycles, copies = self._least_cycles(designs, goal)
            cost *= cycles
        return cost, copies

    def _least_cycles(
        self, designs: IntArray, objective: BatchObjective
    ) -> tuple[NDArray[np.int64], IntArray]:
        model, budget = self._task.cost_model, self._task.budget
        if model.units_are_fixed and not model.waits_for_memory:
            batch = ReplicationBatch.of(model, designs, budget, objective)
            copies = solve_batch(batch)
            return batch.objective_values(copies), copies
        posed = (ReplicationProblem.of(model, design, budget, objective) for design in designs)
        found = [solve_exact(problem) for problem in posed]
        costs = np.array([answer.objective_value for answer in found])
        return costs, np.array([answer.copies for answer in found])

    def _ruled_out(self, design: IntArray, most: float) -> bool:
        """Say whether a few images show that a design is no better than the best so far."""
        if self._screen is None:
            return False
        self.screened += 1
        return self._reward(most, self._screen.least_drop(design)) <= self.value

    def _reward(self, most: float, divergence: float) -> float:
        return lrmp_reward(most, self._task.allowance.excess(divergence))

    def _evaluate(
        self, settings: IntArray, most: float = math.inf, copies: IntArray | None = None
    ) -> None:
        """Measure a design's accuracy and keep the design if it is the best so far."""
        task = self._task
        if copies is None or self._energies is not None:
            posed = ReplicationProblem.of(task.cost_model, settings, task.budget, task.objective)
            answer = solve_exact(posed)
            copies, most = answer.copies, math.log(self._baseline / answer.objective_value)
            if most <= self.value:
                return
        self.evaluated += 1
        value = self._reward(most, task.accuracy.divergence(Design(task.space, settings, copies)))
        if value > self.value:
            self.value, self.best = value, settings.copy()
