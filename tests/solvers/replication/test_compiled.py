"""The compiled method and the one in NumPy give the same copies, to the last one."""

import importlib.util
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrmp.envs import TASKS, load_task
from lrmp.errors import InfeasibleBudgetError, MissingExtraError, SolverError
from lrmp.hardware import CostModel, Layer, Network, load_network, load_preset
from lrmp.install_command import install_command
from lrmp.solvers import (
    ReplicationBatch,
    ReplicationProblem,
    solve_batch,
    solve_exact,
    useful_copies,
)
from lrmp.solvers.replication import designs, method
from lrmp.solvers.replication.designs import solve_designs
from lrmp.solvers.replication.method import VARIABLE, compiled
from lrmp.solvers.replication.poser import Poser

pytestmark = pytest.mark.long


CHIP = load_preset("lrmp_frontiers_2024")
OBJECTIVES = ("latency", "throughput_then_latency", "energy", "edp")
needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason='pip install "lrmp[fast]"'
)


def both(monkeypatch, run):
    """What ``run`` returns with either method."""
    answers = []
    for choice in ("never", "always"):
        monkeypatch.setenv(VARIABLE, choice)
        answers.append(run())
    return answers


def check(problem, monkeypatch):
    numpy, core = both(monkeypatch, lambda: solve_exact(problem))
    assert core.copies.tolist() == numpy.copies.tolist(), problem
    assert core.objective_value == numpy.objective_value


def drawn(rng, layers, objective, *, sizes=60, kinds=None, spare=None, **limits):
    """Draw a problem; few kinds of layers make many ties."""
    alike = rng.integers(0, min(kinds or layers, layers), layers)
    tiles = rng.integers(1, 9, layers)[alike]
    units = rng.integers(1, sizes, layers)[alike]
    energies = [rng.integers(0, 40, len(useful_copies(int(u)))) for u in units]
    first = {kind: place for place, kind in reversed(list(enumerate(alike.tolist())))}
    wanted = objective in ("energy", "edp")
    return ReplicationProblem(
        tiles,
        units,
        rng.integers(1, 9, layers)[alike],
        rng.integers(0, 30, layers)[alike],
        int(tiles.sum()) + (int(rng.integers(0, 40 * layers)) if spare is None else spare),
        objective,
        tuple(energies[first[kind]] for kind in alike.tolist()) if wanted else None,
        **limits,
    )


@needs_numba
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("kinds", [None, 2], ids=["all kinds", "ties"])
def test_random_problems(objective, kinds, monkeypatch):
    rng = np.random.default_rng(7)
    for _ in range(60):
        layers = int(rng.integers(1, 13))
        check(drawn(rng, layers, objective, kinds=kinds), monkeypatch)


@needs_numba
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_side_constraints(objective, monkeypatch):
    rng = np.random.default_rng(8)
    for _ in range(25):
        layers = int(rng.integers(1, 9))
        limits = {"most_copies": rng.integers(1, 12, layers), "tied": rng.integers(0, 3, layers)}
        check(drawn(rng, layers, objective, **limits), monkeypatch)


@needs_numba
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("layers", "sizes"), [(1, 900), (225, 40)])
def test_one_layer_and_many(objective, layers, sizes, monkeypatch):
    rng = np.random.default_rng(9)
    for kinds in (1, 7, layers):
        check(drawn(rng, layers, objective, sizes=sizes, kinds=kinds), monkeypatch)


@needs_numba
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("spare", [0, 1, 2**62])
def test_no_room_and_endless_room(objective, spare, monkeypatch):
    check(drawn(np.random.default_rng(10), 9, objective, spare=spare), monkeypatch)


@needs_numba
@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(1, 30), st.integers(1, 9)), min_size=1, max_size=7
    ),
    st.integers(0, 60),
    st.sampled_from(OBJECTIVES),
    st.data(),
)
@settings(max_examples=120, deadline=None)
def test_any_problem(layers, spare, objective, data):
    tiles, units, cycles = (list(column) for column in zip(*layers, strict=True))
    energies = None
    if objective in ("energy", "edp"):
        energies = tuple(
            data.draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))
            for n in (len(useful_copies(u)) for u in units)
        )
    fixed = [0] * len(tiles)
    problem = ReplicationProblem(
        tiles, units, cycles, fixed, sum(tiles) + spare, objective, energies
    )
    with pytest.MonkeyPatch.context() as patch:
        check(problem, patch)


@needs_numba
@pytest.mark.parametrize("factor", [1, 2**20, 2**40, 2**50, 2**55])
@pytest.mark.parametrize("objective", ["latency", "edp"])
def test_numbers_up_to_the_limit_are_solved_by_whichever_method_can(factor, objective, monkeypatch):
    units = [20, 12, 15, 9]
    energies = [np.arange(len(useful_copies(u)))[::-1] * factor + 1 for u in units]
    problem = ReplicationProblem(
        [3, 2, 5, 1],
        units,
        [factor, factor + 1, 2, 1],
        [0, 1, 2, 3],
        40,
        objective,
        tuple(energies) if objective == "edp" else None,
    )
    check(problem, monkeypatch)


@needs_numba
def test_tiles_up_to_the_limit(monkeypatch):
    check(
        ReplicationProblem(
            [2**57, 2**56 + 1, 2**55], [12, 8, 9], [3, 2, 7], [0, 0, 0], 2**59, "latency"
        ),
        monkeypatch,
    )


def test_a_budget_too_small_is_refused_by_either(monkeypatch):
    model = CostModel(load_network("lenet"), CHIP)
    for choice in ("never", "auto"):
        monkeypatch.setenv(VARIABLE, choice)
        with pytest.raises(InfeasibleBudgetError, match="Expected a budget of at least"):
            ReplicationBatch.of(model, np.full((2, len(model.network), 2), 6), 3, "latency")


@needs_numba
@pytest.mark.parametrize(
    "task_id", ["LRMP-ResNet18-v0", "LRMP-ResNet18-Energy-v0", "LRMP-ResNet18-EDP-v0"]
)
def test_designs_of_a_task(task_id, monkeypatch):
    task = load_task(task_id)
    drawn = task.space.sample(np.random.default_rng(3), len(task.network), 40)
    numpy, core = both(monkeypatch, lambda: solve_designs(task.poser, drawn))
    assert core.copies.tolist() == numpy.copies.tolist()
    assert core.objective_values == numpy.objective_values == core.lower_bounds
    assert core.proven_optimal.all()
    one = solve_exact(task.poser(drawn[5]))
    assert one.copies.tolist() == core.copies[5].tolist()
    assert one.objective_value == core.objective_values[5]


@needs_numba
@pytest.mark.parametrize("task_id", [task_id for task_id in TASKS if task_id.endswith("-EDP-v0")])
def test_products_are_left_to_the_other_method_by_no_task(task_id, monkeypatch):
    """The compiled method may give a product up; then a design takes a hundred times as long."""
    task, rng = load_task(task_id), np.random.default_rng(4)
    layers = len(task.network)
    plain = task.space.plain_settings(layers)
    drawn = task.space.sample(rng, layers, 12)
    near = np.where(rng.random(drawn.shape) < 0.8, plain, drawn)
    some = np.concatenate([plain[None], drawn, near])
    left = []
    monkeypatch.setattr(designs, "_one_by_one", lambda *given: left.append(given))
    monkeypatch.setenv(VARIABLE, "always")
    found = solve_designs(task.poser, some)
    assert not left
    monkeypatch.setenv(VARIABLE, "never")
    for row in (0, 1, 13):
        one = solve_exact(task.poser(some[row]))
        assert one.copies.tolist() == found.copies[row].tolist()
        assert one.objective_value == found.objective_values[row]


@pytest.mark.parametrize("objective", ["Energy", "EDP"])
@pytest.mark.parametrize("choice", ["never", pytest.param("always", marks=needs_numba)])
def test_a_design_that_does_not_fit_is_refused_among_others(objective, choice, monkeypatch):
    monkeypatch.setenv(VARIABLE, choice)
    task = replace(load_task(f"LRMP-LeNet-{objective}-v0"), budget=40)
    plain = task.space.plain_settings(len(task.network))
    designs = np.stack([np.zeros_like(plain), np.full_like(plain, 6)])
    with pytest.raises(InfeasibleBudgetError, match=r"at least \d+ tiles .*, got 40\."):
        solve_designs(task.poser, designs)


def llama(positions=64):
    sizes = [(4096, 4096)] * 4 + [(4096, 11008)] * 2 + [(11008, 4096)]
    layers = [
        Layer(f"{block}.{n}", "linear", rows, columns, positions)
        for block in range(32)
        for n, (rows, columns) in enumerate(sizes)
    ]
    return CostModel(
        Network("llama", (*layers, Layer("head", "linear", 4096, 32000, positions))), CHIP
    )


@needs_numba
def test_a_batch_of_225_layers(monkeypatch):
    model = llama()
    drawn = model.space.sample(np.random.default_rng(0), 225, 3)
    batch = ReplicationBatch.of(model, drawn, 850_000, "latency")
    numpy, core = both(monkeypatch, lambda: solve_batch(batch).tolist())
    assert numpy == core


def test_the_method_is_loaded_when_it_pays(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    loaded = []
    fresh = method._Method()
    monkeypatch.setattr(fresh, "_load", lambda must: loaded.append(must))
    monkeypatch.setattr(fresh, "_missing", False)
    for _ in range(4):
        assert fresh.compiled(method.PAYS_AFTER // 4 - 1) is None
    assert not loaded
    fresh.compiled(4)
    assert loaded == [False]


def test_a_choice_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv(VARIABLE, "alwys")
    with pytest.raises(SolverError, match=r"variable LRMP_COMPILED .*'alwys'.* mean 'always'\?"):
        compiled()


@needs_numba
@pytest.mark.parametrize("objective", ["latency", "edp"])
def test_threads_change_no_copies(objective, monkeypatch):
    task = load_task("LRMP-ResNet18-v0")
    pose = Poser(task.cost_model, task.budget, objective)
    drawn = task.space.sample(np.random.default_rng(5), 21, 101)
    monkeypatch.setenv(VARIABLE, "always")
    alone = solve_designs(pose, drawn)
    shares = []
    core = compiled()
    solve_many = core.solve_many

    def noted(*arguments):
        shares.append(len(arguments[-1]))
        solve_many(*arguments)

    monkeypatch.setattr(core, "solve_many", noted)
    monkeypatch.setenv(method.THREADS, "3")
    together = solve_designs(pose, drawn)
    assert sorted(shares) == [33, 34, 34]
    assert np.array_equal(together.copies, alone.copies)
    assert together.objective_values == alone.objective_values


@pytest.mark.parametrize("told", ["0", "two", "-1", "9" * 5000])
def test_threads_that_are_no_number_are_refused(told, monkeypatch):
    monkeypatch.setenv(method.THREADS, told)
    with pytest.raises(SolverError, match=r"variable LRMP_THREADS to be a number from 1 to 9999"):
        method.threads()


def test_a_missing_numba_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "lrmp.solvers.replication.compiled", None)
    fresh = method._Method()
    monkeypatch.setenv(VARIABLE, "always")
    with pytest.raises(MissingExtraError, match=re.escape(install_command("fast"))):
        fresh.compiled(1)
    monkeypatch.setenv(VARIABLE, "auto")
    assert fresh.compiled(10 * method.PAYS_AFTER) is None


@needs_numba
def test_where_no_folder_may_be_written_it_compiles_all_the_same():
    """Numba raises where it finds no folder for its cache; the decorator goes on without."""
    code = (
        "import numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"
        "from lrmp.solvers.replication.compiled import _compiled\n"
        "print(_compiled()(lambda a: a + 1)(2))\n"
    )
    # The functions themselves stay as they are: compiling them takes long.
    code = "import os\nos.environ['NUMBA_DISABLE_JIT'] = '0'\n" + code
    head = "import lrmp.solvers.replication.compiled\n"
    run = subprocess.run(
        [sys.executable, "-c", head + code], capture_output=True, text=True, check=True
    )
    assert run.stdout == "3\n"


def test_nothing_is_loaded_with_the_package():
    code = "import sys, lrmp, gymnasium; gymnasium.make('LRMP-LeNet-v0').reset(seed=0); "
    code += "print('numba' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_networks_of_one_kind_of_layer_tie_everywhere(monkeypatch):
    model = CostModel(
        Network("alike", tuple(Layer(f"l{n}", "linear", 64, 64, 50) for n in range(12))), CHIP
    )
    settings_ = np.full((1, 12, 2), 3)
    for budget in range(12, 60, 7):
        problem = ReplicationProblem.of(
            model, settings_[0], int(model.tiles_per_copy(settings_[0]).sum()) + budget, "latency"
        )
        monkeypatch.setenv(VARIABLE, "never")
        copies = solve_exact(problem).copies
        assert (np.diff(copies) >= 0).all()  # the canonical order of alike layers
        if importlib.util.find_spec("numba"):
            check(problem, monkeypatch)
