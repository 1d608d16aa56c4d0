"""CIM-AQ: mixed precision on one RRAM crossbar that holds the layers in turn.

Pelke et al., "Mixed-Precision Training and Compilation for RRAM-based Computing-in-Memory
Accelerators", DATE 2026 (arXiv 2601.21737; repository jmkle/cim-aq).
"""

from dataclasses import replace
from functools import partial

from lrmp.errors import DesignError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset, with_number
from lrmp.hardware.chip.provenance import Provenance
from lrmp.hardware.families.family import Family
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

#: Bits of a cell of the published results.
CELL_BITS = (2, 4)
#: What the first and the last layer keep.
PINNED_BITS = 8


def cim_aq_chip(cell_bits: int = 4) -> Accelerator:
    """Return the published chip.

    Args:
        cell_bits: 4 as in its configuration, or 2; both are published.

    Returns:
        The preset ``cim_aq_date_2026``, with cells of these bits.

    Raises:
        DesignError: If there are no results for such cells.
    """
    if cell_bits not in CELL_BITS:
        raise DesignError(
            f"Expected cells of {' or '.join(map(str, CELL_BITS))} bits, got {cell_bits!r}. Others "
            "are not published: change the chip yourself."
        )
    chip = load_preset("cim_aq_date_2026")
    if cell_bits == chip.cell_bits:
        return chip
    source = Provenance("published", f"results/resnet18/policy-*-rcell{cell_bits}.npy")
    name = f"{chip.name}_{cell_bits}_bit_cells"
    return with_number(chip, name, "cell_bits", cell_bits, source)


def cim_aq_space(
    network: Network, chip: Accelerator, *, whole_cells: bool = True, pinned: bool = True
) -> DesignSpace:
    """Limit weight and activation bits as CIM-AQ does.

    Its two constraints (``consider_cell_resolution`` and ``force_first_last_layer``) are switches,
    as there: results are published with none, with each and with both.

    Args:
        network: L layers.
        chip: Its ``cell_bits`` count.
        whole_cells: Whether weights have multiples of the cell bits only: 3 bits would take as many
            2-bit cells as 4.
        pinned: Whether the first and the last layer keep 8 bits of weights and activations.

    Returns:
        The bits of ``PRECISION``, 2 to 8, with what every layer may have.
    """
    bits = PRECISION["weight_bits"].values
    whole = tuple(b for b in bits if not whole_cells or int(b) % chip.cell_bits == 0)
    weights, activations = ([values] * len(network) for values in (whole, bits))
    if pinned:
        for layers in (weights, activations):
            layers[0] = layers[-1] = (PINNED_BITS,)
    return DesignSpace(PRECISION, {"weight_bits": weights, "activation_bits": activations})


#: Its default configuration, with the one of its networks whose accuracy is measured here. The
#: layers of smaller ones fit one crossbar whatever their weight bits, which then cost nothing.
#: Nothing is pipelined, so throughput would be latency again, and no energies are published.
CIM_AQ = Family(
    name="cim-aq",
    label="CIMAQ",
    title="bits in whole cells, on one crossbar that holds the layers in turn (CIM-AQ)",
    networks=("resnet18",),
    chip=cim_aq_chip,
    space=cim_aq_space,
    objectives=("latency",),
)
#: The other cells that it has results for.
CIM_AQ_2_BIT = replace(
    CIM_AQ,
    name="cim-aq-2bit",
    label="CIMAQ2",
    title="the same with 2-bit cells (CIM-AQ)",
    chip=partial(cim_aq_chip, 2),
)
