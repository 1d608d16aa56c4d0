"""What a design costs on a chip: layers, networks, accelerators and the cost model."""

from lrmp.hardware.accelerator import Accelerator, Provenance
from lrmp.hardware.component import Component
from lrmp.hardware.cost_model import BatchCost, CostModel, CostTable
from lrmp.hardware.cost_report import CostReport, Objective
from lrmp.hardware.design import BIT_WIDTHS, MAX_BITS, MIN_BITS, Design
from lrmp.hardware.energy import ENERGY_COMPONENTS
from lrmp.hardware.event_energies import EventEnergies
from lrmp.hardware.latency import CYCLE_COMPONENTS
from lrmp.hardware.layer import Layer
from lrmp.hardware.network import Network
from lrmp.hardware.networks import NETWORKS, list_networks, load_network
from lrmp.hardware.preset import list_presets, load_preset, read_preset

__all__ = [
    "BIT_WIDTHS",
    "CYCLE_COMPONENTS",
    "ENERGY_COMPONENTS",
    "MAX_BITS",
    "MIN_BITS",
    "NETWORKS",
    "Accelerator",
    "BatchCost",
    "Component",
    "CostModel",
    "CostReport",
    "CostTable",
    "Design",
    "EventEnergies",
    "Layer",
    "Network",
    "Objective",
    "Provenance",
    "list_networks",
    "list_presets",
    "load_network",
    "load_preset",
    "read_preset",
]
