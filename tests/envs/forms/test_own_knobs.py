"""A task with knobs of one's own plays through every form."""

import copy
import math
import pickle
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode

from lrmp.envs import CUSTOM_ID, evaluate_settings
from lrmp.envs.forms.multi_agent_vector import MultiAgentVector
from lrmp.envs.task.environment_id import environment_id
from lrmp.errors import ActionError

NAMES = ("weight_bits", "activation_bits", "reads", "kept_rows")
SIZES = (7, 7, 3, 2)
LAYERS = 4
ONE_SHOT, REFINE = (environment_id(CUSTOM_ID, form) for form in ("OneShot", "Refine"))
PROCEDURAL = {"": "LRMP-Procedural-v0", "OneShot": "LRMP-Procedural-OneShot-v0"}
DISCRETE = pytest.mark.parametrize(
    "discrete", [False, True, "flat"], ids=["box", "discrete", "flat"]
)
MODES = pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)


def same(a, b):
    return data_equivalence(a, b, exact=True)


def draw(seed, *shape):
    """Draw places of all values, also of those that the first layer may not have."""
    return np.random.default_rng(seed).integers(0, SIZES, (*shape, LAYERS, len(SIZES)))


def executed(places):
    """What becomes of them, by hand: the first layer keeps all its rows."""
    settings = places.copy()
    settings[..., 0, 3] = 1
    return settings


def shown(setting):
    """Numbers in infos: values, but of labels the place."""
    weight, activation, reads, rows = setting.tolist()
    return [2 + weight, 2 + activation, (1, 2, 4)[reads], rows]


def as_box(places):
    """Middles of the parts of -1..1 that stand for the places."""
    return ((2 * places + 1) / SIZES - 1).astype(np.float32)


def as_flat(places):
    """Numbers of settings, the last knob counting fastest."""
    return np.ravel_multi_index(tuple(np.moveaxis(places, -1, 0)), SIZES)


def play(env, actions):
    return [env.reset(seed=0), *(env.step(action) for action in actions)]


def random_episode(env, seed):
    """Play an episode of random actions."""
    env.action_space.seed(seed)
    transitions, ended = [env.reset(seed=seed)], False
    while not ended:
        transitions.append(env.step(env.action_space.sample()))
        ended = transitions[-1][2]
    return transitions


@pytest.fixture(params=["layerwise", "dense", "one-shot", "refine", "drawn", "drawn one-shot"])
def make(request, own_task):
    """Make every form of the task."""
    env_id, settings = {
        "layerwise": (CUSTOM_ID, {"task": own_task}),
        "dense": (CUSTOM_ID, {"task": own_task, "dense": True}),
        "one-shot": (ONE_SHOT, {"task": own_task}),
        "refine": (REFINE, {"task": own_task, "horizon": 9}),
        "drawn": (PROCEDURAL[""], {"tasks": [own_task]}),
        "drawn one-shot": (PROCEDURAL["OneShot"], {"tasks": [own_task]}),
    }[request.param]

    def make(discrete=False, **more):
        if request.param != "refine":
            more["discrete"] = discrete
        return gym.make(env_id, **settings, **more)

    return make


@DISCRETE
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("render_mode", ["ansi", "rgb_array"])
def test_check_env_finds_nothing(make, discrete, render_mode):
    check_env(make(discrete, render_mode=render_mode).unwrapped, skip_render_check=True)


def test_spaces_are_those_of_the_knobs(own_task):
    many, nvec = gym.spaces.MultiDiscrete, np.array(SIZES)
    for discrete, wanted in ((True, many(nvec)), (False, gym.spaces.Box(-1, 1, (4,)))):
        assert gym.make(CUSTOM_ID, task=own_task, discrete=discrete).action_space == wanted
    flat = gym.make(CUSTOM_ID, task=own_task, discrete="flat")
    assert flat.action_space == gym.spaces.Discrete(294)
    flat = gym.make(ONE_SHOT, task=own_task, discrete="flat")
    assert flat.action_space == many([294] * LAYERS)
    env = gym.make(ONE_SHOT, task=own_task, discrete=True)
    assert env.action_space == many(np.tile(nvec, LAYERS))
    assert gym.make(ONE_SHOT, task=own_task).action_space == gym.spaces.Box(-1, 1, (16,))
    env = gym.make(REFINE, task=own_task)
    assert env.action_space == gym.spaces.Discrete(2 * 4 * LAYERS + 1)
    assert env.unwrapped.horizon == (6 + 6 + 2 + 1) * LAYERS
    env = gym.make(PROCEDURAL["OneShot"], tasks=[own_task], discrete=True)
    assert env.action_space == many(np.tile(nvec, 128))


def test_an_episode_by_hand(own_task, by_hand):
    env = gym.make(CUSTOM_ID, task=own_task, discrete=True)
    space, accuracy = own_task.space, own_task.accuracy
    names = env.unwrapped.feature_names
    plain = by_hand(own_task, [8] * 4, [8] * 4, [1] * 4)
    most_cycles = by_hand(own_task, [8] * 4, [8] * 4, [1] * 4, [4] * 4)[1]
    for seed in range(5):
        places = draw(seed)
        places[0, 3] = 0  # which it may not have
        settings = executed(places)
        values = [list(row) for row in zip(*(space[n].decode(settings[:, k]) for k, n in enumerate(NAMES)))]  # fmt: skip  # noqa: B905, E501
        first, *steps = play(env, places)
        so_far = [[8, 8, 1, "all"] for _ in range(LAYERS)]
        for step, (observation, *rest) in enumerate([first, *steps]):
            if step:
                reward, terminated, truncated, info = rest
                so_far[step - 1] = values[step - 1]
                assert [info[name] for name in NAMES] == shown(settings[step - 1])
                assert {type(info[name]) for name in NAMES} == {np.int64}
                assert (terminated, truncated) == (step == LAYERS, False)
            w, a, reads, kept = zip(*so_far, strict=True)
            tiles, cycles = by_hand(own_task, w, a, [1] * 4, reads, kept)
            spent = sum(
                accuracy.terms["weight_bits",][layer, w[layer] - 2]
                + accuracy.terms["activation_bits", "reads"][layer, a[layer] - 2, (1, 2, 4).index(reads[layer])]  # noqa: E501
                + accuracy.terms["kept_rows",][layer, ("half", "all").index(kept[layer])]
                for layer in range(LAYERS)
            )  # fmt: skip
            before = so_far[max(step - 1, 0)]
            expected = {
                "previous_weight_bits": (before[0] - 2) / 6,
                "previous_activation_bits": (before[1] - 2) / 6,
                "previous_reads": (1, 2, 4).index(before[2]) / 2,
                "previous_kept_rows": float(before[3] == "all"),
                "tiles": sum(tiles) / own_task.budget,
                "accuracy_spent": spent / (spent + 1),
                "cycles": sum(cycles) / sum(most_cycles),
                "bottleneck": max(cycles) / max(most_cycles),
            }
            assert names[-8:] == tuple(expected)
            assert observation[-8:] == pytest.approx(list(expected.values()), abs=1e-6)
        outcome = env.unwrapped.outcome
        design, report = outcome.design, outcome.report
        assert np.array_equal(design.settings, settings)
        tiles, cycles = by_hand(own_task, w, a, design.replication, reads, kept)
        assert report.layer_tiles.tolist() == tiles
        assert report.layer_cycles.tolist() == cycles
        assert sum(tiles) <= own_task.budget == sum(plain[0])
        assert info["accuracy_drop"] == pytest.approx(spent, rel=1e-12)
        assert info["gain"] == pytest.approx(sum(plain[1]) / sum(cycles), rel=1e-12)
        gained = math.log(sum(plain[1]) / sum(cycles))
        wanted = gained
        if spent > 1:
            wanted = max(gained - 100 * math.log(spent), min(gained, 0) - 0.5 * math.log(spent))
        assert reward == pytest.approx(wanted, rel=1e-12, abs=1e-12)


def test_sensitivities_say_what_a_knob_matters(own_task):
    env = gym.make(CUSTOM_ID, task=own_task)
    terms = own_task.accuracy.terms
    together = terms["activation_bits", "reads"]
    raw = np.stack(
        [
            terms["weight_bits",][:, 2] - terms["weight_bits",][:, 6],
            together[:, 2, 0] - together[:, 6, 0],
            together[:, 6, 0] - together[:, 6, 1],  # two reads are better than one
            terms["kept_rows",][:, 0] - terms["kept_rows",][:, 1],
        ],
        axis=1,
    )
    raw[0, 3] = 0  # the first layer keeps all rows
    logs = np.log10(np.maximum(raw, 1e-4 * raw.max()))
    scaled = (logs - logs.min()) / (logs.max() - logs.min())
    names = env.unwrapped.feature_names
    first = names.index("weight_bits_sensitivity")
    assert names[first : first + 4] == tuple(f"{name}_sensitivity" for name in NAMES)
    shown = [step[0][first : first + 4] for step in play(env, np.full((4, 4), 0.5))[:4]]
    assert np.array(shown) == pytest.approx(scaled, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_every_form_scores_a_choice_alike(own_task, seed):
    places = draw(seed)
    settings = executed(places)
    outcome = evaluate_settings(own_task, settings)
    for discrete, actions in ((True, places), (False, as_box(places)), ("flat", as_flat(places))):
        flat = actions.reshape(-1)
        padded = np.zeros(32 * flat.size, actions.dtype)
        padded[: flat.size] = flat
        episodes = {
            "layerwise": (gym.make(CUSTOM_ID, task=own_task, discrete=discrete), actions),
            "one-shot": (gym.make(ONE_SHOT, task=own_task, discrete=discrete), [flat]),
            "drawn": (gym.make(PROCEDURAL[""], tasks=[own_task], discrete=discrete), actions),
            "drawn one-shot": (
                gym.make(PROCEDURAL["OneShot"], tasks=[own_task], discrete=discrete),
                [padded],
            ),
        }
        for form, (env, chosen) in episodes.items():
            *_, (_, reward, terminated, _, info) = play(env, chosen)
            assert terminated
            assert env.unwrapped.outcome.design == outcome.design, form
            for knob, name in enumerate(NAMES):
                numbers = [shown(setting)[knob] for setting in settings]
                assert info[f"design_{name}"][:LAYERS].tolist() == numbers
            assert info["replication"][:LAYERS].tolist() == outcome.design.replication.tolist()
            assert (reward, info["accuracy_drop"]) == (outcome.reward(), outcome.accuracy_drop)
            if "one-shot" in form:
                found = np.stack([info[name] for name in NAMES], axis=1)
                assert found[:LAYERS].tolist() == [shown(setting) for setting in settings]
                assert not found[LAYERS:].any()
        dense = gym.make(CUSTOM_ID, task=own_task, discrete=discrete, dense=True)
        rewards = [step[1] for step in play(dense, actions)[1:]]
        assert sum(rewards) == pytest.approx(outcome.reward(), rel=1e-12)
        assert all(rewards)


def test_refinement_walks_to_any_design(own_task):
    """By the changes that the masks allow, knob by knob; and to the design's score."""
    target = executed(draw(3))
    env = gym.make(REFINE, task=own_task)
    observation, info = env.reset()
    assert observation[:16].tolist() == [1, 1, 0, 1] * LAYERS
    down, up = [1, 0], [0, 1]
    # Bits and rows can go down, reads up; the first layer has no choice of rows.
    first = [*down, *down, *up, 0, 0]
    assert info["action_mask"].tolist() == [1, *first, *[*down, *down, *up, *down] * 3]
    settings = own_task.space.plain_settings(LAYERS)
    total = 0.0
    while not np.array_equal(settings, target):
        layer, knob = np.argwhere(settings != target)[0]
        step = 1 if target[layer, knob] > settings[layer, knob] else -1
        settings[layer, knob] += step
        action = 1 + 8 * layer + 2 * knob + (step > 0)
        assert info["action_mask"][action]
        observation, reward, terminated, _, info = env.step(action)
        total += reward
        assert info["action_possible"]
        assert observation[:16] == pytest.approx((settings / (np.array(SIZES) - 1)).ravel())
        assert total == pytest.approx(evaluate_settings(own_task, settings).reward(), abs=1e-12)
    impossible = np.flatnonzero(info["action_mask"] == 0)
    assert {7, 8} <= set(impossible)  # rows of the first layer
    *_, info = env.step(8)
    assert not info["action_possible"]
    while not terminated:
        *_, terminated, _, info = env.step(0)
    assert np.array_equal(env.unwrapped.outcome.design.settings, target)
    found = np.stack([info[name] for name in NAMES], axis=1)
    assert found.tolist() == [shown(setting) for setting in target]


def test_refinement_skips_what_a_layer_may_not_have(own_task):
    from dataclasses import replace

    allowed = (*own_task.space.allowed, ("weight_bits", ((2, 5, 8), *[tuple(range(2, 9))] * 3)))
    space = replace(own_task.space, allowed=allowed)
    task = replace(own_task, space=space)
    env = gym.make(REFINE, task=task, horizon=3)
    env.reset()
    for bits in (5, 2):
        env.step(1)
        assert env.unwrapped.view().settings[0, 0] == bits - 2
    assert env.unwrapped.action_masks()[1:3].tolist() == [False, True]
    env.step(2)
    assert env.unwrapped.outcome.design["weight_bits"][0] == 5
    layerwise = gym.make(CUSTOM_ID, task=task, discrete=True)
    for place, bits in enumerate((2, 2, 5, 5, 5, 8, 8)):  # the lower of two as near
        layerwise.reset()
        assert layerwise.step([place, 0, 0, 0])[4]["weight_bits"] == bits


FORMS = {
    "box": (CUSTOM_ID, {}),
    "discrete": (CUSTOM_ID, {"discrete": True}),
    "flat": (CUSTOM_ID, {"discrete": "flat"}),
    "one-shot flat": (ONE_SHOT, {"discrete": "flat"}),
    "dense": (CUSTOM_ID, {"discrete": True, "dense": True}),
    "one-shot box": (ONE_SHOT, {}),
    "one-shot discrete": (ONE_SHOT, {"discrete": True}),
    "refine": (REFINE, {"horizon": 5}),
}


@MODES
@pytest.mark.parametrize("form", FORMS)
def test_vector_env_equals_scalar_ones(form, mode, own_task, assert_parity):
    env_id, settings = FORMS[form]
    assert_parity(env_id, mode, {"task": own_task, **settings}, 14)


@MODES
@pytest.mark.parametrize("form", ["box", "one-shot discrete", "refine"])
def test_truncated_vector_env_equals_scalar_ones(form, mode, own_task, assert_parity):
    env_id, settings = FORMS[form]
    assert_parity(env_id, mode, {"task": own_task, "max_episode_steps": 2, **settings}, 8)


@MODES
def test_vectors_of_drawn_tasks_play(own_task, mode):
    for env_id in PROCEDURAL.values():
        envs = gym.make_vec(env_id, 2, autoreset_mode=mode, tasks=[own_task], discrete=True)
        envs.reset(seed=0)
        envs.action_space.seed(0)
        for _ in range(1 if mode == AutoresetMode.DISABLED else 9):
            observations, *_ = envs.step(envs.action_space.sample())
            assert observations in envs.observation_space


@pytest.mark.parametrize("credit", ["team", "difference"])
def test_agents_play_in_arrays_as_in_the_environment(own_task, credit):
    pytest.importorskip("pettingzoo")
    from lrmp.envs.forms.multi_agent import parallel_env

    rules = {"rounds": 2, "credit": credit}
    vector = MultiAgentVector(own_task, 3, **rules)
    envs = [parallel_env(own_task, discrete=True, **rules) for _ in range(3)]
    boxes = [parallel_env(own_task, **rules) for _ in range(3)]
    observations, states = vector.reset()
    expected = [env.reset()[0] for env in envs]
    flats = [parallel_env(own_task, discrete="flat", **rules) for _ in range(3)]
    for env in (*boxes, *flats):
        env.reset()
    assert envs[0].action_space("layer_0") == gym.spaces.MultiDiscrete(SIZES)
    for round_ in range(2):
        for game, env in enumerate(envs):
            assert np.array_equal(states[game], env.state())
            assert np.array_equal(observations[game], list(expected[game].values()))
        places = draw(round_, 3)
        observations, states, rewards, _ = vector.step(places)
        assert np.array_equal(vector.played[round_][0], executed(places))
        for game, env in enumerate(envs):
            found = env.step(dict(zip(env.agents, places[game], strict=True)))
            joint = dict(zip(boxes[game].agents, as_box(places[game]), strict=True))
            assert same(boxes[game].step(joint), found)
            joint = dict(zip(flats[game].agents, as_flat(places[game]), strict=True))
            masks = flats[game].action_masks()
            *flat, infos = flats[game].step(joint)
            for agent, info in infos.items():
                assert np.array_equal(info.pop("action_mask"), masks[agent])
            assert same((*flat, infos), found)
            expected[game] = found[0]
            assert rewards[game].tolist() == list(found[1].values())
            outcome = evaluate_settings(own_task, executed(places[game]))
            if credit == "team" and not round_:
                assert set(found[1].values()) == {outcome.reward()}
            if credit == "difference" and not round_:
                for layer in range(LAYERS):
                    plain = executed(places[game])
                    plain[layer] = own_task.space.plain
                    worth = outcome.reward() - evaluate_settings(own_task, plain).reward()
                    assert found[1][f"layer_{layer}"] == worth
            for layer, info in enumerate(found[4].values()):
                assert [info[name] for name in NAMES] == shown(outcome.design.settings[layer])
                assert {type(info[name]) for name in NAMES} == {np.int64}
    vector.reset()
    with pytest.raises(ActionError, match=r"0 to 2 for reads, 0 to 1 for kept_rows, in shape"):
        vector.step(np.full((3, LAYERS, 4), 2))


@DISCRETE
def test_pettingzoo_finds_nothing(own_task, discrete, capsys):
    pytest.importorskip("pettingzoo")
    from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test
    from pettingzoo.test.state_test import state_test

    from lrmp.envs.forms.multi_agent import env, parallel_env

    settings = {"discrete": discrete, "rounds": 3}
    parallel_api_test(parallel_env(own_task, **settings), num_cycles=20)
    parallel_seed_test(lambda: parallel_env(own_task, **settings), num_cycles=6)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Action space for each agent probably should be")
        api_test(env(own_task, **settings), num_cycles=20)
    parallel = parallel_env(own_task, **settings)
    state_test(env(own_task, **settings), parallel)
    agents, one_by_one = parallel_env(own_task, discrete=discrete), env(own_task, discrete=discrete)
    places = draw(8)
    actions = {True: places, False: as_box(places), "flat": as_flat(places)}[discrete]
    one_by_one.reset(seed=0)
    agents.reset(seed=0)
    for agent, action in zip(one_by_one.agents, actions, strict=True):
        assert one_by_one.agent_selection == agent
        one_by_one.step(action)
    _, rewards, *_ = agents.step(dict(zip(agents.agents, actions, strict=True)))
    assert one_by_one.rewards == rewards
    assert set(rewards.values()) == {evaluate_settings(own_task, executed(places)).reward()}


def numbers(observation):
    """Flatten what lies in 0..1."""
    if isinstance(observation, dict):
        parts = (observation[key] for key in ("current", "running", "totals") if key in observation)
        return np.concatenate(list(parts))
    return observation


def test_observations_are_in_range_and_never_constant(make):
    env = make(discrete=True)
    seen = []
    for seed in range(40):
        for observation, *_ in random_episode(env, seed):
            assert observation in env.observation_space
            seen.append(numbers(observation))
    seen = np.array(seen)
    assert seen.min() >= 0
    assert seen.max() <= 1
    varying = np.ptp(seen, axis=0) > 0
    if hasattr(env.unwrapped, "feature_names"):
        names = np.array(env.unwrapped.feature_names)
    else:
        tables = env.unwrapped.describe_observation()
        keys = [key for key in ("current", "running", "totals") if key in tables]
        names = np.array([element.name for key in keys for element in tables[key]])
    constant = set(names[~varying].tolist())
    # The first layer keeps all its rows; what is shared by a drawn task's layers stays.
    assert constant <= {"kept_rows_0", "spare_tiles"}


def test_state_of_agents_is_in_range_and_never_constant(own_task):
    vector = MultiAgentVector(own_task, 100, rounds=2)
    parts = [vector.reset(), vector.step(draw(0, 100)), vector.step(draw(1, 100))]
    for place, size in enumerate((vector.observation_size, vector.state_size)):
        seen = np.concatenate([part[place].reshape(-1, size) for part in parts])
        assert seen.min() >= 0
        assert seen.max() <= 1
        constant = np.flatnonzero(np.ptp(seen, axis=0) == 0).tolist()
        assert constant == ([3] if place else [])  # rows of the first layer


def test_pickle_in_the_middle_of_an_episode(make):
    env = make(discrete=True)
    env.reset(seed=0)
    env.action_space.seed(0)
    if "OneShot" not in env.spec.id:
        env.step(env.action_space.sample())
    clones = [pickle.loads(pickle.dumps(env)), copy.deepcopy(env)]
    action = env.action_space.sample()
    expected = env.step(action)
    assert all(same(clone.step(action), expected) for clone in clones)


def test_spec_travels_with_its_task(make):
    env = make()
    spec = pickle.loads(pickle.dumps(env.spec))
    assert spec == env.spec
    assert same(random_episode(gym.make(spec), 4), random_episode(env, 4))


def test_agents_travel(own_task):
    pytest.importorskip("pettingzoo")
    from lrmp.envs.forms.multi_agent import parallel_env

    env = parallel_env(own_task, discrete=True)
    env.reset()
    clone = pickle.loads(pickle.dumps(env))
    joint = dict(zip(env.agents, draw(1), strict=True))
    assert same(clone.step(joint), env.step(joint))


def test_labels_are_no_actions(own_task):
    env = gym.make(CUSTOM_ID, task=own_task, discrete=True).unwrapped
    env.reset()
    for action in ([8, 8, 1, 1], [0, 0, 3, 0], [0, 0, 0], ["2", "2", "1", "all"]):
        with pytest.raises(
            ActionError, match=r"Expected an action in MultiDiscrete\(\[7 7 3 2\]\)"
        ):
            env.step(action)


def test_elements_are_described_with_the_knobs(own_task):
    env = gym.make(CUSTOM_ID, task=own_task).unwrapped
    rows = {element.name: element for element in env.describe_observation()}
    assert tuple(rows) == env.feature_names
    assert rows["reads_sensitivity"].meaning == "relief by reads 2 alone"
    assert rows["kept_rows_sensitivity"].meaning == "harm of kept_rows half alone"
    assert rows["previous_kept_rows"].meaning == "kept_rows of the layer before, all at first"
    assert rows["previous_reads"].normalisation == "place / 2"
    assert not any("feature of your own" in element.meaning for element in rows.values())
    table = gym.make(PROCEDURAL[""], tasks=[own_task]).unwrapped.describe_observation()["layers"]
    meanings = {element.name: element.meaning for element in table}
    assert meanings["reads_relief_4"] == "relief by reads 4 alone"
    assert len(meanings) == len(table) == 9 + 7 + 1
