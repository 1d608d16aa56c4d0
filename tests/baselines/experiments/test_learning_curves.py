import numpy as np
import pytest

pytest.importorskip("matplotlib")

from lrmp.baselines.experiments.learning_curves import LearningCurves


def test_whole_runs_are_read_as_they_were_added(tmp_path):
    curves = LearningCurves(tmp_path / "new" / "curves.csv", block=2)
    assert curves.read() == {}
    curves.add("PPO", 1, np.array([1.0, 3.0, 5.0, 7.0, 100.0]))  # half a block is left out
    curves.add("PPO", 2, np.array([0.0, 0.0, 2.0, 2.0]))
    curves.add("TD3, dense", 1, np.array([-1.0, -2.0]))
    again = LearningCurves(curves.path, block=2).read()
    assert list(again) == ["PPO", "TD3, dense"]
    assert again["PPO"][1].tolist() == [[2, 2.0], [4, 6.0]]
    assert again["PPO"][2].tolist() == [[2, 0.0], [4, 2.0]]
    assert curves.last_returns(blocks=1) == {"PPO": [6.0, 2.0], "TD3, dense": [-1.5]}
    curves.plot(tmp_path / "curves.png", "LRMP-ResNet18-v0")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
