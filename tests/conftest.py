import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data():
    """Return the folder of data sets and weights, or skip.

    LRMP_DATA names it; else it is looked for beside the checkout, at ../shared/data.
    """
    named = os.environ.get("LRMP_DATA")
    root = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not (root / "README.md").is_file():
        pytest.skip(f"no data sets at {root}; LRMP_DATA names another folder")
    return root
