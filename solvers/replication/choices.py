"""What can be chosen: every copy count worth having, layer by layer, with its tiles and costs."""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.cost.mapping import ceil_div
from lrmp.hardware.frozen_arrays import IntArray, locked, read_only
from lrmp.solvers.replication.knapsack import hull_steps, reading_order
from lrmp.solvers.replication.problem import EXACT_LIMIT, ReplicationProblem, useful_copies


@dataclass(frozen=True, eq=False)
class Choices:
    """Copy counts of every block, in one flat list of N options.

    A block is a layer, or layers that are tied together. Block b has the options
    ``start[b] .. start[b + 1] - 1``, copies ascending, the first with the fewest copies allowed.

    Attributes:
        problem: What the options belong to.
        start: Shape (B + 1,).
        block: Block of every option, shape (N,).
        copies: Shape (N,).
        tiles: Tiles of the block with these copies, shape (N,).
        cycles: Cycles of the block that copies shorten, added over its layers, shape (N,).
        energy_fj: Energy of the block, shape (N,); None if the problem has none.
        steps: ``hull_steps`` of cycles over tiles, block by block, where known beforehand.
    """

    problem: ReplicationProblem
    start: IntArray
    block: IntArray
    copies: IntArray
    tiles: IntArray
    cycles: IntArray
    energy_fj: IntArray | None
    steps: IntArray | None

    @classmethod
    def of(cls, problem: ReplicationProblem) -> "Choices":
        """List the options of a problem.

        Options that could not fit the budget are listed too.

        Args:
            problem: Layers and side constraints.

        Returns:
            At least one option per block.
        """
        choices = cls._tied(problem) if problem.tied is not None else cls._untied(problem)
        if problem.most_copies is None and problem.max_layer_cycles is None:
            return choices
        least = np.array(problem.fewest_copies(problem.max_layer_cycles))
        firsts = np.array([block[0] for block in problem.blocks])[choices.block]
        allowed = choices.copies >= least[firsts]
        if problem.most_copies is not None:
            allowed &= choices.copies <= problem.most_useful_copies[firsts]
        return choices.only(allowed)

    @classmethod
    def _untied(cls, problem: ReplicationProblem) -> "Choices":
        table = copy_table(tuple(problem.units.tolist()))
        return cls(
            problem=problem,
            start=table.start,
            block=table.layer,
            copies=table.copies,
            tiles=table.copies * problem.tiles[table.layer],
            cycles=_at_least(
                table.shares * problem.cycles_per_unit[table.layer], problem, table.layer
            ),
            energy_fj=None if problem.energy_fj is None else np.concatenate(problem.energy_fj),
            steps=table.steps if problem.least_cycles is None else None,
        )

    @classmethod
    def _tied(cls, problem: ReplicationProblem) -> "Choices":
        counts, tiles, cycles, energies = [], [], [], []
        for block in problem.blocks:
            units = problem.units[list(block)]
            copies = np.unique(np.concatenate([useful_copies(u) for u in units.tolist()]))
            shares = ceil_div(units[:, None], copies)
            counts.append(copies)
            tiles.append(copies * problem.tiles[list(block)].sum())
            of_layers = shares * problem.cycles_per_unit[list(block), None]
            rows = np.array(block)[:, None]
            cycles.append(_at_least(of_layers, problem, rows).sum(axis=0))
            if problem.energy_fj is not None:
                energies.append(
                    sum(
                        problem.energy_fj[layer][
                            np.searchsorted(useful_copies(u), copies, side="right") - 1
                        ]
                        for layer, u in zip(block, units.tolist(), strict=True)
                    )
                )
        sizes = [len(copies) for copies in counts]
        return cls(
            problem=problem,
            start=np.concatenate([[0], np.cumsum(sizes)]),
            block=np.repeat(np.arange(len(sizes)), sizes),
            copies=np.concatenate(counts),
            tiles=np.concatenate(tiles),
            cycles=np.concatenate(cycles),
            energy_fj=np.concatenate(energies) if energies else None,
            steps=None,
        )

    def only(self, allowed: NDArray[np.bool_]) -> "Choices":
        """Keep some of the options.

        Args:
            allowed: Shape (N,), at least one of every block.

        Returns:
            Those that are allowed.
        """
        sizes = np.add.reduceat(allowed, self.start[:-1], dtype=np.int64)
        return Choices(
            problem=self.problem,
            start=np.concatenate([[0], np.cumsum(sizes)]),
            block=self.block[allowed],
            copies=self.copies[allowed],
            tiles=self.tiles[allowed],
            cycles=self.cycles[allowed],
            energy_fj=None if self.energy_fj is None else self.energy_fj[allowed],
            steps=None,
        )

    def kinds(self) -> list[int]:
        """Say which blocks are alike: those with the same options at the same costs.

        Returns:
            For every block the first one that is alike, which may be itself.
        """
        return self._kinds

    @cached_property
    def _kinds(self) -> list[int]:
        problem = self.problem
        columns = [problem.tiles, problem.units, problem.cycles_per_unit]
        if problem.most_copies is not None:
            columns.append(problem.most_copies)
        if problem.max_layer_cycles is not None or problem.objective.startswith("throughput"):
            columns.append(problem.fixed_cycles)
        if problem.least_cycles is not None:
            columns.append(problem.least_cycles - problem.fixed_cycles)
        layers = list(zip(*(column.tolist() for column in columns), strict=True))
        if problem.energy_fj is not None:
            energies = (energies.tobytes() for energies in problem.energy_fj)
            layers = [(*key, e) for key, e in zip(layers, energies, strict=True)]
        labels: list[Hashable] = list(layers)
        if problem.tied is not None:
            labels = [tuple(sorted(layers[layer] for layer in block)) for block in problem.blocks]
        firsts: dict[Hashable, int] = {}
        return [firsts.setdefault(label, block) for block, label in enumerate(labels)]

    def costs(self, cycle_weight: int, energy_weight: int) -> NDArray[Any]:
        """Weigh cycles and energy of every option.

        Args:
            cycle_weight: At least 0.
            energy_weight: At least 0; 0 if the problem has no energies.

        Returns:
            Costs, shape (N,): int64, or Python's integers where 64 bits would not do.
        """
        if (cycle_weight, energy_weight) == (1, 0):
            return self.cycles
        if (cycle_weight, energy_weight) == (0, 1) and self.energy_fj is not None:
            return self.energy_fj
        most_cycles, most_energy = self.largest
        fits = cycle_weight * most_cycles + energy_weight * most_energy < EXACT_LIMIT
        costs = cycle_weight * (self.cycles if fits else self.cycles.astype(object))
        return costs if self.energy_fj is None else costs + energy_weight * self.energy_fj

    @cached_property
    def largest(self) -> tuple[int, int]:
        """Cycles and energy that no choice of options exceeds."""
        most = np.maximum.reduceat(self.cycles, self.start[:-1])
        if self.energy_fj is None:
            return int(most.sum()), 0
        return int(most.sum()), int(np.maximum.reduceat(self.energy_fj, self.start[:-1]).sum())

    def energy_steps(self) -> IntArray:
        """Walk the hulls of energy over tiles, block by block; the problem has energies.

        Those of a block are remembered: a search changes few layers from design to design.

        Returns:
            ``hull_steps``, one after the other.
        """
        assert self.energy_fj is not None
        steps = [
            a + _steps_of(self.tiles[a:b].tobytes(), self.energy_fj[a:b].tobytes())
            for a, b in pairwise(self.start.tolist())
        ]
        return np.concatenate(steps, axis=1)

    def canonical_key(self, copies: IntArray) -> tuple[int, list[int]]:
        """Rank copies of equal objective value; the canonical ones have the least key.

        Args:
            copies: Shape (L,).

        Returns:
            Tiles, and the copies of the blocks kind by kind.
        """
        order = reading_order(range(len(self.start) - 1), self.kinds())
        firsts = [self.problem.blocks[block][0] for block in order]
        return self.problem.tiles_of(copies.tolist()), copies[firsts].tolist()

    def cycles_and_energy(self, options: IntArray) -> tuple[int, int]:
        """Return the two factors of the energy-delay product.

        Args:
            options: One per block, shape (B,); the problem has energies.

        Returns:
            Cycles and femtojoules of all layers.
        """
        assert self.energy_fj is not None
        cycles = int(self.cycles[options].sum()) + self.fixed_cycles
        return cycles, int(self.energy_fj[options].sum())

    @cached_property
    def fixed_cycles(self) -> int:
        """Cycles of all layers that copies do not shorten."""
        return sum(self.problem.fixed_cycles.tolist())

    def replication(self, options: IntArray) -> IntArray:
        """Turn chosen options into copies.

        Args:
            options: One option per block, shape (B,).

        Returns:
            Copies of every layer, shape (L,).
        """
        chosen = self.copies[options]
        if self.problem.tied is None:
            return chosen
        copies = np.empty(len(self.problem), dtype=np.int64)
        for block, count in zip(self.problem.blocks, chosen, strict=True):
            copies[list(block)] = count
        return copies


def _at_least(cycles: IntArray, problem: ReplicationProblem, layers: IntArray) -> IntArray:
    """Lengthen the cycles that copies shorten to what the layers take in any case."""
    if problem.least_cycles is None:
        return cycles
    floor: IntArray = (problem.least_cycles - problem.fixed_cycles)[layers]
    return np.maximum(cycles, floor)


@dataclass(frozen=True)
class CopyTable:
    """The useful copies of layers with given units: what does not depend on bits and chip.

    Attributes:
        start: Options of layer l are ``start[l] .. start[l + 1] - 1``; shape (L + 1,).
        layer: Layer of every option, shape (N,).
        copies: Shape (N,).
        shares: Units in the busiest copy, shape (N,).
        steps: ``hull_steps`` of shares over copies, layer by layer, shape (2, H).
        step_bounds: Steps of layer l are ``step_bounds[l] .. step_bounds[l + 1] - 1``; (L + 1,).
        ratios: Shares that every step saves for a copy, shape (H,).
        stepped: Layers that have steps, those of more than one unit.
        step_start: Their first steps.
        key_step: More than any layer's copies.
        keys: ``layer * key_step + copies``, ascending, to look copies up by; shape (N,).
    """

    start: IntArray
    layer: IntArray
    copies: IntArray
    shares: IntArray
    steps: IntArray
    step_bounds: IntArray
    ratios: NDArray[np.float64]
    stepped: IntArray
    step_start: IntArray
    key_step: int
    keys: IntArray


@lru_cache(maxsize=64)
def copy_table(units: tuple[int, ...]) -> CopyTable:
    """List the useful copies of layers.

    Args:
        units: Units of every layer.

    Returns:
        The table; the same object for the same units.
    """
    copies = [useful_copies(u) for u in units]
    sizes = [len(c) for c in copies]
    start = read_only(np.concatenate([[0], np.cumsum(sizes)]))
    # Tiles and cycles are multiples of copies and shares, so the hull is the same for all bits.
    steps = [first + _share_steps(u) for first, u in zip(start[:-1], units, strict=True)]
    counts = np.array([s.shape[1] for s in steps])
    stepped = np.flatnonzero(counts)
    layer = np.repeat(np.arange(len(units)), sizes)
    all_copies = np.concatenate(copies)
    key_step = max(units) + 1
    all_shares = np.concatenate(
        [ceil_div(np.array(u), c) for u, c in zip(units, copies, strict=True)]
    )
    all_steps = np.concatenate(steps, axis=1)
    saved = -np.diff(all_shares[all_steps], axis=0)[0]
    return CopyTable(
        start=start,
        layer=read_only(layer),
        copies=read_only(all_copies),
        key_step=key_step,
        keys=read_only(layer * key_step + all_copies),
        shares=read_only(all_shares),
        steps=read_only(all_steps),
        step_bounds=read_only(np.concatenate([[0], np.cumsum(counts)])),
        ratios=locked(saved / np.diff(all_copies[all_steps], axis=0)[0]),
        stepped=read_only(stepped),
        step_start=read_only(np.cumsum(counts) - counts)[stepped],
    )


@lru_cache(maxsize=4096)
def _share_steps(units: int) -> IntArray:
    copies = useful_copies(units)
    return hull_steps(copies, ceil_div(np.array(units), copies))


@lru_cache(maxsize=4096)
def _steps_of(weights: bytes, costs: bytes) -> IntArray:
    arrays = (np.frombuffer(each, dtype=np.int64) for each in (weights, costs))
    return read_only(hull_steps(*arrays))
