"""Rendering as every form of environment does it, from one view of the episode."""

from abc import ABC, abstractmethod

from lrmp.envs.rendering.episode_frame import Frame
from lrmp.envs.rendering.episode_renderer import EpisodeRenderer
from lrmp.envs.rendering.episode_view import EpisodeView


class ShownEpisode(ABC):
    """An environment whose episode can be shown.

    Subclasses set ``render_mode`` and ``_renderer``.
    """

    render_mode: str | None
    _renderer: EpisodeRenderer

    @abstractmethod
    def view(self) -> EpisodeView:
        """Say how the episode stands, for text and pictures.

        Returns:
            The view.

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun.
        """

    def render(self) -> str | Frame | None:
        """Show how the episode stands.

        Returns:
            Text, or pixels of shape (height, width, 3); None if ``render_mode`` is None.

        Raises:
            MissingExtraError: If pixels are asked for and matplotlib is not installed.
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        return None if self.render_mode is None else self._renderer.show(self.view())
