"""HAWQ-V3's integer program over settings: ``python -m lrmp.baselines.searchers.hawq_ilp``.

HAWQ-V3 (Yao et al., ICML 2021, arXiv 2011.10680) chooses the bits of all layers by one integer
linear program over sensitivities and costs that add up by layer. Here: the least cost with one copy
of every layer whose accuracy terms sum up to what the allowed drop permits. The program knows
nothing of copies; the oracle places them afterwards, in the one design that is scored. What that
loses against choosing settings and copies together is what this baseline shows.

Cost is the number of bit operations (HAWQ-V3's measure: MACs x weight bits x activation bits), as
the crossbars compute in a setting; the cycles of one copy (HAWQ-V3's latency); or, which is no part
of HAWQ-V3, ``tile-time``: the sum over layers of sqrt(tiles x cycles). Were copies divisible, the
best ones would take time proportional to the square of that sum, so that it looks ahead to the
oracle.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lrmp.baselines.running.command import run_command
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.baselines.searchers.search import Proposals, run_searcher
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.task.additive_table import additive_table
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import RunError, SolverError, unknown_name
from lrmp.hardware.cost.cost_model import CostModel

Cost = Literal["bit-operations", "cycles", "tile-time"]

AGENT = "hawq-ilp"
NEEDS_TABLE = True
COST_UNITS = 2**24  # the costs of a layer are rounded to so many parts of the plain design's cost
TERM_UNITS = 2**24  # accuracy terms are rounded up to so many parts of what is allowed
DETERMINISTIC_LIMIT = 20.0  # CP-SAT's deterministic seconds; ResNet-101 takes below 10


@dataclass(frozen=True)
class Args:
    """HAWQ-V3's integer program over settings, then the oracle."""

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml); its accuracy must be a table"""
    cost: Cost = "bit-operations"
    """what the program minimises"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__hawq-ilp__0, or ...__hawq-ilp-COST__0"""

    def __post_init__(self) -> None:
        if self.cost not in get_args(Cost):
            raise RunError(unknown_name("cost", self.cost, get_args(Cost)))

    @property
    def agent(self) -> str:
        """Name under which the run is ranked."""
        return AGENT if self.cost == "bit-operations" else f"{AGENT}-{self.cost}"


def propose(task: TaskLike, args: Args) -> Proposals:
    """Solve the program.

    Args:
        task: What is searched.
        args: Settings.

    Yields:
        Its answer, shape (1, L, K).
    """
    task = find_task(task)
    from ortools.sat.python import cp_model

    table, dynamics = additive_table(task), Dynamics(task)
    space, layers = task.space, len(dynamics)
    settings = np.repeat(space.settings[:, None], layers, axis=1)
    allows = space.allows(settings)
    # Shape (S, L).
    if args.cost == "bit-operations":
        costs = bit_operations(task.cost_model)
    else:
        tiles, cycles = dynamics.amounts(np.arange(layers), settings)
        costs = cycles.astype(np.float64) if args.cost == "cycles" else np.sqrt(tiles * cycles)
    terms: NDArray[np.float64] = sum(table.term_values(settings))  # type: ignore[assignment]
    plain = int(np.flatnonzero((space.settings == space.plain).all(axis=1))[0])
    allowed = table.drop_map.threshold(task.allowed_drop) - terms[plain].sum()

    model = cp_model.CpModel()
    chosen, options, cost_units, term_units = [], [], [], []
    for layer in range(layers):
        cost = np.rint(costs[:, layer] / costs[plain].sum() * COST_UNITS).astype(np.int64)
        term = np.ceil((terms[:, layer] - terms[plain, layer]) / allowed * TERM_UNITS)
        # Cheapest first; of these, the ones that spend less accuracy than all before them.
        order = np.lexsort((term, cost))
        order = order[allows[order, layer]]
        before = np.minimum.accumulate(np.append(np.inf, term[order]))[:-1]
        kept = order[(term[order] < before) & (term[order] <= TERM_UNITS)]
        variables = [model.new_bool_var("x") for _ in kept]
        model.add_exactly_one(variables)
        chosen += variables
        options += [(layer, int(setting)) for setting in kept]
        cost_units += cost[kept].tolist()
        term_units += term[kept].astype(np.int64).tolist()
    model.add(cp_model.LinearExpr.weighted_sum(chosen, term_units) <= TERM_UNITS)
    model.minimize(cp_model.LinearExpr.weighted_sum(chosen, cost_units))

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = DETERMINISTIC_LIMIT
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        raise SolverError(
            f"Expected settings for {task.id} within a drop of {task.allowed_drop} points, got "
            f"{solver.status_name(status)}. Choose another search."
        )
    design = np.empty((layers, len(space)), dtype=np.int64)
    for variable, (layer, setting) in zip(chosen, options, strict=True):
        if solver.boolean_value(variable):
            design[layer] = space.settings[setting]
    yield design[None]


def bit_operations(model: CostModel) -> NDArray[np.float64]:
    """Count the bit operations of every layer.

    Args:
        model: Of the task.

    Returns:
        MACs x weight bits x activation bits x reads for every setting, shape (S, L).
    """
    found, layers = model.computation, len(model.network)
    macs = found.rows * found.columns * model.network.positions
    operations = macs * found.weight_bits * found.activation_bits * found.reads
    full = np.broadcast_to(operations, (*model.space.sizes, layers))
    return full.reshape(-1, layers).astype(np.float64)


def train(args: Args, *, progress: bool = True) -> RunDirectory:
    """Search one task.

    Args:
        args: Settings.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory.

    Raises:
        RunError: If the accuracy of the task is no table.
    """
    return run_searcher(args.agent, args, propose, 1, progress=progress, needs_table=NEEDS_TABLE)


def main() -> None:
    """Search from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
