from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex

from lrmp.envs import load_task
from lrmp.errors import DesignError, InfeasibleBudgetError
from lrmp.hardware import CostModel, Design, Layer, Network, load_network, load_preset
from lrmp.plotting.floor_plan import FREE_COLOUR, LAYER_COLOURS, plot_floor_plan

LRMP = load_preset("lrmp_frontiers_2024")


def tiles_of(figure):
    """Return the corners and the colours of the tiles."""
    squares = next(c for c in figure.axes[0].collections if isinstance(c, PolyCollection))
    corners = np.array([path.vertices[:4] for path in squares.get_paths()])
    return corners, [to_hex(colour) for colour in squares.get_facecolors()]


def outlines_of(figure):
    lines = next(c for c in figure.axes[0].collections if isinstance(c, LineCollection))
    return {frozenset(map(tuple, segment.tolist())) for segment in lines.get_segments()}


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def toy(layers, **chip):
    """Return a model of layers of the given tiles at 2 bits on a chip of cores of four."""
    network = Network(
        "toy", tuple(Layer.linear(f"fc{i}", 256 * n // 2, 256) for i, n in enumerate(layers))
    )
    chip = {"tiles_per_core": 4} | chip
    return CostModel(network, replace(LRMP, **chip))


@pytest.fixture(scope="module")
def resnet18():
    model = CostModel(load_network("resnet18"), LRMP)
    copies = np.ones(21, dtype=np.int64)
    copies[:5] = [25, 10, 10, 9, 9]
    return model, Design.of({"weight_bits": [4] * 21, "activation_bits": [5] * 21}, copies)


def test_one_square_per_tile_in_the_colour_of_its_layer(resnet18):
    model, design = resnet18
    report = model.evaluate(design)
    corners, colours = tiles_of(plot_floor_plan(model, design, budget=1500))
    assert len(corners) == 1500
    assert len({tuple(square[0]) for square in corners}) == 1500  # no two in one place
    np.testing.assert_allclose(np.ptp(corners, axis=1), 1)
    expected = Counter({FREE_COLOUR.lower(): 1500 - report.tiles})
    for layer, tiles in enumerate(report.layer_tiles.tolist()):
        expected[LAYER_COLOURS[layer % len(LAYER_COLOURS)].lower()] += tiles
    assert Counter(colours) == expected


def test_every_layer_is_numbered_on_the_chip_and_listed(resnet18):
    model, design = resnet18
    figure = plot_floor_plan(model, design, budget=1500)
    numbers = Counter(int(text.get_text()) for text in figure.axes[0].texts)
    assert numbers == dict(enumerate(design.replication.tolist(), start=1))
    legend = legend_of(figure)
    assert len(legend) == 22
    assert legend[0].split() == ["1", "conv1", "25", "x", "4"]
    assert legend[-1].split() == ["free", str(1500 - model.evaluate(design).tiles)]
    title = figure.axes[0].get_title(loc="left")
    assert f"{model.evaluate(design).tiles:,} of 1,500 tiles in 63 cores" in title
    assert f"{design.replication.sum()} copies of 21 layers" in title


def test_tiles_of_a_snake_are_neighbours(resnet18):
    model, design = resnet18
    corners, _ = tiles_of(plot_floor_plan(model, design))
    steps = np.abs(np.diff(corners[:, 0], axis=0)).sum(axis=1)
    within = np.isclose(steps, 1) | np.isclose(steps, 1.5)  # beside each other, or over a gap
    turns = len(set(np.round(corners[:, 0, 1] / 4.5).astype(int))) - 1
    assert (~within).sum() <= turns  # only where the snake turns to the next row of cores


def test_numbers_stay_inside_their_copies():
    network = load_network("mobilenet_v2")
    model = CostModel(network, load_preset("isaac_isca_2016"))
    plain = model.space.plain_settings(len(network))
    copies = np.minimum(model.units(plain), 1 + np.arange(len(network)) % 5)
    design = Design(model.space, plain, copies)
    figure = plot_floor_plan(model, design)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    corners, _ = tiles_of(figure)
    layers = np.repeat(np.arange(len(network)), model.evaluate(design).layer_tiles)
    layer_at = {tuple(square[0]): layer for square, layer in zip(corners, layers, strict=True)}
    assert len(axes.texts) > len(network)
    for text in axes.texts:
        box = text.get_window_extent().transformed(axes.transData.inverted())
        if text.get_fontsize() <= 4.5:  # the one number that a layer of tiny copies has
            continue
        # A little inside the box, which includes room for letters below the line.
        for x in np.linspace(box.x0 + 0.05, box.x1 - 0.05, 5):
            column = max(c for c, _ in layer_at if c <= x)
            middle = max(r for c, r in layer_at if c == column and r <= (box.y0 + box.y1) / 2)
            assert layer_at[column, middle] == int(text.get_text()) - 1


def test_outlines_enclose_copies_by_hand():
    # Two cores of 2 x 2 tiles beside each other, a gap of 0.5 between them. Two copies of 2 tiles
    # fill the columns of the first core, one of 1 tile and 3 free tiles the second.
    model = toy([2, 1][:1])
    figure = plot_floor_plan(
        model, Design.of({"weight_bits": [2], "activation_bits": [8]}, [2]), budget=8
    )
    assert outlines_of(figure) == {
        frozenset({(0, 0), (0, 1)}), frozenset({(0, 1), (0, 2)}),
        frozenset({(1, 0), (1, 1)}), frozenset({(1, 1), (1, 2)}),
        frozenset({(2, 0), (2, 1)}), frozenset({(2, 1), (2, 2)}),
        frozenset({(0, 0), (1, 0)}), frozenset({(1, 0), (2, 0)}),
        frozenset({(0, 2), (1, 2)}), frozenset({(1, 2), (2, 2)}),
    }  # fmt: skip
    corners, colours = tiles_of(figure)
    assert colours == [LAYER_COLOURS[0].lower()] * 4 + [FREE_COLOUR.lower()] * 4
    assert corners[4, 0].tolist() == [2.5, 0.0]


def test_a_copy_goes_on_across_the_gap_between_cores():
    model = toy([6])
    figure = plot_floor_plan(
        model, Design.of({"weight_bits": [2], "activation_bits": [8]}, [1]), budget=8
    )
    outlines = outlines_of(figure)
    # Over the gap run its upper and lower edges, and nothing closes the copy there.
    assert frozenset({(2, 0), (2.5, 0)}) in outlines
    assert frozenset({(2, 0), (2, 1)}) not in outlines
    bridges = [c for c in figure.axes[0].collections if isinstance(c, PolyCollection)][1]
    assert len(bridges.get_paths()) == 2
    assert {to_hex(c) for c in bridges.get_facecolors()} == {LAYER_COLOURS[0].lower()}


def test_cores_of_one_tile_have_no_gaps():
    model = toy([6], tiles_per_core=1)
    corners, _ = tiles_of(
        plot_floor_plan(model, Design.of({"weight_bits": [2], "activation_bits": [8]}, [1]))
    )
    assert corners[:, 0].tolist() == [[0, 0], [1, 0], [2, 0], [2, 1], [1, 1], [0, 1]]


def test_layers_without_tiles_are_listed_without_a_colour():
    network = Network("two", (Layer.linear("fc", 256, 32), Layer.matmul("qk", 32, 16, 16)))
    figure = plot_floor_plan(
        CostModel(network, LRMP), Design.of({"weight_bits": 8, "activation_bits": 8}, layers=2)
    )
    assert legend_of(figure)[1].split() == ["2", "qk", "no", "tiles"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["1"]


@pytest.mark.long
def test_list_of_105_layers_is_beside_the_map():
    model = CostModel(load_network("resnet101"), LRMP)
    figure = plot_floor_plan(model, Design.of({"weight_bits": 4, "activation_bits": 5}, layers=105))
    figure.draw_without_rendering()
    axes = figure.axes[0]
    legend = figure.legends[0].get_window_extent()
    assert len(legend_of(figure)) == 105
    assert axes.get_tightbbox().x1 <= legend.x0
    assert legend.x1 <= figure.bbox.x1
    assert legend.y0 >= figure.bbox.y0
    lines = [text.get_window_extent() for text in figure.legends[0].get_texts()]
    for upper, lower in pairwise(lines):
        assert lower.y1 <= upper.y0 + 1 or lower.x0 > upper.x1  # below it, or in the next column
    numbers = {text.get_text() for text in axes.texts}
    assert numbers == {str(layer) for layer in range(1, 106)}


def test_design_beyond_the_budget_is_refused(resnet18):
    with pytest.raises(InfeasibleBudgetError, match="Expected a design of at most 100 tiles, got"):
        plot_floor_plan(*resnet18, budget=100)


def test_more_tiles_than_can_be_seen_are_refused(resnet18):
    with pytest.raises(DesignError, match="Expected from 1 to 30000 tiles for a floor plan, got 4"):
        plot_floor_plan(*resnet18, budget=40_000)


def test_layers_that_take_turns_have_no_floor_plan():
    chip = replace(LRMP, weight_loading="time-multiplexed")
    model = CostModel(load_network("digits_cnn"), chip)
    with pytest.raises(DesignError, match="Expected a chip that holds all layers at the same time"):
        plot_floor_plan(model, Design.of({"weight_bits": 8, "activation_bits": 8}, layers=5))


def test_an_outline_goes_around_the_tiles_of_every_network():
    task = load_task("LRMP-Shared-Edge-v0")
    design = Design.plain(17)
    figure = plot_floor_plan(task.cost_model, design, task.budget)
    lines = [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
    alone = plot_floor_plan(load_task("LRMP-LeNet-v0").cost_model, Design.plain(4))
    one = [c for c in alone.axes[0].collections if isinstance(c, LineCollection)]
    assert (len(lines), len(one)) == (1 + 3, 1)
    colours = {tuple(each.get_color()[0]) for each in lines[1:]}
    assert len(colours) == 3
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sum("1:lenet/" in label for label in labels) == 4
