"""Every registered environment is a correct Gymnasium environment."""

import math
import pickle
import warnings
from copy import deepcopy

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence

from lrmp.envs.scoring.reward import REWARDS
from lrmp.errors import ActionError
from lrmp.hardware.space.design import Design

DISCRETE = pytest.mark.parametrize(
    "discrete", [False, True, "flat"], ids=["box", "discrete", "flat"]
)


def same(a, b):
    return data_equivalence(a, b, exact=True)


@pytest.mark.long
@DISCRETE
def test_check_env_finds_nothing(spec, discrete):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # What is shown does not depend on the action space, and drawing takes its time.
        check_env(gym.make(spec, discrete=discrete).unwrapped, skip_render_check=bool(discrete))


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


@pytest.mark.long
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
    assert not second[4]["finished"]
    assert env.unwrapped.outcome is None


def test_plain_design_has_reward_zero_where_no_tile_is_left_for_copies(spec, play):
    env = gym.make(spec, discrete=True)
    task = env.unwrapped.task
    plain = task.space.nearest(task.space.plain_settings(len(task.network)))
    *_, (_, reward, _, _, info) = play(env, plain)
    assert info["accuracy_drop"] <= task.allowed_drop
    assert reward == np.log(info["gain"])
    if task.budget == task.cost_model.plain_budget:
        assert info["gain"] == 1
        assert (info["replication"] == 1).all()
    else:  # a chip that holds larger designs, too
        assert info["gain"] >= 1


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
    episodes = [play(env, actions), play(env, np.full_like(actions, -1))]
    observations = np.stack([step[0] for episode in episodes for step in episode])
    assert np.ptp(observations, axis=0).all()


def test_later_steps_leave_earlier_observations_and_infos_alone(spec, random_actions):
    env = gym.make(spec)
    observation, info = env.reset()
    seen = [(observation, observation.copy(), info, deepcopy(info))]
    for action in random_actions(env, 12):
        observation, _, _, _, info = env.step(action)
        seen.append((observation, observation.copy(), info, deepcopy(info)))
    env.reset()
    for observation, copy, info, info_copy in seen:
        assert np.array_equal(observation, copy)
        assert same(info, info_copy)


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
def test_executed_bits_are_the_chosen_bits(lrmp_spec, discrete, play, random_actions):
    env = gym.make(lrmp_spec, discrete=discrete)
    actions = random_actions(env, 14)
    if discrete == "flat":
        chosen = 2 + np.stack(np.divmod(actions, 7), axis=1)
    elif discrete:
        chosen = 2 + actions
    else:
        chosen = 2 + np.floor(7 * (actions.astype(np.float64) + 1) / 2).astype(int)
    _, *steps = play(env, actions)
    executed = [[info["weight_bits"], info["activation_bits"]] for *_, info in steps]
    assert executed == chosen.tolist()
    design = env.unwrapped.outcome.design
    assert np.stack([design["weight_bits"], design["activation_bits"]], axis=1).tolist() == executed


def lrmp_formula(gain, drop, excess):
    return math.log(gain) if excess <= 0 else max(math.log(gain) - 100 * excess, -excess / 2)


def haq_formula(gain, drop, excess):
    return -drop / 10


def cim_aq_formula(gain, drop, excess):
    return -10 * (drop - 1.0) if drop > 1.0 else 100 * (gain - 1) + (1.0 - drop) / 10


FORMULAS = {"lrmp": lrmp_formula, "haq": haq_formula, "cim-aq": cim_aq_formula}


def in_a_round(task, cycles):
    """Count every layer as often as its network runs."""
    rates = [tenant.rate for tenant in task.workload for _ in tenant.network.layers]
    return [rate * each for rate, each in zip(rates, cycles, strict=True)]


def accuracy_by_hand(task, design):
    """Return the largest drop, and the mean excess of the networks beyond a point of it."""
    drops, excesses = [], []
    for model, own in zip(task.accuracies, task.workload.layers, strict=True):
        part = Design.of({name: design[name][own] for name in ("weight_bits", "activation_bits")})
        drops.append(model.drop(part))
        measured = model.kind == "network"  # else a table, whose sums are no nats yet
        exponent = 1 if measured else model.exponent
        nats = model.divergence(part) ** exponent
        allowed = model.drop_map.threshold(1.0) ** exponent
        excesses.append(math.log(nats / allowed) if nats > 0 else -math.inf)
    beyond = sum(excess for excess in excesses if excess > 0)
    return max(drops), beyond / len(excesses) or max(excesses)


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize("most_bits", [3, 8])  # beyond the allowed drop, and within it
def test_info_of_the_last_step_gives_cost_and_reward(lrmp_spec, name, most_bits, play, by_hand):
    env = gym.make(lrmp_spec, discrete=True, reward=name)
    task = env.unwrapped.task
    layers = len(task.network)
    actions = np.random.default_rng(15).integers(most_bits - 3, most_bits - 1, (layers, 2))
    _, *steps, last = play(env, actions)
    for *_, info in steps:
        assert not info["finished"]
        assert not info["gain"]
        assert not info["replication"].any()
    _, reward, _, _, info = last
    assert info["finished"]

    design, report = env.unwrapped.outcome.design, env.unwrapped.outcome.report
    assert info["replication"].tolist() == design.replication.tolist()
    for knob in design.space.names:
        assert info[f"design_{knob}"].tolist() == design[knob].tolist()
    tiles, cycles = by_hand(
        task, design["weight_bits"], design["activation_bits"], design.replication
    )
    assert sum(tiles) <= task.budget
    cycles = in_a_round(task, cycles)
    assert report.layer_tiles.tolist() == tiles
    assert report.layer_cycles.tolist() == cycles
    assert (report.tiles, report.latency_cycles) == (sum(tiles), sum(cycles))
    assert report.bottleneck_cycles == max(cycles)

    plain_tiles, plain_cycles = by_hand(task, [8] * layers, [8] * layers, [1] * layers)
    plain_cycles = in_a_round(task, plain_cycles)
    assert task.budget == sum(plain_tiles)
    energy = [task.cost_model.baseline.energy_fj, report.energy_fj]
    assert all(type(femtojoules) is int and femtojoules > 0 for femtojoules in energy)
    before, after = {
        "latency": (sum(plain_cycles), sum(cycles)),
        "throughput": (max(plain_cycles), max(cycles)),
        "energy": energy,
        "edp": (energy[0] * sum(plain_cycles), energy[1] * sum(cycles)),
        "weighted_throughput": (
            1 / sum(1 / max(plain_cycles[own]) for own in task.workload.layers),
            1 / sum(1 / max(cycles[own]) for own in task.workload.layers),
        ),
    }[task.objective]
    # Throughputs are counted in whole rounds.
    exact = 1e-9 if task.objective == "weighted_throughput" else 1e-12
    assert info["gain"] == pytest.approx(before / after, rel=exact)
    drop, excess = accuracy_by_hand(task, design)
    assert info["accuracy_drop"] == drop
    if most_bits == 8:
        assert drop <= 1.0
    elif task.network.name not in ("mlp", "lenet"):  # those hold 3 bits
        assert drop > 1.0
    assert (excess <= 0) == (drop <= 1.0) == info["within_allowance"]
    assert info["accuracy_is_estimate"] == ("-Predicted-" in lrmp_spec.id)
    assert info["accuracy_holds"] == task.accuracy_holds
    assert info["proven_optimal"]
    assert reward == pytest.approx(FORMULAS[name](info["gain"], drop, excess), rel=1e-9)
    assert reward == env.unwrapped.outcome.reward(name)
