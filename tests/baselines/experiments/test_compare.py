import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from lrmp.baselines.experiments import compare
from lrmp.errors import TaskError


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    args = compare.Args(
        "LRMP-Digits-v0", seeds=2, evaluations=3, runs_dir=folder / "runs", out=folder / "out"
    )
    return args, compare.compare(args)


def test_every_agent_and_seed_is_in_the_summary(comparison):
    args, _ = comparison
    document = json.loads((args.out / "comparison.json").read_text())
    seeds = {agent: row["seeds"] for agent, row in document["agents"].items()}
    assert seeds == {"ddpg": 2, "random": 2, "uniform": 1}
    assert document["agents"]["uniform"]["evaluated_designs"] == 49
    for row in document["agents"].values():
        if row["seeds"] == 1:
            assert row["reward"]["interval_95"] is None
        else:
            low, high = row["reward"]["interval_95"]
            assert low <= row["reward"]["iqm"] <= high
        assert len(row["reward"]["values"]) == row["seeds"]


def test_page_shows_table_and_picture(comparison):
    args, table = comparison
    page = (args.out / "comparison.md").read_text()
    assert table in page
    assert "quantised digits_cnn" in page
    assert "an estimate" not in page
    assert (args.out / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_table_is_sorted_by_reward(comparison):
    _, table = comparison
    rewards = [float(row.split(" | ")[3].split()[0]) for row in table.splitlines()[2:]]
    assert rewards == sorted(rewards, reverse=True)


def test_finished_runs_are_not_repeated(comparison):
    args, table = comparison
    records = sorted(args.runs_dir.glob("*/record.jsonl"))
    before = [record.stat().st_mtime_ns for record in records]
    assert len(records) == 5
    assert compare.compare(args) == table
    assert [record.stat().st_mtime_ns for record in records] == before


def test_unknown_task_is_refused_before_any_run(tmp_path):
    args = compare.Args("LRMP-ResNet19-v0", runs_dir=tmp_path / "runs", out=tmp_path / "out")
    with pytest.raises(TaskError, match="Did you mean"):
        compare.compare(args)
    assert list(tmp_path.iterdir()) == []
