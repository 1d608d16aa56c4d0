"""The family of ReBoc (DATE 2020): bits, and circulant blocks of weights.

Blocks that do not divide a layer's channels are padded, so that with all rotations some take more
tiles than the dense layer; the chip of these tasks holds every design with one copy of all layers.
"""

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset, with_number
from lrmp.hardware.chip.provenance import Provenance
from lrmp.hardware.families.family import Family
from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.block_circulant import BLOCK_SIZE, ROTATIONS
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import activation_bits, weight_bits

_CIRCULANT = (BLOCK_SIZE, ROTATIONS)


def _chip() -> Accelerator:
    """Build LRMP's chip with the bit slices of a weight in neighbouring columns.

    Of ReBoc's own chip only ratios to others are known. With slices on crossbars of their own no
    layer of a network of 256 outputs or fewer has columns to spare, however few it stores.
    """
    preset = load_preset("lrmp_frontiers_2024")
    source = Provenance(
        "assumed", "ReBoc, abstract: horizontal weight slicing; its layout is not known"
    )
    return with_number(preset, "lrmp_packed_slices", "slice_placement", "packed", source)


def _is_dense(layer: Layer) -> bool:
    """Say whether a layer forms no blocks: they need weights, and outputs that read all inputs."""
    return layer.groups > 1 or layer.kind in ("matmul", "recurrent")


def _space(network: Network, chip: Accelerator) -> DesignSpace:
    allowed = {
        knob.name: [(knob.plain,) if _is_dense(layer) else knob.values for layer in network.layers]
        for knob in _CIRCULANT
        if any(map(_is_dense, network.layers))
    }
    return DesignSpace((weight_bits(), activation_bits(), *_CIRCULANT), allowed)


CIRCULANT = Family(
    name="circulant",
    label="Circulant",
    title="bits, and circulant blocks of weights (ReBoc)",
    networks=("mlp", "lenet", "resnet20"),
    chip=_chip,
    space=_space,
    without={knob.name: (knob.plain,) for knob in _CIRCULANT},
    holds_all_designs=True,
)
