import json
import math
from itertools import pairwise

import pytest

from lrmp.baselines.experiments import front
from lrmp.envs import evaluate_settings, load_task, stored_optimum
from lrmp.envs.scoring.table_optimum import chosen_settings
from lrmp.errors import RunError

TASK = "LRMP-ResNet18-v0"


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    out = tmp_path_factory.mktemp("front")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(front, "ALLOWANCES", (0.2, 1.0))
        patch.setattr(front, "ENERGY_SHARES", (0.0, 0.5, 1.0))
        front.compute(front.Args(env_id=TASK, out=out))
    return json.loads((out / "front.json").read_text("utf-8")), out / "front.png"


def test_points_keep_their_allowance_and_their_bound(document):
    points = document[0]["front"]
    assert [point["allowance"] for point in points] == [0.2, 1.0]
    for point in points:
        assert point["accuracy_drop"] <= point["allowance"]
        assert point["gain"] <= point["gain_bound"] <= (1 + 1e-9) * point["gain"]
    assert points[0]["gain"] < points[1]["gain"]


def test_an_allowance_is_in_points_where_the_table_is_in_nats():
    task = load_task("LRMP-ResNet8-v0")
    settings = chosen_settings(task, front.best_within(task, 0.5).settings)
    assert evaluate_settings(task, settings).accuracy_drop <= 0.5
    # Without a penalty at the optimum, the limit alone decides.
    assert front.best_within(task, 1.0).value == pytest.approx(stored_optimum(task.id).value)


def test_the_point_at_the_allowed_drop_is_the_optimum(document):
    # The optimum of this task pays no penalty, so that the limit alone decides.
    drop = load_task(TASK).accuracy.drop(stored_optimum(TASK).design)
    assert drop <= 1.0
    point = document[0]["front"][1]
    assert point["accuracy_drop"] == pytest.approx(drop)


def test_no_uniform_setting_is_above_the_bound(document):
    for row in document[0]["uniform"]:
        for point in document[0]["front"]:
            if row["accuracy_drop"] <= point["allowance"]:
                assert row["gain"] <= point["gain_bound"]


def test_latency_falls_as_throughput_rises(document):
    rows = document[0]["latency_against_throughput"]
    assert len(rows) > 10
    ordered = sorted(rows, key=lambda row: row["throughput_gain"])
    latencies = [row["latency_gain"] for row in ordered]
    assert latencies == sorted(latencies, reverse=True)


def test_latency_is_traded_for_energy_between_the_two_optima(document):
    rows = document[0]["energy_against_latency"]
    energy = stored_optimum("LRMP-ResNet18-Energy-v0")
    assert rows[0]["latency_gain"] == pytest.approx(math.exp(stored_optimum(TASK).value))
    assert rows[-1]["energy_gain"] == pytest.approx(math.exp(energy.value))
    for before, after in pairwise(rows):
        assert after["latency_gain"] < before["latency_gain"]
        assert after["energy_gain"] > before["energy_gain"]
    assert all(0 <= row["gap"] <= 1e-9 for row in rows)


def test_the_picture_is_drawn(document):
    assert document[1].read_bytes().startswith(b"\x89PNG")


def test_a_task_without_a_table_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"an additive accuracy table for LRMP-Digits-v0, got netw"):
        front.compute(front.Args(env_id="LRMP-Digits-v0", out=tmp_path))


@pytest.mark.parametrize("content", ["null", "{", "[" * 9999, '{"agents": {"ddpg": 1}}'])
def test_a_file_that_is_no_comparison_is_named(tmp_path, content):
    from lrmp.baselines.experiments.front import _agents

    (tmp_path / "comparison.json").write_text(content)
    with pytest.raises(RunError, match=r"Expected a comparison of agents in .*comparison\.json"):
        _agents(tmp_path / "comparison.json")
