"""Scaling of published numbers between technology nodes."""

from lrmp.errors import PresetError

#: Nodes the exponents below were checked on, in nm.
SMALLEST_NM, LARGEST_NM = 14, 130

#: Area follows the square of the feature size. NeuroSim V1.3 gives 2.17 for a whole chip and 2.12
#: for its flash ADC from 22 to 32 nm; the square is 2.12.
AREA_EXPONENT = 2.0
#: Calibrated: NeuroSim V1.3's dynamic energy of a chip grows 1.76 times from 22 to 32 nm. Between
#: constant voltage (1) and constant field (3); a survey of ADCs has 1.88 (Accelergy).
ENERGY_EXPONENT = 1.5


def area_ratio(from_nm: int, to_nm: int) -> float:
    """Scale an area between nodes.

    Args:
        from_nm: Node of the known area.
        to_nm: Node wanted.

    Returns:
        ``(to / from) ** 2``.

    Raises:
        PresetError: If a node is outside 14..130 nm.
    """
    return _ratio(from_nm, to_nm, AREA_EXPONENT)


def energy_ratio(from_nm: int, to_nm: int) -> float:
    """Scale a switching energy or a power at equal clock between nodes.

    Args:
        from_nm: Node of the known energy.
        to_nm: Node wanted.

    Returns:
        ``(to / from) ** 1.5``, an estimate within about 20 % between neighbouring nodes.

    Raises:
        PresetError: If a node is outside 14..130 nm.
    """
    return _ratio(from_nm, to_nm, ENERGY_EXPONENT)


def _ratio(from_nm: int, to_nm: int, exponent: float) -> float:
    for node in (from_nm, to_nm):
        if not SMALLEST_NM <= node <= LARGEST_NM:
            raise PresetError(
                f"Expected technology nodes between {SMALLEST_NM} and {LARGEST_NM} nm, got "
                f"{node} nm. Take numbers published for that node instead."
            )
    return float((to_nm / from_nm) ** exponent)
