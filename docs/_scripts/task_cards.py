"""A card for every registered task: what it is, what is proven of it, and what agents reach.

From the registry and the stored results alone. A result counts only if its task was defined as it
is today, so no card shows a number of an earlier accuracy table.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from math import exp, log10
from pathlib import Path
from typing import Any

import gymnasium as gym
from card_scores import score_table
from design_pictures import design_picture, floor_plan_picture

from lrmp import suites
from lrmp.accuracy.model.sensitivity_table import table_for
from lrmp.envs import Optimum, Task, list_tasks, load_task, stored_front, stored_optimum
from lrmp.envs.scoring.outcome import Outcome, evaluate_settings
from lrmp.hardware import NETWORKS, CostReport
from lrmp.hardware.families import FAMILIES
from lrmp.si_prefix import format_quantity

ROOT = Path(__file__).parents[2]
OPTIMA = ROOT / "envs" / "optima"
FRONTS = ROOT / "envs" / "fronts"
HEADLINE = ROOT / "docs" / "results" / "headline" / "headline.json"
#: What is optimised, in words.
OBJECTIVES = {
    "latency": "the time of one inference",
    "throughput": "the inferences per second",
    "energy": "the energy of one inference",
    "edp": "the energy of an inference times its time (EDP)",
    "weighted_throughput": "the mean throughput of the networks",
}
DROPS = {
    "network": "The quantised network itself runs on real images in every episode.",
    "table": "A table, measured on the quantised network, says what every layer's setting costs.",
    "table (estimate)": (
        "A *predicted* table: no weights were at hand. Drops are estimates, and the task is ranked "
        "with no measured one."
    ),
}
INDEX = """\
# Cards of all tasks

One card per task: network, chip, budget, design space, objective; the proven optimum with its
certificate and its picture; what random search, uniform search and agents reach; what is known of
the accuracy table; and how to play it. *Best constant* is the best setting for all layers alike, as
a share of the optimum: near 1 the task is easy. *Holds* says whether the drops of the table were
found on the network, too, on [designs that optimisers pick](../accuracy/fidelity.md).

The problems of [a chip](../families/chip.md) and of [pruned filters](../families/filters.md) and
the [random tasks](../procedural.md) have no single network, chip and optimum, and pages of their
own.
"""


def task_cards() -> dict[str, str]:
    """Write all cards and their index.

    Returns:
        Markdown by path below ``tasks/``.
    """
    ids = list_tasks()
    return {"index.md": _index(ids), **{f"{task_id}.md": _card(task_id) for task_id in ids}}


def card_sources() -> dict[str, str]:
    """Say which files of the repository lead to cards.

    Returns:
        Page on the site by path in the repository.
    """
    files = {f"envs/optima/{task_id}.json": f"tasks/{task_id}.md" for task_id in list_tasks()}
    return {"envs/optima": "tasks/index.md", **files}


def card_groups() -> dict[str, list[str]]:
    """Group the cards for the navigation.

    Returns:
        Pages on the site by title: network of LRMP's own tasks, then family.
    """
    groups: dict[str, list[str]] = {}
    for task_id in list_tasks():
        groups.setdefault(_group(task_id), []).append(f"tasks/{task_id}.md")
    return groups


@cache
def _families() -> dict[str, str]:
    return {task_id: name for name in (*FAMILIES, "shared") for task_id in list_tasks(family=name)}


def _group(task_id: str) -> str:
    family = _families()[task_id]
    if family != "precision":
        return f"Family: {family}"
    entry = NETWORKS[load_task(task_id).network.name]
    title = entry.title[0].upper() + entry.title[1:]
    return f"{title} (predicted)" if entry.known_by == "prediction" else title


def _index(ids: Sequence[str]) -> str:
    blocks = [INDEX]
    for group, pages in card_groups().items():
        blocks.append(f"## {group}\n")
        blocks.append("| task | objective | layers | optimum | best constant | holds |")
        blocks.append("| --- | --- | --- | --- | --- | --- |")
        for page in pages:
            task_id = Path(page).stem
            task, optimum = load_task(task_id), stored_optimum(task_id)
            found = "not solved yet | " if optimum is None else _found(optimum)
            blocks.append(
                f"| [`{task_id}`]({task_id}.md) | {task.objective.replace('_', ' ')} "
                f"| {len(task.network)} | {found} | {'yes' if task.accuracy_holds else 'no'} |"
            )
        blocks.append("")
    return "\n".join(blocks)


def _found(optimum: Optimum) -> str:
    return f"{optimum.value:.4f} | {optimum.constant_share:.3f}"


def _card(task_id: str) -> str:
    task, optimum = load_task(task_id), stored_optimum(task_id)
    names = " and ".join(NETWORKS[tenant.network.name].title for tenant in task.workload)
    better = "Raise" if "throughput" in task.objective else "Lower"
    blocks = [
        f"# {task_id}",
        f"{better} {OBJECTIVES[task.objective]}: {names}, {len(task.network)} layers.",
        "\n".join(_facts(task)),
        *_proof(task, optimum),
        "## Scores to beat",
        score_table(task, optimum),
        "## What the drops are worth",
        "\n".join(_fidelity(task)),
        "## Play it",
        *_play(task),
        "[All cards](index.md).",
    ]
    return "\n\n".join(blocks) + "\n"


def _facts(task: Task) -> Iterator[str]:
    chip, family = task.accelerator, _families()[task.id]
    yield "| | |"
    yield "| --- | --- |"
    for tenant in task.workload:
        network = tenant.network
        weights = sum(layer.rows * layer.columns for layer in network.layers)
        rate = "" if len(task.workload) == 1 else f"; {tenant.rate} inferences per round"
        yield (
            f"| network | {NETWORKS[network.name].title} (`{network.name}`): {len(network)} "
            f"layers, {weights:,} weights on crossbars{rate} |"
        )
    yield (
        f"| chip | [`{chip.name}`](../hardware/presets.md): crossbars of {chip.crossbar_rows} x "
        f"{chip.crossbar_columns} cells of {chip.cell_bits} "
        f"bit{'s' if chip.cell_bits > 1 else ''}, {chip.clock_mhz:g} MHz |"
    )
    use = "which layers use in turn" if chip.is_time_multiplexed else "the plain design's area"
    yield f"| budget | {task.budget:,} tile{'s' if task.budget > 1 else ''}, {use} |"
    points = "percentage point" if task.allowed_drop == 1 else "percentage points"
    yield f"| allowed drop | {task.allowed_drop:g} {points} of accuracy |"
    knobs = "; ".join(f"`{knob.name}` {knob.range} {knob.unit}".rstrip() for knob in task.space)
    settings = len(task.space.settings)
    yield f"| design space | {knobs} |"
    yield (
        f"| | {settings:,} settings per layer, about 10<sup>"
        f"{len(task.network) * log10(settings):.0f}</sup> designs, each with its best copies |"
    )
    yield f"| objective | {task.objective.replace('_', ' ')}, against the plain design |"
    yield f"| family | {_family_link(family)} |"
    yield f"| default suite | {'yes' if task.id in suites['default'] else 'no'} |"
    yield f"| definition | SHA-256 `{task.fingerprint[:16]}` |"


def _family_link(family: str) -> str:
    if family == "precision":
        return "LRMP's own knobs: bits of weights and activations"
    page = "cim_aq" if family.startswith("cim-aq") else family
    return f"[{family}](../families/{page}.md)"


def _proof(task: Task, optimum: Optimum | None) -> Iterator[str]:
    yield "## The proven optimum"
    if optimum is None:
        yield "Not solved yet for the task as it is defined today."
        return
    outcome = evaluate_settings(task, optimum.design.settings)
    constant = "none within the allowed drop"
    if optimum.constant is not None:
        setting = ", ".join(f"`{name}` {value}" for name, value in optimum.constant.setting.items())
        constant = (
            f"{optimum.constant.value:.6f}, {100 * optimum.constant_share:.1f} % of the optimum, "
            f"with {setting}"
        )
    yield "\n".join(
        [
            "| | |",
            "| --- | --- |",
            f"| score | {optimum.value:.6f}: {exp(optimum.value):.3f} times the plain design |",
            f"| certificate | no design within the allowed drop scores above {optimum.bound:.6f} |",
            f"| gap | {100 * optimum.gap:.1e} % of the objective |",
            f"| found by | {optimum.method} |",
            *_amounts(task, outcome),
            f"| tiles | {outcome.report.tiles_text(task.budget)} |",
            f"| drop by the {task.accuracy.kind} | {outcome.accuracy_drop:.3f} points |",
            f"| drop on test images | {_test_drop(task)} |",
            f"| best constant | {constant} |",
            *_front(task),
            f"| file | [design, bound and the solver's log]({task.id}.json) |",
        ]
    )
    yield design_picture(task, optimum)
    yield floor_plan_picture(task, optimum)


def _amounts(task: Task, outcome: Outcome) -> Iterator[str]:
    """Write time, throughput and energy before and after, as far as the chip tells them."""
    pairs = (task.cost_model.baseline, outcome.report)
    yield f"| latency | {_change([format_quantity(r.latency_s, 's') for r in pairs])} |"
    yield f"| throughput | {_change([format_quantity(r.throughput_per_s, '/s') for r in pairs])} |"
    if task.accelerator.energy is not None:
        yield f"| energy | {_change([_energy(report) for report in pairs])} |"


def _front(task: Task) -> Iterator[str]:
    """Say what is proven of latency, energy and accuracy together, if that is stored."""
    if (FRONTS / f"{task.id}.json").is_file():
        front = stored_front(task)
        yield (
            f"| [front](../multi-objective.md) | {len(front.settings)} designs attain "
            f"{100 * front.best_known_share:.1f} % of the proven bound on the hypervolume of "
            "latency, energy and divergence |"
        )


def _energy(report: CostReport) -> str:
    return format_quantity(report.energy_j, "J")


def _change(texts: Sequence[str]) -> str:
    return f"{texts[0]} for the plain design, {texts[1]} for this one"


@cache
def _headline() -> dict[str, dict[str, Any]]:
    rows = json.loads(HEADLINE.read_text("utf-8"))["rows"]
    return {row["task_fingerprint"]: row for row in rows}


def _test_drop(task: Task) -> str:
    """Say what the network lost with the proven best design, if it was run."""
    if task.accuracy.kind == "network":
        return "the network is run in every episode"
    if task.accuracy.is_estimate:
        return "not known: no weights were at hand"
    row = _headline().get(task.fingerprint, {})
    test = row.get("proven best", {}).get("test")
    if test is None:
        return "this very design was not run; below is what designs like it lose"
    low, high = test["interval"]
    return f"{test['drop']:.2f} [{low:.2f}, {high:.2f}] points, {test['images']:,} images"


def _fidelity(task: Task) -> Iterator[str]:
    yield f"{DROPS[task.accuracy_label]} {_verdict(task)}".rstrip()
    if task.accuracy_label != "table":
        return
    yield ""
    yield "| network | optimised designs | table drop | test drop | divergence, network / table |"
    yield "| --- | --- | --- | --- | --- |"
    for tenant, layers in zip(task.workload, task.workload.layers, strict=True):
        table = table_for(tenant.network.name, task.space.for_layers(layers))
        found = table.provenance.get("judged")
        if found is None:
            yield f"| {tenant.network.name} | not judged | | | |"
            continue
        half = 1.96 * found["test_error"]
        yield (
            f"| {tenant.network.name} | {found['designs']} | {found['table_drop']:.2f} "
            f"| {found['test_drop']:.2f} [{found['test_drop'] - half:.2f}, "
            f"{found['test_drop'] + half:.2f}] | {found['test_ratio']:.2f} on test images, "
            f"{found['search_ratio']:.2f} on search images |"
        )
    yield ""
    yield (
        "Drops in percentage points, means over designs that optimisers picked by the table at "
        "allowed drops of 0.5, 1 and 2; test images were seen by neither table nor search. "
        "[How tables are judged](../accuracy/fidelity.md)."
    )
    for accuracy in task.accuracies:
        yield ""
        yield f"From: {accuracy.provenance}."


def _verdict(task: Task) -> str:
    if task.accuracy.kind == "network" or task.accuracy.is_estimate:
        return ""
    if task.accuracy_holds:
        return "It **holds** on the designs that optimisers pick."
    return (
        "It was **not found to hold** on the designs that optimisers pick: "
        f"{'; '.join(task.accuracy_misses)}. The task is exact as a problem; do not quote its "
        "drops as what the network loses."
    )


def _play(task: Task) -> Iterator[str]:
    yield (
        "```python\nimport gymnasium as gym\nimport lrmp\n\n"
        f'env = gym.make("{task.id}")\nobservation, info = env.reset(seed=0)\n```'
    )
    yield (
        "```sh\n"
        f"lrmp train annealing --env-id {task.id} --seed 1\n"
        f"lrmp evaluate runs/{task.id}__annealing__1 --plot design.png\n"
        f"lrmp optimum {task.id} --plot optimum.png\n```"
    )
    forms = (
        f"[`{spec.id}`](../environments/{str(spec.entry_point).partition(':')[2]}.md)"
        for spec in gym.registry.values()
        if spec.id.startswith("LRMP-") and spec.kwargs.get("task") == task.id
    )
    yield f"As forms: {', '.join(forms)}."
