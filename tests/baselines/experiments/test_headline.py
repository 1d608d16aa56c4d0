import json

from lrmp.baselines.experiments import headline
from lrmp.envs import load_task, stored_optimum

TASKS = ("LRMP-MLP-v0", "LRMP-MLP-Throughput-v0")


def computed(out, **options):
    rows = headline.compute(headline.Args(out=out, env_ids=TASKS, **options))
    assert json.loads((out / "headline.json").read_text("utf-8"))["rows"] == json.loads(
        json.dumps(rows)
    )
    return rows


def test_gains_are_those_of_the_stored_optimum_and_below_the_bound(tmp_path):
    for row in computed(tmp_path, check=False):
        task, best = load_task(row["task"]), row[headline.BEST]
        optimum = stored_optimum(task.id).design
        drop = task.accuracy.drop(optimum)
        assert best["table_drop"] == drop <= task.allowed_drop
        assert row[headline.PAIR]["gain"] <= best["gain"] <= best["bound"]
        assert row[headline.PAIR]["table_drop"] <= task.allowed_drop
    page = (tmp_path / "headline.md").read_text("utf-8")
    assert "| MLP-v0 | table |" in page
    assert "No weights and images were at hand." in page
    assert (tmp_path / "headline.png").read_bytes().startswith(b"\x89PNG")


def test_a_tighter_allowance_is_slower():
    task = load_task("LRMP-ResNet8-v0")
    whole, half = headline._best(task, 1.0), headline._best(task, 0.5)
    assert half["table_drop"] <= 0.5 < whole["table_drop"] <= 1.0
    assert half["gain"] < whole["gain"] <= whole["bound"]


def test_designs_run_on_the_network_and_a_finished_row_is_kept(data, tmp_path):
    rows = computed(tmp_path, data=data)
    for row in rows:
        for name in (headline.PAIR, headline.BEST):
            assert row[name]["test"]["images"] == 5000
        # Either the network itself allows the design on the search images, or none was found.
        held = row[headline.HELD]
        assert held is None or held["search"]["drop"] <= load_task(row["task"]).allowed_drop
    marked = json.loads((tmp_path / "headline.json").read_text("utf-8"))
    marked["rows"][0]["marked"] = True
    (tmp_path / "headline.json").write_text(json.dumps(marked), "utf-8")
    assert computed(tmp_path, data=data)[0]["marked"]


def test_without_data_the_gains_stand_alone(tmp_path, capsys):
    rows = computed(tmp_path / "out", data=tmp_path)
    assert all("protocol" not in row for row in rows)
    assert "LRMP-MLP-v0 did not run on the network: Expected" in capsys.readouterr().out
