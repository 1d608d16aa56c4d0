"""One pair of bit widths on the command line."""

from lrmp.errors import RunError


def read_bits(word: str) -> tuple[int, int]:
    """Read the bits that every layer gets.

    Args:
        word: ``W/A``, such as ``"4/5"``; whether they are in range is for the design to say.

    Returns:
        Weight and activation bits.

    Raises:
        RunError: If it is no such pair.
    """
    weight, slash, activation = word.partition("/")
    if not (slash and weight.isdecimal() and activation.isdecimal()):
        raise RunError(f"Expected --bits as W/A, such as 4/5; got {word!r}.")
    return int(weight), int(activation)
