"""The cards of the tasks: one for each, with what is proven, and no result of an earlier table."""

import hashlib
import json
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lrmp.envs import list_tasks, load_task, stored_optimum

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "docs" / "_scripts"

pytestmark = pytest.mark.skipif(not SCRIPTS.exists(), reason="the tests run outside the repository")


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    return import_module


def numbers_of_rows(table):
    """Return the cells of a table by the name of its row."""
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return {name: cells for name, *cells in rows}


@pytest.mark.parametrize(
    "task_id", ["LRMP-ResNet18-v0", "LRMP-LeNet-Prune-EDP-v0", "LRMP-Shared-Edge-Weighted-v0"]
)
def test_card_says_what_the_task_is_and_what_is_proven(script, task_id):
    card = script("task_cards")._card(task_id)
    task, optimum = load_task(task_id), stored_optimum(task_id)
    facts = numbers_of_rows(card)
    assert facts["definition"] == [f"SHA-256 `{task.fingerprint[:16]}`"]
    assert facts["budget"] == [f"{task.budget:,} tiles, the plain design's area"]
    assert facts["score"][0].startswith(f"{optimum.value:.6f}: ")
    assert facts["best constant"][0].startswith(f"{optimum.constant.value:.4f}")
    for knob in task.space:
        assert f"`{knob.name}` {knob.range}" in facts["design space"][0]
    assert f'gym.make("{task_id}")' in card
    holds = "It **holds**" if task.accuracy_holds else "**not found to hold**"
    assert holds in card


def test_pictures_show_every_layer_and_hold_the_tiles(script):
    task, optimum = load_task("LRMP-ResNet20-v0"), stored_optimum("LRMP-ResNet20-v0")
    pictures = script("design_pictures")
    (design,) = re.findall("<svg.*</svg>", pictures.design_picture(task, optimum))
    rects = ElementTree.fromstring(design).findall("rect")
    assert len(rects) == 3 * len(task.network)
    titles = [rect.findtext("title") for rect in rects]
    first = task.network.layers[0].name
    assert f"{first}: weight bits {optimum.design['weight_bits'][0]}" in titles
    assert f"{first}: copies {optimum.design.replication[0]}" in titles
    (plan,) = re.findall("<svg.*</svg>", pictures.floor_plan_picture(task, optimum))
    strips = ElementTree.fromstring(plan).findall("rect")
    assert sum(int(strip.get("width")) for strip in strips) == task.budget
    free = sum(int(strip.get("width")) for strip in strips if strip.get("class") == "free")
    cost = task.cost_model.evaluate(optimum.design)
    assert task.budget - free == cost.tiles


def test_layers_that_take_turns_have_no_floor_plan(script):
    task = load_task("LRMP-ResNet18-CIMAQ-v0")
    assert script("design_pictures").floor_plan_picture(task, stored_optimum(task)) == ""


def test_scores_of_an_earlier_definition_are_on_no_card(script):
    scores = script("card_scores")
    task = load_task("LRMP-LeNet-v0")
    rows = numbers_of_rows(scores.score_table(task, None))
    assert scores.NOT_RUN not in rows["random"]
    other = replace(task, budget=task.budget + 1)
    rows = numbers_of_rows(scores.score_table(other, None))
    assert sorted(rows) == ["---", "100 designs", "random", "uniform"]
    assert rows["random"] == rows["uniform"] == [scores.NOT_RUN] * len(scores.COUNTS)


@pytest.mark.long
def test_agents_of_a_study_of_today_are_on_the_card(script):
    scores = script("card_scores")
    records = [
        json.loads(line)
        for path in (ROOT / "docs" / "results").glob("*/results.jsonl")
        for line in path.read_text("utf-8").splitlines()
    ]
    known = set(list_tasks())
    today = [
        record
        for record in records
        if record["task"] in known
        and record["task_fingerprint"] == load_task(record["task"]).fingerprint
        and not record["accuracy"]
        and record["agent"] not in ("random", "uniform")
    ]
    for record in today[:20]:
        table = scores.score_table(load_task(record["task"]), None)
        assert f"| {record['agent']} (" in table


@pytest.mark.long
def test_every_task_has_a_card_and_its_file(script, tmp_path):
    assert script("build_site").stage(tmp_path) == []
    folder = tmp_path / "docs" / "tasks"
    index = (folder / "index.md").read_text("utf-8")
    for task_id in list_tasks():
        assert f"[`{task_id}`]({task_id}.md)" in index
        assert f"# {task_id}\n" in (folder / f"{task_id}.md").read_text("utf-8")
        shipped = ROOT / "envs" / "optima" / f"{task_id}.json"
        copied = (folder / f"{task_id}.json").read_bytes()
        assert hashlib.sha256(copied).digest() == hashlib.sha256(shipped.read_bytes()).digest()
