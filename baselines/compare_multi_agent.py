"""Compare learners of the multi-agent form: ``python -m lrmp.baselines.compare_multi_agent``.

Runs what is missing under ``--runs-dir``, one run at a time, and prints a Markdown table: best
design as a share of the certified optimum. Difference rewards cost a scored design per layer beside
the one that the agents choose; the table has them both ways, by designs chosen and by designs
scored.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from lrmp.baselines import ippo, mappo, qmix
from lrmp.baselines.command import check_counts
from lrmp.baselines.compare_search import Floats, curve
from lrmp.envs.optimum import stored_optimum
from lrmp.envs.task import load_task
from lrmp.errors import RunError

#: Row -> who learns, and with what.
LEARNERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "IPPO, team": (ippo, {}),
    "IPPO, difference": (ippo, {"credit": "difference"}),
    "MAPPO, team": (mappo, {}),
    "MAPPO, difference": (mappo, {"credit": "difference"}),
    "VDN, team": (qmix, {"mixer": "vdn"}),
    "QMIX, team": (qmix, {"mixer": "qmix"}),
}
BUDGETS = (600, 1000)


@dataclass(frozen=True)
class Args:
    """Compare learners of the multi-agent form."""

    env_ids: tuple[str, ...] = ("LRMP-ResNet18-v1", "LRMP-ResNet20-v0")
    """ids of the tasks"""
    seeds: int = 3
    """seeds 1..SEEDS"""
    runs_dir: Path = Path("runs/multi-agent")
    """where the run directories are"""

    def __post_init__(self) -> None:
        check_counts(0, seeds=self.seeds)
        for env_id in self.env_ids:
            load_task(env_id)
            if stored_optimum(env_id) is None:
                raise RunError(f"Expected tasks with a stored optimum, got {env_id}.")


def compare(args: Args) -> str:
    """Run what is missing.

    Args:
        args: Settings.

    Returns:
        The table.
    """
    curves: dict[tuple[str, str], list[Floats]] = {}
    # Seed by seed, so that a comparison that was stopped early has all learners.
    plan = [
        (seed, env_id, name)
        for seed in range(1, args.seeds + 1)
        for env_id in args.env_ids
        for name in LEARNERS
    ]
    for seed, env_id, name in tqdm(plan, desc="runs", unit="run"):
        module, own = LEARNERS[name]
        options = module.Args(
            env_id=env_id, seed=seed, episodes=BUDGETS[-1], runs_dir=args.runs_dir, **own
        )
        run = module.train(options, progress=False)
        curves.setdefault((name, env_id), []).append(curve(env_id, run))
    return format_table(args.env_ids, curves)


def format_table(env_ids: tuple[str, ...], curves: dict[tuple[str, str], list[Floats]]) -> str:
    """Write the shares of the optimum, mean over the seeds (lowest to highest).

    Args:
        env_ids: Ids of the tasks.
        curves: Best so far after every design chosen, by learner and task, one curve per seed.

    Returns:
        Markdown; no newline at the end.
    """
    heads = [f"{env_id}, {budget:,}" for env_id in env_ids for budget in BUDGETS]
    rows = [f"| learner | designs | {' | '.join(heads)} |", f"|{' --- |' * (2 + len(heads))}"]
    for name in LEARNERS:
        for counted in ("chosen", "scored") if "difference" in name else ("chosen",):
            cells = []
            for env_id in env_ids:
                each = 1 + len(load_task(env_id).network) if counted == "scored" else 1
                for budget in BUDGETS:
                    found = [scores[budget // each - 1] for scores in curves[name, env_id]]
                    cells.append(f"{np.mean(found):.3f} ({min(found):.3f} to {max(found):.3f})")
            rows.append(f"| {name} | {counted} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    """Compare from the command line."""
    import tyro

    print(compare(tyro.cli(Args)))


if __name__ == "__main__":
    main()
