"""The problems of a chip in an area, by name; registration asks, and loads nothing else."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from lrmp.hardware.networks.catalogue import NETWORKS

ChipObjective = Literal["latency", "energy", "edap"]


class ProblemName(NamedTuple):
    """The network and the objective that the id of a problem stands for.

    Attributes:
        network: Name of what runs.
        objective: What is minimised.
        layers: Of the network, the steps of an episode.
    """

    network: str
    objective: ChipObjective
    layers: int


def _problems() -> Mapping[str, ProblemName]:
    found = {}
    objectives: tuple[tuple[str, ChipObjective], ...] = (
        ("", "latency"),
        ("-Energy", "energy"),
        ("-EDAP", "edap"),
    )
    for network in ("lenet", "resnet20", "resnet18"):
        for suffix, objective in objectives:
            if objective == "edap" and network != "lenet":
                continue  # two objectives in one on every chip: not proven in hours
            entry = NETWORKS[network]
            found[f"LRMP-{entry.label}-Chip{suffix}-v0"] = ProblemName(
                network, objective, entry.layers
            )
    return MappingProxyType(found)


#: By the id of the layer-wise environment: those whose optimum is proven.
CHIP_PROBLEMS = _problems()
