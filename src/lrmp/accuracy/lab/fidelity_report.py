"""The fidelity of all shipped tables as a page and a picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.lab.fidelity import (
    LEAST_SPEARMAN,
    MOST_ERROR,
    SMALL_DROP,
    Fidelity,
    held_out,
    judge,
)
from lrmp.accuracy.lab.table_prediction import (
    PREDICTED,
    LeftOut,
    leave_one_out,
    measured_tables,
)
from lrmp.accuracy.model.optimised_fidelity import (
    LEAST_NEAR,
    LEAST_RATIO,
    MOST_EXCESS,
    MOST_RATIO,
    NORMAL_95,
    OptimisedFidelity,
    OptimisedFigures,
    judge_optimised,
)
from lrmp.accuracy.model.sensitivity_table import (
    SensitivityTable,
    load_measured,
    load_table,
    shipped_tables,
)
from lrmp.whole_file import replacing, write_whole

PAGE, PICTURES = "fidelity.md", ("fidelity.png", "fidelity.svg")
NONE = "—"
#: Points up to which the picture shows drops; searches are interested in no larger ones.
SHOWN_DROP = 4.0
#: Text as text, and the same names of parts in every run.
SVG: Any = {"svg.fonttype": "none", "svg.hashsalt": "lrmp"}
OPTIMISED_COLOUR, RANDOM_COLOUR = "#1f6f8b", "#c8c8c8"

OPTIMISED_COLUMNS = (
    "network",
    "best + near",
    "table drop",
    "search: expected",
    "labels",
    "test: labels",
    "excess",
    "within",
    "perfect",
    "divergence: search",
    "test",
    "holds",
)
ALLOWANCE_COLUMNS = (
    "network",
    "allowed",
    "designs",
    "table drop",
    "search: expected",
    "labels",
    "test: expected",
    "labels",
    "excess",
    "error",
    "within",
    "perfect",
    "divergence: search",
    "test",
)
FIT_COLUMNS = (
    "network",
    "rounds",
    "random designs",
    "optimised designs",
    "exponent",
    "cross-validation",
    "map error at 0.5, 1 and 2 points",
    "error by labels",
    "of expected drop",
)
RANDOM_COLUMNS = (
    "network",
    "float top-1, %",
    "test images",
    "designs",
    "Spearman",
    f"designs <= {SMALL_DROP:g} points",
    "error",
    "bias",
    "sampling",
    "figures",
)
HEAD = f"""# Fidelity of the sensitivity tables

Made by `lrmp accuracy report`; do not edit.

## Designs that optimisers pick

A search goes where a table flatters, so a table is judged by what searches find with it: the proven
best designs of every objective, and at least {LEAST_NEAR} near them (the proven best of a random
part of the settings, each time another), at allowed drops of 0.5, 1 and 2 points. All were run on
the network, on its search images, which the table was fitted on, and on its test images, which
neither table nor search has seen. Drops are means over the designs, in points.

- *Search* and *test*: the network's drop by the *labels* of the images, and as *expected* by the
  float network's own probabilities of the classes, which
  [the allowed drop is defined by](../protocol.md#what-an-allowance-means).
- *Excess*: test drop by labels less table drop, with its 95 % interval. The designs share the test
  images, so the interval is that of one mean over images, of what all designs do to each.
- *Within*: share of the designs within their allowed drop on the test images. *Perfect*: the share
  that a table without any error would show there, because the test images are a sample.
- *Divergence*: the network's over the table's, geometric mean. The test images of ImageNet come
  from another source than the search images, so the ratio on the search images stands beside. The
  half-width of the 95 % interval is that of one design, for all of them saw the same images.
- *Holds*: excess within {MOST_EXCESS:g} points, or its interval contains 0; and both ratios from
  {LEAST_RATIO:g} to {MOST_RATIO:g}, whatever their intervals. A table that does not hold says so
  wherever its tasks are shown, and they are not in the
  [headline](../results/headline/headline.md).
"""
ALLOWANCES = """### By allowed drop

*Error*: standard error of the excess. Designs that were picked for several allowed drops count at
each.
"""
FITS = """### How the tables were fitted

*Cross-validation*: root mean square of the logarithm of the divergence, network over table, of
designs that the fit had not seen. *Map error*: standard error of the drop that the map gives, from
the sample of search images (jackknife over tenths). The last two columns are the standard errors of
one judged design's drop on the search images, on average: by labels, and of the expected drop.
"""
RANDOM = f"""## Random designs

Held-out random designs on the test images, drawn so that their summed divergences are spread evenly
on a logarithmic scale, from hardly changed to broken.

- *Spearman*: rank correlation of the table's sum and the true divergence; {LEAST_SPEARMAN} is
  wanted.
- *Error*: mean absolute error of the drop where the true drop is at most {SMALL_DROP:g} points;
  {MOST_ERROR:g} point is wanted. *Bias*: the same without the absolute value, table minus truth.
- *Sampling*: the mean error that a perfect prediction would show there, because the test images are
  a sample (paired bootstrap, image by image). An error near it cannot be told from none.
"""
PREDICTIONS = """## Predicted tables

The tables of {names} are [predicted from their layers](../accuracy.md#predicted-tables). The same
method on networks that were measured, each predicted from the others:

- *Factor*: predicted over measured share of what costs a point, of a layer's knob at a value,
  whichever way round; geometric mean.
- *Spearman* and *error* as above, of random designs.
- *Excess* and its *size*: test drop less predicted drop of the designs that optimisers picked from
  the network's own table, mean with and without the sign, in points.

| network | factor | Spearman | error | excess | size |
| --- | --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True, eq=False)
class JudgedTable:
    """A measured table with what judges it.

    Attributes:
        table: Of the network.
        optimised: On designs that optimisers picked; None if none were run.
        random: On held-out random designs; None if none were run.
    """

    table: SensitivityTable
    optimised: OptimisedFidelity | None
    random: Fidelity | None

    @classmethod
    def of(cls, table: SensitivityTable, lines: Sequence[dict[str, Any]]) -> "JudgedTable":
        """Judge a table.

        Args:
            table: Measured.
            lines: What was measured on its network.

        Returns:
            The table with what judges it.
        """
        random = judge(table, lines) if held_out(lines) else None
        return cls(table, judge_optimised(table, lines), random)


def all_judged() -> list[JudgedTable]:
    """Judge every measured table that is shipped.

    Returns:
        In order of the networks' names.
    """
    return [
        JudgedTable.of(table, load_measured(network, family))
        for network, family in shipped_tables()
        if (table := load_table(network, family)).kind == "measured"
    ]


def markdown(tables: Sequence[JudgedTable], predictions: Sequence[LeftOut] = ()) -> str:
    """Write the page.

    Args:
        tables: Measured ones.
        predictions: Of measured networks; without any, the page has no part on predicted tables.

    Returns:
        Markdown.
    """
    optimised = [each for each in tables if each.optimised is not None]
    unjudged = [each.table.name for each in tables if each.optimised is None]
    note = f"Not judged on optimised designs, so they do not hold: {', '.join(unjudged)}.\n"
    png, svg = PICTURES
    parts = [
        HEAD,
        _table(OPTIMISED_COLUMNS, map(_optimised_row, optimised)),
        *([note] if unjudged else []),
        f"![The table's drop against the network's, optimised and random designs]({png})\n",
        f"Filled: optimised designs, with 95 % intervals; light: random ones. [As SVG]({svg}).\n",
        ALLOWANCES,
        _table(ALLOWANCE_COLUMNS, (row for each in optimised for row in _allowance_rows(each))),
        FITS,
        _table(FIT_COLUMNS, map(_fit_row, tables)),
        RANDOM,
        _table(RANDOM_COLUMNS, [_random_row(f.random) for f in tables if f.random is not None]),
    ]
    if predictions:
        lines = [
            f"| {p.network} | {p.factor:.1f} | {p.spearman:.3f} | {p.mean_error:.2f} | "
            f"{p.excess:+.2f} | {p.optimised_error:.2f} |\n"
            for p in predictions
        ]
        head = PREDICTIONS.format(names=" and ".join(PREDICTED))
        parts.append(head + "".join(lines))
    return "\n".join(parts)


def _table(columns: Sequence[str], rows: "Iterator[list[str]] | list[list[str]]") -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _optimised_row(judged: JudgedTable) -> list[str]:
    found = judged.optimised
    assert found is not None
    figures = found.figures()
    low, high = figures.excess - figures.half_width, figures.excess + figures.half_width
    return [
        found.network,
        f"{len(found.best) - found.near} + {found.near}",
        f"{figures.table_drop:.2f}",
        f"{figures.expected_search_drop:.2f}",
        f"{figures.search_drop:.2f}",
        _with_interval(figures),
        f"{figures.excess:+.2f} [{low:.2f}, {high:.2f}]",
        *_shares_and_ratios(figures),
        "yes" if found.verdict.holds else f"no: {'; '.join(found.verdict.misses)}",
    ]


def _allowance_rows(judged: JudgedTable) -> Iterator[list[str]]:
    found = judged.optimised
    assert found is not None
    for allowed in found.judged_allowances:
        figures = found.figures(allowed)
        yield [
            found.network,
            f"{allowed:g}",
            f"{figures.designs}",
            f"{figures.table_drop:.2f}",
            f"{figures.expected_search_drop:.2f}",
            f"{figures.search_drop:.2f}",
            f"{figures.expected_test_drop:.2f}",
            _with_interval(figures),
            f"{figures.excess:+.2f}",
            f"{figures.test_error:.2f}",
            *_shares_and_ratios(figures),
        ]


def _with_interval(figures: OptimisedFigures) -> str:
    low, high = figures.test_drop - figures.half_width, figures.test_drop + figures.half_width
    return f"{figures.test_drop:.2f} [{low:.2f}, {high:.2f}]"


def _shares_and_ratios(figures: OptimisedFigures) -> list[str]:
    return [
        f"{100 * figures.within:.0f} %",
        f"{100 * figures.perfect_within:.0f} %",
        f"{figures.search_ratio:.2f} ± {NORMAL_95 * figures.search_ratio_error:.2f}",
        f"{figures.test_ratio:.2f} ± {NORMAL_95 * figures.test_ratio_error:.2f}",
    ]


def _fit_row(judged: JudgedTable) -> list[str]:
    table, found = judged.table, judged.optimised
    about = table.provenance
    errors = [NONE, NONE]
    if found is not None:
        by_labels, expected = found.search_errors
        errors = [f"{by_labels:.2f}", f"{expected:.2f}"]
    return [
        table.name,
        f"{len(about.get('rounds', ()))}",
        f"{about['random_designs']}",
        f"{about['optimised_designs']}",
        f"{table.exponent:g}",
        f"{about['divergence_error']:.2f}",
        ", ".join(f"{error:.2f}" for error in about["map_errors"].values()),
        *errors,
    ]


def _random_row(found: Fidelity) -> list[str]:
    errors = [f"{found.mean_error:.2f}", f"{found.bias:+.2f}", f"{found.sampling_error:.2f}"]
    small = int(found.small.sum())
    return [
        found.network,
        f"{found.float_top1:.1f}",
        f"{found.images}",
        f"{len(found.drops)}",
        f"{found.spearman:.3f}",
        f"{small}",
        *(errors if small else ["none"] * len(errors)),
        "; ".join(found.misses()) or "met",
    ]


def calibration_plot(tables: Sequence[JudgedTable]) -> Any:
    """Draw the table's drop against the network's on the test images, a panel per network.

    Args:
        tables: Judged ones; those without any design that was run on the test images are left out.

    Returns:
        A matplotlib figure.
    """
    from matplotlib.figure import Figure

    shown = [each for each in tables if each.optimised is not None or each.random is not None]
    columns = max(1, min(3, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    figure = Figure(figsize=(3.6 * columns, 3.4 * rows), layout="constrained")
    for index, judged in enumerate(shown):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.plot([-2, SHOWN_DROP], [-2, SHOWN_DROP], color="0.6", linewidth=1)
        title = judged.table.name
        if (random := judged.random) is not None:
            _points(axes, random.predicted, random.drops, RANDOM_COLOUR)
        if (found := judged.optimised) is not None:
            drops = np.array([result.drop for result in found.test])
            errors = np.array([result.drop_error for result in found.test])
            _points(axes, found.predicted, drops, OPTIMISED_COLOUR, NORMAL_95 * errors)
            figures = found.figures()
            title += f" ({figures.excess:+.2f} ± {figures.half_width:.2f})"
        axes.set_xlim(-0.1, SHOWN_DROP)
        axes.set_ylim(-2, 1.5 * SHOWN_DROP)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("drop by the table, points")
        axes.set_ylabel("drop on test images, points")
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _points(
    axes: Any,
    predicted: NDArray[np.float64],
    drops: NDArray[np.float64],
    colour: str,
    half_widths: NDArray[np.float64] | None = None,
) -> None:
    """Draw designs, filled ones with intervals."""
    shown = predicted <= SHOWN_DROP
    filled = half_widths is not None
    axes.errorbar(
        predicted[shown],
        drops[shown],
        yerr=None if half_widths is None else half_widths[shown],
        fmt="o",
        markersize=3,
        linewidth=0.4,
        color=colour,
        markerfacecolor=colour if filled else "none",
        zorder=3 if filled else 2,
    )


def write_report(folder: Path) -> Path:
    """Write page and pictures.

    Args:
        folder: Made if it is not there.

    Returns:
        The page.
    """
    from matplotlib import rc_context

    tables = all_judged()
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / PAGE
    write_whole(page, markdown(tables, leave_one_out(measured_tables())))
    figure = calibration_plot(tables)
    # No date and no version in the files: the same numbers give the same pictures.
    about: dict[str, dict[str, str | None]] = {
        ".png": {"Software": None},
        ".svg": {"Creator": None, "Date": None},
    }
    for name in PICTURES:
        path = folder / name
        with replacing(path) as temporary, rc_context(SVG):
            figure.savefig(temporary, dpi=120, metadata=about[path.suffix])
    return page
