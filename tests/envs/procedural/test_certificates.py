"""Optima and best constants in infos, and the published split."""

import gymnasium as gym
import numpy as np
import pytest

from lrmp.envs import evaluate_settings, stored_optimum
from lrmp.envs.procedural.certificates import find_certificate
from lrmp.envs.procedural.evaluation import SplitScore, evaluate_algorithm, evaluate_policy
from lrmp.envs.procedural.generator import draw_task, split_of
from lrmp.envs.procedural.published_split import (
    PUBLISHED,
    InstanceOptimum,
    published_optima,
    published_tasks,
    short_fingerprint,
)
from lrmp.envs.scoring.best_constant import best_constant
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.envs.task.optimum import Constant
from lrmp.errors import TaskError

IDS = pytest.mark.parametrize("env_id", ["LRMP-Procedural-v0", "LRMP-Procedural-OneShot-v0"])
OBJECTIVES = pytest.mark.parametrize("objective", ["latency", "throughput", "energy", "edp"])
FACTS = {
    "optimum_known": np.bool_,
    "optimum": np.float64,
    "optimum_bound": np.float64,
    "has_constant": np.bool_,
    "best_constant": np.float64,
}


def infos_of(env, instance):
    """Play an episode and return all its infos."""
    infos = [env.reset(options={"instance": instance})[1]]
    env.action_space.seed(0)
    ended = False
    while not ended:
        _, _, ended, _, info = env.step(env.action_space.sample())
        infos.append(info)
    return infos


@IDS
@OBJECTIVES
def test_every_objective_is_played_and_its_optimum_told(env_id, objective):
    env = gym.make(env_id, split="test", objective=objective, optima="solved")
    infos = infos_of(env, 2)
    task = env.unwrapped.task
    assert task.objective == objective
    assert (
        env.unwrapped.outcome.gain
        == evaluate_settings(task, env.unwrapped.outcome.design.settings).gain
    )
    solved = table_optimum(draw_task("test", 2, objective))
    for info in infos:
        assert info["optimum_known"]
        assert info["has_constant"]
        assert (info["optimum"], info["optimum_bound"]) == (solved.value, solved.bound)
        assert info["best_constant"] == solved.constant.value
        assert info["score"] <= info["optimum_bound"]


@IDS
def test_infos_have_the_same_keys_whether_or_not_the_optimum_is_known(env_id):
    train, test = (infos_of(gym.make(env_id, split=split), 3) for split in ("train", "test"))
    for info in train + test:
        for key, kind in FACTS.items():
            assert info[key].dtype == kind, key
            assert np.shape(info[key]) == ()
    assert not any(info[key] for info in train for key in FACTS)
    assert all(info["optimum_known"] for info in test)
    assert test[0].keys() == train[0].keys()


def test_instances_that_do_not_ship_are_solved_when_asked():
    settings = {"instances": 2, "discrete": True}
    known, solved = (
        gym.make("LRMP-Procedural-OneShot-v0", optima=optima, **settings)
        for optima in ("known", "solved")
    )
    assert not known.reset(options={"instance": 1})[1]["optimum_known"]
    info = solved.reset(options={"instance": 1})[1]
    task = draw_task("train", 1)
    assert info["optimum"] == table_optimum(task).value
    assert info["best_constant"] == best_constant(task).value
    assert find_certificate(task, "solved") is find_certificate(draw_task("train", 1), "solved")
    with pytest.raises(TaskError, match="Expected optima to be one of known, solved; got 'all'"):
        gym.make("LRMP-Procedural-v0", optima="all")


def test_registered_tasks_have_their_stored_optimum():
    env = gym.make("LRMP-Procedural-v0", tasks=["LRMP-LeNet-v0"])
    info = env.reset()[1]
    stored = stored_optimum("LRMP-LeNet-v0")
    assert info["optimum"] == stored.value
    assert info["best_constant"] == stored.constant.value


@OBJECTIVES
def test_published_optima_are_of_the_first_test_instances(objective):
    optima = published_optima(objective)
    numbers = [found.instance for found in optima.values()]
    assert numbers == list(range(PUBLISHED))
    assert PUBLISHED == 1000
    for found in optima.values():
        assert 0 <= found.constant.value <= found.value <= found.bound
        assert found.gap < 1e-6
    # Hardly ever a design just beyond the allowance has a higher reward than the best within.
    assert sum(not found.is_exact for found in optima.values()) <= 0.006 * PUBLISHED


@pytest.mark.long
@OBJECTIVES
@pytest.mark.parametrize("number", [0, 5, 8])
def test_solved_anew_an_instance_has_the_published_optimum(objective, number):
    task = draw_task("test", number, objective)
    published = published_optima(objective)[task.id]
    assert InstanceOptimum.of(number, task, table_optimum(task)) == published


@pytest.mark.parametrize("numbers", [range(0, 1000, 25)])
def test_published_instances_are_drawn_as_they_were_solved(numbers):
    for number in numbers:
        for objective in ("latency", "throughput"):
            task = draw_task("test", number, objective)
            published = published_optima(objective)[task.id]
            assert published.fingerprint == short_fingerprint(task)
            assert published.layers == len(task.network)
            assert split_of(task.network) == "test"


def test_an_optimum_of_another_definition_is_not_taken(monkeypatch):
    task = draw_task("test", 0)
    assert find_certificate(task, "known").instance == 0
    assert find_certificate(task.with_tenant(allowed_drop=2.0), "known") is None


def test_lines_are_read_as_they_were_written():
    line = InstanceOptimum(1.5, 1.6, 1.7, None, 3, 4, "ab")
    assert InstanceOptimum.from_line(line.to_line()) == line
    line = InstanceOptimum(1.5, 1.6, 1.7, Constant({"weight_bits": 4}, 1.0), 3, 4, "ab")
    assert InstanceOptimum.from_line(line.to_line()) == line


def test_where_nothing_beats_the_plain_design_the_constant_is_the_optimum():
    setting = {"weight_bits": 8, "activation_bits": 8}
    found = InstanceOptimum(0.0, 0.0, 0.0, Constant(setting, 0.0), 3, 4, "ab")
    assert found.constant_share == 1
    assert found.is_easy


def constant_of(task):
    constant = published_optima(task.objective)[task.id].constant
    layers = [layer.name for layer in task.network.layers]
    return task.space.encode(constant.setting, layers)


def test_the_best_constant_is_0_on_the_scale_and_the_optimum_1():
    found = evaluate_algorithm(constant_of, instances=12)
    assert found == SplitScore(0.0, 0.0, 1.0, 12, 0)
    best = evaluate_algorithm(lambda task: table_optimum(task).design.settings, instances=4)
    assert best.mean == pytest.approx(1, abs=1e-12)
    assert best.pooled == pytest.approx(1, abs=1e-12)


def plain(task):
    return task.space.plain_settings(len(task.network))


def assert_means(found, scores):
    known = [(o.value, o.constant.value) for o in published_optima().values()][: len(scores)]
    shares = [(s - c) / (v - c) for s, (v, c) in zip(scores, known, strict=True)]
    assert found.mean == pytest.approx(np.mean(shares))
    gained = sum(scores) - sum(c for _, c in known)
    assert found.pooled == pytest.approx(gained / sum(v - c for v, c in known))


def test_means_by_hand():
    found = evaluate_algorithm(plain, instances=3)
    tasks = [draw_task("test", number) for number in range(3)]
    assert_means(found, [evaluate_settings(task, plain(task)).score for task in tasks])
    assert found.within_allowance == 1


def test_a_design_beyond_the_allowance_counts_as_the_plain_one():
    found = evaluate_algorithm(lambda task: np.zeros_like(plain(task)), instances=2)
    assert_means(found, [0, 0])
    assert found.within_allowance == 0


def test_instances_whose_best_constant_is_optimal_are_left_out():
    optima = published_optima("throughput").values()
    number = next(o.instance for o in optima if o.value == o.constant.value)
    outcomes = [
        evaluate_settings(task, plain(task))
        for task in (draw_task("test", n, "throughput") for n in (number, 0))
    ]
    found = SplitScore.of(outcomes)
    assert (found.counted, found.left_out) == (1, 1)


@IDS
def test_policies_are_evaluated_in_the_environment(env_id):
    env = gym.make(env_id, split="test", discrete=True)
    action = np.full(env.action_space.shape, 6)
    found = evaluate_policy(lambda observation: action, env, instances=3)
    assert found == evaluate_algorithm(plain, instances=3)


def test_wrong_evaluations_are_refused():
    def act(observation):
        return np.array([6, 6])

    with pytest.raises(TaskError, match="Expected an environment of the procedural family"):
        evaluate_policy(act, gym.make("LRMP-LeNet-v0"))
    with pytest.raises(TaskError, match=r'of split="test", got one of the train split'):
        evaluate_policy(act, gym.make("LRMP-Procedural-v0"))
    with pytest.raises(TaskError, match=r'of split="test", got one of tasks of its own'):
        evaluate_policy(act, gym.make("LRMP-Procedural-v0", tasks=["LRMP-LeNet-v0"], split="test"))
    env = gym.make("LRMP-Procedural-v0", split="test", instances=5, discrete=True)
    with pytest.raises(TaskError, match="Expected 1 to 5 instances, got 6"):
        evaluate_policy(act, env, instances=6)
    with pytest.raises(TaskError, match="Expected 1 to 1000 instances, got 0"):
        evaluate_algorithm(constant_of, instances=0)
    short = gym.make("LRMP-Procedural-v0", split="test", discrete=True, max_episode_steps=2)
    with pytest.raises(TaskError, match="Expected episodes that end with their last layer"):
        evaluate_policy(act, short, instances=1)
    with pytest.raises(TaskError, match="Expected an instance whose optimum is above its best"):
        SplitScore.of([])


def test_published_tasks_are_drawn_in_order(monkeypatch):
    monkeypatch.setattr("lrmp.envs.procedural.published_split.PUBLISHED", 3)
    tasks = published_tasks("energy")
    assert [task.id for task in tasks] == [f"LRMP-Procedural-test-{n}" for n in range(3)]
    assert {task.objective for task in tasks} == {"energy"}
