"""Which ids exist, and that they work in a fresh process and in workers."""

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import CloudpickleWrapper

from lrmp.envs import CUSTOM_ID, TASKS, load_task, register_envs
from lrmp.envs.registration import MULTI_OBJECTIVE_TASKS, PROCEDURAL
from lrmp.envs.task.environment_id import FORMS, MULTI_OBJECTIVE, environment_id
from lrmp.envs.variant_choice.problem_ids import VARIANT_PROBLEMS


def registered():
    return {task_id: spec for task_id, spec in gym.registry.items() if task_id.startswith("LRMP-")}


def test_registered_ids_are_the_pinned_tasks(golden):
    assert list(TASKS) == list(golden)
    forms = {environment_id(task_id, form) for task_id in (*TASKS, CUSTOM_ID) for form in FORMS}
    with_table = (*MULTI_OBJECTIVE_TASKS, CUSTOM_ID)
    forms |= {environment_id(task_id, MULTI_OBJECTIVE) for task_id in with_table}
    forms |= {environment_id(each, form) for each in VARIANT_PROBLEMS for form in ("", "OneShot")}
    assert set(registered()) == forms | set(PROCEDURAL)


def test_id_makes_its_own_task(spec, golden):
    task = gym.make(spec.id).unwrapped.task
    assert task.id == spec.id
    assert task.network.name == golden[spec.id]["network"]
    assert task.objective == golden[spec.id]["objective"]


def test_what_is_not_measured_on_its_network_says_so_in_its_id(spec):
    assert load_task(spec.id).accuracy.is_estimate is ("-Predicted-" in spec.id)


def test_registering_again_changes_nothing():
    before = registered()
    register_envs()
    after = registered()
    assert list(after) == list(before)
    assert all(after[task_id] is before[task_id] for task_id in before)


def test_spec_survives_json(spec, play, random_actions):
    copy = EnvSpec.from_json(spec.to_json())
    assert copy == spec
    env, other = gym.make(spec.id), gym.make(copy)
    assert gym.make(EnvSpec.from_json(env.spec.to_json())).spec == env.spec
    actions = random_actions(env, 0)
    assert data_equivalence(play(env, actions), play(other, actions), exact=True)


def run_python(code, tmp_path):
    """Run code in a process that knows nothing, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def test_import_registers_silently_and_loads_nothing_heavy(tmp_path):
    code = """
import gymnasium as gym
import sys
before = {name for name in gym.registry if name.startswith("LRMP-")}
import lrmp
after = {name for name in gym.registry if name.startswith("LRMP-")}
heavy = {"torch", "matplotlib", "ortools", "sklearn", "scipy", "pandas"} & set(sys.modules)
if before or len(after) != COUNT or heavy:
    sys.exit(f"{before} {after} {heavy}")
"""
    count = 3 * (len(TASKS) + 1) + len(MULTI_OBJECTIVE_TASKS) + 1 + len(PROCEDURAL)
    count += 2 * len(VARIANT_PROBLEMS)
    assert run_python(code.replace("COUNT", str(count)), tmp_path) == ""


def test_the_id_of_the_readme_prints_nothing(tmp_path):
    code = """
import gymnasium as gym
import lrmp
gym.make("LRMP-ResNet18-v0")
"""
    assert run_python(code, tmp_path) == ""


@pytest.mark.parametrize("env_id", ["LRMP-ResNet18-v0", "LRMP-ResNet20-v0"])
def test_episode_loads_neither_torch_nor_matplotlib(env_id, tmp_path):
    code = f"""
import gymnasium as gym, sys
import lrmp
env = gym.make("{env_id}")
env.reset(seed=0)
print(sorted({{"torch", "matplotlib"}} & set(sys.modules)))
while not env.step([0.5, 0.5])[2]:
    pass
print(sorted({{"torch", "matplotlib"}} & set(sys.modules)))
"""
    assert run_python(code, tmp_path) == "[]\n[]\n"


@pytest.mark.long
def test_integer_program_is_loaded_by_the_solver_that_asks_for_it(tmp_path):
    code = """
import gymnasium as gym, sys
for solver in ("exact", "ilp"):
    env = gym.make("lrmp:LRMP-ResNet18-v0", solver=solver)
    env.reset(seed=0)
    while not env.step([0.5, 0.5])[2]:
        pass
    print(solver, "ortools" in sys.modules)
"""
    assert run_python(code, tmp_path) == "exact False\nilp True\n"


def test_prefixed_id_needs_no_import(tmp_path):
    code = """
import gymnasium as gym
env = gym.make("lrmp:LRMP-ResNet18-v0")
env.reset(seed=0)
print(env.spec.id, env.unwrapped.task.id)
"""
    assert run_python(code, tmp_path) == "LRMP-ResNet18-v0 LRMP-ResNet18-v0\n"


@pytest.fixture(scope="module")
def worker():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.mark.long
def test_spawned_worker_plays_the_same_episode(spec, worker, play, random_actions):
    env = gym.make(spec)
    prefixed, actions = f"lrmp:{spec.id}", random_actions(env, 0)

    def episode():  # nested: it travels by value, since the worker cannot import this file
        env = gym.make(prefixed)
        observation, info = env.reset(seed=0)
        return [(observation, 0.0, False, False, info), *(env.step(action) for action in actions)]

    there = worker.submit(CloudpickleWrapper(episode)).result()
    assert there[-1][2]
    assert data_equivalence(there, play(env, actions), exact=True)


@pytest.mark.long
@pytest.mark.parametrize("task_id", ["LRMP-Digits-v0", "LRMP-ResNet18-v0"])
def test_spawned_vector_env_equals_the_sync_one(task_id):
    same_step = {"autoreset_mode": AutoresetMode.SAME_STEP}
    sync = gym.make_vec(
        f"lrmp:{task_id}", num_envs=2, vectorization_mode="sync", vector_kwargs=same_step
    )
    spawned = gym.make_vec(
        f"lrmp:{task_id}",
        num_envs=2,
        vectorization_mode="async",
        vector_kwargs={"context": "spawn", **same_step},
    )
    try:
        layers = len(sync.envs[0].unwrapped.task.network)
        begun = sync.reset(seed=0)
        first, _ = begun
        assert data_equivalence(spawned.reset(seed=0), begun, exact=True)
        sync.action_space.seed(0)
        for step in range(1, 2 * layers + 2):
            actions = sync.action_space.sample()
            expected = sync.step(actions)
            assert data_equivalence(spawned.step(actions), expected, exact=True)
            observations, rewards, terminated, truncated, infos = expected
            ends = step % layers == 0
            assert terminated.tolist() == [ends, ends]
            assert not truncated.any()
            assert rewards.any() == ends
            assert ("final_info" in infos) == ends
            if ends:
                assert data_equivalence(observations, first, exact=True)
                assert set(infos["final_info"]) >= {"finished", "replication", "gain"}
                assert (infos["final_obs"][0] != infos["final_obs"][1]).any()
    finally:
        spawned.close()
        sync.close()
