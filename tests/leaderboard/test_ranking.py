import json
import math
from dataclasses import replace

import pytest

from lrmp.envs import load_task, stored_optimum
from lrmp.envs.scoring.reward import SCORE_FORMULA
from lrmp.leaderboard import Entry, Store, format_ranking, rank, to_json
from lrmp.leaderboard.entry import handed_in_here, replayed
from lrmp.leaderboard.log.item import Item, canonical


@pytest.fixture
def entry(digits_replay):
    def make(number, score, agent="a", seed=None, gain=2.0, bits=None, **changes):
        told = {
            name: changes.pop(name)
            for name in ("accuracy_kind", "accuracy_is_estimate", "test_accuracy_drop")
            if name in changes
        }
        if bits is not None:  # as a mark that tells designs apart
            design = digits_replay.record.design | {"weight_bits": [bits] * 5}
            changes["design"] = design
        record = replace(
            digits_replay.record, agent=agent, seed=number if seed is None else seed, **changes
        )
        claim = replace(digits_replay.claim, score=score, gain=gain)
        body = handed_in_here(record, "2025-01-01T00:00:00.000000Z")
        body |= replayed(replace(digits_replay, record=record, claim=claim, **told))
        item = Item(number, "design", "2025-01-01T00:00:00.000000Z", canonical(body), *"pcks")
        names = ("test_accuracy_drop", "accuracy", "lower_bound", "sha256", "submitted_at")
        values = {name: body[name] for name in (*names, "replayed_with")}
        return Entry(item, record, claim, **values)

    return make


def order(ranking):
    return [(d.place, d.number, d.agent, d.score) for d in ranking.designs]


def test_designs_are_ranked_not_agents(entry):
    lucky = [entry(i, s, "lucky") for i, s in enumerate([0.9, 0.1, 0.2], 1)]
    steady = [entry(i, s, "steady") for i, s in enumerate([0.5, 0.6], 4)]
    (ranking,) = rank(lucky + steady)
    assert order(ranking) == [
        (1, 1, "lucky", 0.9),
        (2, 5, "steady", 0.6),
        (3, 4, "steady", 0.5),
        (4, 3, "lucky", 0.2),
        (5, 2, "lucky", 0.1),
    ]
    assert (ranking.total, ranking.as_of) == (5, 5)


def test_negative_scores_rank_below_the_baseline(entry):
    entries = [entry(1, -0.5, "worse"), entry(2, 0.0, "baseline"), entry(3, 0.5, "better")]
    (ranking,) = rank(entries)
    assert [d.agent for d in ranking.designs] == ["better", "baseline", "worse"]


def test_a_design_without_a_score_comes_last_however_much_it_gains(entry):
    entries = [
        entry(1, -0.5, "worse"),
        entry(2, None, "bold", gain=9.0),
        entry(3, 0.0, "plain"),
        entry(4, 0.1, "better"),
        entry(5, None, "bolder", gain=99.0),
    ]
    (ranking,) = rank(entries)
    assert order(ranking) == [
        (1, 4, "better", 0.1),
        (2, 3, "plain", 0.0),
        (3, 1, "worse", -0.5),
        (4, 2, "bold", None),
        (5, 5, "bolder", None),
    ]
    document = to_json([ranking])
    row = format_ranking(document["rankings"]).splitlines()[-2].split()
    assert row[:5] == ["4", "bold", "-", "-", "9.000x"]
    document = json.loads(json.dumps(document, allow_nan=False))
    assert document["rankings"][0]["designs"][3]["score"] is None


def test_of_equal_scores_the_first_in_the_log_ranks_higher(entry):
    entries = [entry(1, 0.4, "late"), entry(2, 0.5, "early"), entry(3, 0.5, "late")]
    (ranking,) = rank(entries)
    assert [d.number for d in ranking.designs] == [2, 3, 1]


def test_equal_settings_are_known_as_the_first_of_them(entry):
    entries = [
        entry(1, 0.2, "x", bits=5),
        entry(2, 0.9, "y", bits=6),
        entry(3, 0.9, "z", bits=6),
        entry(4, 0.2, "z", bits=5),
    ]
    (ranking,) = rank(entries)
    known = [(d.number, d.known_as) for d in ranking.designs]
    assert known == [(2, None), (3, 2), (1, None), (4, 1)]
    last = format_ranking(to_json([ranking])["rankings"]).splitlines()[-4:]
    assert [line.split()[-1] for line in last] == ["new", "#2", "new", "#1"]


def test_the_certified_optimum_is_the_reference_row_and_known(entry):
    task, optimum = load_task("LRMP-Digits-v0"), stored_optimum("LRMP-Digits-v0")
    entries = [entry(1, optimum.value, "copy", design=optimum.design.to_json()), entry(2, 0.5)]
    (ranking,) = rank(entries)
    assert ranking.reference.value == optimum.value
    assert ranking.reference.bound == optimum.bound
    assert [(d.known_as, d.gap) for d in ranking.designs] == [
        (0, 0.0),
        (None, pytest.approx(math.exp(optimum.value - 0.5) - 1)),
    ]
    rows = format_ranking(to_json([ranking])["rankings"]).splitlines()[-3:]
    assert rows[0].split() == ["-", "(certified", "optimum)", f"{optimum.value:.4f}", "0", "%"]
    assert rows[1].split()[-1] == "optimum"
    assert task.fingerprint == ranking.fingerprint


def test_tasks_are_ranked_apart(entry):
    resnet = load_task("LRMP-ResNet18-v0")
    entries = [
        entry(1, 0.1, "x", trained_on="other-tasks"),
        entry(2, 0.9, "y"),
        entry(3, 0.3, "x", task=resnet.id, task_fingerprint=resnet.fingerprint),
    ]
    digits, other = rank(entries)
    assert (digits.task, order(digits)) == (
        "LRMP-Digits-v0",
        [(1, 2, "y", 0.9), (2, 1, "x", 0.1)],
    )
    assert (other.task, order(other)) == ("LRMP-ResNet18-v0", [(1, 3, "x", 0.3)])


def test_another_definition_of_a_task_is_never_ranked_with_todays(entry):
    entries = [
        entry(1, 9.0, "older", task_fingerprint="0" * 64),
        entry(2, 0.5, "today"),
        entry(3, 8.0, "today", task_fingerprint="0" * 64),
        entry(4, 6.0, "gone", task="LRMP-Gone-v7", task_fingerprint="2" * 64),
        entry(5, 5.0, "oldest", task_fingerprint="1" * 64),
    ]
    found = rank(entries)
    assert [(r.task, r.is_current, [d.agent for d in r.designs]) for r in found] == [
        ("LRMP-Digits-v0", True, ["today"]),
        ("LRMP-Digits-v0", False, ["older", "today"]),
        ("LRMP-Digits-v0", False, ["oldest"]),
        ("LRMP-Gone-v7", False, ["gone"]),
    ]
    assert [r.fingerprint[:1] for r in found[1:3]] == ["0", "1"]
    assert [r.reference is None for r in found] == [False, True, True, True]
    assert {d.gap for r in found[1:] for d in r.designs} == {None}
    blocks = format_ranking(to_json(found)["rankings"]).split("\n\n")[1:]
    assert blocks[0].splitlines()[0] == "LRMP-Digits-v0: 1 design"
    assert blocks[1].splitlines()[0] == (
        "LRMP-Digits-v0: 2 designs, under another definition of the task than today's: fingerprint "
        "0000000000000000..., not comparable"
    )
    assert len(blocks) == 4


def test_the_text_holds_no_control_characters(entry):
    found = rank([entry(1, 0.5, "\x1b[31mred\u202e")])
    assert r"\x1b[31mred\u202e" in format_ranking(to_json(found)["rankings"])


def test_the_recomputed_score_ranks(entry):
    claims_more = entry(1, 0.5).record.claim
    (ranking,) = rank([entry(1, 0.5, claim=replace(claims_more, score=9.0))])
    assert ranking.designs[0].score == 0.5


@pytest.mark.parametrize(
    ("kind", "is_estimate", "label"),
    [("network", False, "network"), ("table", True, "table (estimate)"), ("table", False, "table")],
)
def test_an_estimate_is_labelled(entry, kind, is_estimate, label):
    found = rank([entry(1, 0.5, accuracy_kind=kind, accuracy_is_estimate=is_estimate)])
    assert found[0].designs[0].accuracy == label
    assert found[0].is_estimate == is_estimate
    assert label in format_ranking(to_json(found)["rankings"])


def test_estimates_are_ranked_apart_behind_what_is_measured(entry):
    definition = {"task_fingerprint": "3" * 64}
    guessed = {"accuracy_kind": "table", "accuracy_is_estimate": True}
    estimate = entry(1, 9.0, "best", task="LRMP-Gone-v0", **definition, **guessed)
    found = rank([estimate, entry(2, 0.5, "measured", task="LRMP-Other-v0")])
    assert [(r.task, r.is_estimate) for r in found] == [
        ("LRMP-Other-v0", False),
        ("LRMP-Gone-v0", True),
    ]
    text = format_ranking(to_json(found)["rankings"])
    _, measured, heading, apart = text.split("\n\n")
    assert measured.startswith("LRMP-Other-v0: ")
    assert heading == "Estimates: the accuracy of these tasks was not measured on their networks"
    assert apart.startswith("LRMP-Gone-v0: ")


def test_the_text_shows_formula_heading_and_aligned_columns(entry):
    found = rank([entry(1, 0.5, "searcher"), entry(3, 0.25, "general", test_accuracy_drop=None)])
    text = format_ranking(to_json(found)["rankings"])
    assert text.startswith(
        "score of a design = ln(gain) of a design within the allowed drop; none for others\n"
        "gap: in what the task minimises, to the certified optimum; drops in percentage points\n"
    )
    title, header, reference, first, second = text.split("\n\n")[1].splitlines()
    assert title == "LRMP-Digits-v0: 2 designs"
    assert " ".join(header.split()) == (
        "place agent score gap gain drop test drop on the network accuracy known as"
    )
    gap = f"{100 * (math.exp(stored_optimum('LRMP-Digits-v0').value - 0.5) - 1):+.2f}"
    assert first.split()[:6] == ["1", "searcher", "0.5000", gap, "%", "2.000x"]
    assert first.split()[-2:] == ["network", "new"]
    assert first.index("searcher") == header.index("agent") == reference.index("(certified")
    assert first.index("0.5000") + 6 == header.index("score") + 5
    assert second.split()[-3:] == ["-", "network", "#1"]


def test_the_formula_shown_is_that_of_the_environment():
    assert to_json([])["design_score"] == f"score of a design = {SCORE_FORMULA}"


def test_the_json_form_holds_every_row(entry):
    found = rank([entry(1, 0.5, "a"), entry(2, 0.7, "b")])
    (document,) = json.loads(json.dumps(to_json(found), allow_nan=False))["rankings"]
    assert [d["agent"] for d in document["designs"]] == ["b", "a"]
    assert document["designs"][0] == vars(found[0].designs[0])
    assert document["reference"] == vars(found[0].reference)
    assert document["accuracy_misses"] == []


def test_no_entries_give_no_table():
    assert rank([]) == []
    assert format_ranking([]).endswith(
        "\n\nNo entries yet: `lrmp demo` makes some; `lrmp submit RUN` adds a run."
    )


def test_stored_records_are_ranked(tmp_path, digits_replay):
    store = Store(tmp_path / "store.sqlite")
    store.add([digits_replay])
    (design,) = rank(store.entries())[0].designs
    assert design.agent == digits_replay.record.agent
    assert design.score == digits_replay.claim.score
    assert design.accuracy_drop == digits_replay.claim.accuracy_drop
    assert design.test_accuracy_drop == digits_replay.test_accuracy_drop
    assert design.submission == store.entries()[0].sha256[:24]
