"""The family of floating-point inputs: how far they are shifted to a shared exponent."""

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.half_precision import STORED_BITS
from lrmp.hardware.chip.preset import load_preset, with_number
from lrmp.hardware.chip.provenance import Provenance
from lrmp.hardware.families.family import Family
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.alignment_bits import ALIGNMENT_BITS
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import weight_bits

_SOURCE = Provenance("published", "IEEE 754-2019: binary16; Abdel-Aziz et al., MLSys 2021, take it")


def _chip() -> Accelerator:
    """Return LRMP's chip, whose row groups align half-precision inputs."""
    chip = load_preset("lrmp_frontiers_2024")
    return with_number(chip, chip.name, "float_input_bits", STORED_BITS, _SOURCE)


def _space(network: Network, chip: Accelerator) -> DesignSpace:
    return DesignSpace((weight_bits(), ALIGNMENT_BITS))


FLOAT = Family(
    name="float",
    label="Float",
    title="bits of weights, and alignment of half-precision inputs (Abdel-Aziz et al.)",
    networks=("lenet", "resnet20"),
    chip=_chip,
    space=_space,
    without={"alignment_bits": (ALIGNMENT_BITS.plain,)},
)
