import sys

import pytest

import lrmp.errors
from lrmp.cli.output import note
from lrmp.errors import LRMPError, RunError
from lrmp.printable import EscapedStream, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("two\nlines", "two\nlines"),
        ("5 µs in Zürich", "5 µs in Zürich"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\rb\x00c\x7fd\x9be", r"a\rb\x00c\x7fd\x9be"),
        ("right\u202eleft\u200b", r"right\u202eleft\u200b"),
        ("line\u2028end", r"line\u2028end"),
        ("not utf-8: \udcff", r"not utf-8: \udcff"),
    ],
)
def test_control_characters_are_shown(capsys, text, shown):
    assert printable(text) == shown
    assert str(RunError(f"Expected {text}.")) == f"Expected {shown}."
    note(text)
    print(text, file=EscapedStream(sys.stdout))
    assert capsys.readouterr() == (f"{shown}\n", f"{shown}\n")


def test_every_error_of_lrmp_is_printable():
    classes = [c for c in vars(lrmp.errors).values() if isinstance(c, type)]
    classes = [c for c in classes if issubclass(c, LRMPError)]
    assert len(classes) > 10
    for kind in classes:
        assert str(kind("file \x1b[2J")) == r"file \x1b[2J"
