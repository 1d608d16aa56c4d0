import json

import pytest

pytest.importorskip("cma")
pytest.importorskip("matplotlib")
pytest.importorskip("optuna")
pytest.importorskip("pymoo")

from lrmp.baselines import compare_search, tune_search
from lrmp.envs import stored_optimum
from lrmp.errors import RunError, TaskError

TASK = "LRMP-MLP-v0"


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    args = compare_search.Args(
        (TASK,), seeds=2, slow_seeds=0, long_seeds=0, runs_dir=folder / "runs", out=folder / "out"
    )
    return args, compare_search.compare(args)


def test_every_searcher_is_read_at_equal_numbers_of_designs(comparison):
    args, _ = comparison
    shares = json.loads((args.out / "comparison.json").read_text())["share_of_optimum"]
    for agent in ("random", "annealing", "genetic", "cma-es"):
        of_task = shares[agent][TASK]
        assert list(of_task) == ["100", "600", "1000"]
        path = args.runs_dir / "1000" / f"{TASK}__{agent}__2" / "episodes.csv"
        rewards = [float(line.split(",")[1]) for line in path.read_text().splitlines()[1:]]
        optimum = stored_optimum(TASK).value
        assert of_task["600"][1] == max(rewards[:600]) / optimum <= 1
    for agent in ("greedy", "hawq-ilp", "hawq-ilp-tile-time", "uniform-pairs"):
        assert list(shares[agent][TASK]) == ["100", "600", "1000", "10000"]
        # They end by themselves, greedy after more than 100 designs.
        assert shares[agent][TASK]["600"] == shares[agent][TASK]["10000"]


def test_page_has_the_gaps(comparison):
    args, page = comparison
    assert (args.out / "comparison.md").read_text() == page
    assert "| hawq-ilp | 0.00 | 0.00 | 0.00 | 0.00 |" in page
    assert "| random | 2 | " in page
    assert (args.out / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_finished_searches_are_not_repeated(comparison):
    args, page = comparison
    before = {path: path.stat().st_mtime_ns for path in args.runs_dir.rglob("record.jsonl")}
    assert len(before) == 4 + 2 * 4
    assert compare_search.compare(args) == page
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_unknown_tasks_are_refused():
    with pytest.raises(TaskError, match="Did you mean"):
        compare_search.Args(("LRMP-MLP-v1",))
    with pytest.raises(RunError, match="Expected long_seeds of at least 0, got -1"):
        compare_search.Args((TASK,), long_seeds=-1)


def test_defaults_are_in_the_grids_and_finished_tuning_is_not_repeated(tmp_path):
    args = tune_search.Args(tmp_path, instances=1, designs=3)
    page = tune_search.tune(args)
    assert page.count("(default)") == len(tune_search.GRIDS)
    lines = (tmp_path / "tuning.jsonl").read_text().splitlines()
    assert len(lines) == sum(len(tune_search.combinations(agent)) for agent in tune_search.GRIDS)
    # What was run is taken from the file: a better reward there leads the table.
    first = json.loads(lines[0])
    lines[0] = json.dumps(first | {"reward": 1e6})
    (tmp_path / "tuning.jsonl").write_text("\n".join(lines) + "\n")
    assert "| 1.0000" in tune_search.tune(args).split("## annealing")[1].splitlines()[4]
    assert (tmp_path / "tuning.jsonl").read_text().splitlines() == lines
