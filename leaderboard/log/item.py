"""An item of the log, as it is stored, mirrored and sent."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from lrmp.errors import BoardError
from lrmp.leaderboard.chain import link

Kind = Literal[
    "key",  # a signing key takes over
    "agent",  # registered, with the address of its code
    "round-opened",
    "round-closed",  # tells the secret
    "design",  # accepted
    "refused",
    "checked",  # an accepted design on its network
    "run-opened",
    "run-finished",
    "withdrawn",
    "disputed",  # somebody doubts an item
    "answered",  # a dispute: upheld, and the item withdrawn, or dismissed
]


@dataclass(frozen=True)
class Item:
    """An item of the log.

    Attributes:
        number: From 1.
        kind: What it says.
        at: When it was appended.
        body: Canonical JSON.
        previous: ``chain`` of the item before.
        chain: SHA-256 of all of the above.
        key: Public half of the key that signed, hexadecimal.
        signature: Of number and chain.
    """

    number: int
    kind: str
    at: str
    body: str
    previous: str
    chain: str
    key: str
    signature: str

    @property
    def content(self) -> dict[str, Any]:
        """The body, parsed."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def expected_chain(self) -> str:
        """The hash that its content has."""
        return link(chained(self.number, self.kind, self.at, self.body, self.previous))

    def to_line(self) -> str:
        """Write a line of the mirror.

        Returns:
            JSON with a newline.
        """
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_json(cls, document: Any) -> "Item":
        """Read what ``to_line`` wrote, perhaps a stranger's.

        Args:
            document: Parsed JSON.

        Returns:
            The item; its hash and signature are not checked yet.

        Raises:
            BoardError: If it is none.
        """
        kinds = {name: int if name == "number" else str for name in cls.__dataclass_fields__}
        if not isinstance(document, dict) or {k: type(v) for k, v in document.items()} != kinds:
            raise BoardError(f"Expected an item of a log with {', '.join(kinds)}.")
        return cls(**document)


def chained(number: int, kind: str, at: str, body: str, previous: str) -> dict[str, Any]:
    """Say what an item's hash is over.

    Args:
        number: Of the item.
        kind: Of the item.
        at: Of the item.
        body: Of the item.
        previous: Hash of the item before.

    Returns:
        What ``lrmp.leaderboard.chain.link`` hashes.
    """
    return {"number": number, "kind": kind, "at": at, "body": body, "previous": previous}


def canonical(value: Any) -> str:
    """Write JSON in the one form that is hashed.

    Args:
        value: Plain values, no NaN.

    Returns:
        JSON with sorted keys and no spaces.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


KINDS: tuple[str, ...] = get_args(Kind)
