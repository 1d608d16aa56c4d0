import time
from functools import partial

import pytest

ray = pytest.importorskip("ray")

from ray.cluster_utils import Cluster  # noqa: E402

from lrmp.baselines.study.definition import read_study  # noqa: E402
from lrmp.baselines.study.local_engine import run_locally  # noqa: E402
from lrmp.baselines.study.planned_run import CIRCUMSTANCES  # noqa: E402
from lrmp.baselines.study.ray_engine import run_on_ray  # noqa: E402
from lrmp.baselines.study.results import read_results  # noqa: E402
from lrmp.baselines.study.runner import run_study  # noqa: E402
from lrmp.cli import main  # noqa: E402

STUDY = """
tasks = ["LRMP-MLP-v0", "LRMP-LeNet-v0"]
seeds = 3

[agents.annealing]
evaluations = 400

[agents.random]
evaluations = 2000

[agents.hawq-ilp]
"""
RUNS = 2 * (3 + 3 + 1)

# Ray's own.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "study.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="module")
def reference(study):
    engine = partial(run_locally, workers=1)
    assert run_study(read_study(study), study.parent / "local", engine).finished == RUNS
    return essence(study.parent / "local")


@pytest.fixture
def cluster():
    """A head that only keeps the books, and two nodes of one CPU."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    cluster.add_node(num_cpus=1)
    cluster.add_node(num_cpus=1)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def essence(folder):
    return {
        key: {name: value for name, value in record.items() if name not in CIRCUMSTANCES}
        for key, record in sorted(read_results(folder / "results.jsonl").items())
    }


@pytest.mark.parametrize("shared", [True, False])
def test_a_node_that_dies_changes_nothing(cluster, study, reference, tmp_path, shared):
    def engine(runs, runs_dir):
        def at_work():
            """Runs that have begun and not ended; on both nodes, if two."""
            begun = {path.parent for path in runs_dir.rglob("journal.csv")}
            return {path for path in begun if not (path / "record.jsonl").exists()}

        for number, ending in enumerate(
            run_on_ray(runs, runs_dir, cluster.address, shared=shared), start=1
        ):
            yield ending
            if number == 3:
                while shared and len(at_work()) < 2:
                    time.sleep(0.01)
                (victim, *_) = cluster.worker_nodes
                cluster.remove_node(victim, allow_graceful=False)
                assert len(cluster.worker_nodes) == 1

    done = run_study(read_study(study), tmp_path / "out", engine)
    assert (done.finished, done.failed) == (RUNS, 0)
    results = tmp_path / "out" / "results.jsonl"
    assert results.read_bytes().count(b"\n") == RUNS  # none twice
    assert essence(tmp_path / "out") == reference
    assert (tmp_path / "out" / "runs").exists() == shared


def test_the_command_runs_on_a_cluster_and_goes_on_locally(cluster, study, reference, tmp_path):
    words = ["study", "run", str(study), "--out", str(tmp_path / "out")]
    there = ["--engine", "ray", "--address", cluster.address]
    assert main([*words, *there, "--agents", "random", "hawq-ilp"]) == 0
    assert len(essence(tmp_path / "out")) == RUNS - 6
    assert main(words) == 0
    assert essence(tmp_path / "out") == reference


def test_a_cluster_that_is_not_there_is_named(study, tmp_path, capsys):
    words = ["study", "run", str(study), "--out", str(tmp_path / "out"), "--engine", "ray"]
    assert main([*words, "--workers", "2"]) == 2
    assert "Expected no --workers with --engine ray, got 2" in capsys.readouterr().err
