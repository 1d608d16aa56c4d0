"""How the crossbars compute every layer: what knobs change, and the cost model reads."""

from dataclasses import dataclass

from lrmp.hardware.frozen_arrays import IntArray


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
    """

    weight_bits: IntArray
    activation_bits: IntArray
    rows: IntArray
    columns: IntArray
    reads: IntArray
