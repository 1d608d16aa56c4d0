"""The torch models: sizes as published, layers as in the built-in networks, strict weights."""

import pytest
import torch
from safetensors.torch import save_file

from lrmp.accuracy.lab.models import MODELS, load_model, load_weights
from lrmp.accuracy.lab.models.staged import layer_modules
from lrmp.errors import AccuracyDataError
from lrmp.hardware.networks import load_network

# Counted by torchvision 0.20 for its models, by the authors' README for the CIFAR ResNets
# (0.27, 0.46 and 0.85 million), by the data's README for LeNet, by KerasHub for EfficientNet-Lite0.
PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "squeezenet1_1": 1_235_496,
    "efficientnet_lite0": 4_652_008,
    "resnet20": 269_722,
    "resnet32": 464_154,
    "resnet56": 853_018,
    "lenet": 431_080,
    "mlp": 669_706,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_number_of_parameters_is_the_published_one(name):
    assert sum(value.numel() for value in load_model(name).parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", MODELS)
def test_scores_have_one_column_per_class(name):
    model = load_model(name)
    with torch.inference_mode():
        scores = model(torch.zeros(2, *model.input_shape))
    assert scores.shape == (2, load_network(name).layers[-1].columns)


@pytest.mark.parametrize("name", MODELS)
def test_layers_are_those_of_the_built_in_network_in_its_order(name):
    layers = load_network(name).layers
    assert list(layer_modules(load_model(name))) == [layer.name for layer in layers]


@pytest.mark.parametrize("name", MODELS)
def test_every_batch_norm_follows_a_named_convolution(name):
    model = load_model(name)
    norms = [
        name for name, module in model.named_modules() if isinstance(module, torch.nn.BatchNorm2d)
    ]
    assert sorted(model.batch_norms.values()) == sorted(norms)
    for conv, norm in model.batch_norms.items():
        assert model.get_submodule(conv).out_channels == model.get_submodule(norm).num_features


def test_model_is_ready_for_inference():
    model = load_model("resnet20")
    assert not model.training
    assert not any(value.requires_grad for value in model.parameters())


# Weights


@pytest.fixture
def weights(tmp_path):
    """Random weights of ResNet-8 in a file, half precision where PQF's files have it."""
    model = MODELS["resnet8"]()
    tensors = model.state_dict()
    tensors["fc.weight"] = tensors["fc.weight"].half()
    path = tmp_path / "weights.safetensors"
    save_file(tensors, path)
    return path, tensors


def test_weights_are_loaded_as_float32(weights):
    path, tensors = weights
    model = load_model("resnet8", path)
    assert torch.equal(model.fc.weight, tensors["fc.weight"].float())
    assert torch.equal(model.layer2.shortcut.weight, tensors["layer2.shortcut.weight"])
    assert model.fc.weight.dtype == torch.float32


def test_counters_of_batch_norm_may_be_missing(weights):
    path, tensors = weights
    save_file({k: v for k, v in tensors.items() if "num_batches" not in k}, path)
    assert torch.equal(load_model("resnet8", path).conv1.weight, tensors["conv1.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("fc.bias"), r"1 missing \['fc.bias'\], 0 unexpected"),
        (lambda t: t.update(extra=torch.zeros(1)), r"0 missing \[\], 1 unexpected \['extra'\]"),
        (
            lambda t: t.update({"fc.bias": torch.zeros(9)}),
            r"1 of another shape \['fc.bias of shape \(9,\) instead of \(10,\)'\]",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, change, message):
    path, tensors = weights
    change(tensors)
    save_file(tensors, path)
    with pytest.raises(
        AccuracyDataError,
        match=rf"hold exactly the tensors of ResNet8, got .*{message}.* Give",
    ):
        load_model("resnet8", path)


def test_truncated_weights_are_refused(weights):
    path, _ = weights
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(AccuracyDataError, match=r"to be a whole safetensors file: .* Fetch it"):
        load_model("resnet8", path)


def test_missing_weights_are_refused(tmp_path):
    with pytest.raises(AccuracyDataError, match=r"Expected weights at .*none.* got no such file"):
        load_weights(MODELS["mlp"](), tmp_path / "none")


def test_unknown_model_is_refused():
    with pytest.raises(AccuracyDataError, match=r"model .* Did you mean 'resnet20'"):
        load_model("resnet_20")
