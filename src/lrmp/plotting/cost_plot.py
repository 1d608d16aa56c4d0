"""A picture of what a design costs: time, energy, utilisation and area, by component."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.chip.component import Part
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.cost.cost_report import CostReport
from lrmp.hardware.cost.energy import ENERGY_COMPONENTS
from lrmp.hardware.cost.latency import CYCLE_COMPONENTS
from lrmp.hardware.space.design import Design
from lrmp.plotting.design_plot import AFTER, new_figure
from lrmp.plotting.knob_panel import BEFORE
from lrmp.plotting.layer_names import name_layers
from lrmp.si_prefix import format_number, format_quantity, si_prefix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: One colour for a component wherever it appears. Those of one stack can be told apart under each
#: kind of colour blindness, as a test measures.
COLOURS = {
    "mvm": "#332288",
    "adc": "#332288",
    "output": "#EECC66",
    "cells": "#EECC66",
    "crossbar": "#EECC66",
    "input": "#66CCEE",
    "row_drive": "#66CCEE",
    "dac": "#66CCEE",
    "shift_add": "#EE6677",
    "registers": "#CC79A7",
    "accumulation": "#AAAA00",
    "bus": "#AAAA00",
    "vector": "#222222",
    "digital": "#EE8866",
    "control": "#EE8866",
    "buffer": "#0072B2",
    "noc": "#661100",
    "write": "#994455",
    "leakage": "#997700",
    "global": "#997700",
    "other": "#DDDDDD",
}
LEAST_SHARE = 0.01  # what is less than this in both designs is drawn as "other"


@dataclass(frozen=True, eq=False)
class _Stack:
    """One quantity of two designs by component and layer, shapes (C, L)."""

    quantity: str
    unit: str
    names: tuple[str, ...]
    before: NDArray[np.float64]
    after: NDArray[np.float64]

    def merged(self) -> Self:
        """Leave out the components that are zero and add up the small ones."""
        before, after = self.before.sum(axis=1), self.after.sum(axis=1)
        share = np.maximum(before / before.sum(), after / after.sum())
        large, small = share >= LEAST_SHARE, (share > 0) & (share < LEAST_SHARE)
        names = [n for n, shown in zip(self.names, large, strict=True) if shown]
        parts = [self.before[large], self.after[large]]
        if small.any():
            names.append("other")
            parts = [
                np.vstack([shown, every[small].sum(axis=0)])
                for shown, every in zip(parts, (self.before, self.after), strict=True)
            ]
        return type(self)(self.quantity, self.unit, tuple(names), *parts)


def plot_cost(
    cost_model: CostModel,
    design: Design,
    budget: int | None = None,
    baseline: Design | None = None,
) -> "Figure":
    """Draw what a design costs beside the baseline.

    Args:
        cost_model: Network of L layers, and chip.
        design: Bits and copies.
        budget: Tiles on the chip, whose area is drawn; None for those that the design holds.
        baseline: What it is compared with; None for plain settings, one copy of every layer.

    Returns:
        Per layer and stacked by component: latency before and after and, where the chip gives
        energies, energy before and after, both on one scale; beside them the totals, on one, too.
        Below: the share of the cells in a layer's tiles that hold
        weights and, where the chip lists its components, its area.

    Raises:
        DesignError: If the design does not fit the network.
        MissingExtraError: If matplotlib is not installed.
    """
    network, chip = cost_model.network, cost_model.accelerator
    before, after = cost_model.baseline, cost_model.evaluate(design)
    words = "plain, one copy of every layer"
    if baseline is not None:
        before, words = cost_model.evaluate(baseline), baseline.summary
    titles = f"before: {words}", f"after: {design.summary}"
    stacks = [_latency_stack(before, after)]
    if before.component_energy_fj is not None and after.component_energy_fj is not None:
        stacks.append(
            _Stack(
                quantity="energy",
                unit="J",
                names=ENERGY_COMPONENTS,
                before=np.multiply(before.component_energy_fj, 1e-15),
                after=np.multiply(after.component_energy_fj, 1e-15),
            )
        )

    rows = 2 * len(stacks) + 1
    layers_width = float(np.clip(0.14 * len(network), 5.5, 14.0))
    figure = new_figure(layers_width + 3.5, 1.6 + 1.7 * rows)
    grid = figure.add_gridspec(rows, 2, width_ratios=(layers_width, 2.8))
    panels = [figure.add_subplot(grid[row, 0]) for row in range(rows)]
    for index, stack in enumerate(stacks):
        top, bottom = 2 * index, 2 * index + 1
        total = figure.add_subplot(grid[top : bottom + 1, 1])
        _draw_stack(panels[top], panels[bottom], total, stack.merged(), titles)
    _draw_utilisation(panels[-1], cost_model, design, after)
    for panel in panels:
        panel.set_xlim(-0.7, len(network) - 0.3)
        panel.set_xticks([])
    name_layers(panels[-1], [layer.name for layer in network.layers], 72 * layers_width)
    if chip.components:
        tiles = after.tiles if budget is None else budget
        _draw_area(figure.add_subplot(grid[-1, 1]), chip.area_um2(tiles), tiles)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{network.name} on {chip.name}: {_gains(before, after)}")
    return figure


def _latency_stack(before: CostReport, after: CostReport) -> _Stack:
    return _Stack(
        quantity="latency",
        unit="s",
        names=CYCLE_COMPONENTS,
        before=np.divide(before.component_cycles, before.clock_hz),
        after=np.divide(after.component_cycles, after.clock_hz),
    )


def _gains(before: CostReport, after: CostReport) -> str:
    gains = {
        "latency": before.latency_cycles / after.latency_cycles,
        "throughput": before.bottleneck_cycles / after.bottleneck_cycles,
    }
    if after.component_energy_fj is not None:
        gains["energy"] = before.energy_fj / after.energy_fj
    return "gains " + ", ".join(f"{gain:.2f}x {name}" for name, gain in gains.items())


def _draw_stack(
    top: "Axes", bottom: "Axes", total: "Axes", stack: _Stack, titles: tuple[str, str]
) -> None:
    """Draw one quantity per layer, before and after, and in total."""
    designs = (
        (top, stack.before, titles[0]),
        (bottom, stack.after, titles[1]),
    )
    largest = max(float(parts.sum(axis=0).max()) for _, parts, _ in designs)
    factor, prefix = si_prefix(largest)
    for axes, parts, title in designs:
        _stacked_bars(axes, np.arange(parts.shape[1]), stack.names, parts / factor, 0.8)
        axes.set_title(f"{stack.quantity} {title}", loc="left", fontsize="small")
        axes.set_ylabel(f"{stack.quantity} ({prefix}{stack.unit})")
        axes.set_ylim(0, 1.08 * largest / factor)
    totals = np.stack([stack.before.sum(axis=1), stack.after.sum(axis=1)], axis=1)
    factor, prefix = si_prefix(float(totals.sum(axis=0).max()))
    _stacked_bars(total, np.arange(2), stack.names, totals / factor, 0.6)
    for x, value in enumerate(totals.sum(axis=0)):
        label = format_quantity(float(value), stack.unit)
        total.text(x, value / factor, label, ha="center", va="bottom", fontsize="small")
    total.set_xlim(-0.6, 1.6)
    total.set_xticks(range(2), ["before", "after"])
    total.set_ylabel(f"total {stack.quantity} ({prefix}{stack.unit})")
    handles, labels = total.get_legend_handles_labels()
    total.legend(
        handles[::-1],  # from top to bottom, as they are stacked
        [label.replace("_", " ") for label in labels[::-1]],
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        fontsize="small",
        frameon=False,
    )


def _stacked_bars(
    axes: "Axes",
    x: NDArray[np.int64],
    names: Sequence[str],
    parts: NDArray[np.float64],
    width: float,
) -> None:
    """Draw the bars of a component as one artist: thousands of single ones would take seconds."""
    from matplotlib.collections import PolyCollection

    bottom = np.zeros(parts.shape[1])
    for name, values in zip(names, parts, strict=True):
        left, right, top = x - width / 2, x + width / 2, bottom + values
        corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
        bars = np.moveaxis(np.array(corners), -1, 0)  # bar, corner, coordinate
        axes.add_collection(
            PolyCollection(list(bars), facecolors=COLOURS[name], linewidths=0, label=name)
        )
        bottom = top
    axes.set_ylim(0, 1.08 * bottom.max())


def _draw_utilisation(
    axes: "Axes", cost_model: CostModel, design: Design, report: CostReport
) -> None:
    """Draw which share of the cells paid for hold weights."""
    percent = 100 * cost_model.utilisation(design.settings)
    mean = float((percent * report.layer_tiles).sum() / max(1, report.tiles))
    axes.bar(np.arange(len(design)), percent, 0.8, color=AFTER)
    axes.axhline(mean, color=BEFORE, linestyle="--", linewidth=1)
    axes.set_title(
        f"cells that hold weights: {mean:.1f} % of those in all {report.tiles:,} tiles in use",
        loc="left",
        fontsize="small",
    )
    axes.set_ylabel("utilisation (%)")
    axes.set_ylim(0, 100)


def _draw_area(axes: "Axes", area_um2: Mapping[Part, int], tiles: int) -> None:
    parts: list[Part] = [part for part in area_um2 if area_um2[part]]
    parts.sort(key=lambda part: area_um2[part])
    axes.barh(
        [part.replace("_", " ") for part in parts],
        [area_um2[part] * 1e-6 for part in parts],
        color=[COLOURS[part] for part in parts],
    )
    total = sum(area_um2.values()) * 1e-6
    axes.set_title(
        f"area: {format_number(total)} mm² for {tiles:,} tiles", loc="left", fontsize="small"
    )
    for y, part in enumerate(parts):
        share = area_um2[part] * 1e-6 / total
        axes.text(area_um2[part] * 1e-6, y, f" {share:.1%}", va="center", fontsize="x-small")
    axes.margins(x=0.2)
    axes.set_xlabel("area (mm²)")
    axes.tick_params(axis="y", labelsize="small")
