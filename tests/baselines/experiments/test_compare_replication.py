import json

from lrmp.baselines.experiments.compare_replication import EXACT, ILP, Args, compare, problems_of
from lrmp.envs import load_task


def test_every_task_is_compared_by_every_method(tmp_path):
    table = compare(Args(out=tmp_path, env_ids=("LRMP-Digits-v0",)))
    assert table in (tmp_path / "comparison.md").read_text("utf-8")
    rows = json.loads((tmp_path / "comparison.json").read_text("utf-8"))["rows"]
    assert len(rows) == 6
    for row in rows:
        assert min(row["ratios"]) >= 1
        assert len(row["seconds"]) == len(row["ratios"]) == 7
        if row["method"] in (EXACT, ILP):
            assert set(row["ratios"]) == {1.0}
    assert "| LRMP-Digits-v0 | 1.0000, " in table


def test_the_settings_of_the_optimum_are_among_the_problems():
    from lrmp.envs import stored_optimum

    task = load_task("LRMP-ResNet18-v0")
    optimum = stored_optimum(task.id)
    tiles = task.cost_model.tiles_per_copy(optimum.design.settings)
    assert problems_of(task)[-1].tiles.tolist() == tiles.tolist()
