"""Writing a figure to the file that the user named."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lrmp.errors import RunError
from lrmp.plotting.picture_file import write_figure
from lrmp.whole_file import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_picture(draw: "Callable[[], Figure]", path: Path) -> None:
    """Draw a figure and write it.

    Args:
        draw: Makes the figure.
        path: Its ending picks the format.

    Raises:
        RunError: If the ending is no format, or the file cannot be written.
    """
    if not path.suffix:
        raise RunError(f"Expected a picture format such as .png for {path}, got no ending.")
    if not path.parent.is_dir():
        raise RunError(f"Expected a folder for the picture at {path.parent}; make it first.")
    figure = draw()
    try:
        with replacing(path) as temporary:
            write_figure(figure, temporary)
    except OSError as error:
        raise RunError(f"Expected to write a picture to {path}: {error}.") from error
    except ValueError as error:
        raise RunError(f"Expected a picture format such as .png for {path}: {error}.") from error
