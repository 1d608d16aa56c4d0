"""A run of a round: designs go to the server, which scores and counts them."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.task.task import Task
from lrmp.errors import BoardError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import Design
from lrmp.leaderboard.client.connection import Connection
from lrmp.leaderboard.client.instance import read_instance
from lrmp.leaderboard.metered_answer import Answer

MOST_PER_REQUEST = 200


class BudgetSpentError(BoardError):
    """A run has had all its evaluations."""

    status = 409


class MeteredRun:
    """A run that the server has opened. It counts, finished or not.

    Whoever returns to a run may ask again what was asked before, in the same order: it is answered
    again and not counted. So a search that depends on its seed alone is resumed by starting it
    anew.

    Args:
        connection: With a token of the agent's team.
        run: What the server says of the run.

    Attributes:
        id: Names it.
        track: ``"search"`` or ``"zero-shot"``.
        number: Which of the agent's instances, from 0.
        instance: What the server tells of the instance.
        task: The same as a task whose accuracy is asked for.
        counted: How many evaluations it had when it was opened or returned to.
        budget: How many it may have.
        asked: How many were asked for here.
        state: ``"open"``, ``"finishing"`` or ``"finished"``.
    """

    def __init__(self, connection: Connection, run: dict[str, Any]) -> None:
        self._connection = connection
        self.id, self.track, self.state = str(run["id"]), str(run["track"]), str(run["state"])
        counts = (int(run[name]) for name in ("instance", "evaluations", "budget"))
        self.number, self.counted, self.budget = counts
        self.asked = 0
        self.instance = connection.get(f"/runs/{self.id}/instance")
        self.task: Task = read_instance(self.instance, self._drops)

    @classmethod
    def open(cls, connection: Connection, round_name: str, agent: str, key: str) -> "MeteredRun":
        """Open a run on the agent's next instance, or return to one.

        Args:
            connection: With a token of the agent's team.
            round_name: Of the round.
            agent: ``team/agent@version``.
            key: The same key of the same agent gives the same run again.

        Returns:
            The run.

        Raises:
            BoardError: If the round is over, or the agent has opened all its runs.
        """
        return cls(
            connection, connection.post("/runs", {"round": round_name, "agent": agent}, key=key)
        )

    @property
    def left(self) -> int:
        """How many evaluations are left."""
        return self.budget - self.asked

    def skip_counted(self) -> None:
        """Go on behind what was counted before, in place of asking it again."""
        self.asked = max(self.asked, self.counted)

    def evaluate(self, settings: IntArray) -> list[Answer]:
        """Have designs scored and counted.

        Args:
            settings: Places of values, shape (B, L, K).

        Returns:
            An answer each; without feedback none.

        Raises:
            BudgetSpentError: If there are more of them than evaluations left; those that are left
                are used up first.
            BoardError: If the server says no.
        """
        answers: list[Answer] = []
        done = 0
        while done < len(settings):
            if not self.left:
                raise BudgetSpentError(
                    f"Expected at most {self.budget} evaluations of a run, got another one. "
                    "Finish the run."
                )
            count = min(MOST_PER_REQUEST, len(settings) - done, self.left)
            if self.asked < self.counted:  # what was counted and what was not go apart
                count = min(count, self.counted - self.asked)
            part = settings[done : done + count]
            told = self._connection.post(
                f"/runs/{self.id}/evaluations",
                {"first": self.asked + 1, "designs": [self._document(each) for each in part]},
            )
            answers += _read_answers(told, 0 if self.track == "zero-shot" else count)
            self.asked += count
            done += count
        return answers

    def finish(self) -> None:
        """End the run; finishing it again changes nothing."""
        self.state = str(self._connection.post(f"/runs/{self.id}/finish")["state"])

    def _drops(self, settings: IntArray) -> NDArray[np.float64]:
        if self.track == "zero-shot":
            raise BoardError(
                "Expected a round of the track search for whoever looks at drops, got zero-shot, "
                "which tells nothing."
            )
        return np.array([answer.accuracy_drop for answer in self.evaluate(settings)])

    def _document(self, settings: IntArray) -> dict[str, list[Any]]:
        ones = np.ones(len(settings), dtype=np.int64)
        document = Design(self.task.space, np.array(settings), ones).to_json()
        del document["replication"]  # the oracle's
        return document


def _read_answers(told: Any, count: int) -> list[Answer]:
    names = [field.name for field in fields(Answer)]
    if not isinstance(told, Sequence) or len(told) != count:
        raise BoardError(f"Expected {count} answers of the board, got others.")
    try:
        return [Answer(**{name: each[name] for name in names}) for each in told]
    except (LookupError, TypeError) as error:
        raise BoardError(f"Expected answers with {', '.join(names)}, got others.") from error
