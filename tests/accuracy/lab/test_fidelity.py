"""Fidelity: the figures by hand, and what is shipped."""

import numpy as np
import pytest

from lrmp.accuracy.lab.fidelity import Fidelity, judge
from lrmp.accuracy.lab.fidelity_report import all_fidelities, markdown, write_report
from lrmp.accuracy.lab.table_prediction import judged_predictions
from lrmp.accuracy.model.drop_map import DropMap
from lrmp.accuracy.model.sensitivity_table import SensitivityTable
from lrmp.hardware.space.precision import PRECISION


def fidelity(**changes):
    values = {
        "network": "two",
        "images": 500,
        "sums": np.arange(100) / 100,
        "divergences": np.arange(100) / 90,
        "drops": np.arange(100) / 10,
        "predicted": np.arange(100) / 10 + 0.5,
        "half_widths": np.full(100, 1.96),
        "float_top1": 80.0,
    }
    return Fidelity(**values | changes)


def test_figures_by_hand():
    found = fidelity()
    assert found.spearman == pytest.approx(1)
    assert found.small.sum() == 51
    assert found.mean_error == pytest.approx(0.5)
    assert found.bias == pytest.approx(0.5)
    assert found.sampling_error == pytest.approx(np.sqrt(2 / np.pi))
    assert found.misses() == []


@pytest.mark.parametrize(
    ("changes", "miss"),
    [
        ({"predicted": np.arange(100) / 10 - 1.25}, "error over by 0.25 points"),
        ({"divergences": np.arange(100)[::-1] / 1.0}, "Spearman short by 1.950"),
        (
            {
                key: np.arange(40) / 10
                for key in ("sums", "divergences", "drops", "predicted", "half_widths")
            },
            "40 of 100 designs",
        ),
    ],
)
def test_misses_are_named_with_their_size(changes, miss):
    assert fidelity(**changes).misses() == [miss]


def test_only_designs_of_the_test_split_count():
    table = SensitivityTable(
        "one",
        "measured",
        ("a",),
        PRECISION,
        {
            ("weight_bits",): np.linspace(0.7, 0.1, 7)[None],
            ("activation_bits",): np.zeros((1, 7)),
        },
        DropMap([0, 1], [0, 10], 90),
        {},
    )
    result = {"divergence": 0.3, "images": 100, "float_correct": 90, "gained": 0}
    lines = [
        {
            "design": {"weight_bits": [2], "activation_bits": [8]},
            "split": "test",
            "lost": 8,
            **result,
        },
        {
            "design": {"weight_bits": [8], "activation_bits": [8]},
            "split": "test",
            "lost": 1,
            **result,
        },
        {
            "design": {"weight_bits": [5], "activation_bits": [8]},
            "split": "search",
            "lost": 5,
            **result,
        },
    ]
    found = judge(table, lines)
    assert found.predicted == pytest.approx([7, 1])
    assert found.drops.tolist() == [8, 1]
    assert found.float_top1 == 90


SHIPPED = all_fidelities()


@pytest.mark.parametrize("found", SHIPPED, ids=lambda found: found.network)
def test_shipped_table_ranks_designs(found):
    assert found.spearman >= 0.9


def test_page_has_a_row_per_network_and_names_misses(tmp_path):
    page = write_report(tmp_path).read_text("utf-8")
    assert (tmp_path / "fidelity.png").stat().st_size > 10_000
    for found in SHIPPED:
        row = next(line for line in page.splitlines() if line.startswith(f"| {found.network} |"))
        assert f"| {found.mean_error:.2f} |" in row
        assert row.endswith(f"| {'; '.join(found.misses()) or 'met'} |")
    predictions = page.partition("## Predicted tables")[2]
    for found in judged_predictions():
        assert f"| {found.network} | " in predictions
        assert f" | {found.spearman:.3f} | {found.mean_error:.2f} |" in predictions


def test_miss_is_shown_in_the_page():
    page = markdown([fidelity(predicted=np.arange(100) / 10 - 1.25)])
    assert "| error over by 0.25 points |" in page
