"""How often an interval holds the truth.

``python -m lrmp.baselines.experiments.interval_coverage``.

Runs are drawn from populations whose interquartile mean is known, an interval is made of each draw,
and those that hold it are counted; so it is with the optimality gap. The methods that were
considered are measured beside the one that ``lrmp.baselines.study.statistics.bootstrap_interval``
has.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lrmp.baselines.running.command import check_counts
from lrmp.baselines.study.scores import Scores
from lrmp.baselines.study.statistics import (
    Floats,
    Statistic,
    bootstrap_interval,
    interquartile_mean,
    interquartile_means,
    optimality_gaps,
    resampled,
)

RUNS = (3, 5, 10, 20)
TASKS = (1, 3, 7)
CONFIDENCE = 0.95
TAIL = (1 - CONFIDENCE) / 2
RESAMPLES = 500
TRUTH_DRAWS = 400_000  # runs of every task
FEWEST_SEEDS, FEWEST_VALUES = 10, 6  # of finished runs that serve as a population
DEFAULT_OUT = Path("docs/results/intervals")

#: Draws scores of a shape.
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]
#: Draws a matrix of runs x tasks, and says the statistic of infinitely many runs and the standard
#: deviation of a task's runs.
Sampler = Callable[[np.random.Generator, int], tuple[Floats, float, float]]
Interval = tuple[float, float]


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.normal(0.9, 0.03, shape)


def _skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return 1 - 0.05 * rng.lognormal(0, 0.8, shape)


def _near_optimum(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return 1 - rng.exponential(0.05, shape)


def _at_optimum(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return np.where(rng.random(shape) < 0.4, 1.0, _near_optimum(rng, shape))


def _heavy_tails(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    scores: Floats = 0.9 + 0.03 * rng.standard_t(3, shape)
    return scores


def _one_fails(share: float, rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    good = rng.normal(0.95, 0.02, shape)
    return np.where(rng.random(shape) < share, rng.normal(0.3, 0.1, shape), good)


POPULATIONS: dict[str, Draw] = {
    "normal": _normal,
    "heavy tails (t, 3 degrees)": _heavy_tails,
    "skewed (log-normal gap)": _skewed,
    "near the optimum (exponential gap)": _near_optimum,
    "4 in 10 runs at the optimum": _at_optimum,
    "1 run in 10 fails": partial(_one_fails, 0.1),
    "1 run in 5 fails": partial(_one_fails, 0.2),
    "every other run fails": partial(_one_fails, 0.5),
}
OWN_RUNS = "runs of the study"


def percentile(matrix: Floats, seed: int) -> Interval:
    """Take quantiles of resamples, as rliable does.

    Args:
        matrix: Shape (R, T).
        seed: Of the resamples.

    Returns:
        The ends.
    """
    low, high = np.quantile(_statistics(matrix, seed), [TAIL, 1 - TAIL])
    return float(low), float(high)


def expanded_percentile(matrix: Floats, seed: int) -> Interval:
    """Take quantiles farther out (Hesterberg, The American Statistician 69(4), 2015).

    Args:
        matrix: Shape (R, T), at least 2 runs.
        seed: Of the resamples.

    Returns:
        The ends.
    """
    from scipy.special import ndtr, stdtrit

    runs = len(matrix)
    tail = ndtr(math.sqrt(runs / (runs - 1)) * stdtrit(runs - 1, TAIL))
    low, high = np.quantile(_statistics(matrix, seed), [tail, 1 - tail])
    return float(low), float(high)


def trimmed_t(matrix: Floats, seed: int) -> Interval:
    """Apply Student's t to the trimmed mean (Tukey and McLaughlin, Sankhya A 25(3), 1963).

    Runs are winsorised; the variances of the tasks add up with the degrees of freedom of Welch and
    Satterthwaite.

    Args:
        matrix: Shape (R, T), at least 2 runs.
        seed: Not used.

    Returns:
        The ends.
    """
    from scipy.special import stdtrit

    ordered = np.sort(matrix, axis=None)
    cut = len(ordered) // 4
    low, high = ordered[cut], ordered[len(ordered) - 1 - cut]
    variances = np.clip(matrix, low, high).var(axis=0, ddof=1) / len(matrix)
    middle = interquartile_mean(matrix)
    if not variances.any():
        return middle, middle
    left = ((matrix >= low) & (matrix <= high)).sum(axis=0)
    freedom = variances.sum() ** 2 / (variances**2 / np.maximum(1, left - 1)).sum()
    kept = 1 - 2 * cut / len(ordered)
    error = math.sqrt(variances.sum()) / matrix.shape[1] / kept
    reach = -stdtrit(freedom, TAIL) * error
    return middle - reach, middle + reach


def _statistics(matrix: Floats, seed: int) -> Floats:
    return resampled(matrix, interquartile_means, seed, RESAMPLES)


def _shipped(statistic: Statistic, matrix: Floats, seed: int) -> Interval:
    return bootstrap_interval(
        matrix, statistic, seed=seed, resamples=RESAMPLES, confidence=CONFIDENCE
    )


#: Makes an interval of a matrix of runs x tasks, and a seed.
Method = Callable[[Floats, int], Interval]
SHIPPED = "widened percentile bootstrap"
METHODS: dict[str, Method] = {
    "percentile bootstrap": percentile,
    "expanded percentile bootstrap": expanded_percentile,
    "Student's t, trimmed mean": trimmed_t,
    SHIPPED: partial(_shipped, interquartile_means),
}
GAP_METHODS: dict[str, Method] = {SHIPPED: partial(_shipped, optimality_gaps)}


@dataclass(frozen=True)
class Coverage:
    """How one method did on one population.

    Attributes:
        share: Of the intervals that hold the truth.
        width: Mean width, in standard deviations of a task's runs.
    """

    share: float
    width: float


def synthetic(draw: Draw, tasks: int, statistic: Statistic = interquartile_means) -> Sampler:
    """Sample tasks of one kind of population, their centres spread over two standard deviations.

    Args:
        draw: The population.
        tasks: T.
        statistic: What is to be held.

    Returns:
        Its sampler; the truth is that of 400,000 runs of every task.
    """
    rng = np.random.default_rng(0)
    deviation = float(draw(rng, (TRUTH_DRAWS,)).std())
    centres = np.linspace(-1, 1, tasks) * deviation if tasks > 1 else np.zeros(1)
    truth = float(statistic((draw(rng, (TRUTH_DRAWS, tasks)) + centres)[None])[0])

    def sample(rng: np.random.Generator, runs: int) -> tuple[Floats, float, float]:
        return draw(rng, (runs, tasks)) + centres, truth, deviation

    return sample


def finished(scores: Scores, tasks: int) -> Sampler | None:
    """Sample the runs of a study: of an agent, at a number of designs, on tasks drawn at random.

    Args:
        scores: Of the study.
        tasks: T.

    Returns:
        A sampler that redraws the seeds of such runs; the truth is that of the seeds there are.
        None if no agent has enough seeds on so many tasks.
    """
    groups = []
    for agent in scores.agents:
        for count in scores.report_at:
            columns = [scores.shares(agent, task, count) for task in scores.tasks]
            seeds = [column[:FEWEST_SEEDS] for column in columns if len(column) >= FEWEST_SEEDS]
            unlike = [c for c in seeds if len(set(c.round(12).tolist())) >= FEWEST_VALUES]
            useful = unlike if tasks == 1 else seeds  # of several tasks some may be solved always
            if unlike and len(useful) >= tasks:
                groups.append(np.stack(useful, axis=1))
    if not groups:
        return None

    def sample(rng: np.random.Generator, runs: int) -> tuple[Floats, float, float]:
        group = groups[rng.integers(len(groups))]
        chosen = group[:, rng.permutation(group.shape[1])[:tasks]]
        # Every seed so often that quarters are whole.
        truth = interquartile_mean(np.repeat(chosen, 100, axis=0))
        drawn = rng.integers(0, FEWEST_SEEDS, (runs, tasks))
        matrix: Floats = np.take_along_axis(chosen, drawn, axis=0)
        return matrix, truth, float(group.std(axis=0).mean())

    return sample


def measure(
    sample: Sampler, runs: int, repeats: int, methods: Mapping[str, Method] = METHODS
) -> dict[str, Coverage]:
    """Make intervals of many draws.

    Args:
        sample: Where runs come from.
        runs: R, of every task.
        repeats: How many draws.
        methods: By name.

    Returns:
        By method, on the same draws.
    """
    rng = np.random.default_rng(runs)
    inside, widths = dict.fromkeys(methods, 0), dict.fromkeys(methods, 0.0)
    for repeat in range(repeats):
        matrix, truth, deviation = sample(rng, runs)
        for name, method in methods.items():
            low, high = method(matrix, repeat)
            inside[name] += low - 1e-12 <= truth <= high + 1e-12
            widths[name] += (high - low) / deviation
    return {name: Coverage(inside[name] / repeats, widths[name] / repeats) for name in methods}


@dataclass(frozen=True)
class Args:
    """How many draws, and where the page goes."""

    out: Path = DEFAULT_OUT
    """folder for coverage.md"""
    study: Path = Path("docs/results/study")
    """a study whose finished runs are one of the populations"""
    repeats: int = 1000
    """draws of every population, number of tasks and number of runs"""

    def __post_init__(self) -> None:
        check_counts(0, repeats=self.repeats)


Results = dict[tuple[str, int, int], dict[str, Coverage]]


def measure_all(args: Args, *, progress: bool = True) -> Results:
    """Measure the intervals of interquartile means on every population.

    Args:
        args: Settings.
        progress: Whether to show a bar.

    Returns:
        By population, tasks and runs; then by method.
    """
    scores = Scores.read(args.study)
    samplers = {
        (name, tasks): synthetic(draw, tasks)
        for name, draw in POPULATIONS.items()
        for tasks in TASKS
    }
    own = {(OWN_RUNS, tasks): finished(scores, tasks) for tasks in TASKS}
    samplers |= {key: sampler for key, sampler in own.items() if sampler is not None}
    cells = [(name, tasks, runs) for name, tasks in samplers for runs in RUNS]
    return {
        cell: measure(samplers[cell[:2]], cell[2], args.repeats)
        for cell in tqdm(cells, desc="populations", unit="cell", disable=not progress or None)
    }


def measure_gaps(args: Args, *, progress: bool = True) -> Results:
    """Measure the reports' intervals of optimality gaps.

    Args:
        args: Settings.
        progress: Whether to show a bar.

    Returns:
        As ``measure_all`` does, for the method of the reports.
    """
    cells = [(name, tasks, runs) for tasks in TASKS for name in POPULATIONS for runs in RUNS]
    return {
        (name, tasks, runs): measure(
            synthetic(POPULATIONS[name], tasks, optimality_gaps), runs, args.repeats, GAP_METHODS
        )
        for name, tasks, runs in tqdm(cells, desc="gaps", unit="cell", disable=not progress or None)
    }


def format_page(results: Results, gaps: Results, args: Args) -> str:
    """Write the page.

    Args:
        results: What ``measure_all`` returned.
        gaps: What ``measure_gaps`` returned.
        args: Settings.

    Returns:
        Markdown.
    """
    methods = []
    for tasks in TASKS:
        names = _populations(results, tasks)
        for method in METHODS:
            cells = [str(tasks), method]
            for runs in RUNS:
                found = [results[name, tasks, runs][method] for name in names]
                shares = [coverage.share for coverage in found]
                width = np.mean([coverage.width for coverage in found])
                cells.append(f"{np.mean(shares):.3f} ({min(shares):.3f}), {width:.2f}")
            methods.append(cells)
    heads = [f"{runs} runs" for runs in RUNS]
    error = 100 * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / args.repeats)
    return PAGE.format(
        methods=_table(["tasks", "method", *heads], methods),
        shipped=_format_shipped(results),
        gaps=_format_shipped(gaps),
        repeats=f"{args.repeats:,}",
        error=f"{error:.1f}",
        resamples=RESAMPLES,
        out=args.out,
    )


def _populations(results: Results, tasks: int) -> list[str]:
    return list(dict.fromkeys(name for name, count, _ in results if count == tasks))


def _format_shipped(results: Results) -> str:
    rows = []
    for tasks in TASKS:
        for name in _populations(results, tasks):
            found = [results[name, tasks, runs][SHIPPED] for runs in RUNS]
            rows.append([str(tasks), name, *(f"{c.share:.3f}, {c.width:.2f}" for c in found)])
    return _table(["tasks", "population", *(f"{runs} runs" for runs in RUNS)], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


PAGE = """\
# How often an interval holds the truth

Reports give interquartile means with 95 % intervals of few runs. Here runs are drawn from
populations whose interquartile mean is known (that of infinitely many runs), and the intervals
that hold it are counted: {repeats} draws a number, so that its standard error is {error} points.
*Runs of the study* are finished ones: the ten seeds of an agent, of which seeds are drawn again, on
tasks drawn at random. Other pooled tasks have centres that spread over two standard deviations.

## Methods

Share of intervals that hold the truth, mean over the populations (least of them), and mean width in
standard deviations of a task's runs.

{methods}

- *Percentile bootstrap*: quantiles of resamples, as in rliable. It holds the truth far too seldom.
- *Expanded percentile bootstrap* (Hesterberg 2015) takes quantiles farther out. Three runs have ten
  different resamples at most, so that there is nothing farther out.
- *Student's t on the trimmed mean* (Tukey and McLaughlin 1963; tasks by Welch and Satterthwaite)
  knows the spread of the middle runs alone: it misses where runs are of two kinds.
- *Widened percentile bootstrap*, which all reports have: the ends of the percentile interval are
  moved away from the statistic by the factor `sqrt(R / (R - 1)) * t / z`, with the quantiles of
  Student's t of R - 1 degrees of freedom and of the normal distribution: 2.7 for 3 runs, 1.6 for 5,
  1.2 for 10. It needs no formula for the variance, so that it serves the optimality gap too, and
  keeps the interval's asymmetry. Where tasks are pooled it is wider than it would have to be if all
  of them spread alike; those of the study do not.

## The method of the reports

Share of intervals that hold the truth, and mean width in standard deviations of a task's runs.

{shipped}

No interval knows what no run has shown. Where one run in ten fails, three runs of three tasks show
no failure at all with a probability of 39 %, and then the interval is too narrow. Where every other
run fails, three runs are all alike with a probability of 25 %, five with one of 6 %.

## The optimality gap

The same for the mean of what is missing to 1, which feels every tail: of one task with a rare
failure few runs say little, and twenty are not enough.

{gaps}

Made by

```sh
python -m lrmp.baselines.experiments.interval_coverage --out {out}
```

with {resamples} resamples an interval.
"""


def write_page(args: Args, *, progress: bool = True) -> Path:
    """Measure, and write the page.

    Args:
        args: Settings.
        progress: Whether to show a bar.

    Returns:
        The page.
    """
    results = measure_all(args, progress=progress)
    page = format_page(results, measure_gaps(args, progress=progress), args)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "coverage.md"
    path.write_text(page, "utf-8")
    return path


def main() -> None:
    """Measure from the command line."""
    import tyro

    print(write_page(tyro.cli(Args)))


if __name__ == "__main__":
    main()
