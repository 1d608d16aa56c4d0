"""Winners on the real quantised network: `lrmp accuracy check` for the best design of every task.

A search that sees a table alone finds the designs that the table flatters. Results are kept in the
study's folder, so that the data are needed once.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lrmp.accuracy.lab.network import NetworkAccuracy, accuracy_on
from lrmp.accuracy.lab.protocol import SplitName, protocol_of
from lrmp.accuracy.model.digits import DigitsAccuracy
from lrmp.baselines.study.planned_run import NO_TASKS, record_key, task_of
from lrmp.baselines.study.results import StudyRecord
from lrmp.envs.task.task import Task
from lrmp.errors import AccuracyDataError, MissingExtraError, StudyError
from lrmp.foreign_text import parse_json
from lrmp.growing_file import read_whole_lines
from lrmp.hardware.space.design import Design
from lrmp.whole_file import write_whole

CHECKS = "network_checks.jsonl"
SPLITS: tuple[SplitName, ...] = ("search", "test")

Check = dict[str, Any]


def check_winners(
    winners: dict[str, StudyRecord],
    folder: Path,
    data: Path | None,
    *,
    run: bool = True,
    own_tasks: Mapping[str, Task] = NO_TASKS,
) -> dict[str, Check | str]:
    """Run winners on their networks, or take what is known of them.

    Args:
        winners: The record of the best design by task.
        folder: Of the study; ``network_checks.jsonl`` is kept there.
        data: Folder of weights and images; None for ``LRMP_DATA`` or its default.
        run: Whether to run what is not known.
        own_tasks: The study's tasks that are not registered, by name.

    Returns:
        By task: drops in points on the search and the test images with the interval where there is
        one, or a few words why there are none.
    """
    path = folder / CHECKS
    known = {_identity(check): check for check in _read(path)}
    found: dict[str, Check | str] = {}
    accuracy: NetworkAccuracy | None = None
    for label, record in tqdm(
        winners.items(), desc="network checks", unit="task", disable=not run or None
    ):
        task = task_of(record_key(record), own_tasks)
        design = Design.from_json(record["design"], task.space)
        if isinstance(task.accuracy, DigitsAccuracy):
            drop = task.accuracy.test_drop(design)
            found[label] = {"test": {"drop": drop}}  # as the leaderboard does
            continue
        try:
            protocol = protocol_of(task.network)
        except AccuracyDataError:
            found[label] = "no network at hand"
            continue
        accuracy = accuracy_on(protocol, task.space, task.accelerator, data, accuracy)
        check: Check = {
            "network": protocol.network,
            "protocol": accuracy.fingerprint,
            **{name: design[name].tolist() for name in task.space.names},
        }
        if _identity(check) not in known:
            if not run:
                found[label] = "not checked"
                continue
            try:
                for split in SPLITS:
                    result = accuracy.evaluator.evaluate(design, split)
                    check[split] = result.to_json() | {
                        "drop": result.drop,
                        "interval": result.interval(),
                    }
            except (AccuracyDataError, MissingExtraError) as error:
                tqdm.write(f"{label} did not run on the network: {error}")
                found[label] = "not checked"
                continue
            known[_identity(check)] = check
            write_whole(path, "".join(json.dumps(entry) + "\n" for entry in known.values()))
        found[label] = known[_identity(check)]
    return found


def _read(path: Path) -> list[Check]:
    try:
        checks = [parse_json(line) for line in read_whole_lines(path)]
        for check in checks:
            hash(_identity(check))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise StudyError(
            f"Expected a network check per line in {path}, got {error!r}. Delete it to repeat them."
        ) from error
    return checks


def _identity(check: Check) -> tuple[Any, ...]:
    """Return the protocol and the values of the knobs, which are lists."""
    knobs = sorted(name for name, values in check.items() if isinstance(values, list))
    return check["protocol"], *((name, *check[name]) for name in knobs)
