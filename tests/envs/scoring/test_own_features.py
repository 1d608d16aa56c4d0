"""Features that users list: documented ones by name, and functions of their own."""

import pickle
from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence

from lrmp.envs import LayerwiseEnv, load_task
from lrmp.envs.forms.multi_agent import parallel_env
from lrmp.envs.forms.multi_agent_vector import MultiAgentVector
from lrmp.envs.procedural.most_layers import MAX_LAYERS
from lrmp.errors import TaskError

ID = "LRMP-ResNet18-v0"


def inputs_per_output(task):
    return task.network.rows / task.network.columns


def parity(task):
    return [layer % 2 for layer in range(len(task.network))]


def alike(task):
    return [3.0] * len(task.network)


LISTED = ("bottleneck", inputs_per_output, "depth", parity, "tiles")
NAMES = ("bottleneck", "inputs_per_output", "depth", "parity", "tiles")


def expected_columns(task):
    ratio = inputs_per_output(task)
    return {
        "inputs_per_output": (ratio - ratio.min()) / (ratio.max() - ratio.min()),
        "parity": np.array(parity(task), dtype=float),
    }


def test_observations_hold_the_features_listed_in_order(play, random_actions):
    env, whole = gym.make(ID, features=LISTED), gym.make(ID)
    names = whole.unwrapped.feature_names
    assert env.unwrapped.feature_names == NAMES
    assert env.observation_space.shape == (5,)
    columns = expected_columns(env.unwrapped.task)
    actions = random_actions(env, 0)
    pairs = list(zip(play(env, actions), play(whole, actions), strict=True))
    for step, ((seen, *rest), (full, *others)) in enumerate(pairs):
        assert seen in env.observation_space
        assert seen.dtype == np.float32
        layer = min(step, 20)
        for name, value in zip(NAMES, seen, strict=True):
            if name in columns:
                assert value == pytest.approx(columns[name][layer], abs=1e-7)
            else:
                assert value == full[names.index(name)]
        assert data_equivalence(rest, others, exact=True)
    observations = [seen for (seen, *_), _ in pairs]
    assert not any(np.shares_memory(a, b) for a, b in pairwise(observations))


@pytest.mark.parametrize("features", [LISTED, ["rows", "columns"], [parity]])
def test_all_documented_ones_are_the_default(features):
    names = gym.make(ID).unwrapped.feature_names
    env, default = gym.make(ID, features=names), gym.make(ID)
    assert env.unwrapped.feature_names == names
    assert np.array_equal(env.reset()[0], default.reset()[0])
    assert gym.make(ID, features=features).observation_space.shape == (len(features),)


@pytest.mark.parametrize("env_id", [ID, "LRMP-Digits-v0", "LRMP-MLP-EDP-v0"])
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_vector_environments_show_the_same(env_id, mode, make_vector, assert_same_step):
    settings = {"features": [*LISTED, "weight_bits_sensitivity", alike], "discrete": True}
    vector, sync = (make_vector(env_id, 3, mode, native, **settings) for native in (True, False))
    assert vector.feature_names == (*NAMES, "weight_bits_sensitivity")
    assert vector.observation_space == sync.observation_space
    vector.action_space.seed(1)
    assert_same_step(vector.reset(seed=0), sync.reset(seed=0))
    for _ in range(25):
        actions = vector.action_space.sample()
        assert_same_step(vector.step(actions), sync.step(actions))


def test_agents_see_what_is_listed():
    listed = ("rounds_left", parity, "weight_bits", "rows", inputs_per_output)
    env = parallel_env("LRMP-LeNet-v0", discrete=True, rounds=2, features=listed)
    whole = parallel_env("LRMP-LeNet-v0", discrete=True, rounds=2)
    vector = MultiAgentVector("LRMP-LeNet-v0", 2, rounds=2, features=listed)
    assert env.feature_names == (
        "rounds_left",
        "parity",
        "weight_bits",
        "rows",
        "inputs_per_output",
    )
    assert vector.observation_size == 5
    columns = expected_columns(load_task("LRMP-LeNet-v0"))
    rng = np.random.default_rng(2)
    seen, full, arrays = env.reset()[0], whole.reset()[0], vector.reset()[0]
    for round_ in range(3):
        for layer, agent in enumerate(env.possible_agents):
            assert seen[agent] in env.observation_space(agent)
            for name, value in zip(env.feature_names, seen[agent], strict=True):
                if name in columns:
                    assert value == pytest.approx(columns[name][layer], abs=1e-7)
                else:
                    assert value == full[agent][whole.feature_names.index(name)]
            assert np.array_equal(seen[agent], arrays[1, layer])
        if round_ < 2:
            actions = rng.integers(0, 7, (4, 2))
            joint = dict(zip(env.agents, actions, strict=True))
            seen, full = env.step(joint)[0], whole.step(joint)[0]
            arrays = vector.step(np.repeat(actions[None], 2, axis=0))[0]
    assert np.array_equal(env.state(), whole.state())


def share_of_cycles(task):
    cycles = task.cost_model.baseline.layer_cycles
    return cycles / cycles.sum()


@pytest.mark.parametrize("env_id", ["LRMP-Procedural-v0", "LRMP-Procedural-OneShot-v0"])
def test_drawn_networks_show_what_is_listed(env_id):
    env = gym.make(env_id, features=("weight_bits_harm_2", share_of_cycles, "depth"))
    whole = gym.make(env_id)
    names = ("depth", "linear", "rows", "columns", "positions", "cycles_share", "tiles_share")
    for instance in range(3):
        seen, _ = env.reset(options={"instance": instance})
        full, _ = whole.reset(options={"instance": instance})
        assert seen in env.observation_space
        assert seen["layers"].shape == (MAX_LAYERS, 3)
        count = int(seen["mask"].sum())
        assert np.array_equal(seen["layers"][:, 2], full["layers"][:, names.index("depth")])
        assert np.array_equal(seen["layers"][:, 0], full["layers"][:, 10])
        shares = share_of_cycles(env.unwrapped.task)
        assert seen["layers"][:count, 1] == pytest.approx(shares, abs=1e-7)
        assert not seen["layers"][count:].any()
        if "current" in seen:
            assert np.array_equal(seen["current"], seen["layers"][0])


@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version")
@pytest.mark.parametrize("env_id", ["LRMP-LeNet-v0", "LRMP-Procedural-v0"])
def test_check_env_finds_nothing(env_id):
    check_env(
        gym.make(env_id, features=["depth", share_of_cycles]).unwrapped, skip_render_check=True
    )


def test_specs_travel_with_the_features(play, random_actions):
    env = gym.make(ID, features=LISTED)
    copy = gym.make(pickle.loads(pickle.dumps(env.spec)))
    actions = random_actions(env, 3)
    assert data_equivalence(play(copy, actions), play(env, actions), exact=True)
    assert "inputs_per_output" in repr(env.spec)
    named = gym.make(ID, features=("depth", "tiles"))
    again = gym.make(EnvSpec.from_json(named.spec.to_json()))
    assert again.unwrapped.feature_names == ("depth", "tiles")


def test_features_in_which_layers_are_alike_are_left_out():
    env = gym.make("LRMP-MLP-v0", features=["linear", alike, "depth"])
    assert env.unwrapped.feature_names == ("depth",)
    with pytest.raises(
        TaskError,
        match=r"Expected a feature in which the layers of LRMP-MLP-v0 differ, got \['linear', "
        r"'alike'\]\. List others, too\.",
    ):
        gym.make("LRMP-MLP-v0", features=["linear", alike])


WRONG_LISTS = {
    "misspelt": (["tile"], r"Expected feature to be one of .*; got 'tile'\. Did you mean 'tiles'"),
    "number": (
        ["depth", 3],
        r"Expected a feature to be a name, or a function of the task; got 3\.",
    ),
    "empty": ([], r"Expected a list of at least one feature, each of another name; got \[\]\."),
    "twice": (["depth", "depth"], r"each of another name; got \['depth', 'depth'\]\."),
    "alike": ([lambda task: 0, lambda task: 1], r"each of another name; got \['<lambda>', '<lamb"),
    "text": ("depth", r"Expected a list of at least one feature, .* got \['depth'\]\."),
}
WRONG_VALUES = {
    "shape": (lambda task: [1.0, 2.0], r"got an array of shape \(2,\)"),
    "table": (lambda task: np.ones((3, 1)), r"got an array of shape \(3, 1\)"),
    "number": (lambda task: 1.0, r"got an array of shape \(\)"),
    "nan": (lambda task: [0.0, np.nan, 1.0], "got nan to nan"),
    "infinite": (lambda task: [0.0, 1.0, np.inf], "got 0 to inf"),
    "too_far_apart": (lambda task: [-1e308, 0.0, 1e308], r"got -1e\+308 to 1e\+308"),
    "text": (lambda task: ["a", "b", "c"], "got ValueError: could not convert string to float"),
    "none": (lambda task: None, r"got an array of shape \(\)"),
    "ragged": (lambda task: [[1], [1, 2], []], "got ValueError: setting an array element"),
    "raises": (lambda task: task.nothing, "got AttributeError: .*nothing"),
}
MAKERS = {
    "layerwise": lambda features: LayerwiseEnv("LRMP-MLP-v0", features=features),
    "vector": lambda features: gym.make_vec("LRMP-MLP-v0", 2, features=features),
    "agents": lambda features: parallel_env("LRMP-MLP-v0", features=features),
    "agents_vector": lambda features: MultiAgentVector("LRMP-MLP-v0", 2, features=features),
}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("name", WRONG_LISTS)
def test_wrong_lists_are_refused(name, maker):
    features, message = WRONG_LISTS[name]
    with pytest.raises(TaskError, match=message):
        MAKERS[maker](features)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("name", WRONG_VALUES)
def test_functions_that_return_no_number_per_layer_are_refused(name, maker):
    function, got = WRONG_VALUES[name]
    with pytest.raises(
        TaskError,
        match=r"Expected <lambda> to return 3 finite numbers, one per layer of LRMP-MLP-v0, "
        rf"{got}.*\. Mend the function\.",
    ):
        MAKERS[maker](["depth", function])


def test_names_of_another_form_are_refused():
    with pytest.raises(TaskError, match=r"got 'rounds_left'\."):
        gym.make(ID, features=["rounds_left"])
    with pytest.raises(TaskError, match=r"got 'tiles'\."):
        gym.make("LRMP-Procedural-v0", features=["depth", "tiles"])
    with pytest.raises(TaskError, match=r"got 'previous_weight_bits'\. Did"):
        parallel_env(ID, features=["previous_weight_bits"])


def test_features_of_drawn_networks_must_be_shares():
    env = gym.make("LRMP-Procedural-v0", features=["depth", inputs_per_output])
    with pytest.raises(
        TaskError,
        match=r"Expected inputs_per_output to return values of 0 to 1, which mean the same in "
        r"every network, got .* for LRMP-Procedural-.*\. Scale them\.",
    ):
        env.reset(options={"instance": 0})
