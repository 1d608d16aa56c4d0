"""Where data sets and weights lie."""

import os
from pathlib import Path

VARIABLE = "LRMP_DATA"
DEFAULT = Path("..") / "shared" / "data"


def data_root(given: Path | None = None) -> Path:
    """Find the folder of data sets and weights.

    Args:
        given: The user's choice, or None.

    Returns:
        The choice; else the environment variable ``LRMP_DATA``; else ``../shared/data`` from the
        current folder. It need not exist.
    """
    if given is not None:
        return given
    named = os.environ.get(VARIABLE)
    return Path(named) if named else DEFAULT
