"""Attention and recurrent networks: every matrix is rounded, and what is opened stays the same."""

import warnings
from importlib.util import find_spec

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from lrmp.accuracy.lab.evaluator import NetworkEvaluator  # noqa: E402
from lrmp.accuracy.lab.examples import Examples  # noqa: E402
from lrmp.accuracy.lab.models.activation_product import ActivationProduct  # noqa: E402
from lrmp.accuracy.lab.models.opened import open_layers, run_order  # noqa: E402
from lrmp.accuracy.lab.models.recurrent import RecurrentStack, ResetFirstGRU  # noqa: E402
from lrmp.accuracy.lab.quantization.quantized import quantized  # noqa: E402
from lrmp.accuracy.lab.quantization.steps import quantize_activation  # noqa: E402
from lrmp.accuracy.lab.subject import Subject  # noqa: E402
from lrmp.errors import AccuracyDataError  # noqa: E402
from lrmp.hardware import Design, Network  # noqa: E402

TOKENS, WIDTH = 5, 8


def tokens(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, TOKENS, WIDTH)).astype(np.float32)


def varied(module, seed=0):
    """Give every weight a value of its own, so that no two layers are alike."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if value.ndim > 1:
                value.copy_(torch.randn(value.shape, generator=generator) * 0.4)
            elif "bias" in name:  # else drawn from torch's own generator, by the tests before
                value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
    return module.eval()


class Head(nn.Module):
    """Scores of the mean token of what a function of the tokens gives."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.out = nn.Linear(WIDTH, 3)

    def forward(self, inputs):
        return self.out(self.run(inputs).mean(1))


class SelfAttention(Head):
    def run(self, x):
        return self.attn(x, x, x, need_weights=False)[0]


class CrossAttention(Head):
    def run(self, x):
        return self.attn(x, x.flip(1), x + 1)[0]


class Masked(Head):
    def run(self, x):
        later = torch.ones(TOKENS, TOKENS, dtype=torch.bool).triu(1)
        padded = torch.zeros(len(x), TOKENS, dtype=torch.bool)
        padded[:, -1] = True
        return self.attn(x, x, x, attn_mask=later, key_padding_mask=padded)[0]


class SequenceFirst(Head):
    def run(self, x):
        x = x.transpose(0, 1)
        return self.attn(x, x, x)[0].transpose(0, 1)


class Encoder(Head):
    def run(self, x):
        return self.enc(x)


class Recurrent(Head):
    def run(self, x):
        return self.rnn(x)[0]


class Heads(Head):
    def __init__(self):
        super().__init__(q=nn.Linear(WIDTH, WIDTH), k=nn.Linear(WIDTH, 4), v=nn.Linear(WIDTH, 4))

    def split(self, x, heads):
        return x.unflatten(-1, (heads, 4)).transpose(1, 2)

    def run(self, x):
        q, k, v = self.split(self.q(x), 2), self.split(self.k(x), 1), self.split(self.v(x), 1)
        found = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return found.transpose(1, 2).flatten(2)


class ByHand(Head):
    def __init__(self):
        super().__init__(q=nn.Linear(WIDTH, WIDTH))
        self.key, self.value = (nn.Parameter(torch.zeros(WIDTH, WIDTH)) for _ in range(2))

    def run(self, x):
        weights = (self.q(x) @ (x @ self.key).transpose(1, 2)).softmax(-1)
        return torch.bmm(weights, F.linear(x, self.value))


class Sums(Head):
    def __init__(self):
        super().__init__(q=nn.Linear(WIDTH, WIDTH))

    def run(self, x):
        return torch.einsum("nij,njk->nik", torch.einsum("nid,njd->nij", self.q(x), x), x)


def attention(**options):
    return nn.MultiheadAttention(WIDTH, 2, **options)


MODULES = {
    "self": lambda: SelfAttention(attn=attention(batch_first=True)),
    "no bias": lambda: SelfAttention(attn=attention(batch_first=True, bias=False)),
    "cross": lambda: CrossAttention(attn=attention(batch_first=True)),
    "of other widths": lambda: CrossAttention(attn=attention(batch_first=True, kdim=8, vdim=8)),
    "masked": lambda: Masked(attn=attention(batch_first=True)),
    "sequence first": lambda: SequenceFirst(attn=attention()),
    "encoder": lambda: Encoder(
        enc=nn.TransformerEncoder(nn.TransformerEncoderLayer(WIDTH, 2, 16, batch_first=True), 2)
    ),
    "lstm": lambda: Recurrent(rnn=nn.LSTM(WIDTH, WIDTH, batch_first=True)),
    "lstm of two layers": lambda: Recurrent(rnn=nn.LSTM(WIDTH, WIDTH, 2, batch_first=True)),
    "lstm of both directions": lambda: Recurrent(
        rnn=nn.LSTM(WIDTH, 4, 2, batch_first=True, bidirectional=True)
    ),
    "gru": lambda: Recurrent(rnn=nn.GRU(WIDTH, WIDTH, batch_first=True)),
    "gru of both directions": lambda: Recurrent(
        rnn=nn.GRU(WIDTH, 4, 1, batch_first=True, bidirectional=True, bias=False)
    ),
    "rnn": lambda: Recurrent(rnn=nn.RNN(WIDTH, WIDTH, 2, batch_first=True, nonlinearity="relu")),
    "heads": Heads,
    "by hand": ByHand,
    "einsum": Sums,
}
FOUND = {
    "self": ["attn.in_proj", "attn.qk", "attn.av", "attn.out_proj", "out"],
    "cross": ["attn.in_proj", "attn.in_proj.1", "attn.in_proj.2", "attn.qk", "attn.av"],
    "lstm of both directions": ["rnn.l0", "rnn.l0_reverse", "rnn.l1", "rnn.l1_reverse", "out"],
    "gru": ["rnn.l0", "out"],
    "heads": ["q", "k", "v", "qk", "av", "out"],
    "by hand": ["q", "key", "qk", "value", "av", "out"],
    "einsum": ["q", "matmul", "matmul.1", "out"],
}


def subject(module):
    return Subject("net", module, Examples(tokens(16)), Examples(tokens(24, 1)))


@pytest.mark.parametrize("kind", MODULES)
def test_every_matrix_is_rounded_and_floats_stay_what_they_were(kind):
    module = varied(MODULES[kind]())
    given = torch.from_numpy(tokens(24, 1))
    with torch.no_grad():
        expected = module(given)
    evaluator = NetworkEvaluator(subject(module))
    costed = [layer.name for layer in Network.from_torch(module, given[:1]).layers]
    assert evaluator.layers == costed
    assert costed[: len(FOUND.get(kind, ()))] == FOUND.get(kind, [])
    with torch.no_grad():
        np.testing.assert_allclose(evaluator.network(given), expected, atol=1e-4)
        np.testing.assert_allclose(module(given), expected)  # the user's own is as it was
    layers = len(costed)
    fine = evaluator.evaluate(uniform(8, 8, layers), "search").divergence
    # Every layer counts, in both its bits: the fewest do more than what eight do.
    assert 0 < fine < 5e-2
    for place in range(layers):
        for knob in ("weight_bits", "activation_bits"):
            values = {"weight_bits": [8] * layers, "activation_bits": [8] * layers}
            values[knob][place] = 2
            rough = evaluator.evaluate(Design.of(values), "search").divergence
            assert rough > 1.5 * fine, (costed[place], knob)


def uniform(weights, inputs, layers):
    return Design.of({"weight_bits": weights, "activation_bits": inputs}, layers=layers)


def test_products_round_both_operands():
    stream, matrix = torch.from_numpy(tokens(4)), torch.from_numpy(tokens(4, 1)).abs()
    layer = quantized(ActivationProduct("nik,njk->nij"))
    with pytest.raises(AccuracyDataError, match="Call calibrate first"):
        layer.round_weights(4)
    from lrmp.accuracy.lab.quantization.recipe import load_recipe

    layer.start_observing()
    assert torch.equal(layer(stream, matrix), stream @ matrix.transpose(1, 2))
    layer.finish_observing(load_recipe("ptq-1"))
    assert (layer.signed, layer.matrix_signed) == (True, False)
    layer.round_inputs(3)
    layer.round_weights(4)
    # By hand: 2^3 - 1 steps about zero, and 2^4 of what is never negative.
    left = quantize_activation(stream, layer.activation_steps[1], 3, signed=True)
    right = quantize_activation(matrix, layer.matrix_steps[2], 4, signed=False)
    assert len(left.unique()) <= 8
    assert len(right.unique()) <= 16
    assert torch.equal(layer(stream, matrix), left @ right.transpose(1, 2))
    layer.set_float()
    assert torch.equal(layer(stream, matrix), stream @ matrix.transpose(1, 2))
    for change in (layer.change_weights, layer.correct_weights, layer.round_weights_by):
        with pytest.raises(AccuracyDataError, match="got a product of two activations"):
            change(torch.abs)
    with pytest.raises(AccuracyDataError, match="got a product of two activations"):
        layer.project_weights("knob", 1, torch.abs)
    with pytest.raises(AccuracyDataError, match="got a product of two activations"):
        _ = layer.float_weight


def test_a_gru_that_resets_first_is_onnxs():
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    gru = varied(ResetFirstGRU(WIDTH, 4))
    # ONNX has the gates in another order: update, reset, candidate.
    order = [slice(4, 8), slice(0, 4), slice(8, 12)]
    parts = {name: value.detach().numpy() for name, value in gru.named_parameters()}
    w, r, b, c = (
        np.concatenate([parts[f"{part}_l0"][each] for each in order])
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    node = onnx.helper.make_node("GRU", ["x", "w", "r", "b"], ["y", "h"], hidden_size=4)
    tensor = onnx.helper.make_tensor_value_info
    given = {"x": (TOKENS, 3, WIDTH), "w": (1, 12, WIDTH), "r": (1, 12, 4), "b": (1, 24)}
    graph = onnx.helper.make_graph(
        [node],
        "g",
        [tensor(name, 1, shape) for name, shape in given.items()],
        [tensor("y", 1, (TOKENS, 1, 3, 4)), tensor("h", 1, (1, 3, 4))],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)])
    x = np.swapaxes(tokens(3), 0, 1).copy()
    values = {"x": x, "w": w[None], "r": r[None], "b": np.concatenate([b, c])[None]}
    expected, _ = ReferenceEvaluator(model).run(None, values)
    with torch.no_grad():
        for made in (gru, quantized(gru), RecurrentStack(gru, reset_first=True)):
            np.testing.assert_allclose(made(torch.from_numpy(x))[0], expected[:, 0], atol=1e-5)


def test_recurrent_layers_go_on_from_a_state():
    inputs = torch.from_numpy(tokens(3))
    for kind in (nn.LSTM, nn.GRU, nn.RNN):
        module = varied(kind(WIDTH, 4, 2, batch_first=True, bidirectional=True))
        stack = RecurrentStack(module)
        with torch.no_grad():
            _, state = module(inputs)
            expected, last = module(inputs, state)
            found, after = stack(inputs, state)
        assert torch.allclose(found, expected, atol=1e-6)
        for one, other in zip(
            after if kind is nn.LSTM else [after], last if kind is nn.LSTM else [last], strict=True
        ):
            assert torch.allclose(one, other, atol=1e-6)
    with pytest.raises(AccuracyDataError, match="Expected batches of whole sequences"):
        stack(nn.utils.rnn.pack_sequence([inputs[0]]))


class Hidden(Head):
    """A product that torch.fx does not follow: it asks for a type."""

    def run(self, x):
        return x @ x.transpose(1, 2) @ x if isinstance(x, torch.Tensor) else x


def test_what_cannot_be_opened_is_one_error():
    with pytest.raises(AccuracyDataError, match=r"got 1 layers, .* or give --no-accuracy\."):
        NetworkEvaluator(subject(varied(Hidden()))).evaluate(uniform(8, 8, 3), "search")
    keys = SelfAttention(attn=attention(batch_first=True, add_bias_kv=True))
    with pytest.raises(AccuracyDataError, match="add_bias_kv or add_zero_attn"):
        _ = NetworkEvaluator(subject(varied(keys))).network
    with pytest.raises(AccuracyDataError, match=r"Expected layers .* got LSTMCell in cell"):
        subject(Recurrent(cell=nn.LSTMCell(3, 3)))


def test_nothing_is_opened_where_all_is_open():
    module = nn.Sequential(
        nn.Conv1d(TOKENS, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(21, 3)
    ).eval()
    given = torch.from_numpy(tokens(2))
    layers = Network.from_torch(module, given[:1]).layers
    assert open_layers(module, given, layers) is module
    assert run_order(module, given) == [module[0], module[3]]


# -- ONNX --------------------------------------------------------------------------------------

needs_onnx2pytorch = pytest.mark.skipif(
    find_spec("onnx2pytorch") is None or find_spec("onnxscript") is None,
    reason="runs ONNX files with onnx2pytorch",
)


def export(module, path, **options):
    pytest.importorskip("onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (torch.from_numpy(tokens(2)),), path, verbose=False, **options)
    return path


@pytest.mark.long
@needs_onnx2pytorch
@pytest.mark.parametrize("open_batch", [False, True], ids=["one", "open"])
@pytest.mark.parametrize("kind", MODULES)
def test_onnx_files_run_with_every_matrix_in_the_open(kind, open_batch, tmp_path):
    from lrmp.accuracy.lab.models.onnx_module import module_from_onnx
    from lrmp.accuracy.lab.models.staged import layer_modules

    module, given = varied(MODULES[kind]()), torch.from_numpy(tokens(4, 1))
    path = tmp_path / "net.onnx"
    options = {"dynamo": True}
    if open_batch:
        options["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.from_numpy(tokens(2 if open_batch else 1))
        torch.onnx.export(module, (example,), path, verbose=False, **options)
    onnx = pytest.importorskip("onnx")
    first = onnx.load(path).graph.input[0]
    if open_batch and first.type.tensor_type.shape.dim[0].dim_value:
        pytest.skip("torch's exporter fixes the batch of this one")
    first = first.name
    layers = Network.from_onnx(path, input_shapes={first: (1, TOKENS, WIDTH)}).layers
    found = module_from_onnx(path, layers, given)
    assert list(layer_modules(found)) == [layer.name for layer in layers]
    if kind != "rnn":  # which torch's exporter writes as its products
        assert len(layers) == len(Network.from_torch(module, given[:1]).layers)
    with torch.no_grad():
        np.testing.assert_allclose(found(given), module(given), atol=1e-4)
    evaluator = NetworkEvaluator(
        Subject(
            "net",
            found,
            Examples(tokens(16)),
            Examples(tokens(24, 1)),
            layout=Network("net", layers),
        )
    )
    fine, rough = (
        evaluator.evaluate(uniform(bits, bits, len(layers)), "search").divergence for bits in (8, 2)
    )
    assert 0 < fine < 0.1 * rough
