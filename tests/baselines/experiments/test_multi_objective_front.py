"""Bound and archive on a network whose designs can all be counted, and the stored fronts."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.baselines.experiments import multi_objective_front as experiment
from lrmp.baselines.experiments.multi_objective_baselines import (
    random_vectors,
    weight_lattice,
    weighted_sum_vectors,
)
from lrmp.envs import load_task, make_task, stored_front
from lrmp.envs.registration import MULTI_OBJECTIVE_TASKS
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.front import Front
from lrmp.envs.scoring.hypervolume import hypervolume
from lrmp.envs.scoring.objectives import objective_vectors, reference_point
from lrmp.envs.scoring.table_optimum import joint_problem
from lrmp.errors import SolverError, TaskError
from lrmp.hardware import Layer, Network
from lrmp.solvers.joint.trade_off import TradeOff


def tiny_task(seed):
    """Two layers, 49 settings each, and room for some copies."""
    network = Network(
        "two",
        (
            Layer.conv2d("first", 3, 32, kernel_size=3, input_size=8),
            Layer.linear("last", 300, 200),
        ),
    )
    rng = np.random.default_rng(seed)
    falling = [np.sort(rng.gamma(1.0, 1.0, (2, 7)), axis=1)[:, ::-1] for _ in range(2)]
    terms = dict(zip(("weight_bits", "activation_bits"), falling, strict=True))
    table = TableAccuracy(terms, "drawn", is_estimate=True)
    task = make_task(network, accuracy=table, allowed_drop=1.0)
    return replace(task, budget=task.budget + 4)


def every_design(task):
    """All settings with the oracle's copies, and all with any copies within the budget."""
    settings = np.array(list(itertools.product(task.space.settings, repeat=2)))
    oracle = settings, Dynamics(task).scores(settings).replication
    tiles = task.cost_model.tiles_per_copy(settings)
    free = [
        (design, copies)
        for copies in itertools.product(range(1, 15), repeat=2)
        for design in settings[tiles @ copies <= task.budget]
    ]
    return oracle, tuple(map(np.array, zip(*free, strict=True)))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_bound_encloses_all_designs_and_the_archive_is_their_front(seed, monkeypatch):
    task = tiny_task(seed)
    reference = reference_point(task)
    oracle, free = every_design(task)
    attainable = hypervolume(objective_vectors(task, *oracle), reference)
    with_any_copies = hypervolume(objective_vectors(task, *free), reference)
    assert attainable <= with_any_copies
    monkeypatch.setattr(experiment, "STORED", 10_000)
    front = experiment.find_front(task, progress=False)
    # 2,401 designs: the search comes to all that matter.
    assert front.hypervolume == pytest.approx(attainable, rel=1e-12)
    assert with_any_copies <= front.bound <= 1.5 * with_any_copies
    assert front.share(objective_vectors(task, *oracle)) <= front.best_known_share + 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_every_design_is_above_every_plane(seed):
    task = tiny_task(seed)
    baseline, reference = task.cost_model.baseline, reference_point(task)
    bound = TradeOff(
        joint_problem(replace(task, objective="edp")),
        (baseline.cost("latency"), baseline.cost("energy")),
        -reference[2],
    )
    shares = np.linspace(0, 1, 5)
    bound.weigh(shares.tolist(), 4)
    _, (settings, copies) = every_design(task)
    latency, energy, accuracy = objective_vectors(task, settings, copies).T
    known = accuracy >= reference[2]
    sums = (1 - shares[:, None]) * np.exp(-latency[known]) + shares[:, None] * np.exp(
        -energy[known]
    )
    least = bound.bounds(-accuracy[known])
    assert (sums >= least * (1 - 1e-12)).all()
    # The planes touch: some design is on each, or close.
    assert ((sums / least).min(axis=1) < 1.05).all()


def test_bound_needs_cycles_and_energies_and_room():
    problem = joint_problem(tiny_task(0))
    with pytest.raises(SolverError, match=r"Expected the energy-delay product of one network"):
        TradeOff(problem, (1, 1), 1.0)
    with pytest.raises(SolverError, match=r"Expected a largest sum of terms above the least"):
        TradeOff(replace(problem, objective="edp"), (1, 1), 0.0)
    with pytest.raises(SolverError, match=r"Expected bounds on the cycles alone"):
        TradeOff(replace(problem, objective="edp"), (1, 1), 10.0).volume(10)


def test_designs_are_kept_by_what_they_add():
    vectors = np.array([[1.0, 1.0, 1.0], [4.0, 1.0, 1.0], [2.0, 2.0, 2.0], [2.0, 2.0, 2.0]])
    archive = experiment.Archive(np.arange(4)[:, None, None], vectors)
    kept = experiment.keep_most(archive, np.zeros(3), 2)
    assert kept.settings.ravel().tolist() == [2, 1]


@pytest.mark.parametrize("task_id", MULTI_OBJECTIVE_TASKS)
def test_stored_front_is_what_its_designs_attain(task_id):
    front = stored_front(task_id)
    task = load_task(task_id)
    assert list(front.reference) == reference_point(task).tolist()
    copies = Dynamics(task).scores(front.settings).replication
    vectors = objective_vectors(task, front.settings, copies)
    assert front.hypervolume == pytest.approx(hypervolume(vectors, front.reference), rel=1e-12)
    assert front.share(vectors) == pytest.approx(front.best_known_share, rel=1e-12)
    assert 0.5 < front.best_known_share < 1  # of a bound that few designs come near
    again = Front.from_text(front.to_text(task.space), task)
    assert (again.settings == front.settings).all()
    assert (again.bound, again.hypervolume) == (front.bound, front.hypervolume)


def test_a_task_without_a_front_says_so():
    with pytest.raises(TaskError, match=r"Expected a task with a stored front, got LRMP-Custom-v0"):
        stored_front(make_task("lenet"))


def test_weighted_sums_find_more_than_random_search():
    assert weight_lattice().sum(axis=1) == pytest.approx(np.ones(15))
    front = stored_front("LRMP-ResNet8-v0")
    random, summed = (
        front.share(search("LRMP-ResNet8-v0", 450, 1))
        for search in (random_vectors, weighted_sum_vectors)
    )
    assert 0 < random < summed < front.best_known_share


def test_fronts_are_computed_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(experiment, "SHARES", 3)
    monkeypatch.setattr(experiment, "ROUNDS", 1)
    args = experiment.Args(tmp_path, ("LRMP-MLP-v0",))
    experiment.compute(args)
    written = (tmp_path / "LRMP-MLP-v0.json").read_text("utf-8")
    experiment.compute(args)
    assert "is up to date" in capsys.readouterr().out
    assert (tmp_path / "LRMP-MLP-v0.json").read_text("utf-8") == written
