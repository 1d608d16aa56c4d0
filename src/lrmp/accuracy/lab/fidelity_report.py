"""The fidelity of all shipped tables as a page and a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lrmp.accuracy.lab.fidelity import (
    LEAST_SPEARMAN,
    MOST_ERROR,
    SMALL_DROP,
    Fidelity,
    judge,
)
from lrmp.accuracy.lab.table_prediction import (
    FITTED_ON,
    PREDICTED,
    LeftOut,
    judged_predictions,
)
from lrmp.accuracy.model.sensitivity_table import load_designs, load_table, shipped_networks
from lrmp.whole_file import replacing, write_whole

PAGE, PICTURE = "fidelity.md", "fidelity.png"

COLUMNS = (
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

Made by `lrmp accuracy report`; do not edit. Every network ran held-out random designs on its test
images, which neither the table nor its map has seen. Designs are drawn so that their summed
divergences are spread evenly on a logarithmic scale, from hardly changed to broken.

- *Spearman*: rank correlation of the table's sum and the true divergence; {LEAST_SPEARMAN} is
  wanted.
- *Error*: mean absolute error of the drop where the true drop is at most {SMALL_DROP:g} points;
  {MOST_ERROR:g} point is wanted. *Bias*: the same without the absolute value, table minus truth.
- *Sampling*: the mean error that a perfect prediction would show there, because the test images are
  a sample (paired bootstrap, image by image). An error near it cannot be told from none.
"""
PREDICTIONS = f"""## Predicted tables

The tables of {" and ".join(PREDICTED)} are
[predicted from their layers](../accuracy.md#predicted-tables). The same method on networks that
were measured: each predicted from the others, and those measured later, none of which the shipped
predictions have seen.

- *Factor*: predicted over measured divergence of a layer, whichever way round; geometric mean.
- *Spearman* and *error* as above, with the map of a typical other network.

| network | predicted | factor | Spearman | error |
| --- | --- | --- | --- | --- |
"""


def all_fidelities() -> list[Fidelity]:
    """Judge every measured table whose designs are shipped.

    Returns:
        In order of the networks' names.
    """
    found = []
    for network in shipped_networks():
        table, designs = load_table(network), load_designs(network)
        if table.kind == "measured" and any(line["split"] == "test" for line in designs):
            found.append(judge(table, designs))
    return found


def markdown(fidelities: Sequence[Fidelity], predictions: Sequence[LeftOut] = ()) -> str:
    """Write the page.

    Args:
        fidelities: Of the networks.
        predictions: Of measured networks; without any, the page has no part on predicted tables.

    Returns:
        Markdown.
    """
    rows = [
        f"| {f.network} | {f.float_top1:.1f} | {f.images} | {len(f.drops)} | {f.spearman:.3f} | "
        f"{int(f.small.sum())} | {f.mean_error:.2f} | {f.bias:+.2f} | {f.sampling_error:.2f} | "
        f"{'; '.join(f.misses()) or 'met'} |"
        for f in fidelities
    ]
    table = "\n".join(
        [
            f"| {' | '.join(COLUMNS)} |",
            f"|{' --- |' * len(COLUMNS)}",
            *rows,
        ]
    )
    unjudged = [
        name
        for name in shipped_networks()
        if name not in {f.network for f in fidelities} and load_table(name).kind == "measured"
    ]
    note = f"\nMeasured but not judged yet: {', '.join(unjudged)}.\n" if unjudged else ""
    page = f"{HEAD}\n{table}\n{note}\n![Table's drop against the measured one]({PICTURE})\n"
    if not predictions:
        return page
    lines = []
    for p in predictions:
        when = "from the others" if p.network in FITTED_ON else "before it was measured"
        lines.append(
            f"| {p.network} | {when} | {p.factor:.1f} | {p.spearman:.3f} | {p.mean_error:.2f} |\n"
        )
    return f"{page}\n{PREDICTIONS}{''.join(lines)}"


def calibration_plot(fidelities: Sequence[Fidelity]) -> Any:
    """Draw the table's drop against the measured one, with its interval.

    Args:
        fidelities: Of the networks.

    Returns:
        A matplotlib figure.
    """
    from matplotlib.figure import Figure

    columns = min(3, len(fidelities))
    rows = -(-len(fidelities) // columns)
    figure = Figure(figsize=(3.6 * columns, 3.4 * rows), layout="constrained")
    for index, fidelity in enumerate(fidelities):
        axes = figure.add_subplot(rows, columns, index + 1)
        shown = fidelity.drops <= 2 * SMALL_DROP
        axes.plot([-2, 10], [-2, 10], color="0.6", linewidth=1)
        axes.errorbar(
            fidelity.predicted[shown],
            fidelity.drops[shown],
            yerr=fidelity.half_widths[shown],
            fmt="o",
            markersize=3,
            linewidth=0.5,
        )
        top = max(2.0, float(np.max(fidelity.predicted[shown], initial=0)))
        axes.set_xlim(-0.2, top * 1.05)
        axes.set_title(f"{fidelity.network} (error {fidelity.mean_error:.2f})", fontsize=10)
        axes.set_xlabel("drop by the table, points")
        axes.set_ylabel("drop on test images, points")
    return figure


def write_report(folder: Path) -> Path:
    """Write page and picture.

    Args:
        folder: Made if it is not there.

    Returns:
        The page.
    """
    fidelities = all_fidelities()
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / PAGE
    write_whole(page, markdown(fidelities, judged_predictions()))
    # No date and no version in the file: the same numbers give the same picture.
    with replacing(folder / PICTURE) as temporary:
        calibration_plot(fidelities).savefig(temporary, dpi=120, metadata={"Software": None})
    return page
