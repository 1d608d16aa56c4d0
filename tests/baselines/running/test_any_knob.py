"""A task with knobs of one's own, declared here alone: every algorithm turns them."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

pytest.importorskip("cma")
pytest.importorskip("optuna")
pytest.importorskip("pymoo")
pytest.importorskip("torch")

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.agents.layer_agents import LayerAgents
from lrmp.agents.policies import load_policy
from lrmp.baselines.experiments.front import best_within, uniform_settings
from lrmp.baselines.experiments.optimum import find_optimum
from lrmp.baselines.running.algorithms import ALGORITHMS, load_algorithm
from lrmp.baselines.running.design_tally import episode_score
from lrmp.baselines.running.evaluate import evaluate_policy
from lrmp.baselines.searchers.tree_search import search_tree
from lrmp.envs import evaluate_settings, load_task, make_task
from lrmp.envs.scoring.table_optimum import chosen_settings
from lrmp.errors import PolicyError, RunError, TaskError
from lrmp.hardware import DesignSpace, Knob, Layer, Network
from lrmp.hardware.space.precision import PRECISION
from lrmp.solvers.replication.exact import solve_exact
from lrmp.solvers.replication.problem import ReplicationProblem

NETWORK = Network(
    "three",
    (
        Layer.conv2d("first", 3, 64, kernel_size=3, input_size=16),
        Layer.conv2d("middle", 64, 200, kernel_size=3, input_size=8),
        Layer.linear("last", 900, 10),
    ),
)


def read_again(computation, times):
    return replace(computation, reads=computation.reads * times)


def keep_rows(computation, labels):
    half = -(-computation.rows // 2)
    return replace(computation, rows=np.where(labels == "half", half, computation.rows))


READS = Knob("reads", (1, 2, 4), plain=1, effect=read_again)
KEPT_ROWS = Knob("kept_rows", ("half", "all"), plain="all", effect=keep_rows)
FIRST_KEEPS_ALL = (("kept_rows", (("all",), ("half", "all"), ("half", "all"))),)


def some_task(*bits, weights_at_ends=None, **changes):
    """Make a task whose activation bits and reads share a term."""
    weights, activations = bits or (PRECISION["weight_bits"], PRECISION["activation_bits"])
    allowed = FIRST_KEEPS_ALL
    if weights_at_ends:
        allowed += (("weight_bits", (weights_at_ends, weights.values, weights_at_ends)),)
    space = DesignSpace((weights, activations, READS, KEPT_ROWS), allowed)
    layers = np.array([1.0, 0.2, 0.5])
    noise = 2.0**-weights.array, 4.0 ** -activations.array[:, None] + 0.1 / READS.array
    table = TableAccuracy(
        {
            "weight_bits": 6 * layers[:, None] * noise[0],
            ("activation_bits", "reads"): 2 * layers[::-1, None, None] * noise[1],
            "kept_rows": layers[:, None] * [0.6, 0.0],
        },
        "made up",
        is_estimate=True,
        space=space,
    )
    return make_task(NETWORK, accuracy=table, space=space, allowed_drop=0.7, **changes)


TASK = some_task()


def few(knob, *values):
    return replace(knob, values=values)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_turns_them(name, few_designs, best_of_run, tmp_path):
    module = load_algorithm(name)
    args = module.Args(env_id=TASK, runs_dir=tmp_path, **few_designs(name, module))
    run = module.train(args, progress=False)
    record = run.record()
    best_of_run(run, TASK)
    assert record["design"]["kept_rows"][0] == "all"
    # With the task given the run is known again; its files alone do not hold the knobs.
    before = run.record_path.stat().st_mtime_ns
    again = module.train(args, progress=False)
    assert (again.path, again.record_path.stat().st_mtime_ns) == (run.path, before)
    with pytest.raises(RunError, match=r"knobs of your own in Python.*Give the task itself"):
        run.own_task()
    if run.policy_path.exists() and name != "policy-gradient":
        policy = load_policy(run.policy_path)
        outcome = evaluate_policy(policy, TASK)
        assert TASK.space.allows(outcome.design.settings).all()
        if name not in ("ddpg", "td3"):
            assert policy.settings["sizes"] == [7, 7, 3, 2]
            with pytest.raises(PolicyError, match="knobs of 7 and 7 values, got one for 7 and 7 a"):
                evaluate_policy(policy, load_task("LRMP-MLP-v0"))


def test_what_is_tried_varies_in_every_knob(few_designs, tmp_path):
    for name in ("random", "annealing", "cma-es", "genetic", "ppo", "qmix"):
        module = load_algorithm(name)
        args = module.Args(
            env_id=TASK, runs_dir=tmp_path, **few_designs(name, module) | {"evaluations": 60}
        )
        run = module.train(args, progress=False)
        assert len(set(run.rewards())) > 20
    policies = LayerAgents(4, TASK.space.sizes)
    assert policies.network[-1].out_features == 7 + 7 + 3 + 2


def test_uniform_finds_the_best_constant_setting(tmp_path):
    module = load_algorithm("uniform")
    run = module.train(module.Args(TASK, runs_dir=tmp_path), progress=False)
    constants = [evaluate_settings(TASK, design) for design in TASK.space.uniform(3)]
    assert len(run.rewards()) == 7 * 7 * 3 * 2
    assert run.rewards() == [outcome.reward() for outcome in constants]
    rows = uniform_settings(TASK)
    assert [row["gain"] for row in rows] == [outcome.gain for outcome in constants]
    best = int(np.argmax([episode_score(e, TASK.allowed_drop) for e in run.episodes()]))
    values = {name: rows[best][name] for name in TASK.space.names}
    found = run.record()["design"]
    assert {name: found[name][1] for name in values} == values


@pytest.mark.long
@pytest.mark.parametrize("objective", ["latency", "throughput", "energy", "edp"])
def test_the_joint_optimum_is_that_of_brute_force(objective):
    bits = few(PRECISION["weight_bits"], 4, 8), few(PRECISION["activation_bits"], 4, 8)
    task = some_task(*bits, weights_at_ends=(8,), objective=objective)
    model, budget = task.cost_model, task.budget
    allowed = [list(product(*task.space.choices(layer))) for layer in range(3)]
    assert [len(settings) for settings in allowed] == [6, 24, 12]
    designs = np.array(list(product(*allowed)))
    found = [
        solve_exact(ReplicationProblem.of(model, design, budget, objective)) for design in designs
    ]
    costs = np.array([answer.objective_value for answer in found])
    drops = task.accuracy.drops(designs, np.array([answer.copies for answer in found]))
    scores = np.where(drops <= 0.7, np.log(model.baseline.cost(objective) / costs), -np.inf)
    optimum = find_optimum(task, lambda line: None)
    assert optimum.value == pytest.approx(scores.max(), abs=1e-12)
    assert scores.max() <= optimum.bound
    assert optimum.gap < 1e-9
    (best,) = np.flatnonzero((designs == optimum.design.settings).all(axis=(1, 2)))
    assert scores[best] == pytest.approx(scores.max(), abs=1e-12)
    rewards = [evaluate_settings(task, design).reward() for design in designs]
    assert max(rewards) <= optimum.reward_bound


def test_all_settings_have_a_certified_optimum():
    optimum = find_optimum(TASK, lambda line: None)
    assert optimum.value <= optimum.bound
    assert optimum.gap < 1e-9
    assert optimum.value == evaluate_settings(TASK, optimum.design.settings).score
    rng = np.random.default_rng(0)
    near = TASK.space.neighbours(optimum.design.settings)
    for design in [*near, *TASK.space.sample(rng, 3, 200)]:
        outcome = evaluate_settings(TASK, design)
        assert outcome.score is None or outcome.score <= optimum.bound
        assert outcome.reward() <= optimum.reward_bound
    answer = best_within(TASK, 0.5)
    within = evaluate_settings(TASK, chosen_settings(TASK, answer.settings))
    assert within.accuracy_drop <= 0.5
    assert within.gain == pytest.approx(np.exp(answer.value))


class Blind:
    """An accuracy without a table: the tree search alone finds the optimum."""

    kind, is_estimate, provenance, fingerprint = "network", False, "made up", "blind"

    def __init__(self, table):
        self.table = table

    @property
    def drop_map(self):
        return self.table.drop_map

    def divergence(self, design):
        return self.table.divergence(design)

    def divergences(self, settings, replication):
        return self.table.divergences(settings, replication)

    def drop(self, design):
        return self.table.drop(design)

    def drops(self, settings, replication):
        return self.table.drops(settings, replication)

    def sensitivities(self):
        return None

    def test_drop(self, design):
        return None


@pytest.mark.parametrize("objective", ["latency", "energy"])
def test_the_tree_search_agrees(objective):
    bits = few(PRECISION["weight_bits"], 4, 6, 8), few(PRECISION["activation_bits"], 4, 8)
    task = some_task(*bits, objective=objective)
    blind = task.with_tenant(accuracy_factory=lambda *_: Blind(task.accuracy))
    settings, value, _ = search_tree(blind, lambda line: None, progress=False)
    optimum = find_optimum(task, lambda line: None)
    assert value == pytest.approx(optimum.value, abs=1e-12)
    assert task.space.allows(settings).all()


def test_a_task_of_a_single_design_leaves_nothing_to_search(tmp_path):
    bits = few(PRECISION["weight_bits"], 8), few(PRECISION["activation_bits"], 8)
    space = DesignSpace(bits)
    table = TableAccuracy(
        {"weight_bits": np.zeros((3, 1)), "activation_bits": np.zeros((3, 1))},
        "made up",
        is_estimate=True,
        space=space,
    )
    task = make_task(NETWORK, accuracy=table, space=space)
    module = load_algorithm("annealing")
    with pytest.raises(RunError, match="a task with something to choose, got one of a single"):
        module.train(module.Args(task, runs_dir=tmp_path), progress=False)


def test_a_knob_that_takes_a_name_of_lrmps_is_not_read_back_as_that(tmp_path):
    mine = replace(PRECISION["weight_bits"], effect=lambda computation, values: computation)
    space = DesignSpace((mine, PRECISION["activation_bits"]))
    points = {"*": [0.0] * 7}
    accuracy = {"weight_bits": points, "activation_bits": points, "provenance": "made up"}
    task = make_task(NETWORK, accuracy=accuracy, space=space)
    module = load_algorithm("random")
    run = module.train(module.Args(task, evaluations=3, runs_dir=tmp_path), progress=False)
    assert json.loads(run.task_path.read_text())["space"] is None
    with pytest.raises(RunError, match="Give the task itself") as caught:
        run.own_task()
    assert isinstance(caught.value.__cause__, TaskError)
