"""The family of block-wise weights: bits of their own for every operation unit's block."""

from dataclasses import replace

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset
from lrmp.hardware.chip.provenance import Provenance
from lrmp.hardware.families.family import Family
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.mean_weight_bits import MEAN_WEIGHT_BITS
from lrmp.hardware.space.precision import PRECISION, activation_bits

_COLUMNS = 8
_SOURCES = {
    "active_columns": Provenance("second-hand", "note on BWQ, IEEE TCAD 2024: units of 9 x 8"),
    "columns_per_adc": Provenance("assumed", "an ADC per column of a unit, 8 of 256 columns"),
}


def _chip() -> Accelerator:
    """Return LRMP's chip, whose crossbars read units of 9 x 8 cells, with an ADC per column."""
    chip = load_preset("lrmp_frontiers_2024")
    return replace(
        chip,
        active_columns=_COLUMNS,
        columns_per_adc=chip.crossbar_columns // _COLUMNS,
        provenance={**chip.provenance, **_SOURCES},
    )


def _space(network: Network, chip: Accelerator) -> DesignSpace:
    return DesignSpace((MEAN_WEIGHT_BITS, activation_bits()))


def _layer_bits(network: Network, chip: Accelerator) -> DesignSpace:
    """Return bits by layer, those of BSQ (ICLR 2021): BWQ's own comparator of equal hardware."""
    return PRECISION


BLOCK = Family(
    name="block",
    label="Block",
    title="bits of weights by block, and of activations (BWQ)",
    networks=("lenet", "resnet20", "resnet18"),
    chip=_chip,
    space=_space,
    rival=_layer_bits,
)
