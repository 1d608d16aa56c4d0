import pytest

from lrmp.errors import NetworkError
from lrmp.hardware import Layer


def test_convolution_becomes_a_matrix_of_unrolled_kernels():
    # Kernel 3, padding 1, input 4: side (4 + 2 - 3) / 1 + 1 = 4, so 4 x 4 = 16 positions.
    layer = Layer.conv2d("conv", in_channels=5, out_channels=7, kernel_size=3, input_size=4)
    assert (layer.rows, layer.columns, layer.positions) == (3 * 3 * 5, 7, 16)
    assert (layer.kind, layer.kernel_size, layer.stride) == ("conv2d", 3, 1)
    assert layer.weights == 45 * 7
    assert layer.macs == 45 * 7 * 16


@pytest.mark.parametrize(
    ("kernel_size", "input_size", "stride", "side"),
    [
        (7, 224, 2, 112),  # (224 + 6 - 7) // 2 + 1 = 111 + 1
        (3, 56, 2, 28),  # (56 + 2 - 3) // 2 + 1 = 27 + 1
        (1, 56, 2, 28),  # (56 + 0 - 1) // 2 + 1 = 27 + 1
        (1, 7, 1, 7),
        (3, 7, 2, 4),  # (7 + 2 - 3) // 2 + 1 = 3 + 1: an odd side rounds up
        (5, 1, 1, 1),  # (1 + 4 - 5) // 1 + 1 = 1: the kernel may be larger than the input
    ],
)
def test_convolution_positions_follow_same_padding(kernel_size, input_size, stride, side):
    layer = Layer.conv2d("conv", 1, 1, kernel_size, input_size, stride)
    assert layer.positions == side * side


def test_linear_layer_multiplies_once():
    layer = Layer.linear("fc", 512, 1000)
    assert layer == Layer("fc", "linear", rows=512, columns=1000, positions=1)
    assert layer.macs == 512_000


@pytest.mark.parametrize("field", ["rows", "columns", "positions", "kernel_size", "stride"])
@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", None])
def test_sizes_must_be_positive_integers(field, value):
    sizes = {"rows": 1, "columns": 1, "positions": 1, "kernel_size": 1, "stride": 1, field: value}
    message = rf"Expected {field} of layer 'odd' to be an integer >= 1, got {value!r}\."
    with pytest.raises(NetworkError, match=message):
        Layer("odd", "conv2d", **sizes)


@pytest.mark.parametrize(
    "sizes",
    [
        {"in_channels": 0},
        {"out_channels": 0},
        {"kernel_size": 0},
        {"kernel_size": -3},
        {"input_size": 0},
        {"input_size": -3},  # the side is negative, its square is not
        {"input_size": 8.0},
        {"stride": 0},
        {"stride": -1},
    ],
    ids=str,
)
def test_convolution_of_impossible_size_is_refused(sizes):
    good = {"in_channels": 3, "out_channels": 4, "kernel_size": 3, "input_size": 8, "stride": 1}
    with pytest.raises(NetworkError, match=r"of layer 'odd' to be an integer >= 1, got"):
        Layer.conv2d("odd", **(good | sizes))


def test_unknown_kind_is_refused():
    with pytest.raises(
        NetworkError, match="Expected kind of layer 'odd' to be one of conv2d, conv1d"
    ):
        Layer(name="odd", kind="conv4d", rows=1, columns=1, positions=1)


def test_layer_too_large_for_64_bits_is_refused():
    assert Layer("large", "linear", rows=2**26, columns=2**26 - 1, positions=2).macs < 2**53
    with pytest.raises(
        NetworkError, match=r"fewer than 2\*\*53 multiply-accumulates.* got 9007199"
    ):
        Layer("odd", "linear", rows=2**26, columns=2**26, positions=2)


@pytest.mark.parametrize(
    ("kernel_size", "stride", "padding", "input_size", "side"),
    [
        (16, 16, 0, 224, 14),  # ViT's patches
        (4, 4, 0, 224, 56),  # ConvNeXt's stem
        (2, 2, None, 56, 28),
        (3, 1, 0, 8, 6),
        (5, 1, None, 32, 32),
        (7, 2, 3, 224, 112),
    ],
)
def test_positions_follow_padding(kernel_size, stride, padding, input_size, side):
    layer = Layer.conv2d("c", 3, 8, kernel_size, input_size, stride, padding)
    assert layer.positions == side * side


@pytest.mark.parametrize(("padding", "kernel_size"), [(0, 9), (-1, 7)])
def test_kernel_that_does_not_fit_is_refused(padding, kernel_size):
    with pytest.raises(NetworkError, match="Expected kernel_size of layer 'c' to fit its input"):
        Layer.conv2d("c", 3, 8, kernel_size, input_size=8, padding=padding)


def test_depthwise_convolution_sums_over_its_own_channel():
    layer = Layer.conv2d("dw", 8, 8, kernel_size=3, input_size=4, groups=8)
    assert (layer.rows, layer.columns, layer.groups, layer.positions) == (9, 8, 8, 16)
    assert layer.inputs_per_position == 72
    assert layer.macs == 9 * 8 * 16
    assert layer.input_elements == 8 * 4 * 4


def test_one_dimensional_convolution_unrolls_its_kernel():
    # (10 + 2 - 3) // 2 + 1 = 5 positions
    layer = Layer.conv1d("conv", 4, 6, kernel_size=3, input_size=10, stride=2, groups=2)
    assert (layer.kind, layer.rows, layer.columns, layer.positions) == ("conv1d", 6, 6, 5)
    assert layer.input_elements == 40


def test_strided_pointwise_convolution_reads_only_the_inputs_it_uses():
    # Every second element of both sides: 4 of 16 per channel.
    layer = Layer.conv2d("downsample", 3, 5, kernel_size=1, input_size=4, stride=2)
    assert layer.input_elements == 3 * 4


@pytest.mark.parametrize(("make", "gates", "ops"), [(Layer.lstm, 4, 9), (Layer.gru, 3, 8)])
def test_recurrent_layer_has_a_sequential_position_per_time_step(make, gates, ops):
    layer = make("rnn", input_size=10, hidden_size=20, time_steps=35)
    assert (layer.kind, layer.rows, layer.columns) == ("recurrent", 30, gates * 20)
    assert (layer.positions, layer.time_steps) == (35, 35)
    assert layer.vector_ops == ops * 20 * 35


def test_matmul_of_heads_is_grouped():
    # 12 heads of Q.K^T with 64 numbers per head over 50 tokens
    layer = Layer.matmul("attention.qk", inner=64, outputs=50, positions=50, heads=12)
    assert (layer.kind, layer.rows, layer.columns, layer.groups) == ("matmul", 64, 600, 12)
    assert layer.macs == 12 * 64 * 50 * 50
    assert layer.input_elements == 12 * 64 * 50


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"columns": 6, "groups": 4}, "Expected groups of layer 'odd' to divide its columns"),
        ({"positions": 6, "time_steps": 4}, "Expected time_steps of layer 'odd' to divide its pos"),
        ({"vector_ops": -1}, "Expected vector_ops of layer 'odd' to be an integer >= 0, got -1"),
        ({"input_elements": 0}, "Expected input_elements of layer 'odd' to be an integer >= 1"),
    ],
    ids=str,
)
def test_inconsistent_sizes_are_refused(sizes, message):
    good = {"rows": 1, "columns": 1, "positions": 1}
    with pytest.raises(NetworkError, match=message):
        Layer("odd", "conv2d", **good | sizes)


def test_groups_that_do_not_divide_the_input_channels_are_refused():
    with pytest.raises(NetworkError, match=r"divide its in_channels \(6\), got 4"):
        Layer.conv2d("odd", 6, 8, kernel_size=3, input_size=4, groups=4)
