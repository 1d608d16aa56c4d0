"""Any network can be measured: subjects, what is refused, and workers that make them anew."""

import dataclasses
import re
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrmp.accuracy.lab.evaluator import NetworkEvaluator
from lrmp.accuracy.lab.examples import Examples
from lrmp.accuracy.lab.measurement import Measurement
from lrmp.accuracy.lab.models import load_model
from lrmp.accuracy.lab.network import NetworkAccuracy
from lrmp.accuracy.lab.protocol import Protocol, Split, identity
from lrmp.accuracy.lab.subject import Subject, make_subject
from lrmp.accuracy.lab.table_build import build_table, extend_shipped
from lrmp.envs import evaluate, make_task
from lrmp.errors import AccuracyDataError, AccuracyTableError, NetworkError
from lrmp.hardware import Network, load_network
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION, activation_bits, weight_bits

FEW = DesignSpace(
    dataclasses.replace(knob(), values=(2, 4, 8)) for knob in (weight_bits, activation_bits)
)


class Small(nn.Module):
    """A residual network as somebody would write it: layers defined in another order than they run.

    ``view`` does not take maps that are stored channels last.
    """

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8 * 16, 4)
        self.block = nn.ModuleDict(
            {"one": nn.Conv2d(8, 8, 3, padding=1), "two": nn.Conv2d(8, 8, 3, padding=1)}
        )
        self.norm, self.stem = nn.BatchNorm2d(8), nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, images):
        maps = self.relu(self.norm(self.stem(images)))
        maps = F.relu(maps + self.block["two"](F.relu(self.block["one"](maps))))
        return self.head(F.avg_pool2d(maps, 2).contiguous().view(maps.shape[0], -1))


def small(seed=0):
    torch.manual_seed(seed)
    model = Small()
    model.norm.running_mean.uniform_(-0.3, 0.3)
    model.norm.running_var.uniform_(0.5, 1.5)
    with torch.no_grad():
        model.head.weight.mul_(4)
    return model


def images(count, seed=0, shape=(3, 8, 8)):
    return np.random.default_rng(seed).normal(0, 1, (count, *shape)).astype(np.float32)


def subject(**changes):
    labels = np.random.default_rng(1).integers(0, 4, 40)
    given = {
        "name": "small",
        "module": small(),
        "calibration": Examples(images(16)),
        "search": Examples(images(40, 1), labels),
        "test": Examples(images(12, 2), labels[:12]),
    }
    return Subject(**(given | changes))


def of_module(module, shape=(3, 8, 8), **changes):
    """Make a subject of a module that takes random inputs of a shape."""
    return subject(
        module=module,
        calibration=Examples(images(8, 0, shape)),
        search=Examples(images(12, 1, shape)),
        test=None,
        **changes,
    )


def uniform(bits, layers=4, space=PRECISION):
    values = dict.fromkeys(space.names, bits)
    return Design.of(values, layers=layers, space=space)


LAYERS = ["stem", "block.one", "block.two", "head"]


# Measuring


@pytest.fixture(scope="module")
def evaluator():
    return NetworkEvaluator(subject())


def test_layers_run_in_the_order_of_the_network_that_is_costed(evaluator):
    assert evaluator.layers == LAYERS
    network = evaluator.subject.network()
    assert [layer.name for layer in network.layers] == LAYERS
    assert network == Network.from_torch(small().eval(), torch.zeros(1, 3, 8, 8), name="small")


def test_module_is_cut_into_stages_before_every_layer_it_can_be(evaluator):
    assert evaluator.stage_layers == [["stem"], ["block.one", "block.two"], ["head"]]


def test_results_are_those_of_the_module(evaluator):
    module, given = small().eval(), evaluator.subject.examples("search")
    with torch.no_grad():
        scores = module(given.inputs)
    right = scores.argmax(1) == given.labels
    assert evaluator.float_top1("search") == pytest.approx(100 * float(right.double().mean()))
    fine, rough = (evaluator.evaluate(uniform(bits), "search") for bits in (8, 2))
    assert fine.images == 40
    assert fine.float_correct == int(right.sum())
    assert 0 < 100 * fine.divergence < rough.divergence
    # In float, the quantised network is the module.
    found = evaluator.compare(evaluator.network, "search")
    assert found.divergence < 1e-9
    assert found.lost == found.gained == 0


def test_module_and_examples_are_left_as_they_were():
    module, calibration, search = small().train(), images(16), images(12)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    arrays = [calibration.copy(), search.copy()]
    evaluator = NetworkEvaluator(
        subject(module=module, calibration=Examples(calibration), search=Examples(search))
    )
    evaluator.evaluate_all([uniform(3), uniform(4)], "search")
    assert module.training
    assert all(value.requires_grad for value in module.parameters())
    assert module.stem.weight.is_contiguous()
    after = module.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert np.array_equal(calibration, arrays[0])
    assert np.array_equal(search, arrays[1])


def test_batch_of_designs_gives_what_each_gives_alone(evaluator):
    rng = np.random.default_rng(0)
    designs = [
        Design(PRECISION, rng.integers(0, 7, (4, 2)), np.ones(4, np.int64)) for _ in range(6)
    ]
    changed = designs[0].settings.copy()
    changed[3] = 0
    designs.append(Design(PRECISION, changed, np.ones(4, np.int64)))
    alone = [evaluator.evaluate(design, "search") for design in designs]
    assert evaluator.evaluate_all(designs, "search") == alone


def test_without_labels_the_float_network_is_right():
    evaluator = NetworkEvaluator(subject(search=Examples(images(40, 1))))
    labelled = NetworkEvaluator(subject())
    assert evaluator.float_top1("search") == 100
    found, known = (each.evaluate(uniform(3), "search") for each in (evaluator, labelled))
    assert found.divergence == known.divergence
    assert found.float_correct == 40
    assert found.gained == 0
    expected = evaluator.split("search").log_probabilities[0].argmax(1)
    network = evaluator.network
    network.set_design(uniform(3))
    with torch.inference_mode():
        after = torch.cat([network(batch) for batch in evaluator.split("search").images]).argmax(1)
    network.set_float()
    assert found.lost_images == tuple((after != expected).nonzero().flatten().tolist())
    _, labels = evaluator.labelled_images("search")
    assert torch.equal(labels, expected)


def test_raw_images_are_preprocessed_batch_by_batch():
    raw = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3)).astype(np.uint8)
    ready = (raw.astype(np.float32) / 64 - 2).transpose(0, 3, 1, 2)

    def prepare(pixels):
        return (pixels.float() / 64 - 2).permute(0, 3, 1, 2)

    given = [
        {"calibration": Examples(part[:16]), "search": Examples(part[16:]), "test": None}
        for part in (raw, ready)
    ]
    one, other = subject(**given[0], preprocess=prepare), subject(**given[1])
    results = [NetworkEvaluator(each).evaluate(uniform(3), "search") for each in (one, other)]
    assert results[0] == results[1]
    assert one.identity == other.identity


def test_examples_may_be_loaded_when_they_are_needed():
    loaded = []

    def load(limit):
        loaded.append(limit)
        return Examples(images(40, 1)[:limit])

    def never(limit):
        raise AssertionError("nobody asked for test images")

    made = subject(search=load, test=never)
    evaluator = NetworkEvaluator(made)
    assert loaded == []
    found = evaluator.evaluate(uniform(3), "search")
    assert found.divergence == NetworkEvaluator(subject()).evaluate(uniform(3), "search").divergence
    assert loaded == [8, None]


def test_doubles_become_single_precision():
    exact = subject(search=Examples(images(40, 1).astype(np.float64)), test=None)
    single = subject(search=Examples(images(40, 1)), test=None)
    assert exact.identity == single.identity
    assert NetworkEvaluator(exact).float_top1("search") == 100


def test_sensitivities_are_measured_on_the_first_search_images():
    many, few = (
        dict(
            NetworkEvaluator(subject(search=search, sensitivity_images=count)).stage_divergences(
                0, FEW
            )
        )
        for search, count in ((Examples(images(600, 1)), 512), (Examples(images(512, 1)), None))
    )
    assert len(few) == 6
    for key, divergence in few.items():
        assert many[key] == pytest.approx(divergence, rel=1e-6, abs=1e-12)


# Other inputs, other modules


def test_sequences_are_measured():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.lstm = nn.Embedding(20, 6), nn.LSTM(6, 8, batch_first=True)
            self.out = nn.Linear(8, 3)

        def forward(self, tokens):
            states, _ = self.lstm(self.embed(tokens))
            return self.out(states[:, -1])

    torch.manual_seed(0)
    tokens = np.random.default_rng(0).integers(0, 20, (40, 7))
    given = Examples(tokens[:8]), Examples(tokens[8:])
    evaluator = NetworkEvaluator(
        subject(module=Tagger(), calibration=given[0], search=given[1], test=None)
    )
    assert evaluator.layers == ["lstm.l0", "out"]
    assert evaluator.evaluate(uniform(2, 2), "search").divergence > 1e-4


def test_signals_and_features_are_measured():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv1d(2, 8, 5, stride=2, bias=False),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Conv1d(8, 8, 3, groups=2),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )
    evaluator = NetworkEvaluator(of_module(module, (2, 30)))
    assert evaluator.layers == ["0", "3", "6"]
    assert evaluator.stage_layers == [["0"], ["3"], ["6"]]
    assert not any(isinstance(part, nn.BatchNorm1d) for part in evaluator.network.model.modules())
    assert evaluator.evaluate(uniform(8, 3), "search").divergence < 1e-3
    features = NetworkEvaluator(of_module(nn.Sequential(nn.Linear(6, 3)), (6,)))
    assert features.evaluate(uniform(2, 1), "search").divergence > 1e-4


def test_module_that_cannot_be_traced_runs_in_one_piece():
    class Wilful(Small):
        def forward(self, images):
            if float(images.sum()) > 1e9:  # depends on values, which no tracer knows
                images = images * 2
            return super().forward(images)

    wilful = Wilful()
    wilful.load_state_dict(small().state_dict())
    evaluator = NetworkEvaluator(subject(module=wilful))
    assert evaluator.stage_layers == [LAYERS]
    traced = NetworkEvaluator(subject())
    for bits in (3, 8):
        found, expected = (e.evaluate(uniform(bits), "search") for e in (evaluator, traced))
        # Batch norm stays behind its convolution here, which changes rounding errors alone.
        assert found.divergence == pytest.approx(expected.divergence, rel=0.1)
    designs = [uniform(3), uniform(4), uniform(3)]
    alone = [evaluator.evaluate(design, "search") for design in designs]
    assert evaluator.evaluate_all(designs, "search") == alone
    with pytest.raises(NetworkError, match=r"Expected torch\.export to trace Wilful .*"):
        evaluator.subject.network()


def test_layer_that_is_used_twice_is_one_layer():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(6, 6)
            self.alias, self.out = self.inner, nn.Linear(6, 3)

        def forward(self, features):
            return self.out(F.relu(self.alias(F.relu(self.inner(features)))))

    torch.manual_seed(0)
    evaluator = NetworkEvaluator(of_module(Twice(), (6,)))
    assert evaluator.layers == ["inner", "out"]
    evaluator.network.layers["inner"].round_weights(2)
    before = evaluator.network.layers["inner"].runs
    evaluator.network(torch.zeros(2, 6))
    assert evaluator.network.layers["inner"].runs == before + 2
    evaluator.network.set_float()


def test_own_model_of_lrmp_has_the_layers_of_its_network():
    module = load_model("resnet8")
    evaluator = NetworkEvaluator(of_module(module, (3, 32, 32)))
    assert evaluator.layers == [layer.name for layer in load_network("resnet8").layers]
    assert evaluator.subject.network().layers == load_network("resnet8").layers
    assert len(evaluator.stage_layers) == 5


# From a subject to a task


@pytest.mark.long
def test_table_of_a_subject_makes_a_task(tmp_path):
    measurement = Measurement(
        subject(search=Examples(images(64, 1)), test=None), tmp_path / "log.jsonl", space=FEW
    )
    table = build_table(measurement, "a test", fit_designs=16)
    assert table.network == "small"
    assert list(table.layers) == LAYERS
    assert table.provenance["sha256"] == measurement.subject.identity
    assert table.provenance["search"] == "64 of the user's own"
    assert table.provenance["sensitivity_images"] == 64
    assert table.provenance["search_float_top1"] == 100
    path = tmp_path / "small.json"
    path.write_text(table.to_text(), "utf-8")
    network = measurement.subject.network()
    task = make_task(network, accuracy=path, space=FEW)
    assert evaluate(task, weight_bits=2).accuracy_drop > evaluate(task, weight_bits=4).accuracy_drop
    live = make_task(network, accuracy=NetworkAccuracy(measurement.subject, FEW), space=FEW)
    drop = measurement.evaluator.evaluate(uniform(2, space=FEW), "search").drop
    found = evaluate(live, weight_bits=2, activation_bits=2).accuracy_drop
    assert found == drop
    assert live.accuracy.sensitivities() is None
    assert "64 of the user's own" in live.accuracy.provenance
    assert live.accuracy.fingerprint == measurement.subject.identity
    with pytest.raises(AccuracyTableError, match=r"'small'"):
        extend_shipped(Measurement(measurement.subject, tmp_path / "other.jsonl"))


# Identity


def test_identity_follows_weights_structure_examples_and_recipe():
    activation = small()
    activation.relu = nn.ReLU6()
    labels = np.zeros(40, np.int64)
    changes = [
        {},
        {"module": small(1)},
        {"module": activation},
        {"recipe": "ptq-1-uncorrected"},
        {"sensitivity_images": 10},
        {"calibration": Examples(images(15))},
        {"search": Examples(images(40, 3))},
        {"search": Examples(images(40, 1), labels)},
        {"test": Examples(images(12, 4))},
        {"test": None},
    ]
    found = [subject(**change).identity for change in changes]
    assert len(set(found)) == len(changes)
    assert subject(about="elsewhere", factory="a:b").identity == found[0]
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in found)


def test_protocol_keeps_its_identity(protocol, folder):
    made = protocol.subject(folder)
    assert made.identity == identity(protocol)
    assert made.conditions == protocol.conditions


def test_identities_of_protocols_never_change():
    first, second = Split("a", 0, 0, 32), Split("b", 1, 0, 32)
    third = dataclasses.replace(second, start=32, stop=64)
    splits = {"calibration": first, "search": second, "test": third}
    protocol = Protocol(
        "resnet8",
        weights="w",
        sha256="0" * 64,
        about="",
        preprocessing="raw",
        sensitivity_images=32,
        recipe="ptq-1",
        allowed_drop=1.0,
        evaluations=600,
        **splits,
    )
    # Logs and tables hold them.
    known = "e80ec9d3f4503957c42e2844b7b4700fbdc8c45831967891915dd1bf57214519"
    assert identity(protocol) == known


# Worker processes


FACTORY = """
import numpy as np
import torch
from torch import nn

from lrmp.accuracy.lab.examples import Examples
from lrmp.accuracy.lab.subject import Subject


class Net(nn.Sequential):
    pass


def make(seed=0):
    torch.manual_seed(seed)
    module = Net(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    rng = np.random.default_rng(0)
    parts = [rng.normal(0, 1, (count, 6)).astype(np.float32) for count in (8, 24)]
    return Subject("mine", module, Examples(parts[0]), Examples(parts[1]))


calls = []


def other():
    calls.append(1)
    return make(len(calls))


def broken():
    raise OSError("no such disk")


def nothing():
    return 3
"""


@pytest.fixture
def factory(tmp_path, monkeypatch):
    """Return the names of factories in a module that processes find on the path."""
    (tmp_path / "lrmp_test_factory.py").write_text(FACTORY, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda name: f"lrmp_test_factory:{name}"
    sys.modules.pop("lrmp_test_factory", None)


@pytest.mark.long
def test_worker_processes_make_the_subject_anew(factory, tmp_path):
    made = make_subject(factory("make"))
    assert made.factory == factory("make")
    one = Measurement(made, tmp_path / "one.jsonl", space=FEW)
    two = Measurement(made, tmp_path / "two.jsonl", processes=2, space=FEW)
    one.measure_divergences()
    two.measure_divergences()
    a, b = one.table().terms, two.table().terms
    for axes, divergences in a.items():
        assert b[axes] == pytest.approx(divergences, rel=1e-2, abs=1e-6)
    designs = np.array([[[0, 0], [1, 1]], [[2, 2], [0, 1]]])
    lines = [each.run_designs("search", designs, [[{}]] * 2) for each in (one, two)]
    assert [line["lost_images"] for line in lines[0]] == [line["lost_images"] for line in lines[1]]


def test_subject_without_a_factory_needs_no_processes(tmp_path):
    path = tmp_path / "log.jsonl"
    Measurement(subject(), path)

    def of_a_notebook():
        return subject()

    of_a_notebook.__module__ = "__main__"
    for unusable in (None, lambda: subject(), of_a_notebook):
        with pytest.raises(
            AccuracyDataError,
            match=r"Expected a factory of small that worker processes can import, got .*factory=",
        ):
            Measurement(subject(factory=unusable), path, processes=2)


def test_factory_that_makes_another_subject_is_refused(factory, tmp_path):
    made = dataclasses.replace(make_subject(factory("make")), factory=factory("other"))
    with pytest.raises(AccuracyDataError, match=r"to make the subject that is measured, of identi"):
        Measurement(made, tmp_path / "log.jsonl", processes=2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "broken",
            r"Expected 'package\.module:function', which makes a Subject, got .*no such disk",
        ),
        (
            "missing",
            r"Expected 'package\.module:function', which makes .* has no attribute 'missing'",
        ),
        ("nothing", r"Expected lrmp_test_factory:nothing to make a Subject, got int\."),
    ],
)
def test_factory_that_makes_no_subject_is_refused(factory, name, message):
    with pytest.raises(AccuracyDataError, match=message):
        make_subject(factory(name))


# What is refused


def returning(change):
    class Changed(nn.Module):
        def __init__(self):
            super().__init__()
            self.small = small()

        def forward(self, images):
            return change(self.small(images))

    return Changed()


def parametrised():
    module = small()
    nn.utils.parametrizations.weight_norm(module.stem)
    return module


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a/b"}, r"Expected a name of at most 64 letters, digits and \._-, .* got 'a/b'"),
        ({"recipe": "ptq-9"}, r"recipe .* got 'ptq-9'\. Did you mean 'ptq-1'\?"),
        ({"module": small}, r"Expected a torch\.nn\.Module, got function\."),
        ({"module": nn.ReLU()}, r"Expected ReLU to hold layers .*, Conv1d, .*; got none\."),
        ({"module": nn.Linear(3, 2)}, r"Expected Linear to hold .*got one itself\. Wrap it in nn"),
        ({"module": parametrised()}, r"Expected weights of stem that are a parameter, .*remove_pa"),
        ({"module": small().half()}, r"single precision, torch\.float32, got torch\.float16 in "),
        (
            {"module": nn.Sequential(nn.Flatten(), nn.LazyLinear(2))},
            r"Expected weights with a shape, got lazy ones in 1\.weight\. Run the module once\.",
        ),
        (
            {"module": nn.Sequential(nn.Conv2d(3, 4, 3), nn.Bilinear(1, 2, 3))},
            r"Expected layers of kinds that can be quantised, .*; got Bilinear in 1\. Write it ",
        ),
        ({"module": nn.GRUCell(3, 4)}, r"of kinds .*; got GRUCell in the module itself\."),
        ({"module": nn.GRU(3, 4)}, r"Expected GRU to hold layers .*; got one itself\. Wrap it"),
        ({"search": images(40)}, r"Expected search as Examples, .* got ndarray\. Write search="),
        ({"calibration": None}, r"Expected calibration as Examples, .* got NoneType\."),
        ({"sensitivity_images": 0}, r"Expected sensitivity_images as a whole number .* got 0\."),
        ({"sensitivity_images": 41}, r"Expected at least 41 search images, .* got 40\."),
    ],
)
def test_bad_subject_is_refused(changes, message):
    with pytest.raises(AccuracyDataError, match=message):
        subject(**changes)


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (np.zeros((0, 3)), None, r"Expected at least one example, .* shape of \(0, 3\)\."),
        (np.float32(1), None, r"Expected at least one example, .* shape of \(\)\."),
        (["a", "b"], None, r"Expected inputs as a tensor or an array of numbers, got list: "),
        (np.zeros((3, 2)), np.zeros(2, int), r"Expected 3 labels, .* got int64 of shape \(2,\)\."),
        (np.zeros((3, 2)), np.zeros(3), r"Expected 3 labels, a whole number .* got float64 of sh"),
        (np.zeros((2, 2)), [0, -1], r"Expected labels to count classes from 0, got -1\."),
    ],
)
def test_bad_examples_are_refused(inputs, labels, message):
    with pytest.raises(AccuracyDataError, match=message):
        Examples(inputs, labels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"search": Examples(images(40, 0, (3, 7, 7)))},
            (
                r"Expected small to take inputs of shape \(8, 3, 7, 7\) and type torch\.float32, "
                r"got RuntimeError: .* Give examples as the module takes them, or preprocess\."
            ),
        ),
        (
            {"search": Examples(np.zeros((9, 3, 8, 8), np.uint8))},
            r"Expected small to take .* type torch\.uint8, got RuntimeError: .*preprocess\.",
        ),
        (
            {"calibration": Examples(images(16, 0, (3, 9, 9)))},
            r"Expected calibration images of shape \(3, 8, 8\), as those .* got \(3, 9, 9\)\.",
        ),
        (
            {"search": Examples(images(3), np.array([0, 3, 4]))},
            r"Expected labels from 0 to 3, .* got 4 for image 2 of the search split\.",
        ),
        (
            {"search": lambda limit: Examples(images(9)[:limit]), "sensitivity_images": 10},
            r"Expected at least 10 search images, .* got 9\.",
        ),
        (
            {"search": lambda limit: images(9)},
            r"Expected what loads the search images to return Ex",
        ),
        (
            {"preprocess": lambda batch: batch[:1]},
            r"Expected preprocess to give a tensor of 8 inputs for as many, got one of shape \(1, ",
        ),
        (
            {"module": returning(lambda scores: {"scores": scores})},
            r"Expected small to give the scores of at least 2 classes for 8 .* got dict\. Wrap",
        ),
        (
            {"module": returning(lambda scores: scores[:, :1])},
            r"Expected small to give the scores .* got a tensor of shape \(8, 1\)\. Wrap the",
        ),
        (
            {"module": returning(lambda scores: scores[:, :, None])},
            r"Expected small to give the scores .* got a tensor of shape \(8, 4, 1\)\. Wrap the",
        ),
        (
            {
                "search": Examples(
                    np.where(np.arange(3)[:, None, None, None] == 2, np.nan, images(3))
                )
            },
            r"Expected finite scores of small, got infinite ones, .* for image 2\.",
        ),
    ],
)
def test_bad_input_gets_one_error(changes, message):
    with pytest.raises(AccuracyDataError, match=message):
        NetworkEvaluator(subject(**changes)).evaluate(uniform(8), "search")


def test_split_that_is_not_there_is_named():
    with pytest.raises(AccuracyDataError, match=r"Expected a network with a test split, got small"):
        NetworkEvaluator(subject(test=None)).evaluate(uniform(8), "test")


def test_design_of_infinite_scores_is_refused(evaluator):
    evaluator.network.layers["head"].on_outputs.append(lambda outputs: outputs / 0)
    try:
        with pytest.raises(AccuracyDataError, match=r"Expected finite scores of every design, got"):
            evaluator.compare(evaluator.network, "search")
    finally:
        evaluator.network.set_float()


class Unused(Small):
    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(2, 2)


class Functional(Small):
    def __init__(self):
        super().__init__()
        self.matrix = nn.Parameter(torch.eye(4))

    def forward(self, images):
        return F.linear(super().forward(images), self.matrix)


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.out = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, tokens):
        queries = self.query(tokens)
        weights = torch.softmax(queries @ tokens.transpose(1, 2), -1)
        return self.out((weights @ tokens).mean(1))


class Hidden(Attentive):
    """Torch.fx does not follow it: it asks for a type."""

    def forward(self, tokens):
        return super().forward(tokens) if isinstance(tokens, torch.Tensor) else self.out(tokens)


class Projected(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 4, proj_size=3, batch_first=True)

    def forward(self, features):
        return self.lstm(features)[0][:, 0]


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (Unused(), (3, 8, 8), r"Expected every layer to run on .* got spare, which did not\. Take"),
        (
            Hidden(),
            (5, 6),
            (
                r"Expected small to be quantised in all layers that Network\.from_torch finds, 4 "
                r"layers, number 2 'qk'; got 2 layers, number 2 'out'\. Only modules of the"
            ),
        ),
        (Projected(), (5, 6), r"Expected an LSTM of one layer, one direction and no projection"),
    ],
)
def test_network_that_is_not_quantised_as_a_whole_is_refused(module, shape, message):
    with pytest.raises(AccuracyDataError, match=message):
        NetworkEvaluator(of_module(module, shape)).evaluate(uniform(8), "search")


@pytest.mark.parametrize(
    ("module", "shape", "layers"),
    [
        (Functional(), (3, 8, 8), [*LAYERS, "matrix"]),
        (Attentive(), (5, 6), ["query", "qk", "av", "out"]),
    ],
)
def test_what_forward_multiplies_itself_is_quantised(module, shape, layers):
    evaluator = NetworkEvaluator(of_module(module, shape))
    assert evaluator.layers == layers
    assert evaluator.evaluate(uniform(8, len(layers)), "search").divergence > 0
