"""The ``lrmp render`` command: an episode as a GIF or MP4 file."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from tqdm import tqdm

from lrmp.agents.policy import Policy
from lrmp.cli.exit_codes import EPILOG, EXIT_OK
from lrmp.cli.settings_argument import GivenSettings, add_settings
from lrmp.envs.forms.layerwise import Action, LayerwiseEnv
from lrmp.envs.rendering.episode_frame import Frame
from lrmp.envs.rendering.episode_video import check_video_path, write_video
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.scoring.reward import score_text
from lrmp.envs.task.custom_task import CUSTOM_ID, find_task
from lrmp.envs.task.optimum import stored_optimum
from lrmp.envs.task.task import Task
from lrmp.errors import MissingExtraError, RunError
from lrmp.hardware.frozen_arrays import IntArray

MOST_FPS = 50  # GIF counts in hundredths of a second, and players slow down what is faster


def add_commands(commands: Any) -> None:
    """Add ``lrmp render``.

    Args:
        commands: The subparsers of ``lrmp``.
    """
    parser = commands.add_parser(
        "render",
        help="write an episode as a GIF or MP4 file",
        # argparse would not break what excludes each other.
        usage="lrmp render [-h] --out FILE [--fps N] env_id\n"
        "                   [--policy RUN | --set KNOB=VALUES | --design FILE |\n"
        "                    --optimum | --seed N]",
        description="Play one episode and show settings, copies, time per layer and totals.",
        epilog=EPILOG,
    )
    parser.add_argument("env_id", help="the environment, or a task file (.toml)")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the file: .gif or .mp4"
    )
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--policy", type=Path, metavar="RUN", help="act with a run's saved policy")
    add_settings(who)
    who.add_argument("--optimum", action="store_true", help="the proven optimum of the task")
    who.add_argument(
        "--seed",
        type=int,
        metavar="N",
        default=0,
        help="random settings from this seed; default: %(default)s",
    )
    parser.add_argument(
        "--fps", type=int, metavar="N", default=4, help="layers per second; default: %(default)s"
    )
    parser.set_defaults(run=_render)


def _render(options: argparse.Namespace) -> int:
    check_video_path(options.out)
    if not 1 <= options.fps <= MOST_FPS:
        raise RunError(f"Expected --fps between 1 and {MOST_FPS}, got {options.fps}.")
    task = find_task(options.env_id)
    env: gym.Env[Observation, Action] = gym.make(
        CUSTOM_ID, task=task, discrete=options.policy is None, render_mode="rgb_array"
    )
    choose = _chooser(options, task, env)
    observation, _ = env.reset(seed=options.seed)
    frames = [_frame(env)]
    for layer in tqdm(range(len(task.network)), "drawing", unit="layer", disable=None):
        observation, *_ = env.step(choose(observation, layer))
        frames.append(_frame(env))
    write_video(frames, options.out, options.fps)
    layerwise = env.unwrapped
    assert isinstance(layerwise, LayerwiseEnv)
    assert layerwise.outcome is not None
    print(
        f"{options.out}: {len(frames)} frames, {task.objective} gain "
        f"{layerwise.outcome.gain:.3f}x, {score_text(layerwise.outcome.score)}"
    )
    return EXIT_OK


def _frame(env: gym.Env[Observation, Action]) -> Frame:
    frame = env.render()
    assert isinstance(frame, np.ndarray)
    return frame


def _chooser(
    options: argparse.Namespace, task: Task, env: gym.Env[Observation, Action]
) -> Callable[[Observation, int], Action]:
    """Say who decides: a function of the observation and the layer's index."""
    if options.policy is not None:
        policy = _policy(options.policy)
        return lambda observation, layer: policy.act(observation)
    if given := GivenSettings.of(options):
        return _of(given.settings(task.space, [layer.name for layer in task.network.layers]))
    if options.optimum:
        known = stored_optimum(task)
        if known is None:
            raise RunError(
                f"Expected a stored optimum of {task.id}, got none. Leave --optimum out."
            )
        return _of(known.design.settings)
    env.action_space.seed(options.seed)
    return lambda observation, layer: env.action_space.sample()


def _of(settings: IntArray) -> Callable[[Observation, int], Action]:
    return lambda observation, layer: settings[layer]


def _policy(run: Path) -> Policy:
    try:
        from lrmp.agents.policies import load_policy
    except ImportError as error:
        raise MissingExtraError.of("torch", "to run a policy", "train") from error
    from lrmp.baselines.running.run_directory import RunDirectory

    return load_policy(RunDirectory(run).policy_path)
