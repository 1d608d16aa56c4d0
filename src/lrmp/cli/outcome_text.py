"""A finished design as text."""

from lrmp.cli.output import print_folded, print_table, quantities
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.task.task import Task
from lrmp.si_prefix import format_number, si_prefix
from lrmp.text_table import Column

#: Characters before what a line of totals says.
DETAIL = 18


def print_outcome(outcome: Outcome) -> None:
    """Print a finished design layer by layer, and its totals.

    Args:
        outcome: Of any task.
    """
    task, report, baseline = outcome.task, outcome.report, outcome.task.baseline_report
    design, energy = outcome.design, "-"
    if report.component_energy_fj is not None:
        energy = _change(baseline.energy_j, report.energy_j, "J")
    print_table(
        [
            Column(
                "layer", [layer.name for layer in task.network.layers], text=True, fit="shorten"
            ),
            *(Column(name, [*map(str, design[name])]) for name in task.space.names),
            Column("copies", [*map(str, design.replication)]),
            Column("tiles", [f"{tiles:,}" for tiles in report.layer_tiles], leaves=2),
            Column("cycles before", [f"{old:,}" for old in baseline.layer_cycles], leaves=1),
            Column("after", [f"{new:,}" for new in report.layer_cycles], leaves=3),
        ]
    )
    print()
    print_folded(
        f"{task.id} on {task.accelerator.name}\n"
        f"  {f'{task.objective} gain':<15} {outcome.gain:.3f}x\n"
        f"  latency         {_change(baseline.latency_s, report.latency_s, 's')}\n"
        f"  throughput      {_change(baseline.throughput_per_s, report.throughput_per_s, '/s')}\n"
        f"  energy          {energy}\n"
        f"  accuracy drop   {outcome.accuracy_drop:.2f} points, {task.accuracy_label}: "
        f"{task.accuracy.provenance}\n{held_line(task)}"
        f"  tiles           {report.tiles_text(task.budget)}\n"
        f"  score           {_score(outcome)}",
        indent=DETAIL,
    )
    if len(task.workload) > 1:
        print()
        _print_networks(outcome)


def _change(before: float, after: float, unit: str) -> str:
    """Write what a quantity was and what it is, with one prefix for both."""
    factor, prefix = si_prefix(before)
    return f"{format_number(before / factor)} -> {format_number(after / factor)} {prefix}{unit}"


def _print_networks(outcome: Outcome) -> None:
    """Say what every network has of the chip; latency and throughput above are of a round."""
    networks = outcome.networks()
    latencies = [each["latency_cycles"] / outcome.report.clock_hz for each in networks]
    print_table(
        [
            Column("network", [each["network"] for each in networks], text=True, fit="shorten"),
            Column("runs a round", [str(each["rate"]) for each in networks]),
            Column("tiles", [f"{each['tiles']:,}" for each in networks]),
            quantities("latency", latencies, "s"),
            Column("drop", [f"{each['accuracy_drop']:.2f}" for each in networks]),
            Column("allowed", [f"{each['allowed_drop']:g}" for each in networks]),
        ]
    )


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
