import os
from importlib.util import find_spec
from pathlib import Path

import pytest

# Compiling takes a processor half a minute in a fresh clone. test_compiled.py holds both methods
# equal; LRMP_COMPILED=always runs any test by the other one.
os.environ.setdefault("LRMP_COMPILED", "never")

if find_spec("hypothesis") is not None:  # the clients' environments do without
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "lrmp",
        derandomize=True,  # the same examples in every run
        deadline=None,  # a busy machine fails no test
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("lrmp")


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


def pytest_collection_modifyitems(items):
    """Count tests on real data among those that take long."""
    for item in items:
        if "data" in getattr(item, "fixturenames", ()):
            item.add_marker("long")
