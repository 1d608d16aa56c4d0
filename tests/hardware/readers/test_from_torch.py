import copy
from dataclasses import replace

import pytest

from lrmp.errors import NetworkError
from lrmp.hardware import NETWORKS, Layer, Network, load_network
from lrmp.hardware.networks.transformer import bert_base, llama_7b, vit_b_32
from lrmp.hardware.networks.vector_operations import layer_norm_ops, rms_norm_ops, softmax_ops

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

BLOCKS = {"bert_base": bert_base, "llama_7b": llama_7b, "vit_b_32": vit_b_32}


class Function(nn.Module):
    """A function as a module, with layers by name."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def read(function, *shapes, **parts):
    """Read the layers of a function, its inputs given by their shapes."""
    options = {"batch_dimension": parts.pop("batch_dimension", 0)}
    inputs = tuple(torch.zeros(shape) for shape in shapes)
    return Network.from_torch(Function(function, **parts), inputs, **options).layers


def ops(function, *shapes, **parts):
    """Count the vector operations of a function behind a linear layer."""
    fc = nn.Linear(8, 8)
    layers = read(lambda m, x, *more: function(m, m.fc(x), *more), *shapes, fc=fc, **parts)
    assert layers[0].name == "fc"
    return layers[0].vector_ops


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(set(NETWORKS) - set(BLOCKS)))
def test_built_in_networks_equal_their_torch_models(name, torch_model):
    network = Network.from_torch(*torch_model(name), name=name)
    # torch calls the convolution of a shortcut downsample.0; the catalogue shortens it.
    renamed = tuple(
        replace(layer, name=layer.name.replace("downsample.0", "downsample"))
        for layer in network.layers
    )
    assert renamed == load_network(name).layers
    assert network.edges == load_network(name).edges
    assert network.name == name


@pytest.mark.long
@pytest.mark.parametrize("name", BLOCKS)
def test_built_in_transformers_equal_their_torch_models(name, torch_model):
    # Two blocks instead of 12 or 32: the others are the same.
    module, inputs = torch_model(name, blocks=2)
    assert Network.from_torch(module, inputs, name=name) == BLOCKS[name](blocks=2)


# -- layers -------------------------------------------------------------------------------


def test_rectangular_grouped_dilated_and_padded_convolutions():
    # (10 + 2 - 1 * (3 - 1) - 1) / 2 + 1 = 5; (9 + 4 - 2 * (5 - 1) - 1) / 1 + 1 = 5
    conv = nn.Conv2d(6, 8, (3, 5), (2, 1), (1, 2), (1, 2), groups=2)
    (layer,) = read(lambda m, x: m.conv(x), (1, 6, 10, 9), conv=conv)
    assert layer == Layer(
        "conv", "conv2d", 3 * 5 * 3, 8, 25, kernel_size=5, stride=2, groups=2, input_elements=540
    )


def test_one_dimensional_and_same_padded_convolutions():
    parts = {"a": nn.Conv1d(4, 6, 4, padding="same"), "b": nn.Conv1d(6, 6, 3, 3, groups=6)}
    layers = read(lambda m, x: m.b(m.a(x)), (1, 4, 12), **parts)
    assert layers == (
        Layer("a", "conv1d", 16, 6, 12, kernel_size=4, input_elements=48),
        Layer("b", "conv1d", 3, 6, 4, kernel_size=3, stride=3, groups=6, input_elements=72),
    )


def test_padding_by_hand_reads_no_more_inputs():
    conv = nn.Conv2d(2, 2, 3)
    (layer,) = read(lambda m, x: m.conv(F.pad(x, (1, 1, 1, 1))), (1, 2, 8, 8), conv=conv)
    assert layer == Layer.conv2d("conv", 2, 2, 3, 8)


def test_functional_layers_are_named_after_their_parameters():
    def run(m, x):
        x = F.conv2d(x, m.kernel - m.kernel.mean())  # weights made of weights
        return F.linear(x.flatten(1), m.matrix) @ m.matrix_2.T

    layers = read(
        run,
        (1, 3, 4, 4),
        kernel=nn.Parameter(torch.zeros(5, 3, 4, 4)),
        matrix=nn.Parameter(torch.zeros(7, 5)),
        matrix_2=nn.Parameter(torch.zeros(2, 7)),
    )
    assert [(x.name, x.kind, x.rows, x.columns) for x in layers] == [
        ("kernel", "conv2d", 48, 5),
        ("matrix", "linear", 5, 7),
        ("matrix_2", "linear", 7, 2),
    ]
    assert sum(x.vector_ops for x in layers) == 0


def test_weight_with_a_parametrisation_is_named_after_its_module():
    conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(2, 3, 3))
    (layer,) = read(lambda m, x: m.part(x), (1, 2, 5), part=nn.Sequential(conv))
    assert (layer.name, layer.rows, layer.columns) == ("part.0", 6, 3)


def test_root_layers_are_named_after_their_operator():
    for module, shape, name in (
        (nn.Linear(4, 2), (1, 4), "linear"),
        (nn.Conv2d(1, 1, 1), (1, 1, 4, 4), "conv2d"),
        (nn.LSTM(4, 4), (9, 1, 4), "l0"),
    ):
        network = Network.from_torch(module, torch.zeros(shape), batch_dimension=None)
        assert [layer.name for layer in network.layers] == [name]
    assert network.name == "LSTM"


@pytest.mark.parametrize(("kind", "gates", "cost"), [("LSTM", 4, 9), ("GRU", 3, 8), ("RNN", 1, 1)])
def test_stacked_bidirectional_recurrent_layers(kind, gates, cost):
    rnn = getattr(nn, kind)(10, 16, 2, bidirectional=True, batch_first=True)
    layers = read(lambda m, x: m.rnn(x)[0], (1, 7, 10), rnn=rnn)
    assert [layer.name for layer in layers] == [
        "rnn.l0",
        "rnn.l0_reverse",
        "rnn.l1",
        "rnn.l1_reverse",
    ]
    assert [layer.rows for layer in layers] == [26, 26, 48, 48]
    for layer in layers:
        assert (layer.kind, layer.columns, layer.positions) == ("recurrent", gates * 16, 7)
        assert (layer.time_steps, layer.vector_ops) == (7, cost * 16 * 7)


def test_layer_with_time_first_equals_the_catalogue():
    layers = read(
        lambda m, x: m.rnn(x)[0], (35, 1, 650), rnn=nn.LSTM(650, 650, 2), batch_dimension=1
    )
    assert layers == load_network("lstm_ptb_medium").layers[:2]


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_cell_in_a_loop_equals_the_layer(kind):
    def loop(m, x):
        state, outputs = None, []
        for step in range(x.shape[0]):
            state = m.rnn(x[step], state)
            outputs.append(state[0] if kind == "LSTM" else state)
        return torch.stack(outputs)

    (cell,) = read(loop, (5, 1, 6), rnn=getattr(nn, f"{kind}Cell")(6, 4), batch_dimension=1)
    (layer,) = read(
        lambda m, x: m.rnn(x)[0], (5, 1, 6), rnn=getattr(nn, kind)(6, 4), batch_dimension=1
    )
    assert cell == replace(layer, name="rnn")


def test_shared_weights_are_one_layer_that_waits_only_where_it_must():
    def run(m, x):
        x = m.fc(m.fc(m.fc(x)))  # a chain of three
        return m.head(x), m.head(x + 1)  # side by side

    chained, parallel = read(run, (1, 4, 8), fc=nn.Linear(8, 8), head=nn.Linear(8, 2))
    assert (chained.positions, chained.time_steps, chained.input_elements) == (12, 3, 96)
    assert (parallel.positions, parallel.time_steps) == (8, 1)


def test_tied_and_transposed_weights():
    def run(m, x):
        return F.linear(F.relu(m.encode(x)), m.encode.weight.t()), m.twin(x)

    encode, twin = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
    twin.weight = encode.weight
    layers = read(run, (1, 8), encode=encode, twin=twin)
    # The same matrix twice; the transposed one needs crossbars of its own.
    assert [(layer.name, layer.positions) for layer in layers] == [("encode", 2), ("encode.1", 1)]
    (layer,) = read(lambda m, x: (m.a(x), x @ m.a.weight.t()), (1, 8), a=nn.Linear(8, 3))
    assert layer.positions == 2


def test_parts_of_one_weight_are_layers_of_their_own():
    def run(m, x):
        q, k, v = m.qkv.chunk(3)
        return F.linear(x, q), F.linear(x, k), F.linear(x, v), F.linear(x, m.qkv[:8])

    layers = read(run, (1, 5, 8), qkv=nn.Parameter(torch.zeros(24, 8)))
    assert [(layer.name, layer.positions) for layer in layers] == [
        ("qkv", 5),
        ("qkv.1", 5),
        ("qkv.2", 5),
        ("qkv.3", 5),
    ]
    # the same slice in every step of a loop is the same matrix
    (layer,) = read(
        lambda m, x: F.linear(F.linear(x, m.w[:8]), m.w[:8]),
        (1, 8),
        w=nn.Parameter(torch.zeros(9, 8)),
    )
    assert (layer.positions, layer.time_steps) == (2, 2)


def test_multihead_attention_by_hand():
    attention = nn.MultiheadAttention(32, 4, batch_first=True)

    def layers(need_weights):
        return read(
            lambda m, x: m.attn(x, x, x, need_weights=need_weights)[0], (1, 10, 32), attn=attention
        )

    assert layers(False) == (
        Layer.linear("attn.in_proj", 32, 96, 10),
        Layer.matmul("attn.qk", 8, 10, 10, heads=4, vector_ops=softmax_ops(4 * 10 * 10)),
        Layer.matmul("attn.av", 10, 8, 10, heads=4),
        Layer.linear("attn.out_proj", 32, 32, 10),
    )
    # The unfused form multiplies by hand; nobody asks for its average over the heads.
    assert layers(True) == layers(False)


def test_results_that_nobody_uses_cost_nothing():
    def run(m, x):
        m.auxiliary(x).softmax(-1)
        return m.fc(x)

    (layer,) = read(run, (1, 4), fc=nn.Linear(4, 2), auxiliary=nn.Linear(4, 3))
    assert layer == Layer.linear("fc", 4, 2)


def test_cross_attention_slices_the_packed_projection():
    attention = nn.MultiheadAttention(32, 4, batch_first=True)
    layers = read(
        lambda m, x, y: m.attn(x, y, y, need_weights=False)[0],
        (1, 10, 32),
        (1, 6, 32),
        attn=attention,
    )
    assert [(x.name, x.columns, x.positions) for x in layers[:2]] == [
        ("attn.in_proj", 32, 10),
        ("attn.in_proj.1", 64, 6),
    ]
    assert (layers[2].columns, layers[2].positions) == (6 * 4, 10)


def test_transformer_encoder_layer_by_hand():
    block = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    module = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
    network = Network.from_torch(module, torch.zeros(1, 10, 32))
    norm = layer_norm_ops(320, 10)
    for number, layers in enumerate((network.layers[:6], network.layers[6:])):
        prefix = f"layers.{number}"
        assert layers == (
            Layer.linear(f"{prefix}.self_attn.in_proj", 32, 96, 10),
            Layer.matmul(f"{prefix}.self_attn.qk", 8, 10, 10, heads=4, vector_ops=2000),
            Layer.matmul(f"{prefix}.self_attn.av", 10, 8, 10, heads=4),
            Layer.linear(f"{prefix}.self_attn.out_proj", 32, 32, 10, vector_ops=320 + norm),
            Layer.linear(f"{prefix}.linear1", 32, 64, 10, vector_ops=640),
            Layer.linear(f"{prefix}.linear2", 64, 32, 10, vector_ops=320 + norm),
        )


def test_masked_attention_by_hand_equals_the_fused_one():
    def by_hand(m, q, k, v):
        scores = (q / 4) @ k.mT + torch.full((10, 10), -1e9).triu(1)
        return F.softmax(scores, dim=-1) @ v

    def fused(m, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    shapes = ((1, 2, 10, 16),) * 3
    assert read(by_hand, *shapes) == read(fused, *shapes)


def test_grouped_queries_share_keys():
    def run(m, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)

    layers = read(run, (1, 8, 10, 16), (1, 2, 10, 16), (1, 2, 10, 16))
    # Four query heads per key head: 40 positions on the crossbars of two heads.
    masked = 8 * 10 * 10
    assert layers == (
        Layer.matmul("qk", 16, 10, 40, heads=2, vector_ops=masked + softmax_ops(masked)),
        Layer.matmul("av", 10, 16, 40, heads=2),
    )


@pytest.mark.parametrize(
    ("product", "left", "right", "sizes"),
    [
        (torch.matmul, (1, 5, 6), (6, 7), (6, 7, 5, 1)),
        (torch.matmul, (2, 5, 6), (2, 6, 7), (6, 14, 5, 2)),
        (torch.matmul, (2, 5, 6), (1, 6, 7), (6, 7, 10, 1)),  # a broadcast matrix
        (torch.matmul, (5, 6), (2, 6, 7), (6, 14, 5, 1)),  # two matrices, the same inputs
        (torch.matmul, (5, 6), (6,), (6, 1, 5, 1)),
        (torch.bmm, (3, 1, 6), (3, 6, 1), (6, 3, 1, 3)),
        (lambda a, b: torch.einsum("bqhd,bkhd->bhqk", a, b), (1, 5, 3, 8), (1, 7, 3, 8), None),
        (lambda a, b: torch.tensordot(a, b, dims=([1], [0])), (5, 6), (6, 7), (6, 7, 5, 1)),
    ],
)
def test_products_of_activations(product, left, right, sizes):
    (layer,) = read(lambda m, a, b: product(a, b), left, right, batch_dimension=None)
    assert layer.kind == "matmul"
    found = (layer.rows, layer.columns, layer.positions, layer.groups)
    assert found == (sizes or (8, 7 * 3, 5, 3))
    assert layer.macs == sizes_macs(product, left, right)


def sizes_macs(product, left, right):
    """Count multiplications from the result: every output element is one sum of products."""
    ones = product(torch.ones(left), torch.ones(right))
    return int(ones.sum())


def test_matrix_on_the_left_is_a_layer_too():
    mix = nn.Parameter(torch.zeros(3, 10))  # mixes ten tokens to three, channel by channel
    (layer,) = read(lambda m, x: m.mix @ x, (1, 10, 8), mix=mix)
    assert layer == Layer("mix", "linear", 10, 3, 8)


def test_batched_weights_are_groups():
    experts = nn.Parameter(torch.zeros(4, 6, 7))
    (layer,) = read(lambda m, x: torch.bmm(x, m.w), (4, 5, 6), w=experts, batch_dimension=None)
    assert layer == Layer("w", "linear", 6, 28, 5, groups=4)


def test_control_flow_on_shapes_and_regions_of_other_modes():
    def run(m, x):
        for _ in range(x.shape[1] // 2):
            x = F.relu(x)
        if x.shape[-1] == 8:
            with torch.enable_grad():
                x = m.fc(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return m.head(x).float()

    layers = read(run, (1, 4, 8), fc=nn.Linear(8, 6), head=nn.Linear(6, 2))
    assert [layer.name for layer in layers] == ["fc", "head"]
    # two functions of one tensor in a row are one look-up, before the first layer
    assert [layer.vector_ops for layer in layers] == [32, 0]


def test_what_is_written_into_a_buffer_still_counts():
    def run(m, x):
        rows = torch.zeros(1, 3, 8)
        rows[:, 1] = m.fc(x)
        return m.head(rows)

    layers = read(run, (1, 8), fc=nn.Linear(8, 8), head=nn.Linear(8, 2))
    assert [(layer.name, layer.positions) for layer in layers] == [("fc", 1), ("head", 3)]


def test_embeddings_hold_no_crossbars():
    module = nn.Sequential(nn.Embedding(100, 8), nn.Linear(8, 2))
    network = Network.from_torch(module, torch.zeros(1, 5, dtype=torch.long))
    assert network.layers == (Layer.linear("1", 8, 2, 5),)


def test_keyword_inputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x, *, scale=None):
            return self.fc(x) if scale is None else self.fc(x) * scale

    inputs = {"x": torch.zeros(1, 4), "scale": torch.zeros(1, 2)}
    assert Network.from_torch(Two(), inputs).layers[0].vector_ops == 2
    assert Network.from_torch(Two(), torch.zeros(1, 4)).layers[0].vector_ops == 0


def test_results_of_any_type_are_followed():
    class Cache:
        def __init__(self, keys):
            self.keys = {"layer": [keys]}
            self.owner = self

    layers = read(lambda m, x: Cache(m.key(x)), (1, 4), key=nn.Linear(4, 2))
    assert layers == (Layer.linear("key", 4, 2),)


# -- vector operations -------------------------------------------------------------------

N = 3 * 8  # elements behind the linear layer


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (lambda m, x: x, 0),
        (lambda m, x: F.relu(x), N),
        (lambda m, x: F.relu6(x.mul(2).add(1)), N),  # constants fold
        (lambda m, x: F.gelu(x), N),
        (lambda m, x: 0.5 * x * (1 + torch.erf(x / 2**0.5)), N),  # the same written out
        (lambda m, x: 0.5 * x * (1 + torch.tanh(0.8 * (x + 0.04 * x**3))), N),
        (lambda m, x: F.silu(x), N),
        (lambda m, x: x * torch.sigmoid(x), N),
        (lambda m, x: F.hardswish(x), N),
        (lambda m, x: x * F.relu6(x + 3) / 6, N),
        (lambda m, x: 1 / (1 + torch.exp(-x)), N),
        (lambda m, x: x + F.relu(x).transpose(1, 2).reshape(1, 3, 8), 2 * N),
        (lambda m, x: F.relu(x) + m.around, 2 * N),  # a constant per element does not fold
        (lambda m, x: x + m.bias, 0),  # one per column folds
        (lambda m, x: F.relu(x) + m.bias, 2 * N),  # but not behind a function
        (lambda m, x: F.prelu(x, m.one), N),
        (lambda m, x: F.glu(x), 2 * N // 2),
        (lambda m, x: F.dropout(x, training=m.training), 0),
        (lambda m, x: x.permute(0, 2, 1).flatten(1).float(), 0),
        (lambda m, x: F.softmax(x, -1), 5 * N),
        (lambda m, x: (lambda e: e / e.sum(-1, True))(torch.exp(x - x.amax(-1, True))), 5 * N),
        (lambda m, x: m.ln(x), 7 * N + 3),
        (lambda m, x: F.layer_norm(x, (8,)), 5 * N + 3),
        (
            lambda m, x: (lambda d: d / (d.pow(2).mean(-1, True) + 1e-5).sqrt() * m.bias + m.bias)(
                x - x.mean(-1, True)
            ),
            7 * N + 3,
        ),
        (lambda m, x: m.rms(x), rms_norm_ops(N, 3)),
        (lambda m, x: x * torch.rsqrt(x.pow(2).mean(-1, True) + 1e-5) * m.bias, 4 * N + 3),
        (lambda m, x: m.bn(x.transpose(1, 2)), 0),
        (lambda m, x: m.gn(x), 7 * N + 1),
        (lambda m, x: x.mean(1), N),
        (lambda m, x: F.max_pool1d(x, 2), N),
        (lambda m, x: F.max_pool1d(x, 3, 1), 3 * 6 * 3),
        (lambda m, x: F.avg_pool2d(x, 3, 1, 1), 9 * N),
        (lambda m, x: F.adaptive_avg_pool1d(x, 1), N),
        (lambda m, x: F.adaptive_avg_pool1d(x, 8), 0),
        (lambda m, x: F.adaptive_avg_pool1d(x, 5), 3 * (2 + 3 + 2 + 3 + 2)),  # they overlap
        (lambda m, x: F.interpolate(x, scale_factor=2), 0),
        (lambda m, x: F.interpolate(x, scale_factor=2, mode="linear"), 4 * N),
        (lambda m, x: torch.fake_quantize_per_tensor_affine(x, 0.1, 0, -128, 127), 0),
        (lambda m, x: torch.where(m.around > 0, x, -1e9), N),
        (lambda m, x: x.argmax(-1), N),
        (lambda m, x: x.var(-1), 4 * N),
    ],
)
def test_vector_operations_follow_the_rule(function, count):
    parts = {
        "ln": nn.LayerNorm(8),
        "rms": nn.RMSNorm(8),
        "bn": nn.BatchNorm1d(8),
        "gn": nn.GroupNorm(1, 3),
        "around": nn.Parameter(torch.zeros(1, 3, 8)),
        "bias": nn.Parameter(torch.zeros(8)),
        "one": nn.Parameter(torch.zeros(1)),
    }
    assert ops(function, (1, 3, 8), **parts) == count


# -- the module stays as it was -----------------------------------------------------------


def test_module_is_left_as_it_was(torch_model):
    module = nn.Sequential(
        nn.LSTM(4, 4, batch_first=True, dropout=0.0), Function(lambda m, x: x[0]), nn.Linear(4, 2)
    )
    module.append(nn.BatchNorm1d(3)).append(nn.Dropout())
    module.train()
    module[3].eval()
    module[2].weight.requires_grad_(False)
    before = copy.deepcopy(module.state_dict())
    flags = [part.training for part in module.modules()]
    state = torch.random.get_rng_state()
    attributes = {name: set(vars(part)) for name, part in module.named_modules()}
    Network.from_torch(module, torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [part.training for part in module.modules()] == flags
    assert torch.backends.mha.get_fastpath_enabled()
    assert torch.is_grad_enabled()
    after = module.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert [p.requires_grad for p in module[2].parameters()] == [False, True]
    for name, part in module.named_modules():
        assert set(vars(part)) == attributes[name]
        hooks = [v for k, v in vars(part).items() if k.endswith("hooks")]
        assert hooks
        assert not any(hooks)
    module(torch.zeros(1, 3, 4)).sum().backward()  # still trains
    assert module[0].weight_ih_l0.grad is not None


def test_flags_are_restored_after_an_error():
    module = nn.Sequential(nn.Linear(4, 2)).train()
    with pytest.raises(NetworkError):
        Network.from_torch(module, torch.zeros(1, 5))
    assert all(part.training for part in module.modules())


# -- errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "example", "message"),
    [
        (
            nn.Linear(4, 2),
            torch.zeros(2, 4),
            r"batch of 1 in dimension 0, got shape \(2, 4\)\. Giv",
        ),
        (nn.Linear(4, 2), torch.zeros(()), r"batch of 1 in dimension 0, got shape \(\)"),
        (nn.Linear(4, 2), torch.zeros(1, 5), r"to trace Linear on the example input, got Runtime"),
        (nn.Linear(4, 2), (torch.zeros(1, 4),) * 2, r"to trace Linear on .*, got TypeError"),
        (nn.Linear(4, 2), {"y": torch.zeros(1, 4)}, r"to trace Linear on the example input, got "),
        (nn.Linear(4, 2), None, r"Expected an example input with at least one tensor, got NoneTy"),
        (len, torch.zeros(1, 4), r"Expected a torch\.nn\.Module, got builtin_function_or_method"),
        (nn.ReLU(), torch.zeros(1, 4), r"Expected network 'ReLU' to have a convolution, a linear"),
        (
            Function(lambda m, x: m.a(x) if x.sum() > 0 else x, a=nn.Linear(4, 2)),
            torch.zeros(1, 4),
            r"control flow may depend on shapes, not on values",
        ),
        (
            Function(lambda m, x: torch.sort(x)[0]),
            torch.zeros(1, 4),
            r"got aten\.sort\.\w+\. Replace it",
        ),
        (
            Function(lambda m, x: torch.linalg.inv(x)),
            torch.eye(4)[None],
            r"got aten\.linalg_inv\S* Replace it",
        ),
        (
            Function(lambda m, x: F.conv2d(x, x)),
            torch.zeros(1, 1, 4, 4),
            r"got aten\.conv2d with a computed kernel",
        ),
        (
            nn.LSTM(4, 4, proj_size=2, batch_first=True),
            torch.zeros(1, 3, 4),
            r"got aten\.lstm with projections \(proj_size\)",
        ),
        (
            Function(lambda m, x: torch.einsum("ij,jk,kl->il", x, m.w, m.w), w=torch.zeros(4, 4)),
            torch.zeros(1, 4),
            r"got einsum of 'ij,jk,kl->il' and 3 operands",
        ),
        (
            Function(lambda m, x: torch.einsum("ij,kj->i", x, m.w), w=torch.zeros(3, 4)),
            torch.zeros(1, 4),
            r"got a product with the terms ij,kj->i",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(module, example, message):
    with pytest.raises(NetworkError, match=message):
        Network.from_torch(module, example)


def test_transposed_and_three_dimensional_convolutions():
    layers = read(
        lambda m, x: m.up(m.deep(x)),
        (1, 3, 8, 8, 8),
        deep=nn.Conv3d(3, 8, 3),
        up=nn.ConvTranspose3d(8, 4, 2, stride=2, groups=2),
    )
    assert layers == (
        Layer("deep", "conv3d", 81, 8, 216, kernel_size=3, input_elements=3 * 512),
        Layer("up", "conv3d", 4, 4 * 8, 216, groups=2, input_elements=8 * 216),
    )
    (layer,) = read(lambda m, x: m.up(x), (1, 8, 4, 4), up=nn.ConvTranspose2d(8, 4, 3, stride=2))
    # 16 positions give 9 outputs of 4 channels each, of which 9 x 9 come out.
    assert layer == Layer(
        "up", "conv2d", 8, 36, 16, input_elements=128, vector_ops=36 * 16 - 4 * 81
    )


def test_one_matrix_with_two_strides_is_one_layer():
    (layer,) = read(
        lambda m, x: (F.conv2d(x, m.w), F.conv2d(x, m.w, stride=2)),
        (1, 1, 4, 4),
        w=nn.Parameter(torch.zeros(1, 1, 2, 2)),
    )
    assert (layer.positions, layer.stride) == (9 + 4, 2)


def test_zero_size_layer_is_refused():
    with pytest.raises(NetworkError, match=r"columns of layer 'fc' to be an integer >= 1, got 0"):
        read(lambda m, x: F.linear(x, m.fc), (1, 4), fc=nn.Parameter(torch.zeros(0, 4)))
