"""The ``lrmp task`` command: a task of your own, checked and described."""

import argparse
from pathlib import Path
from typing import Any

from lrmp.cli.exit_codes import EPILOG, EXIT_OK
from lrmp.cli.outcome_text import DETAIL, held_line
from lrmp.cli.output import add_json, print_folded, print_json
from lrmp.envs.task.custom_task import read_task
from lrmp.envs.task.task import Task
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.si_prefix import format_quantity


def add_commands(commands: Any) -> None:
    """Add ``lrmp task``.

    Args:
        commands: The subparsers of ``lrmp``.
    """
    parser = commands.add_parser(
        "task",
        help="check a task of your own",
        description="Check a task file and say what it defines. `lrmp evaluate --env-id`, `lrmp "
        "optimum --solve` and `lrmp render` take the file in place of an environment.",
        epilog=EPILOG,
    )
    parser.add_argument("file", type=Path, help="a task file: TOML")
    add_json(parser)
    parser.set_defaults(run=_task)


def _task(options: argparse.Namespace) -> int:
    task = read_task(options.file)
    baseline = task.baseline_report
    if options.json:
        print_json(
            {
                "id": task.id,
                "fingerprint": task.fingerprint,
                "network": task.network.name,
                "layers": len(task.network),
                "accelerator": task.accelerator.name,
                "objective": task.objective,
                "space": task.space.to_json(),
                "budget_tiles": task.budget,
                "baseline": None if task.baseline is None else task.baseline.to_json(),
                "baseline_tiles": baseline.tiles,
                "baseline_latency_s": baseline.latency_s,
                "baseline_throughput_per_s": baseline.throughput_per_s,
                "allowed_drop": task.allowed_drop,
                "accuracy": task.accuracy_label,
                "accuracy_source": task.accuracy.provenance,
                "accuracy_holds": task.accuracy_holds,
                "accuracy_misses": list(task.accuracy_misses),
            }
        )
        return EXIT_OK
    print_folded(
        f"{task.id}\n"
        f"  fingerprint     {task.fingerprint}\n"
        f"  network         {task.network.name}, {len(task.network)} layers\n"
        f"  accelerator     {task.accelerator.name}\n"
        f"  objective       {task.objective}\n"
        f"  budget          {task.budget} tiles; the {_before(task)} holds {_tiles(task)}\n"
        f"{_knobs(task.space)}"
        f"  baseline        {format_quantity(baseline.latency_s, 's')}, "
        f"{format_quantity(baseline.throughput_per_s, '/s')}\n"
        f"  accuracy drop   at most {task.allowed_drop:g} points, {task.accuracy_label}: "
        f"{task.accuracy.provenance}\n{held_line(task)}"
        f'  environment     gym.make("lrmp:{task.id}", task={str(options.file)!r})',
        indent=DETAIL,
    )
    return EXIT_OK


def _before(task: Task) -> str:
    return "plain design" if task.baseline is None else f"baseline, {task.baseline.summary},"


def _tiles(task: Task) -> str:
    """Say how many tiles the baseline takes."""
    turns = " in turn" if task.accelerator.is_time_multiplexed else ""
    return f"{task.baseline_report.tiles}{turns}"


def _knobs(space: DesignSpace) -> str:
    """Write a line per knob: its values, and which of them some layers may not have."""
    limited = {name for name, _ in space.allowed}
    return "".join(
        f"  {knob.name:<15} {knob.range}, plain {knob.plain}"
        f"{', not all in every layer' if knob.name in limited else ''}\n"
        for knob in space
    )
