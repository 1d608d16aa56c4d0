"""Pictures as papers want them: every layer named, one scale before and after, vectors, fonts."""

from itertools import pairwise

import numpy as np
import pytest

import lrmp
from lrmp.hardware import CostModel, load_network, load_preset
from lrmp.plotting.cost_plot import plot_cost
from lrmp.plotting.design_plot import plot_design
from lrmp.plotting.picture_file import write_figure


@pytest.fixture(scope="module")
def deep():
    """ResNet-101: 105 layers."""
    return lrmp.evaluate("LRMP-ResNet101-Predicted-v0", weight_bits=6, activation_bits=6)


def shown(axes):
    return [label.get_text() for label in axes.get_xticklabels()]


@pytest.mark.long
def test_105_layers_are_named_and_their_names_do_not_overlap(deep):
    names = [layer.name for layer in deep.task.network.layers]
    assert len(names) == 105
    model, design = deep.task.cost_model, deep.design
    cost = plot_cost(model, design)
    cells = next(a for a in cost.axes if a.get_title(loc="left").startswith("cells"))
    for figure, axes in ((plot_design(deep), None), (cost, cells)):
        axes = axes or figure.axes[-1]
        assert shown(axes) == names
        figure.draw_without_rendering()
        boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
        gaps = [after.x0 - before.x1 for before, after in pairwise(boxes)]
        assert min(gaps) > -1  # pixels


def test_few_copies_are_all_named():
    design = lrmp.evaluate("LRMP-ResNet8-v0", weight_bits=6, activation_bits=7)
    assert design.design.replication.max() == 3
    copies = plot_design(design).axes[-2]
    assert copies.get_ylabel() == "copies"
    assert [label.get_text() for label in copies.get_yticklabels()] == ["1", "2", "3"]


def test_few_layers_are_named_too():
    outcome = lrmp.evaluate("LRMP-LeNet-v0", weight_bits=6)
    assert shown(plot_design(outcome).axes[-1]) == ["conv1", "conv2", "fc1", "fc2"]


def test_before_and_after_share_a_scale():
    model = CostModel(load_network("lenet"), load_preset("lrmp_frontiers_2024"))
    design = lrmp.evaluate("LRMP-LeNet-v0", weight_bits=3, activation_bits=3).design
    panels = {axes.get_title(loc="left"): axes for axes in plot_cost(model, design).axes}
    for quantity in ("latency", "energy"):
        before, after = (
            next(axes for title, axes in panels.items() if title.startswith(f"{quantity} {when}"))
            for when in ("before", "after")
        )
        assert before.get_ylim() == after.get_ylim()
        assert before.get_ylabel() == after.get_ylabel()


@pytest.mark.long
def test_files_are_vectors_the_same_every_time_and_fonts_are_embedded(tmp_path):
    outcome = lrmp.evaluate("LRMP-LeNet-v0", weight_bits=6)
    for ending in ("svg", "pdf", "png"):
        for name in "ab":
            write_figure(plot_design(outcome), tmp_path / f"{name}.{ending}")
        first, second = ((tmp_path / f"{name}.{ending}").read_bytes() for name in "ab")
        assert first == second
    assert b"<image" not in (tmp_path / "a.svg").read_bytes()
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert b"/Subtype /Type3" not in pdf
    assert b"/FontFile2" in pdf


def test_totals_of_the_picture_are_those_of_the_report(deep):
    figure = plot_cost(deep.task.cost_model, deep.design)
    total = next(axes for axes in figure.axes if axes.get_ylabel().startswith("total latency"))
    heights = [bars.get_paths()[1].vertices[:4, 1].max() for bars in total.collections]
    ratio = deep.task.cost_model.baseline.latency_cycles / deep.report.latency_cycles
    largest = [bars.get_paths()[0].vertices[:4, 1].max() for bars in total.collections]
    assert max(largest) / max(heights) == pytest.approx(ratio, rel=1e-6)
    assert np.isfinite(ratio)
