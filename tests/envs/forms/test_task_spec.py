"""Specs: how long episodes are, and that JSON makes the environment again."""

import re
import subprocess
import sys
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.wrappers import TimeAwareObservation

from lrmp.accuracy.model.drop_map import IdentityMap
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs import CUSTOM_ID, TASKS, LayerwiseEnv, load_task, make_task
from lrmp.envs.procedural.most_layers import MAX_LAYERS
from lrmp.envs.registration import PROCEDURAL
from lrmp.envs.task.environment_id import FORMS, environment_id
from lrmp.envs.wrappers import PinFirstLast
from lrmp.errors import TaskError
from lrmp.hardware import Layer, Network, load_preset
from lrmp.hardware.space.precision import PRECISION

OWN = Network(
    "two", (Layer.conv2d("conv", 3, 8, kernel_size=3, input_size=8), Layer.linear("fc", 512, 10))
)
POINTS = {
    "weight_bits": {"*": [4.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.0]},
    "activation_bits": {"*": [3.0, 0.8, 0.2, 0.1, 0.02, 0.01, 0.0]},
    "provenance": "made up",
}
RULES = """
def frugal(outcome):
    return -float(outcome.report.tiles)

def parity(task):
    return [index % 2 for index in range(len(task.network))]
"""
NARROW = {
    "knobs": [
        {"name": "weight_bits", "values": [2, 4, 8], "plain": 8},
        {"name": "activation_bits", "values": [4, 6, 8], "plain": 8},
    ],
    "allowed": {"weight_bits": [[8], [2, 4, 8]]},
}
OWN_TASKS = {
    "network and points": lambda: make_task(OWN, accuracy=POINTS),
    "names": lambda: {"network": "lenet", "accelerator": "isaac_isca_2016", "objective": "edp"},
    "own chip": lambda: make_task(
        "lenet", replace(load_preset("lrmp_frontiers_2024"), cell_bits=2)
    ),
    "own table": lambda: make_task(
        OWN,
        accuracy=TableAccuracy(
            {name: np.tile(np.geomspace(3.0, 0.1, 7), (2, 1)) for name in PRECISION.names},
            "measured here",
            is_estimate=False,
        ),
    ),
    "own space": lambda: make_task(
        OWN,
        space=NARROW,
        accuracy={
            "weight_bits": {"*": [4.0, 1.0, 0.0]},
            "activation_bits": {"*": [3.0, 0.5, 0.0]},
            "provenance": "made up",
        },
        allowed_drop=0.5,
    ),
    "smaller budget": lambda: make_task("lenet", budget=150),
}


def play_through(env):
    """Play an episode; say how long it was and whether it was cut off."""
    env.reset(seed=0)
    env.action_space.seed(0)
    steps = 0
    while True:
        *_, terminated, truncated, _ = env.step(env.action_space.sample())
        steps += 1
        if terminated or truncated:
            return steps, truncated


def again(env):
    """Make an environment from the JSON of another."""
    return gym.make(EnvSpec.from_json(env.spec.to_json()))


def assert_equal(one, other):
    """Expect the same episode."""
    assert one.spec.to_json() == other.spec.to_json()
    assert one.unwrapped.task.fingerprint == other.unwrapped.task.fingerprint
    assert one.observation_space == other.observation_space
    assert one.action_space == other.action_space
    one.action_space.seed(0)
    first, second = ([env.reset(seed=0)] for env in (one, other))
    while len(first) == 1 or not first[-1][2]:
        action = one.action_space.sample()
        first.append(one.step(action)[:-1])  # infos hold designs, which know their own equals
        second.append(other.step(action)[:-1])
    assert data_equivalence(first, second, exact=True)


def test_registered_specs_know_the_length_where_the_id_decides_it():
    for task_id in TASKS:
        specs = {form: gym.spec(environment_id(task_id, form)) for form in FORMS}
        assert specs[""].max_episode_steps == len(load_task(task_id).network) + 1
        assert specs["OneShot"].max_episode_steps == 2
        assert specs["Refine"].max_episode_steps is None
    assert gym.spec("LRMP-Procedural-v0").max_episode_steps == MAX_LAYERS + 1
    assert gym.spec("LRMP-Procedural-OneShot-v0").max_episode_steps == 2


@pytest.mark.parametrize(
    ("env_id", "settings", "length"),
    [
        ("LRMP-LeNet-v0", {}, 4),
        ("LRMP-LeNet-OneShot-v0", {}, 1),
        ("LRMP-LeNet-Refine-v0", {}, 48),
        ("LRMP-LeNet-Refine-v0", {"horizon": 5}, 5),
        ("LRMP-LeNet-Refine-v0", {"horizon": 60}, 60),
        (CUSTOM_ID, {"task": "LRMP-ResNet8-v0"}, 10),
        (environment_id(CUSTOM_ID, "OneShot"), {"task": "LRMP-ResNet8-v0"}, 1),
        (environment_id(CUSTOM_ID, "Refine"), {"task": "LRMP-LeNet-v0", "horizon": 9}, 9),
    ],
)
def test_time_limit_is_beyond_the_longest_episode(env_id, settings, length):
    for limit in ({}, {"max_episode_steps": -1}):
        env = gym.make(env_id, **settings, **limit)
        assert env.spec.max_episode_steps == length + 1
        assert play_through(env) == (length, False)
        assert play_through(again(env)) == (length, False)
    assert TimeAwareObservation(gym.make(env_id, **settings)).spec.max_episode_steps == length + 1
    if length > 1:
        env = gym.make(env_id, max_episode_steps=length - 1, **settings)
        assert env.spec.max_episode_steps == length - 1
        assert play_through(env) == (length - 1, True)


@pytest.mark.parametrize("mode", ["sync", "vector_entry_point"])
@pytest.mark.parametrize(
    ("env_id", "settings", "length"),
    [
        ("LRMP-LeNet-v0", {}, 4),
        ("LRMP-LeNet-OneShot-v0", {}, 1),
        ("LRMP-LeNet-Refine-v0", {"horizon": 60}, 60),
        (CUSTOM_ID, {"task": "LRMP-ResNet8-v0"}, 10),
    ],
)
def test_time_limit_of_vectors_is_beyond_the_longest_episode(env_id, settings, length, mode):
    for limit in ({}, {"max_episode_steps": -1}, {"max_episode_steps": length}):
        envs = gym.make_vec(env_id, 2, vectorization_mode=mode, **settings, **limit)
        envs.reset(seed=0)
        envs.action_space.seed(0)
        for step in range(1, length + 1):
            *_, terminated, truncated, _ = envs.step(envs.action_space.sample())
            assert terminated.tolist() == [step == length] * 2
            assert truncated.tolist() == [step == limit.get("max_episode_steps")] * 2


@pytest.mark.parametrize("env_id", PROCEDURAL)
def test_random_tasks_end_before_the_time_limit(env_id):
    largest = gym.make(env_id, tasks=["LRMP-ResNet101-Predicted-v0"])
    length = 1 if "OneShot" in env_id else 105
    assert play_through(largest) == (length, False)
    assert largest.spec.max_episode_steps == gym.spec(env_id).max_episode_steps
    tasks = [load_task("LRMP-LeNet-v0"), make_task(OWN, accuracy=POINTS)]
    env = gym.make(env_id, tasks=tasks, render_mode="rgb_array")
    other = again(env)
    for made in (env, other):
        made.reset(options={"instance": 1}, seed=0)
    assert other.unwrapped.render_mode == "rgb_array"
    assert_equal(env, other)
    played = [task.fingerprint for task in other.unwrapped.family.tasks]
    assert played == [task.fingerprint for task in tasks]


@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_a_longer_task_than_the_id_names_is_refused(make):
    message = (
        "Expected a task with episodes of at most 4 steps for LRMP-LeNet-v0, got one with 10. "
        "Give it to LRMP-Custom-v0."
    )
    with pytest.raises(TaskError, match=re.escape(message)):
        make("LRMP-LeNet-v0", task="LRMP-ResNet8-v0")


def test_an_id_of_ones_own_may_have_any_limit():
    gym.register("Mine-v0", LayerwiseEnv, max_episode_steps=2, kwargs={"task": "LRMP-LeNet-v0"})
    try:
        assert play_through(gym.make("Mine-v0")) == (2, True)
    finally:
        del gym.registry["Mine-v0"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", OWN_TASKS)
def test_own_tasks_survive_json(form, kind):
    env_id = environment_id(CUSTOM_ID, form)
    settings = {"horizon": 4} if form == "Refine" else {"discrete": True}
    task = OWN_TASKS[kind]()
    env = gym.make(env_id, task=task, **settings)
    assert_equal(env, again(env))
    assert again(env).spec == env.spec
    for mode in ("sync", "vector_entry_point"):
        envs = gym.make_vec(env_id, 2, vectorization_mode=mode, task=task, **settings)
        copies = gym.make_vec(EnvSpec.from_json(envs.spec.to_json()))
        assert type(copies) is type(envs)
        assert copies.spec.to_json() == envs.spec.to_json()
        envs.action_space.seed(0)
        actions = envs.action_space.sample()
        for made in (envs, copies):
            made.reset(seed=0)
        assert data_equivalence(envs.step(actions)[:4], copies.step(actions)[:4], exact=True)


def test_task_files_survive_json_without_the_file(tmp_path):
    path = tmp_path / "task.toml"
    path.write_text('network = "lenet"\nallowed_drop = 2.0\n')
    for task in (path, str(path)):
        env = gym.make(CUSTOM_ID, task=task)
        text = env.spec.to_json()
        path.rename(path.with_suffix(".away"))
        assert_equal(env, gym.make(EnvSpec.from_json(text)))
        assert env.spec.to_json() == text
        path.with_suffix(".away").rename(path)


def test_registered_tasks_stay_names():
    env = gym.make(CUSTOM_ID, task=load_task("LRMP-LeNet-v0"))
    assert EnvSpec.from_json(env.spec.to_json()).kwargs == {"task": "LRMP-LeNet-v0"}
    env = gym.make("LRMP-LeNet-Refine-v0", horizon=np.int64(3))
    assert EnvSpec.from_json(env.spec.to_json()).kwargs == {"task": "LRMP-LeNet-v0", "horizon": 3}


def test_wrapped_environments_survive_json():
    env = PinFirstLast(gym.make(CUSTOM_ID, task=make_task(OWN, accuracy=POINTS)))
    other = again(env)
    assert isinstance(other, PinFirstLast)
    assert_equal(env, other)


def test_functions_of_modules_survive_json(tmp_path, monkeypatch):
    (tmp_path / "own_rules.py").write_text(RULES)
    monkeypatch.syspath_prepend(tmp_path)
    import own_rules

    settings = {"reward": own_rules.frugal, "features": ("depth", own_rules.parity, "tiles")}
    for env_id in ("LRMP-LeNet-v0", CUSTOM_ID):
        env = gym.make(env_id, task="LRMP-LeNet-v0", **settings)
        assert EnvSpec.from_json(env.spec.to_json()).kwargs["reward"] == "own_rules:frugal"
        assert again(env).unwrapped.feature_names == ("depth", "parity", "tiles")
        assert_equal(env, again(env))
    code = f"""
import gymnasium as gym, lrmp
from gymnasium.envs.registration import EnvSpec
env = gym.make(EnvSpec.from_json({env.spec.to_json()!r}))
print(env.unwrapped.dynamics.reward.__name__, *env.unwrapped.feature_names)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "frugal depth parity tiles\n"
    settings["features"] = (own_rules.parity,)
    drawn = gym.make("LRMP-Procedural-v0", tasks=["LRMP-LeNet-v0"], **settings)
    other = again(drawn)
    for made in (drawn, other):
        made.reset(seed=0)
    assert_equal(drawn, other)


def test_functions_named_by_strings_are_used(tmp_path, monkeypatch):
    (tmp_path / "named_rules.py").write_text(RULES)
    monkeypatch.syspath_prepend(tmp_path)
    env = gym.make("LRMP-LeNet-OneShot-v0", reward="named_rules:frugal")
    env.reset(seed=0)
    _, reward, *_ = env.step(np.ones(8))
    assert reward == -env.unwrapped.outcome.report.tiles


class Flat:
    """An accuracy model of one's own."""

    kind, is_estimate, provenance, fingerprint = "table", True, "none", "0" * 64

    drop_map = IdentityMap()

    def drop(self, design):
        return 0.0

    divergence = drop

    def drops(self, settings, replication):
        return np.zeros(len(settings))

    divergences = drops

    def sensitivities(self):
        return None

    def test_drop(self, design):
        return None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"reward": lambda outcome: 0.0},
            r"Expected a function that a module holds, .*; got <function .*<lambda>.*Put it into a",
        ),
        ({"features": ("depth", lambda task: range(4))}, "Expected a function that a module holds"),
        (
            {"task": make_task("lenet", accuracy=Flat())},
            "Expected a task whose accuracy is a table .*got 'LRMP-Custom-v0' with a model of your",
        ),
    ],
)
def test_what_has_no_text_is_one_clear_error(settings, message):
    env = gym.make(CUSTOM_ID, **{"task": "LRMP-LeNet-v0", **settings})
    with pytest.raises(TaskError, match=message):
        env.spec.to_json()
    gym.make(env.spec).reset(seed=0)  # in this process it is as good as any


def test_own_knobs_have_no_text(own_task):
    env = gym.make(CUSTOM_ID, task=own_task)
    with pytest.raises(TaskError, match=r"Expected a task of lrmp's own knobs, got 'LRMP-Custom"):
        env.spec.to_json()


@pytest.mark.parametrize("path", ["no_such_module:f", "lrmp:no_such_function", "lrmp:__version__"])
def test_functions_that_are_not_there_are_refused(path):
    message = f"Expected a function of a module that can be imported, got '{path}'"
    with pytest.raises(TaskError, match=message):
        gym.make("LRMP-LeNet-v0", reward=path)
    with pytest.raises(TaskError, match=message):
        gym.make("LRMP-LeNet-v0", features=("depth", path))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("autoreset", ["NextStep", "SameStep"])
def test_vectors_show_what_scalar_environments_show(form, autoreset, make_vector):
    settings = {"horizon": 3} if form == "Refine" else {}
    native, sync = (
        make_vector(
            environment_id("LRMP-LeNet-v0", form),
            2,
            autoreset,
            each,
            render_mode="ansi",
            **settings,
        )
        for each in (True, False)
    )
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before render\(\)"):
        native.render()
    native.action_space.seed(0)
    for envs in (native, sync):
        envs.reset(seed=0)
    for _ in range(7):
        assert native.render() == sync.render()
        actions = native.action_space.sample()
        for envs in (native, sync):
            envs.step(actions)


@pytest.mark.long
@pytest.mark.parametrize(
    "env_id", [*(environment_id("LRMP-LeNet-v0", form) for form in FORMS), *PROCEDURAL]
)
def test_makers_may_pass_the_usual_render_modes(env_id):
    env = gym.make(f"lrmp:{env_id}", render_mode="rgb_array")
    env.reset(seed=0)
    frame = env.render()
    assert frame.ndim == 3
    assert frame.dtype == np.uint8
    for mode in ("sync", None):
        envs = gym.make_vec(env_id, 1, vectorization_mode=mode, render_mode="rgb_array")
        envs.reset(seed=0)
        assert [shown.shape for shown in envs.render()] == [frame.shape]
