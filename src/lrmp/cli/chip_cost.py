"""A network costed on a chip, with the best copies that fit it."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.model_ends import at_model_ends
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.cost.cost_report import CostReport, Objective
from lrmp.hardware.cost.mapping import ceil_div
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design import Design
from lrmp.si_prefix import format_quantity
from lrmp.solvers.replication.oracle import solve_replication
from lrmp.solvers.replication.problem import ReplicationProblem


@dataclass(frozen=True, slots=True)
class CostOptions:
    """What a network is costed with.

    Attributes:
        design: The settings of every layer; one copy each.
        objective: What the copies are for.
        budget: Tiles; None for the chip's own.
        one_copy: Whether every layer has one copy, whatever room there is.
        time_multiplexed: Whether the layers take turns on the tiles.
    """

    design: Design
    objective: Objective = "latency"
    budget: int | None = None
    one_copy: bool = False
    time_multiplexed: bool = False


@dataclass(frozen=True, eq=False)
class ChipCost:
    """What a network costs on a chip.

    Attributes:
        model: Network and chip; the chip has the budget's tiles where that is more than its own.
        design: Settings and copies.
        budget: Tiles that the copies may take, and whose area is counted.
        proven_optimal: Whether no other copies are better; None where there is no choice.
        notes: What a reader must know of these figures.
    """

    model: CostModel
    design: Design
    budget: int
    proven_optimal: bool | None
    notes: tuple[str, ...]

    @property
    def network(self) -> Network:
        """The network."""
        return self.model.network

    @property
    def chip(self) -> Accelerator:
        """The chip."""
        return self.model.accelerator

    @cached_property
    def report(self) -> CostReport:
        """Cost of the design."""
        return self.model.evaluate(self.design)

    @property
    def tiles(self) -> int:
        """Tiles in use, at most at the same time."""
        return int(self.model.tiles_at_once(self.design.settings, self.design.replication))

    @property
    def area_mm2(self) -> float | None:
        """Area of a chip of the budget's tiles; None where it is not known."""
        if not self.chip.components:
            return None
        return sum(self.chip.area_um2(self.budget).values()) * 1e-6

    @property
    def energy_j(self) -> float | None:
        """Energy of one inference; None where it is not known."""
        return None if self.report.component_energy_fj is None else self.report.energy_j

    @cached_property
    def model_ends(self) -> tuple[tuple[float, float], ...]:
        """Energy in joules, and the gain in energy, by the models of the chip's numbers.

        With the least that they say of all numbers, and the greatest; empty where nothing has a
        range.
        """
        chips = None if self.energy_j is None else at_model_ends(self.chip)
        found = []
        for chip in chips or ():
            model = CostModel(self.network, chip, self.design.space)
            report = model.evaluate(self.design)
            found.append((report.energy_j, model.baseline.energy_fj / report.energy_fj))
        return tuple(found)

    @property
    def tops_per_w(self) -> float | None:
        """Operations (two per multiply-accumulate) per energy, in 1e12/J; None where not known."""
        return 2e-12 * self.network.macs / self.energy_j if self.energy_j else None

    @property
    def edp_js(self) -> float | None:
        """Energy-delay product of one inference; None where the energy is not known."""
        return None if self.energy_j is None else self.energy_j * self.report.latency_s


def cost_network(network: Network, chip: Accelerator, options: CostOptions) -> ChipCost:
    """Cost a network on a chip.

    Without a budget the copies fill the chip's own tiles. Where these do not hold the network, or
    their number is not known, every layer has one copy. A chip that needs more tiles than it has
    is taken to be larger, with the longer ways that go with it.

    Args:
        network: L layers.
        chip: The chip.
        options: Settings, budget and objective.

    Returns:
        The cost.

    Raises:
        DesignError: If the settings are out of range.
        InfeasibleBudgetError: If one copy of every layer does not fit a given budget.
        NetworkError: If a layer cannot run on the chip.
        PresetError: If the layers shall take turns and the chip gives no tiles.
    """
    if options.time_multiplexed or chip.is_time_multiplexed:
        return _cost_in_turns(network, chip, options)
    design = options.design
    model = CostModel(network, chip, design.space)
    needed = int(model.tiles_per_copy(design.settings).sum())
    budget = chip.tiles if options.budget is None else options.budget
    notes = []
    if options.one_copy or (options.budget is None and needed > chip.tiles):
        budget = needed
        if needed > chip.tiles > 0:
            notes.append(_does_not_fit(network, chip, options, needed))
        elif not options.one_copy:
            notes.append("its number of tiles is not known: one copy of every layer; see --budget")
    if budget > chip.tiles:
        model = CostModel(network, replace(chip, tiles=budget), design.space)
    proven = None
    if not options.one_copy and budget != needed:
        problem = ReplicationProblem.of(model, design.settings, budget, options.objective)
        replication = solve_replication(problem)
        design = replace(design, replication=replication.copies)
        proven = replication.proven_optimal
    return ChipCost(model, design, budget, proven, (*notes, *_not_known(chip)))


def _cost_in_turns(network: Network, chip: Accelerator, options: CostOptions) -> ChipCost:
    """Cost layers that take turns on the tiles, each with as many copies as fit by itself."""
    tiles = chip.tiles if options.budget is None else options.budget
    chip = replace(chip, weight_loading="time-multiplexed", tiles=tiles)
    design = options.design
    model = CostModel(network, chip, design.space)
    proven = None
    if not options.one_copy:
        design = replace(design, replication=_most_in_turns(model, design))
        # Layers do not compete for tiles. These copies are the fastest; writing costs energy.
        proven = options.objective in ("latency", "throughput")
    notes = ["the layers take turns: their weights are written in every inference"]
    if not chip.write_cycles:
        notes.append("a lower bound: the time of writing is not known (write_cycles 0)")
    return ChipCost(model, design, tiles, proven, (*notes, *_not_known(chip)))


def _most_in_turns(model: CostModel, design: Design) -> IntArray:
    """Return the fewest copies with which every layer is as fast as its turn on the chip allows."""
    per_copy = np.maximum(1, model.tiles_per_copy(design.settings))
    units = model.units(design.settings)
    fitting = np.clip(model.accelerator.tiles // per_copy, 1, units)
    return ceil_div(units, ceil_div(units, fitting))


def _does_not_fit(network: Network, chip: Accelerator, options: CostOptions, needed: int) -> str:
    """Say so, and what the chip's own tiles would do."""
    note = (
        f"needs {needed:,} tiles of {chip.tiles:,}: costed as a larger chip with one copy of every "
        "layer; --time-multiplexed lets layers take turns on its own tiles"
    )
    if not chip.write_cycles:
        return f"{note}, but the time of writing them is not known (write_cycles 0)"
    turns = _cost_in_turns(network, chip, replace(options, budget=None)).report
    return f"{note}: {format_quantity(turns.latency_s, 's')} with their writing"


def _not_known(chip: Accelerator) -> list[str]:
    gaps = {"energy": chip.energy is None, "area": not chip.components}
    return [f"{gap} not known" for gap, missing in gaps.items() if missing]
