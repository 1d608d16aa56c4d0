"""Components that can be derived: what each is asked for, its models, and what it fills in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.component import Level, Part
from lrmp.hardware.derive import models
from lrmp.hardware.derive.estimate import Estimate
from lrmp.hardware.derive.models import Asked

#: Nodes that the library scales between (Stillmaker and Baas, Integration 58, 2017), in nm.
NODES_NM = 7, 130
_CELL_F2 = 48


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that a model is asked with.

    Attributes:
        key: Its key in a specification, with the unit.
        least: It may have.
        most: It may have.
        whole: Whether it is a whole number.
        of_chip: What it is where the specification does not say; None where the chip does not tell.
    """

    key: str
    least: float
    most: float
    whole: bool = True
    of_chip: Callable[[Accelerator], float | None] = lambda chip: None


@dataclass(frozen=True, slots=True)
class Derivable:
    """A component that can be derived.

    Attributes:
        name: As a specification has it, and as the component is called on chips without one.
        event: The energy that it fills in.
        part: Of the component.
        per: Level of the component.
        quantities: What its models are asked with.
        models: By name, the first two of which are asked where nobody chooses.
        count: How many each of its level has.
        replaces: Names of the components that it stands for; empty for all of its part.
    """

    name: str
    event: str
    part: Part
    per: Level
    quantities: tuple[Quantity, ...]
    models: Mapping[str, Callable[[Asked], Estimate]]
    count: Callable[[Mapping[str, float]], float] = lambda values: 1
    replaces: tuple[str, ...] = ()


def _rate_msps(chip: Accelerator) -> float:
    return chip.clock_mhz * chip.conversions_per_cycle / chip.conversion_cycles


def _row_um(chip: Accelerator) -> float:
    """Return the length of a row of cells of 48 F2, as wide as they are high."""
    return chip.crossbar_columns * sqrt(_CELL_F2) * chip.technology_nm / 1000


def _hop_um(chip: Accelerator) -> float | None:
    """Return the side of a core."""
    if not chip.components:
        return None
    area = chip.tiles_per_core * sum(chip.per_tile(c) * c.area_um2 for c in chip.components)
    return sqrt(area)


_WIDTH = Quantity("width_bits", 1, 4096, of_chip=lambda chip: 256)

_ALL = (
    Derivable(
        name="adc",
        event="adc_conversion_fj",
        part="adc",
        per="adc",
        quantities=(
            Quantity("bits", 4, 12, of_chip=lambda chip: chip.adc_bits),
            Quantity("rate_msps", 0.001, 10_000, whole=False, of_chip=_rate_msps),
        ),
        models={
            "survey": models.survey_adc,
            "isaac": models.isaac_adc,
            "forms": models.forms_adc,
        },
    ),
    Derivable(
        name="dac",
        event="row_drive_fj",
        part="dac",
        per="row",
        quantities=(
            Quantity("bits", 1, 8, of_chip=lambda chip: chip.dac_bits),
            Quantity("row_um", 0.1, 100_000, whole=False, of_chip=_row_um),
        ),
        models={"isaac": models.isaac_dac, "wire": models.row_wire},
    ),
    Derivable(
        name="crossbar",
        event="cell_read_fj",
        part="crossbar",
        per="cell",
        quantities=(
            Quantity("read_mv", 1, 5000, whole=False),
            Quantity("on_kohm", 0.1, 1e6, whole=False),
            Quantity("off_kohm", 0.1, 1e9, whole=False),
            Quantity("read_ns", 0.01, 1e6, whole=False),
            Quantity("cell_f2", 1, 10_000, whole=False, of_chip=lambda chip: _CELL_F2),
        ),
        models={"ohm": models.ohmic_cell, "isaac": models.isaac_cell},
    ),
    Derivable(
        name="registers",
        event="input_register_fj",
        part="registers",
        per="tile",
        quantities=(
            Quantity("bits", 1, 1_048_576, of_chip=lambda chip: chip.crossbar_rows * chip.dac_bits),
        ),
        models={"aladdin": models.aladdin_register, "cacti": models.cacti_register},
        replaces=("input_register",),
    ),
    Derivable(
        name="shift_add",
        event="shift_add_fj",
        part="shift_add",
        per="adc",
        quantities=(Quantity("bits", 1, 128, of_chip=lambda chip: chip.partial_sum_bits),),
        models={"isaac": models.isaac_shift_add, "aladdin": models.aladdin_adder},
    ),
    Derivable(
        name="buffer",
        event="buffer_fj_per_bit",
        part="buffer",
        per="core",
        quantities=(Quantity("size_kib", 1, 1_048_576), _WIDTH),
        models={"isaac": models.isaac_buffer, "cacti": models.cacti_buffer},
    ),
    Derivable(
        name="noc",
        event="noc_fj_per_bit_hop",
        part="noc",
        per="core",
        quantities=(
            _WIDTH,
            Quantity("cores_per_router", 1, 64, of_chip=lambda chip: 4),
            Quantity("hop_um", 0.1, 1e6, whole=False, of_chip=_hop_um),
        ),
        models={"isaac": models.isaac_router, "wire": models.hop_wire},
        count=lambda values: 1 / values["cores_per_router"],
    ),
)
DERIVABLE = {each.name: each for each in _ALL}
