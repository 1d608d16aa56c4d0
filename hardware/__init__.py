"""What a design costs on a chip: layers, networks, accelerators and the cost model."""

from lrmp.hardware.chip.accelerator import Accelerator, Provenance
from lrmp.hardware.chip.component import Component
from lrmp.hardware.chip.event_energies import EventEnergies
from lrmp.hardware.chip.preset import list_presets, load_preset, read_preset
from lrmp.hardware.cost.cost_model import BatchCost, CostModel, CostTable
from lrmp.hardware.cost.cost_report import CostReport, Objective
from lrmp.hardware.cost.energy import ENERGY_COMPONENTS
from lrmp.hardware.cost.latency import CYCLE_COMPONENTS
from lrmp.hardware.networks import NETWORKS, list_networks, load_network
from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design import BIT_WIDTHS, MAX_BITS, MIN_BITS, Design

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
