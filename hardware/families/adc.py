"""The family of TinyADC (DATE 2021): few weights other than 0 per column need small ADCs."""

from dataclasses import replace

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset
from lrmp.hardware.chip.provenance import Provenance
from lrmp.hardware.families.family import Family
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.column_nonzeros import column_nonzeros
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import activation_bits, weight_bits

_ACTIVE_ROWS = 128


def _chip() -> Accelerator:
    """Build LRMP's chip with 128 rows driven together, weights in pairs, and ADCs of every layer.

    Of TinyADC's own chip only ratios to others are known. With LRMP's 9 rows a column sum has 4
    bits, and there is nothing to save.
    """
    preset = load_preset("lrmp_frontiers_2024")
    source = "ISAAC's 8-bit ADC, scaled as a comment of hwcomponents-library 1.0.58 has it"
    changed = {
        "active_rows": Provenance("assumed", "as many as ISAAC and NeuroSim drive together"),
        "weight_encoding": Provenance(
            "assumed", "a weight of 0 is cells of 0 in pairs of columns, and is not with an offset"
        ),
        "adc_resolution_bits": Provenance("derived", "lossless: 8 bits for 128 rows"),
        "adc": Provenance("assumed", "TinyADC, abstract: smaller ADCs save power and area"),
        "energy.adc_conversion_fj": Provenance("derived", source),
        "components.adc": Provenance("derived", f"{source}; leakage in proportion to energy"),
    }
    return replace(
        preset.with_active_rows(_ACTIVE_ROWS),
        name="lrmp_128_rows_adc_per_layer",
        weight_encoding="differential-columns",
        adc="per-layer",
        provenance={**preset.provenance, **changed},
    )


def _space(network: Network, chip: Accelerator) -> DesignSpace:
    return DesignSpace((weight_bits(), activation_bits(), column_nonzeros(chip.active_rows)))


ADC = Family(
    name="adc",
    label="ADC",
    title="bits, and weights other than 0 per column, which set the ADC's bits (TinyADC)",
    networks=("lenet", "resnet20", "resnet18"),
    chip=_chip,
    space=_space,
    without={"column_nonzeros": (_ACTIVE_ROWS,)},
)
