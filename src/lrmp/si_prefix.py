"""Quantities in print: four significant digits and an SI prefix."""

from math import floor, log10

PREFIXES = {
    1e15: "P",
    1e12: "T",
    1e9: "G",
    1e6: "M",
    1e3: "k",
    1.0: "",
    1e-3: "m",
    1e-6: "µ",
    1e-9: "n",
    1e-12: "p",
    1e-15: "f",
}


def si_prefix(value: float) -> tuple[float, str]:
    """Choose the prefix with which a value is between 1 and 1000.

    Args:
        value: In a unit without prefix, at least 0.

    Returns:
        What to divide by, and the prefix; the nearest there is for values beyond them, and none
        for 0.
    """
    if value == 0:
        return 1.0, ""
    fitting = [factor for factor in PREFIXES if value >= factor]
    factor = max(fitting, default=min(PREFIXES))
    return factor, PREFIXES[factor]


def format_number(value: float) -> str:
    """Write a number with four significant digits, and all of those before the point.

    Args:
        value: At least 0.

    Returns:
        Such as ``"0.01234"``, ``"12.34"`` or ``"123,457"``.
    """
    if value == 0:
        return "0"
    exponent = floor(log10(_rounded(value)))
    return f"{value:,.{max(0, 3 - exponent)}f}"


def format_quantity(value: float, unit: str) -> str:
    """Write a quantity with its unit.

    Args:
        value: In the unit, at least 0.
        unit: Such as ``"s"`` or ``"J"``.

    Returns:
        Such as ``"12.34 ms"``.
    """
    factor, prefix = si_prefix(_rounded(value))
    return f"{format_number(value / factor)} {prefix}{unit}"


def _rounded(value: float) -> float:
    """Round to the digits that are written, which may be the next power of ten."""
    return float(f"{value:.3e}")
