"""What is refused before any work is done on it, and what writing leaves alone."""

import os
import pickle
import stat
import threading

import pytest

from lrmp.errors import ForeignFileError, ForeignTextError, PresetError, RunError, TaskError
from lrmp.foreign_file import read_foreign, read_foreign_text
from lrmp.foreign_text import parse_json, parse_toml
from lrmp.growing_file import GrowingFile, open_growing, read_whole_lines
from lrmp.printable import printable
from lrmp.whole_file import replacing, write_whole


@pytest.fixture
def elsewhere(tmp_path):
    """A file that nobody may touch."""
    path = tmp_path / "elsewhere"
    path.write_text("precious\n")
    yield path
    assert path.read_text() == "precious\n"


def test_pipe_device_and_folder_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, message in (
        (tmp_path / "pipe", "it is a pipe, not a regular file"),
        (tmp_path, "it is a directory, not a regular file"),
        ("/dev/zero", "it is a device, not a regular file"),
        (tmp_path / "a\0b", "no file can have this name: embedded null byte"),
        (tmp_path / "\ud800", "no file can have this name"),
    ):
        with pytest.raises(ForeignFileError, match=message):
            read_foreign(path, 10)


def test_size_is_checked_before_the_content(tmp_path):
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ForeignFileError, match=f"it has {2**40} bytes, more than 100"):
        read_foreign(tmp_path / "huge", 100)
    with pytest.raises(ForeignFileError, match=r"more than 1048576"):
        read_foreign_text(tmp_path / "huge")


def test_text_that_is_no_utf8_is_refused(tmp_path):
    (tmp_path / "text").write_bytes(b"a\xff")
    with pytest.raises(ForeignFileError, match="it is not UTF-8"):
        read_foreign_text(tmp_path / "text")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nests more than 32"),
        ("[" * 40 + "]" * 40, "nests more than 32"),
        ("9" * 5000, "digits"),
        ("9" * 20, "more than 64 bits"),
        ('{"a": 1, "a": 2}', "the key 'a' stands there twice"),
        ("{", "Expecting property name"),
        ("\0", "Expecting value"),
    ],
)
def test_json_that_parsers_stumble_over(text, message):
    with pytest.raises(ForeignTextError, match=message):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = " + "[" * 100_000, "nests more than 32"),
        ("a = " + "[" * 40 + "]" * 40, "nests more than 32"),
        (".".join("a" * 40) + " = 1", "nests more than 32"),
        ("a = " + "9" * 5000, "digits"),
        ("a = 0x" + "f" * 5000, "more than 64 bits"),
        ("a = 2026-02-31", "day is out of range|Invalid date"),
        ("a = \0", "Invalid|Illegal"),
    ],
)
def test_toml_that_parsers_stumble_over(text, message):
    with pytest.raises(ForeignTextError, match=message):
        parse_toml(text)


def test_a_link_is_replaced_and_not_followed(tmp_path, elsewhere):
    path = tmp_path / "record.jsonl"
    path.symlink_to(elsewhere)
    (tmp_path / "record.jsonl.partial").symlink_to(elsewhere)
    write_whole(path, "mine\n")
    assert not path.is_symlink()
    assert path.read_text() == "mine\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "elsewhere",
        "record.jsonl",
        "record.jsonl.partial",
    ]


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "picture.png"
    path.write_text("old")

    def fail():
        with replacing(path) as temporary:
            assert temporary.suffix == ".png"
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["picture.png"]
    assert path.read_text() == "old"


def test_a_written_file_has_the_usual_permissions(tmp_path):
    write_whole(tmp_path / "a", b"x")
    (tmp_path / "b").write_bytes(b"x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"}
    assert len(modes) == 1


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "null").symlink_to("/dev/null")
    for name in ("pipe", "folder", "null", "a\0b"):
        with pytest.raises(ForeignFileError, match=r"not a regular file|no file can have"):
            write_whole(tmp_path / name, "x")
    assert len(list(tmp_path.iterdir())) == 3


def test_growing_files_follow_no_link(tmp_path, elsewhere):
    (tmp_path / "soft").symlink_to(elsewhere)
    (tmp_path / "hard").hardlink_to(elsewhere)
    os.mkfifo(tmp_path / "pipe")
    for name, message in (
        ("soft", "it is a link"),
        ("hard", "it is a hard link"),
        ("pipe", "it is a pipe"),
        ("a\0b", "no file can have this name"),
    ):
        with pytest.raises(OSError, match=message):
            open_growing(tmp_path / name)


def test_a_torn_last_line_is_cut_off(tmp_path):
    path = tmp_path / "journal"
    assert read_whole_lines(path) == []
    path.write_bytes("one\nzwei ä\ndre".encode()[:-1])
    assert read_whole_lines(path) == ["one", "zwei ä"]
    with GrowingFile(path) as file:
        assert (file.lines, file.torn) == (["one", "zwei ä"], 2)
        file.add("three", "four")
    assert path.read_text("utf-8") == "one\nzwei ä\nthree\nfour\n"
    path.write_bytes(b"one\n\xff\n")
    with pytest.raises(ForeignFileError, match="line 2 is not UTF-8"):
        GrowingFile(path)
    assert path.read_bytes() == b"one\n\xff\n"


def test_control_characters_are_escaped_once():
    assert printable("a\x1b[31mä\u202e\udc80\n") == "a\\x1b[31mä\\u202e\\udc80\n"
    assert printable(printable("\x1b")) == "\\x1b"


def test_errors_escape_what_they_quote():
    for kind in (PresetError, TaskError, RunError, ForeignFileError):
        error = kind("Expected a\x1b]0;title\x07.")
        assert str(error) == "Expected a\\x1b]0;title\\x07."
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_readers_do_not_wait_for_a_pipe(tmp_path):
    from lrmp.baselines.study.definition import read_study
    from lrmp.envs.task.custom_task import read_task
    from lrmp.hardware import read_preset

    os.mkfifo(tmp_path / "pipe.toml")
    errors = []

    def read_all():
        for read in (read_task, read_preset, read_study):
            try:
                read(tmp_path / "pipe.toml")
            except ValueError as error:
                errors.append(str(error))

    thread = threading.Thread(target=read_all, daemon=True)
    thread.start()
    thread.join(60)
    assert len(errors) == 3
    assert all("it is a pipe, not a regular file" in error for error in errors)
