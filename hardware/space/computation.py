"""How the crossbars compute every layer: what knobs change, and the cost model reads."""

from dataclasses import dataclass, field

import numpy as np

from lrmp.hardware.frozen_arrays import IntArray, read_only


def _one() -> IntArray:
    return read_only(np.ones(1, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Computation:
    """How the crossbars compute L layers, for every setting of K knobs.

    Every array has an axis per knob, in the order of the design space, and one of the layers last;
    an axis that a number does not depend on has size 1. A layer off the crossbars is computed as it
    is: of these numbers only its activation bits matter.

    Attributes:
        weight_bits: Bits of a weight, cut into slices over cells.
        activation_bits: Bits of an input, which streams in.
        rows: Rows of the matrix of a group that sit in crossbars.
        columns: Columns of all groups that sit in crossbars, before bit slices.
        reads: Times that every product is read; the results are averaged.
        column_nonzeros: Most weights other than 0 that a column has among the rows driven together;
            None where every row may hold one.
        adc_clip_bits: Most bits of an ADC, which clips larger sums; None where no knob limits them.
        shared_exponents: Exponents that the inputs of a row group share, whose sums are then
            shifted to those of the others: 1, or None for integers, which have none.
        block_bits: Quarters of a bit that a weight has on average over the blocks of its layer,
            where every block of a chip's operation unit has bits of its own; None where all weights
            of a layer have ``weight_bits``.
        block_size: k of the circulant blocks of k x k channels that weights form at every element
            of the kernel; None where they form none.
        rotations: Columns in which such a block is stored, at most k of them; None for one.
        averaging_copies: Crossbar sets that hold the weights of one copy and read the same inputs
            at the same time; their results are averaged.
        sram_bits: Bits of a word that corrects a weight, in SRAM beside the crossbars; None where
            no knob says it.
        sram_kept_percent: Weights that have such a word, may be 0; None for none.
        kept_percent: What is left of the part that is pruned; None where nothing is pruned.
        pruned_part: Which part that is, as `space.pruning` numbers them; None for single weights.
        kept_weights: Weights that are not pruned, of all groups; None for all that ``rows`` and
            ``columns`` hold. The cost model finds this and the next number out from those above.
        kept_input_elements: Distinct inputs, without those that nobody reads any more; None for
            all.
    """

    weight_bits: IntArray
    activation_bits: IntArray
    rows: IntArray
    columns: IntArray
    reads: IntArray
    column_nonzeros: IntArray | None = None
    adc_clip_bits: IntArray | None = None
    shared_exponents: IntArray | None = None
    block_bits: IntArray | None = None
    block_size: IntArray | None = None
    rotations: IntArray | None = None
    averaging_copies: IntArray = field(default_factory=_one)
    sram_bits: IntArray | None = None
    sram_kept_percent: IntArray | None = None
    kept_percent: IntArray | None = None
    pruned_part: IntArray | None = None
    kept_weights: IntArray | None = None
    kept_input_elements: IntArray | None = None
