"""LRMP's headline on the tasks of this suite: ``python -m lrmp.baselines.experiments.headline``.

By how much faster is each network within the allowed drop, beside the published ranges? Only what
the network holds is set beside them: the proven best design by a table that holds on optimised
designs, with what it loses on the network's test images. These results stand among those that
judged the table; where a design is not among them, it is run, if weights and images are at hand.

Finished rows are kept in ``headline.json``; a repeated command goes on where the last one stopped.
"""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from lrmp.accuracy.lab.network import NetworkAccuracy, accuracy_on
from lrmp.accuracy.lab.protocol import identity, load_protocol, read_protocols
from lrmp.accuracy.model.design_result import DesignResult, design_result
from lrmp.accuracy.model.sensitivity_table import load_designs
from lrmp.baselines.experiments.front import PUBLISHED, best_within
from lrmp.envs.records.record import library_versions
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.scoring.table_optimum import chosen_settings
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.optimum import stored_optimum
from lrmp.envs.task.task import Task, list_tasks, load_task
from lrmp.errors import AccuracyDataError, InfeasibleAccuracyError, MissingExtraError
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks.catalogue import KnownBy
from lrmp.hardware.space.design import Design
from lrmp.plotting.design_plot import new_figure
from lrmp.whole_file import replacing, write_whole

OBJECTIVES: tuple[Objective, ...] = ("latency", "throughput")
#: Tasks with a table, measured ones first, for latency and throughput side by side.
TABLES: tuple[KnownBy, ...] = ("table", "prediction")
TASK_IDS = tuple(
    task_id
    for known_by in TABLES
    for pair in zip(*(list_tasks(each, known_by, "precision") for each in OBJECTIVES), strict=True)
    for task_id in pair
)
PAIR, BEST = "best pair of widths", "proven best"
#: Colours of rim and face: pairs, proven best designs that the network holds, and others.
STYLES = (("#b8b8b8", "#b8b8b8"), ("#1f6f8b", "#1f6f8b"), ("#1f6f8b", "none"))
NONE = "—"

PAGE = """\
# LRMP's headline, reproduced

LRMP reports latency gains of 2.6-9.3x and throughput gains of 8-18x at less than one point of
accuracy over five networks (abstract, Frontiers in AI 7:1268317, 2024); which network gains how
much is not public. Here every chip has the area of the plain 8-bit design of its network.

The proven best design within one point of drop, of every network whose accuracy table
[holds on optimised designs](../../accuracy/fidelity.md), with what it loses by the table and on
the test images of the network itself, which no table and no search has seen, with the 95 % interval
of the paired bootstrap:

{held}

![Gains of all networks beside the published ranges](headline.png)

The chip model has one number that was chosen so that uniform 4- to 6-bit ResNets lie in these
ranges (output elements per cycle), so that its ResNets lie there confirms little. Nothing here is
fine-tuned.

## Left out

Proven best designs of measured tables that are not set beside LRMP's ranges, and why:

{left_out}

{verdict}

## Beside a simple search

- *Pair*: the best of 49 designs with one width for all weights and one for all activations.
- *Best*, proven: no design within the allowed drop of the *table* is faster than the bound.

Measured tables:

{measured}

Tables predicted from other networks', whose drops are estimates:

{predicted}

Made by `python -m lrmp.baselines.experiments.headline --out docs/results/headline`.
"""


@dataclass
class Args:
    """Which tasks, and where the table is written."""

    out: Path
    """folder for headline.md, headline.json and headline.png"""
    env_ids: tuple[str, ...] = field(default_factory=lambda: TASK_IDS)
    """latency and throughput tasks with accuracy tables"""
    data: Path | None = None
    """folder of weights and images; default: LRMP_DATA, else ../shared/data"""
    check: bool = True
    """run designs that were not run before on the networks whose weights and images are at hand"""


def gains(task: TaskLike) -> dict[str, Any]:
    """Find the best designs of a task within its allowed drop.

    Args:
        task: A task with an accuracy table.

    Returns:
        Plain values: the best pair of widths and the proven best design, with its bound.
    """
    task = find_task(task)
    pairs = [_design(task, settings) for settings in task.space.uniform(len(task.network))]
    within = [pair for pair in pairs if pair["table_drop"] <= task.allowed_drop]
    return {
        "task": task.id,
        "task_fingerprint": task.fingerprint,
        "network": task.network.name,
        "objective": task.objective,
        "accuracy": task.accuracy_label,
        "allowed_drop": task.allowed_drop,
        PAIR: max(within, key=lambda pair: pair["gain"]),
        BEST: _best(task),
    }


def _design(task: Task, settings: IntArray) -> dict[str, Any]:
    outcome = evaluate_settings(task, settings)
    values = task.space.decode(settings)
    return {
        "design": {name: of_layers.tolist() for name, of_layers in values.items()},
        "gain": outcome.gain,
        "table_drop": outcome.accuracy_drop,
    }


def _best(task: Task) -> dict[str, Any]:
    """Find the proven best design within the allowed drop."""
    optimum = stored_optimum(task)
    if optimum is not None and optimum.task_fingerprint == task.fingerprint:
        found = _design(task, optimum.design.settings)
        if found["table_drop"] <= task.allowed_drop:  # it pays no penalty: the best of those within
            return found | {"bound": math.exp(optimum.bound)}
    answer = best_within(task, task.allowed_drop)
    if answer is None:
        raise InfeasibleAccuracyError(
            f"Expected a design of {task.id} within {task.allowed_drop:g} points, got none."
        )
    found = _design(task, chosen_settings(task, answer.settings))
    return found | {"bound": math.exp(answer.bound)}


def measured_result(network: str, design: dict[str, Any]) -> DesignResult | None:
    """Look a design up among those that judged a shipped table.

    Args:
        network: Its name.
        design: For every knob its value in every layer.

    Returns:
        What it did on the test images; None if it was not run on them.
    """
    for line in load_designs(network):
        if line["split"] == "test" and line["design"] == design:
            return design_result(line)
    return None


def compute(args: Args) -> list[dict[str, Any]]:
    """Find the gains, and what the best designs lose, and write table and picture.

    Args:
        args: Settings.

    Returns:
        One row per task.
    """
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "headline.json"
    known = {row["task"]: row for row in read_rows(path)}
    rows: list[dict[str, Any]] = []
    accuracy: NetworkAccuracy | None = None
    for task_id in tqdm(args.env_ids, desc="headline", unit="task", disable=None):
        task = load_task(task_id)
        row = known.get(task_id)
        if row is None or row["task_fingerprint"] != task.fingerprint:
            row = gains(task)
        row["misses"] = list(task.accuracy_misses)
        best, name = row[BEST], task.network.name
        result = measured_result(name, best["design"])
        if result is not None:
            row.pop("protocol", None)
            best["test"] = _plain(result)
        elif args.check and not task.accuracy.is_estimate and name in read_protocols():
            protocol = load_protocol(name)
            if row.get("protocol") != identity(protocol):  # none of another protocol's drops
                best.pop("test", None)
                chip = task.accelerator
                accuracy = accuracy_on(protocol, task.space, chip, args.data, accuracy)
                try:
                    design = Design.of(best["design"], space=task.space)
                    found = accuracy.evaluator.evaluate(design, "test")
                    best["test"], row["protocol"] = _plain(found), identity(protocol)
                except (AccuracyDataError, MissingExtraError) as error:
                    tqdm.write(f"{task_id} did not run on the network: {error}")
        known[task_id] = row
        rows = [known[done] for done in args.env_ids if done in known]
        document = {"versions": library_versions(), "rows": rows}
        write_whole(path, json.dumps(document, indent=1) + "\n")
    write_whole(args.out / "headline.md", format_page(rows))
    plot(rows, args.out / "headline.png")
    return rows


def _plain(result: DesignResult) -> dict[str, Any]:
    return {"drop": result.drop, "interval": list(result.interval()), "images": result.images}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a headline.

    Args:
        path: ``headline.json``.

    Returns:
        One per task; none if there is no such file.
    """
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["rows"]
    return rows


def format_page(rows: list[dict[str, Any]]) -> str:
    """Write the page.

    Args:
        rows: One per task.

    Returns:
        Markdown.
    """
    measured = [row for row in rows if not _is_predicted(row)]
    return PAGE.format(
        held=format_held(rows),
        left_out=format_left_out(measured),
        verdict=verdict(measured),
        measured=format_gains(measured),
        predicted=format_gains([row for row in rows if _is_predicted(row)]),
    )


def why_left_out(row: dict[str, Any]) -> str | None:
    """Say why a design is not set beside published ranges.

    Args:
        row: Of a task.

    Returns:
        Reasons; None for one that the network holds.
    """
    reasons = list(row["misses"])
    test = row[BEST].get("test")
    if test is None:
        reasons.append("not run on the network")
    elif test["interval"][0] > row["allowed_drop"]:
        reasons.append("the network loses more than is allowed")
    return "; ".join(reasons) or None


def _is_predicted(row: dict[str, Any]) -> bool:
    return "estimate" in row["accuracy"]


def _label(row: dict[str, Any]) -> str:
    """Name a row's task without its objective."""
    return row["task"].removeprefix("LRMP-").replace("-Throughput", "")  # type: ignore[no-any-return]


def by_network(rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Group rows.

    Args:
        rows: One per task.

    Returns:
        Rows by network, then by objective.
    """
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(_label(row), {})[row["objective"]] = row
    return groups


def format_gains(rows: list[dict[str, Any]]) -> str:
    """Write the gains as Markdown, a line per network.

    Args:
        rows: One per task.

    Returns:
        The table.
    """
    lines = [
        "| network | drop from | latency: pair | best | bound | throughput: pair | best | bound |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for label, group in by_network(rows).items():
        cells = [label, next(iter(group.values()))["accuracy"]]
        for objective in OBJECTIVES:
            row = group.get(objective)
            if row is None:
                cells += ["", "", ""]
                continue
            best = row[BEST]
            cells += [f"{row[PAIR]['gain']:.2f}x", f"{best['gain']:.2f}x"]
            cells.append(f"{best['bound']:.2f}x")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def format_held(rows: list[dict[str, Any]]) -> str:
    """Write what the networks hold beside the published ranges, a line per network.

    Args:
        rows: One per task.

    Returns:
        The table.
    """
    lines = [
        "| network | latency | table drop | test drop | throughput | table drop | test drop |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    held = [row for row in rows if why_left_out(row) is None]
    for label, group in by_network(held).items():
        cells = [label]
        for objective in OBJECTIVES:
            row = group.get(objective)
            cells += [NONE] * 3 if row is None else _drops(row)
        lines.append(f"| {' | '.join(cells)} |")
    published = [f"{low:g}-{high:g}x" for low, high in PUBLISHED.values()]
    cells = ["LRMP, five networks"]
    cells += [cell for gain in published for cell in (gain, "", "less than 1")]
    lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _drops(row: dict[str, Any]) -> list[str]:
    best = row[BEST]
    test = NONE
    if "test" in best:
        low, high = best["test"]["interval"]
        test = f"{best['test']['drop']:.2f} [{low:.2f}, {high:.2f}]"
    return [f"{best['gain']:.2f}x", f"{best['table_drop']:.2f}", test]


def format_left_out(rows: list[dict[str, Any]]) -> str:
    """Write the designs that are not set beside published ranges, a line per task.

    Args:
        rows: One per task.

    Returns:
        The table.
    """
    lines = [
        "| network | objective | gain | table drop | test drop | why |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        if why := why_left_out(row):
            cells = [_label(row), row["objective"], *_drops(row), why]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) if len(lines) > 2 else "None."


def verdict(rows: list[dict[str, Any]]) -> str:
    """Count how often the network confirms the table.

    Args:
        rows: One per task.

    Returns:
        A sentence.
    """
    checked = [row for row in rows if "test" in row[BEST]]
    if not checked:
        return "No design was run on a network."
    within = sum(row[BEST]["test"]["drop"] <= row["allowed_drop"] for row in checked)
    likely = sum(row[BEST]["test"]["interval"][0] <= row["allowed_drop"] for row in checked)
    excess = np.mean([row[BEST]["test"]["drop"] - row[BEST]["table_drop"] for row in checked])
    return (
        f"Held or not, {within} of {len(checked)} proven best designs of measured tables lose no "
        f"more than is allowed on the test images, {likely} within the sampling error (the 95 % "
        f"interval reaches down to what is allowed); on average they lose {excess:+.2f} points "
        "more than the table says."
    )


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the gains of all networks beside the published ranges.

    Args:
        rows: One per task.
        path: Picture to write.
    """
    groups = by_network(rows)
    figure = new_figure(11, 1.5 + 0.35 * len(groups))
    panels = figure.subplots(1, 2, sharey=True)
    places = {label: -index for index, label in enumerate(groups)}
    for objective, axes in zip(OBJECTIVES, panels, strict=True):
        low, high = PUBLISHED[objective]
        axes.axvspan(low, high, color="#e08e45", alpha=0.2, label="LRMP's published range")
        shown: dict[str, list[tuple[float, int]]] = {
            name: [] for name in (PAIR, f"{BEST}, held", f"{BEST}, not held")
        }
        for label, group in groups.items():
            if (row := group.get(objective)) is not None:
                held = "held" if why_left_out(row) is None else "not held"
                shown[PAIR].append((row[PAIR]["gain"], places[label]))
                shown[f"{BEST}, {held}"].append((row[BEST]["gain"], places[label]))
        for (name, points), (colour, face) in zip(shown.items(), STYLES, strict=True):
            if points:
                x, y = zip(*points, strict=True)
                axes.plot(x, y, "o", color=colour, markerfacecolor=face, label=name)
        axes.set_xlabel(f"{objective} gain over the 8-bit chip")
        axes.set_xlim(left=0)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(
        list(places.values()),
        [f"{label}, {next(iter(group.values()))['accuracy']}" for label, group in groups.items()],
    )
    named = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        named.values(), named.keys(), fontsize="small", loc="outside lower center", ncols=4
    )
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def main() -> None:
    """Compute from the command line."""
    import tyro

    args = tyro.cli(Args)
    compute(args)
    print(args.out / "headline.md")


if __name__ == "__main__":
    main()
