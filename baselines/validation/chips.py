"""Validation against published chips: roll-ups, peak throughput and efficiency."""

from dataclasses import replace
from functools import partial
from typing import Literal

from lrmp.baselines.validation.case import ValidationCase
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.component import Component
from lrmp.hardware.chip.peak import peak_ops_per_s
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.cost.cost_report import CostReport
from lrmp.hardware.networks import load_network
from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.precision import precision, precision_for
from lrmp.solvers.replication.oracle import solve_replication
from lrmp.solvers.replication.problem import ReplicationProblem


def isaac_roll_up(chip: Accelerator) -> list[ValidationCase]:
    """V5: area, power and peak efficiency of ISAAC.

    Args:
        chip: The preset of ISAAC.

    Returns:
        Its lines.
    """
    power_w = sum(chip.peak_power_uw(chip.tiles).values()) / 1e6
    # A crossbar full of 16-bit weights, 16 input bits in 1.6 us; 8 crossbars are an IMA.
    layer = Layer.linear("mvm", 128, 16, 1000)
    model = CostModel(Network("full crossbar", (layer,)), chip, precision(16))
    wide = Design.of(dict.fromkeys(model.space.names, 16), layers=1, space=model.space)
    energy_fj = model.evaluate(wide).energy_breakdown_fj
    crossbar_fj = sum(
        energy_fj[name] / layer.positions
        for name in ("adc", "cells", "row_drive", "shift_add", "registers")
    )
    line = partial(
        ValidationCase,
        case="V5",
        check="ratio",
        basis="roll-up",
        confidence="C",
        source="ISAAC (ISCA 2016), Table 1",
        tolerance=0.01,
        decimals=1,
    )
    return [
        line(
            what="ISAAC, tile of 12 IMAs: power",
            unit="mW",
            model=(_per_core(chip, "peak_power_uw") / 1e3,),
            published=(329.8,),
        ),
        line(
            what="ISAAC, tile of 12 IMAs: area",
            unit="mm2",
            model=(_per_core(chip, "area_um2") / 1e6,),
            published=(0.372,),
            decimals=3,
        ),
        line(what="ISAAC, chip: power", unit="W", model=(power_w,), published=(65.8,)),
        line(
            what="ISAAC, chip: area",
            unit="mm2",
            model=(sum(chip.area_um2(chip.tiles).values()) / 1e6,),
            published=(85.4,),
        ),
        line(
            what="ISAAC, chip, 16/16 bits: peak efficiency",
            unit="TOPS/W",
            model=(peak_ops_per_s(chip, 16, 16) / power_w / 1e12,),
            published=(0.63,),
            confidence="H",
            source="PIMSYN (DATE 2024, arXiv 2402.18114), Table IV",
            decimals=2,
        ),
        line(
            what="ISAAC, IMA at full load, energies of its events: power",
            unit="mW",
            model=(8 * crossbar_fj / 1.6e-6 * 1e-12,),
            published=(24.08,),
            basis="by construction",
            decimals=2,
        ),
    ]


def pimcomp_roll_up(chip: Accelerator) -> list[ValidationCase]:
    """V6: area and power of PIMCOMP's chip.

    Args:
        chip: The preset of PIMCOMP.

    Returns:
        Its lines.
    """
    area_mm2 = sum(chip.area_um2(chip.tiles).values()) / 1e6
    cores = chip.tiles // chip.tiles_per_core
    routers_um2 = sum(c.count * c.area_um2 for c in chip.components if c.part == "noc")
    core_mm2 = (_per_core(chip, "area_um2") - routers_um2) / 1e6
    line = partial(
        ValidationCase,
        case="V6",
        check="ratio",
        basis="roll-up",
        confidence="H",
        source="PIMCOMP (DAC 2023, arXiv 2307.01475), component table",
        tolerance=0.001,
    )
    return [
        line(
            what="PIMCOMP, chip: power",
            unit="W",
            model=(sum(chip.peak_power_uw(chip.tiles).values()) / 1e6,),
            published=(56.79,),
        ),
        line(
            what="PIMCOMP, chip, cores rounded to 0.01 mm2: area",
            unit="mm2",
            model=(area_mm2 + cores * (round(core_mm2, 2) - core_mm2),),
            published=(62.92,),
            note="The printed total closes with 36 cores of 1.01 mm2",
        ),
        line(
            what="PIMCOMP, chip: area",
            unit="mm2",
            model=(area_mm2,),
            published=(62.92,),
            tolerance=0.002,
            note="The printed components of a core add up to 1.013 mm2",
        ),
    ]


def puma_efficiency(chip: Accelerator) -> list[ValidationCase]:
    """PUMA: efficiency of the chip.

    Args:
        chip: The preset of PUMA.

    Returns:
        Its lines.
    """
    gops = peak_ops_per_s(chip, 16, 16) / 1e9
    line = partial(
        ValidationCase,
        case="PUMA",
        check="ratio",
        basis="prediction",
        confidence="H",
        source="PUMA (ASPLOS 2019, arXiv 1901.10351), abstract",
        tolerance=0.25,
        decimals=0,
        note="Components of the public simulator and 100 ns per input bit; how the abstract counts "
        "operations is not known, and vector lanes are not counted here",
    )
    return [
        line(
            what="PUMA, chip, 16/16 bits: peak throughput over area",
            unit="GOPS/mm2",
            model=(gops / sum(chip.area_um2(chip.tiles).values()) * 1e6,),
            published=(577,),
        ),
        line(
            what="PUMA, chip, 16/16 bits: peak throughput over power",
            unit="GOPS/W",
            model=(gops / sum(chip.peak_power_uw(chip.tiles).values()) * 1e6,),
            published=(837,),
        ),
    ]


def neurram_widths(chip: Accelerator) -> list[ValidationCase]:
    """NeuRRAM: throughput and efficiency against the input width.

    Args:
        chip: The preset of NeuRRAM.

    Returns:
        Its lines.
    """
    widths = range(2, 9)
    line = partial(
        ValidationCase,
        case="NeuRRAM",
        check="ratio",
        basis="prediction",
        confidence="H",
        source="NeuRRAM (Nature 2022), Fig. 12 as tabulated by CiMLoop (wan_nature_2022/_tests.py)",
        tolerance=1,
        note="At 8 bits by construction. On the chip integration takes twice as long for every "
        "further bit, and from 5 bits on an input is split in two; here every bit takes the same",
    )
    return [
        line(
            what="NeuRRAM, 4-bit weights, inputs of 2 to 8 bits: peak throughput",
            unit="TOPS",
            model=tuple(peak_ops_per_s(chip, 4, bits) / 1e12 for bits in widths),
            published=(1.793, 1.165, 0.744, 0.525, 0.418, 0.344, 0.264),
            decimals=3,
        ),
        line(
            what="NeuRRAM, 4-bit weights, inputs of 2 to 8 bits, full cores: efficiency",
            unit="TOPS/W",
            model=tuple(_full_core_tops_per_w(chip, 128, 4, bits) for bits in widths),
            published=(40.33, 23.09, 15.95, 11.03, 8.26, 7.75, 6.44),
        ),
    ]


def hermes_four_phase(chip: Accelerator) -> Accelerator:
    """Turn the preset of HERMES into its more precise read mode.

    Args:
        chip: The preset, of the one-phase mode.

    Returns:
        The chip in the four-phase mode, as the preset's head describes.
    """
    energy = chip.energy and replace(chip.energy, tile_read_fj=52.85e6)
    return replace(chip, read_cycles=520, energy=energy, provenance={})


def hermes_chip(one_phase: Accelerator) -> list[ValidationCase]:
    """V11: throughput and efficiency of the HERMES chip.

    Args:
        one_phase: The preset of HERMES.

    Returns:
        Its lines.
    """
    modes = (one_phase, hermes_four_phase(one_phase))
    line = partial(
        ValidationCase,
        case="V11",
        check="ratio",
        basis="by construction",
        confidence="H",
        source="HERMES, 64 cores (Nature Electronics 2023), abstract",
        tolerance=0.02,
    )
    return [
        line(
            what="HERMES, one-phase / four-phase read, 8-bit inputs: peak throughput",
            unit="TOPS",
            model=tuple(peak_ops_per_s(chip, 4, 8) / 1e12 for chip in modes),
            published=(63.1, 16.1),
            decimals=1,
            note="133 and 521 ns per multiplication are derived from these figures",
        ),
        line(
            what="HERMES, one-phase / four-phase read, full cores: efficiency",
            unit="TOPS/W",
            model=tuple(_full_core_tops_per_w(chip, 256, 4, 8) for chip in modes),
            published=(9.76, 2.48),
            note="13.4 and 52.9 nJ per multiplication are derived from these figures",
        ),
    ]


def hermes_core(chip: Accelerator) -> list[ValidationCase]:
    """V12: density and efficiency of a HERMES core.

    Args:
        chip: The preset of HERMES.

    Returns:
        Its lines.
    """
    line = partial(
        ValidationCase,
        case="V12",
        check="ratio",
        confidence="H",
        source="HERMES-Core (JSSC 2022), abstract",
        tested=False,
    )
    return [
        line(
            what="HERMES, core: throughput over area",
            unit="TOPS/mm2",
            model=(peak_ops_per_s(chip, 4, 8, tiles=1) / sum(chip.area_um2(1).values()) / 1e6,),
            published=(1.59,),
            basis="by construction",
            note="The core's area is derived from this figure",
        ),
        line(
            what="HERMES, core: efficiency",
            unit="TOPS/W",
            model=(_full_core_tops_per_w(chip, 256, 4, 8),),
            published=(10.5,),
            basis="prediction",
            note="The preset has the efficiency of the whole chip of 64 cores",
        ),
    ]


def bruschi_clusters(chip: Accelerator) -> list[ValidationCase]:
    """V13: ResNet-18 on 512 clusters with a crossbar each.

    Args:
        chip: The preset of HERMES.

    Returns:
        Its line.
    """
    layers = tuple(
        replace(layer, positions=layer.positions * 256**2 // 224**2)
        if layer.kind == "conv2d"
        else layer
        for layer in load_network("resnet18").layers
    )
    model = CostModel(
        Network("resnet18 at 256 x 256", layers), replace(chip, tiles=512, provenance={})
    )
    settings = Design.of({"weight_bits": 4, "activation_bits": 8}, layers=len(layers)).settings
    one_copy = int(model.layer_cycles(settings).max())
    problem = ReplicationProblem.of(model, settings, 512, "throughput")
    intervals = (one_copy, solve_replication(problem).objective_value)
    return [
        ValidationCase(
            case="V13",
            what="HERMES with 512 tiles, ResNet-18 at 256 x 256, one copy / optimal copies: "
            "throughput",
            unit="TOPS",
            model=tuple(2 * model.network.macs * chip.clock_hz / n / 1e12 for n in intervals),
            published=(20.2,),
            check="ratio",
            basis="prediction",
            confidence="H",
            source="Bruschi et al. (arXiv 2211.12877), abstract: up to 20.2",
            decimals=1,
            tested=False,
            note="The published clusters also wait for data and for additions, which this preset "
            "does not count, so it is an upper bound",
        )
    ]


_COLONNADE_NOTE = (
    "The cells' energy is that at 8/8 bits; how often an adder switches depends on its place, and "
    "columns that no whole weight fits into are not counted"
)


def colonnade_macro(chip: Accelerator) -> list[ValidationCase]:
    """V14: throughput and energy of Colonnade's macro at widths from 1 to 16 bits.

    Args:
        chip: The preset of Colonnade.

    Returns:
        Its lines.
    """
    line = partial(
        ValidationCase,
        case="V14",
        check="ratio",
        confidence="H",
        source="Colonnade (JSSC 2021), Figures 15 and 16 as CiMLoop quotes them",
    )
    return [
        line(
            what="Colonnade, 8/8 bits at 100 MHz: throughput",
            unit="GOPS",
            model=(2 * 128 * 8 / _macro_step_s(chip, 8, 8, weights=8) / 1e9,),
            published=(25.75,),
            basis="prediction",
            decimals=2,
            tolerance=0.02,
        ),
        line(
            what="Colonnade, 1/1, 2/2, 4/4, 16/16 bits: energy of a multiply-accumulate",
            unit="fJ",
            model=tuple(_macro_mac_fj(chip, bits, bits) for bits in (1, 2, 4, 16)),
            published=(68.1, 161.6, 423.4, 3995.2),
            basis="prediction",
            decimals=1,
            tolerance=0.15,
            note=_COLONNADE_NOTE,
        ),
        line(
            what="Colonnade, 8/8 bits: energy of a multiply-accumulate",
            unit="fJ",
            model=(_macro_mac_fj(chip, 8, 8),),
            published=(1169.7,),
            basis="by construction",
            decimals=1,
            tolerance=0.001,
        ),
        line(
            what="Colonnade, 1-, 4-, 8-, 16-bit weights, 1-bit inputs: energy of a "
            "multiply-accumulate",
            unit="fJ",
            model=tuple(_macro_mac_fj(chip, bits, 1) for bits in (1, 4, 8, 16)),
            published=(68.3, 105.3, 144.4, 243.2),
            basis="prediction",
            decimals=1,
            tolerance=0.15,
            note=_COLONNADE_NOTE,
        ),
    ]


def raella_steps(chip: Accelerator) -> list[ValidationCase]:
    """V15: what a crossbar of RAELLA holds, and how long it takes.

    Args:
        chip: The preset of RAELLA.

    Returns:
        Its line.
    """
    weights = chip.crossbar_columns // 3  # three slices each
    model = CostModel(Network("crossbar", (Layer.linear("mvm", 512, weights, 1000),)), chip)
    report = model.baseline
    return [
        ValidationCase(
            case="V15",
            what="RAELLA, 512 x 170 weights, 8/8 bits: crossbars / time of a multiplication",
            unit="1, us",
            model=(float(report.tiles), report.latency_s / 1000 * 1e6),
            published=(1.0, 1.1),
            check="ratio",
            basis="by construction",
            confidence="H",
            source="RAELLA (ISCA 2023), its authors' models: 3 columns a weight, 11 x 100 ns",
            decimals=1,
            tolerance=0.001,
        )
    ]


def _macro(chip: Accelerator, weight_bits: int, activation_bits: int, weights: int) -> CostReport:
    """Cost 1000 products of a column of weights with all rows, without loading them."""
    layer = Layer.linear("mvm", chip.crossbar_rows, weights, 1000)
    alone = replace(chip, weight_loading="stationary", provenance={})
    space = precision_for([weight_bits, activation_bits])
    model = CostModel(Network("macro", (layer,)), alone, space)
    bits = {"weight_bits": weight_bits, "activation_bits": activation_bits}
    return model.evaluate(Design.of(bits, layers=1, space=space))


def _macro_step_s(chip: Accelerator, weight_bits: int, activation_bits: int, weights: int) -> float:
    return _macro(chip, weight_bits, activation_bits, weights).latency_s / 1000


def _macro_mac_fj(chip: Accelerator, weight_bits: int, activation_bits: int) -> float:
    report = _macro(chip, weight_bits, activation_bits, 1)
    return float(report.energy_fj) / (1000 * chip.crossbar_rows)


def _per_core(chip: Accelerator, field: Literal["area_um2", "peak_power_uw"]) -> float:
    """Add up the components of a core and its tiles; what the chip shares is no part of it."""

    def amount(component: Component) -> float:
        return chip.per_tile(component) * (getattr(component, field) or 0.0)

    return chip.tiles_per_core * sum(amount(component) for component in chip.components)


def _full_core_tops_per_w(
    chip: Accelerator, rows: int, weight_bits: int, activation_bits: int
) -> float:
    """Divide the operations of a layer that fills one crossbar by its energy."""
    layer = Layer.linear("mvm", rows, chip.crossbar_columns, 1000)
    model = CostModel(Network("full core", (layer,)), chip)
    bits = {"weight_bits": weight_bits, "activation_bits": activation_bits}
    report = model.evaluate(Design.of(bits, layers=1))
    return 2 * layer.macs / report.energy_j / 1e12
