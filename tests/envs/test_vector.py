"""The vector environments play exactly as as many scalar ones do, one by one."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from lrmp.envs import load_task
from lrmp.errors import ActionError, InfeasibleBudgetError, TaskError

COUNT = 3
MODES = pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)
#: Every form and objective, additive and other accuracy models, continuous and discrete actions.
CASES = {
    "LRMP-MLP-v0": {},
    "LRMP-LeNet-Throughput-v0": {"discrete": True},
    "LRMP-LeNet-EDP-v0": {"dense": True, "reward": "cim-aq"},
    "LRMP-ResNet18-v1": {},
    "LRMP-ResNet8-Energy-v0": {"solver": "ilp"},
    "LRMP-Digits-v0": {"discrete": True},
    "LRMP-ResNet18-OneShot-v0": {},
    "LRMP-ResNet8-EDP-OneShot-v0": {"discrete": True, "reward": "haq"},
    "LRMP-LeNet-Refine-v0": {"horizon": 7},
    "LRMP-ResNet20-Throughput-Refine-v0": {"horizon": 4},
}


def same(a, b):
    return data_equivalence(a, b, exact=True)


def make(env_id, mode, vectorised, count=COUNT, **settings):
    if vectorised:
        return gym.make_vec(env_id, count, autoreset_mode=mode, **settings)
    return gym.make_vec(env_id, count, "sync", vector_kwargs={"autoreset_mode": mode}, **settings)


def comparable(infos):
    """Spell out the designs of scalar infos as vector infos do; reports have no counterpart."""
    found = {}
    for key, values in infos.items():
        if key == "final_info":
            found[key] = comparable(values)
        elif key == "design":
            has = infos["_design"]
            count = len(values[has][0].weight_bits)
            for name, attribute in [
                ("design_weight_bits", "weight_bits"),
                ("design_activation_bits", "activation_bits"),
                ("replication", "replication"),
            ]:
                array = np.zeros((len(values), count), np.int64)
                array[has] = [getattr(design, attribute) for design in values[has]]
                found[name], found[f"_{name}"] = array, has
        elif key not in ("_design", "report", "_report"):
            found[key] = values
    return found


def masked(infos):
    """Only what the masks say is there counts."""
    found = {}
    for key, values in infos.items():
        if key == "final_info":
            found[key] = masked(values)
        elif key.startswith("_"):
            found[key] = values
        else:
            found[key] = values[infos[f"_{key}"]]
    return found


def assert_same_step(one, other):
    assert same(one[0], other[0])
    for a, b in zip(one[1:4], other[1:4], strict=True):
        assert a.dtype == b.dtype
        assert np.array_equal(a, b)
    a, b = masked(comparable(one[4])), masked(comparable(other[4]))
    assert a.keys() == b.keys()
    assert a.get("final_info", {}).keys() == b.get("final_info", {}).keys()
    for key, values in a.items():
        if key == "final_info":
            assert all(np.array_equal(values[k], b[key][k]) for k in values)
        elif key == "final_obs":
            assert all(same(x, y) for x, y in zip(values, b[key], strict=True))
        else:
            assert np.array_equal(values, b[key]), key


def assert_parity(env_id, mode, settings, steps):
    vector, sync = make(env_id, mode, True, **settings), make(env_id, mode, False, **settings)
    assert vector.single_observation_space == sync.single_observation_space
    assert vector.single_action_space == sync.single_action_space
    assert vector.observation_space == sync.observation_space
    assert vector.action_space == sync.action_space
    vector.action_space.seed(1)
    starts = vector.reset(seed=0), sync.reset(seed=0)
    assert same(starts[0][0], starts[1][0])
    assert masked(starts[0][1]).keys() == masked(starts[1][1]).keys()
    ended = np.zeros(COUNT, dtype=bool)
    for step in range(steps):
        again = ended.copy() if mode == AutoresetMode.DISABLED else np.zeros(COUNT, dtype=bool)
        again[0] |= step == 1  # starts over early, so that the episodes are at different layers
        if again.any():
            again = [env.reset(options={"reset_mask": again.copy()}) for env in (vector, sync)]
            assert same(again[0][0], again[1][0])
        actions = vector.action_space.sample()
        one, other = vector.step(actions), sync.step(actions)
        assert_same_step(one, other)
        ended = one[2] | one[3]
    return vector, sync


@MODES
@pytest.mark.parametrize("env_id", CASES)
def test_vector_env_equals_scalar_ones(env_id, mode):
    steps = 2 * len(gym.make(env_id).unwrapped.task.network) + 3
    assert_parity(env_id, mode, CASES[env_id], min(steps, 48))


@MODES
def test_vector_env_truncates_as_the_time_limit_does(mode):
    assert_parity("LRMP-ResNet18-v1", mode, {"max_episode_steps": 5}, 20)


def test_async_workers_play_the_same():
    mode = AutoresetMode.SAME_STEP
    vector = make("LRMP-MLP-v0", mode, True, 2)
    workers = gym.make_vec(
        "lrmp:LRMP-MLP-v0",
        2,
        "async",
        vector_kwargs={"autoreset_mode": mode, "context": "spawn"},
    )
    try:
        vector.action_space.seed(2)
        assert same(vector.reset(seed=0)[0], workers.reset(seed=0)[0])
        for _ in range(7):
            actions = vector.action_space.sample()
            assert_same_step(vector.step(actions), workers.step(actions))
    finally:
        workers.close()


def test_observations_are_not_written_again():
    vector = make("LRMP-MLP-v0", "SameStep", True)
    seen = [vector.reset()[0]]
    copies = [seen[0].copy()]
    for _ in range(4):
        seen.append(vector.step(np.zeros((COUNT, 2), np.float32))[0])
        copies.append(seen[-1].copy())
    assert all(map(np.array_equal, seen, copies))


def test_episode_statistics_wrapper_counts_returns():
    env = RecordEpisodeStatistics(make("LRMP-LeNet-v0", "SameStep", True, discrete=True))
    env.reset(seed=0)
    for _ in range(4):
        _, rewards, terminated, _, infos = env.step(np.full((COUNT, 2), 3))
    assert terminated.all()
    assert np.array_equal(infos["episode"]["r"], rewards)
    assert infos["episode"]["l"].tolist() == [4] * COUNT


def test_step_before_reset_is_refused():
    env = make("LRMP-MLP-v0", "NextStep", True)
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before step\(\)"):
        env.step(env.action_space.sample())
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected a reset\(\) of all episodes before"):
        env.reset(options={"reset_mask": np.array([True, False, True])})


def test_step_of_ended_episodes_is_refused_without_autoreset():
    env = make("LRMP-MLP-OneShot-v0", "Disabled", True)
    env.reset()
    env.step(env.action_space.sample())
    with pytest.raises(gym.error.ResetNeeded, match=r"episodes \[0, 1, 2\] that ended"):
        env.step(env.action_space.sample())


@pytest.mark.parametrize(
    ("settings", "actions", "message"),
    [
        ({}, np.zeros((2, 2)), r"Expected actions of shape \(3, 2\), each in Box.*, got \(2, 2\)"),
        ({}, np.full((3, 2), np.nan), r"got array\(\[nan, nan\]\)"),
        ({}, np.array([[0, 0], [0, 1.5], [0, 0]]), r"got array\(\[0\. , 1\.5\]\)"),
        ({"discrete": True}, np.full((3, 2), 7), r"MultiDiscrete\(\[7 7\]\), got array\(\[7, 7\]"),
        ({"discrete": True}, np.zeros((3, 2)), r"got dtype\('float64'\)"),
    ],
)
def test_actions_outside_the_space_are_refused_and_change_nothing(settings, actions, message):
    env, twin = (make("LRMP-MLP-v0", "NextStep", True, **settings) for _ in range(2))
    env.reset()
    twin.reset()
    with pytest.raises(ActionError, match=message):
        env.step(actions)
    good = twin.action_space.sample()
    assert_same_step(env.step(good), twin.step(good))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_envs": 0}, "Expected num_envs of at least 1, got 0"),
        ({"autoreset_mode": "same"}, "Expected autoreset_mode to be one of NextStep, SameStep"),
        ({"render_mode": "ansi"}, "Expected render_mode None, got 'ansi'. Render a scalar"),
        ({"reward": "lrpm"}, "Expected reward to be one of"),
    ],
)
def test_wrong_arguments_are_refused(settings, message):
    with pytest.raises(TaskError, match=message):
        gym.make_vec("LRMP-MLP-v0", **{"num_envs": 2, **settings})


@pytest.mark.parametrize("mask", [np.zeros(3, bool), np.ones(2, bool), [True] * 3, np.ones(3)])
def test_wrong_reset_masks_are_refused(mask):
    env = make("LRMP-MLP-v0", "Disabled", True)
    env.reset()
    with pytest.raises(TaskError, match="Expected reset_mask to be 3 booleans, one of them true"):
        env.reset(options={"reset_mask": mask})
    with pytest.raises(TaskError, match="Expected no reset option but reset_mask, got"):
        env.reset(options={"chip": 1})


def test_designs_that_do_not_fit_change_nothing():
    task = dataclasses.replace(load_task("LRMP-MLP-v0"), budget=100)
    env = gym.make_vec("LRMP-MLP-v0", 2, task=task)
    env.reset()
    light, heavy = np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32)
    for _ in range(2):
        env.step(heavy)
    with pytest.raises(InfeasibleBudgetError):
        env.step(heavy)
    assert env.step(light)[2].all()
