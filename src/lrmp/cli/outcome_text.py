"""A finished design as text."""

from lrmp.cli.output import format_table
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.task.task import Task


def print_outcome(outcome: Outcome) -> None:
    """Print a finished design layer by layer, and its totals.

    Args:
        outcome: Of any task.
    """
    task, report, baseline = outcome.task, outcome.report, outcome.task.baseline_report
    design, energy = outcome.design, "-"
    if report.component_energy_fj is not None:
        energy = f"{1e3 * baseline.energy_j:.3f} -> {1e3 * report.energy_j:.3f} mJ"
    rows = [
        [layer.name, *map(str, setting), f"{copies}", f"{tiles}", f"{old:,}", f"{new:,}"]
        for layer, setting, copies, tiles, old, new in zip(
            task.network.layers,
            zip(*(design[name] for name in task.space.names), strict=True),
            design.replication,
            report.layer_tiles,
            baseline.layer_cycles,
            report.layer_cycles,
            strict=True,
        )
    ]
    header = ["layer", *task.space.names, "copies", "tiles", "cycles before", "after"]
    print(format_table(header, rows))
    print(
        f"\n{task.id} on {task.accelerator.name}\n"
        f"  {task.objective} gain    {outcome.gain:.3f}x\n"
        f"  latency         {1e3 * baseline.latency_s:.3f} -> {1e3 * report.latency_s:.3f} ms\n"
        f"  throughput      {baseline.throughput_per_s:.1f} -> {report.throughput_per_s:.1f} /s\n"
        f"  energy          {energy}\n"
        f"  accuracy drop   {outcome.accuracy_drop:.2f} points, {task.accuracy_label}: "
        f"{task.accuracy.provenance}\n{held_line(task)}"
        f"  tiles           {report.tiles_text(task.budget)}\n"
        f"  score           {_score(outcome)}"
    )
    if len(task.workload) > 1:
        print(f"\n{_format_networks(outcome)}")


def _format_networks(outcome: Outcome) -> str:
    """Say what every network has of the chip; latency and throughput above are of a round."""
    clock_hz = outcome.report.clock_hz
    rows = [
        [
            network["network"],
            f"{network['rate']}",
            f"{network['tiles']:,}",
            f"{1e3 * network['latency_cycles'] / clock_hz:.3f}",
            f"{network['accuracy_drop']:.2f}",
            f"{network['allowed_drop']:g}",
        ]
        for network in outcome.networks()
    ]
    header = ["network", "runs a round", "tiles", "latency (ms)", "drop", "allowed"]
    return format_table(header, rows)


def held_line(task: Task) -> str:
    """Say whether the drops of a task's table were found true, in a line with its end.

    Args:
        task: Any.

    Returns:
        Nothing where the network itself is run.
    """
    if task.accuracy.kind == "network":
        return ""
    return f"  table           {held_text(task)}\n"


def held_text(task: Task) -> str:
    """Say whether the drops of a task's table were found true where searches go.

    Args:
        task: One with a table.

    Returns:
        A phrase.
    """
    if task.accuracy_holds:
        return "holds on optimised designs"
    return f"not found to hold on optimised designs: {'; '.join(task.accuracy_misses)}"


def _score(outcome: Outcome) -> str:
    if outcome.score is not None:
        return f"{outcome.score:.4f}"
    return (
        f"none, beyond the allowed drop of {outcome.task.allowed_drop:g} points; reward "
        f"{outcome.reward():.4f}"
    )
