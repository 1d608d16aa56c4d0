"""Writing a figure as papers want it: the same bytes every time, fonts that can be embedded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: TrueType, which publishers take where they refuse Type 3; ids of SVG files that never change.
SETTINGS: dict[Any, Any] = {"pdf.fonttype": 42, "ps.fonttype": 42, "svg.hashsalt": "lrmp"}
DPI = 150
#: What would say when a file was made, by format.
_DATES: dict[str, dict[str, None]] = {
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


def write_figure(figure: "Figure", path: Path) -> None:
    """Write a figure.

    Args:
        figure: Any.
        path: Its ending picks the format; SVG and PDF are vectors.

    Raises:
        OSError: If it cannot be written.
        ValueError: If the ending is no format.
    """
    with paper_settings():
        figure.savefig(path, dpi=DPI, metadata=_DATES.get(path.suffix.lower()))


@contextmanager
def paper_settings() -> Iterator[None]:
    """Let matplotlib write as papers want it.

    Yields:
        Nothing.
    """
    import matplotlib as mpl

    with mpl.rc_context(SETTINGS):
        yield
