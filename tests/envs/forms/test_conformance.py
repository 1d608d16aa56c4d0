"""Every registered environment is a correct Gymnasium environment."""

import math
import pickle
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence

from lrmp.envs.scoring.reward import REWARDS
from lrmp.errors import ActionError
from lrmp.hardware.space.design import Design

DISCRETE = pytest.mark.parametrize("discrete", [False, True], ids=["box", "discrete"])


def same(a, b):
    return data_equivalence(a, b, exact=True)


@DISCRETE
def test_check_env_finds_nothing(spec, discrete):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # What is shown does not depend on the action space, and drawing takes its time.
        check_env(gym.make(spec, discrete=discrete).unwrapped, skip_render_check=discrete)


@DISCRETE
@pytest.mark.parametrize("render_mode", [None, "ansi"])
def test_passive_checker_finds_nothing_over_an_episode(
    spec, discrete, render_mode, play, random_actions
):
    env = gym.make(spec, discrete=discrete, render_mode=render_mode)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        play(env, random_actions(env, 0))
        assert (env.render() is None) == (render_mode is None)


@DISCRETE
def test_two_instances_play_the_same_episode(spec, discrete, play, random_actions):
    one, two = gym.make(spec, discrete=discrete), gym.make(spec, discrete=discrete)
    actions = random_actions(one, 1)
    assert same(play(one, actions), play(two, actions))


def test_episode_is_the_same_whether_or_not_others_ran_before(spec, play, random_actions):
    fresh, used = gym.make(spec), gym.make(spec)
    actions = random_actions(fresh, 2)
    play(used, random_actions(used, 3))
    play(used, random_actions(used, 4)[:2])  # and one that is abandoned
    with pytest.raises(ActionError):
        used.unwrapped.step([2.0, 2.0])
    expected = play(fresh, actions)
    assert same(play(used, actions), expected)
    assert same(play(used, actions), expected)


def test_seed_changes_nothing(spec, random_actions):
    env = gym.make(spec)
    actions = random_actions(env, 5)
    episodes = []
    for seed in (None, 0, 7):
        episodes.append([env.reset(seed=seed), *(env.step(action) for action in actions)])
    assert same(episodes[0], episodes[1])
    assert same(episodes[0], episodes[2])


def test_episodes_of_other_actions_differ(spec, play, random_actions):
    env = gym.make(spec)
    assert not same(play(env, random_actions(env, 6)), play(env, random_actions(env, 7)))


def test_pickle_in_the_middle_of_an_episode(spec, play, random_actions):
    env = gym.make(spec)
    actions = random_actions(env, 8)
    half = len(actions) // 2
    play(env, actions[:half])
    clone = pickle.loads(pickle.dumps(env))
    rest = [clone.step(action) for action in actions[half:]]
    assert rest[-1][2]
    assert same([env.step(action) for action in actions[half:]], rest)


def test_pickle_after_an_episode(spec, play, random_actions):
    env = gym.make(spec)
    actions = random_actions(env, 9)
    episode = play(env, actions)
    clone = pickle.loads(pickle.dumps(env))
    assert clone.unwrapped.outcome == env.unwrapped.outcome
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before step\(\)"):
        clone.step(actions[0])
    assert same(play(clone, actions), episode)


@DISCRETE
def test_episode_ends_once_at_the_last_layer(spec, discrete, play, random_actions):
    env = gym.make(spec, discrete=discrete)
    for seed in range(3):
        *before, last = play(env, random_actions(env, seed))
        for _, reward, terminated, truncated, _ in before:
            assert type(reward) is float
            assert reward == 0
            assert terminated is False
            assert truncated is False
        assert type(last[1]) is float
        assert last[2] is True
        assert last[3] is False


def test_step_cap_truncates_without_terminating(spec, play, random_actions):
    env = gym.make(spec, max_episode_steps=2)
    _, first, second = play(env, random_actions(env, 0)[:2])
    assert first[2:4] == (False, False)
    assert second[2:4] == (False, True)
    assert not set(second[4]) & {"design", "report"}


def test_plain_eight_bit_design_has_reward_zero(spec, play):
    env = gym.make(spec)
    *_, (_, reward, _, _, info) = play(env, np.ones((len(env.unwrapped.task.network), 2)))
    assert info["accuracy_drop"] <= env.unwrapped.task.allowed_drop
    assert info["gain"] == 1
    assert reward == 0
    assert (info["design"].replication == 1).all()


@DISCRETE
def test_observations_are_finite_fresh_and_in_their_space(spec, discrete, play, random_actions):
    env = gym.make(spec, discrete=discrete)
    observations = [step[0] for step in play(env, random_actions(env, 10))]
    for observation in observations:
        assert observation.dtype == np.float32
        assert np.isfinite(observation).all()
        assert observation in env.observation_space
    for i, observation in enumerate(observations):
        assert not any(np.shares_memory(observation, other) for other in observations[:i])


def test_no_feature_is_constant_over_episodes(spec, play, random_actions):
    env = gym.make(spec)
    # One of few bits too: of many layers that are equally slow, one may well keep 8 bits.
    actions = random_actions(env, 11)
    episodes = [play(env, actions), play(env, np.zeros_like(actions))]
    observations = np.stack([step[0] for episode in episodes for step in episode])
    assert np.ptp(observations, axis=0).all()


def test_later_steps_leave_earlier_observations_and_infos_alone(spec, random_actions):
    env = gym.make(spec)
    observation, info = env.reset()
    seen = [(observation, observation.copy(), info, dict(info))]
    for action in random_actions(env, 12):
        observation, _, _, _, info = env.step(action)
        seen.append((observation, observation.copy(), info, dict(info)))
    env.reset()
    for observation, copy, info, info_copy in seen:
        assert np.array_equal(observation, copy)
        assert info == info_copy


def test_writing_into_an_observation_changes_nothing(spec, play, random_actions):
    env = gym.make(spec)
    actions = random_actions(env, 13)
    expected = play(env, actions)
    env.reset()[0].fill(0.5)
    for action, transition in zip(actions, expected[1:], strict=True):
        observed = env.step(action)
        assert same(observed, transition)
        observed[0].fill(0.5)


@DISCRETE
def test_executed_bits_are_the_chosen_bits(spec, discrete, play, random_actions):
    env = gym.make(spec, discrete=discrete)
    actions = random_actions(env, 14)
    chosen = 2 + actions if discrete else 2 + np.floor(7 * actions.astype(np.float64)).astype(int)
    _, *steps = play(env, actions)
    executed = [[info["weight_bits"], info["activation_bits"]] for *_, info in steps]
    assert executed == chosen.tolist()
    design = steps[-1][4]["design"]
    assert np.stack([design["weight_bits"], design["activation_bits"]], axis=1).tolist() == executed


def lrmp_formula(gain, drop):
    return math.log(gain) - max(0.0, drop - 1.0)


def haq_formula(gain, drop):
    return -drop / 10


def cim_aq_formula(gain, drop):
    return -10 * (drop - 1.0) if drop > 1.0 else 100 * (gain - 1) + (1.0 - drop) / 10


FORMULAS = {"lrmp": lrmp_formula, "haq": haq_formula, "cim-aq": cim_aq_formula}


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize("most_bits", [3, 8])  # beyond the allowed drop, and within it
def test_info_of_the_last_step_gives_cost_and_reward(spec, name, most_bits, play, by_hand):
    env = gym.make(spec, discrete=True, reward=name)
    task = env.unwrapped.task
    layers = len(task.network)
    actions = np.random.default_rng(15).integers(most_bits - 3, most_bits - 1, (layers, 2))
    _, *steps, last = play(env, actions)
    for *_, info in steps:
        assert set(info) == {"weight_bits", "activation_bits"}
    _, reward, _, _, info = last
    assert set(info) == {
        "weight_bits",
        "activation_bits",
        "design",
        "report",
        "gain",
        "accuracy_drop",
        "accuracy_is_estimate",
        "proven_optimal",
    }

    design, report = info["design"], info["report"]
    tiles, cycles = by_hand(
        task, design["weight_bits"], design["activation_bits"], design.replication
    )
    assert sum(tiles) <= task.budget
    assert report.layer_tiles.tolist() == tiles
    assert report.layer_cycles.tolist() == cycles
    assert (report.tiles, report.latency_cycles) == (sum(tiles), sum(cycles))
    assert report.bottleneck_cycles == max(cycles)

    plain_tiles, plain_cycles = by_hand(task, [8] * layers, [8] * layers, [1] * layers)
    assert task.budget == sum(plain_tiles)
    energy = [task.cost_model.baseline.energy_fj, report.energy_fj]
    assert all(type(femtojoules) is int and femtojoules > 0 for femtojoules in energy)
    before, after = {
        "latency": (sum(plain_cycles), sum(cycles)),
        "throughput": (max(plain_cycles), max(cycles)),
        "energy": energy,
        "edp": (energy[0] * sum(plain_cycles), energy[1] * sum(cycles)),
    }[task.objective]
    assert info["gain"] == pytest.approx(before / after, rel=1e-12)
    drop = task.accuracy.drop(
        Design.of(
            {"weight_bits": design["weight_bits"], "activation_bits": design["activation_bits"]}
        )
    )
    assert info["accuracy_drop"] == drop
    if most_bits == 8:
        assert drop <= 1.0
    elif task.network.name not in ("mlp", "lenet"):  # those hold 3 bits
        assert drop > 1.0
    assert info["accuracy_is_estimate"] is ("-Predicted-" in spec.id)
    assert info["proven_optimal"] is True
    assert reward == pytest.approx(FORMULAS[name](info["gain"], drop), rel=1e-12)
    assert reward == env.unwrapped.outcome.reward(name)
