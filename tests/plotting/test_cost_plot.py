from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from lrmp.errors import DesignError
from lrmp.hardware import (
    CYCLE_COMPONENTS,
    ENERGY_COMPONENTS,
    CostModel,
    Design,
    load_network,
    load_preset,
)
from lrmp.plotting.cost_plot import COLOURS, plot_cost

PREFIXES = {"": 1.0, "m": 1e-3, "µ": 1e-6, "n": 1e-9}


@pytest.fixture(scope="module")
def model():
    return CostModel(load_network("digits_cnn"), load_preset("lrmp_frontiers_2024"))


@pytest.fixture(scope="module")
def design():
    return Design.of(
        {"weight_bits": [4, 4, 5, 4, 8], "activation_bits": [5, 5, 4, 6, 8]}, [2, 5, 2, 1, 1]
    )


@pytest.fixture(scope="module")
def figure(model, design):
    return plot_cost(model, design, budget=64)


def panel(figure, title):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(title))


def totals(figure, quantity):
    return next(axes for axes in figure.axes if axes.get_ylabel().startswith(f"total {quantity}"))


def stacks(axes):
    """Return the heights of the bars by component, in the unit without prefix."""
    unit = axes.get_ylabel().split("(")[1].rstrip(")")
    factor = PREFIXES[unit[:-1]]
    drawn, top = {}, 0.0
    for bars in axes.collections:
        corners = np.array([path.vertices[:4] for path in bars.get_paths()])
        np.testing.assert_allclose(corners[:, 0, 1], top)  # each stands on the one before
        top = corners[:, 2, 1]
        drawn[bars.get_label()] = (top - corners[:, 0, 1]) * factor
    return drawn


def test_bars_of_the_layers_add_up_to_their_latency_and_energy(figure, model, design):
    before, after = model.baseline, model.evaluate(design)
    for title, report in (("before", before), ("after", after)):
        times = stacks(panel(figure, f"latency {title}"))
        np.testing.assert_allclose(sum(times.values()), report.layer_cycles / report.clock_hz)
        energies = stacks(panel(figure, f"energy {title}"))
        np.testing.assert_allclose(sum(energies.values()), report.layer_energy_fj * 1e-15)


def test_a_bar_is_its_component(figure, model, design):
    report = model.evaluate(design)
    drawn = stacks(panel(figure, "energy after"))
    np.testing.assert_allclose(
        drawn["adc"], report.component_energy_fj[ENERGY_COMPONENTS.index("adc")] * 1e-15
    )
    drawn = stacks(panel(figure, "latency after"))
    np.testing.assert_allclose(
        drawn["mvm"], report.component_cycles[CYCLE_COMPONENTS.index("mvm")] / report.clock_hz
    )
    assert list(drawn) == ["mvm", "output"]  # what takes no time is left out


def test_small_components_are_added_up(figure, model, design):
    report, baseline = model.evaluate(design), model.baseline
    drawn = stacks(totals(figure, "energy"))
    shares = [
        max(r.energy_breakdown_fj[name] / r.energy_fj for r in (report, baseline))
        for name in ENERGY_COMPONENTS
    ]
    large = {n for n, share in zip(ENERGY_COMPONENTS, shares, strict=True) if share >= 0.01}
    assert set(drawn) == large | {"other"}
    rest = [sum(v for n, v in r.energy_breakdown_fj.items() if n not in large) * 1e-15
            for r in (baseline, report)]  # fmt: skip
    np.testing.assert_allclose(drawn["other"], rest)


def test_totals_share_a_scale_and_carry_their_values(figure, model, design):
    reports = model.baseline, model.evaluate(design)
    axes = totals(figure, "latency")
    np.testing.assert_allclose(sum(stacks(axes).values()), [r.latency_s for r in reports])
    assert [text.get_text() for text in axes.texts] == ["584.4 µs", "146.1 µs"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["before", "after"]
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["output", "mvm"]  # from top to bottom


def test_utilisation_of_every_layer_and_of_all_tiles(figure, model, design):
    axes = panel(figure, "cells that hold weights")
    shares = model.utilisation(design.settings)
    np.testing.assert_allclose([bar.get_height() for bar in axes.patches], 100 * shares)
    tiles = model.evaluate(design).layer_tiles
    mean = 100 * (shares * tiles).sum() / tiles.sum()
    assert f"{mean:.1f} % of those in all {tiles.sum()} tiles" in axes.get_title(loc="left")
    assert axes.get_ylabel() == "utilisation (%)"


def test_area_is_that_of_the_budget(figure, model):
    axes = panel(figure, "area")
    area = model.accelerator.area_um2(64)
    widths = [bar.get_width() for bar in axes.patches]
    np.testing.assert_allclose(sorted(widths), sorted(v * 1e-6 for v in area.values() if v))
    assert "for 64 tiles" in axes.get_title(loc="left")
    assert axes.get_xlabel() == "area (mm²)"


def test_layers_are_named_and_the_title_says_what_was_gained(figure, model, design):
    names = [label.get_text() for label in panel(figure, "cells").get_xticklabels()]
    assert names == [layer.name for layer in model.network.layers]
    report = model.evaluate(design)
    gain = model.baseline.latency_cycles / report.latency_cycles
    title = figure.get_suptitle()
    assert title.startswith("digits_cnn on lrmp_frontiers_2024: gains ")
    assert f"{gain:.2f}x latency" in title


def test_panels_say_what_they_compare(figure):
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert "latency before: plain, one copy of every layer" in titles
    assert "energy after: weight bits 4..8, activation bits 4..8, copies 1..5" in titles


def test_what_the_chip_does_not_give_is_not_drawn(model, design):
    chip = replace(model.accelerator, energy=None, components=())
    figure = plot_cost(CostModel(model.network, chip), design)
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["latency (µs)", "latency (µs)", "utilisation (%)", "total latency (µs)"]
    assert "energy" not in figure.get_suptitle()


def test_tiles_of_the_design_without_a_budget(model, design):
    area = panel(plot_cost(model, design), "area")
    assert f"for {model.evaluate(design).tiles} tiles" in area.get_title(loc="left")


def test_every_part_of_an_area_has_a_colour():
    from typing import get_args

    from lrmp.hardware.chip.component import Part

    assert set(get_args(Part)) <= set(COLOURS)


@pytest.mark.long
@pytest.mark.parametrize("name", ["resnet18", "bert_base"])
def test_nothing_overlaps(name):
    network = load_network(name)
    model = CostModel(network, load_preset("lrmp_frontiers_2024"))
    figure = plot_cost(
        model, Design.of({"weight_bits": 4, "activation_bits": 5}, layers=len(network))
    )
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    for index, box in enumerate(boxes):
        for other in boxes[index + 1 :]:
            overlap_x = min(box.x1, other.x1) - max(box.x0, other.x0)
            overlap_y = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(overlap_x, overlap_y) <= 1  # pixel
    named = [axes for axes in figure.axes if axes.get_ylabel().startswith("utilisation")]
    extents = [label.get_window_extent() for label in named[0].get_xticklabels()]
    for left, right in pairwise(extents):
        assert left.x1 <= right.x0 + 1


def test_names_of_very_many_layers_are_thinned():
    network = load_network("llama_7b")
    model = CostModel(network, load_preset("lrmp_frontiers_2024"))
    figure = plot_cost(
        model, Design.of({"weight_bits": 8, "activation_bits": 8}, layers=len(network))
    )
    names = [label.get_text() for label in panel(figure, "cells").get_xticklabels()]
    assert names == [layer.name for layer in network.layers[::3]]


def test_design_of_another_network_is_refused(model):
    with pytest.raises(DesignError, match="Expected a design of 5 layers for digits_cnn, got 3"):
        plot_cost(model, Design.of({"weight_bits": 8, "activation_bits": 8}, layers=3))
