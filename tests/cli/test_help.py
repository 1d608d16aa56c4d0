"""What a newcomer reads: every help fits 80 columns, and every command stands in a group."""

import argparse

import pytest

from lrmp.cli import main
from lrmp.cli.board import SECTIONS as BOARD_SECTIONS
from lrmp.cli.command_groups import CommandGroups
from lrmp.cli.main import SECTIONS, make_parser


def parsers(parser):
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for part in action.choices.values():
                yield from parsers(part)


@pytest.mark.parametrize("parser", [*parsers(make_parser())], ids=lambda parser: parser.prog)
def test_every_help_fits_80_columns(parser, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = parser.format_help()
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert text.startswith(f"usage: {parser.prog} ")


@pytest.mark.parametrize(("words", "sections"), [([], SECTIONS), (["board"], BOARD_SECTIONS)])
def test_every_command_is_in_one_group_with_one_line(capsys, words, sections):
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    lines = capsys.readouterr().out.splitlines()
    for title, names in sections.items():
        place = lines.index(f"{title}:")
        assert [line.split()[0] for line in lines[place + 1 : place + 1 + len(names)]] == [*names]
        assert lines[place + 1 + len(names)] == ""


def test_a_command_without_a_group_is_noticed():
    commands = CommandGroups(argparse.ArgumentParser())
    commands.add_parser("new", help="something")
    assert commands.listing({"some": ("new",)}) == "some:\n  new  something"
    with pytest.raises(AssertionError, match="commands without a group"):
        commands.listing({})
