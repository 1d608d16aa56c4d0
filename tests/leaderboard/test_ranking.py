import json
import math
from dataclasses import replace

import pytest

from lrmp.envs import load_task, stored_optimum
from lrmp.envs.scoring.reward import SCORE_FORMULA
from lrmp.leaderboard import Entry, Store, format_ranking, rank, to_json


@pytest.fixture
def entry(digits_replay):
    def make(number, score, agent="a", seed=None, designs=100, gain=2.0, **changes):
        record = replace(
            digits_replay.record,
            agent=agent,
            seed=number if seed is None else seed,
            evaluated_designs=designs,
            **changes,
        )
        claim = replace(digits_replay.claim, score=score, gain=gain)
        replayed = replace(digits_replay, record=record, claim=claim)
        return Entry(number, replayed, f"hash-{number}", "2025-01-01T00:00:00+00:00", "0.1.0")

    return make


@pytest.mark.parametrize(
    ("scores", "score"),
    [
        ([0.5], 0.5),
        ([0.5, 0.7], 0.6),
        ([0.1, 0.2, 0.9], 0.4),
        ([10.0, 0.2, 0.3, -5.0], 0.25),  # without the best and the worst
        ([1.0, 2.0, 3.0, 4.0, 100.0], 3.0),
        ([8.0, 1.0, 2.0, 7.0, 3.0, 6.0, 4.0, 5.0], 4.5),  # the middle four: 3, 4, 5, 6
    ],
)
def test_the_score_is_the_interquartile_mean_of_the_seeds(entry, scores, score):
    ranked = rank([entry(i, s) for i, s in enumerate(scores, 1)])
    assert len(ranked) == 1
    assert ranked[0].score == pytest.approx(score, abs=1e-15)
    assert ranked[0].seeds == len(scores)
    assert ranked[0].best_score == max(scores)


def test_agents_are_ranked_by_all_seeds_not_by_the_best(entry):
    lucky = [entry(i, r, "lucky") for i, r in enumerate([9.0, 0.1, 0.1, 0.1], 1)]
    steady = [entry(i, r, "steady") for i, r in enumerate([0.5, 0.5, 0.5, 0.5], 5)]
    ranked = rank(lucky + steady)
    assert [(a.rank, a.agent, a.score, a.best_score) for a in ranked] == [
        (1, "steady", 0.5, 0.5),
        (2, "lucky", pytest.approx(0.1), 9.0),
    ]


def test_negative_scores_rank_below_the_baseline(entry):
    entries = [entry(1, -0.5, "worse"), entry(2, 0.0, "baseline"), entry(3, 0.5, "better")]
    assert [a.agent for a in rank(entries)] == ["better", "baseline", "worse"]


@pytest.mark.parametrize(
    ("scores", "score"),
    [
        ([None], 0.0),
        ([None, None, None], 0.0),
        ([None, 0.6], 0.3),
        ([None, 0.2, 0.3, 1.0], 0.25),  # without the best and the worst
        ([None, -0.5, -0.3, 0.1], -0.15),  # no score is as good as the plain design
    ],
)
def test_a_seed_without_a_score_counts_as_the_plain_design(entry, scores, score):
    (ranked,) = rank([entry(i, s) for i, s in enumerate(scores, 1)])
    assert ranked.score == pytest.approx(score, abs=1e-15)
    assert ranked.best_score == max((s for s in scores if s is not None), default=None)


def test_an_agent_without_a_score_ranks_with_the_plain_design(entry):
    entries = [
        entry(1, -0.5, "worse"),
        entry(2, None, "bold", gain=9.0),
        entry(3, 0.0, "plain"),
        entry(4, 0.1, "better"),
    ]
    ranked = rank(entries)
    assert [(a.agent, a.score, a.best_score) for a in ranked] == [
        ("better", 0.1, 0.1),
        ("bold", 0.0, None),
        ("plain", 0.0, 0.0),
        ("worse", -0.5, -0.5),
    ]
    row = format_ranking(ranked).splitlines()[-3].split()
    assert row[:7] == ["2", "bold", "0.0000", "1", "-", "-", "9.000x"]
    document = json.loads(json.dumps(to_json(ranked), allow_nan=False))
    assert document["agents"][1]["best_score"] is None


def test_the_best_design_is_one_with_a_score(entry):
    entries = [entry(1, None, gain=9.0), entry(2, -0.5, gain=0.6), entry(3, None, gain=8.0)]
    (agent,) = rank(entries)
    assert (agent.best_score, agent.best_gain, agent.best_sha256) == (-0.5, 0.6, "hash-2")


def test_of_equal_scores_the_one_complete_first_ranks_higher(entry):
    entries = [
        entry(1, 0.4, "late", seed=0),
        entry(2, 0.5, "early", seed=0),
        entry(3, 0.6, "late", seed=1),
    ]
    assert [a.score for a in rank(entries)] == [0.5, 0.5]
    assert [a.agent for a in rank(entries)] == ["early", "late"]
    assert rank(entries[::-1]) == rank(entries)


def test_the_row_describes_the_best_design(entry, digits_replay):
    entries = [
        entry(1, 0.2, gain=9.0, designs=700, code="https://example.org/old"),
        entry(2, 0.8, gain=3.0, designs=200, code="https://example.org/new"),
        entry(3, 0.8, gain=4.0, designs=100),
    ]
    agent = rank(entries)[0]
    assert (agent.best_score, agent.best_gain, agent.best_sha256) == (0.8, 3.0, "hash-2")
    assert agent.best_accuracy_drop == digits_replay.claim.accuracy_drop
    assert agent.best_test_accuracy_drop == digits_replay.test_accuracy_drop
    assert agent.evaluated_designs == 700
    assert agent.code == "https://example.org/new"


def test_tasks_and_kinds_of_training_are_ranked_apart(entry):
    resnet = load_task("LRMP-ResNet18-v0")
    entries = [
        entry(1, 0.1, "x", trained_on="other-tasks"),
        entry(2, 0.9, "y"),
        entry(3, 0.3, "x", task=resnet.id, task_fingerprint=resnet.fingerprint),
        entry(4, 0.2, "z", trained_on="other-tasks"),
        entry(5, 0.5, "x"),
    ]
    assert [(a.task, a.trained_on, a.rank, a.agent) for a in rank(entries)] == [
        ("LRMP-Digits-v0", "this-task", 1, "y"),
        ("LRMP-Digits-v0", "this-task", 2, "x"),
        ("LRMP-Digits-v0", "other-tasks", 1, "z"),
        ("LRMP-Digits-v0", "other-tasks", 2, "x"),
        ("LRMP-ResNet18-v0", "this-task", 1, "x"),
    ]


def test_another_definition_of_a_task_is_never_ranked_with_todays(entry):
    entries = [
        entry(1, 9.0, "older", task_fingerprint="0" * 64),
        entry(2, 0.5, "today"),
        entry(3, 8.0, "today", task_fingerprint="0" * 64),
        entry(4, 7.0, "older", task_fingerprint="0" * 64, trained_on="other-tasks"),
        entry(5, 6.0, "gone", task="LRMP-Gone-v7"),
        entry(6, 5.0, "oldest", task_fingerprint="1" * 64),
    ]
    ranked = rank(entries)
    assert [(a.task, a.is_current, a.rank, a.agent, a.seeds) for a in ranked] == [
        ("LRMP-Digits-v0", True, 1, "today", 1),
        ("LRMP-Digits-v0", False, 1, "older", 1),
        ("LRMP-Digits-v0", False, 2, "today", 1),
        ("LRMP-Digits-v0", False, 1, "older", 1),
        ("LRMP-Digits-v0", False, 1, "oldest", 1),
        ("LRMP-Gone-v7", False, 1, "gone", 1),
    ]
    assert [a.task_fingerprint[:1] for a in ranked[1:5]] == ["0", "0", "0", "1"]
    blocks = format_ranking(ranked).split("\n\n")[1:]
    title = "LRMP-Digits-v0: search per instance (trained on this task)"
    assert blocks[0].splitlines()[0] == title
    assert blocks[1].splitlines()[0] == (
        f"{title}, under another definition of the task than this lrmp's: fingerprint "
        "0000000000000000..., not comparable"
    )
    assert len(blocks) == 5


def test_the_text_holds_no_control_characters(entry):
    ranked = rank([entry(1, 0.5, "\x1b[31mred\u202e")])
    assert r"\x1b[31mred\u202e" in format_ranking(ranked)


def test_the_recomputed_score_ranks(entry):
    honest = entry(1, 0.5)
    claims_more = replace(honest.replay.record, claim=replace(honest.replay.claim, score=9.0))
    tampered = replace(honest, replay=replace(honest.replay, record=claims_more))
    assert rank([tampered])[0].score == 0.5


@pytest.mark.parametrize(
    ("kind", "is_estimate", "label"),
    [("network", False, "network"), ("table", True, "table (estimate)"), ("table", False, "table")],
)
def test_an_estimate_is_labelled(entry, kind, is_estimate, label):
    e = entry(1, 0.5)
    e = replace(e, replay=replace(e.replay, accuracy_kind=kind, accuracy_is_estimate=is_estimate))
    ranked = rank([e])
    assert ranked[0].accuracy == label
    assert label in format_ranking(ranked)


def test_estimates_are_ranked_apart_behind_what_is_measured(entry):
    estimate = entry(1, 9.0, "best", task="LRMP-Gone-v0")
    estimate = replace(estimate, replay=replace(estimate.replay, accuracy_is_estimate=True))
    ranked = rank([estimate, entry(2, 0.5, "measured", task="LRMP-Other-v0")])
    assert [(a.rank, a.agent, a.accuracy_is_estimate) for a in ranked] == [
        (1, "measured", False),
        (1, "best", True),
    ]
    _, measured, heading, apart = format_ranking(ranked).split("\n\n")
    assert measured.startswith("LRMP-Other-v0: ")
    assert heading == "Estimates: the accuracy of these tasks was not measured on their networks"
    assert apart.startswith("LRMP-Gone-v0: ")
    document = to_json(ranked)
    assert [a["agent"] for a in document["agents"]] == ["measured"]
    assert [a["agent"] for a in document["agents_on_estimates"]] == ["best"]


def test_the_text_shows_formula_heading_and_aligned_columns(entry):
    e = entry(3, 0.25, "generalist", trained_on="other-tasks", designs=12345)
    e = replace(e, replay=replace(e.replay, test_accuracy_drop=None))
    text = format_ranking(rank([entry(1, 0.5, "searcher", code="https://a.org"), e]))
    assert text.startswith(
        "score of a design = ln(gain) of a design within the allowed drop; none for others\n"
        "score of an agent = interquartile mean over its seeds; a seed without a score counts as 0"
    )
    first, second = text.split("\n\n")[1:]
    title, header, row = first.splitlines()
    assert title == "LRMP-Digits-v0: search per instance (trained on this task)"
    assert " ".join(header.split()) == (
        "rank agent score seeds best score gap gain drop test drop designs accuracy code"
    )
    gap = f"{100 * (math.exp(stored_optimum('LRMP-Digits-v0').value - 0.5) - 1):+.2f}"
    assert row.split()[:8] == ["1", "searcher", "0.5000", "1", "0.5000", gap, "%", "2.000x"]
    assert row.split()[-3:] == ["100", "network", "yes"]
    assert row.index("searcher") == header.index("agent")
    assert row.index("100") + 3 == header.index("designs") + 7
    assert "LRMP-Digits-v0: generalising (trained on other tasks)" in second
    assert second.splitlines()[2].split()[-4:] == ["-", "12345", "network", "-"]


def test_the_formula_shown_is_that_of_the_environment():
    assert to_json([])["design_score"] == f"score of a design = {SCORE_FORMULA}"


def test_the_json_form_holds_every_row(entry):
    ranked = rank([entry(1, 0.5, "a"), entry(2, 0.7, "b")])
    document = json.loads(json.dumps(to_json(ranked), allow_nan=False))
    assert [a["agent"] for a in document["agents"]] == ["b", "a"]
    assert document["agents"][0] == vars(ranked[0])
    assert "interquartile mean" in document["agent_score"]


def test_no_entries_give_no_table():
    assert rank([]) == []
    assert format_ranking([]).endswith(
        "\n\nNo entries yet: `lrmp demo` makes some; `lrmp submit RUN` adds a run."
    )


def test_stored_records_are_ranked(tmp_path, digits_replay):
    store = Store(tmp_path / "store.sqlite")
    store.add([digits_replay])
    agent = rank(store.entries())[0]
    assert agent.agent == digits_replay.record.agent
    assert agent.score == agent.best_score == digits_replay.claim.score
    assert agent.best_sha256 == store.entries()[0].sha256
