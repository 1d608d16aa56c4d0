import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lrmp.baselines.study.foreign import FOREIGN, add_foreign
from lrmp.cli import main
from lrmp.envs import Record, evaluate, load_task
from lrmp.errors import LRMPError, NoRecordsError, RecordError, StudyError
from lrmp.leaderboard import foreign_curve
from lrmp.leaderboard.foreign_curve import read_foreign_curves

TASK = "LRMP-MLP-v0"
#: Bits of the designs of a run; the third is beyond the allowed drop, the fifth no better.
BITS = (8, 6, 2, 5, 6, 4)


def outcome(bits):
    return evaluate(TASK, weight_bits=bits, activation_bits=bits)


def record(place, *, agent="mine", seed=1, bits=None):
    return Record.of(
        outcome(BITS[place] if bits is None else bits),
        agent=agent,
        seed=seed,
        evaluated_designs=place + 1,
        env_steps=3 * (place + 1),
        wall_time_s=0.5 * place,
    )


LINES = [record(place).to_line() for place in range(len(BITS))]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(LINES))
    return path


@pytest.fixture
def study(tmp_path):
    """The folder of a study with one finished run on the task."""
    folder = tmp_path / "study"
    folder.mkdir()
    own = {
        "task": TASK,
        "accuracy": "",
        "agent": "random",
        "evaluations": 6,
        "seed": 1,
        "task_fingerprint": load_task(TASK).fingerprint,
    }
    (folder / "results.jsonl").write_text(json.dumps(own) + "\n")
    return folder


def expected_curve():
    allowed, rows = load_task(TASK).allowed_drop, []
    for count, bits in enumerate(BITS, start=1):
        found = outcome(bits)
        if found.accuracy_drop <= allowed and (not rows or math.log(found.gain) > rows[-1][1]):
            rows.append([count, math.log(found.gain), found.gain, found.accuracy_drop])
    return rows


def same(curve, other):
    return len(curve) == len(other) and np.allclose(curve, other, rtol=1e-12, atol=0)


def test_a_curve_is_computed_again_from_the_designs(file):
    (found,) = read_foreign_curves([file])
    assert [row[0] for row in expected_curve()] == [1, 2, 4, 6]
    assert same(found["curve"], expected_curve())
    assert found["agent"] == "mine (foreign)"
    assert (found["evaluations"], found["evaluated_designs"]) == (6, 6)
    best = outcome(BITS[found["curve"][-1][0] - 1])
    assert found["claim"]["gain"] == best.gain
    assert found["design"] == best.design.to_json()
    assert len(found["foreign"]["file_sha256"]) == 64


def test_designs_that_are_no_better_may_be_missing(file):
    (whole,) = read_foreign_curves([file])
    kept = {row[0] for row in whole["curve"]} | {len(BITS)}
    file.write_text("".join(LINES[count - 1] for count in sorted(kept)))
    (short,) = read_foreign_curves([file])
    assert short["curve"] == whole["curve"]
    assert short["evaluated_designs"] == whole["evaluated_designs"]


def test_a_run_without_a_design_within_the_allowed_drop(file):
    bits = [2, 2, 2], [2, 2, 3]
    file.write_text("".join(record(place, bits=bits[place]).to_line() for place in (0, 1)))
    (found,) = read_foreign_curves([file])
    drops = [outcome(each).accuracy_drop for each in bits]
    assert min(drops) > load_task(TASK).allowed_drop
    assert found["curve"] == []
    assert found["claim"]["score"] is None
    assert found["claim"]["accuracy_drop"] == min(drops)


def test_several_runs_in_several_files(tmp_path, file):
    other = tmp_path / "other.jsonl"
    other.write_text("".join(record(place, seed=2).to_line() for place in range(6)))
    found = read_foreign_curves([file, other], agent="renamed")
    assert [(each["agent"], each["seed"]) for each in found] == [
        ("renamed (foreign)", 1),
        ("renamed (foreign)", 2),
    ]
    assert found[0]["foreign"]["file_sha256"] != found[1]["foreign"]["file_sha256"]


def changed(place, **fields):
    document = json.loads(LINES[place])
    for name, value in fields.items():
        where, _, last = name.rpartition("__")
        (document[where] if where else document)[last] = value
    return json.dumps(document) + "\n"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "to hold at least one record, got an empty file"),
        (["\n"], "line 1: expected one JSON object, got 'Expecting value'"),
        (["[1]\n"], "line 1: "),
        ([LINES[0], "{"], "line 2: expected one JSON object"),
        (["[" * 5000 + "]" * 5000 + "\n"], "line 1: expected at most 8 nested levels"),
        ([LINES[0].replace('"seed": 1', '"seed": NaN')], "expected finite numbers, got NaN"),
        ([LINES[0].replace('"seed": 1', f'"seed": {"9" * 30}')], "at most 20 digits"),
        ([changed(0, extra=1)], "line 1: "),
        ([changed(0, agent="a b")], "line 1: "),
        ([changed(0, task="LRMP-Nothing-v0")], "expected task to be one of"),
        ([changed(0, task_fingerprint="0" * 64)], "expected task_fingerprint"),
        ([changed(1, claim__gain=99.0)], "line 1: expected gain "),
        ([changed(2, claim__score=1.0)], "line 1: expected score null, got 1.0"),
        ([changed(1, claim__accuracy_drop=0.0)], "expected accuracy_drop"),
        ([changed(1, design__weight_bits=[2, 2, 2])], "line 1: expected "),
        ([changed(1, design__weight_bits=[7, 7])], "line 1: expected"),
        ([changed(1, design__replication=[10**6, 1, 1])], "expected a design of at most"),
        ([LINES[0], LINES[0]], "line 2: expected evaluated_designs to rise along a run, got 1"),
        ([LINES[1], LINES[0]], "line 2: expected evaluated_designs to rise"),
        (
            [*LINES, record(0, seed=2).to_line()],
            "Expected all seeds of mine on LRMP-MLP-v0 to end after as many designs, got 6 of",
        ),
        ([" " * foreign_curve.MAX_LINE_BYTES + LINES[0]], "line 1: expected at most 65536 bytes"),
    ],
)
def test_what_is_wrong_is_refused_by_name(file, study, capsys, lines, message):
    file.write_text("".join(lines))
    with pytest.raises(RecordError) as raised:
        read_foreign_curves([file])
    assert message in str(raised.value)
    assert main(["study", "add", str(file), "--to", str(study)]) == 1
    assert message[:40] in capsys.readouterr().err
    assert [path.name for path in study.iterdir()] == ["results.jsonl"]


def test_copies_must_be_the_best_where_a_curve_rises(file):
    task, best = load_task("LRMP-LeNet-v0"), evaluate("LRMP-LeNet-v0", weight_bits=4)
    worse = replace(best.design, replication=np.ones_like(best.design.replication))
    report = task.cost_model.evaluate(worse)
    gain = task.cost_model.baseline.latency_cycles / report.latency_cycles
    claim = {
        "gain": gain,
        "score": math.log(gain),
        "latency_cycles": report.latency_cycles,
        "bottleneck_cycles": report.bottleneck_cycles,
        "tiles": report.tiles,
    }
    assert gain < best.gain
    assert best.accuracy_drop <= task.allowed_drop
    counts = {"agent": "a", "seed": 0, "evaluated_designs": 1, "env_steps": 0, "wall_time_s": 0}
    document = json.loads(Record.of(best, **counts).to_line())
    document["design"]["replication"] = worse.replication.tolist()
    document["claim"] |= claim
    file.write_text(json.dumps(document) + "\n")
    with pytest.raises(RecordError, match="expected the optimal copies for these settings"):
        read_foreign_curves([file])


def test_limits_hold_before_any_work(file, monkeypatch, tmp_path):
    monkeypatch.setattr(foreign_curve, "MAX_LINES", 5)
    with pytest.raises(RecordError, match="of at most 5 lines"):
        read_foreign_curves([file])
    monkeypatch.setattr(foreign_curve, "MAX_RISES", 1)
    with pytest.raises(RecordError, match="expected at most 1 designs better than those before"):
        read_foreign_curves([file])
    monkeypatch.setattr(foreign_curve, "MAX_BYTES", 100)
    monkeypatch.setattr(foreign_curve, "parse_record", lambda *_: 1 / 0)
    with pytest.raises(NoRecordsError, match="Expected a file of at most 100 bytes"):
        read_foreign_curves([file])
    with pytest.raises(NoRecordsError, match="is a directory"):
        read_foreign_curves([tmp_path])


def test_not_utf_8(file):
    file.write_bytes(b"\xff\n")
    with pytest.raises(RecordError, match="line 1: expected UTF-8"):
        read_foreign_curves([file])


def test_the_study_must_have_played_the_task_so(file, study):
    (found,) = read_foreign_curves([file])
    with pytest.raises(StudyError, match=r"Expected a task of the study in .*; got LRMP-LeNet-v0"):
        add_foreign(study, [found | {"task": "LRMP-LeNet-v0"}])
    with pytest.raises(StudyError, match="as the study played it, with task_fingerprint"):
        add_foreign(study, [found | {"task_fingerprint": "0" * 64}])
    with pytest.raises(StudyError, match="Expected a study with finished runs in"):
        add_foreign(study.parent / "none", [found])
    add_foreign(study, [found], dry_run=True)
    assert not (study / FOREIGN).exists()
    add_foreign(study, [found])
    before = (study / FOREIGN).read_bytes()
    with pytest.raises(StudyError, match=r"Expected a run that is not in .*foreign.jsonl yet, got"):
        add_foreign(study, [found | {"seed": 2}, found])
    assert (study / FOREIGN).read_bytes() == before  # not even the first of them


def test_study_add_goes_to_the_only_study(file, study, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["study", "add", str(file)]) == 2
    assert "Expected --to DIR, the folder of a study; there are none" in capsys.readouterr().err
    home = tmp_path / "runs" / "studies" / "some"
    home.parent.mkdir(parents=True)
    study.rename(home)
    (home / "study.json").write_text("{}")
    assert main(["study", "add", str(file), "--dry-run"]) == 0
    assert not (home / FOREIGN).exists()
    assert main(["study", "add", str(file), "--agent", "team-x"]) == 0
    printed = capsys.readouterr().out
    assert "team-x (foreign) on LRMP-MLP-v0, seed 1: 6 designs, score" in printed
    assert "next: lrmp study report" in printed
    assert len((home / FOREIGN).read_text().splitlines()) == 1


def truth_of(lines):
    """Compute the curve of a file from its designs alone, another way."""
    allowed, runs = load_task(TASK).allowed_drop, {}
    for line in lines:
        document = json.loads(line)
        bits = {name: v for name, v in document["design"].items() if name != "replication"}
        found = evaluate(TASK, **bits)
        rows = runs.setdefault((document["agent"], document["seed"]), [])
        score = math.log(found.gain)
        if found.accuracy_drop <= allowed and (not rows or score > rows[-1][1]):
            rows.append([document["evaluated_designs"], score, found.gain, found.accuracy_drop])
    return list(runs.values())


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**19),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(0, 9), max_size=4),
    st.just({}),
)


@st.composite
def mutated(draw):
    """A file in which something, somewhere, was changed."""
    lines = list(LINES)
    match draw(st.sampled_from(["value", "byte", "order", "drop", "claim"])):
        case "value":
            place = draw(st.integers(0, len(lines) - 1))
            document = json.loads(lines[place])
            part = draw(st.sampled_from([document, document["claim"], document["design"]]))
            part[draw(st.sampled_from(sorted(part)))] = draw(values)
            lines[place] = json.dumps(document) + "\n"
        case "claim":  # a small lie in a number
            place = draw(st.integers(0, len(lines) - 1))
            document = json.loads(lines[place])
            name = draw(st.sampled_from(sorted(document["claim"])))
            if document["claim"][name] is not None:
                document["claim"][name] *= 1 + draw(st.sampled_from([-1e-3, 1e-6, 1e-3]))
            lines[place] = json.dumps(document) + "\n"
        case "byte":
            content = "".join(lines)
            place = draw(st.integers(0, len(content) - 1))
            instead = draw(st.sampled_from(["", "0", "9", '"', "}", ",", "\n", "e", "-"]))
            return content[:place] + instead + content[place + 1 :]
        case "order":
            lines = list(draw(st.permutations(lines)))
        case "drop":
            del lines[draw(st.integers(0, len(lines) - 1))]
    return "".join(lines)


@pytest.mark.long
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(content=mutated())
def test_nothing_wrong_is_accepted_and_nothing_half_written(file, study, content):
    """What is accepted is what the designs themselves say; what is refused leaves no trace."""
    (study / FOREIGN).write_text("")
    file.write_text(content)
    try:
        found = read_foreign_curves([file])
        add_foreign(study, found)
    except LRMPError:
        assert (study / FOREIGN).read_text() == ""
        return
    expected = truth_of(content.splitlines())
    assert len(found) == len(expected)
    assert all(same(each["curve"], rows) for each, rows in zip(found, expected, strict=True))
    kept = [json.loads(line) for line in (study / FOREIGN).read_text().splitlines()]
    assert [each["curve"] for each in kept] == [each["curve"] for each in found]
