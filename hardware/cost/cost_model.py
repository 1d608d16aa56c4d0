"""The cost model: tiles, cycles and energy of designs on an accelerator, exact and vectorised."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.errors import DesignError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.component import Part
from lrmp.hardware.chip.half_precision import STORED_BITS
from lrmp.hardware.cost.conversion import Conversion
from lrmp.hardware.cost.cost_report import CostReport
from lrmp.hardware.cost.energy import COPY_COMPONENTS, Energy
from lrmp.hardware.cost.latency import CYCLE_COMPONENTS, Latency
from lrmp.hardware.cost.mapping import TileMapping, ceil_div
from lrmp.hardware.cost.operation_units import OperationUnitMapping
from lrmp.hardware.cost.pruning import prune
from lrmp.hardware.cost.setting_table import Places, SettingTable
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.integers import as_integers
from lrmp.hardware.networks.network import Network
from lrmp.hardware.short_repr import short_name, short_repr
from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

_PLAIN_BITS = 8  # where no knob sets them
_INPUT = CYCLE_COMPONENTS.index("input")
_COPY_ROWS = slice(-len(COPY_COMPONENTS), None)
# Numbers in the arrays of a batch costed at a time. They stay in the cache, and below the 128 KiB
# above which memory comes from the system anew, which takes longer than the arithmetic.
_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class BatchCost:
    """Totals of B designs.

    Attributes:
        tiles: Shape (B,).
        latency_cycles: Cycles of one inference, shape (B,).
        bottleneck_cycles: Cycles between two images of a full pipeline, shape (B,).
        energy_fj: Femtojoules of one inference, shape (B,); None if not asked for.
    """

    tiles: IntArray
    latency_cycles: IntArray
    bottleneck_cycles: IntArray
    energy_fj: IntArray | None


class CopyCosts(NamedTuple):
    """What copies of layers take and share, each of shape (..., L).

    Layers that take turns on a time-multiplexed chip have one copy each: they share no tiles, and
    all their work, writes and rounds included, is one unit.

    Attributes:
        tiles: Tiles of one copy; 0 in a time-multiplexed chip.
        units: Units of work that the copies share; 1 in a time-multiplexed chip.
        cycles_per_unit: Cycles of one of them.
        fixed_cycles: Cycles that copies do not shorten.
    """

    tiles: IntArray
    units: IntArray
    cycles_per_unit: IntArray
    fixed_cycles: IntArray


class CostModel:
    """Cost of designs for one network on one accelerator.

    `TileMapping` places the weights, or `OperationUnitMapping` where the chip reads these;
    `Conversion` sizes the ADCs, `Latency` counts cycles and `Energy` femtojoules; this class looks
    them up by the settings of the layers. A layer with r copies takes ``ceil(units / r) *
    cycles_per_unit + fixed_cycles`` cycles and ``r * tiles_per_copy`` tiles; in a time-multiplexed
    chip rounds and writes come on top.

    Of a `SharedNetwork` all is counted for a round of inferences.

    Settings are places of values in the design space, integers of shape (..., L, K);
    ``model.space.encode`` makes them of values by name.

    Args:
        network: L layers.
        accelerator: The chip.
        space: The K knobs.

    Attributes:
        computation: How the crossbars compute the network, for every setting.

    Raises:
        NetworkError: If a layer cannot run on the chip.
        DesignError: If the space is one of another number of layers, or the chip cannot have a
            knob.
    """

    def __init__(
        self, network: Network, accelerator: Accelerator, space: DesignSpace = PRECISION
    ) -> None:
        self.network = network
        self.accelerator = accelerator
        self.space = space
        self._layer_names = [layer.name for layer in network.layers]
        self._sizes = network.sizes if len(network.sizes) > 1 else ()
        if space.layers not in (None, len(network)):
            raise DesignError(
                f"Expected the allowed values of {len(network)} layers for {network.name}, got "
                f"those of {space.layers}."
            )
        computation = space.compute(_plain_computation(network, len(space)))
        self.computation = prune(network, accelerator, computation)
        _check_chip(accelerator, self.computation)
        place = OperationUnitMapping if accelerator.active_columns else TileMapping
        self.mapping = place(network, accelerator, self.computation)
        self.conversion = Conversion(network, accelerator, self.computation)
        parts = self.computation, self.mapping, self.conversion
        self.latency = Latency(network, accelerator, *parts)
        latency, mapping = self.latency, self.mapping
        self._tiles = self._table(mapping.tiles)
        self._units = self._table(latency.units)
        # Of a unit, of a round if there are any, and the others.
        self._parts = self._table(latency.parts[:: 2 if latency.rounds is None else 1])
        self._per_unit = self._table(latency.unit_cycles)
        self._fixed = self._table(latency.fixed_cycles)
        self._rounds = None
        if latency.rounds is not None:
            self._rounds = self._table(latency.rounds)
            self._per_round = self._table(latency.round_cycles)
        transfer = latency.transfer_cycles
        self._transfer = None if transfer is None else self._table(transfer)
        shared = latency.off_chip_cycles if latency.rounds is None else None
        self._shared = None if shared is None else self._table(shared)
        self._of_copies = self._tiles, self._units, self._per_unit, self._fixed
        if latency.rounds is not None:
            none, one = (self._table(np.full_like(latency.units, n)) for n in (0, 1))
            self._of_copies = none, one, self.one_copy[1], none

    def __repr__(self) -> str:
        network, chip = short_name(self.network.name), short_name(self.accelerator.name)
        return short_repr(self, f"{network} on {chip}", f"{len(self.network)} layers")

    @cached_property
    def energy(self) -> Energy:
        """Energies for every setting.

        Raises:
            PresetError: If the accelerator gives no energies.
        """
        parts = self.computation, self.mapping, self.conversion
        return Energy(self.network, self.accelerator, *parts, writes=self.latency.writes)

    @cached_property
    def one_copy(self) -> tuple[SettingTable[np.int64], SettingTable[np.int64]]:
        """Tiles and cycles of every layer with one copy, by the knobs that they depend on."""
        latency = self.latency
        cycles = latency.units * latency.unit_cycles
        if latency.rounds is not None:
            cycles = (cycles + latency.round_cycles) * latency.rounds
        cycles = cycles + latency.fixed_cycles
        if latency.transfer_cycles is not None:
            cycles = np.maximum(cycles, latency.transfer_cycles)
        return self._tiles, self._table(cycles)

    @property
    def units_are_fixed(self) -> bool:
        """Whether the units of work that copies share are the same in all settings."""
        return not self._of_copies[1].axes

    @property
    def plain_budget(self) -> int:
        """Tiles of a chip that holds the plain design.

        Those of all its layers with one copy; of a time-multiplexed chip, its own.
        """
        chip = self.accelerator
        return chip.tiles if chip.is_time_multiplexed else self.baseline.tiles

    @property
    def largest_budget(self) -> int:
        """Tiles of a chip that holds every design with one copy of all layers.

        Of a time-multiplexed chip, its own.
        """
        chip = self.accelerator
        if chip.is_time_multiplexed:
            return chip.tiles
        uniform = self.space.uniform(len(self.network))
        return int(self.tiles_per_copy(uniform).max(axis=0).sum())

    @property
    def least_interval(self) -> int:
        """Cycles between two images below which no design gets: the digital unit's."""
        return self.latency.least_interval

    def shared_cycles(self, settings: ArrayLike) -> IntArray | None:
        """Count the cycles of every layer on the memory off the chip, where they take turns.

        Args:
            settings: Shape (..., L, K).

        Returns:
            Cycles, shape (..., L): a pipeline takes no less than their sum from image to image.
            None for a chip without such a memory, and on a time-multiplexed one, whose layers take
            turns in any case.

        Raises:
            DesignError: If the settings are out of range or of the wrong shape.
        """
        return None if self._shared is None else self._of_settings(self._shared, settings)

    def tiles_per_copy(self, settings: ArrayLike) -> IntArray:
        """Count the tiles that one copy of every layer holds.

        Args:
            settings: Shape (..., L, K).

        Returns:
            Tiles, shape (..., L).

        Raises:
            DesignError: If the settings are out of range or of the wrong shape.
        """
        return self._of_settings(self._tiles, settings)

    def cells_per_copy(self, settings: ArrayLike) -> IntArray:
        """Count the cells that hold a weight in one copy of every layer.

        Args:
            settings: Shape (..., L, K).

        Returns:
            Cells, shape (..., L).

        Raises:
            DesignError: If the settings are out of range or of the wrong shape.
        """
        return self._of_settings(self._table(self.mapping.cells), settings)

    def tiles_at_once(self, settings: ArrayLike, replication: ArrayLike = 1) -> IntArray:
        """Count the tiles that designs hold at the same time.

        Args:
            settings: Shape (..., L, K).
            replication: Copies, each at least 1, that broadcast to shape (..., L).

        Returns:
            Tiles of all layers, shape (...); in a time-multiplexed chip, on which they take turns,
            of the largest, as far as the chip has as many.

        Raises:
            DesignError: If settings or copies are out of range or of the wrong shape.
        """
        tiles = self.tiles_per_copy(settings) * self._copies(replication)
        if self.accelerator.is_time_multiplexed:
            largest: IntArray = np.minimum(tiles.max(axis=-1), self.accelerator.tiles)
            return largest
        total: IntArray = tiles.sum(axis=-1)
        return total

    def units(self, settings: ArrayLike) -> IntArray:
        """Count the units of work that the copies of every layer share.

        Args:
            settings: Shape (..., L, K).

        Returns:
            Units, shape (..., L).

        Raises:
            DesignError: If the settings are out of range or of the wrong shape.
        """
        return self._of_settings(self._units, settings)

    def cycles_per_unit(self, settings: ArrayLike) -> IntArray:
        """Count the cycles of one unit of work of every layer.

        Args:
            settings: Shape (..., L, K).

        Returns:
            Cycles, shape (..., L).

        Raises:
            DesignError: If the settings are out of range or of the wrong shape.
        """
        return self._of_settings(self._per_unit, settings)

    def fixed_cycles(self, settings: ArrayLike) -> IntArray:
        """Count the cycles of every layer that copies do not shorten.

        Args:
            settings: Shape (..., L, K).

        Returns:
            Cycles, shape (..., L).

        Raises:
            DesignError: If the settings are out of range or of the wrong shape.
        """
        return self._of_settings(self._fixed, settings)

    def copy_costs(self, settings: ArrayLike) -> CopyCosts:
        """Return what copies take and share.

        Args:
            settings: Shape (..., L, K).

        Returns:
            Arrays of shape (..., L); not to be written.

        Raises:
            DesignError: If the settings are out of range or of the wrong shape.
        """
        places = self._places(settings)
        return CopyCosts(*(table.of_settings(places) for table in self._of_copies))

    @property
    def waits_for_memory(self) -> bool:
        """Whether layers have cycles that they take however many copies they have."""
        return self._transfer is not None and self._rounds is None

    def least_cycles(self, settings: ArrayLike) -> IntArray | None:
        """Count the cycles that every layer takes however many copies it has: its memory's.

        Args:
            settings: Shape (..., L, K).

        Returns:
            Cycles, shape (..., L); None where the chip waits for no memory, and on a
            time-multiplexed one, whose layers have one copy.

        Raises:
            DesignError: If the settings are out of range or of the wrong shape.
        """
        if self._transfer is None or self._rounds is not None:
            return None
        return self._of_settings(self._transfer, settings)

    @cached_property
    def most_copy_costs(self) -> CopyCosts:
        """The largest of each of these numbers that some setting gives a layer, shape (L,)."""
        return CopyCosts(*(read_only(table.values.max(axis=-1)) for table in self._of_copies))

    def layer_cycles(self, settings: ArrayLike, replication: ArrayLike = 1) -> IntArray:
        """Count the cycles of every layer.

        Args:
            settings: Shape (..., L, K).
            replication: Copies, each at least 1.

        Returns:
            Cycles, of the shape that settings, less their last axis, and copies broadcast to.

        Raises:
            DesignError: If settings or copies are out of range or of the wrong shape.
        """
        places, copies = self._places(settings), self._copies(replication)
        try:
            np.broadcast_shapes(places.shape, copies.shape)
        except ValueError as error:
            raise DesignError(
                "Expected settings and replication of shapes that broadcast, got "
                f"{np.shape(settings)} and {copies.shape}."
            ) from error
        return self._cycles(places, copies)

    def copies_energy_fj(
        self, settings: ArrayLike, copies: Sequence[IntArray]
    ) -> tuple[IntArray, ...]:
        """Cost every layer with each of the copy counts it may have.

        Args:
            settings: Shape (L, K).
            copies: For each layer the counts to try.

        Returns:
            For each layer femtojoules, of the shape of its counts.

        Raises:
            DesignError: If the settings are out of range or of the wrong shape, or copies do not
                fit a time-multiplexed chip.
            PresetError: If the accelerator gives no energies.
        """
        checked = self.space.check(settings, self._layer_names)
        if checked.ndim != 2 or len(copies) != len(checked):
            raise DesignError(
                f"Expected settings of shape ({len(self.network)}, {len(self.space)}) and as many "
                f"lists of copies, got {checked.shape} and {len(copies)}."
            )
        sizes = [len(counts) for counts in copies]
        layer, counts = np.repeat(np.arange(len(sizes)), sizes), np.concatenate(copies)
        every = np.repeat(checked, sizes, axis=0)
        places = Places(every, self.space.sizes, len(self.network), layer)
        cycles = self._cycles(places, counts)
        tiles = counts * self._tiles.of_settings(places)
        energies = self.energy.of_copies(places, counts, tiles, cycles, layer).sum(axis=0)
        energies += self.energy.total_of_settings(places)
        return tuple(np.split(read_only(energies), np.cumsum(sizes)[:-1]))

    def evaluate(self, design: Design) -> CostReport:
        """Cost a design.

        Args:
            design: Settings and copies of the L layers.

        Returns:
            Its exact cost, layer by layer and component by component.

        Raises:
            DesignError: If the design has other knobs or another number of layers, or copies that a
                time-multiplexed chip cannot hold.
        """
        layers = len(self.network)
        if len(design) != layers:
            raise DesignError(
                f"Expected a design of {layers} layers for {self.network.name}, got {len(design)}."
            )
        if design.space != self.space:
            raise DesignError(
                f"Expected a design of the knobs {', '.join(self.space.names)}, with the values of "
                f"the cost model, got one of {', '.join(design.space.names)}."
            )
        copies = design.replication
        places = Places(design.settings, self.space.sizes, layers)
        tiles = self._tiles.of_settings(places) * copies
        parts = self._parts.of_settings(places)
        cycles = ceil_div(self._units.of_settings(places), copies) * parts[0]
        if self._rounds is not None:
            self._check_rounds(places, copies)
            cycles += parts[1]
            cycles *= self._rounds.of_settings(places)
        cycles += parts[-1]
        if self._transfer is not None:
            waiting = self._transfer.of_settings(places) - cycles.sum(axis=0)
            cycles[_INPUT] += np.maximum(0, waiting)
        energy_fj = None
        if self.accelerator.energy is not None:
            of_copies = self.energy.of_copies(places, copies, tiles, cycles.sum(axis=0))
            energy_fj = self.energy.of_settings(places)
            if not energy_fj.flags.writeable:
                energy_fj = energy_fj.copy()
            energy_fj[_COPY_ROWS] += of_copies
            energy_fj.setflags(write=False)
        for array in (tiles, cycles):
            array.setflags(write=False)
        return CostReport(
            layer_tiles=tiles,
            component_cycles=cycles,
            component_energy_fj=energy_fj,
            clock_hz=self.accelerator.clock_hz,
            pipelined=self._rounds is None,
            networks=self._sizes,
            off_chip_cycles=0
            if self._shared is None
            else int(self._shared.of_settings(places).sum()),
        )

    def evaluate_batch(
        self, settings: ArrayLike, replication: ArrayLike, *, with_energy: bool = False
    ) -> BatchCost:
        """Cost many designs at once.

        Args:
            settings: Shape (B, L, K).
            replication: Copies, shape (B, L), each at least 1.
            with_energy: Whether to compute energies, too.

        Returns:
            The totals that ``evaluate`` gives one by one.

        Raises:
            DesignError: If the arrays differ in shape or a value is out of range.
            PresetError: If energies are asked for that the accelerator does not give.
        """
        all_settings = as_integers("settings", settings)
        all_copies = as_integers("replication", replication)
        count, layers, knobs = len(np.atleast_1d(all_copies)), len(self.network), len(self.space)
        shapes = all_settings.shape, all_copies.shape
        if shapes != ((count, layers, knobs), (count, layers)):
            raise DesignError(
                f"Expected settings of shape (designs, {layers}, {knobs}) and replication of shape "
                f"(designs, {layers}), got {shapes[0]} and {shapes[1]}."
            )
        tiles, latency, bottleneck, energy = (np.empty(count, np.int64) for _ in range(4))
        step = max(1, _BLOCK // layers)
        for start in range(0, count, step):
            block = slice(start, start + step)
            places = self._places(all_settings[block])
            copies = self._copies(all_copies[block])
            cycles = self._cycles(places, copies)
            layer_tiles = self._tiles.of_settings(places) * copies
            tiles[block] = layer_tiles.sum(axis=1)
            latency[block] = cycles.sum(axis=1)
            bottleneck[block] = (
                np.maximum(cycles.max(axis=1), self.least_interval)
                if self._rounds is None
                else latency[block]
            )
            if self._shared is not None:
                taken = np.broadcast_to(self._shared.of_settings(places), cycles.shape).sum(axis=1)
                bottleneck[block] = np.maximum(bottleneck[block], taken)
            if with_energy:
                energy[block] = self.energy.total_of_settings(places).sum(axis=1)
                of_copies = self.energy.of_copies(places, copies, layer_tiles, cycles)
                energy[block] += of_copies.sum(axis=(0, 2))
        return BatchCost(tiles, latency, bottleneck, energy if with_energy else None)

    def area_um2(self, design: Design) -> dict[Part, int]:
        """Add up the area of a chip with the tiles that a design holds, and no others.

        Args:
            design: Settings and copies of the L layers.

        Returns:
            Square micrometres by part, whole numbers; those of ``Accelerator.area_um2`` but where
            every layer's tiles have ADCs of their own.

        Raises:
            DesignError: If ``evaluate`` would refuse the design.
            PresetError: If the accelerator lists no components.
        """
        report = self.evaluate(design)
        ratios = SettingTable.of(self.conversion.area_ratio, len(self.space), len(self.network))
        places = Places(design.settings, self.space.sizes, len(self.network))
        adcs = float((report.layer_tiles * ratios.of_settings(places)).sum())
        tiles = report.tiles
        return self.accelerator.area_um2(tiles, adcs / tiles if tiles else 1.0)

    def utilisation(self, settings: ArrayLike) -> NDArray[np.float64]:
        """Compare the cells that hold weights with the cells of their tiles.

        Args:
            settings: Shape (..., L, K).

        Returns:
            Fractions of 1, shape (..., L); 0 for layers that hold no tiles.

        Raises:
            DesignError: If the settings are out of range or of the wrong shape.
        """
        places = self._places(settings)
        per_tile = self.accelerator.crossbar_rows * self.accelerator.crossbar_columns
        paid = np.maximum(1, self._tiles.of_settings(places)) * per_tile
        used: NDArray[np.float64] = self._table(self.mapping.cells).of_settings(places) / paid
        return used

    @cached_property
    def baseline(self) -> CostReport:
        """Cost of the plain chip: every layer in the plain setting, with one copy."""
        return self.evaluate(Design.plain(len(self.network), self.space))

    def __reduce__(self) -> tuple[Any, ...]:
        return (CostModel, (self.network, self.accelerator, self.space))

    def _table(self, array: IntArray) -> SettingTable[np.int64]:
        return SettingTable.of(array, len(self.space), len(self.network))

    def _of_settings(self, table: SettingTable[np.int64], settings: ArrayLike) -> IntArray:
        """Look settings up that somebody else made; return an array of the caller's own."""
        found = table.of_settings(self._places(settings))
        return found if table.axes else found.copy()

    def _places(self, settings: ArrayLike) -> Places:
        checked = self.space.check(settings, self._layer_names)
        return Places(checked, self.space.sizes, len(self.network))

    def _cycles(self, places: Places, copies: IntArray) -> IntArray:
        """Count the cycles of layers."""
        cycles = ceil_div(self._units.of_settings(places), copies)
        cycles = cycles * self._per_unit.of_settings(places)
        if self._rounds is not None:
            self._check_rounds(places, copies)
            cycles = cycles + self._per_round.of_settings(places)
            cycles = cycles * self._rounds.of_settings(places)
        cycles = cycles + self._fixed.of_settings(places)
        if self._transfer is not None:
            cycles = np.maximum(cycles, self._transfer.of_settings(places))
        return cycles

    def _check_rounds(self, places: Places, copies: IntArray) -> None:
        """Refuse copies that do not sit on a time-multiplexed chip at the same time."""
        tiles = self._tiles.of_settings(places)
        too_many = (copies > 1) & (copies * tiles > self.accelerator.tiles)
        if too_many.any():
            layer = int(np.broadcast_to(places.along(()), too_many.shape)[too_many][0])
            raise DesignError(
                f"Expected all copies of layer {layer} ({self._layer_names[layer]}) to fit the "
                f"{self.accelerator.tiles} tiles of the time-multiplexed chip "
                f"{self.accelerator.name!r}. Take fewer copies."
            )

    def _copies(self, replication: ArrayLike) -> IntArray:
        copies = as_integers("replication", replication)
        if copies.ndim and copies.shape[-1] not in (1, len(self.network)):
            raise DesignError(
                f"Expected {len(self.network)} replication counts, one per layer, "
                f"got {copies.shape[-1]}."
            )
        if (copies < 1).any():
            raise DesignError(f"Expected replication of at least 1, got {copies.min()}.")
        return copies


def _check_chip(chip: Accelerator, computation: Computation) -> None:
    """Refuse knobs of what a chip does not have."""
    if computation.shared_exponents is not None and chip.float_input_bits != STORED_BITS:
        raise DesignError(
            "Expected a chip that takes half-precision inputs where alignment_bits is chosen, got "
            f"accelerator {chip.name!r} with float_input_bits {chip.float_input_bits}. Set it to "
            f"{STORED_BITS}, or take activation_bits."
        )
    if computation.block_bits is not None and not chip.active_columns:
        raise DesignError(
            "Expected a chip that reads operation units where mean_weight_bits is chosen, got "
            f"accelerator {chip.name!r} with active_columns 0. Set it, such as to 8, or take "
            "weight_bits."
        )


def _plain_computation(network: Network, knobs: int) -> Computation:
    """Say how the plain chip computes a network, in arrays with an axis for each knob."""
    ones = (1,) * knobs
    eight = np.full((*ones, 1), _PLAIN_BITS)
    return Computation(
        weight_bits=eight,
        activation_bits=eight,
        rows=network.rows.reshape(*ones, -1),
        columns=network.columns.reshape(*ones, -1),
        reads=np.ones((*ones, 1), dtype=np.int64),
    )
