"""A run directory: configuration, progress and result of one training run or search."""

import csv
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lrmp.envs.record import Record, library_versions
from lrmp.errors import RunError

CONFIG = "config.json"
RECORD = "record.jsonl"
EPISODES = "episodes.csv"
POLICY = "policy.safetensors"
CHECKPOINT = "checkpoint.safetensors"
JOURNAL = "journal.csv"


@dataclass(frozen=True)
class RunDirectory:
    """Files of one run. A run is finished when its record exists.

    Attributes:
        path: The directory.
    """

    path: Path

    @classmethod
    def open(cls, path: Path, config: Mapping[str, Any]) -> Self:
        """Create the directory, or return to a run of the same configuration.

        Args:
            path: Where the run lives.
            config: Everything that decides its result; JSON values.

        Returns:
            The run directory.

        Raises:
            RunError: If the directory holds a run of another configuration.
        """
        run = cls(path)
        if run.config_path.exists():
            try:
                earlier = json.loads(run.config_path.read_text("utf-8"))["config"]
            except (ValueError, KeyError, TypeError) as error:
                raise RunError(
                    f"Expected a run's configuration in {run.config_path}, got {error!r}. "
                    "Delete the directory or choose another."
                ) from error
            for key in sorted(set(earlier) | set(config)):
                if earlier.get(key) != config.get(key):
                    raise RunError(
                        f"Expected a run with {key} {config.get(key)!r} in {path}, got one with "
                        f"{earlier.get(key)!r}. Choose another --runs-dir or delete it."
                    )
            return run
        path.mkdir(parents=True, exist_ok=True)
        document = {
            "config": dict(config),
            "versions": library_versions(),
            "working_directory_commit": _commit(),
        }
        write_whole(run.config_path, json.dumps(document, indent=2) + "\n")
        return run

    @property
    def config_path(self) -> Path:
        """Configuration, versions and commit, as JSON."""
        return self.path / CONFIG

    @property
    def record_path(self) -> Path:
        """The best design, as a record for the leaderboard."""
        return self.path / RECORD

    @property
    def episodes_path(self) -> Path:
        """Reward, speedup and drop of every design, as CSV."""
        return self.path / EPISODES

    @property
    def policy_path(self) -> Path:
        """The policy that explored to the best design, if the agent has one."""
        return self.path / POLICY

    @property
    def checkpoint_path(self) -> Path:
        """State to resume from, while the run is not finished."""
        return self.path / CHECKPOINT

    @property
    def journal_path(self) -> Path:
        """Designs that a search has scored, while the run is not finished."""
        return self.path / JOURNAL

    @property
    def finished(self) -> bool:
        """Whether the record has been written."""
        return self.record_path.exists()

    def finish(self, record: Record, episodes: Sequence[Sequence[float]]) -> None:
        """Write the results; the record comes last.

        Args:
            record: The best design.
            episodes: Reward, speedup and drop of every design, in order.
        """
        with self.episodes_path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["episode", "reward", "speedup", "accuracy_drop"])
            writer.writerows([index, *row] for index, row in enumerate(episodes))
        write_whole(self.record_path, record.to_line())
        self.checkpoint_path.unlink(missing_ok=True)
        self.journal_path.unlink(missing_ok=True)

    def episodes(self) -> list[tuple[float, float, float]]:
        """Read what every design of a finished run scored.

        Returns:
            Reward, speedup and drop of every design, in order.

        Raises:
            RunError: If the run is not finished.
        """
        if not self.finished:
            raise RunError(f"Expected a finished run in {self.path}; resume it first.")
        with self.episodes_path.open(encoding="utf-8") as file:
            return [
                (float(row["reward"]), float(row["speedup"]), float(row["accuracy_drop"]))
                for row in csv.DictReader(file)
            ]

    def rewards(self) -> list[float]:
        """Read the reward of every design of a finished run.

        Returns:
            Rewards in order.

        Raises:
            RunError: If the run is not finished.
        """
        return [reward for reward, _, _ in self.episodes()]


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Args:
        path: File to write; replaced in one step.
        text: What it is to hold.
    """
    temporary = path.with_name(path.name + ".partial")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def _commit() -> str | None:
    """Name the commit of the working directory, if it is a checkout."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
