"""A record: what a run claims about its best design, as one line of JSON."""

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from operator import index
from typing import Any, Literal, Self

from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import score_text
from lrmp.envs.task.task import Task
from lrmp.envs.variant_choice.problem import load_problem
from lrmp.envs.variant_choice.problem_ids import VARIANT_PROBLEMS
from lrmp.errors import DesignError
from lrmp.hardware.short_repr import short_name, short_repr
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.knob import Value

SCHEMA_VERSION = 2

TrainedOn = Literal["this-task", "other-tasks"]


@dataclass(frozen=True)
class Claim:
    """The numbers that a replay recomputes.

    Attributes:
        score: What ranks the design, ``ranked_score``; None beyond the allowed drop.
        gain: Baseline / design, of what the task minimises.
        accuracy_drop: Percentage points against the float network, as searches see it.
        latency_cycles: Cycles of one inference.
        bottleneck_cycles: Cycles between two images of a full pipeline.
        tiles: Tiles held by all copies.
    """

    score: float | None
    gain: float
    accuracy_drop: float
    latency_cycles: int
    bottleneck_cycles: int
    tiles: int

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """Claim what an outcome shows.

        Args:
            outcome: A finished design.

        Returns:
            Its numbers.
        """
        return cls(
            score=outcome.score,
            gain=outcome.gain,
            accuracy_drop=outcome.accuracy_drop,
            latency_cycles=outcome.report.latency_cycles,
            bottleneck_cycles=outcome.report.bottleneck_cycles,
            tiles=outcome.report.tiles,
        )


@dataclass(frozen=True)
class Record:
    """The best design of one run, what it claims, and what finding it took.

    A record can be read without its task, which may be one that lrmp no longer has: its design is
    as it was written, and `design_for` a task.

    Attributes:
        task: Task id with version.
        task_fingerprint: SHA-256 of the task's definition where the run was made.
        agent: Name under which the run is ranked.
        seed: Seed of the run.
        design: What ``Design.to_json`` returns: by the name of a knob its value in every layer, and
            the copies as ``"replication"``.
        claim: Numbers that a replay recomputes.
        evaluated_designs: Designs scored before the run ended.
        env_steps: Environment steps taken; 0 for searches that score designs directly.
        wall_time_s: Seconds the run took.
        trained_on: ``"this-task"`` for a search on the task itself, ``"other-tasks"`` for an agent
            that had not seen it.
        code: Address of the code, or None.
        versions: Versions of lrmp, Python and the libraries that decide results.
        curve: How the best score rose: pairs of designs scored and the best score from there on;
            None where it was not recorded.
    """

    task: str
    task_fingerprint: str
    agent: str
    seed: int
    design: dict[str, list[Value]]
    claim: Claim
    evaluated_designs: int
    env_steps: int
    wall_time_s: float
    trained_on: TrainedOn
    code: str | None
    versions: dict[str, str]
    curve: list[list[float]] | None = None

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        *,
        agent: str,
        seed: int,
        evaluated_designs: int,
        env_steps: int,
        wall_time_s: float,
        trained_on: TrainedOn = "this-task",
        code: str | None = None,
    ) -> Self:
        """Write down an outcome.

        Args:
            outcome: The best design of the run.
            agent: Name under which the run is ranked.
            seed: Seed of the run, 0 or above.
            evaluated_designs: Designs scored before the run ended, at least 1.
            env_steps: Environment steps taken.
            wall_time_s: Seconds the run took.
            trained_on: Whether the agent was trained on this very task.
            code: Address of the code (https), or None.

        Returns:
            The record. Whether its values are in the ranges of the published schema is checked
            when it is replayed or submitted.
        """
        return cls(
            task=outcome.task.id,
            task_fingerprint=outcome.task.fingerprint,
            agent=agent,
            seed=index(seed),  # numpy's integers are no JSON
            design=outcome.design.to_json(),
            claim=Claim.of(outcome),
            evaluated_designs=index(evaluated_designs),
            env_steps=index(env_steps),
            wall_time_s=round(float(wall_time_s), 3),
            trained_on=trained_on,
            code=code,
            versions=dict(library_versions()),
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` returns.

        Args:
            data: Of the published schema; nothing is checked here.

        Returns:
            The record; its real numbers are floats, however they were written.
        """
        fields = {name: value for name, value in data.items() if name != "schema_version"}
        reals = {
            name: None if data["claim"][name] is None else float(data["claim"][name])
            for name in ("score", "gain", "accuracy_drop")
        }
        claim = Claim(**data["claim"] | reals)
        return cls(**fields | {"claim": claim, "wall_time_s": float(data["wall_time_s"])})

    def design_for(self, task: Task) -> Design:
        """Read the design as one of a task.

        Args:
            task: The record's task; of a problem with variants, the task of the record's variant.

        Returns:
            The design.

        Raises:
            DesignError: If it has other knobs or another number of layers than the task, a value
                that a layer may not have, or copies on a chip on which layers take turns.
        """
        names = [layer.name for layer in task.network.layers]
        # Where a variant is chosen, too, its knobs stand beside those of its task.
        of_variant = load_problem(self.task).space.names if self.task in VARIANT_PROBLEMS else ()
        values = {name: given for name, given in self.design.items() if name not in of_variant}
        design = Design.from_json(values, task.space, names)
        most = int(design.replication.max())
        if task.accelerator.is_time_multiplexed and most > 1:
            raise DesignError(
                f"Expected one copy of every layer of {task.id}, whose chip is time-multiplexed, "
                f"got {most} of one. Layers take turns on its tiles: leave the copies at 1."
            )
        return design

    def __repr__(self) -> str:
        return short_repr(
            self,
            short_name(self.task),
            f"agent {short_name(self.agent)}",
            f"seed {self.seed}",
            score_text(self.claim.score),
            f"{self.evaluated_designs:,} designs",
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, as the published schema describes them.

        Returns:
            A mapping that ``json.dumps`` accepts.
        """
        return {
            "schema_version": SCHEMA_VERSION,
            **vars(self),
            "design": {name: list(values) for name, values in self.design.items()},
            "claim": dict(vars(self.claim)),
            "versions": dict(self.versions),
            "curve": self.curve and [list(point) for point in self.curve],
        }

    def to_line(self) -> str:
        """Return the record as one line of JSON Lines, with a newline.

        Returns:
            Text; NaN and infinity raise ValueError, since they are no JSON.
        """
        return json.dumps(self.to_json(), allow_nan=False) + "\n"

    def agrees_with(self, claim: Claim) -> list[str]:
        """Compare the record's claim with a recomputed one.

        Args:
            claim: Recomputed numbers.

        Returns:
            One sentence per number that differs; integers must be equal, real numbers to 1e-9.
        """
        differences = []
        for name, recomputed in vars(claim).items():
            claimed = getattr(self.claim, name)
            if recomputed is None or claimed is None or isinstance(recomputed, int):
                equal = claimed == recomputed
            else:
                equal = math.isclose(claimed, recomputed, rel_tol=1e-9, abs_tol=1e-9)
            if not equal:
                # As the record says it: null, not None.
                expected, got = json.dumps(recomputed), json.dumps(claimed)
                differences.append(f"expected {name} {expected}, got {got}")
        return differences


@cache  # ten milliseconds, several times an episode
def library_versions() -> dict[str, str]:
    """Look up the versions that decide a result.

    Returns:
        Versions by name; libraries that are not installed are left out.
    """
    from importlib.metadata import PackageNotFoundError, version  # slow, and seldom needed

    versions = {"python": platform.python_version()}
    for name in ("lrmp", "gymnasium", "numpy", "ortools", "scikit-learn", "torch"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
