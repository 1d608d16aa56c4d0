"""Modules cut into stages: where, with which batch norms, and what cannot be."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrmp.accuracy.lab.models.traced import trace_stages
from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.accuracy.lab.quantization.layers import QuantizedLayer

SHAPE = (4, 3, 8, 8)


class Function(nn.Module):
    """A function of a module's own layers and an input."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, maps, scale=1.0, mask=None):
        if mask is not None:
            maps = maps * mask
        return self.function(self, maps) * scale


def conv(inputs=3, outputs=3, **options):
    return nn.Conv2d(inputs, outputs, 3, padding=1, **options)


def norm(channels=3):
    module = nn.BatchNorm2d(channels)
    module.running_mean.uniform_(-0.5, 0.5)
    module.running_var.uniform_(0.5, 2)
    return module


def inputs():
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))


def trace(function, **parts):
    """Trace a function, and say which layers its stages run."""
    torch.manual_seed(0)
    module = Function(function, **parts).eval()
    traced = trace_stages(module, inputs())
    assert traced is not None
    names = {id(part): name for name, part in module.named_modules()}
    found = [
        [names[id(part)] for part in stage.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
        for stage in traced.of(module)
    ]
    maps = inputs()
    with torch.no_grad():
        for stage in traced.of(module):
            maps = stage(maps)
        assert torch.equal(maps, module(inputs()))
    return found, traced


def test_chain_is_cut_before_every_layer():
    found, traced = trace(
        lambda m, x: m.fc(m.two(F.relu(m.one(x))).relu().mean((2, 3))),
        one=conv(),
        two=conv(),
        fc=nn.Linear(3, 2),
    )
    assert found == [["one"], ["two"], ["fc"]]
    # A cut is right before a layer: what comes before it runs once for all designs.
    assert [node.op for node in traced.graphs[1].nodes][:2] == ["placeholder", "call_module"]


def test_branches_stay_in_one_stage():
    found, _ = trace(
        lambda m, x: m.last(F.relu(m.left(x) + m.right(m.before(x)))),
        before=conv(),
        left=conv(),
        right=conv(),
        last=conv(),
    )
    assert [sorted(stage) for stage in found] == [["before", "left", "right"], ["last"]]


def test_shortcut_over_several_layers_keeps_them_together():
    found, _ = trace(lambda m, x: m.last(x + m.two(m.one(x))), one=conv(), two=conv(), last=conv())
    assert found == [["one", "two"], ["last"]]


def test_parameters_are_read_where_they_are_needed():
    found, _ = trace(
        lambda m, x: m.two(m.one(x) * m.scale) * m.scale,
        one=conv(),
        two=conv(),
        scale=nn.Parameter(torch.tensor(0.5)),
    )
    assert found == [["one"], ["two"]]


def test_sizes_that_live_on_prevent_a_cut():
    def function(m, x):
        count = x.shape[0]
        return m.two(m.one(x)).view(count, -1)

    assert trace(function, one=conv(), two=conv())[0] == [["one", "two"]]
    assert trace(lambda m, x: m.two(m.one(x)).flatten(1), one=conv(), two=conv())[0] == [
        ["one"],
        ["two"],
    ]


def test_tuples_are_not_passed_between_stages():
    def function(m, x):
        left, right = m.one(x).chunk(2, 1)
        return m.two(left - right)

    found, traced = trace(function, one=conv(3, 6), two=conv())
    assert found == [["one"], ["two"]]
    assert [node.op for node in traced.graphs[1].nodes] == [
        "placeholder",
        "call_module",
        "call_function",
        "output",
    ]


def test_single_layer_is_a_single_stage():
    assert trace(lambda m, x: F.relu(m.one(x)), one=conv())[0] == [["one"]]


def test_layer_that_is_used_again_runs_in_both_stages():
    assert trace(lambda m, x: m.one(F.relu(m.one(x))), one=conv())[0] == [["one"], ["one"]]


# Batch norms


def test_batch_norms_behind_convolutions_are_found():
    def function(m, x):
        x = F.relu(m.norm1(m.conv1(x)))
        return m.norm3(F.relu(m.norm2(x) + m.conv2(x)))

    parts = {"conv1": conv(bias=False), "conv2": conv()}
    _, traced = trace(function, **parts, norm1=norm(), norm2=norm(), norm3=norm())
    assert traced.batch_norms == {"conv1": "norm1"}


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: m.norm(y := m.conv(x)) + y,
        lambda m, x: m.norm(m.conv(m.conv(x))),
        lambda m, x: m.norm(m.norm(m.conv(x))),
        lambda m, x: m.norm(F.relu(m.conv(x))),
    ],
    ids=["read by others", "convolution used twice", "norm used twice", "function between"],
)
def test_batch_norms_that_cannot_be_folded_are_left(function):
    assert trace(function, conv=conv(), norm=norm())[1].batch_norms == {}


def test_batch_norm_of_the_batch_itself_is_left():
    current = nn.BatchNorm2d(3, track_running_stats=False)
    assert trace(lambda m, x: m.norm(m.conv(x)), conv=conv(), norm=current)[1].batch_norms == {}


class Standardised(nn.Conv2d):
    """A convolution of which folding would change the result."""

    def forward(self, maps):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(maps, weight, self.bias, padding=1)


def test_convolution_of_another_kind_is_kept_whole_and_not_folded():
    found, traced = trace(
        lambda m, x: m.two(m.norm(m.one(x))), one=Standardised(3, 3, 3), norm=norm(), two=conv()
    )
    assert found == [["one"], ["two"]]
    assert traced.batch_norms == {}


def test_quantised_copy_runs_in_the_stages_of_the_module():
    def function(m, x):
        x = F.relu(m.norm1(m.conv1(x)))
        return m.fc(F.relu(x + m.alias(m.conv2(x))).mean((2, 3)))

    torch.manual_seed(0)
    norm2 = norm()
    module = Function(
        function,
        conv1=conv(bias=False),
        norm1=norm(),
        conv2=conv(),
        norm2=norm2,
        alias=norm2,
        fc=nn.Linear(3, 5),
    ).eval()
    traced = trace_stages(module, inputs())
    network = QuantizedNetwork(module, traced=traced)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in network.model.modules())
    assert any(isinstance(part, nn.BatchNorm2d) for part in module.modules())
    network.calibrate(inputs())
    for layer in network.layers.values():
        layer.round_weights(3)
        layer.round_inputs(4)
    with torch.inference_mode():
        maps = inputs()
        for stage in network.stages():
            assert any(isinstance(part, QuantizedLayer) for part in stage.modules())
            maps = stage(maps)
        assert torch.equal(maps, network(inputs()))
        network.set_float()
        assert torch.allclose(network(inputs()), module(inputs()), atol=1e-5)
        assert not torch.allclose(maps, module(inputs()), atol=1e-3)


# What cannot be followed


def values(m, x):
    return m.one(x) if float(x.sum()) > -1e9 else x


def length(m, x):
    return m.one(x) / len(x)


def kind(m, x):
    return m.one(x) * (2 if isinstance(x, torch.fx.Proxy) else 1)


def pair(m, x):
    return m.one(x), x


@pytest.mark.parametrize("function", [values, length, kind, pair])
def test_module_that_cannot_be_followed_has_no_stages(function):
    module = Function(lambda m, x: 0, one=conv()).eval()
    module.forward = lambda maps: function(module, maps)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert trace_stages(module, inputs()) is None
