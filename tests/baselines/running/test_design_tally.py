"""What learners have tried: the best design, the first of equals, over interruptions."""

import json
import math

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("torch")

from lrmp.baselines.running.design_tally import DesignTally, best_so_far, episode_score
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
    tally = DesignTally(TASK)
    score = math.log(2)
    assert tally.add([score, score], [2, 2], [0, 0], DESIGNS[:2])
    assert tally.state()["best"] == [[6, 6]] * 4
    assert not tally.add(score, 2.0, 0.0, DESIGNS[3])  # one design, without the first axis
    assert tally.state()["best"] == [[6, 6]] * 4
    assert (len(tally), tally.best_score) == (3, score)


def test_scores_come_before_rewards():
    tally = DesignTally(TASK)
    assert tally.best_score == 0  # the plain design needs no search
    assert tally.add([-3.0, -2.0], [9, 8], [5, 4], DESIGNS[:2])  # both beyond the allowed drop
    assert (tally.best_score, tally.state()["best"]) == (0, [[4, 4]] * 4)
    assert not tally.add(-2.5, 9.0, 4.5, DESIGNS[0])
    assert tally.add(math.log(0.5), 0.5, 0.0, DESIGNS[2])  # within, worse than the plain design
    assert (tally.best_score, tally.state()["best"]) == (0, [[3, 3]] * 4)
    assert not tally.add(7.0, 9.0, 5.0, DESIGNS[3])  # another reward may pay for what is beyond
    assert tally.state()["best"] == [[3, 3]] * 4


def test_a_design_is_within_the_allowed_drop_up_to_and_with_it():
    limit = TASK.allowed_drop
    assert episode_score((0.0, 2.0, limit), limit) == math.log(2)
    assert episode_score((0.0, 2.0, math.nextafter(limit, 9)), limit) == -math.inf
    for row in range(4):
        outcome = evaluate_settings(TASK, DESIGNS[row])
        score = episode_score((0.0, outcome.gain, outcome.accuracy_drop), limit)
        assert score == (-math.inf if outcome.score is None else outcome.score)


def test_the_best_so_far_begins_with_the_plain_design():
    episodes = [(-9.0, 5.0, 7.0), (-1.0, 0.5, 0.0), (0.7, 2.0, 0.5), (0.1, 1.1, 0.0)]
    assert best_so_far(episodes, 1.0).tolist() == [0.0, 0.0, math.log(2), math.log(2)]
    assert best_so_far(episodes[:1], 1.0).tolist() == [0.0]


def test_a_run_that_finds_nothing_within_the_allowance_has_a_record(tmp_path):
    tally = DesignTally(TASK)
    settings = np.zeros((2, 4, 2), dtype=np.int64)  # 2 bits
    settings[1, :, 0] = 1  # 3 bits for the weights
    outcomes = [evaluate_settings(TASK, design) for design in settings]
    assert [outcome.score for outcome in outcomes] == [None, None]
    assert outcomes[1].reward() > outcomes[0].reward()
    columns = np.array([[o.reward(), o.gain, o.accuracy_drop] for o in outcomes]).T
    tally.add(*columns, settings)
    second = DesignTally(TASK)
    second.restore(json.loads(json.dumps(tally.state(), allow_nan=False)))
    run = RunDirectory.open(tmp_path / "run", {"agent": "test"})
    second.finish(run, agent="test", seed=1, env_steps=0)
    record = run.record()
    assert record["claim"]["score"] is None
    assert record["design"]["weight_bits"] == [3] * 4
    assert not best_so_far(run.episodes(), TASK.allowed_drop).any()


def test_episodes_of_a_vector_environment_are_added_as_they_end():
    env = gym.make_vec(TASK.id, 3, discrete=True, autoreset_mode="SameStep")
    env.reset(seed=0)
    for _ in range(4):
        _, reward, _, _, infos = env.step(np.full((3, 2), [[2, 2], [4, 4], [3, 3]]))
    tally, plain = DesignTally(TASK), DesignTally(TASK)
    assert tally.add_ended(reward, infos["final_info"])
    assert add(plain, 3, 1, 2)  # 4, 6 and 5 bits
    assert tally.episodes == plain.episodes
    assert tally.state()["best"] == plain.state()["best"]


def test_restored_tally_goes_on_as_if_never_interrupted():
    whole, first = DesignTally(TASK), DesignTally(TASK)
    for tally in (whole, first):
        add(tally, 1, 2)
    second = DesignTally(TASK)
    second.restore(json.loads(json.dumps(first.state())))
    for tally in (whole, second):
        assert not add(tally, 0)
    assert second.episodes == whole.episodes
    assert second.best_score == whole.best_score
    assert second.state()["best"] == whole.state()["best"]
    assert second.seconds > first.state()["seconds"] - 1e-3


@pytest.mark.parametrize(("given", "expected"), [(None, 3), (30, 30)])
def test_record_holds_the_best_design_and_how_many_were_scored(tmp_path, given, expected):
    tally = DesignTally(TASK)
    add(tally, 0, 1, 2)
    run = RunDirectory.open(tmp_path / "run", {"agent": "test"})
    tally.finish(run, agent="test", seed=1, env_steps=12, evaluated_designs=given)
    record = json.loads(run.record_path.read_text("utf-8"))
    assert (record["evaluated_designs"], record["env_steps"]) == (expected, 12)
    scores = [episode_score(episode, TASK.allowed_drop) for episode in tally.episodes]
    best = int(np.argmax(scores))
    assert record["claim"]["score"] == max(scores) > 0
    assert record["design"]["weight_bits"] == [[8, 6, 5][best]] * 4
    assert run.rewards() == [reward for reward, _, _ in tally.episodes]
