"""A log of every design that an environment finishes, each as a record of the leaderboard."""

import os
import time
from pathlib import Path
from typing import Any, BinaryIO, SupportsFloat, TypeVar

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from lrmp.envs.records.record import Record
from lrmp.envs.scoring.outcome import Outcome
from lrmp.errors import RunError
from lrmp.foreign_text import parse_json
from lrmp.growing_file import open_growing, read_whole_lines

Observations = TypeVar("Observations")
Actions = TypeVar("Actions")

_LINE_START = b'{"schema_version": '
_READ_BYTES = 4096


class RecordDesigns(
    gym.Wrapper[Observations, Actions, Observations, Actions], RecordConstructorArgs
):
    """Append every finished design to a file, one record in JSON per line.

    A file that is there is continued: designs, steps and seconds add up. Every line is written
    under a lock, so that the parts of a vector environment may share a file, and at once, so that
    an interrupted run loses nothing it has finished; a line that was cut off is removed. Linux and
    macOS only. `best_line` finds what to submit.

    Args:
        env: An environment whose ``outcome`` is the last finished design.
        path: The file, in a folder that exists.
        agent: Name under which the designs are recorded.
        seed: Seed of the run.

    Raises:
        RunError: If the file holds other things, or designs of another task, agent or seed, or it
            cannot be written.
    """

    def __init__(
        self,
        env: gym.Env[Observations, Actions],
        path: str | Path,
        agent: str = "unnamed",
        seed: int = 0,
    ) -> None:
        RecordConstructorArgs.__init__(self, path=str(path), agent=agent, seed=seed)
        super().__init__(env)
        self.path = Path(path)
        task = env.get_wrapper_attr("task")
        self._key = {
            "task": task.id,
            "task_fingerprint": task.fingerprint,
            "agent": agent,
            "seed": seed,
        }
        self._started = time.perf_counter()
        self._steps = 0  # since the last record
        self._append(None)

    def step(
        self, action: Actions
    ) -> tuple[Observations, SupportsFloat, bool, bool, dict[str, Any]]:
        """Take a step, and record the design if it finishes one.

        Args:
            action: Of the environment.

        Returns:
            Observation, reward, terminated, truncated, info.

        Raises:
            RunError: If the file cannot be written.
        """
        result = super().step(action)
        self._steps += 1
        outcome: Outcome | None = self.get_wrapper_attr("outcome")
        if outcome is not None:
            self._append(outcome)
        return result

    def _append(self, outcome: Outcome | None) -> None:
        """Write a record that counts on from the last one in the file; None looks only."""
        import fcntl  # not on Windows

        try:
            # Appended by the system itself, and unbuffered: one write is one line.
            with open_growing(self.path) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                last = self._last(file)
                if outcome is None:
                    return
                now = time.perf_counter()
                record = Record.of(
                    outcome,
                    agent=str(self._key["agent"]),
                    seed=int(self._key["seed"]),
                    evaluated_designs=last["evaluated_designs"] + 1,
                    env_steps=last["env_steps"] + self._steps,
                    wall_time_s=last["wall_time_s"] + now - self._started,
                )
                file.write(record.to_line().encode())
                self._started, self._steps = now, 0
        except OSError as error:
            raise RunError(f"Expected to write designs to {self.path}: {error}.") from error

    def _last(self, file: BinaryIO) -> dict[str, Any]:
        """Read the last record and check that it belongs to this run; counts of 0 if none."""
        line = _last_line(file, self.path)
        if not line:
            return {"evaluated_designs": 0, "env_steps": 0, "wall_time_s": 0.0}
        try:
            last: dict[str, Any] = parse_json(line.decode("utf-8"))
            key = {name: last[name] for name in self._key}
            for name in ("evaluated_designs", "env_steps", "wall_time_s"):
                last[name] += 0  # a number
        except (ValueError, KeyError, TypeError) as error:
            raise _foreign(self.path) from error
        if key != self._key:
            raise RunError(
                f"Expected designs of {self._key} in {self.path}, got some of {key}. Choose "
                "another file."
            )
        return last


def best_line(path: str | Path) -> str:
    """Find the best design that was recorded.

    Args:
        path: A file that `RecordDesigns` wrote.

    Returns:
        Its line, which alone in a file is what ``lrmp submit`` takes: that with the highest score;
        where none is within the allowed drop, that with the smallest drop. Of equals the first.

    Raises:
        RunError: If there is no design in the file.
    """
    try:
        lines = [f"{line}\n" for line in read_whole_lines(Path(path))]
        return max(lines, key=lambda line: _rank(parse_json(line)["claim"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"Expected recorded designs in {path}: {error!r}.") from error


def _rank(claim: dict[str, Any]) -> tuple[bool, float]:
    if claim["score"] is None:
        return False, -float(claim["accuracy_drop"])
    return True, float(claim["score"])


def _last_line(file: BinaryIO, path: Path) -> bytes:
    """Read the last line from the end, and remove what a crash has left behind it."""
    end, size = file.seek(0, os.SEEK_END), _READ_BYTES
    while True:
        start = max(0, end - size)
        file.seek(start)
        whole, _, rest = file.read(end - start).rpartition(b"\n")
        if start == 0 or b"\n" in whole:
            break
        size *= 4
    if rest:
        if not (rest.startswith(_LINE_START) or _LINE_START.startswith(rest)):
            raise _foreign(path)
        file.truncate(end - len(rest))
    return whole.rpartition(b"\n")[2]


def _foreign(path: Path) -> RunError:
    return RunError(f"Expected recorded designs in {path}, got other content. Choose another file.")
