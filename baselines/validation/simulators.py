"""Validation against published simulators and synthesis tools: CIM-AQ, NeuroSim and PIMSYN."""

from dataclasses import replace
from functools import partial

import numpy as np

from lrmp.baselines.validation.case import ValidationCase
from lrmp.baselines.validation.cifar_networks import cifar_alexnet, cifar_resnet18, cifar_vgg16
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.adc import flash_area_ratio
from lrmp.hardware.chip.technology import area_ratio, energy_ratio
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.networks import load_network
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.precision import precision

#: PIMSYN's config.json: 0.03 mW of a crossbar of 128 and 128 DACs of 0.8 uW.
PIMSYN_STATIC_UW = 30 + 128 * 0.8

_CIM_AQ = "CIM-AQ (arXiv 2601.21737; repository jmkle/cim-aq), latency model"
_NEUROSIM = "NeuroSim V1.3, runs of the public code with synthetic weights and inputs"
_PIMSYN = "PIMSYN (DATE 2024, arXiv 2402.18114), Table V"


def cim_aq_vgg16(chip: Accelerator) -> list[ValidationCase]:
    """V1: the mixed-precision design of CIM-AQ for VGG-16.

    Args:
        chip: The preset of CIM-AQ.

    Returns:
        Its lines.
    """
    model = CostModel(load_network("vgg16"), chip)
    # Both constraints: first and last layer at 8/8, weights of 4 or 8 bits. Only these weights need
    # the published 7494 crossbars (the second layer needs as many at 4 bits as at 8).
    weights = [8, *[4] * 12, 8, 4, 8]
    fewer = Design.of({"weight_bits": weights})
    baseline = model.baseline.latency_cycles

    def speedup(*inner_activations: int) -> float:
        bits = {"weight_bits": weights, "activation_bits": [8, *inner_activations, 8]}
        return baseline / int(model.layer_cycles(Design.of(bits).settings).sum())

    line = partial(
        ValidationCase,
        case="V1",
        check="digits",
        basis="same formulas",
        confidence="C",
        source=_CIM_AQ,
        decimals=3,
    )
    unread = (
        "The published design, a binary file of the repository, was not at hand. Its weight bits "
        "follow from its 7494 crossbars; its activation bits do not follow from its latency"
    )
    abstract = f"{_CIM_AQ}; abstract: 2.48"
    return [
        line(
            what="CIM-AQ, VGG-16, 8/8 bits: latency",
            unit="ms",
            model=(_ms(baseline, chip),),
            published=(12394.6,),
            decimals=1,
        ),
        line(
            what="CIM-AQ, VGG-16: crossbars at 8/8 bits and of the published design",
            unit="",
            model=(model.baseline.tiles, int(model.tiles_per_copy(fewer.settings).sum())),
            published=(8456, 7494),
            decimals=0,
            note=unread,
        ),
        line(
            what="CIM-AQ, VGG-16, those weights, inner activations of 8 and of 2 bits: speed-up",
            unit="x",
            model=(speedup(*[8] * 14), speedup(*[2] * 14)),
            published=(2.482,),
            confidence="H, C",
            source=abstract,
            tested=False,
            note=f"{unread}; the published speed-up lies between",
        ),
        line(
            what="CIM-AQ, VGG-16, a design with the published totals: speed-up",
            unit="x",
            # Of the 268 million inner activations with the published latency, the most even ones.
            model=(speedup(5, 5, 4, *[5] * 10, 4),),
            published=(2.482,),
            basis="by construction",
            confidence="H, C",
            source=abstract,
            note="Not the published design: one of many with its crossbars and its 4993.6 ms",
        ),
    ]


def cim_aq_baselines(chip: Accelerator) -> list[ValidationCase]:
    """V2: the 8-bit baselines of CIM-AQ.

    Args:
        chip: The preset of CIM-AQ.

    Returns:
        Its lines.
    """
    resnet = [
        CostModel(load_network("resnet18"), replace(chip, cell_bits=bits, provenance={})).baseline
        for bits in (4, 2, 1)
    ]
    transformer = CostModel(load_network("vit_b_32"), chip).baseline
    line = partial(
        ValidationCase,
        case="V2",
        check="digits",
        basis="same formulas",
        confidence="C",
        source=_CIM_AQ,
        decimals=0,
    )
    return [
        line(
            what="CIM-AQ, ResNet-18, 8/8 bits, cells of 4 / 2 / 1 bits: latency",
            unit="ms",
            model=tuple(_ms(report.latency_cycles, chip) for report in resnet),
            published=(1507.464, 3014.928, 6029.722),
            decimals=3,
        ),
        line(
            what="CIM-AQ, ResNet-18, 8/8 bits, cells of 4 / 2 / 1 bits: crossbars",
            unit="",
            model=tuple(report.tiles for report in resnet),
            published=(727, 1454, 2906),
        ),
        line(
            what="CIM-AQ, ViT-B/32, 8/8 bits, attention written to crossbars: latency",
            unit="ms",
            model=(_ms(transformer.latency_cycles, chip),),
            published=(3461.1,),
            decimals=1,
        ),
        line(
            what="CIM-AQ, ViT-B/32, 8/8 bits: crossbars",
            unit="",
            model=(transformer.tiles,),
            published=(5664,),
        ),
    ]


def cell_areas(chip_22nm: Accelerator, chip_32nm: Accelerator) -> list[ValidationCase]:
    """V7: area of arrays of cells with an access transistor.

    Args:
        chip_22nm: The preset of NeuroSim at 22 nm.
        chip_32nm: At 32 nm.

    Returns:
        Its line.
    """
    return [
        ValidationCase(
            case="V7",
            what="NeuroSim, cells of 128 x 128 at 22 nm / at 32 nm / of 256 x 256 at 22 nm: area",
            unit="um2",
            model=tuple(
                chip.area_um2(1)["crossbar"] for chip in (chip_22nm, chip_32nm, _of_256(chip_22nm))
            ),
            published=(381, 805, 1523),
            check="ratio",
            basis="same formulas",
            confidence="C",
            source="NeuroSim V1.3, Param.cpp: 48 squares of the feature size",
            tolerance=0.005,
            decimals=0,
        )
    ]


def technology_scaling() -> list[ValidationCase]:
    """V8: from 22 to 32 nm.

    Returns:
        Its line.
    """
    return [
        ValidationCase(
            case="V8",
            what="22 to 32 nm: chip area / dynamic energy / flash ADC area",
            unit="x",
            model=(area_ratio(22, 32), energy_ratio(22, 32), area_ratio(22, 32)),
            published=(2.17, 1.76, 2.12),
            check="ratio",
            basis="by construction",
            confidence="C",
            source=_NEUROSIM,
            tolerance=0.1,
            note="The exponent of the energy, 1.5, was chosen to match; that of the area is 2",
        )
    ]


def flash_adc() -> list[ValidationCase]:
    """V9: flash ADCs of 5 and 4 bits.

    Returns:
        Its line.
    """
    return [
        ValidationCase(
            case="V9",
            what="flash ADC, 5 bits over 4 bits: area",
            unit="x",
            model=(flash_area_ratio(4, 5),),
            published=(379 / 183,),
            check="ratio",
            basis="prediction",
            confidence="C",
            source=f"{_NEUROSIM}: 379 and 183 um2 at 22 nm",
            tolerance=0.03,
            note="31 comparators over 15",
        )
    ]


def neurosim_runs(chip: Accelerator) -> list[ValidationCase]:
    """NeuroSim: energies of other networks and crossbars from one run's per-conversion energies.

    Args:
        chip: The preset of NeuroSim at 22 nm.

    Returns:
        Its lines.
    """
    vgg8 = CostModel(load_network("vgg8"), chip)
    energy = chip.energy and replace(chip.energy, adc_conversion_fj=134.0, shift_add_fj=131.0)
    two_bit_cells = replace(chip, cell_bits=2, energy=energy, provenance={})
    line = partial(
        ValidationCase,
        case="NeuroSim",
        check="ratio",
        basis="prediction",
        confidence="C",
        source=_NEUROSIM,
    )
    return [
        line(
            what="NeuroSim, VGG-8, 22 nm, 128 x 128, 1 bit per cell: dynamic energy",
            unit="uJ",
            model=(_dynamic_uj(vgg8),),
            published=(46.65,),
            basis="by construction",
            tolerance=0.1,
            note="The preset's energies per conversion are of this run; lrmp counts conversions",
        ),
        line(
            what="NeuroSim, VGG-8, 22 nm, 256 x 256, 1 bit per cell: dynamic energy",
            unit="uJ",
            model=(_dynamic_uj(CostModel(load_network("vgg8"), _of_256(chip))),),
            published=(34.68,),
            tolerance=0.5,
            note="Energies per conversion of 128 x 128; longer lines and buffers cost more",
        ),
        line(
            what="NeuroSim, ResNet-18, 22 nm, 128 x 128, 2 bits per cell: dynamic energy",
            unit="uJ",
            model=(_dynamic_uj(CostModel(load_network("resnet18"), two_bit_cells)),),
            published=(179.0,),
            tolerance=0.5,
            note="Energies per conversion of VGG-8, 265 fJ; larger maps need larger buffers",
        ),
        line(
            what="NeuroSim, VGG-8, 22 nm, 128 x 128, 1 bit per cell: latency",
            unit="ms",
            model=(_ms(vgg8.baseline.latency_cycles, chip),),
            published=(1.434,),
            decimals=3,
            tested=False,
            note="The preset has the time of the arrays only; most of NeuroSim's is in buffers",
        ),
    ]


def cifar_networks(chip: Accelerator) -> list[ValidationCase]:
    """V10: networks for CIFAR-10 at 16 bits.

    Args:
        chip: The preset of ISAAC.

    Returns:
        Its lines.
    """
    intervals, latencies, energies = [], [], []
    for network in (cifar_alexnet(), cifar_vgg16(), cifar_resnet18()):
        space = precision(16)
        model = CostModel(network, chip, space)
        wide = Design.of(dict.fromkeys(space.names, 16), layers=len(network), space=space).settings
        cycles = model.layer_cycles(wide)
        intervals.append(_ms(int(cycles.max()), chip))
        latencies.append(_ms(int(cycles.sum()), chip))
        one_copy = model.copies_energy_fj(wide, [np.array([1])] * len(network))
        dynamic_mj = sum(int(energy[0]) for energy in one_copy) / 1e12
        static_mw = int(model.tiles_per_copy(wide).sum()) * PIMSYN_STATIC_UW / 1e3
        energies.append(dynamic_mj + static_mw * intervals[-1] / 1e3)
    line = partial(
        ValidationCase,
        case="V10",
        check="ratio",
        basis="prediction",
        confidence="H",
        source=_PIMSYN,
        tolerance=2,
        decimals=3,
    )
    nets = "ISAAC, AlexNet / VGG-16 / ResNet-18 for CIFAR-10, 16/16 bits"
    stated = (
        "ISAAC's preset, one copy of every layer. PIMSYN synthesises a chip for each network; its "
        "AlexNet is not given and taken to be the common one for CIFAR-10"
    )
    return [
        line(
            what=f"{nets}: interval of the full pipeline",
            unit="ms",
            model=tuple(intervals),
            published=(0.197, 2.66, 1.61),
            note=f"{stated}. It starts a layer as soon as its first inputs are there, so its "
            "latency is compared with the interval of a full pipeline",
        ),
        line(
            what=f"{nets}: energy",
            unit="mJ",
            model=tuple(energies),
            published=(0.119, 2.98, 2.34),
            note=f"{stated}. Its static power of crossbars and DACs (config.json), 0.132 mW per "
            "crossbar, is added over the interval: ISAAC's table has no static power, and its "
            "energies alone are a quarter to three fifths of the published ones",
        ),
        line(
            what=f"{nets}: latency layer by layer",
            unit="ms",
            model=tuple(latencies),
            published=(0.197, 2.66, 1.61),
            tested=False,
            note="Layers do not overlap here, PIMSYN's do",
        ),
        line(
            what=f"{nets}: interval, against Gibbon",
            unit="ms",
            model=tuple(intervals),
            published=(0.99, 6.43, 3.58),
            source=f"{_PIMSYN}, quoting Gibbon",
            tested=False,
            note="Gibbon's designs are 2 to 5 times slower than PIMSYN's",
        ),
        line(
            what=f"{nets}: energy, against Gibbon",
            unit="mJ",
            model=tuple(energies),
            published=(0.38, 2.68, 1.33),
            source=f"{_PIMSYN}, quoting Gibbon",
            tested=False,
            note="Designs of another tool, on chips of its own",
        ),
    ]


def _of_256(chip: Accelerator) -> Accelerator:
    """Give a chip crossbars of 256 x 256, all rows read at once."""
    return replace(chip, crossbar_rows=256, crossbar_columns=256, active_rows=256, provenance={})


def _dynamic_uj(model: CostModel) -> float:
    breakdown = model.baseline.energy_breakdown_fj
    return (sum(breakdown.values()) - breakdown["leakage"]) / 1e9


def _ms(cycles: int, chip: Accelerator) -> float:
    return cycles / chip.clock_hz * 1e3
