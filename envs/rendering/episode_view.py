"""How an episode stands, as pictures and text show it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lrmp.envs.scoring.outcome import Outcome, gain
from lrmp.envs.task.task import Task
from lrmp.hardware.cost.cost_report import CostReport
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import Design


@dataclass(frozen=True, eq=False)
class EpisodeView:
    """The settings of all layers, decided or not, and what follows from them.

    Attributes:
        task: What is solved.
        settings: Places of the layers' values, the plain ones where nothing is decided, shape (L,
            K).
        decided: How many layers, from the first, are decided.
        progress: How far the episode has come, in words.
        outcome: The design with the oracle's copies; None before it has placed any.
    """

    task: Task
    settings: IntArray
    decided: int
    progress: str
    outcome: Outcome | None

    @cached_property
    def design(self) -> Design:
        """The finished design, or the settings so far with one copy of every layer."""
        if self.outcome is not None:
            return self.outcome.design
        one_copy = np.ones(len(self.settings), dtype=np.int64)
        return Design(self.task.space, self.settings, one_copy)

    @cached_property
    def report(self) -> CostReport:
        """Exact cost of the design."""
        if self.outcome is not None:
            return self.outcome.report
        return self.task.cost_model.evaluate(self.design)

    @property
    def tiles_at_once(self) -> int:
        """Tiles that the design holds at the same time."""
        held = self.task.cost_model.tiles_at_once
        return int(held(self.design.settings, self.design.replication))

    @property
    def gain(self) -> float:
        """Baseline / design, of what the task minimises."""
        return gain(self.task, self.report)

    @cached_property
    def accuracy_drop(self) -> float:
        """Percentage points, as searches see it."""
        if self.outcome is not None:
            return self.outcome.accuracy_drop
        return self.task.accuracy.drop(self.design)

    @property
    def title(self) -> str:
        """Task and progress."""
        return f"{self.task.id}: {self.progress}"

    def to_text(self) -> str:
        """Write down what is decided.

        Returns:
            A line per decided layer with its setting, copies and time, then the totals.
        """
        lines = [self.title]
        to_us = 1e6 / self.report.clock_hz
        shown = [self.task.space.shown(setting) for setting in self.settings]
        width = max(map(len, shown))
        for index, layer in enumerate(self.task.network.layers[: self.decided]):
            copies = f"x {self.design.replication[index]}"
            time = f"{self.report.layer_cycles[index] * to_us:.1f} us"
            lines.append(f"  {layer.name:<24} {shown[index]:<{width}} {copies:<6} {time:>12}")
        copies = "" if self.outcome else " with one copy each"
        lines.append(
            f"tiles {self.report.tiles_text(self.task.budget)}, {self.task.objective} gain "
            f"{self.gain:.3f}x{copies}"
        )
        lines.append(
            f"accuracy drop {self.accuracy_drop:.2f} points, {self.task.allowed_drop:.2f} allowed"
        )
        if self.outcome is not None:
            lines.append(f"reward {self.outcome.reward():.4f}")
        return "\n".join(lines)
