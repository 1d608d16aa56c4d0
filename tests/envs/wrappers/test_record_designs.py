"""The recorder of designs."""

import json
import math

import gymnasium as gym
import pytest

from lrmp.envs import Claim
from lrmp.envs.wrappers import (
    RecordDesigns,
    best_line,
)
from lrmp.errors import RunError
from lrmp.leaderboard.replay import replay
from lrmp.leaderboard.submission import parse_record

ID = "LRMP-ResNet18-v0"  # cells of 1 bit


def test_every_finished_design_is_a_record_that_replays(tmp_path, play):
    path = tmp_path / "designs.jsonl"

    def design(env, weight_bits, activation_bits):
        play(env, [[weight_bits - 2, activation_bits - 2]] * len(env.unwrapped.task.network))
        return env.unwrapped.outcome

    env = RecordDesigns(gym.make(ID, discrete=True), path, agent="dice", seed=3)
    outcomes = [design(env, *bits) for bits in ((2, 2), (7, 7), (7, 6))]
    play(env, [[6, 6]] * 4)  # abandoned: its steps count, and nothing else
    env = RecordDesigns(gym.make(ID, discrete=True), path, agent="dice", seed=3)  # later
    outcomes.append(design(env, 8, 8))
    records = [parse_record(line) for line in path.read_text().splitlines()]
    assert [record.claim for record in records] == [Claim.of(outcome) for outcome in outcomes]
    assert records[0].claim.score is None
    assert records[0].claim.gain > records[2].claim.gain
    assert [record.evaluated_designs for record in records] == [1, 2, 3, 4]
    assert [record.env_steps for record in records] == [21, 42, 63, 84]
    assert [r.wall_time_s for r in records] == sorted(r.wall_time_s for r in records)
    best = parse_record(best_line(path))
    assert best == records[2]
    assert best.claim.score == math.log(best.claim.gain)
    assert (best.agent, best.seed) == ("dice", 3)
    assert replay(best).claim == best.claim


def test_until_a_design_is_within_the_allowance_the_most_accurate_is_the_best(tmp_path, play):
    path = tmp_path / "designs.jsonl"
    env = RecordDesigns(gym.make(ID, discrete=True), path)
    for bits in (3, 4, 4, 2):
        play(env, [[bits - 2, bits - 2]] * 21)
    lines = path.read_text().splitlines(keepends=True)
    assert all(parse_record(line).claim.score is None for line in lines)
    assert best_line(path) == lines[1]
    play(env, [[6, 6]] * 21)  # the plain design: no gain, but a score
    assert parse_record(best_line(path)).claim.score == 0


def test_sub_environments_share_a_file(tmp_path):
    path = tmp_path / "designs.jsonl"
    spec = gym.make("lrmp:LRMP-MLP-v0").spec
    spec.additional_wrappers = (RecordDesigns.wrapper_spec(path=str(path)),)
    envs = gym.make_vec(spec, num_envs=3, vectorization_mode="async")
    try:
        envs.reset(seed=0)
        envs.action_space.seed(0)
        for _ in range(3):
            envs.step(envs.action_space.sample())
    finally:
        envs.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["evaluated_designs"] for line in lines] == [1, 2, 3]
    assert lines[-1]["env_steps"] == 9


@pytest.mark.parametrize("cut", [1, 30, 100])
def test_line_cut_off_by_a_crash_is_removed(tmp_path, cut, play, random_actions):
    path = tmp_path / "designs.jsonl"
    env = RecordDesigns(gym.make(ID), path)
    play(env, random_actions(env, 0))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:cut])
    play(RecordDesigns(gym.make(ID), path), random_actions(env, 1))
    assert path.read_bytes().startswith(whole)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["evaluated_designs"] for line in lines] == [1, 2]


def test_recorder_refuses_other_runs_and_other_files(tmp_path, play, random_actions):
    path = tmp_path / "designs.jsonl"
    env = RecordDesigns(gym.make(ID), path)
    play(env, random_actions(env, 0))
    with pytest.raises(RunError, match=r"Expected designs of .*'seed': 1.*got some of .*'seed': 0"):
        RecordDesigns(gym.make(ID), path, seed=1)
    with pytest.raises(RunError, match=r"Expected designs of .*ResNet34.*Choose another file"):
        RecordDesigns(gym.make("LRMP-ResNet34-Predicted-v0"), path)
    for content in ("notes", "notes\n", '{"a": 1}\n'):
        path.write_text(content)
        with pytest.raises(RunError, match=r"got other content\. Choose another file\."):
            RecordDesigns(gym.make(ID), path)
        assert path.read_text() == content
    with pytest.raises(RunError, match=r"Expected to write designs to .*No such file"):
        RecordDesigns(gym.make(ID), tmp_path / "nowhere" / "designs.jsonl")
    with pytest.raises(RunError, match=r"Expected recorded designs in .*nowhere"):
        best_line(tmp_path / "nowhere")
