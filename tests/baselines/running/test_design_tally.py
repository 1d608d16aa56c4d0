"""What learners have tried: the best design, the first of equals, over interruptions."""

import json

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("torch")

from lrmp.baselines.running.design_tally import DesignTally
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.scoring.outcome import evaluate_bits
from lrmp.envs.task.task import load_task

TASK = load_task("LRMP-LeNet-v0")
BITS = np.array([[8, 8, 8, 8], [6, 6, 6, 6], [5, 5, 5, 5], [4, 4, 4, 4]])


def add(tally, *rows):
    """Add designs that have one width for weights and activations."""
    outcomes = [evaluate_bits(TASK, BITS[row], BITS[row]) for row in rows]
    return tally.add(
        [outcome.reward() for outcome in outcomes],
        [outcome.gain for outcome in outcomes],
        [outcome.accuracy_drop for outcome in outcomes],
        BITS[list(rows)],
        BITS[list(rows)],
    )


def test_first_of_equal_designs_is_the_best():
    tally = DesignTally()
    zeros = np.zeros(2)
    assert tally.add([1.0, 1.0], zeros, zeros, BITS[:2], BITS[2:])
    assert tally.state()["best_bits"] == ([8, 8, 8, 8], [5, 5, 5, 5])
    assert not tally.add(1.0, 0.0, 0.0, BITS[3], BITS[3])  # one design, without the first axis
    assert tally.state()["best_bits"] == ([8, 8, 8, 8], [5, 5, 5, 5])
    assert (len(tally), tally.best_reward) == (3, 1.0)


def test_rewards_below_zero_have_a_best_one_too():
    tally = DesignTally()
    assert tally.add([-3.0, -2.0], [1, 1], [5, 4], BITS[:2], BITS[:2])
    assert tally.best_reward == -2.0


def test_episodes_of_a_vector_environment_are_added_as_they_end():
    env = gym.make_vec(TASK.id, 3, discrete=True, autoreset_mode="SameStep")
    env.reset(seed=0)
    for _ in range(4):
        _, reward, _, _, infos = env.step(np.full((3, 2), [[2, 2], [4, 4], [3, 3]]))
    tally, plain = DesignTally(), DesignTally()
    assert tally.add_ended(reward, infos["final_info"])
    assert add(plain, 3, 1, 2)  # 4, 6 and 5 bits
    assert tally.episodes == plain.episodes
    assert tally.state()["best_bits"] == plain.state()["best_bits"]


def test_restored_tally_goes_on_as_if_never_interrupted():
    whole, first = DesignTally(), DesignTally()
    for tally in (whole, first):
        add(tally, 1, 2)
    second = DesignTally()
    second.restore(json.loads(json.dumps(first.state())))
    for tally in (whole, second):
        assert not add(tally, 0)
    assert second.episodes == whole.episodes
    assert second.best_reward == whole.best_reward
    assert tuple(second.state()["best_bits"]) == whole.state()["best_bits"]
    assert second.seconds > first.state()["seconds"] - 1e-3


@pytest.mark.parametrize(("given", "expected"), [(None, 3), (30, 30)])
def test_record_holds_the_best_design_and_how_many_were_scored(tmp_path, given, expected):
    tally = DesignTally()
    add(tally, 0, 1, 2)
    run = RunDirectory.open(tmp_path / "run", {"agent": "test"})
    tally.finish(run, TASK, agent="test", seed=1, env_steps=12, evaluated_designs=given)
    record = json.loads(run.record_path.read_text("utf-8"))
    assert (record["evaluated_designs"], record["env_steps"]) == (expected, 12)
    best = max(range(3), key=lambda row: tally.episodes[row][0])
    assert record["design"]["weight_bits"] == BITS[best].tolist()
    assert run.rewards() == [reward for reward, _, _ in tally.episodes]
