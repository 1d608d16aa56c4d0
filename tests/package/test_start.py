"""What ``import lrmp`` gives, and what it costs."""

import subprocess
import sys

import pytest

import lrmp


def test_dir_shows_what_people_start_from():
    shown = set(dir(lrmp))
    assert {"list_tasks", "list_networks", "list_presets", "load_task", "make_task"} <= shown
    assert {"load_network", "load_preset", "evaluate", "stored_optimum", "Network"} <= shown
    assert {"agents", "baselines", "envs", "hardware", "leaderboard", "solvers"} <= shown
    assert not [name for name in shown if name.startswith("_") and name != "__version__"]


def test_everything_shown_is_there():
    for name in dir(lrmp):
        assert getattr(lrmp, name) is not None


def test_a_first_session():
    assert "LRMP-ResNet18-v0" in lrmp.list_tasks()
    assert "resnet18" in lrmp.list_networks()
    assert "lrmp_frontiers_2024" in lrmp.list_presets()
    outcome = lrmp.evaluate("LRMP-LeNet-v0", weight_bits=6, activation_bits=6)
    bits = {"weight_bits": [6] * 4, "activation_bits": 6}
    assert outcome == lrmp.evaluate(lrmp.load_task("LRMP-LeNet-v0"), bits)
    assert outcome.score <= lrmp.stored_optimum("LRMP-LeNet-v0").value
    assert lrmp.evaluate("LRMP-LeNet-v0").design["weight_bits"].tolist() == [8] * 4


def test_evaluate_takes_the_kind_of_accuracy():
    outcome = lrmp.evaluate("LRMP-Digits-v0", weight_bits=4, accuracy="network")
    assert outcome.task.id == "LRMP-Digits-v0"
    with pytest.raises(lrmp.errors.AccuracyTableError, match="accuracy"):
        lrmp.evaluate("LRMP-Digits-v0", accuracy="guess")


@pytest.mark.parametrize("bits", [6.0, "6", True, None])
def test_bits_that_are_no_integers_are_refused(bits):
    with pytest.raises(lrmp.errors.DesignError, match=r"Expected (4 )?weight_bits"):
        lrmp.evaluate("LRMP-LeNet-v0", weight_bits=bits)


def test_a_misspelt_name_gets_the_nearest():
    with pytest.raises(AttributeError, match=r"got 'load_tsk'\. Did you mean 'load_task'\?"):
        lrmp.load_tsk  # noqa: B018


def test_import_takes_little_and_loads_no_framework():
    code = """
import sys, time
import gymnasium
start = time.process_time()
import lrmp
dir(lrmp)
print(time.process_time() - start)
gymnasium.make("LRMP-LeNet-v0")
heavy = {"torch", "matplotlib", "numba", "ortools", "sklearn", "scipy", "sqlalchemy"}
print(sorted(heavy & set(sys.modules)))
"""
    seconds = []
    for _ in range(3):  # the machine may be busy
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        taken, frameworks = done.stdout.splitlines()
        assert frameworks == "[]"
        seconds.append(float(taken))
    assert min(seconds) < 0.6
