"""Choose settings of searchers and learners.

``python -m lrmp.baselines.experiments.tune_settings --out DIR``.

Every combination of a small grid is run with one seed on tasks that are nowhere scored, training
instances of the procedural family. A run's share is its best score as a share of the best that any
run shown of as many designs found on the instance; the highest interquartile mean wins. The winners
are the defaults of the algorithms' Args, unless the grid says why not. Finished runs are kept in
tuning.jsonl, so that it can be interrupted.
"""

import json
import math
import multiprocessing
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tqdm import tqdm

from lrmp.baselines.running.algorithms import load_algorithm
from lrmp.baselines.running.command import exit_codes
from lrmp.baselines.running.design_tally import best_so_far
from lrmp.baselines.study.statistics import interquartile_mean
from lrmp.envs.procedural.generator import draw_task
from lrmp.errors import RunError, unknown_name
from lrmp.foreign_text import parse_json
from lrmp.growing_file import GrowingFile
from lrmp.whole_file import write_whole


class Sample(NamedTuple):
    """Training instances: the first of some size.

    Attributes:
        layers: Least and most layers.
        size: How many.
    """

    layers: tuple[int, int]
    size: int

    def numbers(self) -> list[int]:
        """List the instances.

        Returns:
            Their numbers.
        """
        least, most = self.layers
        found: list[int] = []
        number = 0
        while len(found) < self.size:
            if least <= len(draw_task("train", number).network) <= most:
                found.append(number)
            number += 1
        return found

    def __str__(self) -> str:
        least, most = self.layers
        return f"instances {', '.join(map(str, self.numbers()))} of {least} to {most} layers"


class Grid(NamedTuple):
    """What is tried of an algorithm.

    Attributes:
        algorithm: One of ``ALGORITHMS``.
        evaluations: Designs per run.
        sample: On which instances.
        settings: Values by name of the argument.
        fixed: Other arguments that are not the algorithm's defaults.
        chosen: What is used, where it is not the algorithm's default.
        remark: What else decided.
    """

    algorithm: str
    evaluations: int
    sample: Sample
    settings: dict[str, tuple[Any, ...]]
    fixed: Mapping[str, Any] = MappingProxyType({})
    chosen: dict[str, Any] | None = None
    remark: str = ""

    def combinations(self) -> list[dict[str, Any]]:
        """List the combinations.

        Returns:
            Settings by name, the fixed ones first.
        """
        return [
            {**self.fixed, **dict(zip(self.settings, values, strict=True))}
            for values in product(*self.settings.values())
        ]

    def used(self) -> dict[str, Any]:
        """Return what is used.

        Returns:
            Settings by name.
        """
        default = load_algorithm(self.algorithm).Args()
        chosen = self.chosen or {name: getattr(default, name) for name in self.settings}
        return {**self.fixed, **chosen}


SMALL = Sample((4, 24), 6)  # larger ones take searchers long and teach little more
ANY = Sample((4, 64), 8)
LARGE = Sample((40, 64), 8)  # small ones are solved by 10,000 designs

GRIDS = {
    "annealing": Grid(
        "annealing", 600, SMALL, {"hottest": (0.01, 0.03, 0.1), "changes": (1, 2), "reach": (1, 2)}
    ),
    "cma-es": Grid(
        "cma-es", 600, SMALL, {"sigma": (0.5, 1.0, 2.0), "least_sigma": (0.1, 0.2, 0.3)}
    ),
    "genetic": Grid(
        "genetic", 600, SMALL, {"population": (10, 20, 40), "mutated": (1.0, 2.0, 4.0)}
    ),
    "greedy": Grid("greedy", 600, SMALL, {"rescored": (1, 4)}),
    "policy-gradient": Grid(
        "policy-gradient",
        1000,
        ANY,
        {"designs": (10, 20), "learning_rate": (3e-4, 1e-3, 3e-3), "entropy": (0.005, 0.02)},
    ),
    "ppo": Grid(
        "ppo",
        1000,
        ANY,
        {
            "learning_rate": (1e-3, 3e-3),
            "epochs": (4, 10),
            "clip": (0.2, 0.4, 0.8),
            "entropy": (0.0, 0.01),
        },
        remark="At the winner's learning rate the best design is found early and the policy may be "
        "lost afterwards: on LRMP-LeNet-v0, 1,200 designs, the last hundred of one seed of five "
        "were below the plain chip.",
    ),
    "td3": Grid(
        "td3",
        1000,
        ANY,
        {
            "explored": (0.1, 0.2),
            "actor_learning_rate": (5e-4, 1e-3),
            "first_action": (0.0, 0.5),
        },
        remark="Its other settings were [tried before](../td3/tuning.md), with an earlier reward.",
    ),
    "ippo": Grid(
        "ippo",
        1000,
        ANY,
        {"num_envs": (10, 20), "clip": (0.2, 0.4, 0.8), "entropy": (0.0, 0.005, 0.02)},
    ),
    "ippo-wide": Grid(
        "ippo",
        10000,
        LARGE,
        {"clip": (0.2, 0.3, 0.4), "entropy": (0.0, 0.005, 0.01)},
        fixed={"num_envs": 50},
    ),
}


@dataclass(frozen=True)
class Args:
    """Choose settings of searchers and learners."""

    out: Path
    """folder of tuning.jsonl and tuning.md"""
    agents: tuple[str, ...] = tuple(GRIDS)
    """grids to go through; the page shows all that are complete"""
    workers: int = 1
    """processes"""


class Run(NamedTuple):
    """A run of a grid.

    Attributes:
        agent: Name of the grid.
        settings: As JSON, with those that are fixed.
        instance: Number of the training instance.
        evaluations: Designs to score.
    """

    agent: str
    settings: str
    instance: int
    evaluations: int


def tune(args: Args, grids: Mapping[str, Grid] = MappingProxyType(GRIDS)) -> str:
    """Run what is missing and write the page.

    Args:
        args: Settings.
        grids: What is tried, by agent.

    Returns:
        The page.

    Raises:
        RunError: If there is no such grid.
    """
    for agent in args.agents:
        if agent not in grids:
            raise RunError(unknown_name("agent", agent, grids))
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "tuning.jsonl"
    try:
        journal = GrowingFile(path)
    except OSError as error:
        raise _damaged(path, error) from error
    with journal:
        return _tune(args, grids, journal)


def _tune(args: Args, grids: Mapping[str, Grid], journal: GrowingFile) -> str:
    scores: dict[Run, float] = {}
    try:
        for row in map(parse_json, journal.lines):
            settings = json.dumps(row["settings"])
            run = Run(row["agent"], settings, row["instance"], row["evaluations"])
            scores[run] = float(row["score"])
    except (ValueError, LookupError, TypeError) as error:
        raise _damaged(journal.path, error) from error

    plans = {agent: plan(agent, grid) for agent, grid in grids.items()}
    missing = [run for agent in args.agents for run in plans[agent] if run not in scores]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(args.workers, mp_context=spawn) as pool:
        jobs = {pool.submit(best_score, grids[run.agent].algorithm, run): run for run in missing}
        try:
            for job in tqdm(
                as_completed(jobs), total=len(jobs), desc="tuning", unit="run", disable=None
            ):
                run = jobs[job]
                scores[run] = job.result()
                row = run._asdict() | {"settings": json.loads(run.settings), "score": scores[run]}
                journal.add(json.dumps(row))
        except BaseException:  # a failure, or Ctrl-C: the runs that have not begun never do
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    finished = {a: runs for a, runs in plans.items() if all(run in scores for run in runs)}
    unfinished = [agent for agent in grids if agent not in finished]
    done = {agent: grids[agent] for agent in finished}
    page = format_page(done, finished, scores, unfinished)
    write_whole(args.out / "tuning.md", page)
    return page


def _damaged(path: Path, error: Exception) -> RunError:
    return RunError(
        f"Expected a run with settings and score per line in {path}, got {error!r}. Restore the "
        "file, or delete it to tune afresh."
    )


def plan(agent: str, grid: Grid) -> list[Run]:
    """List the runs of a grid.

    Args:
        agent: Its name.
        grid: What is tried.

    Returns:
        The runs.
    """
    numbers = grid.sample.numbers()
    return [
        Run(agent, json.dumps(settings), number, grid.evaluations)
        for settings in grid.combinations()
        for number in numbers
    ]


def best_score(algorithm: str, run: Run) -> float:
    """Run an algorithm on a training instance.

    Args:
        algorithm: One of ``ALGORITHMS``.
        run: What to run.

    Returns:
        The best score; at least 0, the plain design's.
    """
    module, task = load_algorithm(algorithm), draw_task("train", run.instance)
    with tempfile.TemporaryDirectory() as folder:
        settings = json.loads(run.settings)
        settings |= {"env_id": task, "evaluations": run.evaluations, "runs_dir": Path(folder)}
        run_directory = module.train(module.Args(**settings), progress=False)
        return float(best_so_far(run_directory.episodes(), task.allowed_drop)[-1])


def format_page(
    grids: Mapping[str, Grid],
    plans: Mapping[str, list[Run]],
    scores: Mapping[Run, float],
    unfinished: Sequence[str] = (),
) -> str:
    """Write the page of the tuning.

    Args:
        grids: Those that are complete, by agent.
        plans: Their runs.
        scores: Of these runs, and of others that the journal has.
        unfinished: Grids that are not complete, by agent.

    Returns:
        Markdown.
    """
    best: dict[tuple[int, int], float] = {}
    for run in (run for runs in plans.values() for run in runs):
        key = run.instance, run.evaluations
        best[key] = max(best.get(key, 0.0), scores[run])
    sections = []
    for agent, grid in grids.items():
        runs = plans[agent]
        shares: dict[str, list[float]] = {}
        for run in runs:
            # Where nobody found more than the plain design, all shares are 0.
            share = scores[run] / (best[run.instance, run.evaluations] or math.inf)
            shares.setdefault(run.settings, []).append(share)
        means = {settings: interquartile_mean(values) for settings, values in shares.items()}
        chosen = grid.used()
        rows = []
        for text, mean in sorted(means.items(), key=lambda item: -item[1]):
            settings = json.loads(text)
            mark = " (chosen)" if settings == chosen else ""
            values = " | ".join(str(settings[name]) for name in grid.settings)
            rows.append(f"| {values} | {mean:.4f}{mark} |")
        fixed = "".join(f", {name} {value}" for name, value in grid.fixed.items())
        text = f"{grid.evaluations} designs{fixed}; {grid.sample}. {grid.remark}".rstrip()
        head = f"| {' | '.join(grid.settings)} | share |\n|{' --- |' * (len(grid.settings) + 1)}"
        sections.append("\n".join([f"## {agent}", "", text, "", head, *rows]))
    body = "\n\n".join(sections)
    others = len(scores) - sum(map(len, plans.values()))
    missing = ", ".join(unfinished)
    note = f" Not complete, and not shown: {missing}." if missing else ""
    return f"""\
# Settings of searchers and learners

Chosen on tasks that are nowhere scored, instances of the procedural family's training split
(`lrmp.envs.procedural`), the first of a size. Seed 1. A run's share is its best score as a share of
the best that any of these runs found on the instance in as many designs; shown is the interquartile
mean over the instances. What is not in a grid is as its library or source has it, or was chosen as
its own page says; Bayesian optimisation was not tuned.{note}

{body}

Made by `python -m lrmp.baselines.experiments.tune_settings --out FOLDER`; every run is in
[tuning.jsonl](tuning.jsonl), beside {others} runs outside these grids.
"""


def main() -> None:
    """Tune from the command line."""
    import tyro

    with exit_codes():
        print(tune(tyro.cli(Args)))


if __name__ == "__main__":
    main()
