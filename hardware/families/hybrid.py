"""The family of a hybrid of RRAM and SRAM: bits, and words in SRAM that correct weights.

After Krishnan et al. (IEEE TCAD 41, 2022). The chip is LRMP's with SRAM in every tile. Words on top
of weights of 8 bits take tiles that the plain design does not, so the chip of these tasks holds
every design with one copy of all layers.
"""

from dataclasses import replace

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset, with_number
from lrmp.hardware.chip.provenance import Provenance
from lrmp.hardware.families.family import Family
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import activation_bits, weight_bits
from lrmp.hardware.space.sram_residual import SRAM_BITS, SRAM_SHIFT, SRAM_SPARSITY

_NO_WORDS = SRAM_SPARSITY.plain
#: Every combination with words is measured in every layer, so 7 bits are left out.
_WEIGHT_BITS = (2, 3, 4, 5, 6, 8)
_SPARSITIES = (0, 80, 95, _NO_WORDS)
_WORD_BITS = (2, 4)
_SHIFTS = (0, 1, 2)
_SRAM_BITS_PER_TILE = 2**15
_SOURCE = Provenance("assumed", "half of the bits that a tile's 256 x 256 cells of 1 bit hold")


def _chip() -> Accelerator:
    """Build LRMP's chip with SRAM in its tiles."""
    preset = load_preset("lrmp_frontiers_2024")
    return with_number(preset, "lrmp_with_sram", "sram_bits_per_tile", _SRAM_BITS_PER_TILE, _SOURCE)


def _space(network: Network, chip: Accelerator) -> DesignSpace:
    return DesignSpace(
        (
            replace(weight_bits(), values=_WEIGHT_BITS),
            activation_bits(),
            replace(SRAM_SPARSITY, values=_SPARSITIES),
            replace(SRAM_BITS, values=_WORD_BITS),
            replace(SRAM_SHIFT, values=_SHIFTS),
        )
    )


HYBRID = Family(
    name="hybrid",
    label="Hybrid",
    title="bits, and words in SRAM that correct weights (Krishnan et al.)",
    networks=("lenet", "resnet20"),
    chip=_chip,
    space=_space,
    without={SRAM_SPARSITY.name: (_NO_WORDS,)},
    holds_all_designs=True,
)
