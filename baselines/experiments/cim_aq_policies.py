"""The policies that CIM-AQ published for ResNet-18: bits of every layer, in binary files.

They lie in the folder ``results/resnet18`` of the repository jmkle/cim-aq, named after the
constraints of the search, the points of accuracy that it might lose, and the bits of a cell.
"""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from lrmp.errors import RunError
from lrmp.foreign_file import read_foreign
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.networks.network import Network

NAME = re.compile(r"policy-resnet18-(\w+?)_constraints?-acc(\d+)-rcell(\d+)\.npy")
#: What limited the search, as files are named: first and last layer pinned, weights in whole cells.
CONSTRAINTS = {
    "no": (False, False),
    "input_output": (True, False),
    "weight": (False, True),
    "both": (True, True),
}
MOST_BYTES = 4096  # a published one has 464

#: Which layer a row of a policy is for. ``"file"``: as in the repository's layer file, a stage's
#: down-sampling before its convolutions; its network, too, takes the bits in this order, that in
#: which its layers are made. ``"modules"``: as the layers are registered and run, down-sampling
#: last; in this order the states that its agent sees are built.
Order = Literal["file", "modules"]
ORDERS: tuple[Order, ...] = get_args(Order)


@dataclass(frozen=True, eq=False)
class Policy:
    """A published policy.

    Attributes:
        constraint: A key of ``CONSTRAINTS``.
        allowed_drop: Percentage points that the search might lose, after fine-tuning.
        cell_bits: Bits of a cell.
        bits: Of weights and activations, row by row, shape (L, 2).
    """

    constraint: str
    allowed_drop: int
    cell_bits: int
    bits: IntArray

    @property
    def pinned(self) -> bool:
        """Whether the first and the last layer had to keep 8 bits."""
        return CONSTRAINTS[self.constraint][0]

    @property
    def whole_cells(self) -> bool:
        """Whether weights had to fill their cells."""
        return CONSTRAINTS[self.constraint][1]

    def values(self, network: Network, order: Order) -> dict[str, IntArray]:
        """Give every layer its bits.

        Args:
            network: L layers.
            order: Which row is whose.

        Returns:
            Weight and activation bits, each of shape (L,).
        """
        rows = self.bits[row_of_layer(network, order)]
        return {"weight_bits": rows[:, 0], "activation_bits": rows[:, 1]}


def row_of_layer(network: Network, order: Order) -> IntArray:
    """Find the row of every layer in a policy.

    Args:
        network: A ResNet, whose down-sampling runs behind the convolutions of its block.
        order: Of the rows.

    Returns:
        Rows, shape (L,).
    """
    names = [layer.name for layer in network.layers]
    if order == "modules":
        return np.arange(len(names))
    made: list[str] = []
    for name in names:
        block, _, part = name.rpartition(".")
        first = next((i for i, other in enumerate(made) if other.rpartition(".")[0] == block), None)
        made.insert(len(made) if part != "downsample" or first is None else first, name)
    return np.array([made.index(name) for name in names])


def read_policies(folder: Path, network: Network) -> list[Policy]:
    """Read the published policies.

    Args:
        folder: ``results/resnet18`` of a copy of the repository.
        network: ResNet-18.

    Returns:
        At least one, by cell bits, constraints and allowed drop.

    Raises:
        RunError: If there is none, or one has other layers or bits.
    """
    found = []
    for path in sorted(folder.glob("*.npy")) if folder.is_dir() else ():
        name = NAME.fullmatch(path.name)
        if name is not None and name[1] in CONSTRAINTS:
            bits = _read_bits(path, len(network))
            found.append(Policy(name[1], int(name[2]), int(name[3]), bits))
    if not found:
        raise RunError(
            "Expected policies such as policy-resnet18-both_constraints-acc01-rcell4.npy in "
            f"{folder}, got none. Give the folder results/resnet18 of a clone of "
            "github.com/jmkle/cim-aq."
        )
    order = list(CONSTRAINTS)
    return sorted(found, key=lambda p: (p.cell_bits, -order.index(p.constraint), p.allowed_drop))


def _read_bits(path: Path, layers: int) -> IntArray:
    try:
        content = io.BytesIO(read_foreign(path, MOST_BYTES))
        bits = np.lib.format.read_array(content, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise RunError(f"Expected a policy in {path}: {error}.") from error
    whole = bits.dtype.kind in "iu" and bits.shape == (layers, 2)
    if not whole or bits.min() < 2 or bits.max() > 8:
        raise RunError(
            f"Expected {layers} pairs of 2 to 8 bits in {path}, got {bits.dtype} of shape "
            f"{bits.shape}."
        )
    return read_only(bits.astype(np.int64))
