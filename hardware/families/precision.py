"""The family of LRMP itself: bits of weights and of activations."""

from functools import partial

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset
from lrmp.hardware.families.family import Family
from lrmp.hardware.networks.catalogue import NETWORKS
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION as BITS


def _space(network: Network, chip: Accelerator) -> DesignSpace:
    return BITS


PRECISION = Family(
    name="precision",
    label="",
    title="bits of weights and activations (LRMP)",
    networks=tuple(entry.name for entry in NETWORKS.values() if entry.label is not None),
    chip=partial(load_preset, "lrmp_frontiers_2024"),
    space=_space,
)
