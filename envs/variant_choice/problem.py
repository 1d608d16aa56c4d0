"""A problem with variants: a task for every one in question, scored on one scale."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import Measured, RewardName, reward_function
from lrmp.envs.task.task import Task
from lrmp.envs.variant_choice.problem_ids import VARIANT_PROBLEMS, ProblemObjective
from lrmp.errors import TaskError, unknown_name
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace

if TYPE_CHECKING:
    from lrmp.envs.variant_choice.best_variant import BestVariant

#: Variants whose tasks and rules are kept: all chips of a problem, not all widths of a network.
REMEMBERED = 512


@dataclass(frozen=True)
class VariantProblem(ABC):
    """Choose a variant once for the whole design, a chip or a narrower network, then its settings.

    Of every variant that counts there is a `Task`. The score of a design is
    ``ln(baseline / cost)``, where the baseline is the plain design of the plain variant: the score
    in the variant's own task and an `offset`.

    Attributes:
        id: Of the environment.
        network: Name of what runs.
        objective: What is minimised.
        noun: What a variant is, in a word for people.
        prefix: Of the keys that name the values of its knobs in infos.
    """

    id: str
    network: str
    objective: ProblemObjective

    noun: ClassVar[str]
    prefix: ClassVar[str]

    @property
    @abstractmethod
    def space(self) -> DesignSpace:
        """The K0 knobs of a variant."""

    @property
    @abstractmethod
    def requirement(self) -> str:
        """What a variant has to be to count, as messages say it."""

    @cached_property
    @abstractmethod
    def plain_task(self) -> Task:
        """The task of the plain variant."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many variants count, V."""

    @abstractmethod
    def setting(self, number: int) -> IntArray:
        """Return a variant.

        Args:
            number: Less than V.

        Returns:
            Places of values in `space`, shape (K0,).
        """

    @abstractmethod
    def number_of(self, setting: IntArray) -> int | None:
        """Find a variant.

        Args:
            setting: Places of values in `space`, shape (K0,).

        Returns:
            Its number; None if it does not count, as the plain one always does.
        """

    @abstractmethod
    def nearest(self, setting: IntArray) -> int:
        """Find a variant, or the one most like it that counts.

        Args:
            setting: Places of values in `space`, shape (K0,).

        Returns:
            Its number.
        """

    @cached_property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of the definition: the objective and the tasks of all variants."""

    @abstractmethod
    def build_task(self, number: int) -> Task:
        """Build the task of a variant that is not the plain one.

        Args:
            number: Less than V.

        Returns:
            A new one, whose id begins with that of the problem.
        """

    def info(self, number: int) -> dict[str, Any]:
        """Return what infos say of a variant beside the values of its knobs.

        Args:
            number: Less than V.

        Returns:
            Scalars of NumPy by key, the same keys and types for all.
        """
        return {}

    def on_network(self, number: int, design: Design) -> tuple[Network, Design]:
        """Say what is run to measure a design.

        Args:
            number: Of its variant.
            design: In the task of the variant.

        Returns:
            The network whose weights are known, and a design of it; here those of the task.
        """
        return self.task(number).network, design

    def search(self, log: Callable[[str], None]) -> "BestVariant":
        """Find the best variant and design: here all variants, one by one.

        Args:
            log: Called with lines on what was found.

        Returns:
            The best, with bounds on all.
        """
        # Whoever plays a problem needs no solver.
        from lrmp.envs.variant_choice.best_variant import search_by_bounds

        return search_by_bounds(self, [math.inf] * self.count, log)

    def constants(self) -> Iterable[int]:
        """List the variants that a constant, one setting for all layers, is sought with.

        Returns:
            Numbers; of all variants.
        """
        return range(self.count)

    @cached_property
    def plain_variant(self) -> int:
        """The number of the plain variant."""
        number = self.number_of(self.space.plain)
        assert number is not None
        return number

    def values(self, number: int) -> dict[str, int]:
        """Return the values of a variant's knobs.

        Args:
            number: Less than V.

        Returns:
            By name.
        """
        decoded = self.space.decode(self.setting(number))
        return {name: int(value) for name, value in decoded.items()}

    def task(self, number: int) -> Task:
        """Return the task of a variant.

        Args:
            number: Less than V.

        Returns:
            The same object again.
        """
        return self.plain_task if number == self.plain_variant else _built_task(self, number)

    def plain_cost(self, number: int) -> int:
        """Return the cost of a variant's plain design.

        Args:
            number: Less than V.

        Returns:
            What is minimised, in a unit that is the same for all variants.
        """
        task = self.task(number)
        return task.cost_model.baseline.cost(task.objective)

    def offset(self, number: int) -> float:
        """Return what the score on this scale has beyond the score in the variant's own task.

        Args:
            number: Less than V.

        Returns:
            The logarithm of the plain variant's `plain_cost` over that of this one; 0 for the plain
            one.
        """
        if number == self.plain_variant:
            return 0.0
        return math.log(self.plain_cost(self.plain_variant) / self.plain_cost(number))

    def score(self, number: int, outcome: Outcome) -> float | None:
        """Score a design.

        Args:
            number: Of its variant.
            outcome: In the task of the variant.

        Returns:
            ``ln(baseline / cost)``; None beyond the allowed drop.
        """
        return None if outcome.score is None else outcome.score + self.offset(number)

    def reward(self, number: int, outcome: Outcome, reward: RewardName = "lrmp") -> float:
        """Reward a design by a formula, which sees its gain over the plain design of the plain one.

        Args:
            number: Of its variant.
            outcome: In the task of the variant.
            reward: Which formula.

        Returns:
            The reward.
        """
        gain = outcome.gain * math.exp(self.offset(number))
        excess = outcome.task.allowance.excess(outcome.divergence)
        measured = Measured(gain, excess, outcome.accuracy_drop, outcome.task.allowed_drop)
        return reward_function(reward)(measured)

    def to_json(self) -> dict[str, Any]:
        """Return what the problem is, in few plain JSON values, as `Task.to_json` does.

        Returns:
            A mapping; ``fingerprint`` covers the whole definition.
        """
        plain = self.plain_task.to_json()
        return plain | {
            "id": self.id,
            "objective": self.objective,
            "knobs": [*self.space.names, *plain["knobs"]],
        }


@lru_cache(REMEMBERED)
def _built_task(problem: VariantProblem, number: int) -> Task:
    return problem.build_task(number)


@cache
def load_problem(env_id: str) -> VariantProblem:
    """Look up a problem.

    Args:
        env_id: Such as ``"LRMP-LeNet-Chip-v0"``, or that of the one-shot form.

    Returns:
        The problem, of its kind's class; the same object for the same id.

    Raises:
        TaskError: If there is none.
    """
    plain = env_id.removeprefix("lrmp:").replace("-OneShot-", "-")
    if plain not in VARIANT_PROBLEMS:
        raise TaskError(unknown_name("problem", env_id, VARIANT_PROBLEMS, like=plain))
    if plain != env_id:
        return load_problem(plain)
    kind, network, objective, _ = VARIANT_PROBLEMS[plain]
    module = import_module(f"lrmp.envs.variant_choice.{kind}_problem")
    problem: VariantProblem = getattr(module, f"{kind.capitalize()}Problem")(
        plain, network, objective
    )
    return problem
