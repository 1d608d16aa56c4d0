"""A finished design as text."""

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
    before, after = baseline.layer_cycles, report.layer_cycles
    print(f"{'layer':<24} {'W/A bits':>8} {'copies':>7} {'tiles':>6} {'cycles before':>14} after")
    for index, layer in enumerate(task.network.layers):
        bits = f"{design.weight_bits[index]}/{design.activation_bits[index]}"
        print(
            f"{layer.name:<24} {bits:>8} {design.replication[index]:>7} "
            f"{report.layer_tiles[index]:>6} {before[index]:>14,} {after[index]:,}"
        )
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
