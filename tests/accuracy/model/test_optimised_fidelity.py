"""Tables on the designs that optimisers pick from them: the figures by hand, and the verdict."""

import re
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from lrmp.accuracy import TableAccuracy
from lrmp.accuracy.model.optimised_fidelity import LEAST_NEAR, judge_optimised, judged
from lrmp.accuracy.model.sensitivity_table import SensitivityTable
from lrmp.accuracy.model.table_verdict import PREDICTED, UNJUDGED, TableVerdict
from lrmp.errors import AccuracyTableError


def test_figures_by_hand(one_layer, judging_lines):
    found = judge_optimised(one_layer, judging_lines)
    assert found.best.tolist() == [True, False]
    assert found.seen.tolist() == [False, True]
    assert found.near == 1
    assert found.allowances == ((1.0,), (3.0, 4.0))
    assert found.judged_allowances == [1.0, 3.0, 4.0]
    figures = found.figures()
    assert figures.designs == 2
    assert figures.table_drop == pytest.approx((1 + 2) / 2)
    assert figures.search_drop == pytest.approx((1 + 3) / 2)
    assert figures.expected_search_drop == pytest.approx(1)
    assert figures.test_drop == pytest.approx((2 + 2) / 2)
    assert figures.expected_test_drop == pytest.approx((1.5 + 1) / 2)
    assert figures.excess == pytest.approx(0.5)
    # Images 0 and 1 are lost by both designs, 2 is lost and 3 gained by one: 1, 1, 1/2, -1/2.
    error = 100 * np.sqrt((2.5 - 100 * 0.02**2) / 99 / 100)
    assert figures.test_error == pytest.approx(error)
    assert figures.half_width == pytest.approx(1.96 * error)
    assert figures.within == 0.5  # 2 points are within 3, not within 1
    # The second design has 1 point of room and, with 4 images changed, an error of 2 points.
    assert figures.perfect_within == pytest.approx((0.5 + NormalDist().cdf(1 / 2)) / 2)
    assert figures.test_ratio == pytest.approx(np.sqrt(0.1 / 0.1 * 0.8 / 0.2))
    assert figures.search_ratio == pytest.approx(np.sqrt(0.1 / 0.1 * 0.1 / 0.2))
    # Of divergences of 0.1 and 0.8 nats 0.01 is error, 10 % and 1.25 %.
    assert figures.test_ratio_error == pytest.approx(2 * (0.1 + 0.0125) / 2)
    assert figures.search_ratio_error == pytest.approx(np.sqrt(1 / 2) * 0.1)


def test_figures_of_one_allowance(one_layer, judging_lines):
    found = judge_optimised(one_layer, judging_lines)
    figures = found.figures(4.0)
    assert (figures.designs, figures.table_drop) == (1, pytest.approx(2))
    assert figures.within == 1
    assert figures.perfect_within == pytest.approx(NormalDist().cdf(2 / 2))
    assert figures.test_error == pytest.approx(2)
    assert figures.test_ratio == pytest.approx(4)
    with pytest.raises(
        AccuracyTableError,
        match=r"^Expected an allowed drop that designs of one were judged at, of 1, 3, 4; got 2\.0",
    ):
        found.figures(2.0)


def test_designs_that_change_nothing_have_no_error(one_layer, judging_lines, write_line):
    first = judging_lines[1]["origins"]
    unchanged = [write_line(split, 8, origins=first) for split in ("search", "test")]
    figures = judge_optimised(one_layer, unchanged).figures()
    assert (figures.test_error, figures.within, figures.perfect_within) == (0, 1, 1)
    assert judge_optimised(one_layer, [*judging_lines, *unchanged]).figures().designs == 3


def test_a_power_of_the_sum_is_compared(one_layer, judging_lines):
    squared = replace(one_layer, exponent=2.0)
    figures = judge_optimised(squared, judging_lines).figures()
    assert figures.test_ratio == pytest.approx(np.sqrt(0.1 / 0.1**2 * 0.8 / 0.2**2))
    assert figures.table_drop == pytest.approx(1.5)  # the map takes the sum


def test_a_table_that_tells_what_the_network_does_holds(one_layer, many_lines):
    shown = judged(one_layer, many_lines())
    assert shown.provenance["holds"] is True
    assert shown.provenance["misses"] == []
    assert shown.provenance["recipe"] == "by hand"
    figures = shown.provenance["judged"]
    assert figures["designs"] == LEAST_NEAR + 1
    assert figures["table_drop"] == pytest.approx(figures["test_drop"], abs=0.006)
    assert (figures["search_ratio"], figures["test_ratio"]) == (1, 1)
    again = SensitivityTable.from_text(shown.to_text())
    assert again.provenance == shown.provenance
    assert again.verdict == again.accuracy().verdict == TableVerdict(())


@pytest.mark.parametrize(
    ("changes", "misses"),
    [
        # 50 more of 10,000 images: 0.5 points, of which an interval of +-0.31 does not hold 0.
        ({"extra": 50}, (r"test drop \+0\.50 points \[0\.\d\d, 0\.\d\d\] from the table's",)),
        ({"extra": 15}, ()),  # within 0.2 points, though beyond its interval or not
        ({"test": 1.2}, (r"divergence on test images 1\.20 of the table's",)),
        ({"search": 0.8}, (r"divergence on search images 0\.80 of the table's",)),
        ({"search": 1.14, "test": 0.86}, ()),
        ({"near": 29}, (r"29 of 30 designs near the best judged",)),
        ({"best": 0}, (r"no proven best design judged",)),
        (
            {"near": 3, "best": 0, "test": 0.5},
            (
                r"3 of 30 designs near the best judged",
                r"no proven best design judged",
                r"divergence on test images 0\.50 of the table's",
            ),
        ),
    ],
)
def test_misses_are_named_with_their_size(one_layer, many_lines, changes, misses):
    found = judge_optimised(one_layer, many_lines(**changes)).verdict
    assert found.holds == (not misses)
    assert len(found.misses) == len(misses)
    for phrase, pattern in zip(found.misses, misses, strict=True):
        assert re.fullmatch(pattern, phrase)


def test_an_excess_within_its_own_interval_is_no_miss(one_layer, judging_lines):
    # 0.5 points in two designs of 100 images, with an error of 1.6.
    assert not any(
        "test drop" in miss for miss in judge_optimised(one_layer, judging_lines).verdict.misses
    )


@pytest.mark.parametrize("place", [slice(0, 1), slice(3, 4), slice(0, 0)])
def test_a_table_without_judged_designs_does_not_hold(one_layer, judging_lines, many_lines, place):
    assert judge_optimised(one_layer, judging_lines[place]) is None
    shown = judged(judged(one_layer, many_lines()), judging_lines[place])
    assert shown.verdict == UNJUDGED
    assert shown.provenance == {
        "recipe": "by hand",
        "holds": False,
        "misses": ["not judged on optimised designs"],
    }


def test_a_judging_design_without_search_images_is_named(one_layer, judging_lines):
    with pytest.raises(
        AccuracyTableError,
        match=r"^Expected all 2 designs that judge the table of one to be run on the search "
        r"images, too, got 1\. Run lrmp accuracy refine again\.$",
    ):
        judge_optimised(one_layer, [*judging_lines[:2], *judging_lines[3:]])


def test_verdict_of_tables_that_were_never_judged(one_layer):
    assert one_layer.verdict == one_layer.accuracy().verdict == UNJUDGED
    assert not UNJUDGED.holds
    predicted = replace(one_layer, kind="predicted", provenance={"holds": True})
    assert predicted.verdict == predicted.accuracy().verdict == PREDICTED
    assert not PREDICTED.holds
    by_hand = TableAccuracy(one_layer.terms, "by hand", is_estimate=False)
    assert by_hand.verdict == UNJUDGED


def test_verdict_is_no_part_of_the_fingerprint(one_layer, many_lines):
    held, missed = (judged(one_layer, many_lines(test=factor)).accuracy() for factor in (1, 2))
    assert held.verdict != missed.verdict
    assert held.fingerprint == missed.fingerprint
