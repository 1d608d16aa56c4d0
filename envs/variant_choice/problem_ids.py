"""The problems with variants, by name; registration asks, and loads nothing else."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from lrmp.hardware.networks.catalogue import NETWORKS

#: What is chosen first. Modules and classes are named after it: `chip_problem.ChipProblem`,
#: `chip_environment.ChipEnv` and `ChipOneShotEnv`, and `chip_agents`.
Kind = Literal["chip", "filters"]
ProblemObjective = Literal["latency", "throughput", "energy", "edap"]


class ProblemName(NamedTuple):
    """What the id of a problem stands for.

    Attributes:
        kind: What is chosen first.
        network: Name of what runs.
        objective: What is minimised.
        layers: Of the network, the steps of an episode.
    """

    kind: Kind
    network: str
    objective: ProblemObjective
    layers: int


def _chip_problems() -> Mapping[str, ProblemName]:
    found = {}
    objectives: tuple[tuple[str, ProblemObjective], ...] = (
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
                "chip", network, objective, entry.layers
            )
    return MappingProxyType(found)


def _filters_problems() -> Mapping[str, ProblemName]:
    found = {}
    objectives: tuple[tuple[str, ProblemObjective], ...] = (
        ("", "latency"),
        ("-Throughput", "throughput"),
        ("-Energy", "energy"),
    )
    for network in ("lenet", "resnet20"):
        entry = NETWORKS[network]
        for suffix, objective in objectives:
            found[f"LRMP-{entry.label}-Filters{suffix}-v0"] = ProblemName(
                "filters", network, objective, entry.layers
            )
    return MappingProxyType(found)


#: By the id of the layer-wise environment: those of a chip in an area, whose optimum is proven.
CHIP_PROBLEMS = _chip_problems()
#: Likewise those of pruned filters.
FILTERS_PROBLEMS = _filters_problems()
#: Those of every kind.
VARIANT_PROBLEMS: Mapping[str, ProblemName] = MappingProxyType(
    {**CHIP_PROBLEMS, **FILTERS_PROBLEMS}
)
