"""The replication problem and its answer."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from operator import mul
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike

from lrmp.errors import InfeasibleBudgetError, SolverError
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.cost.cost_report import mean_interval
from lrmp.hardware.cost.mapping import ceil_div
from lrmp.hardware.frozen_arrays import FrozenArrays, IntArray, read_only
from lrmp.hardware.integers import as_integers
from lrmp.hardware.networks.shared_network import layers_of
from lrmp.hardware.short_repr import short_range, short_repr

ReplicationObjective = Literal[
    "latency", "throughput", "throughput_then_latency", "energy", "edp", "weighted_throughput"
]
EXACT_LIMIT = 2**62  # sums below it, and their differences, are exact in 64 bits


@lru_cache(maxsize=4096)
def useful_copies(units: int) -> IntArray:
    """List the copy counts that shorten a layer; any other equals one of them in cycles.

    Args:
        units: U, units of work that the copies share.

    Returns:
        Ascending counts r, from 1 to U, each the smallest with its value of ``ceil(U/r)``;
        about ``2 * sqrt(U)`` of them.
    """
    # Every value of ceil(U/r) is either ceil(U/r) for some r <= sqrt(U), or at most sqrt(U) + 1.
    total = np.array([units])
    small = np.arange(1, int(units**0.5) + 2)
    shares = np.concatenate([small, ceil_div(total, small)])
    return read_only(np.unique(ceil_div(total, shares)))


@lru_cache(maxsize=4096)
def _useful_counts(units: int) -> tuple[int, ...]:
    return tuple(useful_copies(units).tolist())


def posed_objective(cost_model: CostModel, objective: ReplicationObjective) -> ReplicationObjective:
    """Say what is minimised on a chip.

    Args:
        cost_model: Network and accelerator.
        objective: What is asked for.

    Returns:
        The same, but the latency for an interval on a time-multiplexed chip, where nothing is
        pipelined: the interval is the latency.
    """
    timed = objective in ("throughput", "throughput_then_latency")
    return "latency" if timed and cost_model.accelerator.is_time_multiplexed else objective


def networks_of(cost_model: CostModel, objective: ReplicationObjective) -> tuple[int, ...] | None:
    """Say which layers belong together, where the objective tells networks apart.

    Args:
        cost_model: Of one or several networks.
        objective: What is minimised.

    Returns:
        How many layers every network has; None where it plays no part.

    Raises:
        SolverError: If networks take turns on the tiles, so that none has an interval of its own.
    """
    if objective != "weighted_throughput":
        return None
    if cost_model.accelerator.is_time_multiplexed:
        raise SolverError(
            "Expected a chip whose weights are stationary for weighted throughput, got the "
            f"time-multiplexed {cost_model.accelerator.name!r}. Take throughput for rounds."
        )
    return cost_model.network.sizes


@dataclass(frozen=True, eq=False)
class ReplicationProblem(FrozenArrays):
    """Choose the copies of every layer so that they fit the budget and the objective is least.

    With r copies layer l takes ``ceil(units/r) * cycles_per_unit + fixed_cycles`` cycles and
    ``r * tiles`` tiles. What is minimised, always an integer:

    - ``"latency"``: the sum of the layers' cycles;
    - ``"throughput"``: the interval, the cycles between two images of a full pipeline: the largest
      of them, but no less than ``interval_at_least``;
    - ``"throughput_then_latency"``: the interval and, among equals, the sum;
    - ``"energy"``: the sum of the layers' energies, in femtojoules;
    - ``"edp"``: the energy-delay product, sum of energies times sum of cycles;
    - ``"weighted_throughput"``: of networks that run at intervals of their own, each that of its
      slowest layer, the ``mean_interval``.

    Attributes:
        tiles: Tiles of one copy, shape (L,), each at least 1; 0 for a layer computed off the
            crossbars or on tiles that layers take turns on, which has 1 unit and 1 copy.
        units: Units of work that the copies share, such as output positions, shape (L,), each at
            least 1.
        cycles_per_unit: Shape (L,), each at least 1.
        fixed_cycles: Cycles that copies do not shorten, shape (L,), each at least 0.
        least_cycles: Cycles that a layer takes however many copies it has, such as for its memory,
            shape (L,), each at least 0; None for no such.
        budget: Tiles on the chip.
        objective: What is minimised.
        energy_fj: For the objectives energy and edp, else None: for each layer its energy with
            each of ``useful_copies(units)``, in femtojoules, at least 0. Copies beyond the next
            useful count below are idle and cost nothing.
        most_copies: Copies that every layer may have at most, shape (L,), each at least 1; None
            for no limits.
        max_layer_cycles: Cycles that every layer and the interval may take at most, which is a
            floor on the throughput; None for no floor. Only for the objective latency, energy or
            edp.
        tied: Layers of the same number have the same copies, shape (L,); None if none are tied.
        least_interval: Cycles that the interval has whatever the copies, at least 0: those of a
            unit on which layers take turns, such as the digital one.
        shared_cycles: Cycles of every layer on a memory that all share, however many copies it has,
            shape (L,), each at least 0: the interval is no less than their sum; None for no such.
        networks: How many layers every network has, network after network; None for one network.
            Weighted throughput tells networks apart, and knows no limits and no shared unit.

    Raises:
        SolverError: If the arrays differ in shape, hold values out of range, sums overflow 64
            bits, or no copies bring every layer and the interval within ``max_layer_cycles``.
        InfeasibleBudgetError: If the fewest copies that are allowed do not fit.
    """

    tiles: IntArray
    units: IntArray
    cycles_per_unit: IntArray
    fixed_cycles: IntArray
    budget: int
    objective: ReplicationObjective
    energy_fj: tuple[IntArray, ...] | None = None
    most_copies: IntArray | None = None
    max_layer_cycles: int | None = None
    tied: IntArray | None = None
    least_interval: int = 0
    networks: tuple[int, ...] | None = None
    least_cycles: IntArray | None = None
    shared_cycles: IntArray | None = None

    def __post_init__(self) -> None:
        if self.objective not in get_args(ReplicationObjective):
            raise SolverError(
                f"Expected objective to be one of {', '.join(get_args(ReplicationObjective))}; "
                f"got {self.objective!r}."
            )
        arrays: list[tuple[str, int | None]] = [
            ("tiles", 0),
            ("units", 1),
            ("cycles_per_unit", 1),
            ("fixed_cycles", 0),
        ]
        arrays += [] if self.most_copies is None else [("most_copies", 1)]
        arrays += [] if self.tied is None else [("tied", None)]
        arrays += [] if self.least_cycles is None else [("least_cycles", 0)]
        arrays += [] if self.shared_cycles is None else [("shared_cycles", 0)]
        for name, least in arrays:
            object.__setattr__(self, name, self._per_layer(name, least))
        if (self.units > 1)[self.tiles == 0].any():
            raise SolverError(
                "Expected tiles of at least 1 for a layer of more than one unit, got 0. Give a "
                "layer that is computed off the crossbars one unit."
            )
        for number in ("budget", "least_interval"):
            object.__setattr__(self, number, _integer(number, getattr(self, number)))
        if self.least_interval < 0:
            raise SolverError(f"Expected least_interval of at least 0, got {self.least_interval}.")
        if self.max_layer_cycles is not None:
            self._check_floor()
        self._check_networks()
        self._check_energy()
        self._check_exactness()
        self._check_feasible()

    def __len__(self) -> int:
        return len(self.tiles)

    def __repr__(self) -> str:
        facts = f"{len(self)} layers", f"objective {self.objective}", f"budget {self.budget} tiles"
        return short_repr(self, *facts)

    @classmethod
    def of(
        cls,
        cost_model: CostModel,
        settings: ArrayLike,
        budget: int,
        objective: ReplicationObjective,
    ) -> Self:
        """Pose the problem that remains once the settings are chosen.

        On a time-multiplexed chip nothing remains: every layer has one copy (`CopyCosts`), and what
        is minimised is that of ``posed_objective``.

        Args:
            cost_model: Network and accelerator.
            settings: Places of the layers' values, shape (L, K).
            budget: Tiles on the chip.
            objective: What is minimised.

        Returns:
            The problem.

        Raises:
            DesignError: If the settings are out of range or of the wrong shape.
            InfeasibleBudgetError: If one copy of every layer does not fit.
            PresetError: If the objective needs energies that the accelerator does not give.
        """
        objective = posed_objective(cost_model, objective)
        costs = cost_model.copy_costs(settings)
        energy_fj = None
        if objective in ("energy", "edp") and costs.units.ndim == 1:
            copies = [useful_copies(units) for units in costs.units.tolist()]
            energy_fj = cost_model.copies_energy_fj(settings, copies)
        return cls(
            **costs._asdict(),
            budget=budget,
            objective=objective,
            energy_fj=energy_fj,
            least_interval=cost_model.least_interval,
            networks=networks_of(cost_model, objective),
            least_cycles=cost_model.least_cycles(settings),
            shared_cycles=cost_model.shared_cycles(settings),
        )

    @classmethod
    def together(cls, problems: Sequence[Self], rates: Sequence[int]) -> Self:
        """Pose the problem of several networks that share one chip.

        What is minimised is that of a round, in which every network runs as often as its rate says:
        sums of cycles and energies count every run, and a layer holds the pipeline up for those of
        all its runs. So with a rate of k a layer is one of k times the cycles and energy. On a unit
        on which layers take turns those of all networks do: their ``least_interval`` adds up.

        Args:
            problems: Of every network, with the budget and objective of all.
            rates: How often each network runs in a round, each at least 1.

        Returns:
            The problem of all layers, network after network.

        Raises:
            SolverError: If there is not one rate for each problem, they differ in budget or
                objective, one has ``max_layer_cycles``, or the arrays are out of range.
            InfeasibleBudgetError: If the fewest copies that are allowed do not fit together.
        """
        check_rates(problems, rates)
        if any(problem.max_layer_cycles is not None for problem in problems):
            raise SolverError(
                "Expected problems without max_layer_cycles, got some. Limit the cycles of a round "
                "in the problem of all."
            )
        rated = list(zip(problems, rates, strict=True))
        energies = [
            times(rate, layer) for problem, rate in rated for layer in problem.energy_fj or ()
        ]
        weighted = problems[0].objective == "weighted_throughput"
        most_copies = tied = None
        if any(problem.most_copies is not None for problem in problems):
            most_copies = np.concatenate(
                [
                    np.full(len(problem), problem.units.max())
                    if problem.most_copies is None
                    else problem.most_copies
                    for problem in problems
                ]
            )
        if any(problem.tied is not None for problem in problems):
            tied, ends = np.empty(sum(map(len, problems)), dtype=np.int64), 0
            for problem in problems:
                for block in problem.blocks:
                    tied[np.array(block) + ends] = block[0] + ends
                ends += len(problem)
        return cls(
            tiles=np.concatenate([problem.tiles for problem in problems]),
            units=np.concatenate([problem.units for problem in problems]),
            cycles_per_unit=np.concatenate([times(rate, p.cycles_per_unit) for p, rate in rated]),
            fixed_cycles=np.concatenate([times(rate, p.fixed_cycles) for p, rate in rated]),
            budget=problems[0].budget,
            objective=problems[0].objective,
            energy_fj=tuple(energies) or None,
            most_copies=most_copies,
            tied=tied,
            least_interval=sum(rate * problem.least_interval for problem, rate in rated),
            least_cycles=None
            if all(problem.least_cycles is None for problem in problems)
            else np.concatenate([times(rate, p.cycles_at_least) for p, rate in rated]),
            shared_cycles=None
            if all(problem.shared_cycles is None for problem in problems)
            else np.concatenate([times(rate, p.cycles_shared) for p, rate in rated]),
            networks=tuple(map(len, problems)) if weighted else None,
        )

    @cached_property
    def parts(self) -> tuple[slice, ...]:
        """The layers of every network."""
        return layers_of(self.networks or (len(self),))

    @cached_property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """Layers that are tied together, in the order of their first layers."""
        if self.tied is None:
            return tuple((layer,) for layer in range(len(self)))
        members: dict[int, list[int]] = {}
        for layer, label in enumerate(self.tied.tolist()):
            members.setdefault(label, []).append(layer)
        return tuple(map(tuple, members.values()))

    @cached_property
    def most_useful_copies(self) -> IntArray:
        """The most copies of every layer that are allowed and not all idle, shape (L,)."""
        if self.tied is None:
            if self.most_copies is None:
                return self.units
            return read_only(np.minimum(self.units, self.most_copies))
        copies = np.empty(len(self), dtype=np.int64)
        for block in map(list, self.blocks):
            limit = self.units[block].max()
            if self.most_copies is not None:
                limit = min(limit, self.most_copies[block].min())
            copies[block] = limit
        return read_only(copies)

    def layer_cycles(self, copies: IntArray) -> IntArray:
        """Count the cycles of every layer.

        Args:
            copies: Shape (L,), each at least 1.

        Returns:
            Cycles, shape (L,).
        """
        cycles = ceil_div(self.units, copies) * self.cycles_per_unit + self.fixed_cycles
        return cycles if self.least_cycles is None else np.maximum(cycles, self.least_cycles)

    @property
    def cycles_at_least(self) -> IntArray:
        """What every layer takes however many copies it has, shape (L,)."""
        none = np.zeros(len(self), dtype=np.int64)
        return none if self.least_cycles is None else self.least_cycles

    @property
    def cycles_shared(self) -> IntArray:
        """What every layer takes on a memory that all share, shape (L,)."""
        none = np.zeros(len(self), dtype=np.int64)
        return none if self.shared_cycles is None else self.shared_cycles

    @property
    def interval_at_least(self) -> int:
        """Cycles that the interval has whatever the copies: of what layers take turns on."""
        return max(self.least_interval, int(self.cycles_shared.sum()))

    def interval(self, copies: IntArray) -> int:
        """Count the cycles between two images of a full pipeline.

        Args:
            copies: Shape (L,), each at least 1.

        Returns:
            Cycles of the slowest layer, or ``interval_at_least`` if they are fewer.
        """
        return max(int(self.layer_cycles(copies).max()), self.interval_at_least)

    def energy_of(self, copies: IntArray) -> int:
        """Add up the energies of the layers.

        Args:
            copies: Shape (L,), each at least 1.

        Returns:
            Femtojoules.

        Raises:
            SolverError: If the problem has no energies.
        """
        if self.energy_fj is None:
            raise SolverError("Expected energy_fj in the problem, got None. Pose it with energies.")
        return sum(
            int(energies[bisect_right(_useful_counts(units), count) - 1])
            for energies, units, count in zip(
                self.energy_fj, self.units.tolist(), copies.tolist(), strict=True
            )
        )

    def cycles_and_energy(self, copies: IntArray) -> tuple[int, int]:
        """Return the two factors of the energy-delay product.

        Args:
            copies: Shape (L,), each at least 1.

        Returns:
            Cycles and femtojoules of all layers.

        Raises:
            SolverError: If the problem has no energies.
        """
        return int(self.layer_cycles(copies).sum()), self.energy_of(copies)

    def objective_value(self, copies: IntArray) -> int:
        """Return what is minimised.

        Args:
            copies: Shape (L,), each at least 1.

        Returns:
            Cycles, femtojoules or, for edp, their product; for weighted throughput billionths of a
            cycle. For throughput_then_latency the two
            in one number, ``interval * (latency with one copy each + 1) + latency``.
        """
        if self.objective == "energy":
            return self.energy_of(copies)
        if self.objective == "throughput":
            return self.interval(copies)
        if self.objective == "weighted_throughput":
            cycles = self.layer_cycles(copies)
            return mean_interval([int(cycles[own].max()) for own in self.parts])
        latency = int(self.layer_cycles(copies).sum())
        if self.objective == "latency":
            return latency
        if self.objective == "edp":
            return self.energy_of(copies) * latency
        return self.combine(self.interval(copies), latency)

    def combine(self, interval: int, latency: int) -> int:
        """Put the two parts of throughput_then_latency into one number of the same order.

        Args:
            interval: Cycles between two images.
            latency: Cycles of all layers.

        Returns:
            ``interval * (latency with one copy each + 1) + latency``.
        """
        ones = np.ones(len(self), dtype=np.int64)
        return interval * (int(self.layer_cycles(ones).sum()) + 1) + latency

    def fewest_copies(self, max_layer_cycles: int | None) -> list[int]:
        """Find the fewest copies with which no layer takes longer than a limit.

        Tied layers get what the neediest of them needs. Limits on copies are not looked at.

        Args:
            max_layer_cycles: Cycles of the limit, enough for a layer's last unit; or None.

        Returns:
            Copies of every layer, as Python integers: for a limit far too tight their tiles may
            exceed 64 bits.
        """
        if max_layer_cycles is None:
            return [1] * len(self)
        units_per_copy = (max_layer_cycles - self.fixed_cycles) // self.cycles_per_unit
        copies: list[int] = ceil_div(self.units, units_per_copy).tolist()
        if self.tied is not None:
            for block in self.blocks:
                most = max(copies[layer] for layer in block)
                for layer in block:
                    copies[layer] = most
        return copies

    def tiles_of(self, copies: Sequence[int]) -> int:
        """Add up the tiles of all copies.

        Args:
            copies: One integer per layer.

        Returns:
            Tiles, exact whatever their size.
        """
        return sum(map(mul, self.tiles.tolist(), map(int, copies)))

    def _key(self) -> tuple[Any, ...]:
        energy = None if self.energy_fj is None else tuple(e.tobytes() for e in self.energy_fj)
        return tuple(energy if value is self.energy_fj else value for value in super()._key())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for energies in self.energy_fj or ():
            energies.flags.writeable = False

    def _per_layer(self, name: str, least: int | None) -> IntArray:
        values = as_integers(name, getattr(self, name), SolverError)
        if values.ndim != 1 or values.size == 0 or values.shape != np.shape(self.tiles):
            raise SolverError(
                f"Expected {name} to hold one integer per layer, got shape {values.shape}."
            )
        if least is not None and (values < least).any():
            raise SolverError(f"Expected {name} of at least {least}, got {values.min()}.")
        return read_only(values)

    def _check_floor(self) -> None:
        object.__setattr__(
            self, "max_layer_cycles", _integer("max_layer_cycles", self.max_layer_cycles)
        )
        if self.objective in ("throughput", "throughput_then_latency"):
            raise SolverError(
                f"Expected no max_layer_cycles beside objective {self.objective}, got "
                f"{self.max_layer_cycles}. The objective minimises them itself."
            )

    def _check_networks(self) -> None:
        sizes = self.networks
        if sizes is not None:
            sizes = tuple(_integer("networks", size) for size in sizes)
            object.__setattr__(self, "networks", sizes)
            if sum(sizes) != len(self) or min(sizes, default=0) < 1:
                raise SolverError(
                    f"Expected networks to share out {len(self)} layers, at least 1 for each, got "
                    f"{sizes}."
                )
        if self.objective != "weighted_throughput":
            return
        memory = self.least_cycles, self.shared_cycles
        limits = self.most_copies, self.tied, self.max_layer_cycles, *memory
        if self.least_interval or any(limit is not None for limit in limits):
            raise SolverError(
                "Expected weighted throughput without limits on copies or cycles, without layers "
                "that wait for a memory and without layers that take turns on the digital unit, "
                "got some. Networks run at intervals of their own: take throughput for rounds in "
                "step."
            )

    def _check_energy(self) -> None:
        if (self.energy_fj is not None) != (self.objective in ("energy", "edp")):
            got = "none" if self.energy_fj is None else "some"
            raise SolverError(
                f"Expected energy_fj for the objectives energy and edp alone, got {got} for "
                f"{self.objective}."
            )
        if self.energy_fj is None:
            return
        if len(self.energy_fj) != len(self):
            raise SolverError(
                f"Expected energy_fj of {len(self)} layers, got {len(self.energy_fj)}."
            )
        checked = []
        for layer, (given, units) in enumerate(
            zip(self.energy_fj, self.units.tolist(), strict=True)
        ):
            energies = as_integers(f"energy_fj of layer {layer}", given, SolverError)
            if energies.shape != useful_copies(units).shape:
                raise SolverError(
                    f"Expected energy_fj of layer {layer} for {len(useful_copies(units))} useful "
                    f"copy counts, got shape {energies.shape}."
                )
            if (energies < 0).any():
                raise SolverError(f"Expected energy_fj of at least 0, got {energies.min()}.")
            checked.append(read_only(energies))
        object.__setattr__(self, "energy_fj", tuple(checked))
        total = sum(int(energies.max()) for energies in checked)
        if total >= EXACT_LIMIT:
            raise SolverError(
                "Expected a total energy below 2**62 femtojoules so that 64-bit sums are exact, "
                f"got {total}."
            )

    def _check_exactness(self) -> None:
        # Python's integers do not overflow: an honest check of what int64 will have to hold.
        tiles, units = self.tiles.tolist(), self.units.tolist()
        per_unit, fixed = self.cycles_per_unit.tolist(), self.fixed_cycles.tolist()
        least = self.cycles_at_least.tolist()
        cycles = sum(
            max(u * c + f, floor)
            for u, c, f, floor in zip(units, per_unit, fixed, least, strict=True)
        )
        most = max(
            sum(tiles[layer] for layer in block) * max(units[layer] for layer in block)
            for block in self.blocks
        )
        shared = sum(self.cycles_shared.tolist())
        largest = max(cycles, self.least_interval, shared, sum(tiles), most)
        if largest >= EXACT_LIMIT:
            raise SolverError(
                "Expected total cycles and tiles below 2**62 so that 64-bit sums are exact, "
                f"got {largest}."
            )

    def _check_feasible(self) -> None:
        if self.max_layer_cycles is not None:
            reachable = self.interval(self.most_useful_copies)
            if self.max_layer_cycles < reachable:
                raise SolverError(
                    f"Expected max_layer_cycles of at least {reachable}, which the most copies "
                    f"reach, got {self.max_layer_cycles}."
                )
        needed = self.tiles_of(self.fewest_copies(self.max_layer_cycles))
        if needed > self.budget:
            wanted = (
                "one copy of every layer"
                if self.max_layer_cycles is None
                else f"layers of at most {self.max_layer_cycles} cycles"
            )
            raise InfeasibleBudgetError(
                f"Expected a budget of at least {needed} tiles for {wanted}, got {self.budget}. "
                "Choose smaller settings or raise the budget."
            )


def check_rates(problems: Sequence[Any], rates: Sequence[int]) -> None:
    """Refuse problems of networks that cannot share a chip.

    Args:
        problems: Of every network, with budget and objective.
        rates: How often each network runs in a round.

    Raises:
        SolverError: If there is not one rate of at least 1 for each problem, or they differ in
            budget or objective.
    """
    if not problems or len(problems) != len(rates):
        raise SolverError(
            f"Expected at least one network and a rate for each, got {len(problems)} networks and "
            f"{len(rates)} rates."
        )
    for rate in rates:
        if type(rate) is not int or rate < 1:  # True is no rate
            raise SolverError(
                f"Expected whole rates of at least 1, got {rate!r}. Multiply fractions by their "
                "common denominator."
            )
    shared = {(problem.budget, problem.objective) for problem in problems}
    if len(shared) > 1:
        raise SolverError(
            f"Expected networks with the same budget and objective, got {sorted(shared)}. Give "
            "each the budget of the whole chip."
        )


def times(rate: int, costs: IntArray) -> IntArray:
    """Multiply costs by a rate, exactly.

    Args:
        rate: At least 1.
        costs: At least 0, any shape.

    Returns:
        The products, same shape.

    Raises:
        SolverError: If one does not fit 64 bits.
    """
    if rate * int(costs.max(initial=0)) >= EXACT_LIMIT:
        raise SolverError(
            f"Expected costs of a round below 2**62, got {costs.max()} at rate {rate}. Use larger "
            "units or lower rates."
        )
    return rate * costs


def _integer(name: str, value: Any) -> int:
    number = as_integers(name, value, SolverError)
    if number.ndim:
        raise SolverError(f"Expected {name} to be one integer, got shape {number.shape}.")
    return int(number)


@dataclass(frozen=True, eq=False)
class Replication(FrozenArrays):
    """Copies of every layer, with a proof of how good they are.

    Attributes:
        copies: Shape (L,), each at least 1; they fit the budget and the side constraints.
        objective_value: What the objective minimises: cycles, femtojoules or their product.
        lower_bound: No choice of copies has a smaller objective value than this.
        proven_optimal: Whether the bound is met.
        wall_time_s: Seconds the solver took; not part of equality.
    """

    copies: IntArray
    objective_value: int
    lower_bound: int
    proven_optimal: bool
    wall_time_s: float = field(compare=False)

    def __repr__(self) -> str:
        copies = [short_range("copies", self.copies)] if self.copies.size else []
        return short_repr(
            self,
            f"{self.copies.size} layers",
            *copies,
            f"objective value {self.objective_value}",
            f"lower bound {self.lower_bound}",
        )

    @classmethod
    def checked(
        cls,
        problem: ReplicationProblem,
        copies: IntArray,
        lower_bound: int | None,
        wall_time_s: float,
    ) -> Self:
        """Build an answer and verify it against the problem, whatever solver it came from.

        Args:
            problem: The problem that was solved.
            copies: Shape (L,).
            lower_bound: The solver's bound on the objective value; None if it is met.
            wall_time_s: Seconds the solver took.

        Returns:
            The answer, its objective value recomputed.

        Raises:
            SolverError: If the copies do not fit or break a side constraint, or the bound lies
                above the objective value: a fault of the solver.
        """
        if copies.shape != problem.tiles.shape or (copies < 1).any():
            raise SolverError(
                f"Expected at least one copy of each of {len(problem)} layers; the solver "
                f"returned {copies}."
            )
        value = problem.objective_value(copies)
        if lower_bound is None:
            lower_bound = value
        used = problem.tiles_of(copies.tolist())
        if used > problem.budget or lower_bound > value:
            raise SolverError(
                f"Expected copies within {problem.budget} tiles and a bound of at most "
                f"{value}; the solver returned {used} tiles and bound {lower_bound}."
            )
        if broken := _broken_constraint(problem, copies):
            raise SolverError(f"Expected {broken}; the solver returned {copies}.")
        return cls(
            copies=read_only(copies),
            objective_value=value,
            lower_bound=lower_bound,
            proven_optimal=lower_bound == value,
            wall_time_s=wall_time_s,
        )


def _broken_constraint(problem: ReplicationProblem, copies: IntArray) -> str | None:
    """Name the side constraint that the copies break, if any."""
    if problem.most_copies is not None and (copies > problem.most_copies).any():
        return f"at most {problem.most_copies} copies"
    limit = problem.max_layer_cycles
    if limit is not None and (problem.layer_cycles(copies) > limit).any():
        return f"layers of at most {limit} cycles"
    if problem.tied is not None and any(len(set(copies[list(b)])) > 1 for b in problem.blocks):
        return "tied layers to have the same copies"
    return None
