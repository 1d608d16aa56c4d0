"""Joint problems with a hard limit on accuracy as mixed-integer programs, for other solvers."""

from dataclasses import dataclass

import numpy as np

from lrmp.solvers.joint.options import JointOptions


@dataclass(frozen=True)
class Program:
    """Minimise ``cost @ x`` over 0/1 vectors: one option per layer, two budgets; or the slowest.

    Attributes:
        options: One variable per option.
        cost: What is minimised; for throughput what no layer's option may exceed.
        terms: Accuracy terms of every option, as shares of the limit.
        budget: Tiles.
        slowest: Whether the largest cost counts instead of the sum.
    """

    options: JointOptions
    cost: np.ndarray
    terms: np.ndarray
    budget: int
    slowest: bool

    @classmethod
    def of(cls, problem, limit):
        options = JointOptions.of(problem)
        cost = options.energy_fj if problem.objective == "energy" else options.cycles
        terms = problem.terms[options.layer, options.setting] / limit
        kept = np.flatnonzero(terms <= 1)
        options = options.only(kept)
        return cls(
            options,
            cost[kept].astype(float),
            terms[kept],
            problem.budget,
            problem.objective == "throughput",
        )

    def of_layer(self, layer):
        return np.flatnonzero(self.options.layer == layer)

    def worth(self, chosen):
        """Cost and accuracy share of one option per layer; the budget is asserted."""
        assert self.options.tiles[chosen].sum() <= self.budget
        costs = self.cost[chosen]
        return (costs.max() if self.slowest else costs.sum()), self.terms[chosen].sum()


def solve_highs(program, time_limit=None):
    """Solve with HiGHS; return the chosen options, shape (L,), and the seconds of the solve."""
    import time

    import highspy

    highs = highspy.Highs()
    highs.silent()
    highs.setOptionValue("mip_rel_gap", 1e-9)
    highs.setOptionValue("mip_feasibility_tolerance", 1e-9)
    highs.setOptionValue("primal_feasibility_tolerance", 1e-9)
    highs.setOptionValue("threads", 1)
    if time_limit is not None:
        highs.setOptionValue("time_limit", float(time_limit))
    scale = program.cost.max()
    count, layers = len(program.cost), len(program.options.first)
    ones, inf = np.ones(count), highspy.kHighsInf
    cost = np.zeros(count) if program.slowest else program.cost / scale
    empty = np.zeros(0, np.int32)
    highs.addCols(count, cost, 0 * ones, ones, 0, empty, empty, np.zeros(0))
    highs.changeColsIntegrality(
        count, np.arange(count, dtype=np.int32), np.array([highspy.HighsVarType.kInteger] * count)
    )
    if program.slowest:
        highs.addCol(1.0, 0.0, inf, 0, empty, np.zeros(0))
    every = np.arange(count, dtype=np.int32)
    highs.addRow(-inf, float(program.budget), count, every, program.options.tiles)
    highs.addRow(-inf, 1000.0, count, every, 1000 * program.terms)
    for layer in range(layers):
        mine = program.of_layer(layer).astype(np.int32)
        highs.addRow(1.0, 1.0, len(mine), mine, np.ones(len(mine)))
        if program.slowest:
            columns = np.append(mine, count).astype(np.int32)
            highs.addRow(
                -inf, 0.0, len(columns), columns, np.append(program.cost[mine] / scale, -1)
            )
    start = time.process_time()
    highs.run()
    seconds = time.process_time() - start
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None, seconds
    values = np.array(highs.getSolution().col_value)[:count]
    return np.array([m[values[m].argmax()] for m in map(program.of_layer, range(layers))]), seconds


def solve_scip(program, time_limit=None):
    """Solve with SCIP; return the chosen options, shape (L,), and the seconds of the solve."""
    import time

    from ortools.linear_solver import pywraplp

    solver = pywraplp.Solver.CreateSolver("SCIP")
    if time_limit is not None:
        solver.SetTimeLimit(int(1000 * time_limit))
    scale = program.cost.max()
    x = [solver.BoolVar("") for _ in program.cost]
    layers = len(program.options.first)
    tiles = solver.Constraint(-solver.infinity(), float(program.budget))
    terms = solver.Constraint(-solver.infinity(), 1000.0)
    objective = solver.Objective()
    slowest = solver.NumVar(0, solver.infinity(), "") if program.slowest else None
    for variable, t, s, c in zip(
        x, program.options.tiles, program.terms, program.cost / scale, strict=True
    ):
        tiles.SetCoefficient(variable, float(t))
        terms.SetCoefficient(variable, float(1000 * s))
        if slowest is None:
            objective.SetCoefficient(variable, float(c))
    if slowest is not None:
        objective.SetCoefficient(slowest, 1.0)
    for layer in range(layers):
        one = solver.Constraint(1, 1)
        within = None if slowest is None else solver.Constraint(-solver.infinity(), 0)
        for option in program.of_layer(layer).tolist():
            one.SetCoefficient(x[option], 1)
            if within is not None:
                within.SetCoefficient(x[option], float(program.cost[option] / scale))
        if within is not None:
            within.SetCoefficient(slowest, -1)
    objective.SetMinimization()
    parameters = pywraplp.MPSolverParameters()
    parameters.SetDoubleParam(pywraplp.MPSolverParameters.RELATIVE_MIP_GAP, 1e-9)
    start = time.process_time()
    status = solver.Solve(parameters)
    seconds = time.process_time() - start
    if status != pywraplp.Solver.OPTIMAL:
        return None, seconds
    values = np.array([variable.solution_value() for variable in x])
    return np.array([m[values[m].argmax()] for m in map(program.of_layer, range(layers))]), seconds
