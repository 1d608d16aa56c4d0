import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from lrmp.baselines import td3_ablation
from lrmp.baselines.run_directory import RunDirectory
from lrmp.envs import stored_optimum
from lrmp.errors import RunError, TaskError

TASK = "LRMP-LeNet-v0"


def test_page_has_every_variant_and_finished_runs_are_not_repeated(tmp_path):
    args = td3_ablation.Args(
        (TASK,), seeds=1, episodes=20, runs_dir=tmp_path / "runs", out=tmp_path / "out"
    )
    page = td3_ablation.ablate(args)
    shares = json.loads((args.out / "ablation.json").read_text())["share_of_optimum"]
    assert list(shares) == [*td3_ablation.VARIANTS, td3_ablation.DDPG]
    for variant, by_task in shares.items():
        (run,) = (args.runs_dir / variant.replace(" ", "-")).iterdir()
        rewards = RunDirectory(run).rewards()
        assert by_task[TASK] == [max(rewards) / stored_optimum(TASK).value]
        assert f"| {variant} | 1 | {by_task[TASK][0]:.3f} |" in page
    assert (args.out / "ablation.md").read_text() == page
    assert (args.out / "ablation.png").read_bytes().startswith(b"\x89PNG")
    before = {path: path.stat().st_mtime_ns for path in args.runs_dir.rglob("record.jsonl")}
    assert td3_ablation.ablate(args) == page
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_unknown_tasks_and_counts_are_refused():
    with pytest.raises(TaskError, match="Did you mean"):
        td3_ablation.Args(("LRMP-LeNet-v1",))
    with pytest.raises(RunError, match="Expected seeds of at least 1, got 0"):
        td3_ablation.Args((TASK,), seeds=0)
