"""Wrappers around a task with knobs of one's own."""

import dataclasses
import json
from itertools import product

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence

from lrmp.envs import CUSTOM_ID, evaluate_settings
from lrmp.envs.wrappers import (
    BudgetProjection,
    CellWidthWeights,
    PinFirstLast,
    RecordDesigns,
    best_line,
)
from lrmp.errors import DesignError, TaskError
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace

NAMES = ("weight_bits", "activation_bits", "reads", "kept_rows")
SIZES = (7, 7, 3, 2)
LAYERS = 4
DISCRETE = pytest.mark.parametrize(
    "discrete", [False, True, "flat"], ids=["box", "discrete", "flat"]
)


def episode(env, actions):
    """Play an episode: the settings asked for and executed, (L, K) each, and the last info."""
    env.reset(seed=0)
    infos = [env.step(action)[4] for action in actions]
    space = env.unwrapped.task.space
    requested, executed = (
        space.from_numbers({n: np.array([i[f"{start}{n}"] for i in infos]) for n in NAMES})
        for start in ("requested_", "")
    )
    assert np.array_equal(env.unwrapped.outcome.design.settings, executed)
    return requested, executed, infos[-1]


def draw(seed, discrete):
    """Draw settings, and the actions that ask for them."""
    places = np.random.default_rng(seed).integers(0, SIZES, (LAYERS, len(SIZES)))
    return places, as_actions(places, SIZES, discrete)


def as_actions(places, sizes, discrete):
    if discrete == "flat":
        return np.ravel_multi_index(tuple(places.T), sizes)
    return places if discrete else ((2 * places + 1) / sizes - 1).astype(np.float32)


def tiles(task, settings):
    return task.cost_model.tiles_per_copy(settings).sum()


@DISCRETE
@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version")  # that is the point
@pytest.mark.parametrize("wrap", [BudgetProjection, PinFirstLast, CellWidthWeights])
def test_check_env_finds_nothing(wrap, discrete, own_task):
    env = gym.make(CUSTOM_ID, task=own_task, discrete=discrete)
    check_env(wrap(env.unwrapped), skip_render_check=True)


@DISCRETE
def test_pinned_layers_have_the_pinned_values(own_task, discrete):
    env = PinFirstLast(gym.make(CUSTOM_ID, task=own_task, discrete=discrete), reads=2)
    for seed in range(3):
        places, actions = draw(seed, discrete)
        requested, executed, _ = episode(env, actions)
        assert np.array_equal(requested, places)
        assert executed[[0, -1]].tolist() == [[6, 6, 1, 1]] * 2
        assert np.array_equal(executed[1:-1], places[1:-1])


def test_values_that_cannot_be_pinned_are_refused(own_task):
    env = gym.make(CUSTOM_ID, task=own_task)
    with pytest.raises(TaskError, match=r"kept_rows of the pinned layers to be one of all; got 'h"):
        PinFirstLast(env, kept_rows="half")
    with pytest.raises(TaskError, match=r"reads of the pinned layers to be one of 1, 2, 4; got 3"):
        PinFirstLast(env, reads=3)
    with pytest.raises(DesignError, match=r"Expected knob to be one of .*; got 'read'\. Did you m"):
        PinFirstLast(env, read=2)


@DISCRETE
@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.8, 1.0])
def test_projection_turns_down_what_holds_tiles_and_no_more_than_it_must(
    own_task, fraction, discrete
):
    env = BudgetProjection(gym.make(CUSTOM_ID, task=own_task, discrete=discrete), fraction)
    space = own_task.space
    lowered = 0
    for seed in range(6):
        places, actions = draw(seed, discrete)
        if seed % 2:
            places[:, [0, 3]] = 6, 1  # plain, where nothing of them fits
        places[0, 3] = 0  # which the first layer may not have
        actions = as_actions(places, SIZES, discrete)
        requested, executed, _ = episode(env, actions)
        assert np.array_equal(requested, places)
        asked = space.nearest(places)
        assert np.array_equal(executed[:, 1:3], places[:, 1:3])  # they hold no tiles
        assert (executed <= asked).all()
        assert tiles(own_task, executed) <= env.tiles == int(fraction * own_task.budget)
        least = np.array([[0, 0, 0, 1], *[[0, 0, 0, 0]] * 3])
        for layer in range(LAYERS):
            # By brute force: nothing that is nowhere above, and fits, holds more tiles.
            best = 0
            for weight, rows in product(range(asked[layer, 0] + 1), range(asked[layer, 3] + 1)):
                tried = np.concatenate([executed[: layer + 1], least[layer + 1 :]])
                tried[layer, [0, 3]] = weight, rows
                if space.allows(tried).all() and tiles(own_task, tried) <= env.tiles:
                    best = max(best, own_task.cost_model.tiles_per_copy(tried)[layer])
            assert own_task.cost_model.tiles_per_copy(executed)[layer] == best
        lowered += int((executed < asked).sum())
    assert (lowered > 0) == (fraction < 1.0)


@DISCRETE
def test_cells_are_filled_and_other_knobs_left_alone(own_task, discrete):
    chip = dataclasses.replace(own_task.accelerator, cell_bits=3)
    task = dataclasses.replace(own_task, accelerator=chip)
    env = CellWidthWeights(gym.make(CUSTOM_ID, task=task, discrete=discrete))
    if discrete == "flat":
        assert env.action_space == gym.spaces.Discrete(84)
    elif discrete:
        assert env.action_space == gym.spaces.MultiDiscrete([2, 7, 3, 2])
    sizes = (2, 7, 3, 2)
    places = np.random.default_rng(1).integers(0, sizes, (LAYERS, 4))
    actions = as_actions(places, sizes, discrete)
    requested, executed, _ = episode(env, actions)
    wanted = places.copy()
    wanted[:, 0] = np.array([1, 4])[places[:, 0]]  # 3 and 6 bits
    assert np.array_equal(requested, wanted)
    assert np.array_equal(executed, task.space.nearest(wanted))


def test_masks_are_of_what_a_layer_can_get(own_task):
    chip = dataclasses.replace(own_task.accelerator, cell_bits=3)
    task = dataclasses.replace(own_task, accelerator=chip)
    masks = {}
    for discrete in (True, "flat"):
        inner = CellWidthWeights(gym.make(CUSTOM_ID, task=task, discrete=discrete))
        env = PinFirstLast(inner, weight_bits=6, reads=2)
        env.action_space.seed(0)
        infos = [env.reset()[1]]
        shown = [env.get_wrapper_attr("action_masks")()]
        for _ in range(LAYERS):
            infos.append(env.step(env.action_space.sample())[4])
            shown.append(env.get_wrapper_attr("action_masks")())
        masks[discrete] = np.array([info["action_mask"] for info in infos])
        assert masks[discrete].dtype == np.int8
        assert np.array_equal(masks[discrete], shown)
    pinned = [0, 1, *[0] * 6, 1, 0, 1, 0, 0, 1]  # 6 of 3 and 6 bits; 8; 2 reads; all rows
    free = [1] * 14
    assert masks[True].tolist() == [pinned, free, free, pinned, pinned]
    assert masks["flat"].sum(axis=1).tolist() == [1, 84, 84, 1, 1]
    assert masks["flat"][0].argmax() == np.ravel_multi_index((1, 6, 1, 1), (2, 7, 3, 2))


def with_wide_first_layer(task):
    """Let the first layer have 7 or 8 weight bits: no multiple of 3."""
    bits = ((7, 8), *[tuple(range(2, 9))] * 3)
    space = DesignSpace(task.space.knobs, {**dict(task.space.allowed), "weight_bits": bits})
    chip = dataclasses.replace(task.accelerator, cell_bits=3)
    return dataclasses.replace(task, accelerator=chip, space=space)


def test_layers_without_a_multiple_get_the_nearest_to_it(own_task):
    task = with_wide_first_layer(own_task)
    env = CellWidthWeights(gym.make(CUSTOM_ID, task=task, discrete=True))
    assert [env.choices(layer)[0] for layer in range(2)] == [(5,), (1, 4)]
    requested, executed, _ = episode(env, np.zeros((LAYERS, 4), int))
    assert requested[:, 0].tolist() == [1, 1, 1, 1]
    assert executed[:, 0].tolist() == [5, 1, 1, 1]
    projected = BudgetProjection(env, 0.6)
    assert projected.choices(0)[0] == (5,)
    _, executed, _ = episode(projected, np.tile([1, 6, 0, 1], (LAYERS, 1)))
    assert executed[0, 0] == 5
    assert task.cost_model.tiles_per_copy(executed).sum() <= projected.tiles
    pinned = PinFirstLast(gym.make(CUSTOM_ID, task=task, discrete=True))
    assert CellWidthWeights(pinned).choices(0)[0] == (6,)  # 8 bits, which are pinned inside
    assert CellWidthWeights(BudgetProjection(gym.make(CUSTOM_ID, task=task))).choices(1)[0] == (
        1,
        4,
    )


@DISCRETE
def test_stacked_wrappers_agree(own_task, discrete):
    chip = dataclasses.replace(own_task.accelerator, cell_bits=2)
    task = dataclasses.replace(own_task, accelerator=chip)
    inner = gym.make(CUSTOM_ID, task=task, discrete=discrete)
    env = BudgetProjection(PinFirstLast(CellWidthWeights(inner), reads=4), 0.4)
    env.action_space.seed(0)
    lowered = 0
    for _ in range(5):
        actions = [env.action_space.sample() for _ in range(LAYERS)]
        requested, executed, info = episode(env, actions)
        assert executed[[0, -1]].tolist() == [[6, 6, 2, 1]] * 2
        assert set(executed[:, 0]) <= {0, 2, 4, 6}
        assert tiles(task, executed) <= env.tiles
        assert info["gain"] == evaluate_settings(task, executed).gain
        lowered += int((executed < requested)[1:-1].sum())
    assert lowered


@DISCRETE
def test_every_finished_design_is_a_record(own_task, discrete, tmp_path):
    env = gym.make(CUSTOM_ID, task=own_task, discrete=discrete)
    env = RecordDesigns(BudgetProjection(env, 0.7), tmp_path / "designs.jsonl")
    outcomes = []
    for seed in range(3):
        _, actions = draw(seed, discrete)
        env.reset()
        for action in actions:
            env.step(action)
        outcomes.append(env.unwrapped.outcome)
        line = json.loads((tmp_path / "designs.jsonl").read_text().splitlines()[-1])
        assert line["claim"]["score"] == outcomes[-1].score
        assert Design.from_json(line["design"], own_task.space) == outcomes[-1].design
    # Without a score the smallest drop counts.
    best = max(outcomes, key=lambda o: (o.score is not None, o.score or -o.accuracy_drop))
    found = json.loads(best_line(tmp_path / "designs.jsonl"))
    assert found["design"] == best.design.to_json()


def test_wrappers_travel_in_the_spec(own_task):
    spec = gym.make(CUSTOM_ID, task=own_task, discrete=True).spec
    spec.additional_wrappers = (
        PinFirstLast.wrapper_spec(reads=2, kept_rows="all"),
        BudgetProjection.wrapper_spec(fraction=0.8),
    )
    places, _ = draw(0, discrete=True)
    transitions = []
    for env in (gym.make(spec), gym.make(gym.make(spec).spec)):
        env.reset(seed=0)
        transitions.append([env.step(place) for place in places])
    assert data_equivalence(*transitions, exact=True)
    assert transitions[0][0][4]["reads"] == 2
