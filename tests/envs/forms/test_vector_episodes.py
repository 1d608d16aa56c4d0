"""Whole episodes side by side, several in a row, over the whole registry.

All episodes of a task are equally long, so they end together, and with Gymnasium's default
autoreset the step after them has none to advance.
"""

from collections import Counter
from itertools import product

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode

from lrmp.envs import CUSTOM_ID, TASKS, list_tasks, make_task
from lrmp.envs.task.environment_id import task_id_of
from lrmp.envs.task.task import LAYERS
from lrmp.hardware.families import FAMILIES

EPISODES = 3
MOST = 8
HORIZON = 2  # of refinements, which else go on for 12 steps per layer
MODES = pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)
#: How many episodes side by side, and what actions are.
SIZES = list(product((1, 2, MOST), (False, True, "flat")))
# Of families but LRMP's own, the first network or chip; conftest has the same.
PLAYED = {
    task_id
    for name in (*FAMILIES, "shared")
    for task_id in list_tasks(family=name)
    if name == "precision" or LAYERS[task_id] == LAYERS[list_tasks(family=name)[0]]
}
SPECS = [
    spec
    for spec in gym.registry.values()
    if spec.id.startswith("LRMP-")
    and "problem" not in spec.kwargs  # which have no vectors of their own
    and (task_id_of(spec.id) in PLAYED or task_id_of(spec.id) not in TASKS)
]
PROCEDURAL = [spec for spec in SPECS if "Procedural" in spec.id]
VECTORS = [spec for spec in SPECS if "MultiObjective" in spec.id]  # of rewards; tested apart
NATIVE = [spec for spec in SPECS if spec not in PROCEDURAL + VECTORS]
CHEAP = [spec for spec in NATIVE if spec.kwargs["task"] in (None, "LRMP-LeNet-v0")]


KINDS = {False: "box", True: "discrete", "flat": "flat"}


def every_id():
    """Play every id in every mode, each time in another size; every form meets every size so."""
    seen = Counter()
    for spec in NATIVE:
        number = seen[spec.entry_point]
        seen[spec.entry_point] += 1
        for shift, mode in enumerate(AutoresetMode):
            count, discrete = SIZES[(number + number // 4 + 2 * shift) % len(SIZES)]
            name = f"{spec.id}-{mode.value}-{count}-{KINDS[discrete]}"
            yield pytest.param(spec, mode, count, discrete, id=name)


@pytest.fixture(scope="module")
def own_task():
    return make_task("mlp", "isaac_isca_2016", objective="throughput")


@pytest.fixture(scope="module")
def settings_of(own_task):
    """Say how the environment of a spec is made."""

    def settings_of(spec, discrete):
        settings = {} if spec.kwargs["task"] else {"task": own_task}
        form = {"horizon": HORIZON} if "Refine" in spec.id else {"discrete": discrete}
        return settings | form

    return settings_of


def draw_designs(task):
    """Draw places of values of all episodes, shape (EPISODES, MOST, L, K).

    They are the same in all forms and modes, so that what a network has measured is remembered.
    """
    sizes = task.space.sizes
    shape = (EPISODES, MOST, len(task.network), len(sizes))
    indices = np.random.default_rng(3).integers(0, sizes, shape)
    if task.objective == "edp" and len(task.network) > 30:
        indices[..., 0] = (
            sizes[0] - 1
        )  # with tiles to spare, the best copies of a deep network take seconds
    return indices


def actions_of(env, indices):
    """List the actions of an episode of some designs, of shape (num_envs, L, K), step by step.

    A refinement's are some of that many changes.
    """
    count, space, sizes = len(indices), env.single_action_space, env.task.space.sizes
    discrete = getattr(env, "discrete", None)
    if discrete is None:
        return list(indices.reshape(count, -1)[:, :HORIZON].T * (space.n - 1) // max(sizes))
    if discrete == "flat":
        values = np.ravel_multi_index(tuple(np.moveaxis(indices, -1, 0)), sizes)
    elif discrete:
        values = indices
    else:
        values = ((2 * indices + 1) / np.array(sizes) - 1).astype(np.float32)
    if space.shape == values.shape[2:]:
        return list(values.swapaxes(0, 1))
    return [values.reshape(count, -1)]


def play(envs, mode, designs):
    """Play an episode of each of the designs, and yield what resets and steps return."""
    count = envs[0].num_envs
    yield [env.reset(seed=7) for env in envs]
    for number, indices in enumerate(designs):
        *before, last = actions_of(envs[0], indices[:count])
        if number and mode == AutoresetMode.DISABLED:
            everyone = {"reset_mask": np.ones(count, dtype=bool)} if number == 1 else {}
            yield [env.reset(options=dict(everyone)) for env in envs]
        elif number and mode == AutoresetMode.NEXT_STEP:
            resets = [env.step(last) for env in envs]
            assert not any(np.any(found) for reset in resets for found in reset[1:4])
            yield resets
        for actions in before:
            steps = [env.step(actions) for env in envs]
            assert not any(np.any(step[2] | step[3]) for step in steps)
            yield steps
        steps = [env.step(last) for env in envs]
        assert all(step[2].all() for step in steps)
        yield steps


@pytest.mark.long
@pytest.mark.parametrize(("spec", "mode", "count", "discrete"), list(every_id()))
def test_every_id_plays_as_scalar_ones(
    spec, mode, count, discrete, settings_of, make_vector, assert_same_step
):
    settings = settings_of(spec, discrete)
    envs = [make_vector(spec.id, count, mode, native, **settings) for native in (True, False)]
    for one, other in play(envs, mode, draw_designs(envs[0].task)[:2]):
        assert_same_step(one, other)


@MODES
@pytest.mark.parametrize(("count", "discrete"), SIZES)
@pytest.mark.parametrize("spec", CHEAP, ids=lambda spec: spec.id)
def test_every_size_plays_as_scalar_ones(
    spec, mode, count, discrete, settings_of, make_vector, assert_same_step
):
    settings = settings_of(spec, discrete)
    envs = [make_vector(spec.id, count, mode, native, **settings) for native in (True, False)]
    for one, other in play(envs, mode, draw_designs(envs[0].task)):
        assert_same_step(one, other)


def test_default_mode_is_that_of_gymnasium(make_vector, assert_same_step):
    envs = gym.make_vec("LRMP-LeNet-v0", 3), gym.make_vec("LRMP-LeNet-v0", 3, "sync")
    assert [env.metadata["autoreset_mode"] for env in envs] == [AutoresetMode.NEXT_STEP] * 2
    for one, other in play(envs, AutoresetMode.NEXT_STEP, draw_designs(envs[0].task)):
        assert_same_step(one, other)


@MODES
@pytest.mark.parametrize("limit", [1, 3, 4, 5, -1])
def test_time_limit_ends_all_together(limit, mode, make_vector, assert_same_step):
    settings = {"max_episode_steps": limit}
    envs = [make_vector("LRMP-LeNet-v0", 2, mode, native, **settings) for native in (True, False)]
    assert_same_step(*(env.reset(seed=0) for env in envs))
    envs[0].action_space.seed(0)
    layers = 4
    first_end = min(limit, layers) if limit > 0 else layers
    for step in range(1, 3 * (layers + 1)):
        actions = envs[0].action_space.sample()
        one, other = (env.step(actions) for env in envs)
        assert_same_step(one, other)
        ends = one[2:4]
        if step <= first_end:
            assert ends[0].tolist() == [step == layers] * 2
            assert ends[1].tolist() == [step == limit] * 2  # also where the episode terminates
        if mode == AutoresetMode.DISABLED and np.any(ends):
            assert_same_step(*(env.reset() for env in envs))


def test_some_that_ended_reset_by_mask(make_vector, assert_same_step):
    """Where only some are reset, the others still have to be."""
    mode = AutoresetMode.DISABLED
    envs = [make_vector("LRMP-LeNet-OneShot-v0", 3, mode, native) for native in (True, False)]
    actions = np.full((3, 8), 0.5, np.float32)
    for env in envs:
        env.reset(seed=0)
    assert_same_step(*(env.step(actions) for env in envs))
    for mask in ([True, False, True], [False, True, False]):
        with pytest.raises(gym.error.ResetNeeded, match="that ended: autoreset is disabled"):
            envs[0].step(actions)
        options = {"reset_mask": np.array(mask)}
        assert_same_step(*(env.reset(options=dict(options)) for env in envs))
    assert_same_step(*(env.step(actions) for env in envs))


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_reset_of_some_that_ended_in_place_of_autoreset(mode, make_vector, assert_same_step):
    envs = [make_vector("LRMP-LeNet-Refine-v0", 3, mode, native, horizon=2) for native in (1, 0)]
    actions = np.array([1, 3, 0])
    for env in envs:
        env.reset(seed=0)
    for _ in range(2):
        steps = [env.step(actions) for env in envs]
    assert steps[0][2].all()
    options = {"reset_mask": np.array([False, True, False])}
    assert_same_step(*(env.reset(options=dict(options)) for env in envs))
    for _ in range(7):
        assert_same_step(*(env.step(actions) for env in envs))


def assert_row_is(result, row, alone):
    """Expect one row of what a vector environment returned to be what a scalar one returned."""
    *found, infos = result
    *expected, info = alone
    if isinstance(found[0], dict):
        found[0] = {key: values[row] for key, values in found[0].items()}
    assert data_equivalence(found[0], expected[0], exact=True)
    assert [values[row] for values in found[1:]] == expected[1:]
    assert_infos_are(infos, row, info)


def assert_infos_are(infos, row, info):
    for key, value in info.items():
        assert infos[f"_{key}"][row]
        assert infos[key].dtype == value.dtype
        assert np.array_equal(infos[key][row], value), key


@pytest.mark.long
@MODES
@pytest.mark.parametrize(("count", "discrete"), SIZES)
@pytest.mark.parametrize("spec", PROCEDURAL, ids=lambda spec: spec.id)
def test_procedural_ids_play_as_scalar_ones(spec, mode, count, discrete, make_vector):
    """Every episode has another network, and in the layer-wise form another length."""
    settings = {"discrete": discrete, "instances": 5}
    envs = make_vector(spec.id, count, mode, False, **settings)
    alone = [gym.make(spec, **settings) for _ in range(count)]
    result = envs.reset(seed=[3 + row for row in range(count)])
    for row, env in enumerate(alone):
        assert_row_is(result, row, env.reset(seed=3 + row))
    envs.action_space.seed(0)
    ended, episodes = np.zeros(count, dtype=bool), np.zeros(count, dtype=int)
    while episodes.min() < 2:
        if mode == AutoresetMode.DISABLED and ended.any():
            result = envs.reset(options={"reset_mask": ended.copy()})
            for row in np.flatnonzero(ended):
                assert_row_is(result, row, alone[row].reset())
            ended[:] = False
        actions = envs.action_space.sample()
        result = envs.step(actions)
        for row, env in enumerate(alone):
            if ended[row]:
                observation, info = env.reset()
                assert_row_is(result, row, (observation, 0.0, False, False, info))
                continue
            expected = env.step(actions[row])
            if expected[2] and mode == AutoresetMode.SAME_STEP:
                assert data_equivalence(result[4]["final_obs"][row], expected[0], exact=True)
                assert_infos_are(result[4]["final_info"], row, expected[4])
                observation, info = env.reset()
                expected = (observation, *expected[1:4], info)
            assert_row_is(result, row, expected)
        episodes += result[2]
        ended = result[2] & (mode != AutoresetMode.SAME_STEP)


@pytest.mark.parametrize("env_id", [CUSTOM_ID, "LRMP-Procedural-OneShot-v0"])
def test_workers_play_as_one_process(env_id, own_task):
    settings = {"task": own_task} if env_id == CUSTOM_ID else {"instances": 5}
    sync = gym.make_vec(f"lrmp:{env_id}", 2, "sync", **settings)
    spawned = {"context": "spawn"}
    workers = gym.make_vec(f"lrmp:{env_id}", 2, "async", vector_kwargs=spawned, **settings)
    try:
        assert data_equivalence(workers.reset(seed=4), sync.reset(seed=4), exact=True)
        sync.action_space.seed(4)
        for _ in range(9):
            actions = sync.action_space.sample()
            assert data_equivalence(workers.step(actions), sync.step(actions), exact=True)
    finally:
        workers.close()
