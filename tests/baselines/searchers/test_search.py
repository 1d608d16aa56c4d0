import json
from itertools import product

import numpy as np
import pytest

from lrmp.baselines.experiments.optimum import find_optimum
from lrmp.baselines.searchers import annealing, random_search, uniform
from lrmp.baselines.searchers.search import score_proposals
from lrmp.envs import evaluate, load_task, make_task, stored_optimum
from lrmp.envs.task.additive_table import additive_table
from lrmp.errors import RunError, TaskError

TASK = "LRMP-ResNet18-v0"


def test_uniform_tries_every_setting_and_keeps_the_best(tmp_path):
    run = uniform.train(uniform.Args(TASK, runs_dir=tmp_path), progress=False)
    pairs = list(product(range(2, 9), range(2, 9)))
    rewards = [evaluate(TASK, weight_bits=w, activation_bits=a).reward() for w, a in pairs]
    assert run.rewards() == rewards
    best = json.loads(run.record_path.read_text())
    weight, activation = pairs[int(np.argmax(rewards))]
    assert best["design"]["weight_bits"] == [weight] * 21
    assert best["design"]["activation_bits"] == [activation] * 21
    assert (best["agent"], best["env_steps"]) == ("uniform", 0)


def test_uniform_settings_that_do_not_fit_are_left_out(tmp_path):
    task = make_task("lenet", budget=60)
    tiles = task.cost_model.tiles_per_copy(task.space.uniform(len(task.network))).sum(axis=1)
    run = uniform.train(uniform.Args(task, runs_dir=tmp_path), progress=False)
    assert 0 < len(run.rewards()) == np.count_nonzero(tiles <= 60) < 49


def test_random_search_is_fixed_by_its_seed(tmp_path):
    def rewards(directory, seed):
        args = random_search.Args(TASK, seed=seed, evaluations=20, runs_dir=tmp_path / directory)
        return random_search.train(args, progress=False).rewards()

    assert rewards("a", 1) == rewards("b", 1)
    assert rewards("a", 1) != rewards("a", 2)


def test_random_search_covers_all_values(tmp_path):
    run = random_search.train(
        random_search.Args("LRMP-ResNet50-Throughput-v0", evaluations=1, runs_dir=tmp_path),
        progress=False,
    )
    design = json.loads(run.record_path.read_text())["design"]
    assert set(design["weight_bits"]) == set(range(2, 9)) == set(design["activation_bits"])


@pytest.mark.parametrize(
    ("module", "settings"),
    [(random_search, {"evaluations": 5}), (uniform, {}), (annealing, {"evaluations": 5})],
)
def test_every_id_of_a_task_is_the_same_run(module, settings, tmp_path):
    first, again = (
        module.train(module.Args(env_id=name, runs_dir=tmp_path, **settings), progress=False)
        for name in ("lrmp:LRMP-LeNet-OneShot-v0", "LRMP-LeNet-v0")
    )
    assert first.path == again.path
    assert first.path.name.startswith("LRMP-LeNet-v0__")
    assert first.rewards() == again.rewards()


def test_proposals_are_scored_for_an_id():
    settings = np.full((1, 4, 2), 4)
    (_, scored), *_ = score_proposals("LRMP-LeNet-v0", iter([settings]), 1)
    assert scored[0][0] == evaluate("LRMP-LeNet-v0", weight_bits=6, activation_bits=6).reward()


def test_optima_and_tables_are_found_for_an_id():
    name = "lrmp:LRMP-LeNet-Refine-v0"
    assert additive_table(name) is load_task("LRMP-LeNet-v0").accuracy
    found = find_optimum(name, lambda line: None)
    assert found.value == stored_optimum(name).value
    with pytest.raises(TaskError, match="Expected task to be one of LRMP-LeNet-v0, "):
        find_optimum("LRMP-Lenet-v0")


def test_unfinished_run_has_no_rewards(tmp_path):
    run = random_search.RunDirectory.open(tmp_path / "run", {"agent": "random"})
    with pytest.raises(RunError, match="Expected a finished run"):
        run.rewards()


def test_damaged_configuration_is_named(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{")
    with pytest.raises(RunError, match=r"Expected a run's configuration in .*config\.json"):
        random_search.RunDirectory.open(tmp_path / "run", {"agent": "random"})
