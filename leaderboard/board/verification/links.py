"""Links and signatures of a log."""

from collections.abc import Sequence

from lrmp.leaderboard.board.log.signing import is_signed
from lrmp.leaderboard.chain import FIRST
from lrmp.leaderboard.log.item import KINDS, Item


def check_links(items: Sequence[Item], first_key: str | None = None) -> list[str]:
    """Check that items follow each other and that the board's key signed each.

    The first item names the key. Another key takes over with an item that the key before signed.

    Args:
        items: The whole log.
        first_key: Public half of the first key, where it is known from elsewhere.

    Returns:
        What is wrong, a sentence each.
    """
    wrong = []
    chain, key = FIRST, first_key
    if items and items[0].kind != "key":
        wrong.append(f"item 1: expected it to name the board's key, got {items[0].kind!r}")
    for number, item in enumerate(items, start=1):
        at = f"item {item.number}"
        if item.number != number:
            wrong.append(f"{at}: expected item {number}: items are missing or put in")
            return wrong
        if item.kind not in KINDS:
            wrong.append(f"{at}: expected a kind of {', '.join(KINDS)}, got {item.kind!r}")
        if item.previous != chain:
            wrong.append(f"{at}: it was not added after item {number - 1}")
        if item.chain != item.expected_chain:
            wrong.append(f"{at}: its content does not match its hash")
        key = key or item.key
        if item.key != key:
            wrong.append(f"{at}: signed by the key {item.key[:16]}..., not by {key[:16]}...")
        if not is_signed(item.number, item.chain, item.signature, item.key):
            wrong.append(f"{at}: its signature does not hold")
        chain = item.chain
        if item.kind == "key" and item.key == key:
            key = _named_key(item) or key
    return wrong


def _named_key(item: Item) -> str | None:
    try:
        key = item.content["key"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None  # its content is checked elsewhere
    return key if isinstance(key, str) else None


def check_prefix(items: Sequence[Item], earlier: Sequence[Item]) -> list[str]:
    """Check that a log goes on from one that was kept.

    Args:
        items: The log.
        earlier: The same log at another time, kept by somebody else.

    Returns:
        What is wrong: the first item that was there earlier and is not any more.
    """
    for old, new in zip(earlier, items, strict=False):
        if old != new:
            return [f"item {old.number}: it was another one earlier: the log was written anew"]
    if len(earlier) > len(items):
        return [f"item {len(items) + 1}: it was there earlier and is gone"]
    return []
