"""Rankings and the log for others' programs: CSV, JSON, Parquet, Atom, badges."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, Literal
from xml.etree import ElementTree as ET

from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.errors import NotFoundError
from lrmp.leaderboard.board.ranking import RankedAgent
from lrmp.leaderboard.board.service import history, rankings
from lrmp.leaderboard.design_ranking import RankedDesign

Format = Literal["csv", "json", "parquet"]
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}
MOST_ROWS = 10**6
ATOM = "http://www.w3.org/2005/Atom"
FEED_ITEMS = 50
#: Kinds that the feed tells of, and how.
_NEWS = {
    "design": "{agent}: a design of {task}",
    "refused": "{agent}: a record of {task} was refused",
    "checked": "Item {number} was run on its network",
    "round-opened": "Round {round} opened",
    "round-closed": "Round {round} closed",
    "run-finished": "{agent}: run {instance} of {round}",
    "withdrawn": "Item {number} was withdrawn",
    "disputed": "Item {number} is disputed",
    "answered": "A dispute is answered: {verdict}",
}


def export_designs(board: Board, task_id: str, as_of: str | None, to: Format) -> bytes:
    """Write the ranking of a task's designs.

    Args:
        board: The board.
        task_id: Of the task.
        as_of: As for `rankings.designs`.
        to: Which format.

    Returns:
        A file's content.
    """
    found = rankings.designs(board, task_id, as_of=as_of, limit=MOST_ROWS)
    rows = [{"task": task_id, **vars(row)} for row in found.designs]
    return _table(rows, ("task", *RankedDesign.__dataclass_fields__), to)


def export_round(
    board: Board, round_name: str, evaluations: int | None, as_of: str | None, to: Format
) -> bytes:
    """Write the ranking of a round's agents.

    Args:
        board: The board.
        round_name: Of the round.
        evaluations: As for `rankings.agents_of_round`.
        as_of: As there.
        to: Which format.

    Returns:
        A file's content.
    """
    found = rankings.agents_of_round(board, round_name, evaluations=evaluations, as_of=as_of)
    common = {"round": found.round, "evaluations": found.evaluations}
    rows = [common | vars(agent) for agent in found.agents]
    return _table(rows, (*common, *RankedAgent.__dataclass_fields__), to)


def feed(board: Board, address: str) -> bytes:
    """Write the newest items of the log as an Atom feed.

    Args:
        board: The board.
        address: Of the board.

    Returns:
        XML.
    """
    items = [item for item in history.newest(board, 4 * FEED_ITEMS) if item.kind in _NEWS]
    root = ET.Element("feed", xmlns=ATOM)
    ET.SubElement(root, "title").text = "lrmp board"
    ET.SubElement(root, "id").text = f"{address}/api/v1/feed.atom"
    ET.SubElement(root, "link", rel="self", href=f"{address}/api/v1/feed.atom")
    ET.SubElement(root, "updated").text = items[0].at if items else history.head(board).at
    for item in items[:FEED_ITEMS]:
        body = item.content
        values = {"task": body.get("record", {}).get("task"), **body}
        entry = ET.SubElement(root, "entry")
        ET.SubElement(entry, "title").text = _NEWS[item.kind].format(**values)
        ET.SubElement(entry, "id").text = f"{address}/api/v1/log/{item.number}"
        ET.SubElement(entry, "link", href=f"{address}/api/v1/log/{item.number}")
        ET.SubElement(entry, "updated").text = item.at
        author = ET.SubElement(entry, "author")
        ET.SubElement(author, "name").text = body.get("agent", "the board")
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content


def design_badge(board: Board, submission_id: str) -> bytes:
    """Draw a badge of a submission: its task and its gap to the optimum.

    Args:
        board: The board.
        submission_id: Of an accepted submission.

    Returns:
        SVG.

    Raises:
        NotFoundError: If there is none that is ranked.
    """
    task, score, gap = rankings.standing_of(board, submission_id)
    if score is None:
        return _badge(task, "beyond the allowed drop")
    return _badge(task, f"score {score:.4f}" if gap is None else f"gap {100 * gap:.2f} %")


def agent_badge(board: Board, round_name: str, agent: str) -> bytes:
    """Draw a badge of an agent's place in a round.

    Args:
        board: The board.
        round_name: Of the round.
        agent: ``team/agent@version``.

    Returns:
        SVG.

    Raises:
        NotFoundError: If there is no such round, or the agent did not take part.
    """
    for row in rankings.agents_of_round(board, round_name).agents:
        if row.agent == agent:
            rank = "no rank" if row.rank is None else f"rank {row.rank}"
            return _badge(round_name, f"{rank}, {row.score:.3f} of the optimum")
    raise NotFoundError(f"Expected an agent of the round {round_name}, got {agent[:130]!r}.")


def _table(rows: Sequence[dict[str, Any]], names: Sequence[str], to: Format) -> bytes:
    if to == "json":
        return json.dumps(rows, allow_nan=False).encode()
    if to == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode()
    import pyarrow as pa
    from pyarrow import parquet

    columns = {name: [row[name] for row in rows] for name in names}
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file)
    return file.getvalue()


def _badge(left: str, right: str) -> bytes:
    """Draw two texts beside each other, in the style of badges in a README."""
    widths = [round(6.6 * len(text)) + 14 for text in (left, right)]
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": str(sum(widths)),
            "height": "20",
            "role": "img",
            "aria-label": f"{left}: {right}",
        },
    )
    start = 0
    for text, width, colour in zip((left, right), widths, ("#444444", "#1b6ca8"), strict=True):
        box = {"x": str(start), "width": str(width), "height": "20", "fill": colour}
        ET.SubElement(root, "rect", box)
        style = {
            "x": str(start + width // 2),
            "y": "14",
            "fill": "#ffffff",
            "text-anchor": "middle",
            "font-family": "Verdana, sans-serif",
            "font-size": "11",
        }
        ET.SubElement(root, "text", style).text = text
        start += width
    picture: bytes = ET.tostring(root)
    return picture
