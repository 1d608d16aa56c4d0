"""Infos for machines: the same keys, shapes and types at every step, of every form."""

from collections import defaultdict
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from lrmp.envs import CUSTOM_ID
from lrmp.envs.scoring.design_info import NUMBERS
from lrmp.envs.task.environment_id import FORMS, environment_id

NETWORKS = 3  # of every form
EPISODES = 2


def some_ids():
    """Find a few ids of every entry point, and those without a task of their own."""
    found = defaultdict(list)
    for spec in gym.registry.values():
        # Infos of slots and of chips have names of their own, and tests of theirs.
        others = "-Spaces-" in spec.id or "problem" in spec.kwargs
        if spec.id.startswith("LRMP-") and not others:
            found[spec.entry_point].append(spec.id)
    for ids in found.values():
        with_task = [env_id for env_id in ids if not env_id.startswith(CUSTOM_ID[:-3])]
        yield from with_task[:: -(-len(with_task) // NETWORKS)]


def settings_of(env_id):
    """List ways to play an id."""
    if env_id.endswith("-Refine-v0"):
        return [{"horizon": 4}]
    return [{"discrete": discrete} for discrete in (False, True, "flat")]


CASES = [
    pytest.param(env_id, settings, id=f"{env_id}-{settings}")
    for env_id in some_ids()
    for settings in settings_of(env_id)
]


def look(info):
    """Describe an info: names, shapes and types."""
    return {key: (type(value), value.dtype, value.shape) for key, value in info.items()}


def infos_of(env, episodes=EPISODES):
    """Play episodes of random actions: the infos of each."""
    env.action_space.seed(0)
    for seed in range(episodes):
        infos, ended = [env.reset(seed=seed)[1]], False
        while not ended:
            *_, ended, _, info = env.step(env.action_space.sample())
            infos.append(info)
        yield infos


@pytest.mark.parametrize(("env_id", "settings"), CASES)
def test_every_info_looks_alike(env_id, settings):
    looks = [look(i) for infos in infos_of(gym.make(env_id, **settings)) for i in infos]
    assert all(each == looks[0] for each in looks)
    for kind, dtype, shape in looks[0].values():
        # NumPy's own truth values are no numbers to Gymnasium.
        assert kind is np.ndarray or issubclass(kind, np.number)
        assert (kind is np.ndarray) == (dtype in (bool, np.int8) or bool(shape))


@pytest.mark.parametrize(("env_id", "settings"), CASES)
def test_design_is_known_when_it_is_finished(env_id, settings):
    env = gym.make(env_id, **settings).unwrapped
    assert env.outcome is None
    for infos in infos_of(env):
        assert [bool(info["finished"]) for info in infos] == [False] * (len(infos) - 1) + [True]
        last, outcome = infos[-1], env.outcome
        layers = len(outcome.design)
        for name in NUMBERS:
            assert last[name] == (getattr(outcome, name) or 0)  # no score beyond the allowance
        for name, numbers in env.task.space.numbers(outcome.design.settings).items():
            assert last[f"design_{name}"][:layers].tolist() == numbers.tolist()
            assert not last[f"design_{name}"][layers:].any()
        assert last["replication"][:layers].tolist() == outcome.design.replication.tolist()
        assert not last["replication"][layers:].any()
        nothing = infos[0] if "horizon" in settings else infos[-2]
        for name in (*NUMBERS, "replication", *(key for key in last if key.startswith("design_"))):
            assert not np.any(nothing[name])
        env.reset()
        assert env.outcome is None


@pytest.mark.parametrize(("env_id", "settings"), CASES)
def test_masks_fit_the_actions(env_id, settings):
    env = gym.make(env_id, **settings)
    env.action_space.seed(0)
    space = env.action_space
    info, ended = env.reset(seed=0)[1], False
    while not ended:
        mask = info["action_mask"]
        assert mask.dtype == np.int8
        shown = env.get_wrapper_attr("action_masks")()  # as MaskablePPO asks
        assert shown.dtype == bool
        assert np.array_equal(shown, mask)
        if isinstance(space, gym.spaces.Discrete):
            assert mask.shape == (space.n,)
        elif isinstance(space, gym.spaces.MultiDiscrete):
            assert mask.shape == (space.nvec.sum(),)
        else:
            sizes = env.unwrapped.task.space.sizes
            assert mask.shape == (sum(sizes) * space.shape[0] // len(sizes),)
        if "Refine" not in env_id and not env.unwrapped.task.space.allowed:
            assert mask.all()
        *_, ended, _, info = env.step(space.sample())


def test_layers_are_counted():
    (infos,) = infos_of(gym.make("LRMP-LeNet-v0"), 1)
    assert [int(info["layer"]) for info in infos] == [-1, 0, 1, 2, 3]
    assert (infos[0]["weight_bits"], infos[0]["activation_bits"]) == (8, 8)


def test_no_info_shares_memory_with_another():
    for form in FORMS:
        (infos,) = infos_of(gym.make(environment_id("LRMP-LeNet-v0", form)), 1)
        arrays = [value for i in infos for value in i.values() if isinstance(value, np.ndarray)]
        assert not any(np.shares_memory(a, b) for k, a in enumerate(arrays) for b in arrays[:k])


def masked(own_task):
    """Let the second layer have few bits alone."""
    every = tuple(range(2, 9))
    allowed = (*own_task.space.allowed, ("weight_bits", (every, (2, 5, 8), every, every)))
    return replace(own_task, space=replace(own_task.space, allowed=allowed))


@pytest.mark.parametrize("discrete", [False, True, "flat"])
def test_masks_say_what_the_next_layer_may_have(own_task, discrete):
    task = masked(own_task)
    first = [1] * 7 + [1] * 7 + [1] * 3 + [0, 1]
    second = [1, 0, 0, 1, 0, 0, 1] + [1] * 7 + [1] * 3 + [1] * 2
    rows = [first, second, [1] * 19, [1] * 19]
    if discrete == "flat":
        knobs = np.split(np.array(rows), np.cumsum([7, 7, 3]), axis=1)
        grid = np.einsum("la,lb,lc,ld->labcd", *knobs)
        rows = grid.reshape(4, -1).tolist()
    env = gym.make(CUSTOM_ID, task=task, discrete=discrete)
    (infos,) = infos_of(env, 1)
    assert [info["action_mask"].tolist() for info in infos] == [*rows, rows[-1]]
    shown = gym.make(environment_id(CUSTOM_ID, "OneShot"), task=task, discrete=discrete)
    assert shown.reset()[1]["action_mask"].tolist() == np.ravel(rows).tolist()
    vector = gym.make_vec(CUSTOM_ID, 3, task=task, discrete=discrete, autoreset_mode="Disabled")
    vector.action_space.seed(0)
    _, infos = vector.reset()
    for row in rows:
        assert infos["action_mask"].tolist() == [row] * 3
        assert vector.unwrapped.action_masks().astype(int).tolist() == [row] * 3
        *_, infos = vector.step(vector.action_space.sample())


@pytest.mark.parametrize("discrete", [True, "flat"])
def test_actions_that_masks_allow_are_executed_as_they_are(own_task, discrete):
    env, rng = gym.make(CUSTOM_ID, task=masked(own_task), discrete=discrete), np.random.default_rng(0)  # fmt: skip  # noqa: E501
    sizes = own_task.space.sizes
    for _ in range(20):
        info, ended = env.reset()[1], False
        while not ended:
            if discrete == "flat":
                action = rng.choice(np.flatnonzero(info["action_mask"]))
                setting = own_task.space.settings[action]
            else:
                masks = np.split(info["action_mask"], np.cumsum(sizes)[:-1])
                setting = action = np.array([rng.choice(np.flatnonzero(m)) for m in masks])
            *_, ended, _, info = env.step(action)
            wanted = own_task.space.numbers(setting)
            assert {name: info[name] for name in wanted} == wanted


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("form", FORMS)
def test_vector_infos_are_whole_at_every_step(form, mode, make_vector):
    env = make_vector(environment_id("LRMP-MLP-v0", form), 2, mode)
    env.action_space.seed(0)
    _, start = env.reset()
    keys = {key for key in start if not key.startswith("_")}
    for _ in range(7):
        *_, terminated, _, infos = env.step(env.action_space.sample())
        final = infos.get("final_info", {})
        assert keys == {key for key in infos if not key.startswith(("_", "final"))}
        assert not final or keys == {key for key in final if not key.startswith("_")}
        assert {k: (infos[k].shape, infos[k].dtype) for k in keys} == {
            k: (start[k].shape, start[k].dtype) for k in keys
        }
        if mode == AutoresetMode.DISABLED and terminated.all():
            env.reset()


@pytest.mark.parametrize("form", FORMS)
def test_gymnasium_converts_infos_to_tensors(form):
    torch = pytest.importorskip("torch")
    pytest.importorskip("array_api_compat")
    from gymnasium.wrappers.numpy_to_torch import NumpyToTorch

    env = NumpyToTorch(gym.make(environment_id("LRMP-ResNet8-v0", form)))
    _, info = env.reset(seed=0)
    ended, env.action_space = False, env.unwrapped.action_space
    while not ended:
        assert all(isinstance(value, torch.Tensor) for value in info.values())
        *_, ended, _, info = env.step(torch.as_tensor(env.action_space.sample()))
    assert info["finished"]
    assert info["gain"].item() == env.unwrapped.outcome.gain


@pytest.mark.parametrize("discrete", [False, True, "flat"])
def test_every_agents_info_looks_alike(discrete):
    agents = pytest.importorskip("lrmp.envs.forms.multi_agent")
    env = agents.parallel_env("LRMP-LeNet-v0", discrete=discrete, rounds=3)
    looks, infos = [], env.reset()[1]
    while True:
        looks += [look(info) for info in infos.values()]
        if not env.agents:
            break
        joint = {agent: env.action_space(agent).sample() for agent in env.agents}
        *_, infos = env.step(joint)
    assert len(looks) == 4 * 4
    assert all(each == looks[0] for each in looks)
    assert infos["layer_3"]["finished"]
    assert infos["layer_3"]["gain"] == env.outcome.gain
    # PettingZoo samples with the masks that it finds.
    assert ("action_mask" in infos["layer_0"]) == (discrete == "flat")
    masks = env.action_masks()
    assert list(masks) == env.possible_agents
    for agent, mask in masks.items():
        space = env.action_space(agent)
        assert mask.shape == (space.n if discrete == "flat" else 14,)
        if discrete == "flat":
            space.sample(infos[agent]["action_mask"])
