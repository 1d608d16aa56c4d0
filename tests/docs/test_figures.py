"""Every figure of the documents says how it is made again."""

import hashlib
import os
import re
import shlex
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

import pytest

from lrmp.cli.main import make_parser

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "docs" / "_scripts"

pytestmark = pytest.mark.skipif(not SCRIPTS.exists(), reason="the tests run outside the repository")


@pytest.fixture
def figures(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    return import_module("figures")


def shown_figures(figures):
    found = set()
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for path in figures.figures_of(document.read_text("utf-8")):
            found.add(os.path.relpath(document.parent / path, ROOT / "docs"))
    return sorted(found)


def test_every_figure_has_one_source_and_its_data_is_there(figures):
    shown = shown_figures(figures)
    assert len(shown) > 20
    assert [path for path in shown if len(figures.sources_of(path)) != 1] == []
    data = {path for figure in shown for path in figures.sources_of(figure)[0].data}
    assert [path for path in data if not (ROOT / path).exists()] == []


def test_commands_are_those_that_there_are(figures):
    commands = {figures.sources_of(path)[0].command for path in shown_figures(figures)}
    for command in commands:
        program, *arguments = shlex.split(command)
        if program == "lrmp":
            make_parser().parse_args(arguments)
        elif arguments[0] == "-m":
            tyro = pytest.importorskip("tyro")
            assert find_spec(arguments[1]) is not None
            try:
                experiment = import_module(arguments[1])
            except ModuleNotFoundError:  # of a library that lrmp does not need
                continue
            tyro.cli(experiment.Args, args=arguments[2:])
        else:
            assert (ROOT / arguments[0]).is_file()


def test_source_stands_below_the_figure(figures):
    text = "# Page\n\n![A plot](headline.png)\n\n```md\n![A plot](headline.png)\n```\n"
    page = PurePosixPath("results/headline/headline.md")
    shown = figures.with_sources(text, "docs/results/headline/headline.md", page)
    assert shown.count("<details") == 1
    data = ROOT / "docs" / "results" / "headline" / "headline.json"
    assert hashlib.sha256(data.read_bytes()).hexdigest() in shown
    assert '<a href="headline.json">' in shown
    assert re.search(r"!\[A plot\]\(headline.png\)\n\n<details", shown)


def test_hash_of_a_folder_covers_its_data(figures, tmp_path):
    (tmp_path / "b.json").write_text("two")
    (tmp_path / "a.jsonl").write_text("one")
    (tmp_path / "c.py").write_text("code")
    assert figures.sha256(tmp_path) == hashlib.sha256(b"onetwo").hexdigest()
