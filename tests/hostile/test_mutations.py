"""Small valid files of every kind, damaged at random: a reader takes them or names one error."""

import gzip
import io
import json
import random
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from lrmp.accuracy.lab.images.archive import read_jpeg_archive, read_pixel_archive
from lrmp.accuracy.lab.images.idx import read_idx
from lrmp.accuracy.lab.images.sheets import read_sheets
from lrmp.accuracy.lab.measurement_log import MeasurementLog
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.baselines.searchers.search import _Journal
from lrmp.baselines.study.definition import read_study
from lrmp.baselines.study.results import Results, read_results
from lrmp.baselines.study.scores import Scores
from lrmp.envs.task.custom_task import read_task
from lrmp.envs.task.task import load_task
from lrmp.envs.wrappers import RecordDesigns
from lrmp.errors import LRMPError
from lrmp.hardware import Network, read_preset
from lrmp.leaderboard.submission import read_submission

ROUNDS = 25
SEED = 20261129

TASK = b"""\
network = "lenet"
budget = 900
objective = "latency"
allowed_drop = 1.5

[accuracy]
provenance = "made up"
estimate = false
weight_bits = {"*" = [9, 4.0, 1, 0, 0, 0, 0], conv1 = [3, 2, 1, 0.5, 0, 0, 0]}
activation_bits = {"*" = [9, 4, 1, 0, 0, 0, 0]}
"""
STUDY = b"""\
about = "small"
tasks = ["LRMP-MLP-v0", {id = "LRMP-LeNet-*", accuracy = "table"}]
seeds = 2
evaluations = [20, 40]
report_at = [20]

[agents.random]

[agents.walk]
algorithm = "annealing"
settings = {hottest = 0.1, changes = 2}
tasks = ["LRMP-MLP-v0"]
"""


def idx(shape=(2, 3, 4)):
    header = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    return header + bytes(range(int(np.prod(shape))))


def archive(compressed=True, **arrays):
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    return stream.getvalue()


def picture(kind, size=(12, 9)):
    image = pytest.importorskip("PIL.Image")
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (*size, 3)).astype(np.uint8)
    image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def jpegs():
    files = [picture("JPEG"), picture("JPEG")]
    return archive(
        jpeg=np.frombuffer(b"".join(files), np.uint8),
        offset=np.cumsum([0, *map(len, files)]),
        label=np.array([0, 1]),
    )


def sheets():
    image = pytest.importorskip("PIL.Image")
    stream = io.BytesIO()
    image.new("RGB", (1280, 800), (1, 2, 3)).save(stream, "WEBP", lossless=True)
    return archive(
        webp=np.frombuffer(stream.getvalue() * 10, np.uint8),
        offset=np.arange(11) * len(stream.getvalue()),
        label=np.zeros(10_000, np.uint8),
    )


def graph():
    helper = pytest.importorskip("onnx.helper")
    weight = helper.make_tensor("w", 1, [4, 3, 3, 3], np.ones(108, np.float32))
    call = helper.make_node("Act", ["a"], ["b"], domain="own")
    body = [helper.make_node("Relu", ["x"], ["y"])]
    function = helper.make_function("own", "Act", ["x"], ["y"], body, [helper.make_opsetid("", 18)])
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], kernel_shape=[3, 3]),
        call,
        helper.make_node("Shape", ["b"], ["s"]),
        helper.make_node("Flatten", ["b"], ["f"]),
    ]
    made = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", 1, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("f", 1, [1, 144])],
        [weight],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    model = helper.make_model(made, opset_imports=opsets, functions=[function], ir_version=9)
    return model.SerializeToString()


def policy():
    pytest.importorskip("torch")
    from lrmp.agents.set_policy import SetPolicy

    return saved(lambda path: SetPolicy(3, sizes=(7, 7), width=4, blocks=1, heads=2).save(path))


def checkpoint():
    torch = pytest.importorskip("torch")
    from lrmp.baselines.running.checkpoint import save_checkpoint

    tensors = {"policy": {"a": torch.ones(2, 3)}, "rng": {"state": torch.zeros(3)}}
    return saved(lambda path: save_checkpoint(path, tensors, {"added": 2, "rng": {"s": 2**100}}))


def saved(save, suffix=".safetensors"):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        save(path)
        return path.read_bytes()


def run_file(name):
    """Files of a small run, made once."""

    def make():
        import tempfile

        from lrmp.baselines.searchers import random_search

        with tempfile.TemporaryDirectory() as folder:
            args = random_search.Args("LRMP-MLP-v0", evaluations=5, runs_dir=Path(folder))
            return (random_search.train(args, progress=False).path / name).read_bytes()

    return make


def read_run(path):
    """Read a run directory of which one file is damaged."""
    RunDirectory(path.parent).begun()
    RunDirectory(path.parent).record()
    RunDirectory(path.parent).episodes()


def read_policy(path):
    from lrmp.agents.policies import load_policy

    load_policy(path)


def read_checkpoint(path):
    from lrmp.baselines.running.checkpoint import load_checkpoint

    load_checkpoint(path)


def read_picture(path):
    from lrmp.accuracy.lab.images.image_folder import read_image

    read_image((path, 8, 8))


def read_weights(path):
    from lrmp.accuracy.lab.models.factory import load_weights
    from lrmp.accuracy.lab.models.mnist import LeNet

    load_weights(LeNet(), path)


def weights():
    pytest.importorskip("torch")
    from safetensors.torch import save_file

    from lrmp.accuracy.lab.models.mnist import LeNet

    return saved(lambda path: save_file(LeNet().state_dict(), path))


def read_table(path):
    read_task_with(path, accuracy=path.name)


def read_task_with(path, **keys):
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"network": "lenet", **keys}.items()]
    task = path.with_name("task.toml")
    task.write_text("\n".join(lines))
    read_task(task)


def shipped(folder, name):
    from importlib import resources

    return lambda: resources.files(folder).joinpath(name).read_bytes()


def of_results():
    path = Path(__file__).parents[2] / "docs" / "results" / "td3" / "results.jsonl"
    if not path.exists():
        pytest.skip("the tests run outside the repository")
    return b"".join(path.read_bytes().splitlines(keepends=True)[:2])


def read_all_results(path):
    read_results(path)
    plan = {"name": "s", "about": "", "report_at": [100], "agents": {}, "planned": {}}
    path.with_name("study.json").write_text(json.dumps(plan | {"left_out": {}}))
    scores = Scores.read(path.parent)
    for agent in scores.agents:
        for task in scores.tasks:
            scores.shares(agent, task, 100)
    Results(path).close()


def read_plan(path):
    path.with_name("results.jsonl").write_bytes(of_results())
    Scores.read(path.parent)


PLAN = (
    b'{"name": "s", "about": "", "report_at": [100], "agents": {"td3": {}}, '
    b'"planned": {"td3": 1}, "left_out": {}}'
)


def read_journal(path):
    journal = _Journal(RunDirectory(path.parent))
    with journal:
        journal.replay(np.full((1, 3, 2), 8))


LOG = (
    b'{"network": "lenet"}\n'
    b'{"layer": "conv1", "knob": "weight_bits", "value": 2, "divergence": 0.5}\n'
)


def read_log(path):
    MeasurementLog(path, {"network": "lenet"})


def read_designs(path):
    import gymnasium as gym

    RecordDesigns(gym.make("LRMP-MLP-v0"), path, agent="random", seed=1)


def read_design(path):
    from lrmp.cli.settings_argument import GivenSettings

    given = GivenSettings.of(Namespace(design=path, set=None))
    task = load_task("LRMP-MLP-v0")
    given.design(task.space, [layer.name for layer in task.network.layers])


#: Name of the file, what it holds, who reads it.
KINDS = {
    "preset": (
        "chip.toml",
        shipped("lrmp.hardware.presets", "puma_asplos_2019.toml"),
        read_preset,
    ),
    "task": ("task.toml", lambda: TASK, read_task),
    "study": ("study.toml", lambda: STUDY, read_study),
    "table": ("table.json", shipped("lrmp.accuracy.tables", "lenet.json"), read_table),
    "record": ("record.jsonl", run_file("record.jsonl"), read_submission),
    "run_record": ("record.jsonl", run_file("record.jsonl"), read_run),
    "run_config": ("config.json", run_file("config.json"), read_run),
    "run_episodes": ("episodes.csv", run_file("episodes.csv"), read_run),
    "run_sums": ("SHA256SUMS", run_file("SHA256SUMS"), read_run),
    "results": ("results.jsonl", of_results, read_all_results),
    "plan": ("study.json", lambda: PLAN, read_plan),
    "journal": ("journal.csv", lambda: b"8 8 8/8 8 8,1.5,0.5,1.25,0.25\n", read_journal),
    "log": ("lenet.log.jsonl", lambda: LOG, read_log),
    "design": ("design.json", run_file("record.jsonl"), read_design),
    "designs": ("designs.jsonl", run_file("record.jsonl"), read_designs),
    "onnx": ("net.onnx", graph, lambda path: Network.from_onnx(path)),
    "policy": ("policy.safetensors", policy, read_policy),
    "weights": ("weights.safetensors", weights, read_weights),
    "checkpoint": ("checkpoint.safetensors", checkpoint, read_checkpoint),
    "png": ("image.png", lambda: picture("PNG"), read_picture),
    "jpeg": ("image.jpeg", lambda: picture("JPEG"), read_picture),
    "idx": ("images", idx, read_idx),
    "idx.gz": ("images.gz", lambda: gzip.compress(idx(), mtime=0), read_idx),
    "pixels": (
        "pixels.npz",
        lambda: archive(x=np.zeros((3, 4, 4, 3), np.uint8), y=np.arange(3), compressed=False),
        lambda path: read_pixel_archive(path, "x", "y"),
    ),
    "packed pixels": (
        "pixels.npz",
        lambda: archive(x=np.zeros((3, 4, 4, 3), np.uint8), y=np.arange(3)),
        lambda path: read_pixel_archive(path, "x", "y"),
    ),
    "jpegs": ("jpegs.npz", jpegs, read_jpeg_archive),
    "sheets": ("sheets.npz", sheets, lambda path: read_sheets([path], np.array([9_999, 1]))),
}

#: What foreign text is made of: put in by chance, it is still text.
MORSELS = (b"null", b"[]", b"{}", b"-1", b"1e999", b"9" * 30, b'"x"', b"\\u0000", b"true", b"nan")


def mutate(data, rng):
    """Damage a file in one of the ways that files are damaged in, or several."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = rng.randrange(len(data) + 1)
        how = rng.randrange(7)
        if how == 0 and data:
            data[place % len(data)] ^= 1 << rng.randrange(8)
        elif how == 1 and data:
            data[place % len(data)] = rng.randrange(256)
        elif how == 2:
            del data[place:]
        elif how == 3:
            del data[place : place + rng.randrange(1, 9)]
        elif how == 4:
            data[place:place] = data[place : place + rng.randrange(1, 40)]
        else:
            end = place
            while end < len(data) and data[end : end + 1].isalnum():
                end += 1
            data[place:end] = rng.choice(MORSELS)
    return bytes(data)


def fuzz(kind, folder, rounds, seed):
    """Read damaged files; return how many were refused."""
    name, make, read = KINDS[kind]
    whole = make()
    rng = random.Random(seed)
    files = {}
    if kind.startswith("run_"):
        for other in ("config.json", "record.jsonl", "episodes.csv", "SHA256SUMS"):
            files[other] = run_file(other)()
    refused = 0
    for _ in range(rounds):
        for other, content in files.items():
            (folder / other).write_bytes(content)
        data = mutate(whole, rng)
        path = folder / name
        path.write_bytes(data)
        try:
            read(path)
        except LRMPError:
            refused += 1
        except BaseException as error:
            error.add_note(f"{kind}, seed {seed}: {data[:3000]!r}")
            raise
    return refused


@pytest.mark.parametrize("kind", KINDS)
def test_whole_files_are_read(kind, tmp_path):
    name, make, read = KINDS[kind]
    if kind.startswith("run_"):
        for other in ("config.json", "record.jsonl", "episodes.csv", "SHA256SUMS"):
            (tmp_path / other).write_bytes(run_file(other)())
    else:
        (tmp_path / name).write_bytes(make())
    read(tmp_path / name)


@pytest.mark.filterwarnings("ignore")  # of libraries, on what they are given
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_read_or_refused(kind, tmp_path):
    assert fuzz(kind, tmp_path, ROUNDS, SEED) > 0
