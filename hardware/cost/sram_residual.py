"""Words in SRAM that correct the weights of crossbars: how many there are, and what they take."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from lrmp.errors import DesignError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.sram_residual import GROUP


@dataclass(frozen=True, eq=False)
class SramResidual:
    """The words of one copy of L layers, after Krishnan et al. (IEEE TCAD 2022), for every setting.

    The weights of a column are cut into groups of 8 neighbouring rows, the last one filled up; of
    a layer's groups ``floor(sparsity * groups)`` have no words. One bit of index per group says
    which. The SRAM stands beside the crossbars, multiplies while these are read, and keeps pace
    with them (assumed): it takes area and energy, and no time. A product of two activations has no
    weights to correct.

    Attributes:
        words: Of a layer. This and the others have an axis per knob, of size 1 where the knob plays
            no part, and the layers last, as in `Computation`.
        bits: Of all words, and of the index if there are any.
        tiles: Whose area they take, rounded up to whole ones.
    """

    words: IntArray
    bits: IntArray
    tiles: IntArray

    @classmethod
    def of(cls, network: Network, chip: Accelerator, computation: Computation) -> Self | None:
        """Count the words of a network.

        Args:
            network: L layers.
            chip: With SRAM.
            computation: For every setting.

        Returns:
            The words; None where no knob has any.

        Raises:
            DesignError: If the chip has no SRAM, or nobody has said how long a word is.
        """
        percent, width = computation.sram_kept_percent, computation.sram_bits
        if percent is None or not percent.any():
            return None
        if width is None:
            raise DesignError(
                "Expected sram_bits beside sram_sparsity, which say how long a word is, got none. "
                "Add the knob."
            )
        if not chip.sram_bits_per_tile:
            raise DesignError(
                "Expected a chip with SRAM beside its crossbars where sram_sparsity is chosen, got "
                f"accelerator {chip.name!r} with sram_bits_per_tile 0. Set it, or leave the knob "
                "out."
            )
        groups = -(-computation.rows // GROUP) * computation.columns * ~network.is_matmul
        kept = groups - groups * (100 - percent) // 100
        words = kept * GROUP
        bits = words * width + np.where(kept, groups, 0)
        return cls(words, bits, -(-bits // chip.sram_bits_per_tile))
