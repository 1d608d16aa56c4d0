"""What a family's knobs are worth: ``python -m lrmp.baselines.experiments.knob_gain``.

The proven best design with the knobs beside the proven best without them, on the same chip, in as
many tiles and within the same allowance. Where designs without them are among those with them,
the gain is never below 1; a rival has knobs, and an accuracy table, of its own.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from lrmp.baselines.experiments.front import best_within
from lrmp.baselines.experiments.gain_plot import draw_gains
from lrmp.envs.records.record import library_versions
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.task import Task, list_tasks
from lrmp.foreign_file import read_foreign_text
from lrmp.foreign_text import parse_json
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.families import FAMILIES, find_family
from lrmp.hardware.families.family import Family
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.plotting.design_plot import new_figure
from lrmp.whole_file import replacing, write_whole

ALLOWANCES = (0.5, 1.0, 2.0, 4.0)  # points


@dataclass
class Args:
    """Which families, and where their results are written."""

    families: tuple[str, ...] = field(
        default_factory=lambda: tuple(name for name, each in FAMILIES.items() if each.is_compared)
    )
    """names of families"""
    out: Path = Path("docs") / "results" / "families"
    """folder for FAMILY.json, FAMILY.png and FAMILY.svg"""


@dataclass(frozen=True)
class KnobGain:
    """The proven best gains over the plain design, with and without a family's knobs.

    Attributes:
        task: Id.
        network: Its name.
        objective: What is optimised.
        allowance: Largest drop, in points.
        with_knobs: Gain of the best design.
        with_bound: A gain that none exceeds.
        without_knobs: Gain of the best design with the values that the family's comparator has.
        without_bound: A gain that none of those exceeds.
    """

    task: str
    network: str
    objective: Objective
    allowance: float
    with_knobs: float
    with_bound: float
    without_knobs: float
    without_bound: float

    @property
    def ratio(self) -> float:
        """Gain of the knobs themselves."""
        return self.with_knobs / self.without_knobs


def without_knobs(task: TaskLike, family: Family) -> Task:
    """Leave a task the values that the comparator of its family has.

    Args:
        task: Of the family.
        family: Its knobs and their comparator.

    Returns:
        The task on the same chip, with as many tiles.
    """
    found = find_task(task)
    if family.rival is not None:
        return replace(found, space=family.rival(found.network, found.accelerator))
    layers = len(found.network)
    allowed = dict(found.space.allowed)
    for name, values in family.without.items():
        before = allowed.get(name, [found.space[name].values] * layers)
        allowed[name] = tuple(
            tuple(value for value in own if value in values or value == found.space[name].plain)
            for own in before
        )
    return replace(found, space=DesignSpace(found.space.knobs, allowed))


def knob_gains(
    family: Family, tasks: Sequence[str] | None = None, allowances: Sequence[float] = ALLOWANCES
) -> list[KnobGain]:
    """Solve the tasks of a family with and without its knobs.

    Args:
        family: Whose.
        tasks: Their ids; None for all.
        allowances: Largest drops, in points.

    Returns:
        A result for every task and allowance; none where no design is so accurate.
    """
    ids = list_tasks(family=family.name) if tasks is None else tasks
    found = []
    with tqdm(
        total=len(ids) * len(allowances), desc=family.name, unit="point", disable=None
    ) as bar:
        for task_id in ids:
            task = find_task(task_id)
            bare = without_knobs(task, family)
            for allowance in allowances:
                best, other = (best_within(each, allowance) for each in (task, bare))
                if best is not None and other is not None:
                    gains = (best.value, best.bound, other.value, other.bound)
                    found.append(
                        KnobGain(
                            task_id,
                            task.network.name,
                            task.objective,
                            allowance,
                            *map(math.exp, gains),
                        )
                    )
                bar.update()
    return found


def markdown(family: Family, found: Sequence[KnobGain]) -> str:
    """Lay results out as a table.

    Args:
        family: Whose.
        found: Its results.

    Returns:
        Markdown.
    """
    knobs = " and ".join(f"`{name}`" for name in family.without)
    head = (
        f"| task | allowed drop | gain with {knobs or 'its knobs'} | without | worth |\n"
        "| --- | --- | --- | --- | --- |\n"
    )
    rows = (
        f"| `{each.task}` | {each.allowance:g} | {each.with_knobs:.3f}x | "
        f"{each.without_knobs:.3f}x | {each.ratio:.3f}x |\n"
        for each in found
    )
    return head + "".join(rows)


def format_gains(path: Path) -> str:
    """Lay out what was computed before.

    Args:
        path: A file that ``compute`` wrote.

    Returns:
        Markdown.
    """
    document = parse_json(read_foreign_text(path))
    found = [KnobGain(**each) for each in document["gains"]]
    return markdown(find_family(document["family"]), found)


def plot(family: Family, found: Sequence[KnobGain], path: Path) -> None:
    """Draw gain against the allowed drop, a panel for every network and objective.

    Args:
        family: Whose.
        found: Its results.
        path: Picture to write.
    """
    networks = list(dict.fromkeys(each.network for each in found))
    objectives = list(dict.fromkeys(each.objective for each in found))
    figure = new_figure(3.2 * len(objectives), 2.6 * len(networks))
    panels = figure.subplots(len(networks), len(objectives), squeeze=False)
    for row, network in zip(panels, networks, strict=True):
        for axes, objective in zip(row, objectives, strict=True):
            own = [x for x in found if (x.network, x.objective) == (network, objective)]
            draw_gains(
                axes,
                [each.allowance for each in own],
                ("with", [each.with_knobs for each in own]),
                ("without", [each.without_knobs for each in own]),
            )
            axes.set_title(f"{network}, {objective}", fontsize="small")
    panels[0][0].legend(fontsize="small", frameon=False)
    figure.supxlabel("allowed drop, points", fontsize="medium")
    figure.supylabel("proven best gain over the plain design", fontsize="medium")
    figure.suptitle(family.title, fontsize="medium")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def compute(args: Args) -> None:
    """Compute, write and draw.

    Args:
        args: Settings.

    Raises:
        TaskError: If there is no such family.
    """
    for family in map(find_family, args.families):
        found = knob_gains(family)
        args.out.mkdir(parents=True, exist_ok=True)
        document = {
            "family": family.name,
            "without": {name: list(values) for name, values in family.without.items()},
            "versions": library_versions(),
            "gains": [asdict(each) for each in found],
        }
        write_whole(args.out / f"{family.name}.json", json.dumps(document, indent=1) + "\n")
        for ending in ("png", "svg"):
            plot(family, found, args.out / f"{family.name}.{ending}")


def main() -> None:
    """Compute from the command line."""
    import tyro

    compute(tyro.cli(Args))


if __name__ == "__main__":
    main()
