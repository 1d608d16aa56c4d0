"""Every validation case by name."""

from collections.abc import Callable
from functools import cache

from lrmp.baselines.validation import chips, reconstruction, simulators
from lrmp.baselines.validation.case import ValidationCase
from lrmp.hardware.chip.preset import load_preset

CASES: dict[str, Callable[[], list[ValidationCase]]] = {
    "V1": lambda: simulators.cim_aq_vgg16(load_preset("cim_aq_date_2026")),
    "V2": lambda: simulators.cim_aq_baselines(load_preset("cim_aq_date_2026")),
    "V3": lambda: reconstruction.tile_counts(load_preset("lrmp_frontiers_2024")),
    "V4": reconstruction.replication_optima,
    "V5": lambda: chips.isaac_roll_up(load_preset("isaac_isca_2016")),
    "V6": lambda: chips.pimcomp_roll_up(load_preset("pimcomp_2023")),
    "V7": lambda: simulators.cell_areas(
        load_preset("neurosim_v1_3_22nm"), load_preset("neurosim_v1_3_32nm")
    ),
    "V8": simulators.technology_scaling,
    "V9": simulators.flash_adc,
    "V10": lambda: simulators.cifar_networks(load_preset("isaac_isca_2016")),
    "V11": lambda: chips.hermes_chip(load_preset("hermes_2023")),
    "V12": lambda: chips.hermes_core(load_preset("hermes_2023")),
    "V13": lambda: chips.bruschi_clusters(load_preset("hermes_2023")),
    "V14": lambda: chips.colonnade_macro(load_preset("colonnade_jssc_2021")),
    "V15": lambda: chips.raella_steps(load_preset("raella_isca_2023")),
    "LRMP": reconstruction.lrmp_ranges,
    "NeuroSim": lambda: simulators.neurosim_runs(load_preset("neurosim_v1_3_22nm")),
    "PUMA": lambda: chips.puma_efficiency(load_preset("puma_asplos_2019")),
    "NeuRRAM": lambda: chips.neurram_widths(load_preset("neurram_nature_2022")),
}


def run_validation() -> list[ValidationCase]:
    """Evaluate every case with the model.

    Returns:
        The cases in order.
    """
    return [case for name in CASES for case in run_case(name)]


@cache
def run_case(name: str) -> tuple[ValidationCase, ...]:
    """Evaluate one case.

    Args:
        name: A key of ``CASES``.

    Returns:
        Its lines.
    """
    return tuple(CASES[name]())
