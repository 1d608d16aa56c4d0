import numpy as np
import pytest

pytest.importorskip("torch")

from lrmp.baselines import compare_multi_agent
from lrmp.baselines.compare_multi_agent import LEARNERS, Args, compare
from lrmp.baselines.run_directory import RunDirectory
from lrmp.envs import stored_optimum
from lrmp.errors import TaskError

TASK = "LRMP-LeNet-v0"


def test_table_counts_designs_both_ways_and_repeats_no_run(tmp_path, monkeypatch):
    few = {name: LEARNERS[name] for name in ("IPPO, difference", "VDN, team")}
    monkeypatch.setattr(compare_multi_agent, "LEARNERS", few)
    monkeypatch.setattr(compare_multi_agent, "BUDGETS", (20, 40))
    args = Args((TASK,), seeds=2, runs_dir=tmp_path)
    table = compare(args).splitlines()
    assert table[0] == f"| learner | designs | {TASK}, 20 | {TASK}, 40 |"
    best = stored_optimum(TASK).value

    def cell(agent, count):
        runs = [RunDirectory(tmp_path / f"{TASK}__{agent}__{seed}") for seed in (1, 2)]
        shares = [max(run.rewards()[:count]) / best for run in runs]
        return f"{np.mean(shares):.3f} ({min(shares):.3f} to {max(shares):.3f})"

    rows = [("VDN, team", "chosen", "vdn", (20, 40))]
    # Four layers: a design that is chosen takes five that are scored.
    rows += [("IPPO, difference", "chosen", "ippo-difference", (20, 40))]
    rows += [("IPPO, difference", "scored", "ippo-difference", (4, 8))]
    for name, counted, agent, (few_, many) in rows:
        assert f"| {name} | {counted} | {cell(agent, few_)} | {cell(agent, many)} |" in table
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("record.jsonl")}
    assert len(before) == 4
    assert compare(args).splitlines() == table
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_unknown_tasks_are_refused():
    with pytest.raises(TaskError, match="Did you mean"):
        Args(("LRMP-MLP-v1",))
