"""Studies that ship run by name; a file of one's own by its path."""

import pytest

from lrmp.cli import main
from lrmp.errors import StudyError
from lrmp.studies import list_studies, study_path


def test_shipped_studies_are_named():
    assert {"lrmp", "quick", "network"} <= set(list_studies())
    assert study_path("quick").name == "quick.toml"


def test_a_file_wins_over_a_shipped_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick").write_text("", "utf-8")
    assert study_path("quick").resolve() == tmp_path / "quick"
    assert study_path("mine.toml").name == "mine.toml"  # missing: its reader says so


def test_a_misspelt_name_gets_the_nearest():
    with pytest.raises(StudyError, match=r"got 'quik'\. Did you mean 'quick'\?"):
        study_path("quik")


def test_the_command_takes_a_name_from_any_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["study", "run", "quick", "--dry-run"]) == 0
    assert "runs" in capsys.readouterr().out
    assert main(["study", "run", "quik"]) == 2
    assert "Did you mean 'quick'?" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
