import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from lrmp.baselines.experiments import compare
from lrmp.baselines.searchers import random_search
from lrmp.envs import evaluate
from lrmp.errors import TaskError

pytestmark = pytest.mark.long


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
            assert row["score"]["interval_95"] is None
        else:
            low, high = row["score"]["interval_95"]
            assert low <= row["score"]["iqm"] <= high
        assert len(row["score"]["values"]) == row["seeds"]


def test_a_run_without_a_score_is_summed_up_as_the_plain_design(tmp_path):
    args = random_search.Args("LRMP-ResNet18-v0", evaluations=3, runs_dir=tmp_path)
    run = random_search.train(args, progress=False)
    assert run.record()["claim"]["score"] is None
    assert run.record()["claim"]["gain"] > 1
    row = compare.summarise([run])
    plain = evaluate("LRMP-ResNet18-v0")
    assert [row[name]["iqm"] for name in ("score", "gain", "accuracy_drop")] == [
        0.0,
        1.0,
        plain.accuracy_drop,
    ]
    table = compare.format_table({"x": row})
    assert f"| x | 1 | 3 | 0.000 | 1.00 | {plain.accuracy_drop:.2f} |" in table


def test_page_shows_table_and_picture(comparison):
    args, table = comparison
    page = (args.out / "comparison.md").read_text()
    assert table in page
    assert "quantised digits_cnn" in page
    assert "an estimate" not in page
    assert (args.out / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_table_is_sorted_by_score(comparison):
    _, table = comparison
    scores = [float(row.split(" | ")[3].split()[0]) for row in table.splitlines()[2:]]
    assert scores == sorted(scores, reverse=True)


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
