"""Every command answers bad input with 2, and the page says what the codes are."""

import argparse
import io
import re
from pathlib import Path

import pytest

from lrmp.cli import main
from lrmp.cli.exit_codes import EPILOG, EXIT_CODES
from lrmp.cli.main import make_parser

PAGE = Path(__file__).resolve().parents[2] / "docs" / "command-line.md"
#: Commands that need no words, and would go to work.
WITHOUT_WORDS = {
    "accuracy report",
    "board demo",
    "board migrate",
    "board rotate-key",
    "board serve",
    "board work",
    "demo",
    "envs",
    "hardware compare",
    "hardware list",
    "hardware validate",
    "leaderboard",
}
#: Commands that take any word.
ANY_WORD = {"board admin"}


def leaves(parser, words=()):
    groups = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    if not groups:
        yield " ".join(words), parser
    for group in groups:
        for name, part in group.choices.items():
            yield from leaves(part, (*words, name))


COMMANDS = dict(leaves(make_parser()))


def nonsense(parser):
    """Give every word that a command needs, and each of them wrong."""
    words = []
    for action in parser._actions:
        if action.option_strings and action.required:
            choices = list(action.choices or ())
            value = choices[-1] if choices else "1" if action.type in (int, float) else "nonsense"
            words += [action.option_strings[0], value]
        elif not action.option_strings and action.nargs not in ("?", "*"):
            words.append("nonsense")
    return words


def code_of(words):
    try:
        return main(words)
    except SystemExit as ended:
        return ended.code


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_is_2(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert code_of([*command.split(), "--nonsense"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "error: " in printed.err or "Expected" in printed.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - WITHOUT_WORDS - ANY_WORD))
def test_nonsense_is_2_with_one_message_and_nothing_written(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRMP_DATA", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert code_of([*command.split(), *nonsense(COMMANDS[command])]) == 2
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    assert printed.err.splitlines()[-1].startswith("lrmp")
    assert [path.name for path in tmp_path.iterdir() if path.name != "runs"] == []


def test_the_lists_of_this_file_name_commands():
    assert COMMANDS.keys() >= WITHOUT_WORDS | ANY_WORD
    for command in WITHOUT_WORDS:
        assert nonsense(COMMANDS[command]) == []


def test_every_help_ends_with_the_codes():
    assert [name for name, parser in COMMANDS.items() if EPILOG not in parser.epilog] == []


@pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not in the wheel")
def test_the_page_has_the_table_of_codes():
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert rows == [(str(code), meaning) for code, meaning in EXIT_CODES.items()]
