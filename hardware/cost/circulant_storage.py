"""What crossbars hold of circulant blocks of weights, and how often they read it."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.computation import Computation


@dataclass(frozen=True, eq=False)
class CirculantStorage:
    """The matrices of L layers as they are stored, after ReBoc (Wang et al., DATE 2020).

    Input and output channels, those of a group, are filled up with zeros to multiples of k; every
    element of the kernel has its own blocks. A block of k x k weights is k rows of one column, in d
    rotations side by side, where d is at most k; so a layer has ``d / k`` of its columns, and is
    read in ``k / d`` passes, of which each drives the rows with inputs rotated by d more. Which
    numbers of ReBoc's own circuits are behind that is not known; the algebra is exact.

    A kernel that is not square counts as one of its longer side, as far as that divides the rows:
    fewer channels of more elements need no fewer zeros. A product of two activations has no weights
    that could form blocks.

    Attributes:
        rows: Of the matrix of a group, with those of the zeros. This and the others have an axis
            per knob, of size 1 where the knob plays no part, and the layers last, as in
            `Computation`.
        columns: Of all groups, before bit slices.
        passes: Reads for one product.
    """

    rows: IntArray
    columns: IntArray
    passes: IntArray

    @classmethod
    def of(cls, network: Network, computation: Computation) -> Self:
        """Store the weights of a network.

        Args:
            network: L layers.
            computation: Says k and d, for every setting.

        Returns:
            The matrices themselves, read once, where weights form no blocks.
        """
        rows, columns, k = computation.rows, computation.columns, computation.block_size
        if k is None:
            once = np.ones((*(1,) * (rows.ndim - 1), len(network)), dtype=np.int64)
            return cls(rows, columns, once)
        if network.is_matmul.any():
            k = np.where(network.is_matmul, 1, k)
        d = np.minimum(k, 1 if computation.rotations is None else computation.rotations)
        elements = np.gcd(rows, network.kernel_elements)
        inputs, groups = rows // elements, network.groups
        outputs = -(-columns // groups)  # of the groups, which a knob may leave unequal
        filled = inputs + -inputs % k
        return cls(filled * elements, -(-outputs // k) * d * groups, -(-k // d))
