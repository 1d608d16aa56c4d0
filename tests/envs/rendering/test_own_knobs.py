"""Pictures and text of a task with knobs of one's own."""

from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest

from lrmp.envs import CUSTOM_ID, evaluate_settings
from lrmp.envs.task.environment_id import environment_id
from lrmp.plotting.cost_plot import plot_cost
from lrmp.plotting.design_plot import plot_design
from lrmp.plotting.floor_plan import plot_floor_plan
from lrmp.plotting.knob_panel import bar_heights, bar_places, knob_panels

pytest.importorskip("matplotlib")

SETTINGS = np.array([[0, 6, 2, 1], [3, 2, 0, 0], [6, 0, 1, 1], [2, 4, 0, 0]])


def flat(values):
    return np.asarray(values).reshape(-1)


ENVIRONMENTS = {
    "layerwise": (CUSTOM_ID, {"discrete": True}, SETTINGS),
    "one-shot": (environment_id(CUSTOM_ID, "OneShot"), {"discrete": True}, [flat(SETTINGS)]),
    "refine": (environment_id(CUSTOM_ID, "Refine"), {"horizon": 3}, [1, 3, 6]),
    "drawn": ("LRMP-Procedural-v0", {"discrete": True}, SETTINGS),
}


@pytest.fixture(params=ENVIRONMENTS)
def shown(request, own_task):
    """Make an environment in a render mode, and the actions of an episode."""
    env_id, settings, actions = ENVIRONMENTS[request.param]
    of = {"tasks": [own_task]} if request.param == "drawn" else {"task": own_task}
    return lambda mode: gym.make(env_id, render_mode=mode, **of, **settings), actions


def test_text_has_the_values_of_every_layer_in_columns(shown):
    make, actions = shown
    env = make("ansi")
    env.reset(seed=0)
    env.render()
    for action in actions:
        *_, _info = env.step(action)
    _, *lines = env.render().splitlines()[:5]
    design = env.unwrapped.outcome.design
    for layer, line in enumerate(lines):
        values = "/".join(str(design[name][layer]) for name in design.space.names)
        assert line.split()[1] == values
    assert len({line.index(" x ") for line in lines}) == 1


@pytest.mark.long
def test_pictures_have_a_panel_for_every_scale(shown):
    make, actions = shown
    env = make("rgb_array")
    env.reset(seed=0)
    frames = [env.render()]
    for action in actions:
        env.step(action)
        frames.append(env.render())
    width = 1600 if "Procedural" in env.spec.id else 640
    # Bits, reads, rows, copies and time.
    assert {frame.shape for frame in frames} == {(60 + 5 * 180, width, 3)}
    for before, after in pairwise(frames):
        assert (before != after).any()
    env.reset(seed=0)
    assert np.array_equal(env.render(), frames[0])


def test_knobs_of_one_unit_share_a_panel(own_task):
    panels = knob_panels(own_task.space)
    assert [[knob.name for knob in panel] for panel in panels] == [
        ["weight_bits", "activation_bits"],
        ["reads"],
        ["kept_rows"],
    ]
    (left, width), (right, _) = bar_places(2)
    assert (left + width / 2, right - width / 2) == (0, 0)  # side by side
    assert bar_places(1) == [(0, 0.8)]
    assert bar_heights(panels[1][0], np.array([2, 0])).tolist() == [4, 1]
    assert bar_heights(panels[2][0], np.array([1, 0])).tolist() == [2, 1]  # no bar is empty


def test_picture_of_a_design_shows_its_values(own_task):
    outcome = evaluate_settings(own_task, SETTINGS)
    figure = plot_design(outcome)
    figure.draw_without_rendering()
    bits, reads, rows, copies, time = figure.axes
    heights = [[bar.get_height() for bar in bars] for bars in bits.containers]
    assert heights == [outcome.design[name].tolist() for name in ("weight_bits", "activation_bits")]
    assert [bar.get_height() for bar in reads.containers[0]] == outcome.design["reads"].tolist()
    assert [bar.get_height() for bar in rows.containers[0]] == [2, 1, 2, 1]
    assert [label.get_text() for label in rows.get_yticklabels()] == ["half", "all"]
    assert [axes.get_ylabel() for axes in (bits, reads, rows)] == ["bits", "reads", "kept rows"]
    assert reads.get_yticks().tolist() == [1, 2, 4]
    legends = [
        [t.get_text() for t in axes.get_legend().get_texts()] for axes in (bits, reads, rows)
    ]
    assert legends == [["weight bits", "activation bits"], ["reads"], ["kept rows"]]
    colours = {bars[0].get_facecolor() for axes in (bits, reads, rows) for bars in axes.containers}
    assert len(colours) == 4
    for axes in (bits, reads, rows):
        tallest = max(bar.get_height() for bars in axes.containers for bar in bars)
        assert axes.get_ylim()[1] > 1.1 * tallest  # room for the legend
    times = [bar.get_height() for bar in time.containers[1]]
    assert times == pytest.approx(outcome.report.layer_cycles * (1e6 / outcome.report.clock_hz))
    assert [bar.get_height() for bar in copies.containers[0]] == outcome.design.replication.tolist()


def test_pictures_of_its_cost(own_task):
    outcome = evaluate_settings(own_task, SETTINGS)
    figure = plot_cost(own_task.cost_model, outcome.design)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    values = "weight bits 2..8, activation bits 2..8, reads 1..4, kept rows half/all, copies "
    assert any(title.startswith(f"latency after: {values}") for title in titles)
    (cells,) = (axes for axes in figure.axes if axes.get_ylabel() == "utilisation (%)")
    shares = own_task.cost_model.utilisation(SETTINGS)
    assert [bar.get_height() for bar in cells.patches] == pytest.approx(100 * shares)
    plan = plot_floor_plan(own_task.cost_model, outcome.design, budget=own_task.budget)
    title = plan.axes[0].get_title(loc="left")
    assert f"{outcome.report.tiles} of {own_task.budget} tiles" in title
