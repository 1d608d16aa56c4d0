"""The knobs of the whole chip: crossbars, cells, rows, ADCs and area, after CIMNAS.

CIMNAS (IEEE Transactions on Circuits and Systems for Artificial Intelligence, 2025) searches
networks, quantisation and hardware together. Here the network stays as it is, and the chip is the
designer's, beside the bits of every layer. Its energies and areas are those of LRMP's chip, scaled
as `build_chip` says. The ADCs stay lossless, so that a layer computes the same numbers on every
chip, and LRMP's own tables hold.
"""

from dataclasses import replace

from lrmp.errors import DesignError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.adc import sar_ratio
from lrmp.hardware.chip.component import Component
from lrmp.hardware.chip.preset import load_preset
from lrmp.hardware.chip.provenance import Provenance
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob

#: Parts of the area budget that the last knob counts.
AREA_PARTS = 8

CROSSBAR_SIDE = Knob(
    "crossbar_side",
    (64, 128, 256),
    plain=256,
    unit="cells",
    about="Rows and columns of every crossbar: small ones leave fewer cells idle and share fewer "
    "converters.",
)
CELL_BITS = Knob(
    "cell_bits",
    (1, 2, 4),
    plain=1,
    unit="bits",
    about="Bits of a cell: more take fewer columns per weight, and ADCs of more bits.",
)
ACTIVE_ROWS = Knob(
    "active_rows",
    (9, 16, 32, 64),
    plain=9,
    unit="rows",
    about="Rows driven together: more take fewer reads, and ADCs of more bits.",
)
COLUMNS_PER_ADC = Knob(
    "columns_per_adc",
    (4, 8, 16, 32),
    plain=8,
    unit="columns",
    about="Columns that share an ADC: more take less area, and more time.",
)
AREA = Knob(
    "area_eighths",
    (4, 6, 8),
    plain=AREA_PARTS,
    unit="eighths",
    about="Eighths of the area budget that the chip takes: what it leaves counts where the area is "
    "part of the objective.",
)
#: The knobs of a chip, once for all layers. Plain is LRMP's chip.
CHIP_SPACE = DesignSpace((CROSSBAR_SIDE, CELL_BITS, ACTIVE_ROWS, COLUMNS_PER_ADC, AREA))

_ASSUMED = Provenance("assumed", "chosen by the designer, the energies and areas scaled with it")


def build_chip(setting: IntArray) -> Accelerator:
    """Build the chip of a setting.

    What follows from the knobs, beside the geometry itself:

    - the ADC has the fewest bits that lose nothing, B(rows, cell bits), and energy, area and
      leakage of that many (``lrmp.hardware.chip.adc``); it converts a column per cycle, whatever
      its bits;
    - input registers hold a crossbar's rows and output registers its columns: area, leakage and,
      of the former, energy of an access in proportion;
    - a core holds as many cells as LRMP's, so that its buffer, bus and router serve as many, and
      messages make as many hops;
    - a cell has the area and energy of a read of LRMP's, however many bits it holds.

    Args:
        setting: Places of values in ``CHIP_SPACE``, shape (5,).

    Returns:
        The chip, of any number of tiles. The plain setting is LRMP's own, number by number.

    Raises:
        DesignError: If the setting is out of range.
    """
    plain = load_preset("lrmp_frontiers_2024")
    (row,) = CHIP_SPACE.check(setting[None], [""])
    values = {name: int(each) for name, each in CHIP_SPACE.decode(row).items()}
    side, columns = values["crossbar_side"], values["columns_per_adc"]
    grown = side / plain.crossbar_rows
    changed = replace(
        plain,
        name=chip_name(setting),
        crossbar_rows=side,
        crossbar_columns=side,
        cell_bits=values["cell_bits"],
        active_rows=values["active_rows"],
        columns_per_adc=columns,
        tiles_per_core=round(plain.tiles_per_core / grown**2),
        tiles=round(plain.tiles / grown**2),
        provenance={
            **plain.provenance,
            **dict.fromkeys(
                (
                    "crossbar_rows",
                    "crossbar_columns",
                    "cell_bits",
                    "active_rows",
                    "columns_per_adc",
                    "tiles_per_core",
                    "tiles",
                    "energy.adc_conversion_fj",
                    "energy.input_register_fj",
                    "components.adc",
                    "components.input_register",
                    "components.output_register",
                ),
                _ASSUMED,
            ),
        },
    )
    energy_ratio, area_ratio = sar_ratio(plain.adc_bits, changed.adc_bits)
    ratios = {
        "adc": (area_ratio, energy_ratio),
        "input_register": (grown, grown),
        "output_register": (grown, grown),
    }
    assert plain.energy is not None
    return replace(
        changed,
        energy=replace(
            plain.energy,
            adc_conversion_fj=plain.energy.adc_conversion_fj * energy_ratio,
            input_register_fj=plain.energy.input_register_fj * grown,
        ),
        components=tuple(_scaled(c, *ratios.get(c.name, (1.0, 1.0))) for c in plain.components),
    )


def chip_name(setting: IntArray) -> str:
    """Name the chip of a setting.

    Args:
        setting: Places of values in ``CHIP_SPACE``, shape (5,).

    Returns:
        Such as ``"side128-cell2-rows16-adc8-area8"``.
    """
    words = ("side", "cell", "rows", "adc", "area")
    values = CHIP_SPACE.decode(setting).values()
    return "-".join(f"{word}{value}" for word, value in zip(words, values, strict=True))


def area_um2(chip: Accelerator, tiles: int) -> int:
    """Add up the area of a chip.

    Args:
        chip: Which lists its components.
        tiles: On it.

    Returns:
        Square micrometres.
    """
    return sum(chip.area_um2(tiles).values())


def most_tiles(chip: Accelerator, budget_um2: int) -> int:
    """Count the tiles that an area holds.

    Args:
        chip: Which lists its components.
        budget_um2: Square micrometres for all of it.

    Returns:
        The most tiles whose chip is no larger; their cores are whole.

    Raises:
        DesignError: If not even one tile fits.
    """
    least, most = 0, 1
    while area_um2(chip, most) <= budget_um2:
        least, most = most, 2 * most
    while most - least > 1:
        middle = (least + most) // 2
        if area_um2(chip, middle) <= budget_um2:
            least = middle
        else:
            most = middle
    if not least:
        raise DesignError(
            f"Expected an area that holds a tile of {chip.name!r}, at least "
            f"{area_um2(chip, 1):,} square micrometres, got {budget_um2:,}."
        )
    return least


def _scaled(component: Component, area: float, leakage: float) -> Component:
    return replace(
        component, area_um2=component.area_um2 * area, leakage_uw=component.leakage_uw * leakage
    )
