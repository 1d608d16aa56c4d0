"""The vector environments of the family play as as many scalar ones do, bit by bit."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from lrmp.errors import ActionError, TaskError

LAYERWISE, ONE_SHOT = "LRMP-Procedural-v0", "LRMP-Procedural-OneShot-v0"
SPACES, SPACES_ONE_SHOT = "LRMP-Procedural-Spaces-v0", "LRMP-Procedural-Spaces-OneShot-v0"
IDS = pytest.mark.parametrize("env_id", [LAYERWISE, ONE_SHOT])
MODES = pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)
CASES = [
    (LAYERWISE, {}),
    (LAYERWISE, {"discrete": True, "observation": "prefix", "split": "test"}),
    (LAYERWISE, {"discrete": "flat", "observation": "graph", "instances": 3}),
    (LAYERWISE, {"dense": True, "objective": "energy", "reward": "haq", "instances": 2}),
    (LAYERWISE, {"features": ["depth", "rows"], "max_episode_steps": 6}),
    (ONE_SHOT, {}),
    (ONE_SHOT, {"discrete": True, "objective": "throughput", "split": "test"}),
    (ONE_SHOT, {"discrete": "flat", "observation": "graph", "reward": "cim-aq"}),
    (ONE_SHOT, {"tasks": ["LRMP-MLP-v0", "LRMP-LeNet-v0"]}),
    (ONE_SHOT, {"optima": "solved", "instances": 2, "objective": "edp"}),
    (SPACES, {}),
    (SPACES, {"discrete": True, "observation": "prefix", "split": "test"}),
    (SPACES, {"discrete": "flat", "observation": "graph", "instances": 3, "dense": True}),
    (SPACES_ONE_SHOT, {"discrete": True}),
    (SPACES_ONE_SHOT, {"discrete": "flat", "observation": "graph", "split": "test"}),
    (SPACES_ONE_SHOT, {"tasks": ["LRMP-LeNet-ADC-v0", "LRMP-MLP-Circulant-v0", "LRMP-MLP-v0"]}),
]


@pytest.mark.long
@MODES
@pytest.mark.parametrize(("env_id", "settings"), CASES)
def test_vector_env_equals_scalar_ones(env_id, settings, mode, assert_parity):
    assert_parity(env_id, mode, settings, 40 if env_id in (LAYERWISE, SPACES) else 8)


@MODES
@IDS
@pytest.mark.parametrize("graph", [False, True])
def test_tasks_with_other_knobs_play_as_scalar_ones(env_id, graph, mode, own_task, assert_parity):
    """Of four knobs, one of which the first layer may not turn."""
    observation = {"observation": "graph"} if graph else {}
    settings = {"tasks": [own_task, load_task_like(own_task)], "discrete": True, **observation}
    assert_parity(env_id, mode, settings, 12)


def load_task_like(task):
    return dataclasses.replace(task, id="other", budget=2 * task.budget)


@IDS
def test_every_episode_draws_with_a_seed_of_its_own(env_id, make_vector, assert_same_step):
    env, sync = (make_vector(env_id, 3, "NextStep", native) for native in (True, False))
    assert_same_step(env.reset(seed=[3, 9, 5]), sync.reset(seed=[3, 9, 5]))
    assert env.np_random_seed == sync.np_random_seed == (3, 9, 5)
    some = np.array([False, True, True])
    mask = {"reset_mask": some}
    assert_same_step(env.reset(options=dict(mask)), sync.reset(options=dict(mask)))
    again = [each.reset(seed=[4, 4, None], options=dict(mask)) for each in (env, sync)]
    assert_same_step(*again)
    assert env.np_random_seed == sync.np_random_seed == (3, 4, 5)
    # Gymnasium's makes a generator where none is asked for.
    assert len(set(gym.make_vec(env_id, 2).np_random_seed)) == 2


@IDS
def test_instances_may_be_listed_one_per_episode(env_id, make_vector):
    env = make_vector(env_id, 3, "Disabled", split="test", discrete=True)
    _, infos = env.reset(options={"instance": [4, 0, 4]})
    assert infos["instance"].tolist() == [4, 0, 4]
    mask = np.array([False, True, False])
    _, infos = env.reset(options={"instance": np.array([7, 8, 9]), "reset_mask": mask})
    assert infos["instance"].tolist() == [0, 8, 0]
    assert infos["_instance"].tolist() == mask.tolist()
    scalar = gym.make(env_id, split="test", discrete=True)
    _, alone = scalar.reset(options={"instance": 8})
    assert alone["num_layers"] == infos["num_layers"][1]
    assert env.reset(options={"instance": 5})[1]["instance"].tolist() == [5, 5, 5]


@IDS
def test_wrong_use_is_refused_and_changes_nothing(env_id, make_vector, assert_same_step):
    env, twin = (make_vector(env_id, 2, "SameStep", instances=4, discrete=True) for _ in range(2))
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) first"):
        env.action_masks()
    for each in (env, twin):
        each.reset(seed=1)
    for options, message in [
        ({"instance": 4}, "Expected an instance of 0 to 3, got 4"),
        ({"instance": [0, 1, 2]}, "Expected an instance or 2 instances, one per episode; got 3"),
        ({"chip": 1}, r"Expected no reset option but reset_mask and instance, got \['chip'\]"),
    ]:
        with pytest.raises(TaskError, match=message):
            env.reset(seed=8, options=options)
    actions = twin.action_space.sample()
    with pytest.raises(ActionError, match="Expected actions of shape"):
        env.step(actions + 7)
    with pytest.raises(ActionError, match="Expected actions of shape"):
        env.step(actions[:, :1])
    for _ in range(30):
        assert_same_step(env.step(actions), twin.step(actions))
    with pytest.raises(TaskError, match="Expected split to be one of test, train"):
        make_vector(env_id, 2, "SameStep", split="dev")


def test_what_stands_behind_the_last_layer_is_not_looked_at(make_vector, assert_same_step):
    env, twin = (make_vector(ONE_SHOT, 2, "SameStep") for _ in range(2))
    actions = np.full(env.action_space.shape, 0.3, np.float32)
    wild = actions.copy()
    for each in (env, twin):
        _, infos = each.reset(seed=0, options={"instance": [1, 2]})
    for row, count in enumerate(infos["num_layers"]):
        wild[row, 2 * count :] = np.nan
    assert_same_step(env.step(wild), twin.step(actions))


@pytest.mark.long
@IDS
@pytest.mark.parametrize("render_mode", ["ansi", "rgb_array"])
def test_pictures_are_those_of_scalar_ones(env_id, render_mode, make_vector):
    settings = {"render_mode": render_mode, "instances": 4, "discrete": True}
    env, sync = (make_vector(env_id, 2, "NextStep", native, **settings) for native in (1, 0))
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before render"):
        env.render()
    for each in (env, sync):
        each.reset(seed=2)
    actions = env.action_space.sample()
    for _ in range(2):
        ours, theirs = env.render(), sync.render()
        assert len(ours) == len(theirs) == 2
        assert all(map(np.array_equal, ours, theirs))
        for each in (env, sync):
            each.step(actions)


@IDS
def test_finished_designs_are_at_hand(env_id, make_vector):
    env = make_vector(env_id, 2, "Disabled", instances=3, discrete=True)
    env.reset(options={"instance": [0, 2]})
    assert env.outcomes == (None, None)
    ended = np.zeros(2, bool)
    actions = env.action_space.sample()
    while not ended.any():
        *_, ended, _, infos = env.step(actions)
    for row in np.flatnonzero(ended):
        outcome = env.outcomes[row]
        assert infos["gain"][row] == outcome.gain
        assert outcome.task.id == f"LRMP-Procedural-train-{2 * row}"
    assert np.array_equal(env.action_masks(), infos["action_mask"].astype(bool))


def test_observations_are_not_written_again(make_vector):
    env = make_vector(LAYERWISE, 2, "SameStep", observation="graph")
    seen = [env.reset(seed=0)[0]]
    copies = [{key: values.copy() for key, values in seen[0].items()}]
    for _ in range(6):
        seen.append(env.step(env.action_space.sample())[0])
        copies.append({key: values.copy() for key, values in seen[-1].items()})
    for one, other in zip(seen, copies, strict=True):
        assert all(np.array_equal(one[key], other[key]) for key in one)


@IDS
def test_what_is_seen_is_described_as_in_scalar_ones(env_id, make_vector):
    ours = make_vector(env_id, 2, "SameStep").describe_observation()
    theirs = gym.make(env_id).unwrapped.describe_observation()
    assert {key: str(table) for key, table in ours.items()} == {
        key: str(table) for key, table in theirs.items()
    }
