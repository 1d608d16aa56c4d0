"""The loop of a learner: progress bar, TensorBoard and checkpoints around what it learns."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from lrmp.agents.replay_buffer import ReplayBuffer
from lrmp.baselines.running.checkpoint import (
    optimizer_tensors,
    restore_optimizer,
    restoring,
    save_checkpoint,
)
from lrmp.baselines.running.design_tally import DesignTally
from lrmp.baselines.running.run import Run

#: What a learner changes: saved in its checkpoints, and restored.
Part = (
    torch.nn.Module
    | torch.optim.Optimizer
    | torch.Generator
    | np.random.Generator
    | ReplayBuffer
    | dict[str, Any]  # plain JSON values
)


class LearningLoop:
    """The iterations of a run, from the last checkpoint on: ``for iteration in loop``.

    A checkpoint is written between iterations, so that a run that is killed ends as if it had never
    stopped.

    Args:
        run: What is trained.
        parts: All that changes while it learns, by name; they are restored here.
        iterations: Of the whole run.
        designs: That an iteration tries.
        checkpoint_every: Iterations between checkpoints.

    Attributes:
        tally: What the run has tried so far.
        iterations: Of the whole run.

    Raises:
        RunError: If there is a checkpoint, and it is damaged or of other parts.
    """

    def __init__(
        self,
        run: Run,
        parts: Mapping[str, Part],
        *,
        iterations: int,
        designs: int,
        checkpoint_every: int,
    ) -> None:
        self.tally = DesignTally(run.task)
        self.iterations = iterations
        self._parts, self._checkpoint_every = parts, checkpoint_every
        self._path = run.directory.checkpoint_path
        if self._path.exists():
            with restoring(self._path) as (tensors, state):
                for name, part in parts.items():
                    _restore(part, tensors.get(name, {}), state["parts"].get(name))
                self.tally.restore(state)
        first = len(self.tally) // designs
        self._writer = SummaryWriter(str(run.directory.path), purge_step=first)
        self._bar = tqdm(
            range(first, iterations),
            initial=first,
            total=iterations,
            desc=run.title,
            unit="iteration",
            disable=not run.progress or None,
        )

    def __iter__(self) -> Iterator[int]:
        # Adam's moments of units that are never active fade below the smallest normal number, and
        # arithmetic on such numbers takes up to fifty times as long. As zeros they mean the same.
        torch.set_flush_denormal(True)
        try:
            for iteration in self._bar:
                yield iteration
                done = iteration + 1
                if done % self._checkpoint_every == 0 and done < self.iterations:
                    self._save()
        finally:
            torch.set_flush_denormal(False)
            self._writer.close()

    def left(self, iteration: int) -> float:
        """Say how much of the run is left, for schedules that fall to zero.

        Args:
            iteration: From 0.

        Returns:
            From 1 towards 0.
        """
        return 1 - iteration / self.iterations

    def log(self, iteration: int, mean_return: float, scalars: Mapping[str, float]) -> None:
        """Write curves, and show how it goes.

        Args:
            iteration: From 0.
            mean_return: Of the iteration's designs.
            scalars: Other values by TensorBoard tag.
        """
        charts = {
            "charts/episodic_return": mean_return,
            "charts/best_score": self.tally.best_score,
        }
        for tag, value in (charts | dict(scalars)).items():
            self._writer.add_scalar(tag, value, iteration)
        self._bar.set_postfix(best=f"{self.tally.best_score:.3f}", mean=f"{mean_return:.3f}")

    def _save(self) -> None:
        saved = {name: _saved(part) for name, part in self._parts.items()}
        save_checkpoint(
            self._path,
            {name: tensors for name, (tensors, _) in saved.items()},
            {"parts": {name: state for name, (_, state) in saved.items()}, **self.tally.state()},
        )


def _saved(part: Part) -> tuple[dict[str, Any], Any]:
    """Return a part's tensors, and the rest of it as JSON values."""
    match part:
        case torch.nn.Module():
            return part.state_dict(), None
        case torch.optim.Optimizer():
            return optimizer_tensors(part), None
        case torch.Generator():
            return {"state": part.get_state()}, None
        case ReplayBuffer():
            arrays = {name: torch.from_numpy(array) for name, array in part.arrays.items()}
            return arrays, part.added
        case np.random.Generator():
            return {}, part.bit_generator.state
        case _:
            return {}, part


def _restore(part: Part, tensors: Mapping[str, Any], state: Any) -> None:
    """Put back what ``_saved`` returned."""
    match part:
        case torch.nn.Module():
            part.load_state_dict(tensors)
        case torch.optim.Optimizer():
            restore_optimizer(part, tensors)  # none before its first step
        case torch.Generator():
            part.set_state(tensors["state"])
        case ReplayBuffer():
            for name, array in part.arrays.items():
                array[:] = tensors[name].numpy()
            part.added = state
        case np.random.Generator():
            part.bit_generator.state = state
        case _:
            part.update(state)
