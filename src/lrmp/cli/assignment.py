"""Options of the form ``NAME=VALUES``, the same in all commands."""

from collections.abc import Sequence

from lrmp.errors import RunError


def read_assignments(
    option: str, words: Sequence[str], form: str, example: str
) -> dict[str, list[str]]:
    """Split what an option was given.

    Args:
        option: Its name, which was given once per word.
        words: Such as ``weight_bits=8,4,4``.
        form: How errors call such a word: ``KNOB=VALUES``.
        example: One or two of them.

    Returns:
        The values by name, as they were written; at least one each.

    Raises:
        RunError: If a word has another form, or a name is given twice.
    """
    found: dict[str, list[str]] = {}
    for word in words:
        name, _, values = word.partition("=")
        if not name or not values:
            raise RunError(f"Expected {option} as {form}, such as {example}; got {word!r:.80}.")
        if name in found:
            raise RunError(
                f"Expected {option} once per name, got {name} twice. Several values stand in one "
                f"list: {name}=A,B,C."
            )
        found[name] = values.split(",")
    return found
