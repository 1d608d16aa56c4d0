"""A round played: a run per instance, by an algorithm of lrmp's kind, or by any function."""

import contextlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lrmp.baselines.running import algorithms
from lrmp.baselines.running.algorithms import load_algorithm
from lrmp.baselines.running.command import parse_args
from lrmp.envs.scoring.own_function import find_function
from lrmp.errors import BoardError
from lrmp.leaderboard.client.connection import Connection
from lrmp.leaderboard.client.environment import BoardEnv
from lrmp.leaderboard.client.metered_run import BudgetSpentError, MeteredRun
from lrmp.leaderboard.client.rounds import Track


@dataclass(frozen=True)
class Played:
    """What became of a run.

    Attributes:
        number: Which of the agent's instances, from 0.
        run: Id of the run.
        evaluations: How many designs it had.
        state: ``"finishing"`` or ``"finished"``.
    """

    number: int
    run: str
    evaluations: int
    state: str


Progress = Callable[[Played], None]


def play_algorithm(
    connection: Connection,
    found_round: dict[str, Any],
    agent: str,
    algorithm: str,
    words: Sequence[str] = (),
    *,
    seed: int = 1,
    runs: int | None = None,
    evaluations: int | None = None,
    progress: Progress = lambda played: None,
) -> list[Played]:
    """Let an algorithm search every instance of a round of the track ``search``.

    It is given the instance as its task, whose accuracy the board tells. Begun again after a cut it
    starts every unfinished run anew from its seed: what was counted is answered again.

    Args:
        connection: With a token of the agent's team.
        found_round: What the board says of the round.
        agent: ``team/agent@version``.
        algorithm: As ``lrmp train`` takes it.
        words: Options of the algorithm, as on its command line.
        seed: Of the first run; the next ones count up.
        runs: How many runs; None for all that the round allows.
        evaluations: Designs of a run; None for all that the round allows.
        progress: Told of every run that is over.

    Returns:
        The runs.

    Raises:
        RunError: If there is no such algorithm.
        BoardError: If the round has no feedback, or the board says no.
    """
    if found_round["track"] != "search":
        raise BoardError(
            f"Expected a round of the track search for {algorithm}, got {found_round['name']} of "
            "the track zero-shot, which scores nothing while it is open. Play it with --play."
        )
    settings = parse_args(load_algorithm(algorithm).Args, words, prog=f"lrmp board run {algorithm}")
    played = []
    for number in range(_count(found_round, runs)):
        run = _open(connection, found_round, agent, number)
        if run.state == "open":
            with tempfile.TemporaryDirectory(prefix="lrmp-board-") as folder:
                changes = {"env_id": run.task, "runs_dir": Path(folder)}
                own = {"seed": seed + number, "evaluations": evaluations or run.budget}
                own = {name: value for name, value in own.items() if hasattr(settings, name)}
                with contextlib.suppress(BudgetSpentError):
                    algorithms.train(algorithm, replace(settings, **changes, **own), progress=False)
            run.finish()
        played.append(_told(run, progress))
    return played


def play_function(
    connection: Connection,
    found_round: dict[str, Any],
    agent: str,
    function: str,
    *,
    runs: int | None = None,
    progress: Progress = lambda played: None,
) -> list[Played]:
    """Let a function play every instance of a round as an environment.

    Args:
        connection: With a token of the agent's team.
        found_round: What the board says of the round.
        agent: ``team/agent@version``.
        function: ``package.module:function``, which takes a `BoardEnv` of one run and plays until
            it returns or the run is over; a run that it leaves is finished as it is.
        runs: How many runs; None for all that the round allows.
        progress: Told of every run that is over.

    Returns:
        The runs.

    Raises:
        TaskError: If there is no such function.
        BoardError: If the board says no.
    """
    play = find_function(function)
    track: Track = found_round["track"]
    played = []
    for number in range(_count(found_round, runs)):
        run = _open(connection, found_round, agent, number)
        if run.state == "open":
            env = BoardEnv(
                connection.address,
                agent,
                track=track,
                round=found_round["name"],
                key=_key(found_round, number),
                connection=connection,
            )
            with contextlib.suppress(BudgetSpentError):
                play(env)
            run = env.run or run
            run.finish()
        played.append(_told(run, progress))
    return played


def _count(found_round: dict[str, Any], runs: int | None) -> int:
    most: int = found_round["instances"]
    if runs is not None and not 1 <= runs <= most:
        raise BoardError(f"Expected 1 to {most} runs in {found_round['name']}, got {runs}.")
    return runs or most


def _key(found_round: dict[str, Any], number: int) -> str:
    return f"{found_round['name']}.{number}"


def _open(
    connection: Connection, found_round: dict[str, Any], agent: str, number: int
) -> MeteredRun:
    # The environment counts its own runs behind the key.
    return MeteredRun.open(connection, found_round["name"], agent, f"{_key(found_round, number)}-0")


def _told(run: MeteredRun, progress: Progress) -> Played:
    played = Played(run.number, run.id, max(run.asked, run.counted), run.state)
    progress(played)
    return played
