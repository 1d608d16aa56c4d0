"""Exports hold what the rankings hold."""

import csv
import io
import json
from xml.etree import ElementTree as ET

import pytest

pytestmark = pytest.mark.long

TASK = "LRMP-Digits-v0"


@pytest.fixture
def filled(board, fill):
    return fill(board)


def test_files_hold_the_ranking(filled, client):
    (row,) = client.get(f"/rankings/designs/{TASK}").json()["designs"]
    answers = {
        to: client.get(f"/export/designs/{TASK}", to=to) for to in ("csv", "json", "parquet")
    }
    (from_json,) = json.loads(answers["json"].content)
    assert from_json == {"task": TASK, **row}
    (from_csv,) = csv.DictReader(io.StringIO(answers["csv"].text))
    assert {name: str(value) for name, value in from_json.items() if value is not None} == {
        name: text for name, text in from_csv.items() if text
    }
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(io.BytesIO(answers["parquet"].content)).to_pylist() == [from_json]


def test_files_hold_the_agents_of_a_round(filled, client):
    agents = client.get("/rankings/rounds/r1", evaluations=100).json()["agents"]
    rows = client.get("/export/rounds/r1", to="json", evaluations=100).json()
    assert rows == [{"round": "r1", "evaluations": 100, **agent} for agent in agents]
    assert client.get("/export/rounds/r1", to="xls").status_code == 422


def test_the_feed_tells_the_news(filled, client):
    root = ET.fromstring(client.get("/feed.atom").content)
    titles = [title.text for title in root.findall("{*}entry/{*}title")]
    assert titles[0] == "Round r1 closed"
    assert f"ants/walker@1: a record of {TASK} was refused" in titles


def test_badges_are_drawn(filled, client):
    (row,) = client.get(f"/rankings/designs/{TASK}").json()["designs"]
    badge = client.get(f"/badges/submissions/{row['submission']}.svg")
    label = ET.fromstring(badge.content).get("aria-label")
    assert label == f"{TASK}: gap {100 * row['gap']:.2f} %"
    badge = client.get("/badges/rounds/r1/ants/walker@1.svg")
    assert "no rank, 0." in ET.fromstring(badge.content).get("aria-label")
    assert client.get("/badges/rounds/r1/ants/nobody@1.svg").status_code == 404
