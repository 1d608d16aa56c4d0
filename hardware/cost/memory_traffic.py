"""Traffic between tiles, their buffer and the memory off the chip."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.cost.mapping import TileMapping, ceil_div, over
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.networks.network import Network


@dataclass(frozen=True, eq=False)
class MemoryTraffic:
    """What layers move, and how long that takes, for every setting.

    Off the chip go, each once per inference:

    - weights that are written in every inference;
    - the inputs of a network's first layer, and the outputs of its last;
    - of the other inputs and outputs of a layer what does not fit its ``buffer_bits``.

    What fits moves at the buffer's rate, each once.

    **Sums that wait.** On a time-multiplexed chip the crossbars that give the same outputs together
    (a stack: row tiles, and slices on crossbars of their own) may not all sit on the chip in the
    same round. In the order of the stacks, a round ends within one at every multiple of the chip's
    tiles that is no multiple of the stack's. There the sums of the stack, of
    ``partial_sum_bits`` for each of its outputs (those of all stacks divided evenly, rounded up),
    are written, and read in the next round. There are two ways, and the faster one is taken, the
    first of equals:

    - *all positions at once*: the buffer holds these sums first, then inputs and outputs. Sums that
      do not fit go off the chip and come back every time;
    - *positions in blocks*, as many as make the sums of one fit: all rounds run for every block, so
      that weights are fetched and written as often. Not for time steps, which wait for each other,
      nor where the sums of one position do not fit.

    A layer takes no less than each of both memories takes for it.

    Attributes:
        cycles: What the slower of both memories takes for a layer, with an axis per knob and the
            layers last, as in `Computation`.
        off_chip_cycles: What the memory off the chip takes, likewise.
        blocks: Blocks of positions, each of which has all weights written, likewise; 1 for all
            positions at once.
    """

    cycles: IntArray
    off_chip_cycles: IntArray
    blocks: IntArray

    @classmethod
    def of(
        cls,
        network: Network,
        chip: Accelerator,
        mapping: TileMapping,
        *,
        value_bits: IntArray | int,
        weight_bits: IntArray,
        work_cycles: IntArray,
        round_cycles: IntArray,
    ) -> Self:
        """Count the traffic, and choose how sums wait.

        Args:
            network: L layers.
            chip: With ``off_chip_bits_per_cycle``.
            mapping: Where the layers sit.
            value_bits: Of an input or output.
            weight_bits: Of all weights of a layer that are written in every inference, 0 of others.
            work_cycles: Of a layer with one copy, less those of its rounds.
            round_cycles: Of its rounds, writes included.

        Returns:
            The traffic.
        """
        first, last = _ends(network)
        arriving, leaving = mapping.input_elements, network.positions * network.columns
        outside = (arriving * first + leaving * last) * value_bits
        inside = (arriving * ~first + leaving * ~last) * value_bits
        sums, waits = _waiting_sums(network, chip, mapping)

        def moved(held: IntArray, spilled: IntArray, blocks: IntArray) -> tuple[IntArray, IntArray]:
            """Return the cycles of the buffer and of the memory off the chip."""
            excess = np.maximum(0, inside - (chip.buffer_bits - held))
            back_and_forth = 2 * waits * spilled
            kept = inside - excess + 2 * waits * sums - back_and_forth
            off_chip = weight_bits * blocks + outside + excess + back_and_forth
            return over(kept, chip.memory_bits_per_cycle), over(
                off_chip, chip.off_chip_bits_per_cycle
            )

        one = np.ones_like(sums)
        held = np.minimum(sums, chip.buffer_bits)
        buffer, off_chip = moved(held, sums - held, one)
        if not chip.buffer_bits or not waits.any():
            return cls._stored(buffer, off_chip, one)
        cut = np.maximum(1, ceil_div(sums, chip.buffer_bits))
        of_block = ceil_div(sums, cut)
        in_blocks = moved(of_block, np.zeros_like(sums), cut)
        all_at_once = np.maximum(work_cycles + round_cycles, np.maximum(buffer, off_chip))
        one_by_one = np.maximum(work_cycles + round_cycles * cut, np.maximum(*in_blocks))
        better = (one_by_one < all_at_once) & (cut <= network.positions) & (network.time_steps == 1)
        return cls._stored(
            np.where(better, in_blocks[0], buffer),
            np.where(better, in_blocks[1], off_chip),
            np.where(better, cut, one),
        )

    @classmethod
    def _stored(cls, buffer: IntArray, off_chip: IntArray, blocks: IntArray) -> Self:
        slower = np.maximum(buffer, off_chip)
        return cls(read_only(slower), read_only(off_chip), read_only(blocks))


def _ends(network: Network) -> tuple[IntArray, IntArray]:
    """Tell the first layer of every network, and the last."""
    ends = np.cumsum(network.sizes)
    first, last = (np.zeros(len(network), dtype=bool) for _ in range(2))
    first[np.append(0, ends[:-1])] = True
    last[ends - 1] = True
    return first, last


def _waiting_sums(
    network: Network, chip: Accelerator, mapping: TileMapping
) -> tuple[IntArray, IntArray]:
    """Return the bits of the sums of a stack, and how many rounds end within stacks."""
    if not chip.is_time_multiplexed:
        none = np.zeros((1,) * mapping.tiles.ndim, dtype=np.int64)
        return none, none
    crossbars = mapping.stacks * mapping.tiles_per_stack
    ends = np.maximum(0, crossbars - 1) // chip.tiles
    of_stack = np.maximum(1, mapping.tiles_per_stack)
    waits = ends - ends // (of_stack // np.gcd(of_stack, chip.tiles))
    outputs = ceil_div(network.positions * network.columns, mapping.stacks)
    return outputs * chip.partial_sum_bits * (waits > 0), waits
