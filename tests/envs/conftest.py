"""Every registered environment, and how to play it."""

import dataclasses
import json
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

import lrmp  # noqa: F401  registers the environments
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs import list_tasks, make_task
from lrmp.envs.task.environment_id import task_id_of
from lrmp.envs.task.task import LAYERS
from lrmp.hardware import DesignSpace, Knob, Layer, Network
from lrmp.hardware.families import FAMILIES
from lrmp.hardware.space.precision import PRECISION

# Of every family but LRMP's own, the first network (or chip with several) is played step by step
# here; what costs little is tested of all.
PLAYED = {
    task_id
    for name in (*FAMILIES, "shared")
    for task_id in list_tasks(family=name)
    if name == "precision" or LAYERS[task_id] == LAYERS[list_tasks(family=name)[0]]
}
# LRMP-Custom-* and LRMP-Procedural-* have no task of their own, but tests of theirs.
ALL_SPECS = [
    spec
    for spec in gym.registry.values()
    if spec.id.startswith("LRMP-")
    and spec.kwargs.get("task") is not None
    and task_id_of(spec.id) in PLAYED
]
SPECS = [spec for spec in ALL_SPECS if spec.entry_point.endswith("LayerwiseEnv")]
# LRMP's own, whose costs are counted by hand: every layer has all bits, on LRMP's chip.
LRMP_SPECS = [spec for spec in SPECS if spec.id in list_tasks(family="precision")]
# Those that turn bits alone, of one network or several, every layer all of them.
BITS_SPECS = [spec for spec in SPECS if spec.id in list_tasks(family="shared")] + LRMP_SPECS
# Gymnasium's checks know scalar rewards only: the multi-objective form has tests of its own.
FORM_SPECS = [spec for spec in ALL_SPECS if spec not in SPECS and "MultiObjective" not in spec.id]


@pytest.fixture(scope="session")
def golden():
    """What is pinned of every registered task, by id."""
    return json.loads(Path(__file__).with_name("golden.json").read_text("utf-8"))


@pytest.fixture(params=SPECS, ids=lambda spec: spec.id)
def spec(request):
    """Every layer-wise environment."""
    return request.param


@pytest.fixture(params=LRMP_SPECS, ids=lambda spec: spec.id)
def lrmp_spec(request):
    """Every layer-wise environment of LRMP's own tasks."""
    return request.param


@pytest.fixture(params=BITS_SPECS, ids=lambda spec: spec.id)
def bits_spec(request):
    """Every layer-wise environment of tasks that turn bits of weights and activations alone."""
    return request.param


@pytest.fixture(params=FORM_SPECS, ids=lambda spec: spec.id)
def form_spec(request):
    """Every environment of another form."""
    return request.param


def read_again(computation, times):
    """Read every product several times."""
    return dataclasses.replace(computation, reads=computation.reads * times)


def keep_rows(computation, labels):
    """Keep all rows of the matrix, or one of two."""
    rows = np.where(labels == "half", -(-computation.rows // 2), computation.rows)
    return dataclasses.replace(computation, rows=rows)


@pytest.fixture(scope="session")
def own_task():
    """A task that turns two knobs beside the bits, declared here alone.

    One has numbers, which cost time and buy accuracy; the other has labels, which the first layer
    may not choose among.
    """
    network = Network(
        "four",
        (
            Layer.conv2d("first", 3, 32, kernel_size=3, input_size=16),
            Layer.conv2d("second", 32, 96, kernel_size=3, input_size=16, stride=2),
            Layer.conv2d("third", 96, 200, kernel_size=1, input_size=8),
            Layer.linear("last", 700, 10),
        ),
    )
    reads = Knob("reads", (1, 2, 4), plain=1, effect=read_again)
    kept_rows = Knob("kept_rows", ("half", "all"), plain="all", effect=keep_rows)
    both = ("half", "all")
    space = DesignSpace((*PRECISION, reads, kept_rows), (("kept_rows", (("all",), *[both] * 3)),))
    weight = np.array([1.0, 0.2, 0.1, 0.5])
    noise = 4.0 ** -PRECISION["activation_bits"].array[:, None] + 0.05 / reads.array
    accuracy = TableAccuracy(
        {
            "weight_bits": 6 * weight[:, None] * 2.0 ** -PRECISION["weight_bits"].array,
            ("activation_bits", "reads"): 2 * weight[::-1, None, None] * noise,
            "kept_rows": weight[:, None] * [0.6, 0.0],
        },
        "made up",
        is_estimate=True,
        space=space,
    )
    return make_task(network, accuracy=accuracy, space=space)


@pytest.fixture(scope="session")
def play():
    """Play an episode: transitions (observation, reward, terminated, truncated, info)."""

    def play(env, actions):
        observation, info = env.reset(seed=0)
        return [(observation, 0.0, False, False, info), *(env.step(action) for action in actions)]

    return play


@pytest.fixture(scope="session")
def random_actions():
    """Draw the actions of a whole episode."""

    def random_actions(env, seed):
        rng = np.random.default_rng(seed)
        task = env.unwrapped.task
        layers, sizes = len(task.network), task.space.sizes
        if env.unwrapped.discrete == "flat":
            return rng.integers(0, np.prod(sizes), layers)
        if env.unwrapped.discrete:
            return rng.integers(0, sizes, (layers, len(sizes)))
        return 2 * rng.random((layers, len(sizes)), dtype=np.float32) - 1

    return random_actions


@pytest.fixture(scope="session")
def make_vector():
    """Make the native vector environment, or Gymnasium's own of scalar ones."""

    def make_vector(env_id, count, mode, native=True, **settings):
        if native:
            return gym.make_vec(env_id, count, autoreset_mode=mode, **settings)
        kwargs = {"autoreset_mode": mode}
        return gym.make_vec(env_id, count, "sync", vector_kwargs=kwargs, **settings)

    return make_vector


@pytest.fixture(scope="session")
def assert_same_step():
    """Compare what two vector environments return, from a step or a reset, bit by bit."""

    def assert_same_step(one, other):
        *one, infos = one
        *other, other_infos = other
        assert data_equivalence(tuple(one), tuple(other), exact=True)
        assert_same_infos(infos, other_infos)

    return assert_same_step


@pytest.fixture(scope="session")
def assert_parity(make_vector, assert_same_step):
    """Play both environments, with the same actions."""

    def assert_parity(env_id, mode, settings, steps):
        vector, sync = (
            make_vector(env_id, 3, mode, native, **settings) for native in (True, False)
        )
        assert vector.single_observation_space == sync.single_observation_space
        assert vector.single_action_space == sync.single_action_space
        assert vector.observation_space == sync.observation_space
        assert vector.action_space == sync.action_space
        vector.action_space.seed(1)
        assert_same_step(vector.reset(seed=0), sync.reset(seed=0))
        ended = np.zeros(3, dtype=bool)
        for step in range(steps):
            again = (
                ended.copy()
                if getattr(mode, "value", mode) == "Disabled"
                else np.zeros(3, dtype=bool)
            )
            again[0] |= step == 1  # starts over early, so that the episodes are at different layers
            if again.any():
                assert_same_step(
                    *(env.reset(options={"reset_mask": again.copy()}) for env in (vector, sync))
                )
            actions = vector.action_space.sample()
            one, other = vector.step(actions), sync.step(actions)
            assert_same_step(one, other)
            ended = one[2] | one[3]

    return assert_parity


def assert_same_infos(one, other):
    """Expect the same arrays, also where a mask says that nothing is there."""
    assert one.keys() == other.keys()
    for key, values in one.items():
        if key == "final_info":
            assert_same_infos(values, other[key])
        elif key == "final_obs":
            assert data_equivalence([*values], [*other[key]], exact=True)
        else:
            assert values.dtype == other[key].dtype, key
            assert np.array_equal(values, other[key]), key


@pytest.fixture(scope="session")
def by_hand():
    """Count a design's tiles and cycles by layer, in Python's integers, without the cost model."""

    def by_hand(task, weight_bits, activation_bits, copies, reads=None, kept_rows=None):
        chip, count = task.accelerator, len(task.network)
        tiles, cycles = [], []
        for layer, w, a, r, times, kept in zip(
            task.network.layers,
            weight_bits,
            activation_bits,
            copies,
            reads if reads is not None else [1] * count,
            kept_rows if kept_rows is not None else ["all"] * count,
            strict=True,
        ):
            if layer.groups == 1:
                rows = layer.rows if kept == "all" else ceil(layer.rows, 2)
                crossbars = ceil(rows, chip.crossbar_rows) * ceil(
                    layer.columns, chip.crossbar_columns
                )
                groups = ceil(min(rows, chip.crossbar_rows), chip.active_rows)
            else:  # depth-wise: columns of a channel each, along the diagonal of a crossbar
                assert layer.columns == layer.groups
                channels = min(layer.groups, chip.crossbar_rows // layer.rows)
                crossbars = ceil(layer.groups, channels)
                groups = ceil(channels, max(1, chip.active_rows // layer.rows))
                groups *= ceil(layer.rows, chip.active_rows)  # a 5 x 5 kernel has 25
            tiles.append(crossbars * ceil(w, chip.cell_bits) * r)
            position = ceil(a, chip.dac_bits) * times * groups * chip.columns_per_adc
            output = ceil(layer.positions * layer.columns, chip.output_elements_per_cycle)
            cycles.append(ceil(layer.positions, r) * position + output)
        return tiles, cycles

    return by_hand


def ceil(numerator, denominator):
    return -(-int(numerator) // int(denominator))
