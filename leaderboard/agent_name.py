"""Agent names that a reader would take for each other."""

import re

# What looks alike in ASCII, as far as Unicode's list of confusables (UTS #39) has it, once in lower
# case; the published schema lets no other letters into a name.
_CHARACTERS = str.maketrans({"0": "o", "1": "l", "i": "l", "_": "-", ".": "-"})
_SEQUENCES = {"rn": "m", "vv": "w", "cl": "d"}


def skeleton(agent: str) -> str:
    """Fold a name to what the eye sees: ``Ddpg``, ``DDPG`` and ``ddpg_`` are all ``ddpg``.

    Args:
        agent: A name that the schema allows: ASCII letters, digits and ``._-``.

    Returns:
        The same text for all names that look alike; not a name to show.
    """
    text = agent.lower()
    # Before the characters: after them `ci` would be taken for `cl`.
    for seen, meant in _SEQUENCES.items():
        text = text.replace(seen, meant)
    return re.sub("-+", "-", text.translate(_CHARACTERS)).strip("-")
