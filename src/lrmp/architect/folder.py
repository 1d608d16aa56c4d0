"""The folder of results: names of its files, and what stands in that of a chip."""

import json
import re
from pathlib import Path

from lrmp.architect.answer import ChipAnswer
from lrmp.envs.records.record import Record
from lrmp.envs.task.task_definition import task_document
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.whole_file import write_whole

#: Under which records name the search.
AGENT = "optimize"
REQUEST, MEASUREMENTS, SUMMARY, REPORT = (
    "request.json",
    "measurements.jsonl",
    "summary.json",
    "report.html",
)
DESIGN, RECORD, TASK, TABLE = "design.json", "record.jsonl", "task.json", "table.json"


def folder_name(chip: Accelerator) -> str:
    """Name the folder of a chip's results.

    Args:
        chip: Any.

    Returns:
        Its name, as files can have it.
    """
    return re.sub(r"[^A-Za-z0-9._+-]", "_", chip.name).strip(".") or "chip"


def write_answer(answer: ChipAnswer, folder: Path, seconds: float) -> None:
    """Write design, table, and what ``lrmp evaluate FOLDER`` reads.

    Args:
        answer: Of a chip.
        folder: Its own; made if it is not there.
        seconds: What the search took.

    Raises:
        OSError: If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / DESIGN, json.dumps(answer.to_json(), indent=2, allow_nan=False) + "\n")
    check = answer.check
    if check is None:
        return  # a record claims a drop, which nobody has looked at
    outcome = answer.outcome
    write_whole(folder / TABLE, check.table.to_text())
    write_whole(folder / TASK, json.dumps(task_document(outcome.task)) + "\n")
    record = Record.of(
        outcome,
        agent=AGENT,
        seed=0,
        evaluated_designs=len(answer.checks) + check.round + 1,
        env_steps=0,
        wall_time_s=seconds,
    )
    write_whole(folder / RECORD, record.to_line())
