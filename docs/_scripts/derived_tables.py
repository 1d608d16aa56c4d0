"""Tables of the documents that derive from the code: ``python docs/_scripts/derived_tables.py``.

Writes them anew between their markers. A test compares the documents with the code.
"""

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

from lrmp.accuracy.lab.protocol import Protocol, read_protocols
from lrmp.baselines.validation import format_table, run_validation
from lrmp.envs import list_tasks, load_task
from lrmp.hardware import NETWORKS
from lrmp.hardware.chip.preset_table import format_presets

ROOT = Path(__file__).parents[2]
#: What the drop of a task is read from, by ``Task.accuracy_label``.
DROPS = {
    "network": "the quantised network itself, on real images, every episode",
    "table": "table measured on the quantised network",
    "table (estimate)": "predicted table (estimate), ranked apart",
}


def _tasks() -> Iterator[str]:
    yield "| id | network | budget | accuracy drop |"
    yield "| --- | --- | --- | --- |"
    for task_id in list_tasks("latency"):
        task = load_task(task_id)
        title = NETWORKS[task.network.name].title
        yield (
            f"| `{task_id}` | {title}, {len(task.network)} layers | {task.budget} tiles "
            f"| {DROPS[task.accuracy_label]} |"
        )


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
    for splits, protocols in groupby(read_protocols().values(), _splits):
        names = ", ".join(f"`{protocol.network}`" for protocol in protocols)
        yield f"| {names} | {' | '.join(splits)} |"


#: What writes the table of a document.
TABLES: dict[str, Callable[[], str]] = {
    "README.md": lambda: "\n".join(_tasks()),
    "docs/protocol.md": lambda: "\n".join(_protocols()),
    "docs/hardware/presets.md": format_presets,
    "docs/hardware/validation.md": lambda: format_table(run_validation(), markdown=True),
}
BEGIN, END = "<!-- table -->\n", "\n<!-- end of table -->"


def derived(document: str, text: str) -> str:
    """Write the table of a document anew.

    Args:
        document: A key of ``TABLES``, a path in the repository.
        text: As it stands.

    Returns:
        The text with the table as it should be.

    Raises:
        ValueError: If the two markers are not there exactly once.
    """
    if not text.count(BEGIN) == text.count(END) == 1:
        raise ValueError(f"Expected {BEGIN.strip()} and {END.strip()} once in {document}.")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}{TABLES[document]()}{END}{after}"


def main() -> None:
    """Write the documents."""
    for document in TABLES:
        path = ROOT / document
        path.write_text(derived(document, path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
