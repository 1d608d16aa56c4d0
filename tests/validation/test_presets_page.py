from pathlib import Path

import pytest

from lrmp.hardware import list_presets

DOCS = Path(__file__).parents[2] / "docs" / "hardware"


@pytest.mark.skipif(not DOCS.exists(), reason="the tests run outside the repository")
def test_every_preset_is_described():
    text = (DOCS / "presets.md").read_text("utf-8").split("<!-- end of table -->")[1]
    assert [name for name in list_presets() if f"`{name}`" not in text] == []
