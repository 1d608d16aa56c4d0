import json

import numpy as np
import pytest

from lrmp.cli import main
from lrmp.envs import load_task, stored_optimum

TASK = "LRMP-ResNet18-Throughput-v0"


def test_optimum_prints_design_bound_gap_and_log(capsys, tmp_path):
    picture = tmp_path / "optimum.png"
    assert main(["optimum", TASK, "--plot", str(picture)]) == 0
    text = capsys.readouterr().out
    optimum = stored_optimum(TASK)
    assert f"score           {optimum.value:.4f}" in text
    assert f"bound           {optimum.bound:.4f}: no design within the allowed drop scores" in text
    share = optimum.constant.value / optimum.value
    assert (
        f"best constant   {optimum.constant.value:.4f}, {100 * share:.1f} % of it: "
        "weight_bits 6, activation_bits 7\n"
    ) in text
    assert "gap             " in text
    assert all(line in text for line in optimum.log)
    assert all(layer.name in text for layer in load_task(TASK).network.layers)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_optimum_as_json(capsys):
    assert main(["optimum", TASK, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    optimum = stored_optimum(TASK)
    assert (document["bound"], document["gap"]) == (optimum.bound, optimum.gap)
    assert document["design"]["weight_bits"] == optimum.design["weight_bits"].tolist()
    assert document["score"] == optimum.value
    assert document["reward_bound"] == optimum.reward_bound
    assert document["constant"] == {
        "setting": {"weight_bits": 6, "activation_bits": 7},
        "value": optimum.constant.value,
    }


def test_optimum_found_anew_is_the_stored_one(capsys):
    assert main(["optimum", TASK, "--solve", "--json"]) == 0
    streams = capsys.readouterr()
    stored = stored_optimum(TASK)
    document = json.loads(streams.out)
    assert document["score"] == pytest.approx(stored.value, abs=1e-12)
    assert np.isclose(document["bound"], stored.bound, atol=1e-9)
    assert streams.err == ""  # a progress bar is for a terminal


def test_unknown_task_is_bad_input(capsys):
    assert main(["optimum", "LRMP-ResNet19-v0"]) == 2
    assert "Did you mean" in capsys.readouterr().err
