"""Tables of the documents that derive from the code: ``python docs/_scripts/derived_tables.py``.

Writes them anew between their markers. A test compares the documents with the code.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from lrmp.accuracy.lab.protocol import Protocol, read_protocols
from lrmp.baselines.clients.measure import format_measurements
from lrmp.baselines.experiments.chip_choice import format_worth
from lrmp.baselines.experiments.chip_front import format_front
from lrmp.baselines.experiments.energy_models import format_energy_models
from lrmp.baselines.experiments.filter_choice import format_filter_optima, format_filter_worth
from lrmp.baselines.experiments.headline import format_held, read_rows
from lrmp.baselines.experiments.knob_gain import format_gains
from lrmp.baselines.experiments.variant_searches import format_searches
from lrmp.baselines.validation import format_cases, run_validation
from lrmp.envs import Task, list_tasks, load_task
from lrmp.envs.variant_choice.problem_ids import CHIP_PROBLEMS, FILTERS_PROBLEMS
from lrmp.hardware import NETWORKS
from lrmp.hardware.chip.preset_table import format_presets
from lrmp.hardware.families import FAMILIES
from lrmp.hardware.families.filters import FILTERS
from lrmp.hardware.space.catalogue import KNOBS

ROOT = Path(__file__).parents[2]
#: What the drop of a task is read from, by ``Task.accuracy_label``.
DROPS = {
    "network": "the quantised network itself, on real images, every episode",
    "table": "table measured on the quantised network",
    "table (estimate)": "predicted table (estimate), ranked apart",
}

#: Pages of the families beside LRMP's own.
PAGES = {
    name: f"docs/families/{'cim_aq' if name.startswith('cim-aq') else name}.md"
    for name in (*FAMILIES, "shared")
    if name != "precision"
}
#: Problems of a chip or of widths are environments of their own, not tasks of one chip and network.
CHIP_PAGE = "docs/families/chip.md"
CHIP_TITLE = "the chip itself within an area, and bits (after CIMNAS)"
CHIP_RESULTS = ROOT / "docs" / "results" / "families" / "chip.json"
FILTERS_PAGE = "docs/families/filters.md"
FILTERS_RESULTS = CHIP_RESULTS.with_name("filters.json")
SHARED_TITLE = "bits of several networks that share a chip"

NOT_HELD = ", not found to hold on optimised designs"


def _is_trusted(task: Task) -> bool:
    """Say whether nothing more is to be said of a drop than where it is read from."""
    return task.accuracy_holds or task.accuracy.is_estimate


def _budget(task: Task) -> str:
    if task.accelerator.is_time_multiplexed:
        return f"{task.budget} tile{'s' if task.budget > 1 else ''}, in turn"
    return f"{task.budget} tiles"


def _tasks() -> Iterator[str]:
    yield "| id | network | budget | accuracy drop |"
    yield "| --- | --- | --- | --- |"
    for task_id in list_tasks("latency", family="precision"):
        task = load_task(task_id)
        title = NETWORKS[task.network.name].title
        yield (
            f"| [`{task_id}`](../envs/optima/{task_id}.json) "
            f"| {title}, {len(task.network)} layers | {_budget(task)} "
            f"| {DROPS[task.accuracy_label]}{'' if _is_trusted(task) else NOT_HELD} |"
        )


def _families() -> Iterator[str]:
    yield "| family | what an agent turns | tasks |"
    yield "| --- | --- | --- |"
    for name, page in PAGES.items():
        title = SHARED_TITLE if name == "shared" else FAMILIES[name].title
        ids = ", ".join(f"`{task_id}`" for task_id in list_tasks("latency", family=name))
        yield f"| [{name}]({page}) | {title} | {ids} |"
    for name, page, title, problems in (
        ("filters", FILTERS_PAGE, FILTERS.title, FILTERS_PROBLEMS),
        ("chip", CHIP_PAGE, CHIP_TITLE, CHIP_PROBLEMS),
    ):
        latency = (each for each in problems if each.endswith(f"-{name.capitalize()}-v0"))
        ids = ", ".join(f"`{problem_id}`" for problem_id in latency)
        yield f"| [{name}]({page}) | {title} | {ids} |"


def _splits(protocol: Protocol) -> list[str]:
    seen = set()
    cells = []
    for split in (protocol.calibration, protocol.search, protocol.test):
        others = "others " if split.source in seen else ""
        cells.append(f"{len(split):,} {others}of `{split.source}`")
        seen.add(split.source)
    return cells


def _protocols() -> Iterator[str]:
    yield "| network | calibration | search | test |"
    yield "| --- | --- | --- | --- |"
    alike: dict[str, list[str]] = {}
    for protocol in read_protocols().values():
        alike.setdefault(" | ".join(_splits(protocol)), []).append(f"`{protocol.network}`")
    for splits, names in alike.items():
        yield f"| {', '.join(names)} | {splits} |"


def _knobs() -> Iterator[str]:
    yield "| knob | values | plain | what it is |"
    yield "| --- | --- | --- | --- |"
    for knob in KNOBS.values():
        values = f"{knob.range} {knob.unit}".rstrip()
        yield f"| `{knob.name}` | {values} | {knob.plain} | {knob.about} |"


def _headline() -> str:
    return format_held(read_rows(ROOT / "docs" / "results" / "headline" / "headline.json"))


def _worth(family: str) -> str:
    return format_gains(ROOT / "docs" / "results" / "families" / f"{family}.json").rstrip("\n")


#: Families whose pages say what their knobs are worth.
WORTH = tuple(name for name, family in FAMILIES.items() if family.is_compared)

#: What writes the tables of a document, in their order.
TABLES: dict[str, tuple[Callable[[], str], ...]] = {
    "README.md": (lambda: "\n".join(_families()), _headline),
    "docs/tasks.md": (lambda: "\n".join(_tasks()),),
    "docs/clients.md": (
        lambda: "\n".join(
            format_measurements(ROOT / "docs" / "results" / "clients" / "clients.csv")
        ),
    ),
    "docs/protocol.md": (lambda: "\n".join(_protocols()),),
    "docs/own-task.md": (lambda: "\n".join(_knobs()),),
    "docs/hardware/presets.md": (format_presets,),
    "docs/hardware/energies.md": (format_energy_models,),
    **{f"docs/families/{family}.md": (partial(_worth, family),) for family in WORTH},
    FILTERS_PAGE: (
        partial(format_filter_worth, FILTERS_RESULTS),
        partial(format_filter_optima, FILTERS_RESULTS),
        partial(format_searches, FILTERS_RESULTS),
    ),
    CHIP_PAGE: (
        partial(format_worth, CHIP_RESULTS),
        partial(format_front, CHIP_RESULTS.with_name("chip-front.json")),
        partial(format_searches, CHIP_RESULTS),
    ),
    "docs/hardware/validation.md": (lambda: format_cases(run_validation(), markdown=True),),
}
BEGIN, END = "<!-- table -->\n", "\n<!-- end of table -->"


def derived(document: str, text: str) -> str:
    """Write the tables of a document anew.

    Args:
        document: A key of ``TABLES``, a path in the repository.
        text: As it stands.

    Returns:
        The text with the tables as they should be.

    Raises:
        ValueError: If the two markers are not there, the first before the other, for every table.
    """
    writers = TABLES[document]
    before, *parts = text.split(BEGIN)
    if len(parts) != len(writers) or END in before or any(part.count(END) != 1 for part in parts):
        raise ValueError(
            f"Expected {BEGIN.strip()} and then {END.strip()}, on lines apart, "
            f"{'once' if len(writers) == 1 else f'{len(writers)} times'} in {document}."
        )
    tables = (
        f"{BEGIN}{write()}{END}{part.partition(END)[2]}"
        for write, part in zip(writers, parts, strict=True)
    )
    return "".join([before, *tables])


def main() -> None:
    """Write the documents."""
    for document in TABLES:
        path = ROOT / document
        path.write_text(derived(document, path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
