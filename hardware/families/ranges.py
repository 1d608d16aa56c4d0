"""The family of analog ranges: bits, and what the DACs and ADCs of a layer cover.

After Lammie et al. (ISCAS 2024), who choose ranges after training. The chip is NeuRRAM's (Wan et
al., Nature 608, 2022), which applies inputs bit by bit and converts a whole product at once, here
with ADCs of few bits: where these are many, no range matters.
"""

from dataclasses import replace

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset, with_number
from lrmp.hardware.chip.provenance import Provenance
from lrmp.hardware.families.family import Family
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.analog_ranges import COLUMN_RANGE, INPUT_RANGE
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import activation_bits, weight_bits

_ADC_BITS = 5
# A cell holds 4 bits, so that weights of 5 to 7 bits take what those of 8 do.
_WEIGHT_BITS = (4, 8)
_ACTIVATION_BITS = (2, 3, 4, 6, 8)
#: Without a choice, ranges cover everything, or nearly so.
_WHOLE_INPUT, _WHOLE_COLUMN = "100", "12"
_SOURCE = Provenance(
    "assumed", "few, so that ranges matter; time and energy stay those of the paper's 10 bits"
)


def _chip() -> Accelerator:
    """Build NeuRRAM's chip with ADCs of 5 bits."""
    preset = load_preset("neurram_nature_2022")
    return with_number(preset, "neurram_5_bit_adc", "adc_resolution_bits", _ADC_BITS, _SOURCE)


def _space(network: Network, chip: Accelerator) -> DesignSpace:
    return DesignSpace(
        (
            replace(weight_bits(), values=_WEIGHT_BITS),
            replace(activation_bits(), values=_ACTIVATION_BITS),
            replace(INPUT_RANGE, values=("95", "99", _WHOLE_INPUT), plain=_WHOLE_INPUT),
            replace(COLUMN_RANGE, values=("4", "6", "8", _WHOLE_COLUMN), plain=_WHOLE_COLUMN),
        )
    )


RANGES = Family(
    name="ranges",
    label="Ranges",
    title="bits, and what DACs and ADCs cover (Lammie et al.)",
    networks=("lenet",),
    chip=_chip,
    space=_space,
    without={INPUT_RANGE.name: (_WHOLE_INPUT,), COLUMN_RANGE.name: (_WHOLE_COLUMN,)},
)
