"""From an action to bits, and what is no action."""

import math
from fractions import Fraction
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from lrmp.envs import LayerwiseEnv
from lrmp.envs.forms.action import ActionCode
from lrmp.errors import ActionError, TaskError


@pytest.fixture
def box_env():
    env = LayerwiseEnv("LRMP-ResNet18-v0")
    env.reset()
    return env


@pytest.fixture
def discrete_env():
    env = LayerwiseEnv("LRMP-ResNet18-v0", discrete=True)
    env.reset()
    return env


def executed(env, actions):
    """Return the bits that an environment executes, over as many episodes as it takes."""
    bits = []
    env.reset()
    for action in actions:
        _, _, terminated, _, info = env.step(action)
        bits.append((info["weight_bits"], info["activation_bits"]))
        if terminated:
            env.reset()
    return bits


def haq(value):
    """HAQ's own map, of 0..1; actions go from -1 to 1."""
    return int(np.round((8.5 - 1.5) * (value + 1) / 2 + 1.5))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_box_actions_are_cut_as_haq_cuts_them(box_env, dtype):
    grid = np.linspace(-1, 1, 1001, dtype=dtype)  # meets borders only at the ends
    pairs = np.stack([grid, grid[::-1]], axis=1)
    expected = [(haq(a), haq(b)) for a, b in pairs.tolist()]
    assert executed(box_env, pairs) == expected
    assert {w for w, _ in expected} == set(range(2, 9))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_border_belongs_to_the_higher_value(dtype):
    code = ActionCode((2, 4), False)
    borders = {-1: (0, 0), -0.5: (0, 1), 0: (1, 2), 0.5: (1, 3), 1: (1, 3)}
    actions = np.array([[border] * 2 for border in borders], dtype=dtype)
    assert [tuple(code.decode(action)) for action in actions] == list(borders.values())
    assert code.places(actions).tolist() == [list(places) for places in borders.values()]


@pytest.mark.parametrize("sizes", [(7, 7), (2, 3, 5), (1, 16), (127,)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_action_is_cut_as_many_are(sizes, dtype):
    code, rng = ActionCode(sizes, False), np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (500, len(sizes))).astype(dtype)
    borders = (2 * rng.integers(0, np.add(sizes, 1), actions.shape) / sizes - 1).astype(dtype)
    near = [np.nextafter(borders, dtype(end)) for end in (-2, 2)]
    actions = np.concatenate([actions, borders, *near]).clip(-1, 1)
    assert code.places(actions).tolist() == [code.decode(action) for action in actions]


@pytest.mark.parametrize("discrete", [False, True, "flat"])
def test_every_setting_has_an_action(discrete):
    code = ActionCode((3, 1, 4), discrete)
    settings = np.stack(np.unravel_index(np.arange(12), (3, 1, 4)), axis=1)
    actions = [code.encode(setting) for setting in settings.tolist()]
    assert all(action in code.space for action in actions)
    assert [code.decode(action) for action in actions] == settings.tolist()
    assert code.places(np.array(actions)).tolist() == settings.tolist()
    if discrete == "flat":
        assert actions == list(range(12))


@pytest.mark.parametrize(
    ("discrete", "message"),
    [
        ("falt", "got 'falt'. Did you mean \"flat\"?"),
        ("Flat", "got 'Flat'. Did you mean \"flat\"?"),
        ("true", "got 'true'. Did you mean True?"),
        (1, "got 1. Did you mean True?"),
        (0, "got 0. Did you mean False?"),
        (None, "got None."),
        (["flat"], "got ['flat']. Did you mean \"flat\"?"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "env_id", ["LRMP-MLP-v0", "LRMP-MLP-OneShot-v0", "LRMP-Procedural-v0", "vector", "agents"]
)
def test_other_kinds_of_actions_are_refused(env_id, discrete, message):
    if env_id == "agents":
        agents = pytest.importorskip("lrmp.envs.forms.multi_agent")
        make = partial(agents.parallel_env, "LRMP-MLP-v0")
    elif env_id == "vector":
        make = partial(gym.make_vec, "LRMP-MLP-v0", 2)
    else:
        make = partial(gym.make, env_id)
    with pytest.raises(TaskError) as caught:
        make(discrete=discrete)
    assert str(caught.value) == f'Expected discrete to be False, True or "flat", {message}'


def test_refinement_has_one_kind_of_actions():
    with pytest.raises(TypeError, match="discrete"):
        gym.make("LRMP-MLP-Refine-v0", discrete="flat")


def test_intervals_are_equal_to_the_last_float32(box_env):
    borders = np.array([2 * k / 7 - 1 for k in range(1, 8)], dtype=np.float32)
    below = np.nextafter(borders, np.float32(-2))
    above = np.nextafter(borders, np.float32(2))[:-1]  # above 1 is no action
    ends = np.float32([-1, np.nextafter(np.float32(-1), np.float32(0)), 0, 1e-45, -1e-45, 1])
    values = np.concatenate([below, borders, above, ends])
    expected = [2 + min(6, math.floor(7 * (Fraction(float(v)) + 1) / 2)) for v in values]
    bits = executed(box_env, np.stack([values, values], axis=1))
    assert bits == [(b, b) for b in expected]


def test_discrete_actions_are_indices_of_bits(discrete_env):
    actions = [[w, a] for w in range(7) for a in range(7)]
    assert executed(discrete_env, actions) == [(2 + w, 2 + a) for w, a in actions]


@pytest.mark.parametrize(
    "action",
    [
        [-0.1, 0.8],
        (-0.1, 0.8),
        np.array([-0.1, 0.8]),
        np.array([-0.1, 0.8], dtype=np.float32),
        np.array([-0.1, 0.8], dtype=np.float16),
        [np.float32(-0.1), 0.8],
    ],
    ids=["list", "tuple", "float64", "float32", "float16", "scalars"],
)
def test_box_action_may_come_in_any_float_form(box_env, action):
    info = box_env.step(action)[4]
    assert (info["weight_bits"], info["activation_bits"]) == (5, 8)
    assert type(info["weight_bits"]) is np.int64
    assert type(info["activation_bits"]) is np.int64


@pytest.mark.parametrize(("value", "bits"), [(-1, 2), (0, 5), (1, 8)])
def test_box_action_may_be_integers(box_env, value, bits):
    assert box_env.step([value, 1])[4]["weight_bits"] == bits


@pytest.mark.parametrize(
    "action",
    [[1, 6], (1, 6), np.array([1, 6]), np.array([1, 6], dtype=np.uint8)],
    ids=["list", "tuple", "int64", "uint8"],
)
def test_discrete_action_may_come_in_any_integer_form(discrete_env, action):
    info = discrete_env.step(action)[4]
    assert (info["weight_bits"], info["activation_bits"]) == (3, 8)
    assert type(info["weight_bits"]) is np.int64
    assert type(info["activation_bits"]) is np.int64


NO_BOX_ACTION = {
    "one number": [0.5],
    "three numbers": [0.5, 0.5, 0.5],
    "a batch": [[0.5, 0.5]],
    "a scalar": 0.5,
    "ragged": [[0.5], [0.5, 0.5]],
    "nothing": None,
    "text": "ab",
    "objects": [None, None],
    "bools": [True, False],
    "complex": [0.5j, 0.5],
    "nan": [0.5, math.nan],
    "infinity": [math.inf, 0.5],
    "above": [0.5, 1.0000001],
    "below": [-1.0000001, 0.5],
}
NO_DISCRETE_ACTION = {
    "one number": [3],
    "three numbers": [3, 3, 3],
    "a batch": [[3, 3]],
    "a scalar": 3,
    "ragged": [[3], [3, 3]],
    "nothing": None,
    "floats": [3.0, 3.0],
    "float array": np.array([3, 3], dtype=np.float32),
    "bools": [True, False],
    "above": [3, 7],
    "below": [-1, 3],
    "huge": [3, 2**63],
}


@pytest.mark.parametrize("action", NO_BOX_ACTION.values(), ids=NO_BOX_ACTION)
def test_box_refuses(box_env, action):
    with pytest.raises(
        ActionError, match=r"^Expected an action in Box\(-1\.0, 1\.0, \(2,\), float32\), got "
    ) as caught:
        box_env.step(action)
    assert str(caught.value).endswith(f"got {action!r}.")


@pytest.mark.parametrize("action", NO_DISCRETE_ACTION.values(), ids=NO_DISCRETE_ACTION)
def test_discrete_refuses(discrete_env, action):
    with pytest.raises(
        ActionError, match=r"^Expected an action in MultiDiscrete\(\[7 7\]\), got "
    ) as caught:
        discrete_env.step(action)
    assert str(caught.value).endswith(f"got {action!r}.")


def test_refused_action_leaves_the_episode_alone(play, random_actions):
    disturbed, calm = (gym.make("LRMP-Digits-v0").unwrapped for _ in range(2))
    actions = random_actions(calm, 0)
    expected = play(calm, actions)
    disturbed.reset()
    for action, transition in zip(actions, expected[1:], strict=True):
        for refused in ([0.5], [0.5, 1.5], [math.nan, 0.5]):
            with pytest.raises(ActionError, match="Expected an action"):
                disturbed.step(refused)
        assert data_equivalence(disturbed.step(action), transition, exact=True)
