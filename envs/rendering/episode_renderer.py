"""Render modes: one view of an episode, as text or as pixels."""

from lrmp.envs.rendering.episode_frame import EpisodeFrame, Frame
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.errors import TaskError

#: There is no "human": the core needs no window toolkit. Videos, notebooks and Gymnasium's own
#: HumanRendering, which opens a window, all take pixels.
RENDER_MODES = ("ansi", "rgb_array")


class EpisodeRenderer:
    """Shows episodes; every form of environment renders with it.

    Args:
        mode: ``"ansi"``, ``"rgb_array"``, or None for an environment that is never shown.
        width: Of pictures, in pixels; None for what the layers of the task need. Episodes of
            several tasks need one, if their pictures are to have one shape.
        panels: Panels of knobs that pictures have room for; None for as many as the task has.

    Raises:
        TaskError: If it is another.
    """

    def __init__(
        self, mode: str | None, width: int | None = None, panels: int | None = None
    ) -> None:
        if mode is not None and mode not in RENDER_MODES:
            modes = " or ".join(map(repr, RENDER_MODES))
            raise TaskError(f"Expected render_mode None, {modes}; got {mode!r}.")
        self._mode, self._width, self._panels = mode, width, panels
        self._frame: EpisodeFrame | None = None

    def show(self, view: EpisodeView) -> str | Frame:
        """Show how an episode stands.

        Args:
            view: Of the episode. Axes are drawn anew where its task is another than the last one.

        Returns:
            Text, or pixels of shape (height, width, 3).

        Raises:
            MissingExtraError: If pixels are asked for and matplotlib is not installed.
        """
        if self._mode == "ansi":
            return view.to_text()
        if self._frame is None or self._frame.task is not view.task:
            self._frame = EpisodeFrame(view.task, self._width, self._panels)
        return self._frame.draw(view)
