"""What a design costs on a chip: layers, networks, accelerators and the cost model."""

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.component import Component
from lrmp.hardware.chip.event_energies import EventEnergies
from lrmp.hardware.chip.preset import list_presets, load_preset, read_preset
from lrmp.hardware.chip.provenance import Provenance
from lrmp.hardware.cost.cost_model import BatchCost, CostModel
from lrmp.hardware.cost.cost_report import CostReport, Objective
from lrmp.hardware.cost.energy import ENERGY_COMPONENTS
from lrmp.hardware.cost.latency import CYCLE_COMPONENTS
from lrmp.hardware.networks import NETWORKS, list_networks, load_network
from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.readers.file_bits import FileBits, read_file_bits
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.precision import PRECISION

__all__ = [
    "CYCLE_COMPONENTS",
    "ENERGY_COMPONENTS",
    "NETWORKS",
    "PRECISION",
    "Accelerator",
    "BatchCost",
    "Component",
    "CostModel",
    "CostReport",
    "Design",
    "DesignSpace",
    "EventEnergies",
    "FileBits",
    "Knob",
    "Layer",
    "Network",
    "Objective",
    "Provenance",
    "list_networks",
    "list_presets",
    "load_network",
    "load_preset",
    "read_file_bits",
    "read_preset",
]
