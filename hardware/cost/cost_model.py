"""The cost model: tiles, cycles and energy of designs on an accelerator, exact and vectorised."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.errors import DesignError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.cost.cost_report import CostReport
from lrmp.hardware.cost.energy import COPY_COMPONENTS, Energy
from lrmp.hardware.cost.latency import Latency
from lrmp.hardware.cost.mapping import TileMapping, ceil_div
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.networks.network import Network
from lrmp.hardware.short_repr import short_name, short_repr
from lrmp.hardware.space.design import MAX_BITS, MIN_BITS, Design, as_integers, check_bits

_COPY_ROWS = slice(-len(COPY_COMPONENTS), None)
# Numbers in the arrays of a batch costed at a time. They stay in the cache, and below the 128 KiB
# above which memory comes from the system anew, which takes longer than the arithmetic.
_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class CostTable:
    """Cost of every layer with fixed copies, for every pair of weight and activation widths.

    Attributes:
        tiles: Tiles of all copies, shape (W, W, L): weight width, activation width, layer.
        cycles: Shape (W, W, L).
        energy_fj: Femtojoules, shape (W, W, L); None without known energies.
    """

    tiles: IntArray
    cycles: IntArray
    energy_fj: IntArray | None


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


class CostModel:
    """Cost of designs for one network on one accelerator.

    `TileMapping` places the weights, `Latency` counts cycles and `Energy` femtojoules; this class
    looks their tables up. A layer with r copies takes ``ceil(units / r) * cycles_per_unit +
    fixed_cycles`` cycles and ``r * tiles_per_copy`` tiles; in a time-multiplexed chip rounds and
    writes come on top.

    Args:
        network: L layers.
        accelerator: The chip.
        max_bits: Widest weights and activations that are tabulated; designs have at most 8 bits,
            published 16-bit figures need more.

    Raises:
        NetworkError: If a layer cannot run on the chip.
        DesignError: If ``max_bits`` is less than 8.
    """

    def __init__(
        self, network: Network, accelerator: Accelerator, max_bits: int = MAX_BITS
    ) -> None:
        if max_bits < MAX_BITS:
            raise DesignError(f"Expected max_bits of at least {MAX_BITS}, got {max_bits}.")
        self.network = network
        self.accelerator = accelerator
        self._max_bits = max_bits
        self._layer_names = [layer.name for layer in network.layers]
        self.mapping = TileMapping(network, accelerator, tuple(range(MIN_BITS, max_bits + 1)))
        self.latency = Latency(network, accelerator, self.mapping)
        # Tables are read flat, which is faster: entry (width - MIN_BITS) * L + layer.
        layers = np.arange(len(network))
        self._entry_of_zero_bits = layers - MIN_BITS * len(network)
        self._entries_before_layer = layers * len(self.mapping.widths)
        self._parts = self.latency.parts.reshape(*self.latency.parts.shape[:2], -1)

    def __repr__(self) -> str:
        network, chip = short_name(self.network.name), short_name(self.accelerator.name)
        return short_repr(self, f"{network} on {chip}", f"{len(self.network)} layers")

    @cached_property
    def energy(self) -> Energy:
        """Energies for every pair of widths.

        Raises:
            PresetError: If the accelerator gives no energies.
        """
        return Energy(self.network, self.accelerator, self.mapping)

    @property
    def units(self) -> IntArray:
        """Units of work that copies share, shape (L,)."""
        return self.latency.units

    @property
    def least_interval(self) -> int:
        """Cycles between two images below which no bits and copies get: the digital unit's."""
        return self.latency.least_interval

    def tiles_per_copy(self, weight_bits: ArrayLike) -> IntArray:
        """Count the tiles that one copy of every layer holds.

        Args:
            weight_bits: Shape (..., L), each 2..8.

        Returns:
            Tiles, shape (..., L).

        Raises:
            DesignError: If the bits are out of range or of the wrong shape.
        """
        return self.mapping.tiles.take(self._entries("weight_bits", weight_bits))

    def cycles_per_unit(self, activation_bits: ArrayLike) -> IntArray:
        """Count the cycles of one unit of work of every layer.

        Args:
            activation_bits: Shape (..., L), each 2..8.

        Returns:
            Cycles, shape (..., L).

        Raises:
            DesignError: If the bits are out of range or of the wrong shape.
        """
        return self.latency.unit_cycles.take(self._entries("activation_bits", activation_bits))

    def fixed_cycles(self, activation_bits: ArrayLike) -> IntArray:
        """Count the cycles of every layer that copies do not shorten.

        Args:
            activation_bits: Shape (..., L), each 2..8.

        Returns:
            Cycles, shape (..., L).

        Raises:
            DesignError: If the bits are out of range or of the wrong shape.
        """
        return self.latency.fixed_cycles.take(self._entries("activation_bits", activation_bits))

    def layer_cycles(
        self, weight_bits: ArrayLike, activation_bits: ArrayLike, replication: ArrayLike
    ) -> IntArray:
        """Count the cycles of every layer.

        Args:
            weight_bits: Shape (..., L), each 2..8; they matter in a time-multiplexed chip only.
            activation_bits: Shape (..., L), each 2..8.
            replication: Copies, each at least 1.

        Returns:
            Cycles, of the shape that the three broadcast to.

        Raises:
            DesignError: If the bits or copies are out of range or of the wrong shape.
        """
        w = self._entries("weight_bits", weight_bits)
        a = self._entries("activation_bits", activation_bits)
        copies = self._copies(replication)
        shapes = (w.shape, a.shape, copies.shape)
        try:
            shape = np.broadcast_shapes(*shapes)
        except ValueError as error:
            raise DesignError(
                "Expected weight_bits, activation_bits and replication of shapes that broadcast, "
                f"got {', '.join(map(str, shapes))}."
            ) from error
        return np.broadcast_to(self._cycles(w, a, copies, self.units), shape)

    def copies_energy_fj(
        self,
        weight_bits: ArrayLike,
        activation_bits: ArrayLike,
        copies: Sequence[IntArray],
    ) -> tuple[IntArray, ...]:
        """Cost every layer with each of the copy counts it may have.

        Args:
            weight_bits: Shape (L,), each 2..8.
            activation_bits: Shape (L,), each 2..8.
            copies: For each layer the counts to try.

        Returns:
            For each layer femtojoules, of the shape of its counts.

        Raises:
            DesignError: If the bits are out of range or of the wrong shape, or copies do not fit a
                time-multiplexed chip.
            PresetError: If the accelerator gives no energies.
        """
        w = self._entries("weight_bits", weight_bits)
        a = self._entries("activation_bits", activation_bits)
        if not w.shape == a.shape == (len(copies),):
            raise DesignError(
                "Expected weight_bits and activation_bits of shape "
                f"({len(self.network)},) and as many lists of copies, got {w.shape}, "
                f"{a.shape} and {len(copies)}."
            )
        tiles, cells = self.mapping.tiles.take(w), self.mapping.cells.take(w)
        base_fj = self._base_fj(w, a).sum(axis=0)
        bits = a // len(self.network) + MIN_BITS
        sizes = [len(counts) for counts in copies]
        layer, counts = np.repeat(np.arange(len(sizes)), sizes), np.concatenate(copies)
        cycles = self._cycles(w[layer], a[layer], counts, self.units[layer])
        of_copies = self.energy.of_copies(
            bits[layer], tiles[layer], cells[layer], counts, cycles, layer
        )
        energies = read_only(base_fj[layer] + of_copies.sum(axis=0))
        return tuple(np.split(energies, np.cumsum(sizes)[:-1]))

    def evaluate(self, design: Design) -> CostReport:
        """Cost a design.

        Args:
            design: Bits and copies of the L layers.

        Returns:
            Its exact cost, layer by layer and component by component.

        Raises:
            DesignError: If the design has another number of layers than the network, or copies
                that a time-multiplexed chip cannot hold.
        """
        layers = len(self.network)
        if len(design) != layers:
            raise DesignError(
                f"Expected a design of {layers} layers for {self.network.name}, got {len(design)}."
            )
        latency, copies = self.latency, design.replication
        w = design.weight_bits * layers + self._entry_of_zero_bits
        a = design.activation_bits * layers + self._entry_of_zero_bits
        tiles = self.mapping.tiles.take(w)
        per_unit, per_round, fixed = self._parts.take(a, axis=2)
        cycles = ceil_div(latency.units, copies) * per_unit
        if latency.rounds is not None:
            self._check_rounds(w, copies)
            cycles += per_round
            cycles *= latency.rounds.take(w)
        cycles += fixed
        energy_fj = None
        if self.accelerator.energy is not None:
            energy_fj = self._base_fj(w, a)
            energy_fj[_COPY_ROWS] += self.energy.of_copies(
                design.activation_bits,
                tiles,
                self.mapping.cells.take(w),
                copies,
                cycles.sum(axis=0),
            )
            energy_fj.setflags(write=False)
        tiles *= copies
        for array in (tiles, cycles):
            array.setflags(write=False)
        return CostReport(
            layer_tiles=tiles,
            component_cycles=cycles,
            component_energy_fj=energy_fj,
            clock_hz=self.accelerator.clock_hz,
            pipelined=latency.rounds is None,
        )

    def evaluate_batch(
        self,
        weight_bits: ArrayLike,
        activation_bits: ArrayLike,
        replication: ArrayLike,
        *,
        with_energy: bool = False,
    ) -> BatchCost:
        """Cost many designs at once.

        Args:
            weight_bits: Shape (B, L), each 2..8.
            activation_bits: Shape (B, L), each 2..8.
            replication: Copies, shape (B, L), each at least 1.
            with_energy: Whether to compute energies, too.

        Returns:
            The totals that ``evaluate`` gives one by one.

        Raises:
            DesignError: If the arrays differ in shape or a value is out of range.
            PresetError: If energies are asked for that the accelerator does not give.
        """
        all_weights = as_integers("weight_bits", weight_bits)
        all_activations = as_integers("activation_bits", activation_bits)
        all_copies = as_integers("replication", replication)
        count, layers = len(np.atleast_1d(all_weights)), len(self.network)
        shapes = (all_weights.shape, all_activations.shape, all_copies.shape)
        if shapes != ((count, layers),) * 3:
            raise DesignError(
                "Expected weight_bits, activation_bits and replication of one shape "
                f"(designs, {layers}), got {shapes[0]}, {shapes[1]} and {shapes[2]}."
            )
        tiles, latency, bottleneck, energy = (np.empty(count, np.int64) for _ in range(4))
        base_fj = self.energy.base_fj.sum(axis=0) if with_energy else None
        step = max(1, _BLOCK // layers)
        for start in range(0, count, step):
            block = slice(start, start + step)
            w = self._entries("weight_bits", all_weights[block])
            a = self._entries("activation_bits", all_activations[block])
            copies = self._copies(all_copies[block])
            layer_tiles = self.mapping.tiles.take(w)
            cycles = self._cycles(w, a, copies, self.units)
            tiles[block] = (layer_tiles * copies).sum(axis=1)
            latency[block] = cycles.sum(axis=1)
            bottleneck[block] = (
                np.maximum(cycles.max(axis=1), self.least_interval)
                if self.latency.rounds is None
                else latency[block]
            )
            if base_fj is not None:
                cells = self.mapping.cells.take(w)
                of_copies = self.energy.of_copies(
                    all_activations[block], layer_tiles, cells, copies, cycles
                )
                energy[block] = base_fj.take(self._pairs(w, a)).sum(axis=1)
                energy[block] += of_copies.sum(axis=(0, 2))
        return BatchCost(tiles, latency, bottleneck, energy if with_energy else None)

    def table(self, replication: ArrayLike = 1) -> CostTable:
        """Tabulate every pair of widths.

        Args:
            replication: Copies, shape (L,) or one number for all.

        Returns:
            Tiles, cycles and energy of every layer.

        Raises:
            DesignError: If the copies are out of range or of the wrong shape.
        """
        shape = (len(self.mapping.widths), len(self.mapping.widths), len(self.network))
        copies = self._copies(replication)
        if copies.ndim > 1:
            raise DesignError(
                f"Expected one replication count per layer or for all, got shape {copies.shape}."
            )
        entries = np.arange(shape[1] * shape[2]).reshape(shape[1:])
        w, a = entries[:, None], entries[None, :]
        cycles = np.broadcast_to(self._cycles(w, a, copies, self.units), shape)
        tiles = self.mapping.tiles[:, None, :]
        energy_fj = None
        if self.accelerator.energy is not None:
            of_copies = self.energy.of_copies(
                np.broadcast_to(np.array(self.mapping.widths)[:, None], shape),
                tiles,
                self.mapping.cells[:, None, :],
                copies,
                cycles,
            )
            energy_fj = read_only(self.energy.base_fj.sum(axis=0) + of_copies.sum(axis=0))
        return CostTable(np.broadcast_to(tiles * copies, shape), cycles, energy_fj)

    def utilisation(self, weight_bits: ArrayLike) -> NDArray[np.float64]:
        """Compare the cells that hold weights with the cells of their tiles.

        Args:
            weight_bits: Shape (..., L), each 2..8.

        Returns:
            Fractions of 1, shape (..., L); 0 for layers that hold no tiles.

        Raises:
            DesignError: If the bits are out of range or of the wrong shape.
        """
        w = self._entries("weight_bits", weight_bits)
        per_tile = self.accelerator.crossbar_rows * self.accelerator.crossbar_columns
        paid = np.maximum(1, self.mapping.tiles.take(w)) * per_tile
        used: NDArray[np.float64] = self.mapping.cells.take(w) / paid
        return used

    @cached_property
    def baseline(self) -> CostReport:
        """Cost of the plain chip: 8-bit weights and activations, one copy of every layer."""
        return self.evaluate(Design.uniform(len(self.network), MAX_BITS, MAX_BITS))

    def __reduce__(self) -> tuple[Any, ...]:
        return (CostModel, (self.network, self.accelerator, self._max_bits))

    def _cycles(self, w: IntArray, a: IntArray, copies: IntArray, units: IntArray) -> IntArray:
        """Count the cycles of layers from their entries in the tables."""
        latency = self.latency
        cycles = ceil_div(units, copies) * latency.unit_cycles.take(a)
        if latency.rounds is not None:
            self._check_rounds(w, copies)
            cycles = (cycles + latency.round_cycles.take(a)) * latency.rounds.take(w)
        return cycles + latency.fixed_cycles.take(a)

    def _check_rounds(self, w: IntArray, copies: IntArray) -> None:
        """Refuse copies that do not sit on a time-multiplexed chip at the same time."""
        too_many = (copies > 1) & (copies * self.mapping.tiles.take(w) > self.accelerator.tiles)
        if too_many.any():
            layer = int(np.broadcast_to(w, too_many.shape)[too_many][0]) % len(self.network)
            raise DesignError(
                f"Expected all copies of layer {layer} ({self._layer_names[layer]}) to fit the "
                f"{self.accelerator.tiles} tiles of the time-multiplexed chip "
                f"{self.accelerator.name!r}. Take fewer copies."
            )

    def _entries(self, name: str, bits: ArrayLike) -> IntArray:
        """Return where the layers stand in a flattened table of widths and layers."""
        checked = check_bits(name, bits, self._layer_names, self._max_bits)
        return checked * len(self.network) + self._entry_of_zero_bits

    def _pairs(self, w: IntArray, a: IntArray) -> IntArray:
        """Return where they stand in one of weight widths, activation widths and layers."""
        return w * len(self.mapping.widths) - self._entries_before_layer + a

    def _base_fj(self, w: IntArray, a: IntArray) -> IntArray:
        """Return the energy that does not depend on the copies, shape (12, L)."""
        base_fj = self.energy.base_fj
        return base_fj.reshape(len(base_fj), -1).take(self._pairs(w, a), axis=1)

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
