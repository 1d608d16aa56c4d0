import json

import pytest

pytest.importorskip("cma")
pytest.importorskip("pymoo")

from lrmp.baselines import tune_search


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
