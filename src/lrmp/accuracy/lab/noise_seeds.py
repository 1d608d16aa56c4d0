"""The seeds that noise is drawn from: a design has one drop, their mean."""

from collections.abc import Sequence

from lrmp.errors import AccuracyDataError


def check_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    """Check seeds of noise.

    Args:
        seeds: Whole numbers, none twice; none at all where no knob draws noise.

    Returns:
        The same.

    Raises:
        AccuracyDataError: If one is no whole number of at least 0, or there twice.
    """
    found = tuple(seeds)
    if any(type(seed) is not int or seed < 0 for seed in found) or len(set(found)) < len(found):
        raise AccuracyDataError(
            f"Expected noise_seeds as different whole numbers of at least 0, got {found!r}."
        )
    return found
