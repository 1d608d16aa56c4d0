"""Tables of the documents that derive from the code: ``python docs/_scripts/derived_tables.py``.

Writes them anew between their markers. A test holds them true.
"""

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

from lrmp.accuracy.lab.protocol import Protocol, read_protocols
from lrmp.envs import list_tasks, load_task
from lrmp.hardware import NETWORKS

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


#: Writers of the tables, by document and name of the marker.
TABLES: dict[tuple[str, str], Callable[[], Iterator[str]]] = {
    ("README.md", "tasks"): _tasks,
    ("docs/protocol.md", "images"): _protocols,
}


def derived(document: str, text: str) -> str:
    """Write the tables of a document anew.

    Args:
        document: Its path in the repository.
        text: As it stands.

    Returns:
        The text with the tables as they should be.

    Raises:
        ValueError: If a marker is not there exactly once.
    """
    for (name, table), write in TABLES.items():
        if name == document:
            begin, end = f"<!-- {table}: docs/_scripts/derived_tables.py -->\n", "<!-- end -->\n"
            if text.count(begin) != 1:
                raise ValueError(f"Expected {begin!r} once in {document}. Put it in.")
            before, _, rest = text.partition(begin)
            after = rest.partition(end)[2]
            text = f"{before}{begin}\n{chr(10).join(write())}\n\n{end}{after}"
    return text


def main() -> None:
    """Write the documents."""
    for document in dict(TABLES):
        path = ROOT / document[0]
        path.write_text(derived(document[0], path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
