"""Learning curves of several runs: a CSV file that grows by whole runs, and its picture."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lrmp.baselines.study.statistics import interquartile_mean, interval_band
from lrmp.envs.task.optimum import stored_optimum
from lrmp.errors import RunError
from lrmp.growing_file import read_whole_lines
from lrmp.plotting.design_plot import new_figure
from lrmp.whole_file import replacing, write_whole

HEADER = ["agent", "seed", "episodes", "mean_return"]
COLORS = ("#1f6f8b", "#e08e45", "#6b8e23", "#8b1f4f", "#555555", "#b8b8b8", "#3a3a8b", "#8b6f1f")


class LearningCurves:
    """The curves in a file; a run is in it as a whole or not at all.

    Args:
        path: A CSV file, made with the first run: agent, seed, episodes so far and the mean return
            of the ``block`` episodes up to there.
        block: Episodes per point.
    """

    def __init__(self, path: Path, *, block: int = 32) -> None:
        self.path, self.block = path, block

    def read(self) -> dict[str, dict[int, NDArray[np.float64]]]:
        """Read all runs.

        Returns:
            Agent -> seed -> points, shape (n, 2): episodes and mean return.
        """
        runs: dict[str, dict[int, list[tuple[float, float]]]] = defaultdict(dict)
        try:
            for row in csv.DictReader(read_whole_lines(self.path), strict=True):
                points = runs[row["agent"]].setdefault(int(row["seed"]), [])
                points.append((int(row["episodes"]), float(row["mean_return"])))
        except (OSError, ValueError, LookupError, TypeError, csv.Error) as error:
            raise RunError(
                f"Expected rows of {', '.join(HEADER)} in {self.path}, got {error!r}. Restore the "
                "file, or delete it to start afresh."
            ) from error
        return {
            agent: {seed: np.array(points) for seed, points in of_agent.items()}
            for agent, of_agent in runs.items()
        }

    def complete(self, agent: str, seeds: int, train: Callable[[int], NDArray[np.float64]]) -> None:
        """Train the seeds that are missing.

        Args:
            agent: Its name.
            seeds: Seeds 1..SEEDS are wanted.
            train: Trains a seed and returns what ``add`` takes.
        """
        done = self.read().get(agent, {})
        missing = [seed for seed in range(1, seeds + 1) if seed not in done]
        for seed in tqdm(missing, desc=agent, unit="run", disable=None):
            self.add(agent, seed, train(seed))

    def add(self, agent: str, seed: int, returns: NDArray[np.float64]) -> None:
        """Add a run.

        Args:
            agent: Its name.
            seed: Its seed.
            returns: Return of every episode, in order; the rest of a block is left out.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        count = len(returns) // self.block
        means = returns[: count * self.block].reshape(count, self.block).mean(axis=1)
        lines = read_whole_lines(self.path)
        text = io.StringIO("".join(f"{line}\n" for line in lines), newline="")
        text.seek(0, io.SEEK_END)
        writer = csv.writer(text, lineterminator="\n")
        if not lines:
            writer.writerow(HEADER)
        writer.writerows(
            [agent, seed, (index + 1) * self.block, f"{mean:.6f}"]
            for index, mean in enumerate(means)
        )
        write_whole(self.path, text.getvalue())

    def last_returns(self, blocks: int = 5) -> dict[str, list[float]]:
        """Say where the runs ended.

        Args:
            blocks: How many of the last points are averaged.

        Returns:
            Agent -> mean return of the last ``blocks`` points of every seed.
        """
        return {
            agent: [float(points[-blocks:, 1].mean()) for _, points in sorted(of_agent.items())]
            for agent, of_agent in self.read().items()
        }

    def plot(
        self, picture: Path, task_id: str, *, lowest: float = -5.0, optimum: bool = True
    ) -> None:
        """Draw interquartile means over seeds, with 95 % intervals.

        Args:
            picture: File to write.
            task_id: The task.
            lowest: Lower end of the axis of returns.
            optimum: Whether to draw the task's proven optimum, where it has one.
        """
        figure = new_figure(8, 4.5)
        axes = figure.subplots()
        for color, (agent, runs) in zip(COLORS, self.read().items(), strict=False):
            episodes = next(iter(runs.values()))[:, 0]
            table = np.stack([points[:, 1] for points in runs.values()])
            middle = [interquartile_mean(column) for column in table.T]
            axes.plot(episodes, middle, color=color, label=f"{agent} ({len(runs)} seeds)")
            if len(runs) > 1:
                low, high = interval_band(table)
                axes.fill_between(episodes, low, high, color=color, alpha=0.2, linewidth=0)
        best = stored_optimum(task_id) if optimum else None
        if best is not None:
            axes.axhline(best.value, color="black", linestyle="--", label="proven optimum")
            axes.set_ylim(top=best.value + 0.3)
        axes.set_ylim(bottom=lowest)
        axes.set_xlabel("episodes")
        axes.set_ylabel(f"mean return of {self.block} episodes")
        axes.set_title(f"{task_id}: interquartile mean, 95 % interval")
        axes.legend(loc="lower right", fontsize="small")
        axes.spines[["top", "right"]].set_visible(False)
        with replacing(picture) as temporary:
            figure.savefig(temporary, dpi=120)
