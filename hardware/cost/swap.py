"""Swapping a network in: what writing its weights costs, and how many inferences pay it back.

Networks that do not fit a chip together, or that would each have only a share of it, can take turns
on all of it. Then every turn begins with a write. With

    cycles of a write = write_cycles * ceil(tiles / tiles written at once)
    energy of a write = cells * cell_write_fj

where ``write_cycles`` is one crossbar, row by row, and the tiles are those of all copies, a turn of
n inferences costs no more than n beside the others as soon as

    n >= write / (cost beside the others - cost in its own turn),

in time and in energy each.
"""

from dataclasses import dataclass

from lrmp.errors import DesignError, PresetError
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.space.design import Design


@dataclass(frozen=True)
class Write:
    """What writing all weights of a design costs.

    Attributes:
        tiles: Crossbars written, those of all copies.
        cells: Cells that hold a weight, in all copies.
        cycles: From the first row to the last.
        energy_fj: Femtojoules; None where the chip gives no energies.
        clock_hz: Clock in Hz.
    """

    tiles: int
    cells: int
    cycles: int
    energy_fj: int | None
    clock_hz: int

    @property
    def time_s(self) -> float:
        """Seconds of the write."""
        return self.cycles / self.clock_hz

    @property
    def energy_j(self) -> float:
        """Joules of the write.

        Raises:
            PresetError: If the accelerator gives no energies.
        """
        if self.energy_fj is None:
            raise PresetError(
                "Expected an accelerator that gives the energy of its events, got none. Take "
                "another preset, or add an [energy] table to your own."
            )
        return self.energy_fj / 1e15


def write_of(cost_model: CostModel, design: Design, at_once: int | None = None) -> Write:
    """Cost writing a design's weights into the crossbars.

    Args:
        cost_model: Network and chip.
        design: Settings and copies of L layers.
        at_once: Tiles that the chip's power lets it write at the same time; None for all.

    Returns:
        The write. Every tile takes the time of a whole crossbar; of its cells those are written
        that hold a weight.

    Raises:
        DesignError: If the design does not fit the network, or no tile may be written.
        PresetError: If the chip does not say how long a write takes, or writes weights in every
            inference.
    """
    chip = cost_model.accelerator
    if chip.weight_loading != "stationary":
        raise PresetError(
            "Expected a chip whose weights are stationary, got the time-multiplexed "
            f"{chip.name!r}, where every inference writes them. Its latency and energy hold the "
            "writes."
        )
    if chip.write_cycles == 0:
        raise PresetError(
            f"Expected a chip whose time of a write is known, got {chip.name!r} with write_cycles "
            "of 0. Take another preset, or give your own chip one."
        )
    if at_once is not None and at_once < 1:
        raise DesignError(f"Expected at least 1 tile to be written at once, got {at_once}.")
    weights = ~cost_model.network.is_matmul  # products of activations are written in any case
    tiles = int(cost_model.evaluate(design).layer_tiles[weights].sum())
    copies = design.replication * weights
    cells = int((cost_model.cells_per_copy(design.settings) * copies).sum())
    energy = None if chip.energy is None else round(cells * chip.energy.cell_write_fj)
    turns = 1 if at_once is None else -(-tiles // at_once)
    return Write(tiles, cells, chip.write_cycles * turns, energy, chip.clock_hz)


def break_even(write: int, beside: int, alone: int) -> int | None:
    """Count the inferences after which a write has paid for itself.

    Args:
        write: What it costs, in any unit of whole numbers.
        beside: What an inference costs while others hold their part of the chip.
        alone: What one costs with the chip written for it.

    Returns:
        The least n with ``write + n * alone <= n * beside``; None if there is none.
    """
    if write == 0:
        return 0
    saved = beside - alone
    return -(-write // saved) if saved > 0 else None
