"""The report of a study: pages and pictures from its records alone."""

import math
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lrmp.baselines.experiments.front import PUBLISHED
from lrmp.baselines.experiments.headline import OBJECTIVES, by_network
from lrmp.baselines.study.certified_optima import keep_optima
from lrmp.baselines.study.foreign import FOREIGN
from lrmp.baselines.study.network_check import CHECKS, Check, check_winners
from lrmp.baselines.study.paper_tables import write_paper_tables
from lrmp.baselines.study.planned_run import NO_TASKS, record_key, task_of
from lrmp.baselines.study.plots import plot_gaps, plot_profiles, plot_tasks
from lrmp.baselines.study.results import RESULTS, StudyRecord
from lrmp.baselines.study.runner import PLAN
from lrmp.baselines.study.scores import Scores, best_designs, label_of
from lrmp.baselines.study.statistics import (
    Floats,
    bootstrap_interval,
    interquartile_mean,
    interquartile_means,
    optimality_gaps,
    probability_of_improvement,
)
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.task.optimum import stored_optimum
from lrmp.envs.task.task import TASKS as REGISTERED
from lrmp.envs.task.task import Task
from lrmp.studies import list_studies
from lrmp.whole_file import write_whole

PAGE, TASKS_PAGE = "report.md", "tasks.md"
RESAMPLES = 2000
MOST_NAMES = 3  # of agents that share a task

REPORT = """\
# Study {name}

{runs} of {planned} runs are finished. How far is the best design from the certified optimum, after
so many evaluated designs? The gap is `1 - score / optimum` in per cent: 100 is the plain 8-bit
chip, 0 the {optimum}. Interquartile mean over seeds and tasks
[95 % interval] ({intervals}).
Every design that is scored counts, repeated ones too; what a table says of accuracy costs none.

{earlier}Agents are compared on the {pool} measured tasks with a certified optimum on which all of
them have runs{excluded}; [task by task]({tasks_page}) has the others. Agents that know the task's
accuracy table are at an advantage over those that see nothing but rewards.

![Gap to the optimum against evaluated designs](gap.png)

{gaps}

## Who wins

The smallest interquartile mean of the gap wins a task; equal ones share it.

{wins}

## How they compare

Of the share of the optimum, on the pooled tasks: its interquartile mean; the optimality gap, which
is the mean of what is missing to 1; and the probability that a run is better than one of the agent
in the next line, on a task drawn at random.

{comparisons}

![Share of runs within a gap](profiles.png)

{estimates}## Best designs

The fastest design within the allowed drop that any run found, by network, beside the proven best
and LRMP's published ranges (abstract, Frontiers in AI 7:1268317, 2024; its networks are not told
apart).

{headline}

## On the network itself

A search that sees a table alone finds the designs that the table flatters. So the best design of
every task ran on the real quantised network: *search* images, which a search may see, and *test*
images, which none does, with the 95 % interval of the paired bootstrap. The test images decide
nothing.

{checks}

{verdict}

## Wall time

Seconds of a run on one core, as the machine was at the time; runs shared it with others, so that
these are orders of magnitude.

{times}

## Agents

{agents}

{about}{left_out}Made by

```sh
lrmp study run {study}
lrmp study report runs/studies/{name} --out {out}
```

The records are in [{results}]({results}), a line per run, with versions and commits: {versions}.
{foreign}"""

FOREIGN_RUNS = """
## Foreign agents

Their runs were made elsewhere and added by `lrmp study add`. Designs, gains, drops and scores were
computed again from the designs; how many designs had been scored, and the seconds, are as
claimed. They are pooled where they have runs on all pooled tasks, and take none out of the pool.

{table}
"""

ESTIMATES = """\
## Estimates, apart

The accuracy of these tasks was not measured on their networks, so that they are in no number and no
picture above: {tasks}.

{tables}

"""

POOLED = """\
### {count} designs

{table}"""

TASKS = """\
# Study {name}, task by task

Gap to the certified optimum in per cent: interquartile mean over the seeds [95 %
interval]. The [report](report.md) explains it.

![Gap against evaluated designs, task by task](tasks.png)

{tables}
"""


def write_report(folder: Path, out: Path, data: Path | None = None, *, check: bool = True) -> Path:
    """Write pages, pictures, tables for papers and a copy of the records.

    Args:
        folder: Of the study.
        out: Where they go; made if there is none.
        data: Folder of weights and images for the network checks; None for ``LRMP_DATA`` or its
            default.
        check: Whether to run winners on the networks where that is not done yet.

    Returns:
        The page.

    Raises:
        StudyError: If the study has no records.
        MissingExtraError: If matplotlib is not installed.
    """
    scores = Scores.read(folder)
    allowed = {label_of(record): scores.task(record).allowed_drop for record in scores.records}
    winners = best_designs(scores.records, allowed)
    checks = check_winners(winners, folder, data, run=check, own_tasks=scores.own_tasks)
    out.mkdir(parents=True, exist_ok=True)
    keep_optima(out, scores.certified)
    if out.resolve() != folder.resolve():
        for name in (RESULTS, FOREIGN, PLAN, CHECKS):
            if (folder / name).exists():
                shutil.copyfile(folder / name, out / name)
    measured = scores.part(estimates=False)
    write_paper_tables(measured, out)
    plot_gaps(measured, out / "gap.png")
    plot_profiles(measured, out / "profiles.png")
    plot_tasks(scores, out / "tasks.png")
    write_whole(
        out / TASKS_PAGE, TASKS.format(name=scores.plan["name"], tables=format_tasks(scores))
    )
    page = format_report(scores, winners, checks, out)
    write_whole(out / PAGE, page)
    return out / PAGE


def format_report(
    scores: Scores, winners: dict[str, StudyRecord], checks: dict[str, Check | str], out: Path
) -> str:
    """Write the page.

    Args:
        scores: Of the study.
        winners: Best designs by task.
        checks: What the networks say of them.
        out: Where the page goes.

    Returns:
        Markdown.
    """
    left_out = "".join(
        f"{agent} needs an accuracy table and is left out on {', '.join(tasks)}.\n\n"
        for agent, tasks in scores.plan["left_out"].items()
    )
    measured = scores.part(estimates=False)
    excluded = [agent for agent in measured.agents if agent not in measured.pool[0]]
    return REPORT.format(
        name=scores.plan["name"],
        study=_word(scores.plan["name"]),
        runs=len(scores.own),
        planned=sum(scores.plan["planned"].values()),
        optimum=_link("proven optimum", "optimum.md", out),
        intervals=_link("a bootstrap, widened for few seeds", "results/intervals/coverage.md", out),
        earlier=format_earlier(scores),
        pool=len(measured.pool[1]),
        excluded=f" (all but {', '.join(excluded)})" if excluded else "",
        tasks_page=TASKS_PAGE,
        gaps=format_gaps(measured),
        wins=format_wins(measured),
        comparisons="\n\n".join(filter(None, (format_pool(measured, c) for c in scores.report_at))),
        estimates=format_estimates(winners, scores.part(estimates=True)),
        headline=format_headline(winners, measured),
        checks=format_checks(winners, checks, scores.own_tasks),
        verdict=format_verdict(
            winners,
            checks,
            _link("where to find them", "protocol.md", out),
            scores.own_tasks,
        ),
        times=format_times(scores),
        agents=format_agents(scores),
        about=scores.plan["about"].strip() + "\n\n" if scores.plan["about"] else "",
        left_out=left_out,
        out=out,
        results=RESULTS,
        versions=format_versions(scores),
        foreign=format_foreign(scores),
    )


def format_earlier(scores: Scores) -> str:
    """Say which tasks have changed since their runs.

    Args:
        scores: Of the study.

    Returns:
        A paragraph; empty if none has.
    """
    changed = []
    for label, record in {label_of(record): record for record in scores.records}.items():
        task = scores.task(record)
        if record["task_fingerprint"] == task.fingerprint:
            continue
        then, now = scores.optima.get(label), stored_optimum(task)
        told = (
            label
            if record["accuracy"] or then is None or now is None
            else (f"{label} (optimum {then:.4f} then, {now.value:.4f} now)")
        )
        changed.append(told)
    if not changed:
        return ""
    tasks = ",\n".join(changed)
    return (
        "**Earlier definitions.** The fingerprints of these tasks have changed since their runs:\n"
        f"{tasks}.\nRewards, drops, gaps and proven gains on this page are those of "
        "the definition that was played, and of\nits optimum.\n\n"
    )


def format_estimates(winners: dict[str, StudyRecord], estimates: Scores) -> str:
    """Write what agents reach where the accuracy is an estimate.

    Args:
        winners: Best designs by task.
        estimates: Of the study's tasks of that kind.

    Returns:
        A section; empty if there is no such task.
    """
    if not estimates.records:
        return ""
    tables = [format_wins(estimates)]
    if estimates.pool[1]:  # tasks of one's own have no certified optimum, and no published range
        tables = [format_gaps(estimates), *tables, format_headline(winners, estimates)]
    return ESTIMATES.format(tasks=", ".join(estimates.tasks), tables="\n\n".join(tables))


def _word(name: str) -> str:
    """What names a study on the command line: a shipped one by name, another by its file."""
    return name if name in list_studies() else f"{name}.toml"


def _link(text: str, page: str, out: Path) -> str:
    """Link a page of the documentation, if the report is a part of it."""
    if "docs" not in out.parts:
        return text
    depth = len(out.parts) - 1 - out.parts.index("docs")
    return f"[{text}]({'../' * depth}{page})"


def _gap(shares: Floats) -> str:
    """Write a gap in per cent with its interval."""
    gaps = 100 * (1 - shares)
    text = f"{interquartile_mean(gaps):.2f}"
    if len(gaps) > 1:
        low, high = bootstrap_interval(gaps, resamples=RESAMPLES)
        text += f" [{low:.2f}, {high:.2f}]"
    return text


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def format_gaps(scores: Scores) -> str:
    """Write the pooled gap at every number of designs, the best at the first one first.

    Args:
        scores: Of the study.

    Returns:
        A table.
    """
    rows = []
    for agent in scores.pool[0]:
        matrices = [scores.matrix(agent, count) for count in scores.report_at]
        order = [interquartile_mean(1 - m) if m is not None else np.inf for m in matrices]
        cells = ["" if matrix is None else _gap(matrix) for matrix in matrices]
        rows.append((order, [agent, *cells]))
    heads = [f"{count:,}" for count in scores.report_at]
    return _table(["agent", *heads], [row for _, row in sorted(rows, key=lambda row: row[0])])


def format_wins(scores: Scores) -> str:
    """Count the tasks that every agent wins.

    Args:
        scores: Of the study.

    Returns:
        A table over agents and numbers of designs.
    """
    wins = {}
    for count in scores.report_at:
        counted: Counter[str] = Counter()
        for task in scores.tasks:
            counted.update(best_agents(scores, task, count))
        wins[count] = counted
    rows = [
        [agent, *(str(wins[count][agent] or "") for count in scores.report_at)]
        for agent in scores.agents
        if any(wins[count][agent] for count in scores.report_at)
    ]
    heads = [f"tasks won at {count:,}" for count in scores.report_at]
    return _table(["agent", *heads], rows)


def best_agents(scores: Scores, task: str, count: int) -> list[str]:
    """Say who is best on a task.

    Args:
        scores: Of the study.
        task: Label of the task.
        count: Evaluated designs.

    Returns:
        The agents with the best interquartile mean.
    """
    ranked = scores.winners(task, count)
    means = [interquartile_mean(shares) for _, shares in ranked]
    return [
        agent for (agent, _), mean in zip(ranked, means, strict=True) if mean >= means[0] - 1e-9
    ]


def format_pool(scores: Scores, count: int) -> str:
    """Compare the agents on the pooled tasks.

    Args:
        scores: Of the study.
        count: Evaluated designs.

    Returns:
        A table with its heading; empty if nobody has so many designs.
    """
    ranked = []
    for agent in scores.pool[0]:
        matrix = scores.matrix(agent, count)
        if matrix is not None:
            ranked.append((interquartile_mean(matrix), agent, matrix))
    ranked.sort(key=lambda entry: entry[0], reverse=True)
    rows = []
    for place, (mean, agent, matrix) in enumerate(ranked):
        cells = [agent, str(len(matrix))]
        for value, statistic in (
            (mean, interquartile_means),
            (float(optimality_gaps(matrix)), optimality_gaps),
        ):
            text = f"{value:.4f}"
            if len(matrix) > 1:
                low, high = bootstrap_interval(matrix, statistic, resamples=RESAMPLES)
                text += f" [{low:.4f}, {high:.4f}]"
            cells.append(text)
        following = ranked[place + 1][2] if place + 1 < len(ranked) else None
        better = "" if following is None else f"{probability_of_improvement(matrix, following):.2f}"
        rows.append([*cells, better])
    if not rows:
        return ""
    head = ["agent", "seeds", "interquartile mean", "optimality gap", "better than the next"]
    return POOLED.format(count=f"{count:,}", table=_table(head, rows))


def format_headline(winners: dict[str, StudyRecord], scores: Scores) -> str:
    """Write the gains of the best designs by network, beside LRMP's.

    Args:
        winners: Best designs by task.
        scores: Of the tasks that are shown; they hold the optima.

    Returns:
        A table.
    """
    entries = []
    for label, record in winners.items():
        if label not in scores.tasks or record["task"] not in REGISTERED:
            continue  # a task of one's own is in no one's published ranges
        task = task_of(record_key(record))
        if not record["accuracy"] and task.objective in PUBLISHED:
            row = {"task": label, "objective": task.objective, "accuracy": task.accuracy_label}
            entries.append(row | {"record": record})
    rows = []
    for label, group in by_network(entries).items():
        cells = [label, next(iter(group.values()))["accuracy"]]
        for objective in OBJECTIVES:
            if objective not in group:
                cells += ["", "", ""]
                continue
            record = group[objective]["record"]
            proven = _proven(record, scores)
            cells += [f"{record['claim']['gain']:.2f}x", record["agent"], proven]
        rows.append(cells)
    ranges = [f"{low:g}-{high:g}x" for low, high in PUBLISHED.values()]
    rows.append(["LRMP, five networks", "not public", ranges[0], "", "", ranges[1], "", ""])
    head = ["network", "drop from", "latency", "by", "proven", "throughput", "by", "proven"]
    return _table(head, rows)


def _proven(record: StudyRecord, scores: Scores) -> str:
    """Write the gain of the certified optimum, if its drop is allowed."""
    optimum = scores.certified.get(record["task_fingerprint"])
    if optimum is None:
        return ""
    design, task = optimum.design, scores.task(record)
    gain = evaluate_settings(task, design.settings).gain
    # The task may be another by now.
    return f"{gain:.2f}x" if math.isclose(optimum.value, math.log(gain)) else ""


def format_checks(
    winners: dict[str, StudyRecord],
    checks: dict[str, Check | str],
    own_tasks: Mapping[str, Task] = NO_TASKS,
) -> str:
    """Write the drops on the network beside those that the search saw.

    Args:
        winners: Best designs by task.
        checks: What the networks say of them.
        own_tasks: The study's tasks that are not registered, by name.

    Returns:
        A table.
    """
    rows = []
    for label, record in winners.items():
        claim, check = record["claim"], checks[label]
        cells = [label, record["agent"], f"{claim['gain']:.2f}x"]
        seen_by = task_of(record_key(record), own_tasks).accuracy_label
        cells.append(f"{claim['accuracy_drop']:.2f}, {seen_by}")
        if isinstance(check, str):
            cells += ["", check]
        else:
            cells.append(f"{check['search']['drop']:.2f}" if "search" in check else "")
            low_high = check["test"].get("interval")
            interval = f" [{low_high[0]:.2f}, {low_high[1]:.2f}]" if low_high else ""
            cells.append(f"{check['test']['drop']:.2f}{interval}")
        rows.append(cells)
    head = ["task", "agent", "gain", "drop that the search saw", "search drop", "test drop"]
    return _table(head, rows)


def format_verdict(
    winners: dict[str, StudyRecord],
    checks: dict[str, Check | str],
    where: str,
    own_tasks: Mapping[str, Task] = NO_TASKS,
) -> str:
    """Count how often the network confirms the table, and say how to check the others.

    Args:
        winners: Best designs by task.
        checks: What the networks say of them.
        where: What to read about the data.
        own_tasks: The study's tasks that are not registered, by name.

    Returns:
        Sentences.
    """
    sentences = []
    by_label: dict[str, list[tuple[float, bool]]] = {}
    for label, check in checks.items():
        task = task_of(record_key(winners[label]), own_tasks)
        if not isinstance(check, str) and task.accuracy.kind == "table":
            drop = check["test"]["drop"]
            excess = drop - winners[label]["claim"]["accuracy_drop"]
            by_label.setdefault(task.accuracy_label, []).append((excess, drop <= task.allowed_drop))
    for name, found in sorted(by_label.items()):
        sentences.append(
            f"- *{name}*: {sum(within for _, within in found)} of {len(found)} designs stay within "
            "the allowed drop on the test images; the network loses "
            f"{np.mean([excess for excess, _ in found]):+.2f} points more than the table says, on "
            "average."
        )
    if "not checked" in checks.values():
        sentences.append(
            f"- *Not checked*: the weights and images were not at hand ({where}). "
            "`LRMP_DATA=FOLDER lrmp study report DIR` checks them and keeps what it finds."
        )
    return "\n".join(sentences)


def format_times(scores: Scores) -> str:
    """Write how long runs took.

    Args:
        scores: Of the study.

    Returns:
        A table by agent and evaluations.
    """
    times: dict[tuple[str, int], list[tuple[float, int]]] = {}
    for record in scores.own:
        key = record["agent"], record["evaluations"]
        times.setdefault(key, []).append((record["wall_time_s"], record["evaluated_designs"]))
    rows = []
    for agent in scores.agents:
        for (name, count), found in sorted(times.items()):
            if name == agent:
                seconds = np.array([time for time, _ in found])
                designs = np.array([count for _, count in found])
                low, middle, high = np.quantile(seconds, [0.25, 0.5, 0.75])
                rows.append(
                    [
                        agent,
                        f"{count:,}" if count else "its own",
                        str(len(found)),
                        f"{middle:.1f} [{low:.1f}, {high:.1f}]",
                        f"{1000 * seconds.sum() / designs.sum():.1f}",
                        f"{seconds.sum() / 3600:.2f}",
                    ]
                )
    head = ["agent", "designs", "runs", "median s [quartiles]", "s per 1,000 designs", "hours, all"]
    return _table(head, rows)


def format_agents(scores: Scores) -> str:
    """Write what the agents are.

    Args:
        scores: Of the study.

    Returns:
        A table of algorithms, evaluations, seeds and the settings that are not the defaults.
    """
    rows = []
    for name, agent in scores.plan["agents"].items():
        settings = ", ".join(f"{key} = {value}" for key, value in agent["settings"].items())
        finished = sum(record["agent"] == name for record in scores.records)
        counts = ", ".join(f"{count:,}" if count else "its own" for count in agent["evaluations"])
        seeds = ", ".join(str(seed or 1) for seed in agent["seeds"])
        done = f"{finished} of {scores.plan['planned'].get(name, 0)}"
        rows.append([name, agent["algorithm"], settings, counts, seeds, done])
    return _table(["agent", "algorithm", "settings", "designs", "seeds", "runs"], rows)


def format_foreign(scores: Scores) -> str:
    """Say which agents are foreign, and what they were added from.

    Args:
        scores: Of the study.

    Returns:
        A section; empty if there are none.
    """
    rows: dict[tuple[str, str], list[StudyRecord]] = {}
    for record in scores.foreign:
        rows.setdefault((record["agent"], record["foreign"]["file_sha256"]), []).append(record)
    if not rows:
        return ""
    table = _table(
        ["agent", "runs", "tasks", "designs", "code", "SHA-256 of the file"],
        [
            [
                agent,
                str(len(runs)),
                str(len({run["task"] for run in runs})),
                ", ".join(f"{count:,}" for count in sorted({run["evaluations"] for run in runs})),
                runs[0]["foreign"]["code"] or "-",
                f"`{digest[:16]}`",
            ]
            for (agent, digest), runs in rows.items()
        ],
    )
    return FOREIGN_RUNS.format(table=table)


def format_tasks(scores: Scores) -> str:
    """Write a table per task.

    Args:
        scores: Of the study.

    Returns:
        The tables, with headings.
    """
    head = ["agent", *(f"{count:,}" for count in scores.report_at)]
    parts = []
    for task in scores.tasks:
        rows = []
        for agent in scores.agents:
            shares = [scores.shares(agent, task, count) for count in scores.report_at]
            if any(map(len, shares)):
                rows.append([agent, *(_gap(values) if len(values) else "" for values in shares)])
        note = (
            ""
            if task in scores.optima
            else "No optimum is certified: the gap is to the best design that any run found.\n\n"
        )
        winners = ", ".join(
            f"{_names(best_agents(scores, task, count))} at {count:,}"
            for count in scores.report_at
            if scores.winners(task, count)
        )
        parts.append(f"## {task}\n\n{note}Best: {winners}.\n\n{_table(head, rows)}")
    return "\n\n".join(parts)


def _names(agents: list[str]) -> str:
    return " and ".join(agents) if len(agents) <= MOST_NAMES else f"{len(agents)} agents"


def format_versions(scores: Scores) -> str:
    """Say what the runs were made with.

    Args:
        scores: Of the study.

    Returns:
        Names with all versions that occur.
    """
    found: dict[str, set[str]] = {}
    for record in scores.own:
        for name, version in record["versions"].items():
            found.setdefault(name, set()).add(str(version))
    return "; ".join(f"{name} {', '.join(sorted(versions))}" for name, versions in found.items())
