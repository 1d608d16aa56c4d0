"""The ``lrmp hardware swap`` command: what it costs to write a network in, and when it pays."""

from dataclasses import dataclass, replace
from typing import Any

from lrmp.cli.chip_cost import ChipCost, CostOptions, cost_network
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.cost.swap import Write, break_even, write_of
from lrmp.hardware.networks.network import Network
from lrmp.si_prefix import format_quantity
from lrmp.text_table import Column, format_table


@dataclass(frozen=True)
class Swap:
    """A network on all of a chip, in its turn, and on a share of it, beside others.

    Attributes:
        alone: Its cost on all tiles.
        beside: Its cost on its share.
        write: What writing it in costs.
    """

    alone: ChipCost
    beside: ChipCost
    write: Write

    @property
    def inferences_in_time(self) -> int | None:
        """How many inferences pay the write back in time; None if none do."""
        return break_even(
            self.write.cycles,
            self.beside.report.latency_cycles,
            self.alone.report.latency_cycles,
        )

    @property
    def inferences_in_energy(self) -> int | None:
        """How many pay it back in energy; None if none do, or it is not known."""
        if self.write.energy_fj is None:
            return None
        return break_even(
            self.write.energy_fj, self.beside.report.energy_fj, self.alone.report.energy_fj
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values.

        Returns:
            A mapping that ``json.dumps`` accepts.
        """
        write = self.write
        return {
            "network": self.alone.network.name,
            "preset": self.alone.chip.name,
            "tiles_alone": self.alone.report.tiles,
            "tiles_beside": self.beside.report.tiles,
            "write": {
                "tiles": write.tiles,
                "cells": write.cells,
                "cycles": write.cycles,
                "time_s": write.time_s,
                "energy_j": None if write.energy_fj is None else write.energy_j,
            },
            "latency_s_alone": self.alone.report.latency_s,
            "latency_s_beside": self.beside.report.latency_s,
            "energy_j_alone": self.alone.energy_j,
            "energy_j_beside": self.beside.energy_j,
            "break_even_inferences_time": self.inferences_in_time,
            "break_even_inferences_energy": self.inferences_in_energy,
        }


def swap_network(
    network: Network,
    chip: Accelerator,
    options: CostOptions,
    share: int | None = None,
    at_once: int | None = None,
) -> Swap:
    """Compare a network's own turn on a chip with a share of it.

    Args:
        network: L layers.
        chip: The chip, of stationary weights.
        options: Settings, and the tiles of its turn as the budget.
        share: Tiles that it has beside others; None for one copy of every layer.
        at_once: Tiles written at the same time; None for all.

    Returns:
        Both costs, with the fastest copies, and the write.

    Raises:
        InfeasibleBudgetError: If one copy of every layer does not fit the turn or the share.
        LRMPError: As ``cost_network`` and ``write_of`` say.
    """
    alone = cost_network(network, chip, options)
    least = replace(options, budget=share, one_copy=share is None)
    beside = cost_network(network, chip, least)
    return Swap(alone, beside, write_of(alone.model, alone.design, at_once))


def format_swap(swap: Swap) -> str:
    """Put a swap into words.

    Args:
        swap: Any.

    Returns:
        A table and a few lines.
    """
    costs = (swap.alone, swap.beside)
    energies = [cost.energy_j for cost in costs]
    table = format_table(
        [
            Column("", ["in its own turn", "beside others"], text=True),
            Column("tiles", [f"{cost.report.tiles:,}" for cost in costs]),
            Column("latency", [format_quantity(cost.report.latency_s, "s") for cost in costs]),
            Column("energy", ["-" if e is None else format_quantity(e, "J") for e in energies]),
        ]
    )
    write = swap.write
    energy = "" if write.energy_fj is None else f", {format_quantity(write.energy_j, 'J')}"
    return (
        f"{swap.alone.network.name} on {swap.alone.chip.name}\n\n{table}\n\n"
        f"  write           {write.tiles:,} tiles, {write.cells:,} cells: "
        f"{format_quantity(write.time_s, 's')}{energy}\n"
        f"  pays in time    {_after(swap.inferences_in_time)}\n"
        f"  pays in energy  {_after(swap.inferences_in_energy)}"
    )


def _after(inferences: int | None) -> str:
    if inferences is None:
        return "never"
    return f"from {inferences:,} inference{'s' * (inferences != 1)} a turn on"
