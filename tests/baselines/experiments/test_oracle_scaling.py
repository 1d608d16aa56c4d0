import json

from lrmp.baselines.experiments import oracle_scaling


def test_every_size_is_measured_and_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(oracle_scaling, "REPEATS", (1, 2))
    monkeypatch.setattr(oracle_scaling, "BUDGETS", (1.0, 2.0))
    rows = oracle_scaling.measure(oracle_scaling.Args(out=tmp_path))
    assert [(row["layers"], row["budget_tiles"]) for row in rows] == [
        (21, 1608),
        (21, 3216),
        (42, 3216),
        (42, 6432),
    ]
    assert all(row["seconds"] > 0 for row in rows)
    assert json.loads((tmp_path / "scaling.json").read_text("utf-8"))["rows"] == rows
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")
