"""Choose the searchers' settings: ``python -m lrmp.baselines.tune_search --out FOLDER``.

Every combination of a small grid is run with one seed on tasks that are nowhere scored, training
instances of the procedural family. A run's score is its best reward as a share of the best that
any run found on the instance; the highest interquartile mean wins. The winners are the defaults of
the searchers' Args. Finished runs are kept in tuning.jsonl, so that it can be interrupted.
"""

import json
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lrmp.baselines import annealing, cma_es, genetic, greedy
from lrmp.baselines.search import score_proposals
from lrmp.baselines.statistics import interquartile_mean
from lrmp.envs.procedural.generator import draw_task

MOST_LAYERS = 24  # larger instances take long and teach little more
GRIDS: dict[str, tuple[Any, dict[str, tuple[Any, ...]]]] = {
    "annealing": (
        annealing,
        {"hottest": (0.01, 0.03, 0.1), "changes": (1, 2), "reach": (1, 2)},
    ),
    "cma-es": (cma_es, {"sigma": (0.5, 1.0, 2.0), "least_sigma": (0.1, 0.2, 0.3)}),
    "genetic": (genetic, {"population": (10, 20, 40), "mutated": (1.0, 2.0, 4.0)}),
    "greedy": (greedy, {"rescored": (1, 4)}),
}


@dataclass(frozen=True)
class Args:
    """Choose the searchers' settings."""

    out: Path
    """folder of tuning.jsonl and tuning.md"""
    instances: int = 6
    """training instances of at most 24 layers, from number 0 on"""
    designs: int = 600
    """designs per run"""


def tune(args: Args) -> str:
    """Run what is missing and write the page.

    Args:
        args: Settings.

    Returns:
        The page.
    """
    args.out.mkdir(parents=True, exist_ok=True)
    journal = args.out / "tuning.jsonl"
    lines = journal.read_text("utf-8").splitlines() if journal.exists() else []
    rewards: dict[tuple[str, str, int], float] = {}
    for row in map(json.loads, lines):
        if row["designs"] == args.designs:
            rewards[row["agent"], json.dumps(row["settings"]), row["instance"]] = row["reward"]

    numbers = instances(args.instances)
    plan = [
        (agent, settings, number)
        for agent in GRIDS
        for settings in combinations(agent)
        for number in numbers
    ]
    with journal.open("a", encoding="utf-8") as file:
        for agent, settings, number in tqdm(plan, desc="tuning", unit="run"):
            key = agent, json.dumps(settings), number
            if key not in rewards:
                rewards[key] = best_reward(agent, settings, number, args.designs)
                row = {"agent": agent, "settings": settings, "instance": number}
                row |= {"designs": args.designs, "reward": rewards[key]}
                file.write(json.dumps(row) + "\n")
                file.flush()
    page = format_page(args, numbers, rewards)
    (args.out / "tuning.md").write_text(page, "utf-8")
    return page


def instances(count: int) -> list[int]:
    """List the first training instances that are not too large.

    Args:
        count: How many.

    Returns:
        Their numbers.
    """
    found: list[int] = []
    number = 0
    while len(found) < count:
        if len(draw_task("train", number).network) <= MOST_LAYERS:
            found.append(number)
        number += 1
    return found


def combinations(agent: str) -> list[dict[str, Any]]:
    """List the settings of a grid.

    Args:
        agent: One of ``GRIDS``.

    Returns:
        Settings by name.
    """
    grid = GRIDS[agent][1]
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def best_reward(agent: str, settings: dict[str, Any], number: int, designs: int) -> float:
    """Run a searcher on a training instance.

    Args:
        agent: One of ``GRIDS``.
        settings: Of the searcher.
        number: Of the instance.
        designs: Designs to score.

    Returns:
        The best reward.
    """
    module, task = GRIDS[agent][0], draw_task("train", number)
    proposals = module.propose(task, module.Args(env_id=task.id, designs=designs, **settings))
    batches = score_proposals(task, proposals, designs)
    return max(reward for _, rows in batches for reward, _, _ in rows)


def format_page(args: Args, numbers: list[int], rewards: dict[tuple[str, str, int], float]) -> str:
    """Write the page of the tuning.

    Args:
        args: Settings.
        numbers: Of the instances.
        rewards: By agent, settings as JSON and instance.

    Returns:
        Markdown.
    """
    best = {n: max(value for (_, _, m), value in rewards.items() if m == n) for n in numbers}
    tables = []
    for agent, (module, grid) in GRIDS.items():
        scores = {
            settings: interquartile_mean([rewards[agent, settings, n] / best[n] for n in numbers])
            for settings in map(json.dumps, combinations(agent))
        }
        default = {name: getattr(module.Args(), name) for name in grid}
        rows = [
            f"| {' | '.join(str(v) for v in json.loads(settings).values())} | {score:.4f}"
            f"{' (default)' if json.loads(settings) == default else ''} |"
            for settings, score in sorted(scores.items(), key=lambda item: -item[1])
        ]
        head = f"| {' | '.join(grid)} | score |\n|{' --- |' * (len(grid) + 1)}"
        tables.append("\n".join([f"## {agent}", "", head, *rows]))
    body = "\n\n".join(tables)
    return f"""\
# Settings of the searchers

Chosen on tasks that are nowhere scored: instances {", ".join(map(str, numbers))} of the procedural
family's training split (`lrmp.envs.procedural`), the first of at most {MOST_LAYERS} layers;
seed 1, {args.designs} designs. A run's score is its best reward as a share of the best that any of
these runs found on the instance; shown is the interquartile mean over the instances. What is not in
a grid is as its library or source has it; Bayesian optimisation was not tuned.

{body}

Made by `python -m lrmp.baselines.tune_search --out FOLDER`; every run is in
[tuning.jsonl](tuning.jsonl).
"""


def main() -> None:
    """Tune from the command line."""
    import tyro

    print(tune(tyro.cli(Args)))


if __name__ == "__main__":
    main()
