"""The report: one HTML file that holds all it shows, and reads without scripts or network."""

import base64
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrmp.architect.answer import Answer, ChipAnswer
from lrmp.architect.assumed import Assumed, assumed_numbers
from lrmp.architect.folder import REPORT, folder_name
from lrmp.errors import DesignError, MissingExtraError
from lrmp.plotting.cost_plot import plot_cost
from lrmp.plotting.design_plot import plot_design
from lrmp.plotting.floor_plan import plot_floor_plan
from lrmp.plotting.front_plot import plot_front
from lrmp.plotting.picture_file import write_figure
from lrmp.si_prefix import format_number, format_quantity
from lrmp.whole_file import replacing, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = "report.html.jinja"
FRONT = "front.svg"


@dataclass(frozen=True)
class Picture:
    """A picture in the report.

    Attributes:
        title: What it shows.
        source: The whole picture, as an address of its own.
        file: Where it lies by itself, as SVG and PDF.
        missing: Why there is none; empty where there is one.
    """

    title: str
    source: str = ""
    file: str = ""
    missing: str = ""


def write_report(answer: Answer, out: Path) -> Path:
    """Draw the pictures and write the report.

    Args:
        answer: What was found.
        out: Its folder.

    Returns:
        The report's file.

    Raises:
        MissingExtraError: If matplotlib or Jinja is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise MissingExtraError.of(error.name, "for the report", "optimize") from error
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": _number, "quantity": _quantity}
    text = resources.files("lrmp.architect").joinpath(TEMPLATE).read_text("utf-8")
    chips = [_Chip(each, out) for each in answer.chips]
    html = environment.from_string(text).render(
        answer=answer, chips=chips, front=_front(answer, out), spread=30
    )
    write_whole(out / REPORT, html)
    return out / REPORT


class _Chip:
    """A chip's part of the report."""

    def __init__(self, answer: ChipAnswer, out: Path) -> None:
        self.answer, self.outcome, self.chip = answer, answer.outcome, answer.chip
        self.task = answer.outcome.task
        self.report, self.baseline = self.outcome.report, self.task.baseline_report
        self.folder = folder_name(self.chip)
        self.rows = self.outcome.to_table()
        self.knobs = list(self.task.space.names)
        self.assumed: Sequence[Assumed] = assumed_numbers(self.outcome)
        self.sources = dict(Counter(each.status for each in self.chip.provenance.values()))
        self.limit_points = None if answer.check is None else self.task.allowed_drop
        self.pictures = self._pictures(out / self.folder)

    @property
    def about(self) -> str:
        """What the network is, in a sentence."""
        network = self.task.network
        weights = sum(layer.weights for layer in network.layers if layer.kind != "matmul")
        return (
            f"{len(network)} layers, {format_number(weights)} weights, "
            f"{format_number(network.macs)} multiply-accumulates an inference. Optimised for "
            f"{self.task.objective}."
        )

    @property
    def before(self) -> str:
        """What gains are against."""
        baseline = self.task.baseline
        if baseline is not None:
            return f"the baseline, {baseline.summary}"
        plain = " and ".join(
            f"{knob.name.replace('_', ' ')} {knob.plain}" for knob in self.task.space
        )
        return f"the plain design, {plain} with one copy of every layer"

    @property
    def has_products(self) -> bool:
        """Whether some layers multiply two activations."""
        return any(layer.kind == "matmul" for layer in self.task.network.layers)

    @property
    def totals(self) -> list[tuple[str, str, str, str]]:
        """Quantity, before, after, and how many times better."""
        before, after = self.baseline, self.report
        rows = [
            ("latency of one inference", before.latency_s, after.latency_s, "s"),
            ("throughput", before.throughput_per_s, after.throughput_per_s, "/s"),
        ]
        if after.component_energy_fj is not None:
            rows.append(("energy of one inference", before.energy_j, after.energy_j, "J"))
        found = []
        for name, old, new, unit in rows:
            ratio = new / old if unit == "/s" else old / new
            found.append((name, _quantity(old, unit), _quantity(new, unit), f"{ratio:.2f}x"))
        found.append(("tiles", f"{before.tiles:,}", f"{after.tiles:,} of {self.task.budget:,}", ""))
        return found

    @property
    def components(self) -> list[tuple[str, str, str, str]]:
        """Component of time or energy, before, after, and its share of what is left."""
        found = []
        before, after = self.baseline.cycle_breakdown, self.report.cycle_breakdown
        clock = self.report.clock_hz
        found += _breakdown("time", before, after, 1 / clock, "s")
        if self.report.component_energy_fj is not None:
            found += _breakdown(
                "energy",
                self.baseline.energy_breakdown_fj,
                self.report.energy_breakdown_fj,
                1e-15,
                "J",
            )
        return found

    def _pictures(self, folder: Path) -> list[Picture]:
        model, design, budget = self.task.cost_model, self.outcome.design, self.task.budget
        draw: dict[str, tuple[str, Callable[[], Figure]]] = {
            "design": (
                "The design, layer by layer",
                lambda: plot_design(self.outcome, self._title()),
            ),
            "cost": (
                "Before and after, by component",
                lambda: plot_cost(model, design, budget, self.task.baseline),
            ),
            "floor-plan": ("Floor plan", lambda: plot_floor_plan(model, design, budget)),
        }
        found = []
        for name, (title, figure) in draw.items():
            try:
                drawn = figure()
            except DesignError as error:  # too many tiles to draw, or layers that take turns
                found.append(Picture(title, missing=str(error)))
                continue
            found.append(_keep(drawn, folder / f"{name}.svg", title, self.folder))
        return found

    def _title(self) -> str:
        drop = "accuracy not looked at"
        if self.answer.check is not None:
            check = self.answer.check
            assert self.answer.limit is not None
            drop = f"network lost {check.lost:.3g} {self.answer.limit.unit}"
        network = self.task.network.name
        return (
            f"{network} on {self.chip.name}\n{self.task.objective} gain {self.outcome.gain:.2f}x, "
            f"{drop}"
        )


def _breakdown(
    kind: str, before: dict[str, int], after: dict[str, int], factor: float, unit: str
) -> list[tuple[str, str, str, str]]:
    total = sum(after.values())
    return [
        (
            f"{kind}: {name.replace('_', ' ')}",
            _quantity(before[name] * factor, unit),
            _quantity(after[name] * factor, unit),
            f"{after[name] / total:.1%}" if total else "",
        )
        for name in before
        if before[name] or after[name]
    ]


def _front(answer: Answer, out: Path) -> Picture | None:
    fronts = {
        each.chip.name: [(point.outcome.accuracy_drop, point.outcome.gain) for point in each.front]
        for each in answer.chips
        if each.front
    }
    if not fronts:
        return None
    chosen = {
        each.chip.name: (each.outcome.accuracy_drop, each.outcome.gain) for each in answer.chips
    }
    figure = plot_front(fronts, chosen, answer.chips[0].outcome.task.objective)
    return _keep(figure, out / FRONT, "What accuracy buys", "")


def _keep(figure: "Figure", path: Path, title: str, folder: str) -> Picture:
    """Write a picture as SVG and PDF, and hold the former."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for file in (path, path.with_suffix(".pdf")):
        with replacing(file) as temporary:
            write_figure(figure, temporary)
    coded = base64.b64encode(path.read_bytes()).decode()
    return Picture(title, f"data:image/svg+xml;base64,{coded}", f"{folder}/{path.name}".strip("/"))


def _number(value: Any) -> str:
    return "-" if value is None else format_number(float(value))


def _quantity(value: float | None, unit: str) -> str:
    return "-" if value is None else format_quantity(value, unit)
