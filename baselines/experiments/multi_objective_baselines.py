"""Searches on three objectives: ``lrmp.baselines.experiments.multi_objective_baselines``.

Hypervolume shares of random search and of weighted sums, beside the best known, as a page.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lrmp.baselines.running.command import check_counts, exit_codes
from lrmp.baselines.searchers import annealing, random_search
from lrmp.baselines.searchers.search import Proposals
from lrmp.envs.registration import MULTI_OBJECTIVE_TASKS
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.front import stored_front
from lrmp.envs.scoring.objectives import objective_vectors
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.environment_id import MULTI_OBJECTIVE, environment_id
from lrmp.whole_file import write_whole

Floats = NDArray[np.float64]

WEIGHT_STEPS = 4  # weights are multiples of a quarter that add up to 1
EXCESS_PENALTY = 10.0  # per divergence of the reference point, beyond it
PAGE = """\
# Three objectives at once

The multi-objective environments, `LRMP-ResNet18-MultiObjective-v0` and one for every other network
with an accuracy table, reward latency, energy and accuracy each on its own, [as MO-Gymnasium
does](../envs/forms/multi_objective.py). Their score is the hypervolume of all designs found, as a
share of a *proven* bound. Gains in energy are robust to which model of the chip's energies is
right, [absolute energies are not](hardware/energies.md).

| environment | bound | best known | random search | weighted sums |
| --- | --- | --- | --- | --- |
{rows}

Bound: no set of designs, with any copies, has a larger hypervolume. Best known: the share that the
stored designs attain, which anybody can evaluate again. What lies between them and 1 is not known:
designs have the copies of least latency, where the bound grants each the copies that suit every
objective best, and fractions of settings. The two searches: medians over {seeds} seeds of
{evaluations:,} designs each. Weighted sums are [annealed](own-algorithm.md), for
{weights} weights of the three objectives one after the other, each with its part of the designs.

**How the bound is proven.** For any weights a and b, and prices of a tile and of divergence, the
linear relaxation of the joint problem bounds `a * cycles + b * energy + price * divergence` of all
designs within the budget from below (`lrmp.solvers.joint.trade_off`). Many such planes enclose
whatever can be attained, and the volume of what they enclose, rounded up, is the bound.

## With MO-Gymnasium

`pip install "lrmp[mo]"`; tested with MO-Gymnasium 1.3.2 and Gymnasium 1.4.0 (`tests/clients`).

```python
import mo_gymnasium
import numpy as np
from mo_gymnasium.wrappers import LinearReward

env = mo_gymnasium.make("lrmp:LRMP-ResNet18-MultiObjective-v0")
weighted = LinearReward(env, weight=np.array([0.4, 0.4, 0.2]))  # for agents that know scalars only
```

Many episodes side by side are `gym.make_vec`'s, whose rewards have a row per episode, or
`MOSyncVectorEnv`'s, with the same numbers. `MOAsyncVectorEnv` of that version does not start on
Gymnasium 1.4, whatever the environment.

Made by `python -m lrmp.baselines.experiments.multi_objective_front --out envs/fronts`, then
`python -m lrmp.baselines.experiments.multi_objective_baselines --page docs/multi-objective.md`.
"""


@dataclass
class Args:
    """Which baselines to run, and where the page goes."""

    page: Path
    """Markdown file to write"""
    env_ids: tuple[str, ...] = field(default_factory=lambda: MULTI_OBJECTIVE_TASKS)
    """tasks with a stored front; all by default"""
    evaluations: int = 3_000
    """designs of a run"""
    seeds: int = 3
    """runs of each search"""

    def __post_init__(self) -> None:
        check_counts(0, evaluations=self.evaluations, seeds=self.seeds)


def weight_lattice() -> Floats:
    """List the weights of weighted sums.

    Returns:
        Shape (W, 3); each row adds up to 1.
    """
    steps = range(WEIGHT_STEPS + 1)
    rows = [row for row in product(steps, repeat=3) if sum(row) == WEIGHT_STEPS]
    return np.array(rows) / WEIGHT_STEPS


def random_vectors(task: TaskLike, evaluations: int, seed: int) -> Floats:
    """Draw designs at random.

    Args:
        task: One with objectives.
        evaluations: Designs.
        seed: Fixes them.

    Returns:
        Their objectives, shape (evaluations, 3).
    """
    task = find_task(task)
    proposals = random_search.propose(task.space, len(task.network), seed)
    found = _vectors(task, proposals, np.zeros(3), 1.0, evaluations)
    return np.concatenate(list(found))


def weighted_sum_vectors(task: TaskLike, evaluations: int, seed: int) -> Floats:
    """Anneal weighted sums of the objectives, one after the other.

    The divergence counts in units of the reference point's; what is beyond that is penalised.

    Args:
        task: One with a stored front.
        evaluations: Designs of all weights together.
        seed: Fixes the searches.

    Returns:
        The objectives of all designs evaluated, shape (evaluations or fewer, 3).
    """
    task = find_task(task)
    most = -stored_front(task).reference[2]
    lattice = weight_lattice()
    each = evaluations // len(lattice)
    found: list[Floats] = []
    for number, weights in enumerate(lattice):
        args = annealing.Args(seed=seed * len(lattice) + number, evaluations=each)
        found += _vectors(task, annealing.propose(task, args), weights, most, each)
    return np.concatenate(found)


def _vectors(
    task: TaskLike, proposals: Proposals, weights: Floats, most: float, count: int
) -> Iterator[Floats]:
    """Score what a searcher proposes by a weighted sum, and yield its objectives."""
    task = find_task(task)
    dynamics, scale = Dynamics(task), np.array([1.0, 1.0, most])
    settings = next(proposals, None)
    while settings is not None and count > 0:
        settings = settings[:count]
        count -= len(settings)
        vectors = objective_vectors(task, settings, dynamics.scores(settings).replication)
        yield vectors
        beyond = np.maximum(-vectors[:, 2] / most - 1, 0.0)
        try:
            settings = proposals.send(vectors / scale @ weights - EXCESS_PENALTY * beyond)
        except StopIteration:
            return


def compute(args: Args) -> None:
    """Run the baselines and write the page.

    Args:
        args: Settings.
    """
    rows = []
    seeds = range(1, args.seeds + 1)
    for task_id in tqdm(args.env_ids, unit="task", disable=None):
        front = stored_front(task_id)
        shares = [
            np.median([front.share(search(task_id, args.evaluations, seed)) for seed in seeds])
            for search in (random_vectors, weighted_sum_vectors)
        ]
        cells = [f"`{environment_id(task_id, MULTI_OBJECTIVE)}`", f"{front.bound:.4f}"]
        cells += [f"{share:.3f}" for share in (front.best_known_share, *shares)]
        rows.append(f"| {' | '.join(cells)} |")
    page = PAGE.format(
        rows="\n".join(rows),
        seeds=args.seeds,
        evaluations=args.evaluations,
        weights=len(weight_lattice()),
    )
    write_whole(args.page, page)


def main() -> None:
    """Run from the command line."""
    import tyro

    with exit_codes():
        compute(tyro.cli(Args))


if __name__ == "__main__":
    main()
