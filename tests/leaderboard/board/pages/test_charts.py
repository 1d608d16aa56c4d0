"""Charts against coordinates computed by hand, and what strangers could put into them."""

import pytest

pytest.importorskip("fastapi")

from lrmp.leaderboard.board.pages import words
from lrmp.leaderboard.board.pages.charts.bars import draw_bars
from lrmp.leaderboard.board.pages.charts.floor_plan import MOST_TILES, draw_floor_plan
from lrmp.leaderboard.board.pages.charts.scale import Scale, scale_over
from lrmp.leaderboard.board.pages.charts.xy_chart import Series, draw_xy
from lrmp.leaderboard.board.pages.task_page import _rising


def test_values_are_placed_evenly_or_by_their_ratios():
    assert [Scale(0, 10, 100, 200)(value) for value in (0, 2.5, 10, 99)] == [100, 125, 200, 200]
    log = Scale(1, 100, 0, 300, is_log=True)
    assert [log(value) for value in (1, 10, 100)] == [0, 150, 300]


def test_ticks_are_round_numbers_within_the_scale():
    assert [tick.text for tick in Scale(0.0, 1.04, 0, 100).ticks()] == [
        *("0", "0.2", "0.4", "0.6", "0.8", "1")
    ]
    assert [tick.text for tick in Scale(1, 1000, 0, 300, is_log=True).ticks()] == [
        *("1", "10", "100", "1,000")
    ]
    assert [tick.text for tick in Scale(100, 1000, 0, 300, is_log=True).ticks()] == [
        *("100", "200", "500", "1,000")
    ]


@pytest.mark.parametrize("values", [[], [3.0], [3.0, 3.0], [-1e300, 1e300], [1e-300]])
@pytest.mark.parametrize("is_log", [True, False])
def test_any_values_have_a_scale(values, is_log):
    scale = scale_over(values, 0, 100, is_log=is_log)
    assert scale.high > scale.low
    assert all(0 <= tick.at <= 100 for tick in scale.ticks())
    assert len(scale.ticks()) < 12


def test_a_step_holds_until_the_next_and_to_the_end():
    chart = draw_xy("t", "x", "y", [Series("a", [(1, 0.0), (10, 1.0)], "steps")], x_log=True)
    start, *rest = chart.series[0].path.split()
    assert (start, rest[0]) == ("M64.0", f"{chart.y_ticks[0].at}")
    assert rest[1:] == [f"H{chart.right}.0", f"V{chart.y_ticks[-1].at}", f"H{chart.right}"]
    assert draw_xy("t", "x", "y", [Series("a", [])]) is None


def test_a_floor_plan_fills_row_after_row():
    # 8 tiles: 4 side by side. Layer a: 2 copies of 3 tiles; layer b: 1 of 1; 1 free.
    plan = draw_floor_plan(["a", "b"], [3, 1], [2, 1], 8)
    assert (plan.columns, plan.rows, plan.used) == (4, 2, 7)
    assert [(s.x, s.y, s.width, s.colour) for s in plan.strips] == [
        (0, 0, 3, "s0 a"),
        (3, 0, 1, "s0 b"),
        (0, 1, 2, "s0 b"),
        (2, 1, 1, "s1 a"),
        (3, 1, 1, "free"),
    ]
    assert sum(strip.width for strip in plan.strips) == 8
    assert draw_floor_plan(["a"], [9], [1], 8) is None
    assert draw_floor_plan(["a"], [1], [1], MOST_TILES + 1) is None


def test_bars_stand_on_a_power_of_ten_and_zeros_have_none():
    chart = draw_bars("t", ["a", "b"], [("before", [1000, 0]), ("after", [10, 100])])
    assert [bar.title for bar in chart.bars] == [
        "a, before: 1,000",
        "a, after: 10",
        "b, after: 100",
    ]
    tall, none, middle = chart.bars
    assert tall.height == pytest.approx(2 * middle.height, abs=0.2)
    assert none.height == 1  # the least there is, still to be seen


@pytest.mark.parametrize(
    ("told", "drawn"),
    [
        ([], [(100, 2.0)]),
        ([(1, 0.5), (40, 2.0)], [(1, 0.5), (40, 2.0)]),
        # Unordered, falling, beyond the end, before the first, better than what was replayed.
        ([(40, 2.0), (1, 0.5), (20, 0.4)], [(1, 0.5), (40, 2.0)]),
        ([(1, 0.5), (500, 2.0)], [(1, 0.5), (100, 2.0)]),
        ([(-5, 0.1), (1, 9.0)], [(1, 2.0)]),
    ],
)
def test_a_strangers_curve_ends_in_what_was_replayed(told, drawn):
    assert _rising(told, (100, 2.0)) == drawn


def test_json_is_written_with_plain_lists_on_a_line():
    value = {"design": {"bits": [1, 2]}, "evaluations": [[{"bits": [3]}, None]], "empty": {}}
    assert words.pretty(value) == (
        '{\n  "design": {\n    "bits": [1, 2]\n  },\n  "evaluations": [\n    [\n      {\n'
        '        "bits": [3]\n      },\n      null\n    ]\n  ],\n  "empty": {}\n}'
    )


@pytest.mark.parametrize(
    ("address", "linked"),
    [
        ("https://github.com/ants/walker", True),
        ("javascript:alert(1)", False),
        ('https://x.org/"><script>', False),
        ("https://github.com@evil.org/", False),
        ("http://localhost:22/", False),
        ("https://x.org/" + "a" * 500, False),
        (None, False),
    ],
)
def test_code_is_a_link_where_the_schema_allows_it(address, linked):
    assert words.code_link(address) == (address if linked else None)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((2, 3, 4, 5), "2 to 5"),
        ((1, 2, 4, 8), "1, 2, 4, 8"),
        (("a", "b"), "a, b"),
        ((1, 2), "1, 2"),
    ],
)
def test_values_in_a_row_are_written_short(values, text):
    assert words.choices(values) == text
