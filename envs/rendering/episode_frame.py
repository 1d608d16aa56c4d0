"""Pictures of an episode as it goes on, fast enough for video."""

from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.task.task import Task
from lrmp.plotting.design_plot import AFTER, new_figure
from lrmp.plotting.knob_panel import (
    BEFORE,
    COLOURS,
    bar_heights,
    bar_places,
    draw_scale,
    knob_panels,
    words,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Rectangle

Frame = NDArray[np.uint8]

DPI = 80
READABLE_NAMES = 60  # more layer names than this would overlap in a frame
PANEL, HEAD = 180, 60  # pixels, of a panel and what is above all
LEAST_WIDTH, MOST_WIDTH = 640, 1600  # pixels; video encoders want even numbers
PIXELS_PER_LAYER = 44
HERE, TROUGH, TOO_MUCH = "#f1c40f", "#ececec", "#c0392b"
UNDECIDED, MARKER = 0.25, 0.3  # opacities
FOOT = 1e-9  # of a bar, below every scale and fit for a logarithmic one


class EpisodeFrame:
    """Draws how episodes of one task stand: settings, copies and time per layer, and the totals.

    Axes and labels are drawn once and kept; each frame adds bars and numbers. The scales of copies
    and times change at the end, when the oracle has placed the copies.

    Args:
        task: What is solved.
        width: Of the picture, in pixels; None for what the layers need.
        room: Panels of knobs that there is room for; None for as many as the task has.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """

    def __init__(self, task: Task, width: int | None = None, room: int | None = None) -> None:
        self.task, self._width, self._room = task, width, room
        if width is None:
            width = min(MOST_WIDTH, max(LEAST_WIDTH, PIXELS_PER_LAYER * len(task.network)))
        # Half a pixel more, since the canvas is rounded down.
        shown = knob_panels(task.space)
        height = HEAD + PANEL * ((room or len(shown)) + 2)
        self._figure = new_figure((width + 0.5) / DPI, (height + 0.5) / DPI)
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self._canvas = FigureCanvasAgg(self._figure)
        self._figure.set_dpi(DPI)
        ratios = (0.35, *[1] * (len(shown) + 2))
        rows = self._figure.add_gridspec(len(ratios), 3, height_ratios=ratios)
        gauges = [self._figure.add_subplot(rows[0, column]) for column in range(3)]
        *panels, copies, time = (
            self._figure.add_subplot(rows[row, :]) for row in range(1, len(ratios))
        )
        self._copies_axes, self._time_axes = copies, time
        self._moving: list[tuple[Axes | None, Any]] = []  # what every frame draws anew

        self._title = self._moves(None, self._figure.suptitle(" "))
        self._gauges = [self._gauge(axes) for axes in gauges]
        self._here = [self._marker(axes) for axes in (*panels, copies, time)]
        colours = iter(cycle(COLOURS))
        self._knobs: dict[str, _Bars] = {}
        for axes, knobs in zip(panels, shown, strict=True):
            for knob, place in zip(knobs, bar_places(len(knobs)), strict=True):
                self._knobs[knob.name] = self._bars(axes, *place, next(colours))
            draw_scale(axes, knobs)
            axes.legend(
                [self._knobs[knob.name].polygons for knob in knobs],
                [words(knob) for knob in knobs],
                loc="upper right",
                ncols=len(knobs),
                fontsize="small",
            )
        self._copies = self._bars(copies, 0.0, 0.7, AFTER)
        self._time = self._bars(time, 0.2, 0.4, AFTER)
        self._fixed([*panels, copies, time])
        self._background: Any = None
        self._limits: tuple[float, float] | None = None
        self._draw_background(np.inf, 1)  # the axes are placed by the first drawing

    def __reduce__(self) -> tuple[Any, ...]:
        # Nothing of an episode is kept.
        return (EpisodeFrame, (self.task, self._width, self._room))

    def draw(self, view: EpisodeView) -> Frame:
        """Draw how an episode stands.

        Args:
            view: Of an episode of the task.

        Returns:
            Pixels, shape (height, width, 3).
        """
        report, decided, count = view.report, view.decided, len(view.settings)
        times = report.layer_cycles * (1e6 / report.clock_hz)
        least = float(times[times > 0].min(initial=np.inf))
        most_copies = int(view.design.replication.max())
        self._draw_background(least, most_copies)

        opacity = np.where(np.arange(count) < decided, 1.0, UNDECIDED)
        for place, knob in enumerate(self.task.space):
            self._knobs[knob.name].set(bar_heights(knob, view.settings[:, place]), opacity)
        self._copies.set(view.design.replication, opacity)
        self._time.set(times, opacity)
        for marker in self._here:
            marker.set_x(decided - 0.5)
            marker.set_visible(decided < count)
        self._title.set_text(view.title)
        self._set_gauges(view)

        self._canvas.restore_region(self._background)  # type: ignore[no-untyped-call]
        for axes, artist in self._moving:
            (axes or self._figure).draw_artist(artist)
        pixels = self._canvas.buffer_rgba()  # type: ignore[no-untyped-call]
        frame: Frame = np.asarray(pixels)[..., :3].copy()
        return frame

    def _set_gauges(self, view: EpisodeView) -> None:
        task, drop = view.task, view.accuracy_drop
        copies = "" if view.outcome else ", one copy each"
        reward = f", reward {view.outcome.reward():.3f}" if view.outcome else ""
        over = 2.0 if drop > 0 else 0.0  # where no drop is allowed at all
        for (bar, text), share, wording in zip(
            self._gauges,
            (
                view.tiles_at_once / task.budget,
                drop / task.allowed_drop if task.allowed_drop else over,
                1 / view.gain,
            ),
            (
                f"{view.report.tiles_text(task.budget)} tiles{copies}",
                f"accuracy drop {drop:.2f} of {task.allowed_drop:g} points",
                f"{task.objective} gain {view.gain:.2f}x{reward}",
            ),
            strict=True,
        ):
            bar.set_width(min(1.0, max(0.0, share)))
            bar.set_color(TOO_MUCH if share > 1 else AFTER)
            text.set_text(wording)

    def _draw_background(self, least_us: float, most_copies: int) -> None:
        """Draw what stays, if there is no such drawing or a bar would leave its scale."""
        least_us = min(least_us, self._least_plain_us) / 2
        limits = (least_us, max(2.0, most_copies * 1.3))
        if limits[1] == 2.0 and self._limits is not None and self._limits[1] == 2.0:
            limits = (min(self._limits[0], least_us), 2.0)  # let no axis move before the end
        if limits == self._limits:
            return
        self._time_axes.set_ylim(limits[0], self._most_plain_us * 1.5)
        self._copies_axes.set_ylim(0.8, limits[1])
        self._canvas.draw()  # type: ignore[no-untyped-call]
        self._figure.set_layout_engine("none")  # the axes stay where the first drawing put them
        whole = self._figure.bbox
        self._background = self._canvas.copy_from_bbox(whole)  # type: ignore[no-untyped-call]
        self._limits = limits

    def _fixed(self, panels: "list[Axes]") -> None:
        """Draw axes, labels, and the time of the plain design."""
        task, count = self.task, len(self.task.network)
        copies, time = panels[-2:]
        copies.set_yscale("log", base=2)
        copies.yaxis.set_major_formatter("{x:g}")
        copies.set_ylabel("copies")
        baseline = task.baseline_report
        plain = baseline.layer_cycles * (1e6 / baseline.clock_hz)
        _, cycles = task.cost_model.one_copy
        running = cycles.values[cycles.values > 0] * (1e6 / baseline.clock_hz)
        self._least_plain_us = float(running.min())
        self._most_plain_us = float(running.max())
        time.bar(np.arange(count) - 0.2, plain, 0.4, color=BEFORE)
        time.set_yscale("log")
        time.set_ylabel("time (µs)")
        for axes in panels:
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_xlim(-0.7, count - 0.3)
            axes.set_xticks([])
        if count <= READABLE_NAMES:
            names = [layer.name for layer in task.network.layers]
            time.set_xticks(np.arange(count), names, rotation=90, fontsize="x-small")
        else:
            time.set_xlabel("layer")

    def _moves(self, axes: "Axes | None", artist: Any) -> Any:
        """Leave an artist out of the background."""
        artist.set_animated(True)
        self._moving.append((axes, artist))
        return artist

    def _bars(self, axes: "Axes", offset: float, width: float, color: str) -> "_Bars":
        """Make one artist of all bars of a kind, which is several times as fast as one each."""
        from matplotlib.collections import PolyCollection

        bars = PolyCollection([], facecolors=color)
        self._moves(axes, axes.add_collection(bars, autolim=False))
        left = np.arange(len(self.task.network)) + offset - width / 2
        return _Bars(bars, left, left + width)

    def _marker(self, axes: "Axes") -> "Rectangle":
        """Mark the layer to be decided."""
        from matplotlib.patches import Rectangle

        marker = Rectangle((0, 0), 1, 1, transform=axes.get_xaxis_transform(), color=HERE)
        marker.set_alpha(MARKER)
        marked: Rectangle = self._moves(axes, axes.add_patch(marker))
        return marked

    def _gauge(self, axes: "Axes") -> "tuple[Rectangle, Any]":
        """Make a bar from 0 to 1 with words below."""
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.axis("off")
        axes.barh(0.8, 1.0, 0.4, color=TROUGH)
        (bar,) = axes.barh(0.8, 0.0, 0.4)
        words = axes.text(0.0, 0.1, "", fontsize="small")
        return self._moves(axes, bar), self._moves(axes, words)


@dataclass(frozen=True)
class _Bars:
    """Bars side by side, one per layer.

    Attributes:
        polygons: All of them.
        left: Their left edges, shape (L,).
        right: Their right edges, shape (L,).
    """

    polygons: "PolyCollection"
    left: NDArray[np.floating]
    right: NDArray[np.floating]

    def set(self, heights: NDArray[Any], opacity: NDArray[np.float64]) -> None:
        """Change heights, above 0, and opacities of all bars, shape (L,) each."""
        x = np.stack([self.left, self.left, self.right, self.right], axis=1)
        foot = np.full(len(heights), FOOT)
        y = np.stack([foot, heights, heights, foot], axis=1)
        self.polygons.set_verts(list(np.stack([x, y], axis=2)))
        self.polygons.set_alpha(opacity.tolist())
