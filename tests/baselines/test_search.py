import json

import numpy as np
import pytest

from lrmp.baselines import random_search, uniform
from lrmp.envs import evaluate_bits, load_task
from lrmp.errors import RunError

TASK = "LRMP-ResNet18-v0"


def test_uniform_tries_every_width_and_keeps_the_best(tmp_path):
    run = uniform.train(uniform.Args(TASK, runs_dir=tmp_path), progress=False)
    task = load_task(TASK)
    rewards = [evaluate_bits(task, [b] * 21, [b] * 21).reward() for b in range(2, 9)]
    assert run.rewards() == rewards
    best = json.loads(run.record_path.read_text())
    assert best["design"]["weight_bits"] == [2 + int(np.argmax(rewards))] * 21
    assert best["env_steps"] == 0


def test_uniform_pairs_contain_the_uniform_widths(tmp_path):
    pairs = uniform.train(uniform.Args(TASK, pairs=True, runs_dir=tmp_path), progress=False)
    single = uniform.train(uniform.Args(TASK, runs_dir=tmp_path), progress=False)
    assert len(pairs.rewards()) == 49
    assert set(single.rewards()) <= set(pairs.rewards())
    assert json.loads(pairs.record_path.read_text())["agent"] == "uniform-pairs"


def test_random_search_is_fixed_by_its_seed(tmp_path):
    def rewards(directory, seed):
        args = random_search.Args(TASK, seed=seed, evaluations=20, runs_dir=tmp_path / directory)
        return random_search.train(args, progress=False).rewards()

    assert rewards("a", 1) == rewards("b", 1)
    assert rewards("a", 1) != rewards("a", 2)


def test_random_search_covers_all_widths(tmp_path):
    run = random_search.train(
        random_search.Args("LRMP-ResNet101-Throughput-v0", evaluations=1, runs_dir=tmp_path),
        progress=False,
    )
    design = json.loads(run.record_path.read_text())["design"]
    assert set(design["weight_bits"]) == set(range(2, 9)) == set(design["activation_bits"])


def test_unfinished_run_has_no_rewards(tmp_path):
    run = random_search.RunDirectory.open(tmp_path / "run", {"agent": "random"})
    with pytest.raises(RunError, match="Expected a finished run"):
        run.rewards()


def test_damaged_configuration_is_named(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{")
    with pytest.raises(RunError, match=r"Expected a run's configuration in .*config\.json"):
        random_search.RunDirectory.open(tmp_path / "run", {"agent": "random"})
