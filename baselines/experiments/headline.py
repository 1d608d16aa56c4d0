"""LRMP's headline on the tasks of this suite: ``python -m lrmp.baselines.experiments.headline``.

By how much faster is each network within the allowed drop, beside the published ranges? The best
pair of uniform widths (49 designs, a simple search) stands beside the proven best design of the
accuracy table. Where weights and images are at hand, both run on the quantised network itself too:
a search that sees a table alone also finds the table's errors.

Finished rows are kept in ``headline.json``; a repeated command goes on where the last one stopped.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from lrmp.accuracy.lab.images import data_root
from lrmp.accuracy.lab.network import NetworkAccuracy
from lrmp.accuracy.lab.protocol import SplitName, load_protocol, read_protocols
from lrmp.baselines.experiments.front import PUBLISHED, best_within
from lrmp.baselines.experiments.optimum import chosen_settings
from lrmp.envs.records.record import library_versions
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.optimum import stored_optimum
from lrmp.envs.task.task import Task, list_tasks, load_task
from lrmp.errors import AccuracyDataError, MissingExtraError
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
    for pair in zip(*(list_tasks(each, known_by) for each in OBJECTIVES), strict=True)
    for task_id in pair
)
#: Tighter table drops that are tried while the network itself loses more than is allowed.
LADDER = (0.7, 0.5, 0.3, 0.2, 0.1)
SPLITS: tuple[SplitName, ...] = ("search", "test")
PAIR, BEST, HELD = "best pair of widths", "proven best", "held by the network"

PAGE = """\
# LRMP's headline, reproduced

LRMP reports latency gains of 2.6-9.3x and throughput gains of 8-18x at less than one point of
accuracy over five networks (abstract, Frontiers in AI 7:1268317, 2024); which network gains how
much is not public. Here every chip has the area of the plain 8-bit design of its network.

- *Pair*: the best of 49 designs with one width for all weights and one for all activations.
- *Best*, proven: no design within the allowed drop of the *table* is faster than the bound.

Their tables were measured on the quantised networks:

{measured}

and those of these networks were predicted from other networks' tables, so that their drops are
estimates:

{predicted}

![Gains of all networks beside the published ranges](headline.png)

The chip model has one number that was chosen so that uniform 4- to 6-bit ResNets lie in these
ranges (output elements per cycle), so that its ResNets lie there confirms little. Nothing here is
fine-tuned.

## On the network itself

A search that sees a table alone finds the designs that the table flatters. So every design below
also ran on the real quantised network: *search* images, which a search may see, and *test* images,
which none does, with the 95 % interval of the paired bootstrap. *Held* is the protocol's remedy:
while the network loses more than is allowed on the search images, the proven best design within a
tighter table drop ({ladder} points) is taken; *none* if the tightest loses more, too. On 384 or
500 search images that is a coarse sieve. The test images decide nothing.

{checks}

{verdict}

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
    """run designs on the networks whose weights and images are at hand"""


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
        PAIR: max(within, key=lambda pair: pair["gain"]),
        BEST: _best(task, task.allowed_drop),
    }


def _design(task: Task, settings: IntArray) -> dict[str, Any]:
    outcome = evaluate_settings(task, settings)
    values = task.space.decode(settings)
    return {
        "design": {name: of_layers.tolist() for name, of_layers in values.items()},
        "gain": outcome.gain,
        "table_drop": outcome.accuracy_drop,
    }


def _best(task: Task, allowance: float) -> dict[str, Any] | None:
    """Find the proven best design within an allowance; None if no design is so accurate."""
    optimum = stored_optimum(task) if allowance == task.allowed_drop else None
    if optimum is not None and optimum.task_fingerprint == task.fingerprint:
        found = _design(task, optimum.design.settings)
        if found["table_drop"] <= allowance:  # it pays no penalty: the best of those within, too
            return found | {"allowance": allowance, "bound": math.exp(optimum.bound)}
    answer = best_within(task, allowance)
    if answer is None:
        return None
    found = _design(task, chosen_settings(task, answer.settings))
    return found | {"allowance": allowance, "bound": math.exp(answer.bound)}


def check(task: TaskLike, row: dict[str, Any], accuracy: NetworkAccuracy) -> None:
    """Run the designs of a row on the network, and look for one that the network holds.

    Args:
        task: Of the row.
        row: What ``gains`` returned; the results are added.
        accuracy: Runs the network.

    Raises:
        AccuracyDataError: If weights or images are missing.
        MissingExtraError: If torch is not installed.
    """
    task = find_task(task)
    for name in (PAIR, BEST):
        for split in SPLITS:
            _run(row[name], accuracy, split)
    held = row[BEST]
    for allowance in LADDER:
        if held is None or held["search"]["drop"] <= task.allowed_drop:
            break
        held = _best(task, allowance)
        if held is not None:
            _run(held, accuracy, "search")
    if held is not None and held["search"]["drop"] > task.allowed_drop:
        held = None
    if held is not None:
        _run(held, accuracy, "test")
    row[HELD] = held
    row["protocol"] = accuracy.fingerprint


def _run(found: dict[str, Any], accuracy: NetworkAccuracy, split: SplitName) -> None:
    if split not in found:
        result = accuracy.evaluator.evaluate(Design.of(found["design"]), split)
        found[split] = {"drop": result.drop, "interval": result.interval(), **asdict(result)}


def compute(args: Args) -> list[dict[str, Any]]:
    """Find the gains, check them where data are at hand, and write table and picture.

    Args:
        args: Settings.

    Returns:
        One row per task.
    """
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "headline.json"
    known = {row["task"]: row for row in _read(path)}
    rows: list[dict[str, Any]] = []
    accuracy: NetworkAccuracy | None = None
    for task_id in tqdm(args.env_ids, desc="headline", unit="task"):
        task = load_task(task_id)
        row = known.get(task_id)
        if row is None or row["task_fingerprint"] != task.fingerprint:
            row = gains(task)
        name = task.network.name
        if args.check and not task.accuracy.is_estimate and name in read_protocols():
            if accuracy is None or accuracy.protocol.network != name:  # tasks share a calibration
                accuracy = NetworkAccuracy(load_protocol(name), task.space, data_root(args.data))
            if row.get("protocol") != accuracy.fingerprint:
                row = gains(task) if "protocol" in row else row  # none of another protocol's drops
                try:
                    check(task, row, accuracy)
                except (AccuracyDataError, MissingExtraError) as error:
                    tqdm.write(f"{task_id} did not run on the network: {error}")
        known[task_id] = row
        rows = [known[done] for done in args.env_ids if done in known]
        document = {"versions": library_versions(), "rows": rows}
        write_whole(path, json.dumps(document, indent=1) + "\n")
    write_whole(args.out / "headline.md", format_page(rows))
    plot(rows, args.out / "headline.png")
    return rows


def _read(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (
        json.loads(path.read_text("utf-8"))["rows"] if path.exists() else []
    )
    return rows


def format_page(rows: list[dict[str, Any]]) -> str:
    """Write the page.

    Args:
        rows: One per task.

    Returns:
        Markdown.
    """
    return PAGE.format(
        measured=format_gains([row for row in rows if not _is_predicted(row)]),
        predicted=format_gains([row for row in rows if _is_predicted(row)]),
        checks=format_checks(rows),
        verdict=verdict(rows),
        ladder=", ".join(f"{allowance:g}" for allowance in LADDER),
    )


def _is_predicted(row: dict[str, Any]) -> bool:
    return load_task(row["task"]).accuracy.is_estimate


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
    published = [f"{low:g}-{high:g}x" for low, high in PUBLISHED.values()]
    lines.append(f"| LRMP, five networks | not public | | {published[0]} | | | {published[1]} | |")
    return "\n".join(lines)


def format_checks(rows: list[dict[str, Any]]) -> str:
    """Write the drops on the network beside those of the table, a line per design.

    Args:
        rows: One per task.

    Returns:
        The table.
    """
    lines = [
        "| network | objective | design | gain | table drop | search drop | test drop, interval |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        if "protocol" not in row:
            continue
        for name in (PAIR, BEST, HELD):
            found = row[name]
            if found is None:
                lines.append(f"| {_label(row)} | {row['objective']} | {name} | none | | | |")
                continue
            if name == HELD and found["design"] == row[BEST]["design"]:
                continue
            low, high = found["test"]["interval"]
            lines.append(
                f"| {_label(row)} | {row['objective']} | {name} | {found['gain']:.2f}x | "
                f"{found['table_drop']:.2f} | {found['search']['drop']:.2f} | "
                f"{found['test']['drop']:.2f} [{low:.2f}, {high:.2f}] |"
            )
    return "\n".join(lines)


def verdict(rows: list[dict[str, Any]]) -> str:
    """Count how often the network confirms the table.

    Args:
        rows: One per task.

    Returns:
        Sentences.
    """
    sentences = []
    for name in (PAIR, BEST, HELD):
        checked = [row for row in rows if "protocol" in row and row[name] is not None]
        if checked:
            allowed = [load_task(row["task"]).allowed_drop for row in checked]
            excess = [row[name]["test"]["drop"] - row[name]["table_drop"] for row in checked]
            within = sum(
                row[name]["test"]["drop"] <= limit
                for row, limit in zip(checked, allowed, strict=True)
            )
            sentences.append(
                f"- *{name}*: {within} of {len(checked)} designs stay within the allowed drop on "
                f"the test images; the network loses {np.mean(excess):+.2f} points more than the "
                "table says, on average."
            )
    return "\n".join(sentences) or "No weights and images were at hand."


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
    styles = {PAIR: ("o", "#b8b8b8"), BEST: ("o", "#1f6f8b"), HELD: ("x", "#c44")}
    for objective, axes in zip(OBJECTIVES, panels, strict=True):
        low, high = PUBLISHED[objective]
        axes.axvspan(low, high, color="#e08e45", alpha=0.2, label="LRMP's published range")
        for name, (marker, color) in styles.items():
            points = [
                (group[objective][name]["gain"], places[label])
                for label, group in groups.items()
                if objective in group and group[objective].get(name) is not None
            ]
            if points:
                axes.plot(*zip(*points, strict=True), marker, color=color, label=name)
        axes.set_xlabel(f"{objective} gain over the 8-bit chip")
        axes.set_xlim(left=0)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(
        list(places.values()),
        [f"{label}, {next(iter(group.values()))['accuracy']}" for label, group in groups.items()],
    )
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize="small", loc="outside lower center", ncols=4)
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
