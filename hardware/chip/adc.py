"""How an ADC's energy and area grow with its resolution."""

from lrmp.errors import PresetError

#: Successive-approximation converters at 32 nm derived from ISAAC's (ISCA 2016) by the component
#: library of CiMLoop: bits -> (fJ per conversion, um2).
SAR_32NM = {
    4: (790.0, 361.0),
    5: (990.0, 477.0),
    6: (1200.0, 627.0),
    7: (1420.0, 845.0),
    8: (1670.0, 1200.0),
    9: (1970.0, 1828.0),
    10: (2380.0, 3002.0),
}


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
