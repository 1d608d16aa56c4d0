"""What the command line says of a chip on which layers take turns."""

import json

import pytest

from lrmp.cli import main

TASK = 'network = "lenet"\naccelerator = "cim_aq_date_2026"\n'


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "turns.toml"
    path.write_text(TASK)
    return str(path)


def test_a_task_says_that_the_plain_design_takes_turns(file, capsys):
    assert main(["task", file]) == 0
    # LeNet's layers hold 20, 50, 500 and 10 columns of 25, 500, 800 and 500 rows: 4 cells each,
    # 1 x 1, 1 x 2, 8 x 4 and 1 x 2 crossbars.
    assert "budget          1 tiles; the plain design holds 37 in turn\n" in capsys.readouterr().out


def test_a_design_is_costed_and_its_optimum_solved(file, capsys):
    words = ["evaluate", "--env-id", file, "--set", "weight_bits=4", "--set", "activation_bits=8"]
    assert main(words) == 0
    # With 2 cells each: 1, 2, 4 * 4 and 2 crossbars.
    assert "  tiles           21 in turn on 1\n" in capsys.readouterr().out
    assert main(["optimum", file, "--solve", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["design"]["replication"] == [1] * 4


def test_other_tiles_are_refused(tmp_path, capsys):
    path = tmp_path / "more.toml"
    path.write_text(f"{TASK}budget = 2\n")
    assert main(["task", str(path)]) == 2
    assert "to be the 1 tiles of the time-multiplexed 'cim_aq_date_2026'" in capsys.readouterr().err
