"""Validation of the reconstruction of LRMP: tiles, optimal copies and the published ranges."""

from dataclasses import replace
from functools import cache, partial
from typing import Literal

from lrmp.baselines.validation.case import ValidationCase
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.networks import load_network
from lrmp.hardware.space.design import Design
from lrmp.solvers.replication.oracle import solve_replication
from lrmp.solvers.replication.problem import ReplicationProblem

Objective = Literal["latency", "throughput"]

LRMP_NETWORKS = ("resnet18", "resnet34", "resnet50", "resnet101")
#: Published gains over the five networks of LRMP.
LRMP_RANGES: dict[Objective, tuple[float, float]] = {
    "latency": (2.6, 9.3),
    "throughput": (8.0, 18.0),
}
#: Gain in latency and in throughput at 7, 6, 5 and 4 bits, by output elements per cycle.
GAINS = {
    ("resnet18", 1): ((2.526, 4.136, 6.101, 8.618), (5.260, 11.184, 15.076, 17.052)),
    ("resnet34", 1): ((2.411, 3.826, 5.509, 7.656), (7.608, 12.126, 16.178, 17.455)),
    ("resnet50", 1): ((2.273, 3.255, 4.233, 5.303), (9.599, 13.444, 16.416, 17.410)),
    ("resnet101", 1): ((2.060, 2.660, 3.428, 4.264), (10.521, 15.650, 17.171, 17.646)),
    ("resnet18", 0): ((2.756, 4.997, 8.476, 14.815), (5.714, 12.506, 30.014, 56.133)),
    ("resnet101", 0): ((2.493, 3.656, 5.697, 9.175), (13.382, 34.281, 60.028, 75.034)),
}
BASELINE_CYCLES = {
    1: (47_735_912, 69_543_656, 91_552_104, 115_222_632),
    0: (45_251_200, 98_989_696),
}

_OWN = "This project's reconstruction of LRMP's chip from second-hand facts"


def tile_counts(chip: Accelerator) -> list[ValidationCase]:
    """V3: tiles of the networks of LRMP at 8 bits.

    Args:
        chip: The preset of LRMP.

    Returns:
        Its line.
    """
    return [
        ValidationCase(
            case="V3",
            what="LRMP, ResNet-18 / 34 / 50 / 101 at 8 bits: tiles",
            unit="",
            model=tuple(CostModel(load_network(n), chip).baseline.tiles for n in LRMP_NETWORKS),
            published=(1608, 2968, 3376, 5688),
            check="digits",
            basis="reconstruction",
            confidence="C, M",
            source=_OWN,
            decimals=0,
            note="LRMP's chip is said to have 5688 tiles; the mapping was chosen to match them",
        )
    ]


def replication_optima() -> list[ValidationCase]:
    """V4: optimal copies for uniform bits, on the tiles of the plain 8-bit chip.

    Returns:
        Its lines.
    """
    line = partial(
        ValidationCase,
        case="V4",
        check="digits",
        basis="reconstruction",
        confidence="C",
        source=_OWN,
    )
    cases = []
    for rate, cycles in BASELINE_CYCLES.items():
        names = [name for name, of in GAINS if of == rate]
        cases.append(
            line(
                what=f"LRMP, V = {rate}, {_titles(names)} at 8/8 bits: cycles",
                unit="",
                model=tuple(_lrmp_model(name, rate).baseline.latency_cycles for name in names),
                published=cycles,
                decimals=0,
            )
        )
    for (name, rate), gains in GAINS.items():
        for objective, published in zip(LRMP_RANGES, gains, strict=True):
            cases.append(
                line(
                    what=f"LRMP, V = {rate}, {_titles([name])} at 7 / 6 / 5 / 4 bits: "
                    f"{objective} gain",
                    unit="x",
                    model=tuple(_gain(name, rate, bits, objective) for bits in (7, 6, 5, 4)),
                    published=published,
                    decimals=3,
                    note="Optimal copies on as many tiles as the network needs at 8 bits",
                )
            )
    return cases


def lrmp_ranges() -> list[ValidationCase]:
    """LRMP: gains at uniform bits beside the published ranges.

    Returns:
        Lines for each objective and width, with the output path and without it.
    """
    line = partial(
        ValidationCase,
        case="LRMP",
        unit="x",
        check="range",
        confidence="H",
        source="LRMP (Frontiers in AI 7:1268317, 2024), abstract",
    )
    with_path = partial(
        line,
        basis="by construction",
        note="V, one output element per cycle and layer, is the one calibrated number: it was "
        "chosen so that 6 to 4 bits lie inside",
    )
    without_path = partial(
        line, basis="reconstruction", note="Without V the tiles alone overstate the throughput"
    )
    return [
        (with_path if rate else without_path)(
            what=f"{path}, ResNet-18 / 34 / 50 / 101 at {bits}/{bits} bits: {objective} gain",
            model=tuple(_gain(name, rate, bits, objective) for name in LRMP_NETWORKS),
            published=published,
            tested=rate == 1 and bits in (6, 5, 4),
        )
        for rate, path in ((1, "V = 1"), (0, "no output path"))
        for objective, published in LRMP_RANGES.items()
        for bits in (8, 7, 6, 5, 4)
    ]


def _titles(networks: list[str]) -> str:
    return " / ".join(name.replace("resnet", "ResNet-") for name in networks)


@cache
def _lrmp_model(network: str, rate: int) -> CostModel:
    chip = load_preset("lrmp_frontiers_2024")
    return CostModel(
        load_network(network), replace(chip, output_elements_per_cycle=rate, provenance={})
    )


@cache
def _gain(network: str, rate: int, bits: int, objective: Objective) -> float:
    """Compare uniform bits with optimal copies on the 8-bit chip's tiles with the 8-bit chip."""
    model = _lrmp_model(network, rate)
    uniform = Design.of(dict.fromkeys(model.space.names, bits), layers=len(model.network))
    budget = model.baseline.tiles
    problem = ReplicationProblem.of(model, uniform.settings, budget, objective)
    return model.baseline.cost(objective) / solve_replication(problem).objective_value
