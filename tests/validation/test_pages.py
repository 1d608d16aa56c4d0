from pathlib import Path

import pytest

from lrmp.baselines.validation import format_table, run_validation
from lrmp.hardware import list_presets
from lrmp.hardware.chip.preset_table import format_presets

DOCS = Path(__file__).parents[2] / "docs" / "hardware"

pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="the tests run outside the repository")


def table_of(page):
    before, marker, rest = (DOCS / page).read_text("utf-8").partition("<!-- table -->\n")
    assert marker
    assert before.strip()
    return rest.split("\n<!-- end of table -->")[0]


def test_validation_page_has_the_table_that_the_model_gives():
    # Otherwise replace the lines between the markers by what these two functions return.
    assert table_of("validation.md") == format_table(run_validation(), markdown=True)


def test_presets_page_has_the_table_of_the_presets():
    assert table_of("presets.md") == format_presets()


def test_every_preset_is_described():
    text = (DOCS / "presets.md").read_text("utf-8").split("<!-- end of table -->")[1]
    assert [name for name in list_presets() if f"`{name}`" not in text] == []
