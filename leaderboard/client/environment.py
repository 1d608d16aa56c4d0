"""The hosted leaderboard as an environment: ``LRMP-Board-v0``."""

import secrets
from typing import Any, get_args

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.forms.action import ActionCode, Discrete
from lrmp.envs.forms.reset_options import check_no_options
from lrmp.envs.procedural.features import transfer_feature_names
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.observation import knob_features
from lrmp.envs.task.task import Task
from lrmp.errors import ActionError, BoardError, TaskError, unknown_name
from lrmp.hardware.space.precision import PRECISION
from lrmp.leaderboard.client.connection import Connection
from lrmp.leaderboard.client.credentials import connect
from lrmp.leaderboard.client.instance import read_features
from lrmp.leaderboard.client.metered_run import BudgetSpentError, MeteredRun
from lrmp.leaderboard.client.rounds import Track, open_round_of
from lrmp.leaderboard.metered_answer import Answer

Observation = NDArray[np.float32]
RUNNING = ("tiles", "cycles", "bottleneck")


class BoardEnv(gym.Env[Observation, Any]):
    """Choose settings layer by layer, for an instance that a board has drawn and scores.

    ## Description
    The first `reset` opens a run of a round: the board draws an instance from the round's secret
    and tells its network, chip, budget and design space, but not its accuracy. An episode chooses
    the setting of every layer, and its last step asks the board for the score: an evaluation. An
    opened run counts, whatever becomes of it. `reset` after that begins another design of the same
    run, up to the run's evaluations: 1,000 on the track `search`, 1 on `zero-shot`.

    Costs are computed here; the accuracy is known to the board alone, so that nothing of it is
    observed before the last step.

    ## Action Space
    That of `LayerwiseEnv` for bits: `Box(-1, 1, (2,), float32)`; `MultiDiscrete([7, 7])` with
    `discrete=True`; `Discrete(49)` with `discrete="flat"`.

    ## Observation Space
    `Box(0, 1, (n,), float32)`, the same for all instances: features of the layer to decide (those
    of `LRMP-Procedural-v0`; the harms on the track `zero-shot` alone), the setting before, and
    tiles, cycles and bottleneck so far, as in `LayerwiseEnv`. `feature_names` names them.

    ## Rewards
    At the last step the board's: `ln(gain)` within the allowed drop, less beyond it, as everywhere
    in lrmp. On the track `zero-shot` it is 0: nobody is told anything before the round closes.

    ## Starting State
    The first layer. The instance is the board's choice: `seed` has no influence on it.

    ## Episode End
    1. Termination: the last layer is decided.

    With its evaluations spent a run is finished. Then `reset` opens the next one, up to `runs`;
    after the last one `reset` opens nothing, so that vector environments may reset by themselves,
    and `step` raises `BudgetSpentError`: catch it around the training.

    ## Info
    | Key | Type | Meaning |
    | --- | --- | --- |
    | layer | int64 | the layer just decided; -1 at first |
    | run | int64 | which run of this environment, from 0 |
    | evaluations | int64 | designs of the run that the board has counted |
    | finished | bool | whether a design is finished |
    | scored | bool | whether the board has told its score: the following are 0 if not |
    | score | float64 | ln(gain); 0 beyond the allowed drop |
    | gain | float64 | baseline / design |
    | accuracy_drop | float64 | percentage points |
    | within_allowance | bool | whether the drop is allowed |

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `board` | `str` | | address of the board |
    | `agent` | `str` | | `team/agent@version`, which is registered there |
    | `track` | `str` | `"search"` | or `"zero-shot"` |
    | `round` | `str` or `None` | `None` | name of a round; None for the newest open one |
    | `runs` | `int` | `1` | how many runs it may open |
    | `key` | `str` or `None` | `None` | names the runs: the same key returns to them after a cut |
    | `token` | `str` or `None` | `None` | None for that of `lrmp login` or `LRMP_TOKEN` |
    | `discrete` | `bool` or `"flat"` | `False` | actions as places of values, or of settings |

    ## Registered Configurations
    `gym.make("lrmp.leaderboard.client.registration:LRMP-Board-v0", ...)`

    ## Version History
    - v0: first release.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  Gymnasium's way

    def __init__(
        self,
        board: str,
        agent: str,
        *,
        track: Track = "search",
        round: str | None = None,  # noqa: A002  the word it is
        runs: int = 1,
        key: str | None = None,
        token: str | None = None,
        discrete: Discrete = False,
        connection: Connection | None = None,
    ) -> None:
        if track not in get_args(Track):
            raise TaskError(unknown_name("track", track, get_args(Track)))
        if runs < 1:
            raise TaskError(f"Expected at least 1 run, got {runs!r}.")
        self.render_mode = None
        self.track: Track = track
        self.agent, self.runs = agent, runs
        self._round, self._key = round, key or secrets.token_hex(8)
        self._owns = connection is None
        self._connection = connection or (Connection(board, token) if token else connect(board))
        told = transfer_feature_names(PRECISION)
        self._told = tuple(n for n in told if track == "zero-shot" or "_harm_" not in n)
        previous = tuple(f"previous_{name}" for name in PRECISION.names)
        #: Of the observation's elements.
        self.feature_names = (*self._told, *previous, *RUNNING)
        self.observation_space = spaces.Box(0.0, 1.0, (len(self.feature_names),), np.float32)
        self._code = ActionCode(PRECISION.sizes, discrete)
        self.action_space = self._code.space
        #: The running run, or the last one; None before the first.
        self.run: MeteredRun | None = None
        self._opened = 0
        self._layer: int | None = None  # None: reset needed
        #: What the board has said of the last design; None before it, and where it says nothing.
        self.answer: Answer | None = None

    @property
    def task(self) -> Task:
        """The instance; its accuracy asks the board, and what it asks is counted.

        Raises:
            gymnasium.error.ResetNeeded: If no run was opened.
        """
        return self._running().task

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a design; open a run if there is none, or if the last one is over.

        Args:
            seed: Seeds ``np_random``, which is not used.
            options: None or empty; there are none.

        Returns:
            The first observation and its info.

        Raises:
            TaskError: If options are given.
            BoardError: If the board opens no run.
        """
        super().reset(seed=seed)
        check_no_options(options)
        if (self.run is None or not self.run.left) and self._opened < self.runs:
            self._open()
        self._layer, self.answer = 0, None
        self._settings = self._dynamics.plain.copy()
        return self._observe(0), self._info(-1)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Decide the setting of the next layer; the last one asks the board.

        Args:
            action: Of the action space.

        Returns:
            Observation, reward, terminated, truncated (always False), info.

        Raises:
            ActionError: If the action is not in the action space.
            BudgetSpentError: If all runs are over.
            BoardError: If the board cannot be reached, or says no; the step may be taken again.
            gymnasium.error.ResetNeeded: If the episode has ended or not begun.
        """
        run = self._running()
        if self._layer is None:
            raise gym.error.ResetNeeded("Expected reset() before step(): no episode is running.")
        if not run.left:
            raise BudgetSpentError(
                f"Expected an evaluation that is left, got none: all {self._opened} runs of this "
                "environment are over. Make another one with more runs."
            )
        setting = self._code.decode(action)
        if setting is None:
            raise ActionError(f"Expected an action in {self.action_space}, got {action!r}.")
        layer = self._layer
        self._settings[layer] = setting
        terminated, reward = layer + 1 == len(self._settings), 0.0
        if terminated:
            answers = run.evaluate(self._settings[None])
            self.answer = answers[0] if answers else None
            reward = self.answer.reward if self.answer else 0.0
            if not run.left:
                run.finish()
        self._layer = None if terminated else layer + 1
        return self._observe(layer + 1), reward, terminated, False, self._info(layer)

    def close(self) -> None:
        """Close the connection. The running run stays open, and may be returned to by its key."""
        if self._owns:
            self._connection.close()

    def _open(self) -> None:
        name = self._round or open_round_of(self._connection, self.track)["name"]
        run = MeteredRun.open(self._connection, name, self.agent, f"{self._key}-{self._opened}")
        if run.track != self.track or run.task.space != PRECISION:
            raise BoardError(
                f"Expected a round of the track {self.track} that turns bits, got {name} of the "
                f"track {run.track}. Name another round."
            )
        self._features = read_features(run.instance, self._told, len(run.task.network))
        self._dynamics = Dynamics(run.task)
        run.skip_counted()
        self.run, self._opened = run, self._opened + 1

    def _running(self) -> MeteredRun:
        if self.run is None:
            raise gym.error.ResetNeeded("Expected reset() first: no run was opened.")
        return self.run

    def _observe(self, layer: int) -> Observation:
        last = len(self._settings) - 1
        before = self._settings[max(layer - 1, 0)]
        tiles, cycles = self._dynamics.amounts(np.arange(last + 1), self._settings)
        totals = self._dynamics.totals(int(tiles.sum()), 0.0, int(cycles.sum()), int(cycles.max()))
        tiles_share, _, *times = totals  # what is spent of the accuracy is not known
        return np.concatenate(
            [
                self._features[min(layer, last)],
                knob_features(PRECISION, before),
                [tiles_share, *times],
            ]
        ).astype(np.float32)

    def _info(self, layer: int) -> dict[str, Any]:
        answer = self.answer
        return {
            "layer": np.int64(layer),
            "run": np.int64(self._opened - 1),
            "evaluations": np.int64(self._running().asked),
            "finished": np.array(self._layer is None),
            "scored": np.array(answer is not None),
            "score": np.float64(answer.score or 0.0 if answer else 0.0),
            "gain": np.float64(answer.gain if answer else 0.0),
            "accuracy_drop": np.float64(answer.accuracy_drop if answer else 0.0),
            "within_allowance": np.array(answer is not None and answer.score is not None),
        }
