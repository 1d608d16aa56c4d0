"""The cost model: tiles, cycles and energy of designs on an accelerator, exact and vectorised."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.errors import DesignError
from lrmp.hardware.accelerator import Accelerator
from lrmp.hardware.cost_report import CostReport
from lrmp.hardware.design import MAX_BITS, MIN_BITS, Design, as_integers, check_bits
from lrmp.hardware.energy import COPY_COMPONENTS, Energy
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.latency import Latency
from lrmp.hardware.mapping import TileMapping, ceil_div
from lrmp.hardware.network import Network

_COPY_ROWS = slice(-len(COPY_COMPONENTS), None)
_BLOCK = 256  # designs of a batch costed at a time, so that intermediate arrays stay in the cache


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
    fixed_cycles`` cycles and ``r * tiles_per_copy`` tiles.

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
        self._layers = np.arange(len(network))
        self.mapping = TileMapping(network, accelerator, tuple(range(MIN_BITS, max_bits + 1)))
        self.latency = Latency(network, accelerator, self.mapping)

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

    def tiles_per_copy(self, weight_bits: ArrayLike) -> IntArray:
        """Count the tiles that one copy of every layer holds.

        Args:
            weight_bits: Shape (..., L), each 2..8.

        Returns:
            Tiles, shape (..., L).

        Raises:
            DesignError: If the bits are out of range or of the wrong shape.
        """
        return self.mapping.tiles[self._index("weight_bits", weight_bits), self._layers]

    def cycles_per_unit(self, activation_bits: ArrayLike) -> IntArray:
        """Count the cycles of one unit of work of every layer.

        Args:
            activation_bits: Shape (..., L), each 2..8.

        Returns:
            Cycles, shape (..., L).

        Raises:
            DesignError: If the bits are out of range or of the wrong shape.
        """
        index = self._index("activation_bits", activation_bits)
        return self.latency.unit_cycles[index, self._layers]

    def fixed_cycles(self, activation_bits: ArrayLike) -> IntArray:
        """Count the cycles of every layer that copies do not shorten.

        Args:
            activation_bits: Shape (..., L), each 2..8.

        Returns:
            Cycles, shape (..., L).

        Raises:
            DesignError: If the bits are out of range or of the wrong shape.
        """
        index = self._index("activation_bits", activation_bits)
        return self.latency.fixed_cycles[index, self._layers]

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
        weight_index = self._index("weight_bits", weight_bits)
        activation_index = self._index("activation_bits", activation_bits)
        copies = self._copies(replication)
        shapes = (weight_index.shape, activation_index.shape, copies.shape)
        try:
            shape = np.broadcast_shapes(*shapes)
        except ValueError as error:
            raise DesignError(
                "Expected weight_bits, activation_bits and replication of shapes that broadcast, "
                f"got {', '.join(map(str, shapes))}."
            ) from error
        cycles = self._cycles(weight_index, activation_index, copies, self._layers)
        return np.broadcast_to(cycles, shape)

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
        weights = self._index("weight_bits", weight_bits)
        activations = self._index("activation_bits", activation_bits)
        if not weights.shape == activations.shape == (len(copies),):
            raise DesignError(
                "Expected weight_bits and activation_bits of shape "
                f"({len(self.network)},) and as many lists of copies, got {weights.shape}, "
                f"{activations.shape} and {len(copies)}."
            )
        energies = []
        for layer, counts in enumerate(copies):
            w, a = int(weights[layer]), int(activations[layer])
            of_copies = self.energy.of_copies(
                np.array(a + MIN_BITS),
                self.mapping.tiles[w, layer],
                self.mapping.cells[w, layer],
                counts,
                self._cycles(w, a, counts, layer),
                layer,
            )
            base = self.energy.base_fj[:, w, a, layer].sum()
            energies.append(read_only(base + of_copies.sum(axis=0)))
        return tuple(energies)

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
        if len(design) != len(self.network):
            raise DesignError(
                f"Expected a design of {len(self.network)} layers for {self.network.name}, "
                f"got {len(design)}."
            )
        w, a, copies = (
            design.weight_bits - MIN_BITS,
            design.activation_bits - MIN_BITS,
            design.replication,
        )
        latency, layers = self.latency, self._layers
        tiles = self.mapping.tiles[w, layers]
        per_unit, per_round, fixed = latency.parts[:, :, a, layers]
        parts = ceil_div(latency.units, copies) * per_unit
        if latency.rounds is not None:
            self._check_rounds(tiles, copies, layers)
            parts = (parts + per_round) * latency.rounds[w, layers]
        parts += fixed
        energy_fj = None
        if self.accelerator.energy is not None:
            energy_fj = self.energy.base_fj[:, w, a, layers]
            energy_fj[_COPY_ROWS] += self.energy.of_copies(
                design.activation_bits,
                tiles,
                self.mapping.cells[w, layers],
                copies,
                parts.sum(axis=0),
            )
            energy_fj.flags.writeable = False
        layer_tiles = tiles * copies
        layer_tiles.flags.writeable = parts.flags.writeable = False
        return CostReport(
            layer_tiles=layer_tiles,
            component_cycles=parts,
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
        w = self._index("weight_bits", weight_bits)
        a = self._index("activation_bits", activation_bits)
        copies = self._copies(replication)
        if not w.ndim == a.ndim == copies.ndim == 2 or not w.shape == a.shape == copies.shape:
            raise DesignError(
                "Expected weight_bits, activation_bits and replication of one shape "
                f"(designs, {len(self.network)}), got {w.shape}, {a.shape} and {copies.shape}."
            )
        count = len(w)
        tiles, latency, bottleneck, energy = (np.empty(count, np.int64) for _ in range(4))
        base_fj = self.energy.base_fj.sum(axis=0) if with_energy else None
        for start in range(0, count, _BLOCK):
            block = slice(start, start + _BLOCK)
            wb, ab, rb = w[block], a[block], copies[block]
            layer_tiles = self.mapping.tiles[wb, self._layers]
            cycles = self._cycles(wb, ab, rb, self._layers)
            tiles[block] = (layer_tiles * rb).sum(axis=1)
            latency[block] = cycles.sum(axis=1)
            bottleneck[block] = (
                cycles.max(axis=1) if self.latency.rounds is None else latency[block]
            )
            if base_fj is not None:
                cells = self.mapping.cells[wb, self._layers]
                of_copies = self.energy.of_copies(ab + MIN_BITS, layer_tiles, cells, rb, cycles)
                fixed = base_fj[wb, ab, self._layers]
                energy[block] = fixed.sum(axis=1) + of_copies.sum(axis=(0, 2))
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
        widths = np.arange(shape[0])
        w, a = widths[:, None, None], widths[None, :, None]
        cycles = np.broadcast_to(self._cycles(w, a, copies, self._layers), shape)
        tiles = self.mapping.tiles[:, None, :]
        energy_fj = None
        if self.accelerator.energy is not None:
            of_copies = self.energy.of_copies(
                a + MIN_BITS, tiles, self.mapping.cells[:, None, :], copies, cycles
            )
            energy_fj = self.energy.base_fj.sum(axis=0) + of_copies.sum(axis=0)
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
        index = self._index("weight_bits", weight_bits)
        per_tile = self.accelerator.crossbar_rows * self.accelerator.crossbar_columns
        paid = np.maximum(1, self.mapping.tiles[index, self._layers]) * per_tile
        used: NDArray[np.float64] = self.mapping.cells[index, self._layers] / paid
        return used

    @cached_property
    def baseline(self) -> CostReport:
        """Cost of the plain chip: 8-bit weights and activations, one copy of every layer."""
        return self.evaluate(Design.uniform(len(self.network), MAX_BITS, MAX_BITS))

    def __reduce__(self) -> tuple[Any, ...]:
        return (CostModel, (self.network, self.accelerator, self._max_bits))

    def _cycles(
        self, w: IntArray | int, a: IntArray | int, copies: IntArray, layers: IntArray | int
    ) -> IntArray:
        """Count the cycles of layers from indices into the widths."""
        latency = self.latency
        cycles: IntArray = ceil_div(latency.units[layers], copies) * latency.unit_cycles[a, layers]
        if latency.rounds is not None:
            self._check_rounds(self.mapping.tiles[w, layers], copies, layers)
            cycles = (cycles + latency.round_cycles[a, layers]) * latency.rounds[w, layers]
        cycles += latency.fixed_cycles[a, layers]
        return cycles

    def _check_rounds(self, tiles: IntArray, copies: IntArray, layers: IntArray | int) -> None:
        """Refuse copies that do not sit on a time-multiplexed chip at the same time."""
        too_many = (copies > 1) & (copies * tiles > self.accelerator.tiles)
        if too_many.any():
            layer = int(np.broadcast_to(layers, too_many.shape)[too_many][0])
            raise DesignError(
                f"Expected all copies of layer {layer} ({self._layer_names[layer]}) to fit the "
                f"{self.accelerator.tiles} tiles of the time-multiplexed chip "
                f"{self.accelerator.name!r}. Take fewer copies."
            )

    def _index(self, name: str, bits: ArrayLike) -> IntArray:
        return check_bits(name, bits, self._layer_names, self._max_bits) - MIN_BITS

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
