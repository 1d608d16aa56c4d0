"""Families of tasks, one file each: what a published system turns, and on which chip."""

from collections.abc import Mapping
from types import MappingProxyType

from lrmp.errors import TaskError, unknown_name
from lrmp.hardware.families.adc import ADC
from lrmp.hardware.families.block import BLOCK
from lrmp.hardware.families.cim_aq import CIM_AQ, CIM_AQ_2_BIT
from lrmp.hardware.families.circulant import CIRCULANT
from lrmp.hardware.families.family import Family
from lrmp.hardware.families.filters import FILTERS
from lrmp.hardware.families.float import FLOAT
from lrmp.hardware.families.hybrid import HYBRID
from lrmp.hardware.families.noise import NOISE
from lrmp.hardware.families.precision import PRECISION
from lrmp.hardware.families.prune import PRUNE
from lrmp.hardware.families.ranges import RANGES

#: By name; LRMP's own is the first.
FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        family.name: family
        for family in (
            PRECISION,
            CIM_AQ,
            CIM_AQ_2_BIT,
            ADC,
            NOISE,
            BLOCK,
            FLOAT,
            CIRCULANT,
            PRUNE,
            RANGES,
            HYBRID,
        )
    }
)
#: Those and the one that has no tasks on one network: all that have accuracy tables.
WITH_TABLES: Mapping[str, Family] = MappingProxyType({**FAMILIES, FILTERS.name: FILTERS})


def find_family(name: str) -> Family:
    """Look up a family.

    Args:
        name: Such as ``"adc"``.

    Returns:
        The family.

    Raises:
        TaskError: If there is none of the name.
    """
    if name not in FAMILIES:
        raise TaskError(unknown_name("family", name, FAMILIES))
    return FAMILIES[name]
