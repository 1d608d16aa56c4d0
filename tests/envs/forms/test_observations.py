"""How much is seen: the layer, the prefix or the graph, in every form."""

import pickle
import re
from dataclasses import replace
from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs import LayerwiseEnv, load_task, make_task
from lrmp.envs.procedural.padded_graph import MAX_EDGES
from lrmp.envs.scoring.observation import TOTALS, layer_feature_names
from lrmp.errors import TaskError
from lrmp.hardware import Layer, Network
from lrmp.hardware.space.precision import PRECISION

ID, ONE_SHOT, REFINE = "LRMP-ResNet8-v0", "LRMP-ResNet8-OneShot-v0", "LRMP-LeNet-Refine-v0"
PROCEDURAL, PROCEDURAL_ONE_SHOT = "LRMP-Procedural-v0", "LRMP-Procedural-OneShot-v0"
#: Every kind of observation that is not the default, by id.
OTHERS = [
    (ID, "prefix"),
    (ID, "graph"),
    (ONE_SHOT, "graph"),
    (REFINE, "graph"),
    (PROCEDURAL, "prefix"),
    (PROCEDURAL, "graph"),
    (PROCEDURAL_ONE_SHOT, "graph"),
]
others = pytest.mark.parametrize(("env_id", "observation"), OTHERS)


@pytest.fixture
def episode():
    """Play a random episode: observations, rewards and infos, the first without a reward."""

    def episode(env, seed=0):
        env.action_space.seed(seed)
        observation, info = env.reset(seed=seed)
        found = [(observation, 0.0, info)]
        terminated = False
        while not terminated:
            observation, reward, terminated, _, info = env.step(env.action_space.sample())
            found.append((observation, reward, info))
        return found

    return episode


def settings_of(task, transitions):
    """Scale the settings so far as the tables say, from what infos tell: (steps + 1, L, K)."""
    found = [np.ones((len(task.network), len(task.space)))]  # 8 bits are the last place
    for layer, (_, _, info) in enumerate(transitions[1:]):
        found.append(found[-1].copy())
        found[-1][layer] = [(info[name] - 2) / 6 for name in task.space.names]
    return np.array(found, np.float32)


@others
def test_check_env_finds_nothing(env_id, observation):
    check_env(gym.make(env_id, observation=observation).unwrapped, skip_render_check=True)


@others
def test_observations_are_in_their_space_and_never_written_again(env_id, observation, episode):
    env = gym.make(env_id, observation=observation)
    kept = [(seen, pickle.dumps(seen)) for seen, *_ in episode(env)]
    for seen, written in kept:
        assert env.observation_space.contains(seen)
        assert data_equivalence(seen, pickle.loads(written), exact=True)


@others
def test_writing_into_an_observation_changes_nothing(env_id, observation, episode):
    env = gym.make(env_id, observation=observation)
    whole = episode(env)
    env.action_space.seed(0)
    seen, _ = env.reset(seed=0)
    for later, *_ in whole[1:]:
        for array in seen.values() if isinstance(seen, dict) else [seen]:
            if isinstance(array, np.ndarray):
                array.fill(0)
        seen = env.step(env.action_space.sample())[0]
        assert data_equivalence(seen, later, exact=True)


@others
def test_more_is_seen_of_the_same_episodes(env_id, observation, episode):
    found = episode(gym.make(env_id, observation=observation))
    default = episode(gym.make(env_id))
    assert [reward for _, reward, _ in found] == [reward for _, reward, _ in default]


def test_the_prefix_is_the_layer_the_settings_and_the_time(episode):
    prefix = gym.make(ID, observation="prefix")
    task, found = prefix.unwrapped.task, episode(prefix)
    layers = [seen for seen, *_ in episode(gym.make(ID))]
    count, size = len(task.network), len(layers[0])
    seen = np.array([seen for seen, *_ in found])
    assert np.array_equal(seen[:, :size], layers)
    assert np.array_equal(seen[:, size:-1].reshape(-1, count, 2), settings_of(task, found))
    assert np.array_equal(seen[:, -1], np.linspace(1, 0, count + 1, dtype=np.float32))
    names = prefix.unwrapped.feature_names
    assert names[:size] == gym.make(ID).unwrapped.feature_names
    assert names[size:] == (
        *(f"{name}_{layer}" for layer in range(count) for name in task.space.names),
        "steps_left",
    )


def test_no_element_of_a_prefix_is_constant(episode):
    env = gym.make(ID, observation="prefix")
    seen = np.array([seen for seed in range(3) for seen, *_ in episode(env, seed)])
    assert np.ptp(seen, axis=0).min() > 0


def test_the_table_of_a_prefix_is_the_documented_one():
    env = LayerwiseEnv(ID, observation="prefix")
    described = env.describe_observation()
    assert tuple(element.name for element in described) == env.feature_names
    behind = described.elements[len(LayerwiseEnv(ID).feature_names) :]
    table = LayerwiseEnv.__doc__.partition("Prefixes have")[2].partition("Graphs have")[0]
    rows = [
        tuple(cell.strip() for cell in line.strip(" |").split("|"))[1:]
        for line in table.splitlines()
        if line.strip().startswith("| n + ")
    ]
    for row, element in zip(rows[:2], behind[:2], strict=True):
        meaning = re.sub("layer 0, .*", "layer l", element.meaning)
        assert row == (element.name.replace("_0", "_l"), meaning, element.normalisation)
    last = behind[-1]
    assert rows[2] == (last.name, last.meaning, last.normalisation)


def test_the_graph_shows_all_layers_and_how_the_episode_stands(episode):
    env = gym.make(ID, observation="graph")
    task, found = env.unwrapped.task, episode(env)
    alone = episode(gym.make(ID))
    count, names = len(task.network), env.unwrapped.feature_names
    static = len(names) - 4
    settings = settings_of(task, found)
    for step, ((seen, *_), (layer, *_)) in enumerate(zip(found, alone, strict=True)):
        shown = min(step, count - 1)
        assert np.array_equal(seen["layers"][shown, :static], layer[:static])
        assert np.array_equal(seen["layers"][:, static:-2], settings[step])
        decided, to_decide = seen["layers"][:, -2:].T.tolist()
        assert decided == [1.0] * step + [0.0] * (count - step)
        assert to_decide == [float(other == step) for other in range(count)]
        assert np.array_equal(seen["totals"], layer[-len(TOTALS) :])
        assert tuple(map(tuple, seen["edges"].tolist())) == task.network.edges
    described = env.unwrapped.describe_observation()
    assert tuple(element.name for element in described["layers"]) == names
    assert names[static:] == (*task.space.names, "decided", "to_decide")
    assert [element.name for element in described["totals"]] == list(TOTALS)
    assert [element.meaning for element in described["edges"]] == [
        "layer whose outputs are read",
        "layer that reads them",
    ]


@pytest.mark.parametrize("env_id", [ONE_SHOT, REFINE])
def test_graphs_of_designs_show_what_their_rows_do(env_id, episode):
    env = gym.make(env_id, observation="graph")
    found, rows = episode(env), episode(gym.make(env_id))
    task = env.unwrapped.task
    knobs = len(task.space)
    size = knobs * len(task.network)
    for (seen, *_), (row, *_) in zip(found, rows, strict=True):
        assert np.array_equal(seen["layers"][:, -knobs:].ravel(), row[:size])
        assert np.array_equal(seen["totals"], row[size:])
    described = env.unwrapped.describe_observation()
    assert tuple(element.name for element in described["layers"]) == env.unwrapped.feature_names
    totals = [element.name for element in described["totals"]]
    assert totals == [*TOTALS, *["steps_left"] * (env_id == REFINE)]


PARITY = [
    (ID, {"observation": "prefix"}, 14),
    (ID, {"observation": "prefix", "features": ("depth", "tiles"), "discrete": True}, 14),
    (ID, {"observation": "graph", "dense": True}, 14),
    (ONE_SHOT, {"observation": "graph"}, 3),
    (REFINE, {"observation": "graph", "horizon": 3}, 5),
]


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("env_id", "settings", "steps"), PARITY)
def test_native_vector_envs_show_the_same_bit_for_bit(env_id, settings, steps, mode, assert_parity):
    assert_parity(env_id, mode, settings, steps)


def test_vector_environments_describe_what_they_show():
    for env_id, observation in OTHERS[:4]:
        vector = gym.make_vec(env_id, 2, observation=observation)
        scalar = gym.make(env_id, observation=observation)
        assert vector.feature_names == scalar.unwrapped.feature_names
        assert vector.describe_observation() == scalar.unwrapped.describe_observation()


def test_later_steps_leave_the_graphs_of_a_vector_alone():
    env = gym.make_vec(ID, 2, observation="graph", autoreset_mode="SameStep")
    env.action_space.seed(0)
    first, _ = env.reset()
    before = pickle.dumps(first)
    for _ in range(12):
        found, *_ = env.step(env.action_space.sample())
        found["edges"].fill(0)
    assert data_equivalence(first, pickle.loads(before), exact=True)
    assert found["edges"].max() == 0
    assert env.step(env.action_space.sample())[0]["edges"].max() == 9


@pytest.mark.parametrize(
    ("env_id", "given", "message"),
    [
        (ID, "prefx", "be one of prefix, graph, layer; got 'prefx'. Did you mean 'prefix'?"),
        (ID, "design", "be one of graph, layer, prefix; got 'design'."),
        (ID, None, "be one of graph, layer, prefix; got None."),
        (ID, ["graph"], "be one of graph, layer, prefix; got ['graph']."),
        (ONE_SHOT, "prefix", "be one of design, graph; got 'prefix'."),
        (REFINE, "graf", "be one of graph, design; got 'graf'. Did you mean 'graph'?"),
        (PROCEDURAL, "Graph", "be one of graph, layer, prefix; got 'Graph'. Did you mean 'graph'?"),
        (PROCEDURAL_ONE_SHOT, "layer", "be one of design, graph; got 'layer'."),
    ],
)
@pytest.mark.parametrize("make", [gym.make, lambda *a, **k: gym.make_vec(*a, num_envs=2, **k)])
def test_other_observations_are_refused(make, env_id, given, message):
    with pytest.raises(TaskError, match=re.escape(f"Expected observation to {message}")):
        make(env_id, observation=given)


def test_features_are_those_of_the_layers_in_a_graph():
    listed = ("weights", "depth")
    env = gym.make(ID, observation="graph", features=listed)
    assert env.unwrapped.feature_names[:3] == (*listed, "weight_bits")
    whole = gym.make(ID, observation="graph")
    names = whole.unwrapped.feature_names
    columns = [names.index(name) for name in listed]
    assert np.array_equal(env.reset()[0]["layers"][:, :2], whole.reset()[0]["layers"][:, columns])
    with pytest.raises(TaskError, match=r"Expected feature to be one of .*; got 'tiles'"):
        gym.make(ID, observation="graph", features=("depth", "tiles"))
    assert "tiles" not in layer_feature_names(PRECISION)


def test_features_come_before_the_settings_of_a_prefix():
    env = gym.make(ID, observation="prefix", features=("tiles", "depth"))
    assert env.unwrapped.feature_names[:3] == ("tiles", "depth", "weight_bits_0")
    assert env.unwrapped.feature_names[-1] == "steps_left"


def simple_table(layers):
    return TableAccuracy(
        {
            "weight_bits": np.linspace(1, 0, 7) * np.arange(1, layers + 1)[:, None],
            "activation_bits": np.zeros((layers, 7)),
        },
        "made up",
        is_estimate=True,
        space=PRECISION,
    )


def test_a_chain_is_said_to_be_assumed_where_the_edges_are_not_known():
    network = replace(load_task(ID).network, edges=None)
    task = make_task(network, accuracy=simple_table(len(network)))
    env = LayerwiseEnv(task, observation="graph")
    seen, _ = env.reset()
    assert seen["edges"].tolist() == [list(pair) for pair in pairwise(range(10))]
    assert (
        "| 0 | source | layer whose outputs are read; a chain is assumed, for the network's edges "
        "are not known |" in str(env.describe_observation()["edges"])
    )


def test_a_network_of_one_layer_has_a_graph_without_edges():
    network = Network("one", (Layer.linear("fc", 300, 10),))
    task = make_task(network, accuracy=simple_table(1))
    env = LayerwiseEnv(task, observation="graph")
    seen, _ = env.reset()
    assert seen["edges"].shape == (0, 2)
    assert env.observation_space.contains(seen)
    vector = gym.make_vec("LRMP-Custom-v0", 2, task=task, observation="graph")
    assert vector.reset()[0]["edges"].shape == (2, 0, 2)


def test_own_knobs_are_columns_of_the_graph(own_task, episode):
    env = LayerwiseEnv(own_task, observation="graph")
    knobs = own_task.space.names
    assert env.feature_names[-6:-2] == knobs
    *_, (seen, _, _) = episode(env)
    assert np.array_equal(
        seen["layers"][:, -6:-2],
        np.float32(env.outcome.design.settings / (np.array(own_task.space.sizes) - 1)),
    )


def test_specs_travel_with_the_observation(episode):
    env = gym.make(ID, observation="graph")
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert data_equivalence(episode(again)[-1][0], episode(env)[-1][0], exact=True)


def test_a_pickled_episode_goes_on():
    env = LayerwiseEnv(ID, observation="graph")
    env.reset()
    env.step([0.1, 0.9])
    again = pickle.loads(pickle.dumps(env))
    assert data_equivalence(again.step([0.5, 0.5])[0], env.step([0.5, 0.5])[0], exact=True)


# -- the procedural family ----------------------------------------------------------------


def test_drawn_episodes_show_the_settings_so_far(episode):
    env = gym.make(PROCEDURAL, observation="prefix")
    found, default = episode(env), episode(gym.make(PROCEDURAL))
    settings = settings_of(env.unwrapped.task, found)
    count = settings.shape[1]
    for (seen, *_), (other, *_), expected in zip(found, default, settings, strict=True):
        shown = seen.pop("settings")
        assert np.array_equal(shown[:count], expected)
        assert not shown[count:].any()
        assert data_equivalence(seen, other, exact=True)


@pytest.mark.parametrize("tasks", [None, (ID,)])
def test_graphs_of_drawn_networks_are_padded(tasks, episode):
    env = gym.make(PROCEDURAL, observation="graph", tasks=tasks)
    found, default = episode(env), episode(gym.make(PROCEDURAL, tasks=tasks))
    network = env.unwrapped.task.network
    count, settings = len(network), settings_of(env.unwrapped.task, found)
    assert network.edges is not None
    for step, ((seen, *_), (other, *_)) in enumerate(zip(found, default, strict=True)):
        assert np.array_equal(seen["mask"], other["mask"])
        assert np.array_equal(seen["layers"][:, :14], other["layers"])
        assert np.array_equal(seen["layers"][:count, 14:16], settings[step])
        assert seen["layers"][:, 16].tolist() == [float(i < step) for i in range(128)]
        assert np.flatnonzero(seen["layers"][:, 17]).tolist() == [step] * (step < count)
        assert not seen["layers"][count:].any()
        edges = seen["edges"][seen["edge_mask"].astype(bool)]
        assert tuple(map(tuple, edges.tolist())) == network.edges
        assert not seen["edges"][len(edges) :].any()
        assert np.array_equal(seen["totals"], other["running"][-4:])
    described = env.unwrapped.describe_observation()
    names = [element.name for element in described["layers"]]
    assert names[14:] == ["weight_bits", "activation_bits", "decided", "to_decide"]
    assert [element.number for element in described["layers"]] == list(range(18))


def test_a_set_policy_acts_on_graphs():
    pytest.importorskip("torch")
    from lrmp.agents.set_policy import SetPolicy

    env = gym.make(PROCEDURAL_ONE_SHOT, observation="graph")
    seen, _ = env.reset(seed=0)
    policy = SetPolicy(seen["layers"].shape[1], PRECISION.sizes, tilt=-1.0)
    after, *_ = env.step(policy.act(seen))
    count = int(seen["mask"].sum())
    assert seen["layers"].shape == (128, 16)
    assert (seen["layers"][:count, 14:] == 1).all()  # the plain design
    assert (after["layers"][:count, 14:] < 1).any()


def test_networks_of_too_many_edges_are_refused():
    layers = tuple(Layer.linear(f"fc{n}", 8, 8) for n in range(64))
    every = tuple((a, b) for b in range(64) for a in range(b))
    task = make_task(Network("dense", layers, every), accuracy=simple_table(64))
    message = f"at most {MAX_EDGES} edges to show as graphs, got dense with 2016"
    with pytest.raises(TaskError, match=message):
        gym.make(PROCEDURAL, observation="graph", tasks=(task,))
    assert gym.make(PROCEDURAL, tasks=(task,)).reset()


# -- an agent per layer -------------------------------------------------------------------


def test_every_agent_sees_the_graph_and_which_layer_is_its_own():
    pytest.importorskip("pettingzoo")
    from pettingzoo.test import parallel_api_test

    from lrmp.envs.forms.multi_agent import parallel_env

    env = parallel_env(ID, observation="graph", rounds=2, discrete=True)
    default = parallel_env(ID, rounds=2, discrete=True)
    parallel_api_test(env, 5)
    actions = {agent: [layer % 7, 3] for layer, agent in enumerate(env.possible_agents)}
    for found, other in (
        (env.reset()[0], default.reset()[0]),
        (env.step(actions)[0], default.step(actions)[0]),
    ):
        for layer, agent in enumerate(env.possible_agents):
            seen = found[agent]
            assert env.observation_space(agent).contains(seen)
            assert np.array_equal(seen["layers"][:, -1], np.eye(10)[layer])
            assert np.array_equal([*seen["layers"][layer, :-1], *seen["totals"]], other[agent])
            assert np.array_equal(seen["layers"][:, :-1], found["layer_0"]["layers"][:, :-1])
            assert tuple(map(tuple, seen["edges"].tolist())) == env.task.network.edges
    names = [element.name for element in env.describe_observation()["layers"]]
    assert names[-3:] == ["weight_bits", "activation_bits", "own_layer"]
    with pytest.raises(TaskError, match=r"be one of graph, layer; got 'prefix'\."):
        parallel_env(ID, observation="prefix")
