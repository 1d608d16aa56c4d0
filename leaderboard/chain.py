"""The chain of hashes: every entry is hashed together with the one before."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lrmp.errors import RecordError

FIRST = "0" * 64  # stands before the first entry


def link(row: Mapping[str, Any]) -> str:
    """Hash a row of the store with the hash of the row before.

    Args:
        row: All columns, ``previous`` among them; ``chain`` is left out.

    Returns:
        SHA-256 in hexadecimal.
    """
    columns = {name: row[name] for name in sorted(row) if name != "chain"}
    # Values of types that lrmp does not write have a hash too, which no honest row has.
    return hashlib.sha256(json.dumps(columns, default=repr).encode()).hexdigest()


def check_chain(rows: Sequence[Mapping[str, Any]], counter: int) -> list[bool]:
    """Check that rows are what was added, in that order, and none is missing.

    Args:
        rows: All rows of the store by number.
        counter: How many were ever added, as the database counted them.

    Returns:
        For every row whether its content matches its hash. Where it does not, the row is damaged,
        but the rows around it are as they were: their links pass over its content.

    Raises:
        RecordError: If the links show that rows were removed, put in or hashed anew: any row may
            be another one then.
    """
    intact = []
    chain, expected = FIRST, FIRST
    for number, row in enumerate(rows, start=1):
        if row["number"] != number:
            raise RecordError(f"no entry {number}, but entry {row['number']}")
        if row["previous"] not in (chain, expected):
            raise RecordError(f"an entry {number} that was not added after entry {number - 1}")
        chain, expected = row["chain"], link(row)
        intact.append(chain == expected)
    if counter != len(rows):
        raise RecordError(f"{len(rows)} of {counter} entries")
    return intact
