"""Minari: a data set of episodes is recorded, loaded by its id, and its environment recovered."""

import gc
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("minari", reason='needs pip install "lrmp[minari]"')
pytest.importorskip("h5py", reason='needs pip install "lrmp[minari]"')
pytest.importorskip("jax", reason='recording needs pip install "lrmp[minari]"')

import minari

from lrmp.baselines.clients.record_minari import record
from lrmp.envs.task.optimum import stored_optimum
from lrmp.errors import RunError, TaskError

# Whose data set it is, is for who records it to say.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`.*` is set to None:UserWarning"),
    # Minari empties its temporary folder but leaves the object to the garbage collector.
    pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning"),
]

DATASET = "lrmp/resnet18/noisy-v0"
ENV = "LRMP-ResNet18-v0"


@pytest.fixture(autouse=True)
def datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    yield
    gc.collect()


def test_recorded_data_set_is_loaded_and_replays():
    record(DATASET, ENV, episodes=3, noise=0.2, seed=1)
    dataset = minari.load_dataset(DATASET)
    env = dataset.recover_environment()
    assert env.spec.id == ENV
    returns = []
    for episode in dataset.iterate_episodes():
        observation, _ = env.reset()
        observations = [observation]
        rewards = []
        for action in episode.actions:
            observation, reward, terminated, _, _ = env.step(action)
            observations.append(observation)
            rewards.append(reward)
        assert terminated
        assert np.array_equal(observations, episode.observations)
        assert np.array_equal(rewards, episode.rewards)  # float64: nothing is rounded
        assert episode.terminations.tolist() == [False] * 20 + [True]
        assert not episode.truncations.any()
        returns.append(sum(rewards))
    assert len(set(returns)) == 3


def test_environment_is_recovered_where_nothing_registered_it():
    record(DATASET, ENV, episodes=1, noise=0.0, seed=1)
    code = f"""
import minari
dataset = minari.load_dataset({DATASET!r})
env = dataset.recover_environment()
env.reset()
print(sum(env.step(action)[1] for action in dataset[0].actions))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(stored_optimum(ENV).value, abs=1e-9)


@pytest.mark.parametrize(("episodes", "noise"), [(0, 0.5), (1, 1.5)])
def test_bad_settings_are_refused(episodes, noise):
    with pytest.raises(RunError, match="Expected at least 1 episode and noise from 0 to 1, got"):
        record(DATASET, ENV, episodes=episodes, noise=noise, seed=1)


def test_unknown_task_is_refused():
    with pytest.raises(TaskError, match="Did you mean 'LRMP-ResNet18-v0'"):
        record(DATASET, "LRMP-ResNet19-v1", episodes=1, noise=0.0, seed=1)
