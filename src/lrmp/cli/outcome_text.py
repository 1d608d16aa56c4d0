"""A finished design as text and as JSON."""

from typing import Any

from lrmp.envs.outcome import Outcome


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """Return a finished design and its numbers.

    Args:
        outcome: Of any task.

    Returns:
        Ready for JSON; energies are None where the chip's are not known.
    """
    report, baseline = outcome.report, outcome.task.cost_model.baseline
    known = report.component_energy_fj is not None
    return {
        "task": outcome.task.id,
        "reward": outcome.reward(),
        "speedup": outcome.speedup,
        "accuracy_drop": outcome.accuracy_drop,
        "accuracy": outcome.task.accuracy_label,
        "tiles": report.tiles,
        "budget_tiles": outcome.task.budget,
        "latency_cycles": report.latency_cycles,
        "latency_s": report.latency_s,
        "bottleneck_cycles": report.bottleneck_cycles,
        "throughput_per_s": report.throughput_per_s,
        "energy_j": report.energy_j if known else None,
        "baseline_latency_s": baseline.latency_s,
        "baseline_throughput_per_s": baseline.throughput_per_s,
        "baseline_energy_j": baseline.energy_j if known else None,
        "proven_optimal": outcome.replication.proven_optimal,
        "design": outcome.design.to_json(),
        "layer_cycles": report.layer_cycles.tolist(),
        "baseline_layer_cycles": baseline.layer_cycles.tolist(),
    }


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
        f"  {task.objective} gain    {outcome.speedup:.3f}x\n"
        f"  latency         {1e3 * baseline.latency_s:.3f} -> {1e3 * report.latency_s:.3f} ms\n"
        f"  throughput      {baseline.throughput_per_s:.1f} -> {report.throughput_per_s:.1f} /s\n"
        f"  energy          {energy}\n"
        f"  accuracy drop   {outcome.accuracy_drop:.2f} points, {task.accuracy_label}: "
        f"{task.accuracy.provenance}\n"
        f"  tiles           {report.tiles} of {task.budget}\n"
        f"  reward          {outcome.reward():.4f}"
    )
