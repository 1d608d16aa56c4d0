"""Energy: the femtojoules of every layer, component by component."""

from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import NetworkError, PresetError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.event_energies import EVENTS, EventEnergies
from lrmp.hardware.cost.conversion import Conversion
from lrmp.hardware.cost.mapping import TileMapping
from lrmp.hardware.cost.setting_table import Number, Places, SettingTable
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks.network import Network
from lrmp.hardware.networks.shared_network import in_a_round
from lrmp.hardware.space.computation import Computation

#: Components of a layer's energy, in the order of the first axis of its breakdown.
ENERGY_COMPONENTS = (
    "adc",
    "cells",
    "row_drive",
    "shift_add",
    "registers",
    "bus",
    "vector",
    "digital",
    "buffer",
    "noc",
    "write",
    "leakage",
)
#: The last ones depend on the copies.
COPY_COMPONENTS = ENERGY_COMPONENTS[-4:]
_MOST_FJ = 2.0**62  # what depends on the copies and what does not add up to at most twice that


class Energy:
    """Energy of the layers of a network, for every setting.

    Events are counted, multiplied by ``EventEnergies`` and rounded to whole femtojoules per layer
    and component, so that totals are exact sums. Per inference, with ``t = ceil(a / dac_bits)``
    input steps and the chip's extra ones (times ``reads`` and ``passes``) and the symbols of
    `TileMapping`:

    - adc: ``P * t * columns * conversions_per_column`` conversions, of the bits of `Conversion`;
    - cells: ``P * t`` reads of every cell that holds a weight, but for those of weights that are
      pruned one by one, which draw no current; and of whole tiles for macros;
    - row_drive: ``P * t * driven_rows``;
    - shift_add: one per conversion, and ``P * M`` per row tile beyond the first, where those of all
      averaged sets count; where row groups share exponents, one more per position, column and row
      group, whose sum is shifted to the others';
    - registers: ``P * t`` accesses of every tile's input register, which rotates its inputs from
      pass to pass; ``P * passes`` of every column's output register in every row tile;
    - bus: the windows' bits, ``P * a`` times the K inputs of all groups, and a partial sum per
      output and row tile of every averaged set;
    - vector: the layer's element-wise operations, and a requantisation per output;
    - digital: the multiply-accumulates of a matmul layer on the digital unit, which replaces the
      entries from adc to registers and the partial sums on the bus; and one per position and word
      that corrects a weight, whose bits the buffer's energy reads, with an addition per output;
    - buffer: the windows' bits read, and what is delivered written, each rounded; where blocks have
      bits of their own, also ``P * t`` times the index that tells the controller which;
    - noc: what is delivered, over the accelerator's mean hops;
    - write: the cells of a layer that is written in every inference, as often as it is;
    - leakage: see below.

    **What copies cost.** Every position is computed once, whichever copy does it: adc, cells,
    row_drive, shift_add, registers, bus, vector and digital do not change. Three entries do.
    *Delivery*: r copies need the layer's inputs in r buffers, ``min(r * distinct inputs, windows)``
    elements in all (a copy needs no more than its own windows), which buffer and noc carry.
    *Writing*: every copy is written. *Leakage*: with gated idle tiles, the tiles of a layer leak
    while it runs (in a time-multiplexed chip those of a round), so copies that do not shorten its
    time in proportion cost energy; with leaking idle tiles, all tiles of the chip leak all the
    time, so copies save energy. What the whole chip shares leaks all the time. Times are those of
    the layer-by-layer schedule.

    Of networks that share a chip all is counted for a round: whole femtojoules of an inference,
    times the inferences of the layer's network.

    Args:
        network: L layers.
        accelerator: The chip.
        computation: What the crossbars compute, for every setting.
        mapping: Where the layers sit.
        conversion: What the ADCs resolve.
        writes: How often a layer that is written is, per inference, for every setting; None for
            once.

    Raises:
        PresetError: If the accelerator gives no energies.
        NetworkError: If an inference takes kilojoules, which do not fit.
    """

    def __init__(
        self,
        network: Network,
        accelerator: Accelerator,
        computation: Computation,
        mapping: TileMapping,
        conversion: Conversion,
        writes: IntArray | None = None,
    ) -> None:
        if accelerator.energy is None:
            raise PresetError(
                f"Expected accelerator {accelerator.name!r} to give the energy of its events, got "
                "none. Take another preset, or add an [energy] table to your own."
            )
        self._chip = accelerator
        self._network = network
        self._runs = network.runs
        self._mapping = mapping
        self._conversion = conversion
        # As floats, which cannot overflow.
        energies = {name: float(getattr(accelerator.energy, name)) for name in EVENTS}
        self._per_event = EventEnergies(**energies)
        on = mapping.on_crossbars
        multiplexed = accelerator.is_time_multiplexed
        written = on & (network.is_matmul | multiplexed)
        self._write_fj = written * self._per_event.cell_write_fj
        self._any_written = bool(written.any())
        self._written_cells = mapping.cells if writes is None else mapping.cells * writes
        self._leaking_tiles: int = accelerator.tiles if accelerator.idle_power == "leaking" else 0
        self._most_tiles = accelerator.tiles if multiplexed else None
        noc_fj_per_bit = accelerator.noc_hops * self._per_event.noc_fj_per_bit_hop
        self._fj_per_bit = np.array([self._per_event.buffer_fj_per_bit, noc_fj_per_bit, 0, 0])
        fj_per_uw_and_cycle = 1000 / accelerator.clock_mhz  # uW * us = 1000 fJ
        self._tile_leakage_fj = accelerator.tile_leakage_uw * fj_per_uw_and_cycle
        self._chip_leakage_fj = accelerator.chip_leakage_uw * fj_per_uw_and_cycle
        # By the bits of the layer's ADCs, where these leak as they need.
        self._own_tile_leakage_fj: SettingTable[np.float64] | None = None
        if (conversion.leakage_ratio != 1).any():
            saved = accelerator.tile_leakage_of("adc") * (1 - conversion.leakage_ratio)
            leakage = (accelerator.tile_leakage_uw - saved) * fj_per_uw_and_cycle
            self._own_tile_leakage_fj = self._tabulate(leakage)
        inputs = np.stack([mapping.input_elements, mapping.window_inputs])
        self._base = self._tabulate(self._base_fj(computation))
        self._bits = self._tabulate(inputs * self._arriving(computation))

    def _arriving(self, computation: Computation) -> IntArray | int:
        """Return the bits of an input on its way to the crossbars."""
        if computation.shared_exponents is None:
            return computation.activation_bits
        return self._chip.float_input_bits

    @cached_property
    def _total(self) -> SettingTable[np.int64]:
        return replace(self._base, values=self._base.values.sum(axis=0))

    @cached_property
    def _cells(self) -> SettingTable[np.int64]:
        return self._tabulate(self._written_cells)

    def _tabulate(self, array: NDArray[Number]) -> SettingTable[Number]:
        """Make a table over the knobs that numbers, in the form of `Computation`, depend on."""
        return SettingTable.of(array, self._mapping.tiles.ndim - 1, len(self._network))

    def _base_fj(self, computation: Computation) -> IntArray:
        """Return what does not depend on the copies, for every setting, components first."""
        network, mapping, fj = self._network, self._mapping, self._per_event
        width = computation.activation_bits.astype(np.float64)
        turns = network.positions * mapping.passes
        steps = np.ceil(width / self._chip.dac_bits) + self._chip.extra_input_steps
        reads = turns * steps * computation.reads
        tiles, columns, cells, driven_rows = (
            array.astype(np.float64)
            for array in (mapping.tiles, mapping.columns, mapping.cells, mapping.driven_rows)
        )
        if computation.kept_weights is not None:
            cells = cells * (computation.kept_weights / (computation.rows * computation.columns))
        on = mapping.on_crossbars
        outputs = (network.positions * network.columns).astype(np.float64)
        partial_sums = outputs * mapping.added_tiles * on
        column_sums = turns * columns * mapping.row_tiles
        conversions = reads * mapping.conversions
        window_bits = mapping.window_inputs * np.float64(self._arriving(computation))
        sum_bits = partial_sums * self._chip.partial_sum_bits
        parts = {
            "adc": conversions * fj.adc_conversion_fj * self._conversion.energy_ratio,
            "cells": reads * (cells * fj.cell_read_fj + tiles * fj.tile_read_fj),
            "row_drive": reads * driven_rows * fj.row_drive_fj,
            "shift_add": (conversions + (partial_sums - outputs * on)) * fj.shift_add_fj,
            "registers": reads * tiles * fj.input_register_fj + column_sums * fj.output_register_fj,
            "buffer": window_bits * fj.buffer_fj_per_bit,
            "bus": (window_bits + sum_bits) * fj.bus_fj_per_bit,
            "vector": network.vector_ops * fj.vector_op_fj + outputs * fj.requantise_fj,
            "digital": network.macs_by_layer * ~on * fj.digital_mac_fj,
        }
        if mapping.residual is not None:
            self._check_multiplier()
            words, bits = (
                turns * count * on for count in (mapping.residual.words, mapping.residual.bits)
            )
            parts["digital"] = parts["digital"] + words * fj.digital_mac_fj
            parts["buffer"] = parts["buffer"] + bits * fj.buffer_fj_per_bit
            added = outputs * (mapping.residual.words > 0) * on
            parts["shift_add"] = parts["shift_add"] + added * fj.shift_add_fj
        if computation.shared_exponents is not None:
            sums = turns * mapping.conversions * computation.shared_exponents
            parts["shift_add"] = parts["shift_add"] + sums * fj.shift_add_fj
        if computation.block_bits is not None:
            index_bits = reads * mapping.index_bits
            parts["buffer"] = parts["buffer"] + index_bits * fj.buffer_fj_per_bit
        shape = np.broadcast_shapes(*map(np.shape, parts.values()))
        base = np.zeros((len(ENERGY_COMPONENTS), *shape))
        for name, energy in parts.items():
            base[ENERGY_COMPONENTS.index(name)] = energy
        return in_a_round(self._runs, self._whole(base, (0, -1)))

    def _check_multiplier(self) -> None:
        """Refuse a chip that multiplies digitally for nothing."""
        if not self._per_event.digital_mac_fj:
            raise PresetError(
                f"Expected accelerator {self._chip.name!r} to say what a digital "
                "multiply-accumulate takes where sram_sparsity is chosen, got digital_mac_fj 0. "
                "Give it a number, or leave the knob out."
            )

    def of_settings(self, places: Places) -> IntArray:
        """Return the energy that does not depend on the copies.

        Args:
            places: Of the settings, shape (..., L).

        Returns:
            Femtojoules by component, shape (12, ..., L).
        """
        return self._base.of_settings(places)

    def total_of_settings(self, places: Places) -> IntArray:
        """Return the same, all components together.

        Args:
            places: Of the settings, shape (..., L).

        Returns:
            Femtojoules, shape (..., L).
        """
        return self._total.of_settings(places)

    def of_copies(
        self,
        places: Places,
        copies: IntArray,
        tiles: IntArray,
        cycles: IntArray,
        layers: slice | IntArray = slice(None),
    ) -> IntArray:
        """Return the energy that depends on the copies.

        Args:
            places: Of the settings, shape (..., L).
            copies: Shape (..., L).
            tiles: Tiles of these copies, shape (..., L).
            cycles: Cycles of the layer with them, in all its runs, shape (..., L).
            layers: Which layers the last axis stands for; of indices, every entry is an inference
                of its own.

        Returns:
            Femtojoules by component of ``COPY_COMPONENTS``, shape (4, ..., L).

        Raises:
            NetworkError: If an inference takes kilojoules, which do not fit.
        """
        bits = self._bits.of_settings(places)  # of the distinct inputs, and of all windows
        energy = np.multiply.outer(self._fj_per_bit, np.minimum(copies * bits[0], bits[1]))
        if self._any_written:
            energy[2] = copies * self._cells.of_settings(places) * self._write_fj[layers]
        powered = self._leaking_tiles or tiles
        if self._most_tiles:
            powered = np.minimum(powered, self._most_tiles)
        tile_leakage: float | NDArray[np.float64] = self._tile_leakage_fj
        if self._own_tile_leakage_fj is not None:
            tile_leakage = self._own_tile_leakage_fj.of_settings(places)
        runs = None if self._runs is None else self._runs[layers]
        once = cycles if runs is None else cycles // runs  # without a rest
        energy[3] = once * (powered * tile_leakage + self._chip_leakage_fj)
        whole = self._whole(energy, (0, -1) if isinstance(layers, slice) else (0,))
        return in_a_round(runs, whole)

    def _whole(self, energy_fj: NDArray[np.float64], one_inference: tuple[int, ...]) -> IntArray:
        """Round to whole femtojoules; the axes of one inference must add up to 64 bits."""
        if energy_fj.sum() >= _MOST_FJ:  # all inferences together, which is fast
            self._check_inferences(energy_fj.sum(axis=one_inference).max())
        whole: IntArray = np.rint(energy_fj, out=energy_fj).astype(np.int64)
        return whole

    def _check_inferences(self, most: np.float64) -> None:
        if most >= _MOST_FJ:
            raise NetworkError(
                f"Expected an inference of {self._network.name} on accelerator {self._chip.name!r} "
                f"to take less than {_MOST_FJ * 1e-18:.1f} kJ, so that femtojoules fit 64-bit "
                f"integers, got {most * 1e-18:.1f} kJ. Check the units of the energies, or gate "
                "idle tiles."
            )
