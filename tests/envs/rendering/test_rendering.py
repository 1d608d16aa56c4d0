"""How an episode looks: text, pixels, video."""

import pickle
import subprocess
import sys
from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import RecordVideo
from PIL import Image

from lrmp.cli import main
from lrmp.envs import LayerwiseEnv, stored_optimum
from lrmp.envs.rendering.episode_frame import AFTER, TOO_MUCH
from lrmp.envs.rendering.episode_video import write_video
from lrmp.envs.scoring.reward import score_text
from lrmp.errors import RunError, TaskError

ID = "LRMP-MLP-v0"


def rgb(colour):
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def area(frame, colour):
    """Count pixels of a colour."""
    return int((frame == rgb(colour)).all(axis=2).sum())


@pytest.fixture
def env():
    env = LayerwiseEnv("LRMP-ResNet8-v0", discrete=True, render_mode="rgb_array")
    env.reset()
    return env


def test_text_shows_settings_copies_time_and_totals():
    env = LayerwiseEnv(ID, discrete=True, render_mode="ansi")
    env.reset()
    assert env.render().splitlines() == [
        f"{ID}: 0 of 3 layers decided",
        "tiles 112 of 112, latency gain 1.000x with one copy each",
        "accuracy drop 0.02 points, 1.00 allowed",
    ]
    env.step([2, 6])
    _, first, tiles, _ = env.render().splitlines()
    assert first.split()[1:4] == ["4/8", "x", "1"]
    assert tiles.startswith("tiles 80 of 112, latency gain 1.000x with one copy each")
    for _ in range(2):
        *_, reward, _, _, info = env.step([2, 6])
    _, *layers, tiles, drop, last = env.render().splitlines()
    report = env.unwrapped.outcome.report
    for index, line in enumerate(layers):
        time = 1e6 * report.layer_cycles[index] / report.clock_hz
        copies = str(info["replication"][index])
        assert line.split()[1:] == ["4/8", "x", copies, f"{time:.1f}", "us"]
    assert tiles == f"tiles {report.tiles} of 112, latency gain {info['gain']:.3f}x"
    assert drop == f"accuracy drop {info['accuracy_drop']:.2f} points, 1.00 allowed"
    assert last == f"reward {reward:.4f}"


def test_frames_have_one_even_size_and_do_not_share_memory(env):
    frames = [env.render()]
    terminated = False
    while not terminated:
        terminated = env.step([2, 3])[2]
        frames.append(env.render())
    assert {frame.shape for frame in frames} == {(600, 640, 3)}
    assert {frame.dtype for frame in frames} == {np.dtype(np.uint8)}
    for before, after in pairwise(frames):
        assert (before != after).any()
        assert not np.shares_memory(before, after)


@pytest.mark.long
def test_frame_depends_on_the_state_alone(env):
    start = env.render()
    for _ in range(10):
        env.step([2, 3])
        env.render()
    end = env.render()
    assert np.array_equal(env.render(), end)
    env.reset()
    assert np.array_equal(env.render(), start)
    other = LayerwiseEnv(env.task, discrete=True, render_mode="rgb_array")
    other.reset()
    for _ in range(10):
        other.step([2, 3])
    assert np.array_equal(other.render(), end)


@pytest.mark.long
def test_bars_follow_bits_and_a_broken_limit_is_red(env):
    env.step([6, 6])
    plain = env.render()
    assert area(plain, TOO_MUCH) == 0
    env.reset()
    env.step([0, 6])
    assert area(env.render(), AFTER) < area(plain, AFTER)
    for _ in range(9):
        env.step([0, 0])
    assert env.outcome.accuracy_drop > 1
    assert area(env.render(), TOO_MUCH) > 1000


def test_rendering_changes_nothing_and_needs_an_episode(play, random_actions):
    shown, plain = (gym.make(ID, render_mode=mode) for mode in ("rgb_array", None))
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before render\(\)"):
        shown.unwrapped.render()
    actions = random_actions(plain, 0)
    expected = play(plain, actions)
    shown.reset(seed=0)
    for action, transition in zip(actions, expected[1:], strict=True):
        shown.render()
        observation, reward, *_ = shown.step(action)
        assert np.array_equal(observation, transition[0])
        assert reward == transition[1]


def test_env_that_was_rendered_is_pickled(env):
    env.step([2, 3])
    frame = env.render()
    assert np.array_equal(pickle.loads(pickle.dumps(env)).render(), frame)


def test_long_networks_are_drawn_without_names():
    env = LayerwiseEnv("LRMP-ResNet101-Predicted-v0", render_mode="rgb_array")
    env.reset()
    assert env.render().shape == (600, 1600, 3)


@pytest.mark.parametrize(
    ("form", "action", "start", "end"),
    [
        ("OneShot", [2] * 6, "to choose", "chosen"),
        ("Refine", 0, "0 of 2 steps", "2 of 2 steps"),
    ],
)
def test_other_forms_are_shown_too(form, action, start, end):
    env_id = f"LRMP-MLP-{form}-v0"
    options = {"horizon": 2} if form == "Refine" else {"discrete": True}
    env = gym.make(env_id, render_mode="ansi", **options)
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before render\(\)"):
        env.unwrapped.render()
    env.reset()
    assert env.render().splitlines()[0] == f"{ID}: {start}"
    terminated = False
    while not terminated:
        terminated, *_, info = env.step(action)[2:]
    lines = env.render().splitlines()
    assert lines[0] == f"{ID}: {end}"
    assert f"latency gain {info['gain']:.3f}x" in lines[-3]
    pixels = gym.make(env_id, render_mode="rgb_array", **options)
    pixels.reset()
    before = pixels.render()
    pixels.step(action)
    assert pixels.render().shape == before.shape
    assert (pixels.render() != before).any()


def test_frames_are_collected_by_gymnasium():
    env = gym.make(ID, render_mode="rgb_array_list")
    env.reset()
    for _ in range(3):
        env.step([0.5, 0.5])
    assert [frame.ndim for frame in env.render()] == [3] * 4


def test_without_a_mode_nothing_is_rendered():
    env = LayerwiseEnv(ID)
    env.reset()
    assert env.render() is None


def test_unknown_mode_is_refused():
    with pytest.raises(
        TaskError, match=r"Expected render_mode None, 'ansi' or 'rgb_array'; got 'human'\."
    ):
        LayerwiseEnv(ID, render_mode="human")


def test_pixels_without_matplotlib_say_what_to_install():
    code = f"""
import sys
sys.modules["matplotlib"] = None  # how Python itself marks a module that must not be imported
import gymnasium as gym, lrmp
env = gym.make("{ID}", render_mode="rgb_array")
env.reset()
try:
    env.render()
except ImportError as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("MissingExtraError Expected matplotlib to draw a picture; run ")


@pytest.mark.long
def test_record_video_writes_an_episode(tmp_path):
    pytest.importorskip("moviepy")
    env = RecordVideo(gym.make(ID, render_mode="rgb_array"), str(tmp_path / "videos"))
    env.reset(seed=0)
    for _ in range(3):
        env.step([0.5, 0.5])
    env.close()
    (video,) = (tmp_path / "videos").iterdir()
    assert video.name == "rl-video-episode-0.mp4"
    assert video.read_bytes()[4:8] == b"ftyp"


def test_command_writes_an_mp4(tmp_path, capsys):
    pytest.importorskip("moviepy")
    path = tmp_path / "episode.mp4"
    assert main(["render", ID, "--out", str(path), "--set", "weight_bits=4"]) == 0
    assert path.read_bytes()[4:8] == b"ftyp"
    assert [p.name for p in tmp_path.iterdir()] == ["episode.mp4"]


@pytest.mark.long
@pytest.mark.parametrize("who", [["--seed", "1"], ["--set", "weight_bits=5,4,5"], ["--optimum"]])
def test_command_writes_every_frame_of_the_episode(who, tmp_path, capsys):
    path = tmp_path / "episode.gif"
    assert main(["render", ID, "--out", str(path), "--fps", "10", *who]) == 0
    with Image.open(path) as image:
        assert image.n_frames == 4
        assert image.info["duration"] == 100
        image.seek(3)
        assert image.info["duration"] == 3000
        last = np.asarray(image.convert("RGB"))
    assert area(last, "#ffffff") > last.shape[0] * last.shape[1] / 2
    assert [p.name for p in tmp_path.iterdir()] == ["episode.gif"]
    out = capsys.readouterr().out
    assert out.startswith(f"{path}: 4 frames, latency gain ")
    if who == ["--optimum"]:
        assert out.endswith(f"score {stored_optimum(ID).value:.4f}\n")


def test_command_with_a_seed_repeats_itself(tmp_path, capsys):
    paths = [tmp_path / f"{i}.gif" for i in range(3)]
    for path, seed in zip(paths, "001", strict=True):
        assert main(["render", ID, "--out", str(path), "--seed", seed]) == 0
    same, again, other = (path.read_bytes() for path in paths)
    assert same == again
    assert same != other


def test_command_shows_what_a_policy_does(tmp_path, capsys):
    pytest.importorskip("torch")
    from lrmp.agents.actor_critic import Actor
    from lrmp.baselines.running.evaluate import evaluate_policy
    from lrmp.baselines.running.run_directory import RunDirectory

    policy = Actor(len(LayerwiseEnv(ID).observation_space.low), 2)
    policy.save(RunDirectory(tmp_path).policy_path)
    path = tmp_path / "episode.gif"
    assert main(["render", ID, "--out", str(path), "--policy", str(tmp_path)]) == 0
    outcome = evaluate_policy(policy, ID)
    assert capsys.readouterr().out.endswith(f"{score_text(outcome.score)}\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "a.avi"], "Expected the ending of a.avi to be one of .gif, .mp4; got '.avi'."),
        (["--out", "no/a.gif"], "Expected a folder for the video at no; make it first."),
        (["--out", "a.gif", "--fps", "0"], "Expected --fps between 1 and 50, got 0."),
        (["--out", "a.gif", "--set", "5"], "Expected --set as KNOB=VALUES"),
        (["--out", "a.gif", "--set", "weight_bits=9"], "Expected weight_bits between 2 and 8, got"),
        (["--out", "a.gif", "--policy", "no"], "Expected a policy"),
    ],
)
def test_command_refuses(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["render", ID, *words]) == 2
    assert f"lrmp: {message}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_failed_writing_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "episode.gif"
    path.write_bytes(b"old")
    frames = [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)]  # not of one shape
    with pytest.raises(ValueError, match="dimension"):
        write_video(frames, path, 4)
    (tmp_path / "folder.gif").mkdir()
    with pytest.raises(RunError, match=r"Expected to write a video to .*folder\.gif"):
        write_video(frames[:1], tmp_path / "folder.gif", 4)
    assert path.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["episode.gif", "folder.gif"]
