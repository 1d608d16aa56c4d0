"""What other models of a chip's energies do to energies, and to gains.

The proven designs of the energy tasks on LRMP's chip, costed with what other models say of its
numbers: ``docs/hardware/energies.md``.
"""

from collections.abc import Iterator
from dataclasses import replace

from lrmp.envs import list_tasks, load_task
from lrmp.envs.task.optimum import stored_optimum
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.model_ends import at_model_ends
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design import Design
from lrmp.si_prefix import format_quantity

_CHIPS = "as it is", "ADC at its least", "all at their least", "all at their greatest"
_HEADER = (
    "proven design of",
    *(f"energy: {name}" for name in _CHIPS),
    *(f"gain: {name}" for name in _CHIPS),
)
_ADC = "adc_conversion_fj"


def format_energy_models() -> str:
    """Lay out energies and gains by model as a Markdown table.

    Returns:
        One line per task whose chip has ranges, without a newline at the end.
    """
    rows = [_HEADER, ("---",) * len(_HEADER), *_rows()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _rows() -> Iterator[tuple[str, ...]]:
    for task_id in list_tasks("energy", family="precision"):
        task = load_task(task_id)
        ends = at_model_ends(task.accelerator)
        optimum = stored_optimum(task_id)
        if ends is None or optimum is None:
            continue
        chips = (task.accelerator, _with_adc_of(task.accelerator, ends[0]), *ends)
        found = [_cost(task.network, chip, optimum.design) for chip in chips]
        yield (
            f"`{task_id}`",
            *(format_quantity(energy, "J") for energy, _ in found),
            *(f"{gain:.2f}x" for _, gain in found),
        )


def _with_adc_of(chip: Accelerator, other: Accelerator) -> Accelerator:
    """Let a conversion take what it takes on another chip."""
    assert chip.energy is not None
    conversion = getattr(other.energy, _ADC)
    return replace(chip, energy=replace(chip.energy, **{_ADC: conversion}))


def _cost(network: Network, chip: Accelerator, design: Design) -> tuple[float, float]:
    """Return energy in joules and gain."""
    model = CostModel(network, chip, design.space)
    report = model.evaluate(design)
    return report.energy_j, model.baseline.energy_fj / report.energy_fj
