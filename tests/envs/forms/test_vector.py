"""The vector environments play exactly as as many scalar ones do, one by one."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector as wrappers
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
    "LRMP-ResNet18-v0": {},
    "LRMP-ResNet8-Energy-v0": {"solver": "ilp"},
    "LRMP-Digits-v0": {"discrete": True},
    "LRMP-ResNet20-v0": {"discrete": "flat"},
    "LRMP-LeNet-OneShot-v0": {"discrete": "flat"},
    "LRMP-ResNet18-OneShot-v0": {},
    "LRMP-ResNet8-EDP-OneShot-v0": {"discrete": True, "reward": "haq"},
    "LRMP-LeNet-Refine-v0": {"horizon": 7},
    "LRMP-ResNet20-Throughput-Refine-v0": {"horizon": 4},
}


@MODES
@pytest.mark.parametrize("env_id", CASES)
def test_vector_env_equals_scalar_ones(env_id, mode, assert_parity):
    steps = 2 * len(gym.make(env_id).unwrapped.task.network) + 3
    assert_parity(env_id, mode, CASES[env_id], min(steps, 48))


@MODES
def test_vector_env_truncates_as_the_time_limit_does(mode, assert_parity):
    assert_parity("LRMP-ResNet18-v0", mode, {"max_episode_steps": 5}, 20)


def test_async_workers_play_the_same(make_vector, assert_same_step):
    mode = AutoresetMode.SAME_STEP
    vector = make_vector("LRMP-MLP-v0", 2, mode)
    workers = gym.make_vec(
        "lrmp:LRMP-MLP-v0",
        2,
        "async",
        vector_kwargs={"autoreset_mode": mode, "context": "spawn"},
    )
    try:
        vector.action_space.seed(2)
        assert_same_step(vector.reset(seed=0), workers.reset(seed=0))
        for _ in range(7):
            actions = vector.action_space.sample()
            assert_same_step(vector.step(actions), workers.step(actions))
    finally:
        workers.close()


def test_observations_are_not_written_again(make_vector):
    vector = make_vector("LRMP-MLP-v0", COUNT, "SameStep")
    seen = [vector.reset()[0]]
    copies = [seen[0].copy()]
    for _ in range(4):
        seen.append(vector.step(np.zeros((COUNT, 2), np.float32))[0])
        copies.append(seen[-1].copy())
    assert all(map(np.array_equal, seen, copies))


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_statistics_of_episodes_that_end_together(mode, make_vector):
    env = RecordEpisodeStatistics(make_vector("LRMP-LeNet-v0", COUNT, mode, discrete=True))
    env.reset(seed=0)
    for episode in range(3):
        if episode and mode == "NextStep":
            assert "episode" not in env.step(np.full((COUNT, 2), 3))[4]
        if episode and mode == "Disabled":
            env.reset(options={"reset_mask": np.ones(COUNT, dtype=bool)})
        for _ in range(4):
            _, rewards, _, _, infos = env.step(np.full((COUNT, 2), 3))
        assert np.array_equal(infos["episode"]["r"], rewards)
        assert infos["episode"]["l"].tolist() == [4] * COUNT
    assert env.episode_count == 3 * COUNT


WRAPPERS = {
    "clip_actions": wrappers.ClipAction,
    "clip_rewards": lambda env: wrappers.ClipReward(env, -1, 1),
    "flatten": wrappers.FlattenObservation,
    "info_lists": wrappers.DictInfoToList,
    "normalize_observations": wrappers.NormalizeObservation,
    "normalize_rewards": wrappers.NormalizeReward,
    "rescale_actions": lambda env: wrappers.RescaleAction(env, np.float32(0), np.float32(1)),
}


@pytest.mark.parametrize("env_id", ["LRMP-MLP-v0", "LRMP-MLP-OneShot-v0"])
@pytest.mark.parametrize("name", WRAPPERS)
def test_gymnasiums_wrappers_play_on(name, env_id, make_vector):
    env, plain = (make_vector(env_id, COUNT, "NextStep") for _ in range(2))
    env = WRAPPERS[name](env)
    env.reset(seed=0)
    plain.reset(seed=0)
    actions = plain.action_space.sample()
    wrapped = (actions + 1) / 2 if name == "rescale_actions" else actions
    for _ in range(9):
        _, _, terminated, truncated, infos = env.step(wrapped)
        expected = plain.step(actions)
        assert np.array_equal(terminated, expected[2])
        assert not truncated.any()
        if name == "info_lists":
            assert [info["gain"] for info in infos] == list(expected[4]["gain"])


@pytest.mark.parametrize("form", ["", "-OneShot"])
@pytest.mark.parametrize("nothing", [np.nan, np.inf, 7.0])
def test_actions_of_a_reset_are_not_looked_at(form, nothing, make_vector, assert_same_step):
    env, twin = (make_vector(f"LRMP-LeNet{form}-v0", COUNT, "NextStep") for _ in range(2))
    for one in (env, twin):
        one.reset(seed=0)
    good = twin.action_space.sample()
    while not twin.step(good)[2].all():
        pass
    while not env.step(good)[2].all():
        pass
    assert_same_step(env.step(np.full_like(good, nothing)), twin.step(good))  # all reset
    assert_same_step(env.step(good), twin.step(good))
    env.reset()
    with pytest.raises(ActionError, match="Expected actions of shape"):
        env.step(np.full_like(good, nothing))


def test_actions_of_some_that_reset_are_not_looked_at(make_vector, assert_same_step):
    env, twin = (make_vector("LRMP-MLP-v0", COUNT, "NextStep") for _ in range(2))
    good = np.full((COUNT, 2), 0.4, np.float32)
    bad = good.copy()
    bad[1:] = np.nan
    for one in (env, twin):
        one.reset(seed=0)
        one.step(good)
        one.reset(options={"reset_mask": np.array([True, False, False])})
        one.step(good)
        assert one.step(good)[2].tolist() == [False, True, True]
    assert_same_step(env.step(bad), twin.step(good))
    with pytest.raises(ActionError, match="got array"):
        env.step(bad)
    assert_same_step(env.step(good), twin.step(good))


@pytest.mark.parametrize(
    ("env_id", "settings", "values"),
    [
        ("LRMP-MLP-v0", {"discrete": True}, [[0, 6], [3, 1], [5, 5]]),
        ("LRMP-MLP-OneShot-v0", {"discrete": True}, [[0, 6, 3, 1, 5, 5]] * COUNT),
        ("LRMP-MLP-Refine-v0", {"horizon": 4}, [1, 3, 12]),
        ("LRMP-MLP-v0", {"discrete": "flat"}, [0, 48, 9]),
        ("LRMP-MLP-OneShot-v0", {"discrete": "flat"}, [[48, 0, 7]] * COUNT),
        ("LRMP-MLP-v0", {}, [[0, 1], [1, 1], [1, 0]]),
        ("LRMP-MLP-OneShot-v0", {}, [[0, 1, 1, 1, 0, 0]] * COUNT),
    ],
)
def test_actions_may_be_lists_and_any_integers(
    env_id, settings, values, make_vector, assert_same_step
):
    env, twin = (make_vector(env_id, COUNT, "NextStep", **settings) for _ in range(2))
    scalar = gym.make(env_id, **settings)
    for actions in (values, tuple(values), *(np.array(values, kind) for kind in "bBhHiIl")):
        twin.reset()
        env.reset()
        scalar.reset()
        expected = twin.step(np.array(values, dtype=env.action_space.dtype))
        assert_same_step(env.step(actions), expected)
        assert np.array_equal(scalar.step(actions[0])[0], expected[0][0])


def test_ragged_actions_are_refused(make_vector):
    env = make_vector("LRMP-MLP-v0", 2, "NextStep")
    env.reset()
    with pytest.raises(ActionError, match=r"Expected actions .*, got \[\[0\.5\], \[0\.5, 0\.5\]\]"):
        env.step([[0.5], [0.5, 0.5]])


def test_seeds_may_be_listed_one_per_episode(make_vector, assert_same_step):
    env, sync = (make_vector("LRMP-MLP-v0", COUNT, "NextStep", native) for native in (True, False))
    assert_same_step(env.reset(seed=[3, None, 5]), sync.reset(seed=[3, None, 5]))
    assert env.np_random_seed == sync.np_random_seed[0] == 3
    with pytest.raises(TaskError, match="Expected a seed or 3 seeds, one per episode; got 2"):
        env.reset(seed=[1, 2])
    for wrong in (-1, 1.5, "1"):
        with pytest.raises(gym.error.Error, match="Seed must be"):
            env.reset(seed=wrong)


def test_closing_twice_is_no_error(make_vector):
    env = make_vector("LRMP-MLP-v0", COUNT, "NextStep")
    env.close()
    env.close()
    assert env.closed


def test_step_before_reset_is_refused(make_vector):
    env = make_vector("LRMP-MLP-v0", COUNT, "NextStep")
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before step\(\)"):
        env.step(env.action_space.sample())
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected a reset\(\) of all episodes before"):
        env.reset(options={"reset_mask": np.array([True, False, True])})


def test_step_of_ended_episodes_is_refused_without_autoreset(make_vector):
    env = make_vector("LRMP-MLP-OneShot-v0", COUNT, "Disabled")
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
        ({}, np.array([[0, 0], [0, -1.5], [0, 0]]), r"got array\(\[ 0\. , -1\.5\]\)"),
        ({"discrete": "flat"}, np.array([0, 49, 0]), r"Discrete\(49\), got np.int64\(49\)"),
        ({"discrete": "flat"}, np.array([0, -1, 0]), r"Discrete\(49\), got np.int64\(-1\)"),
    ],
)
def test_actions_outside_the_space_are_refused_and_change_nothing(
    settings, actions, message, make_vector, assert_same_step
):
    env, twin = (make_vector("LRMP-MLP-v0", COUNT, "NextStep", **settings) for _ in range(2))
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
        ({"num_envs": 2.0}, r"Expected num_envs of at least 1, got 2\.0"),
        (
            {"max_episode_steps": 0},
            "Expected max_episode_steps as a number of at least 1, .* got 0",
        ),
        ({"max_episode_steps": -2}, "Expected max_episode_steps as a number of at least 1"),
        ({"max_episode_steps": 2.5}, "Expected max_episode_steps as a number of at least 1"),
        ({"autoreset_mode": "same"}, "Expected autoreset_mode to be one of NextStep, SameStep"),
        (
            {"render_mode": "human"},
            r"Expected render_mode None, 'ansi' or 'rgb_array'; got 'human'\.",
        ),
        ({"reward": "lrpm"}, "Expected reward to be one of"),
        ({"discrete": "falt"}, r'Expected discrete to be False, True or "flat", got \'falt\''),
    ],
)
def test_wrong_arguments_are_refused(settings, message):
    with pytest.raises(TaskError, match=message):
        gym.make_vec("LRMP-MLP-v0", **{"num_envs": 2, **settings})


@pytest.mark.parametrize(
    "mask", [np.zeros(3, bool), np.ones(2, bool), [True] * 3, np.ones(3), None]
)
def test_wrong_reset_masks_are_refused(mask, make_vector):
    env = make_vector("LRMP-MLP-v0", COUNT, "Disabled")
    env.reset()
    with pytest.raises(TaskError, match="Expected reset_mask to be 3 booleans, one of them true"):
        env.reset(options={"reset_mask": mask})
    with pytest.raises(TaskError, match="Expected no reset option but reset_mask, got"):
        env.reset(options={"chip": 1})


def test_designs_that_do_not_fit_change_nothing():
    task = dataclasses.replace(load_task("LRMP-MLP-v0"), budget=100)
    env = gym.make_vec("LRMP-MLP-v0", 2, task=task)
    env.reset()
    light, heavy = np.full((2, 2), -1, np.float32), np.ones((2, 2), np.float32)
    for _ in range(2):
        env.step(heavy)
    with pytest.raises(InfeasibleBudgetError):
        env.step(heavy)
    assert env.step(light)[2].all()
