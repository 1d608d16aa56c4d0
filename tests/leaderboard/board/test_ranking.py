"""Ranks and scores by hand."""

import math

import pytest

from lrmp.envs.procedural.generator import draw_task, split_of
from lrmp.leaderboard.board.instances import instance_seed, instance_task
from lrmp.leaderboard.board.ranking import rank_agents
from lrmp.leaderboard.board.tracks import is_bounded, scores_at
from lrmp.leaderboard.gap import design_gap


def test_overlapping_intervals_share_a_rank():
    scores = {
        "a/first@1": [0.9] * 10,
        "a/second@1": [0.8] * 10,
        "a/wide@1": [0.5, 1.0] * 5,  # reaches over both
        "a/last@1": [0.1] * 10,
        "a/few@1": [1.0] * 9,
    }
    ranked = rank_agents(scores, dict.fromkeys(scores, 9), dict.fromkeys(scores, 2))
    assert [(row.agent, row.rank) for row in ranked] == [
        ("a/first@1", 1),
        ("a/wide@1", 1),
        ("a/second@1", 2),
        ("a/last@1", 4),
        ("a/few@1", None),
    ]
    first = ranked[0]
    assert (first.finished, first.bounded) == (9, 2)
    assert (first.score, first.low, first.high) == pytest.approx((0.9, 0.9, 0.9))


@pytest.mark.parametrize(
    ("track", "scores", "optimum", "expected"),
    [
        ("search", [None, 0.5, 0.25, 1.0], 2.0, {"100": 0.5, "600": 0.5, "1000": 0.5}),
        ("search", [0.5] * 100 + [1.0] * 500 + [2.0], 2.0, {"100": 0.25, "600": 0.5, "1000": 1.0}),
        ("search", [], 2.0, {"100": 0.0, "600": 0.0, "1000": 0.0}),
        ("search", [-1.0, None], 2.0, {"100": 0.0, "600": 0.0, "1000": 0.0}),
        ("zero-shot", [0.5, 2.0], 2.0, {"1": 0.25}),
        ("zero-shot", [None], 0.0, {"1": 1.0}),
    ],
)
def test_a_run_is_scored_by_its_best_design_so_far(track, scores, optimum, expected):
    proven = {"value": optimum, "bound": optimum + 1e-13}
    assert not is_bounded(**proven)
    assert scores_at(track, scores, proven) == expected


def test_where_the_optimum_is_not_proven_the_bound_measures():
    bounded = {"value": 1.0, "bound": 1.25}
    assert is_bounded(**bounded)
    assert not is_bounded(None, None)  # of a run that is open
    assert scores_at("search", [1.0], bounded)["100"] == 0.8
    assert scores_at("zero-shot", [0.0], {"value": 0.0, "bound": 0.5}) == {"1": 0.0}


def test_a_gap_is_relative():
    assert design_gap(math.log(4.0), math.log(2.0)) == pytest.approx(1.0)  # twice as slow
    assert design_gap(None, 1.0) is None
    assert design_gap(1.0, None) is None


def test_instances_have_256_bits_of_the_secret():
    """By HMAC's definition (RFC 2104), without the standard library's module."""
    import hashlib

    key = bytes(range(32)).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(k ^ 0x36 for k in key) + b"r1|ants/walker@1|3").digest()
    outer = hashlib.sha256(bytes(k ^ 0x5C for k in key) + inner).digest()
    secret = bytes(range(32)).hex()
    assert instance_seed(secret, "r1", "ants/walker@1", 3) == int.from_bytes(outer, "big")


def test_instances_are_of_test_topologies_and_all_bits_count():
    first = instance_task("11" * 32, "r1", "ants/walker@1", 0, "latency")
    assert split_of(first.network) == "test"
    assert "11" not in first.id
    low, high = draw_task("test", 5), draw_task("test", 5 + 2**255)
    assert low.fingerprint != high.fingerprint
    assert draw_task("test", 5 + 2**255).fingerprint == high.fingerprint
