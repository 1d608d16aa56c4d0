"""Render modes: one view of an episode, as text or as pixels."""

from lrmp.envs.episode_frame import EpisodeFrame, Frame
from lrmp.envs.episode_view import EpisodeView
from lrmp.errors import TaskError

#: There is no "human": the core needs no window toolkit. Videos, notebooks and Gymnasium's own
#: HumanRendering, which opens a window, all take pixels.
RENDER_MODES = ("ansi", "rgb_array")


class EpisodeRenderer:
    """Shows episodes of one task; every form of environment renders with it.

    Args:
        mode: ``"ansi"``, ``"rgb_array"``, or None for an environment that is never shown.

    Raises:
        TaskError: If it is another.
    """

    def __init__(self, mode: str | None) -> None:
        if mode is not None and mode not in RENDER_MODES:
            modes = " or ".join(map(repr, RENDER_MODES))
            raise TaskError(f"Expected render_mode None, {modes}; got {mode!r}.")
        self._mode = mode
        self._frame: EpisodeFrame | None = None

    def show(self, view: EpisodeView) -> str | Frame:
        """Show how an episode stands.

        Args:
            view: Of an episode of the task.

        Returns:
            Text, or pixels of shape (height, width, 3).

        Raises:
            MissingExtraError: If pixels are asked for and matplotlib is not installed.
        """
        if self._mode == "ansi":
            return view.to_text()
        if self._frame is None:
            self._frame = EpisodeFrame(view.task)
        return self._frame.draw(view)
