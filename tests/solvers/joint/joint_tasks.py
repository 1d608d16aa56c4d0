"""Random joint problems, small enough to try every design, and every design of them."""

import math
from dataclasses import replace

import numpy as np

from lrmp.solvers import ReplicationProblem, useful_copies
from lrmp.solvers.joint.accuracy_terms import AccuracyTerms
from lrmp.solvers.joint.problem import JointProblem

OBJECTIVES = ("latency", "energy", "throughput", "edp")
#: By name: penalties of a sum of terms, for a scale of sums. Some bend, jump, saturate or forbid.
PENALTIES = {
    "points": lambda s, scale: np.maximum(0.0, s / scale - 0.3),
    "steep": lambda s, scale: 50 * np.maximum(0.0, s / scale - 0.3),
    "saturating": lambda s, scale: np.maximum(0.0, -20 * np.expm1(-np.maximum(s, 0) / scale) - 3),
    "steps": lambda s, scale: np.floor(4 * np.maximum(s, 0) / scale) / 2,
    "plateau": lambda s, scale: np.where(
        s <= 0.1 * scale, 0.0, 0.15 + 5 * np.maximum(0.0, s / scale - 0.5)
    ),
    "nothing": lambda s, scale: 0.0 * s,
    "everything": lambda s, scale: 0.3 + np.maximum(0.0, s / scale),
    "limit": lambda s, scale: np.where(s <= 0.4 * scale, 0.0, np.inf),
}
#: Tables as users write them.
TABLES = ("falling", "any", "flat", "nearly flat", "sentinels", "duplicated", "shifted", "decimal")


def random_terms(rng, kind, layers, settings):
    terms = rng.gamma(0.5, 1.0, (layers, settings))
    if kind == "falling":
        terms = -np.sort(-terms, axis=1)
    elif kind == "flat":
        terms = np.repeat(np.round(rng.random((layers, 1)), 3), settings, axis=1)
    elif kind == "nearly flat":
        terms = rng.random((layers, 1)) + 1e-13 * terms
    elif kind == "sentinels":
        terms[rng.random(terms.shape) < 0.3] = 10.0 ** rng.integers(3, 280)
        terms[:, -1] = 0.0
    elif kind == "duplicated":
        terms[:, 1::2] = terms[:, : settings - 1 : 2][:, : terms[:, 1::2].shape[1]]
    elif kind == "shifted":
        terms += rng.normal(0, 100, (layers, 1))
    elif kind == "decimal":
        terms = np.round(terms, 1)
    return terms


def random_problem(
    seed, objective=None, penalty=None, table=None, *, layers=None, settings=None, most_units=None
):
    """Draw a problem, small enough to try every design unless told otherwise."""
    rng = np.random.default_rng(seed)
    objective = objective or OBJECTIVES[rng.integers(len(OBJECTIVES))]
    penalty = penalty or list(PENALTIES)[rng.integers(len(PENALTIES))]
    table = table or TABLES[rng.integers(len(TABLES))]
    layers, settings = layers or int(rng.integers(1, 5)), settings or int(rng.integers(1, 7))
    most_units = most_units or {1: 40, 2: 30, 3: 12, 4: 5}.get(layers, 60)
    units = rng.integers(1, most_units + 1, layers)
    tiles = rng.integers(1, 9, (layers, settings))
    cycles = rng.integers(1, 60, (layers, settings))
    fixed = rng.integers(0, 30, (layers, settings)) * rng.integers(0, 2)
    energies = [
        [rng.integers(1, 10**6, len(useful_copies(u))) for _ in range(settings)]
        for u in units.tolist()
    ]
    terms = random_terms(rng, table, layers, settings)
    base = terms.min(axis=1).sum()
    scale = float(np.median(terms.sum(axis=0) - base)) or 1.0
    unit = 10.0 ** rng.integers(-12, 13)
    rows = np.arange(layers)

    def pose(chosen, budget):
        return ReplicationProblem(
            tiles=tiles[rows, chosen],
            units=units,
            cycles_per_unit=cycles[rows, chosen],
            fixed_cycles=fixed[rows, chosen],
            budget=budget,
            objective=objective,
            energy_fj=tuple(energies[layer][s] for layer, s in enumerate(chosen.tolist()))
            if objective in ("energy", "edp")
            else None,
        )

    return JointProblem(
        pose=pose,
        budget=int(tiles.min(axis=1).sum() + rng.integers(0, 40)),
        objective=objective,
        baseline=int(rng.integers(10**4, 10**6)),
        accuracy=(
            AccuracyTerms(terms * unit, lambda sums: PENALTIES[penalty](sums / unit - base, scale)),
        ),
    )


def rephrased(problem, *, terms=None, penalty=None, **changes):
    """Replace fields of a problem of one network, or of its accuracy."""
    (accuracy,) = problem.accuracy
    accuracy = replace(
        accuracy,
        terms=accuracy.terms if terms is None else terms,
        penalty=penalty or accuracy.penalty,
    )
    return replace(problem, accuracy=(accuracy,), **changes)


def together(problems, rates, *, budget, baseline=10**6, least_interval=0):
    """Put networks on one chip; each is a problem of its own, whose budget plays no part."""
    ends = np.cumsum([0, *(len(problem.terms) for problem in problems)])

    def pose(settings, budget):
        parts = np.split(settings, ends[1:-1])
        posed = [p.pose(part, budget) for p, part in zip(problems, parts, strict=True)]
        return replace(ReplicationProblem.together(posed, rates), least_interval=least_interval)

    return JointProblem(
        pose=pose,
        budget=budget,
        objective=problems[0].objective,
        baseline=baseline,
        accuracy=sum((problem.accuracy for problem in problems), start=()),
    )


def random_networks(seed, objective=None, penalties=None, networks=None, table=None):
    """Draw networks of two or three layers, with their rates and a budget for all.

    Returns:
        Their problems, the rates, and the budget.
    """
    rng = np.random.default_rng(seed)
    networks = networks or int(rng.integers(2, 4))
    objective = objective or OBJECTIVES[rng.integers(len(OBJECTIVES))]
    settings = int(rng.integers(2, 4 if networks == 2 else 3))
    problems = []
    for n in range(networks):
        penalty = penalties[n % len(penalties)] if penalties else None
        problems.append(
            random_problem(
                [*np.atleast_1d(seed), n],
                objective,
                penalty,
                table,
                layers=int(rng.integers(2, 4)),
                settings=settings,
                most_units=3 if networks == 2 else 2,
            )
        )
    rates = [int(rate) for rate in rng.integers(1, 6, networks)]
    least = sum(int(problem.tiles.min(axis=1).sum()) for problem in problems)
    return problems, rates, least + int(rng.integers(0, 30))


def random_workload(seed, *args, **kwargs):
    """Draw several networks on one chip, small enough to try every design."""
    problems, rates, budget = random_networks(seed, *args, **kwargs)
    rng = np.random.default_rng([*np.atleast_1d(seed), 99])
    interval = int(rng.integers(0, 2) * rng.integers(0, 300))
    interval = interval if problems[0].objective == "throughput" else 0
    return together(problems, rates, budget=budget, least_interval=interval)


def best_of_all(problem):
    """Try every setting with every number of copies; independent of all solvers.

    Returns:
        The best return, minus infinity if every design that fits is forbidden.
    """
    layers = len(problem.terms)
    posed = problem.uniform
    options = []
    for layer in range(layers):
        units = int(posed[0].units[layer])
        rows = []
        for setting, one in enumerate(posed):
            for copies in range(1, units + 1):
                tiles = copies * int(one.tiles[layer])
                if tiles > problem.budget:
                    break
                cycles = -(-units // copies) * int(one.cycles_per_unit[layer])
                cycles += int(one.fixed_cycles[layer])
                energy = 0
                if one.energy_fj is not None:
                    useful = useful_copies(units)
                    energy = int(one.energy_fj[layer][useful[useful <= copies].size - 1])
                rows.append((setting, tiles, cycles, energy))
        options.append(np.array(rows, dtype=np.int64))
    chosen = np.meshgrid(*(np.arange(len(rows)) for rows in options), indexing="ij")
    columns = np.stack([rows[index.ravel()] for rows, index in zip(options, chosen, strict=True)])
    columns = columns[:, columns[:, :, 1].sum(axis=0) <= problem.budget]
    cycles, energy = columns[:, :, 2].sum(axis=0), columns[:, :, 3].sum(axis=0)
    costs = {
        "latency": cycles,
        "throughput": np.maximum(columns[:, :, 2].max(axis=0), posed[0].least_interval),
        "energy": energy,
        "edp": cycles * energy,
    }[problem.objective]
    returns = (
        np.log(problem.baseline / costs)
        - problem.paid_by(columns[:, :, 0].T)
        - problem.least_penalty
    )
    return float(returns.max(initial=-math.inf))
