import csv
import json
import math
import shutil
from dataclasses import replace
from functools import partial

import pytest

pytest.importorskip("matplotlib")

from lrmp.baselines.running.design_tally import best_so_far
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.baselines.study.definition import read_study
from lrmp.baselines.study.local_engine import run_locally
from lrmp.baselines.study.paper_tables import write_paper_tables
from lrmp.baselines.study.report import format_checks, write_report
from lrmp.baselines.study.results import read_results
from lrmp.baselines.study.runner import run_study
from lrmp.baselines.study.scores import Scores
from lrmp.baselines.study.statistics import interquartile_mean
from lrmp.cli import main
from lrmp.envs import Record, evaluate, load_task, stored_optimum
from lrmp.errors import StudyError

pytestmark = pytest.mark.long


STUDY = """
tasks = ["LRMP-MLP-v0", "LRMP-MLP-Throughput-v0", "LRMP-Digits-v0"]
report_at = [10, 20, 60]
seeds = 3

[agents.uniform]

[agents.hawq-ilp]

[agents.random]
evaluations = [20, 60]
seeds = [3, 2]

[agents.genetic]
evaluations = 20
tasks = ["LRMP-MLP-v0"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "some.toml").write_text(STUDY)
    study = read_study(folder / "some.toml")
    run_study(study, folder / "out", partial(run_locally, workers=1), progress=False)
    return folder / "out"


def test_shares_are_those_of_the_runs_that_reach_so_far(folder):
    scores = Scores.read(folder)
    optimum = stored_optimum("LRMP-MLP-v0").value
    allowed_drop = load_task("LRMP-MLP-v0").allowed_drop
    runs = folder / "runs" / "random"
    for count, budget in ((10, 20), (20, 20), (21, 60), (60, 60)):
        expected = []
        for path in sorted((runs / str(budget)).glob("LRMP-MLP-v0__random__*")):
            episodes = RunDirectory(path).episodes()[:count]
            expected.append(best_so_far(episodes, allowed_drop)[-1] / optimum)
        assert scores.shares("random", "LRMP-MLP-v0", count).tolist() == expected
    assert len(scores.shares("random", "LRMP-MLP-v0", 61)) == 0
    # What ends by itself counts everywhere.
    assert scores.shares("hawq-ilp", "LRMP-MLP-v0", 10_000).tolist() == [1.0]
    assert scores.shares("uniform", "LRMP-MLP-v0", 48) <= 1.0


@pytest.fixture
def without_scores(folder, tmp_path):
    """A copy of the study in which random search found nothing within the allowed drop."""
    copy = tmp_path / "without"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("runs"))
    records = [json.loads(line) for line in (copy / "results.jsonl").read_text().splitlines()]
    for record in records:
        if record["agent"] == "random":
            record["curve"] = []
            record["claim"] |= {"score": None, "accuracy_drop": 50.0}
    lines = (json.dumps(record) + "\n" for record in records)
    (copy / "results.jsonl").write_text("".join(lines))
    return copy


def test_a_run_without_a_score_has_the_plain_design(without_scores, tmp_path):
    scores = Scores.read(without_scores)
    assert scores.shares("random", "LRMP-MLP-v0", 20).tolist() == [0.0, 0.0, 0.0]
    assert "random" in scores.pool[0]
    page = write_report(without_scores, tmp_path / "page", check=False).read_text()
    assert next(line for line in page.splitlines() if line.startswith("| random | ")).startswith(
        "| random | 100.00 "
    )
    assert "nan" not in page
    # Nor does it need a certified optimum.
    (without_scores / "optima.jsonl").write_text("")
    scores = Scores.read(without_scores)
    scores = replace(scores, records=tuple(r for r in scores.records if r["agent"] == "random"))
    for task in scores.tasks:
        assert not scores.shares("random", task, 20).any()


def test_only_agents_on_the_same_tasks_are_pooled(folder):
    scores = Scores.read(folder)
    # The genetic algorithm ran on one task of three, and nothing needs a table on Digits.
    assert scores.pool == (
        ["uniform", "hawq-ilp", "random"],
        ["LRMP-MLP-Throughput-v0", "LRMP-MLP-v0"],
    )
    assert scores.matrix("random", 20).shape == (3, 2)
    assert scores.matrix("random", 60).shape == (2, 2)
    assert scores.matrix("genetic", 20) is None


def test_pages_say_what_the_records_say(folder, tmp_path):
    out = tmp_path / "docs" / "results" / "some"
    assert main(["study", "report", str(folder), "--out", str(out), "--no-check"]) == 0
    page = (out / "report.md").read_text()
    assert "23 of 23 runs are finished" in page
    assert "(all but genetic)" in page
    assert "](../../optimum.md)" in page
    scores = Scores.read(folder)
    gap = 100 * (1 - interquartile_mean(scores.matrix("random", 60)))
    assert f" | {gap:.2f} [" in next(
        line for line in page.splitlines() if line.startswith("| random | ")
    )
    assert "hawq-ilp needs an accuracy table and is left out on LRMP-Digits-v0." in page
    assert "| MLP-v0 | table | 2.72x | " in page
    assert "| LRMP, five networks | not public | 2.6-9.3x |" in page
    assert "| not checked |" in page
    assert "## LRMP-MLP-v0\n\nBest: " in (out / "tasks.md").read_text()
    for picture in ("gap", "profiles", "tasks"):
        assert (out / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
    # The copies of the records are enough to write it again.
    again = write_report(out, tmp_path / "docs" / "results" / "again", check=False)
    assert again.read_text() == page.replace(str(out), str(again.parent))


def test_estimates_are_in_no_number_of_what_is_measured(folder, tmp_path):
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed, ignore=shutil.ignore_patterns("runs"))
    (tmp_path / "more.toml").write_text(
        'tasks = ["LRMP-ResNet34-Predicted-v0"]\nreport_at = [10, 20, 60]\n'
        "[agents.random]\nevaluations = 60\nseeds = 3\n"
        "[agents.uniform]\n"
    )
    more = tmp_path / "out"
    run_study(
        read_study(tmp_path / "more.toml"), more, partial(run_locally, workers=1), progress=False
    )
    for name in ("results.jsonl", "optima.jsonl"):
        with (mixed / name).open("a") as file:
            file.write((more / name).read_text())
    before, page = (
        write_report(source, tmp_path / f"page-{source.name}", check=False).read_text()
        for source in (folder, mixed)
    )
    measured, estimates = Scores.read(mixed).part(estimates=False), "## Estimates, apart"
    assert measured.pool == Scores.read(folder).pool
    assert estimates not in before
    for part in ("![Gap to the optimum", "## How they compare", "## Who wins"):
        assert (
            page.partition(part)[2].partition("\n## ")[0]
            == (before.partition(part)[2].partition("\n## ")[0])
        )
    section = page.partition(estimates)[2].partition("\n## ")[0]
    assert "LRMP-ResNet34-Predicted-v0.\n\n| agent | 10 | 20 | 60 |" in section
    optimum = stored_optimum("LRMP-ResNet34-Predicted-v0")
    constant, best = (f"{math.exp(x):.2f}x" for x in (optimum.constant.value, optimum.value))
    assert constant != best
    row = f"| ResNet34-Predicted-v0 | table (estimate) | {constant} | uniform | {best} |"
    assert row in section
    assert "MLP" not in section
    assert "Predicted" not in page.partition("## Best designs")[2].partition("\n## ")[0]
    # Alone they are told as well.
    alone = write_report(more, tmp_path / "alone", check=False).read_text()
    assert "on the 0 measured tasks" in alone
    assert estimates in alone


def test_winners_run_on_the_network_once(folder, data, tmp_path, capsys):
    pytest.importorskip("torch")
    first = write_report(folder, tmp_path / "a", data).read_text()
    assert "not checked" not in first
    assert "- *table*: " in first
    assert " of 2 designs stay within the allowed drop" in first
    lines = (folder / "network_checks.jsonl").read_text().splitlines()
    checks = [json.loads(line) for line in lines]
    assert all(check["test"]["images"] == 5000 for check in checks)
    assert f"{checks[0]['test']['drop']:.2f} [{checks[0]['test']['interval'][0]:.2f}, " in first
    # Then the data are not needed any more.
    capsys.readouterr()
    again = write_report(folder, tmp_path / "b", tmp_path)
    assert again.read_text() == first.replace(str(tmp_path / "a"), str(tmp_path / "b"))
    assert "did not run" not in capsys.readouterr().out


def test_without_data_winners_are_not_checked(folder, tmp_path, capsys):
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("results.jsonl", "study.json"):
        (copy / name).write_bytes((folder / name).read_bytes())
    page = write_report(copy, tmp_path / "out", tmp_path).read_text()
    assert "LRMP-MLP-v0 did not run on the network: Expected" in capsys.readouterr().out
    assert "`LRMP_DATA=FOLDER lrmp study report DIR` checks them" in page
    # Digits brings its own images.
    records = {key.task: record for key, record in read_results(folder / "results.jsonl").items()}
    (digits,) = [task for task in records if "Digits" in task]
    row = next(line for line in page.splitlines() if line.startswith(f"| {digits} | "))
    assert row.split(" | ")[-1] != "not checked |"
    assert "no network at hand" in format_checks(
        {digits: records[digits]}, {digits: "no network at hand"}
    )


@pytest.fixture
def changed(folder, tmp_path):
    """The same study, had LRMP-MLP-v0 been another task, with another optimum, when it was run."""
    shutil.copytree(folder, tmp_path / "changed", ignore=shutil.ignore_patterns("runs"))
    optimum = stored_optimum("LRMP-MLP-v0")
    for name in ("results.jsonl", "optima.jsonl"):
        path = tmp_path / "changed" / name
        text = path.read_text().replace(optimum.task_fingerprint, "0" * 64)
        path.write_text(
            text.replace(f'"value": {optimum.value}', f'"value": {1.25 * optimum.value}')
        )
    return tmp_path / "changed"


def test_gaps_are_those_to_the_optimum_of_the_definition_that_was_played(folder, changed):
    optimum = stored_optimum("LRMP-MLP-v0").value
    before = Scores.read(folder).shares("random", "LRMP-MLP-v0", 20)
    scores = Scores.read(changed)
    assert len(scores.certified) == 3
    assert scores.optima["LRMP-MLP-v0"] == 1.25 * optimum
    assert scores.shares("random", "LRMP-MLP-v0", 20) == pytest.approx(before / 1.25)
    page = write_report(changed, changed, check=False).read_text()
    assert (
        "have changed since their runs:\n"
        f"LRMP-MLP-v0 (optimum {1.25 * optimum:.4f} then, {optimum:.4f} now).\n" in page
    )
    assert "Earlier definitions" not in write_report(folder, folder, check=False).read_text()


def test_without_its_optimum_a_changed_task_has_none(changed):
    (changed / "optima.jsonl").unlink()
    page = write_report(changed, changed, check=False).read_text()
    assert "have changed since their runs:\nLRMP-MLP-v0.\n" in page
    assert "## LRMP-MLP-v0\n\nNo optimum is certified" in (changed / "tasks.md").read_text()


def test_optima_that_cannot_be_read_are_refused(changed):
    path = changed / "optima.jsonl"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(
        StudyError, match=r"Expected an optimum a line in .*optima\.jsonl, as `lrmp"
    ):
        write_report(changed, changed, check=False)


def test_a_folder_without_records_is_refused(tmp_path):
    with pytest.raises(StudyError, match=r"Expected the folder of a study, with study\.json"):
        write_report(tmp_path, tmp_path)


def test_tables_for_papers_hold_the_gaps_of_the_report(folder, tmp_path):
    scores = Scores.read(folder).part(estimates=False)
    write_paper_tables(scores, tmp_path)
    rows = list(csv.DictReader((tmp_path / "gaps.csv").read_text("utf-8").splitlines()))
    random = {row["evaluations"]: row for row in rows if row["agent"] == "random"}
    assert list(random) == ["10", "20", "60"]
    assert random["60"]["seeds"] == "2"
    expected = 100 * (1 - interquartile_mean(scores.matrix("random", 60)))
    assert float(random["60"]["gap"]) == pytest.approx(expected, abs=1e-4)
    assert float(random["60"]["low"]) <= expected <= float(random["60"]["high"])
    latex = (tmp_path / "gaps.tex").read_text("utf-8")
    assert f"{expected:.2f}" in latex
    assert latex.count(r"\\") == 1 + len({row["agent"] for row in rows})
    assert latex.count(r"\textbf{") >= 3  # the best at every number of designs


def test_foreign_agents_stand_among_the_others_and_change_none_of_their_numbers(folder, tmp_path):
    copy = tmp_path / "guests"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("runs"))
    lines = [
        Record.of(
            evaluate(task, weight_bits=bits, activation_bits=bits),
            agent=agent,
            seed=seed,
            evaluated_designs=number,
            env_steps=0,
            wall_time_s=1.0,
        ).to_line()
        for agent, tasks in (
            ("guest", ["LRMP-MLP-v0", "LRMP-MLP-Throughput-v0"]),
            ("half", ["LRMP-MLP-v0"]),
        )
        for task in tasks
        for seed in (1, 2)
        for number, bits in ((1, 6), (60, 4))
    ]
    (tmp_path / "mine.jsonl").write_text("".join(lines))
    assert main(["study", "add", str(tmp_path / "mine.jsonl"), "--to", str(copy)]) == 0
    before, scores = Scores.read(folder), Scores.read(copy)
    assert scores.pool == ([*before.pool[0], "guest (foreign)"], before.pool[1])
    for agent in before.pool[0]:
        for count in before.report_at:
            mine, theirs = scores.matrix(agent, count), before.matrix(agent, count)
            assert (mine is None) == (theirs is None)
            assert mine is None or (mine == theirs).all()
    four = evaluate("LRMP-MLP-v0", weight_bits=4, activation_bits=4).score
    share = four / stored_optimum("LRMP-MLP-v0").value
    assert scores.shares("half (foreign)", "LRMP-MLP-v0", 60) == pytest.approx([share] * 2)
    assert scores.shares("half (foreign)", "LRMP-MLP-v0", 59) == pytest.approx(
        [evaluate("LRMP-MLP-v0", weight_bits=6, activation_bits=6).score * share / four] * 2
    )
    out = tmp_path / "docs" / "results" / "guests"
    page = write_report(copy, out, check=False).read_text()
    assert "23 of 23 runs are finished" in page
    assert "(all but genetic, half (foreign))" in page
    section = page.partition("## Foreign agents")[2]
    assert "| guest (foreign) | 4 | 2 | 60 | - | `" in section
    assert "| half (foreign) | 2 | 1 | 60 | - | `" in section
    times = page.partition("## Wall time")[2].partition("\n## ")[0]
    assert "(foreign)" not in times
    assert "guest (foreign) & " in (out / "gaps.tex").read_text()
    assert "| half (foreign) | " in (out / "tasks.md").read_text()
    assert "Foreign" not in write_report(folder, tmp_path / "none", check=False).read_text()
    # The copies of the records are enough to write it again.
    again = write_report(out, tmp_path / "docs" / "results" / "again", check=False)
    assert again.read_text() == page.replace(str(out), str(again.parent))


def test_an_agent_with_the_mark_is_refused_among_the_studys_own(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("runs"))
    text = (copy / "results.jsonl").read_text()
    (copy / "results.jsonl").write_text(text.replace('"random"', '"random (foreign)"', 1))
    with pytest.raises(StudyError, match=r"Expected agents marked \(foreign\) in .*foreign.jsonl"):
        Scores.read(copy)
