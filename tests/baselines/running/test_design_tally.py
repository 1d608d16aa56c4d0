"""What learners have tried: the best design, the first of equals, over interruptions."""

import json

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("torch")

from lrmp.baselines.running.design_tally import DesignTally
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.task.task import load_task

TASK = load_task("LRMP-LeNet-v0")
#: Designs with one width for all weights and activations: 8, 6, 5 and 4 bits.
DESIGNS = np.repeat([6, 4, 3, 2], 8).reshape(4, 4, 2)


def add(tally, *rows):
    outcomes = [evaluate_settings(TASK, DESIGNS[row]) for row in rows]
    return tally.add(
        [outcome.reward() for outcome in outcomes],
        [outcome.gain for outcome in outcomes],
        [outcome.accuracy_drop for outcome in outcomes],
        DESIGNS[list(rows)],
    )


def test_first_of_equal_designs_is_the_best():
    tally = DesignTally(TASK.space)
    zeros = np.zeros(2)
    assert tally.add([1.0, 1.0], zeros, zeros, DESIGNS[:2])
    assert tally.state()["best"] == [[6, 6]] * 4
    assert not tally.add(1.0, 0.0, 0.0, DESIGNS[3])  # one design, without the first axis
    assert tally.state()["best"] == [[6, 6]] * 4
    assert (len(tally), tally.best_reward) == (3, 1.0)


def test_rewards_below_zero_have_a_best_one_too():
    tally = DesignTally(TASK.space)
    assert tally.add([-3.0, -2.0], [1, 1], [5, 4], DESIGNS[:2])
    assert tally.best_reward == -2.0


def test_episodes_of_a_vector_environment_are_added_as_they_end():
    env = gym.make_vec(TASK.id, 3, discrete=True, autoreset_mode="SameStep")
    env.reset(seed=0)
    for _ in range(4):
        _, reward, _, _, infos = env.step(np.full((3, 2), [[2, 2], [4, 4], [3, 3]]))
    tally, plain = DesignTally(TASK.space), DesignTally(TASK.space)
    assert tally.add_ended(reward, infos["final_info"])
    assert add(plain, 3, 1, 2)  # 4, 6 and 5 bits
    assert tally.episodes == plain.episodes
    assert tally.state()["best"] == plain.state()["best"]


def test_restored_tally_goes_on_as_if_never_interrupted():
    whole, first = DesignTally(TASK.space), DesignTally(TASK.space)
    for tally in (whole, first):
        add(tally, 1, 2)
    second = DesignTally(TASK.space)
    second.restore(json.loads(json.dumps(first.state())))
    for tally in (whole, second):
        assert not add(tally, 0)
    assert second.episodes == whole.episodes
    assert second.best_reward == whole.best_reward
    assert second.state()["best"] == whole.state()["best"]
    assert second.seconds > first.state()["seconds"] - 1e-3


@pytest.mark.parametrize(("given", "expected"), [(None, 3), (30, 30)])
def test_record_holds_the_best_design_and_how_many_were_scored(tmp_path, given, expected):
    tally = DesignTally(TASK.space)
    add(tally, 0, 1, 2)
    run = RunDirectory.open(tmp_path / "run", {"agent": "test"})
    tally.finish(run, TASK, agent="test", seed=1, env_steps=12, evaluated_designs=given)
    record = json.loads(run.record_path.read_text("utf-8"))
    assert (record["evaluated_designs"], record["env_steps"]) == (expected, 12)
    best = max(range(3), key=lambda row: tally.episodes[row][0])
    assert record["design"]["weight_bits"] == [[8, 6, 5][best]] * 4
    assert run.rewards() == [reward for reward, _, _ in tally.episodes]
