import csv
import json
import os
import signal
import subprocess
import sys
import time

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("torch")

from lrmp.agents.actor_critic import Actor
from lrmp.agents.replay_buffer import ReplayBuffer
from lrmp.agents.truncated_normal import truncated_normal
from lrmp.baselines.learners import ddpg, td3
from lrmp.baselines.running.evaluate import evaluate_policy
from lrmp.envs import load_task
from lrmp.errors import PolicyError, RunError, TaskError

TASK = "LRMP-ResNet18-v0"


def settings(tmp_path, **changes):
    return ddpg.Args(
        **{"env_id": TASK, "seed": 1, "evaluations": 30, "runs_dir": tmp_path} | changes
    )


def without_time(run):
    return json.loads(run.record_path.read_text()) | {"wall_time_s": None}


@pytest.fixture(scope="module")
def short_run(tmp_path_factory):
    return ddpg.train(settings(tmp_path_factory.mktemp("runs")), progress=False)


@pytest.mark.long
def test_same_seed_same_curve(short_run, tmp_path):
    again = ddpg.train(settings(tmp_path), progress=False)
    assert again.episodes_path.read_text() == short_run.episodes_path.read_text()
    assert again.policy_path.read_bytes() == short_run.policy_path.read_bytes()
    assert without_time(again) == without_time(short_run)


def test_another_seed_another_curve(short_run, tmp_path):
    other = ddpg.train(settings(tmp_path, seed=2, evaluations=2), progress=False)
    assert other.rewards() != short_run.rewards()[:2]


def test_record_is_the_best_episode(short_run, best_of_run):
    best_of_run(short_run, TASK)
    record = short_run.record()
    assert record["evaluated_designs"] == 30
    assert record["env_steps"] == 30 * 21


def test_learning_starts_after_the_warmup_and_uses_real_transitions_only(tmp_path):
    # Two runs that differ only in the learning rate agree until the first update has acted.
    fast, slow = (
        ddpg.train(
            settings(tmp_path / str(rate), env_id="LRMP-LeNet-v0", actor_learning_rate=rate),
            progress=False,
        )
        for rate in (1e-2, 1e-3)
    )
    same = [a == b for a, b in zip(fast.rewards(), slow.rewards(), strict=True)]
    assert all(same[:21])
    assert not all(same[21:])


@pytest.mark.parametrize("changes", [{"module": ddpg}, {"module": td3, "n_steps": 1}])
def test_buffer_holds_what_the_environment_made_and_nothing_else(changes, tmp_path, monkeypatch):
    module = changes.pop("module")
    buffers = []

    class KeptBuffer(ReplayBuffer):
        def __init__(self, *sizes):
            super().__init__(*sizes)
            buffers.append(self)

    monkeypatch.setattr(module, "ReplayBuffer", KeptBuffer)
    args = module.Args(env_id=TASK, evaluations=10, runs_dir=tmp_path, **changes)
    run, layers = module.train(args, progress=False), 21
    (buffer,) = buffers
    assert buffer.added == 10 * layers
    rows = {name: a[: buffer.added].reshape(10, layers, -1) for name, a in buffer.arrays.items()}
    assert np.array_equal(rows["observation"][:, 1:], rows["next_observation"][:, :-1])
    assert (rows["observation"][:, 0] == rows["observation"][0, 0]).all()
    assert np.array_equal(rows["terminated"][..., 0], np.tile([0] * 20 + [1], (10, 1)))
    # The last observation is the episode's own, not that of the reset after it.
    env = gym.make(TASK)
    for actions, last, reward in zip(
        rows["action"], rows["next_observation"][:, -1], run.rewards(), strict=True
    ):
        env.reset()
        *_, (observation, found, *_) = [env.step(action) for action in actions]
        assert np.array_equal(observation, last)
        assert found == reward


@pytest.mark.long
def test_learns_to_do_better_than_its_warmup(tmp_path):
    rewards = ddpg.train(settings(tmp_path, evaluations=160), progress=False).rewards()
    assert np.mean(rewards[-20:]) > np.mean(rewards[:20]) + 1.0


def test_finished_run_is_returned_as_it_is(short_run):
    before = short_run.record_path.stat().st_mtime_ns
    again = ddpg.train(settings(short_run.path.parent), progress=False)
    assert again.record_path.stat().st_mtime_ns == before


def test_other_settings_in_the_same_directory_are_refused(short_run):
    with pytest.raises(RunError, match=r"Expected a run with tau 0\.5 in .*, got one with 0\.01"):
        ddpg.train(settings(short_run.path.parent, tau=0.5), progress=False)


def test_unknown_task_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(TaskError, match=r"Did you mean 'LRMP-ResNet8-v0'"):
        ddpg.train(settings(tmp_path, env_id="LRMP-ResNet81-v0"), progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_killed_run_resumes_to_the_same_result(tmp_path):
    whole = ddpg.train(settings(tmp_path / "whole", evaluations=60), progress=False)
    words = ["--env-id", TASK, "--evaluations", "60", "--checkpoint-every", "5"]
    command = [sys.executable, "-m", "lrmp.baselines.learners.ddpg", *words, "--runs-dir"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "killed")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    directory = tmp_path / "killed" / f"{TASK}__ddpg__1"
    # The second checkpoint after learning began holds optimiser states and a moving average.
    episodes_done = 0
    while episodes_done < 25:
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
        if (directory / "checkpoint.safetensors").exists():
            from lrmp.baselines.running.checkpoint import load_checkpoint

            _, state = load_checkpoint(directory / "checkpoint.safetensors")
            episodes_done = len(state["episodes"])
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (directory / "record.jsonl").exists()
    resumed = ddpg.train(
        settings(tmp_path / "killed", evaluations=60, checkpoint_every=5), progress=False
    )
    assert resumed.rewards() == whole.rewards()
    assert resumed.policy_path.read_bytes() == whole.policy_path.read_bytes()
    assert not resumed.checkpoint_path.exists()


def test_damaged_checkpoint_is_named(tmp_path):
    directory = tmp_path / f"{TASK}__ddpg__1"
    ddpg.train(settings(tmp_path, evaluations=2), progress=False)
    (directory / "record.jsonl").unlink()
    (directory / "checkpoint.safetensors").write_bytes(b"\x08" * 40)
    with pytest.raises(RunError, match=r"Expected a checkpoint at .* Delete it to start"):
        ddpg.train(settings(tmp_path, evaluations=2), progress=False)


def test_saved_policy_acts_in_the_environment(short_run):
    outcome = evaluate_policy(Actor.load(short_run.policy_path), TASK)
    assert outcome.report.tiles <= load_task(TASK).budget
    assert outcome == evaluate_policy(Actor.load(short_run.policy_path), TASK, seed=5)


def test_policy_of_another_size_is_refused():
    with pytest.raises(PolicyError, match="trained on another environment"):
        evaluate_policy(Actor(9, 2), TASK)


def test_truncated_normal_stays_inside_and_follows_its_mean():
    rng = np.random.default_rng(0)
    mean = np.array([-1.0, 0.25, 1.0], np.float32)
    draws = np.stack([truncated_normal(mean, 0.1, rng) for _ in range(4000)])
    assert ((draws >= -1) & (draws <= 1)).all()
    # Half a normal distribution has mean sigma * sqrt(2 / pi) = 0.0798; standard error 0.001.
    half = 0.1 * np.sqrt(2 / np.pi)
    assert draws.mean(axis=0) == pytest.approx([half - 1, 0.25, 1 - half], abs=0.006)


def test_truncated_normal_with_a_tiny_spread_is_the_mean():
    rng = np.random.default_rng(0)
    mean = np.array([-1.0, 0.0, 1.0], np.float32)
    draw = truncated_normal(mean, 1e-4, rng)
    assert np.isfinite(draw).all()
    assert draw == pytest.approx(mean, abs=1e-3)


def test_episodes_csv_has_one_row_per_design(short_run):
    with short_run.episodes_path.open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["episode"]) for row in rows] == list(range(30))
    assert set(rows[0]) == {"episode", "reward", "gain", "accuracy_drop"}
