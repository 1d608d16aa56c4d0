import re
from pathlib import Path

import pytest

import lrmp.leaderboard
from lrmp.leaderboard import Store, rank
from lrmp.leaderboard.design_ranking import DESIGN_SCORE
from lrmp.leaderboard.record_schema import load_record_schema
from lrmp.leaderboard.store import DEFAULT_STORE

PAGE = Path(__file__).parents[2] / "docs" / "leaderboard.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the tests run outside the repository")


def test_the_example_runs_and_is_ranked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    exec(example, {})
    assert [d.agent for r in rank(Store(DEFAULT_STORE).entries()) for d in r.designs] == ["by-hand"]


def test_the_page_describes_every_field_as_the_schema_does():
    page = PAGE.read_text("utf-8")

    def fields(properties, prefix=""):
        for name, schema in properties.items():
            if "properties" in schema:
                yield from fields(schema["properties"], f"{prefix}{name}.")
                if knob := schema.get("additionalProperties"):
                    yield f"| `{prefix}{name}.<knob>` | {knob['description']} |"
            else:
                yield f"| `{prefix}{name}` | {schema['description']} |"

    rows = list(fields(load_record_schema()["properties"]))
    assert len(rows) == 20
    assert "\n".join(rows) in page


def test_the_page_gives_formulas_store_and_schema():
    page = PAGE.read_text("utf-8")
    assert f"    {DESIGN_SCORE}\n" in page
    assert f"The default store is `{DEFAULT_STORE.as_posix()}`" in page
    assert (PAGE.parent / "../leaderboard/record.schema.json").is_file()
    assert "(../leaderboard/record.schema.json)" in page


def test_every_public_name_exists():
    assert all(hasattr(lrmp.leaderboard, name) for name in lrmp.leaderboard.__all__)
