"""An episode as a GIF or MP4 file."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from lrmp.envs.rendering.episode_frame import Frame
from lrmp.errors import MissingExtraError, RunError, unknown_name
from lrmp.whole_file import replacing

LAST_FRAME_S = 3  # the finished design stays, to be read
GIF_COLOURS = 64
_PALETTE_STEP = 3  # every third pixel each way is enough to choose the colours


def check_video_path(path: Path) -> None:
    """Check that a video can be written, before time is spent on its frames.

    Args:
        path: Ends in ``.gif`` or ``.mp4``.

    Raises:
        RunError: If it ends otherwise, or its folder is missing.
        MissingExtraError: If the library that writes it is not installed.
    """
    if path.suffix not in _WRITERS:
        raise RunError(unknown_name(f"the ending of {path}", path.suffix, _WRITERS))
    if not path.parent.is_dir():
        raise RunError(f"Expected a folder for the video at {path.parent}; make it first.")
    module, extra = ("PIL", "plot") if path.suffix == ".gif" else ("moviepy", "video")
    try:
        import_module(module)
    except ImportError as error:
        raise MissingExtraError.of(module, f"to write {path.suffix} files", extra) from error


def write_video(frames: Sequence[Frame], path: Path, frames_per_s: int) -> None:
    """Write frames to a file, whole or not at all.

    Args:
        frames: At least one, all of one shape (height, width, 3), with even sides for MP4.
        path: Ends in ``.gif`` or ``.mp4``.
        frames_per_s: Speed; the last frame stays for some seconds.

    Raises:
        RunError: If the file cannot be written.
        MissingExtraError: If the library that writes it is not installed.
    """
    check_video_path(path)
    try:
        with replacing(path) as temporary:
            _WRITERS[path.suffix](frames, temporary, frames_per_s)
    except OSError as error:
        raise RunError(f"Expected to write a video to {path}: {error}.") from error


def _write_gif(frames: Sequence[Frame], path: Path, frames_per_s: int) -> None:
    from PIL import Image

    # One palette for all, so that a frame holds no more than what it changes.
    sample = np.concatenate([frame[::_PALETTE_STEP, ::_PALETTE_STEP] for frame in frames])
    palette = Image.fromarray(sample).quantize(GIF_COLOURS, Image.Quantize.MAXCOVERAGE)
    none = Image.Dither.NONE
    images = [Image.fromarray(frame).quantize(palette=palette, dither=none) for frame in frames]
    durations = [1000 // frames_per_s] * (len(images) - 1) + [1000 * LAST_FRAME_S]
    images[0].save(path, save_all=True, append_images=images[1:], duration=durations, loop=0)


def _write_mp4(frames: Sequence[Frame], path: Path, frames_per_s: int) -> None:
    from moviepy.video.io.ImageSequenceClip import ImageSequenceClip

    held = [*frames, *[frames[-1]] * (LAST_FRAME_S * frames_per_s - 1)]
    ImageSequenceClip(held, fps=frames_per_s).write_videofile(str(path), logger=None)


_WRITERS = {".gif": _write_gif, ".mp4": _write_mp4}
