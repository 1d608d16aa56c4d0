"""What a design costs on a chip: layers, networks, accelerators and the cost model."""

from lrmp.hardware.accelerator import Accelerator, Provenance, list_presets, load_preset
from lrmp.hardware.cost_model import CostModel
from lrmp.hardware.cost_report import CostReport, Objective
from lrmp.hardware.design import BIT_WIDTHS, MAX_BITS, MIN_BITS, Design
from lrmp.hardware.layer import Layer
from lrmp.hardware.network import Network
from lrmp.hardware.networks import NETWORKS, load_network

__all__ = [
    "BIT_WIDTHS",
    "MAX_BITS",
    "MIN_BITS",
    "NETWORKS",
    "Accelerator",
    "CostModel",
    "CostReport",
    "Design",
    "Layer",
    "Network",
    "Objective",
    "Provenance",
    "list_presets",
    "load_network",
    "load_preset",
]
