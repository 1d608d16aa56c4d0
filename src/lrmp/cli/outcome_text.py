"""A finished design as text."""

from lrmp.cli.output import format_table
from lrmp.envs.scoring.outcome import Outcome


def print_outcome(outcome: Outcome) -> None:
    """Print a finished design layer by layer, and its totals.

    Args:
        outcome: Of any task.
    """
    task, report, baseline = outcome.task, outcome.report, outcome.task.cost_model.baseline
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
        f"{task.accuracy.provenance}\n"
        f"  tiles           {report.tiles} of {task.budget}\n"
        f"  reward          {outcome.reward():.4f}"
    )
