"""The resolution that an ADC needs, and how its energy and area grow with it."""

from lrmp.errors import PresetError

#: Successive-approximation converters at 32 nm, scaled from ISAAC's (ISCA 2016) by the power of
#: their capacitors (Saberi et al., 2011), as a comment in the component library of CiMLoop has them
#: (hwcomponents-library, isaac.py): bits -> (fJ per conversion, um2). The model beside that comment
#: doubles both with every bit; see docs/hardware/energies.md.
SAR_32NM = {
    4: (790.0, 361.0),
    5: (990.0, 477.0),
    6: (1200.0, 627.0),
    7: (1420.0, 845.0),
    8: (1670.0, 1200.0),
    9: (1970.0, 1828.0),
    10: (2380.0, 3002.0),
}


#: Fewest bits with figures. Converters of fewer are charged as these: a survey of ADCs (Accelergy's
#: plug-in) is as flat here, with 0.457 pJ at 4 bits and 0.463 at 5, 22 nm.
FEWEST_SAR_BITS = min(SAR_32NM)


def adc_bits(nonzeros: int, dac_bits: int, cell_bits: int, *, signed: bool = False) -> int:
    """Count the bits with which every sum of a column has its own code.

    ``ceil(log2(n * (2**dac_bits - 1) * (2**cell_bits - 1) + 1))``, in integers; TinyADC (DATE 2021)
    rests on it: a column of few weights other than 0 has a small largest sum.

    Args:
        nonzeros: n, cells of a column that are driven together and hold more than 0, at least 1.
        dac_bits: Bits of an input in one input step.
        cell_bits: Bits of a cell.
        signed: Whether cells are subtracted within the column, so that sums reach as far below 0
            as above; this takes a bit more.

    Returns:
        B(n). An ADC of one bit less cannot tell the largest sum from the one below it.
    """
    largest: int = nonzeros * (2**dac_bits - 1) * (2**cell_bits - 1)
    return largest.bit_length() + signed


def sar_ratio(from_bits: int, to_bits: int) -> tuple[float, float]:
    """Compare two resolutions of a successive-approximation ADC.

    Args:
        from_bits: Known resolution.
        to_bits: Wanted resolution.

    Returns:
        Ratios of energy per conversion and of area.

    Raises:
        PresetError: If a resolution is outside 4..10 bits, where there are figures.
    """
    for bits in (from_bits, to_bits):
        if bits not in SAR_32NM:
            raise PresetError(
                f"Expected an ADC of {min(SAR_32NM)} to {max(SAR_32NM)} bits, got {bits}. Give the "
                "energy and area of other resolutions in a preset of your own."
            )
    (energy, area), (new_energy, new_area) = SAR_32NM[from_bits], SAR_32NM[to_bits]
    return new_energy / energy, new_area / area


def flash_area_ratio(from_bits: int, to_bits: int) -> float:
    """Compare the areas of two flash ADCs: one comparator per level but the lowest.

    Args:
        from_bits: Known resolution, at least 1.
        to_bits: Wanted resolution, at least 1.

    Returns:
        ``(2**to_bits - 1) / (2**from_bits - 1)``; the multilevel sense amplifier of NeuroSim.
    """
    return float((2**to_bits - 1) / (2**from_bits - 1))
