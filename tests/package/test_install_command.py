"""The command in "Expected matplotlib ..." is one that works where lrmp came from."""

import json
from importlib.metadata import PathDistribution

import pytest

from lrmp.errors import MissingExtraError
from lrmp.install_command import install_command

SOURCES = {
    "index": (None, 'pip install "lrmp[plot]"'),
    "clone": (
        {"url": "file:///home/a/lrmp", "dir_info": {}},
        "pip install '/home/a/lrmp[plot]'",
    ),
    "editable clone in a folder with a blank": (
        {"url": "file:///home/a%20b/lrmp", "dir_info": {"editable": True}},
        "pip install -e '/home/a b/lrmp[plot]'",
    ),
    "wheel": (
        {"url": "file:///dist/lrmp-0.1.0-py3-none-any.whl", "archive_info": {}},
        'pip install "lrmp[plot] @ file:///dist/lrmp-0.1.0-py3-none-any.whl"',
    ),
    "repository": (
        {"url": "https://example.org/lrmp.git", "vcs_info": {"vcs": "git", "commit_id": "0"}},
        'pip install "lrmp[plot] @ git+https://example.org/lrmp.git"',
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_the_command_installs_from_where_lrmp_came(monkeypatch, name):
    source, command = SOURCES[name]
    noted = None if source is None else json.dumps(source)
    monkeypatch.setattr(PathDistribution, "read_text", lambda self, file: noted)
    assert install_command("plot") == command


def test_the_error_names_what_is_missing_what_for_and_what_else_to_do():
    error = MissingExtraError.of("torch", "to run", "accuracy", 'use accuracy="table"')
    command = install_command("accuracy")
    assert str(error) == f'Expected torch to run; run {command}, or use accuracy="table".'
