import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("cma")
pytest.importorskip("optuna")
pytest.importorskip("pymoo")
pytest.importorskip("tyro")

from lrmp.baselines.running.command import check_library
from lrmp.baselines.running.design_tally import best_so_far
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.baselines.searchers import (
    annealing,
    bayesian,
    cma_es,
    genetic,
    greedy,
    hawq_ilp,
    random_search,
)
from lrmp.baselines.searchers.search import score_proposals
from lrmp.envs import load_task, stored_optimum
from lrmp.errors import MissingExtraError, RunError
from lrmp.hardware.space.precision import PRECISION

SMALL = "LRMP-MLP-v0"  # 3 layers, 49**3 designs
LARGER = "LRMP-ResNet8-v0"
SEEDED = {"annealing": annealing, "bayesian": bayesian, "cma-es": cma_es, "genetic": genetic}
SEARCHERS = SEEDED | {"greedy": greedy, "hawq-ilp": hawq_ilp}

seeded = pytest.mark.parametrize("module", SEEDED.values(), ids=SEEDED)
every = pytest.mark.parametrize("module", SEARCHERS.values(), ids=SEARCHERS)


def options(module, **changes):
    """Return settings for a short run."""
    count = {} if module is hawq_ilp else {"evaluations": 40 if module is bayesian else 60}
    return module.Args(**({"env_id": SMALL} | count | changes))


def best_of(task_id, proposals, count):
    """Return the best score among proposed designs, as a share of the proven optimum."""
    task = load_task(task_id)
    episodes = [row for _, rows in score_proposals(task, proposals, count) for row in rows]
    return best_so_far(episodes, task.allowed_drop)[-1] / stored_optimum(task_id).value


@every
def test_optimum_of_a_small_task_is_found(module):
    count = {"evaluations": 120} if module in (genetic, greedy) else {}
    args = options(module, **count)
    assert best_of(SMALL, module.propose(load_task(SMALL), args), 120) == 1


def test_random_search_does_not_find_it_with_as_many_designs():
    assert best_of(SMALL, random_search.propose(PRECISION, 3, seed=1), 300) < 0.95


@pytest.mark.parametrize(
    ("module", "count"), [(annealing, 250), (cma_es, 250), (genetic, 250), (greedy, 250)]
)
def test_larger_task_is_searched_better_than_at_random(module, count):
    args = options(module, env_id=LARGER, evaluations=count)
    best = best_of(LARGER, module.propose(load_task(LARGER), args), count)
    by_chance = [
        best_of(LARGER, random_search.propose(PRECISION, 10, seed), count) for seed in range(3)
    ]
    assert max(by_chance) < 0.7 < best


@every
def test_run_is_fixed_by_its_settings(module, tmp_path):
    def files(folder):
        run = module.train(options(module, runs_dir=tmp_path / folder), progress=False)
        record = json.loads(run.record_path.read_text())
        record.pop("wall_time_s")
        return record, run.episodes_path.read_text()

    legacy = np.random.get_state()[1].tolist()  # noqa: NPY002  must not be touched
    first = files("a")
    assert np.random.get_state()[1].tolist() == legacy  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002  nor matter
    assert files("b") == first


@seeded
def test_other_seeds_search_elsewhere(module):
    def designs(seed):
        proposals = module.propose(load_task(LARGER), options(module, seed=seed))
        found = [settings for settings, _ in score_proposals(load_task(LARGER), proposals, 25)]
        return np.concatenate(found).tolist()

    assert designs(1) != designs(2)


@seeded
def test_every_design_counts(module, best_of_run, tmp_path):
    run = module.train(options(module, evaluations=33, runs_dir=tmp_path), progress=False)
    record = json.loads(run.record_path.read_text())
    assert record["evaluated_designs"] == len(run.rewards()) == 33
    best_of_run(run, SMALL)
    assert record["env_steps"] == 0


@pytest.mark.parametrize("module", [*SEEDED.values(), greedy], ids=[*SEEDED, "greedy"])
def test_interrupted_run_goes_on_to_the_same_result(module, tmp_path):
    whole = module.train(options(module, runs_dir=tmp_path / "whole"), progress=False)
    args = options(module, runs_dir=tmp_path / "cut")
    proposals = module.propose

    def interrupted(task, args):
        inner = proposals(task, args)
        settings, done = next(inner), 0
        while done < 30:
            done += len(settings)
            settings = inner.send((yield settings))
        raise KeyboardInterrupt

    module.propose = interrupted
    try:
        with pytest.raises(KeyboardInterrupt):
            module.train(args, progress=False)
    finally:
        module.propose = proposals
    path = tmp_path / "cut" / whole.path.name
    run = RunDirectory(path)
    journal = run.journal_path.read_text()
    assert not run.finished
    assert journal.count("\n") >= 30
    run.journal_path.write_text(journal + "3 3 3/3 3")  # as a kill leaves it
    module.train(args, progress=False)
    assert run.episodes_path.read_bytes() == whole.episodes_path.read_bytes()
    assert sorted(file.name for file in path.iterdir()) == [
        "SHA256SUMS",
        "config.json",
        "episodes.csv",
        "record.jsonl",
    ]


def test_scored_designs_are_not_scored_again(tmp_path):
    args = random_search.Args(SMALL, evaluations=3, runs_dir=tmp_path)
    config = {"agent": "random", "env_id": SMALL, "seed": 1, "evaluations": 3}
    run = RunDirectory.open(tmp_path / f"{SMALL}__random__1", config)
    first = next(random_search.propose(PRECISION, 3, seed=1))[0]
    text = "/".join(" ".join(map(str, row)) for row in first.T.tolist())
    run.journal_path.write_text(f"{text},100.0,-7.5,1.0,2.0\n")
    random_search.train(args, progress=False)
    assert run.rewards()[0] == -7.5  # what the journal says
    assert json.loads(run.record_path.read_text())["wall_time_s"] >= 100


def test_journal_of_another_search_is_refused(tmp_path):
    config = {"agent": "random", "env_id": SMALL, "seed": 1, "evaluations": 3}
    run = RunDirectory.open(tmp_path / f"{SMALL}__random__1", config)
    run.journal_path.write_text("0 0 0/0 0 0,0.1,0.5,1.0,2.0\n")
    with pytest.raises(RunError, match=r"Expected design 1 of the search to be 0 0 0/0 0 0 as in"):
        random_search.train(random_search.Args(SMALL, evaluations=3, runs_dir=tmp_path))


@pytest.mark.long
def test_killed_run_resumes(tmp_path):
    words = ["--env-id", "LRMP-ResNet18-v0", "--evaluations", "600", "--runs-dir", str(tmp_path)]
    command = [sys.executable, "-m", "lrmp.baselines.searchers.annealing", *words]
    run = RunDirectory(tmp_path / "LRMP-ResNet18-v0__annealing__1")
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not (run.journal_path.exists() and run.journal_path.stat().st_size > 3000):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not run.finished
    before = run.journal_path.read_text().splitlines()[:-1]
    args = annealing.Args(evaluations=600, runs_dir=tmp_path)
    annealing.train(args, progress=False)
    assert len(run.rewards()) == 600
    assert run.rewards()[: len(before)] == [float(line.split(",")[2]) for line in before]


def test_integer_program_is_optimal():
    task = load_task(SMALL)
    table = task.accuracy
    (settings,) = next(hawq_ilp.propose(task, hawq_ilp.Args(SMALL)))
    macs = np.array([layer.macs for layer in task.network.layers])
    # All 49**3 designs: number of the setting of every layer.
    numbers = np.stack(np.meshgrid(*[np.arange(49)] * 3), axis=-1).reshape(-1, 3)
    every = task.space.settings[numbers]

    def operations(settings):
        values = task.space.decode(settings)
        return (macs * values["weight_bits"] * values["activation_bits"]).sum(axis=-1)

    ones = np.ones(every.shape[:2], dtype=int)
    least = operations(every)[table.drops(every, ones) <= task.allowed_drop].min()
    assert table.drops(settings[None], ones[:1])[0] <= task.allowed_drop
    assert operations(settings) == pytest.approx(least, rel=1e-6)


def test_integer_program_of_cycles_leaves_weights_alone():
    # One copy's cycles do not depend on the weights' bits: the most accurate ones are kept.
    (settings,) = next(hawq_ilp.propose(load_task(SMALL), hawq_ilp.Args(SMALL, cost="cycles")))
    values = PRECISION.decode(settings)
    assert values["weight_bits"].tolist() == [8, 8, 8]
    assert values["activation_bits"].max() < 8


def test_greedy_with_everything_rescored_comes_closer():
    def share(rescored):
        args = greedy.Args(LARGER, evaluations=5000, rescored=rescored)
        return best_of(LARGER, greedy.propose(load_task(LARGER), args), 5000)

    assert share(1) < share(1000)


def test_greedy_stays_within_the_allowed_drop(tmp_path):
    run = greedy.train(greedy.Args(LARGER, evaluations=5000, runs_dir=tmp_path), progress=False)
    record = json.loads(run.record_path.read_text())
    assert record["evaluated_designs"] < 5000  # it ends by itself
    assert 0.5 < record["claim"]["accuracy_drop"] <= load_task(LARGER).allowed_drop


def test_gaussian_process_proposes_designs():
    pytest.importorskip("torch")
    args = bayesian.Args(SMALL, model="gp", evaluations=4, random_designs=3)
    task = load_task(SMALL)
    batches = score_proposals(task, bayesian.propose(task, args), args.evaluations)
    found = [settings for settings, _ in batches]
    assert np.concatenate(found).shape == (4, 3, 2)


@pytest.mark.parametrize("module", [greedy, hawq_ilp])
def test_searches_of_tables_need_one(module, tmp_path):
    args = module.Args("LRMP-Digits-v0", runs_dir=tmp_path)
    with pytest.raises(RunError, match="Expected an additive accuracy table for LRMP-Digits-v0"):
        module.train(args)
    assert list(tmp_path.iterdir()) == []


def test_missing_library_is_named():
    with pytest.raises(MissingExtraError, match=r"Expected no_such_library for this .*; run pip"):
        check_library("no_such_library", "search")


@pytest.mark.parametrize(
    ("module", "settings", "message"),
    [
        (annealing, {"coldest": 1.0}, "Expected 0 < coldest <= hottest, got 1.0 and"),
        (annealing, {"start": 9}, "Expected start from 0 to 1, got 9"),
        (annealing, {"evaluations": 0}, "Expected evaluations of at least 1, got 0"),
        (bayesian, {"model": "tps"}, "Did you mean 'tpe'"),
        (cma_es, {"sigma": 0.05}, "Expected 0 <= least_sigma <= sigma, got 0.1 and 0.05"),
        (cma_es, {"population": 1}, "Expected population of 0 or at least 2, got 1"),
        (cma_es, {"start": -0.1}, "Expected start from 0 to 1, got -0.1"),
        (genetic, {"population": 1}, "Expected population of at least 2, got 1"),
        (genetic, {"mutated": 0.0}, "Expected mutated above 0, got 0.0"),
        (greedy, {"rescored": 0}, "Expected rescored of at least 1, got 0"),
        (hawq_ilp, {"cost": "cycle"}, "Did you mean 'cycles'"),
    ],
)
def test_settings_out_of_range_are_refused(module, settings, message):
    with pytest.raises(RunError, match=message):
        module.Args(**settings)
