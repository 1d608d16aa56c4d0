import pytest

from lrmp.errors import NetworkError
from lrmp.hardware import NETWORKS, load_network

# name: mapped layers, giga MACs as printed, parameters, of which not in crossbars.
# torchvision documents MACs ("_ops", which count Q.K^T and A.V) and parameters of its models; the
# ResNets' layers are those of LRMP's benchmarks. What is not in crossbars: batch norm (two per
# channel), biases, class token and position embedding of ViT.
IMAGENET = {
    "resnet18": (21, "1.814", 11_689_512, 9_600 + 1_000),
    "resnet34": (37, "3.664", 21_797_672, 17_024 + 1_000),
    "resnet50": (54, "4.089", 25_557_032, 53_120 + 1_000),
    "resnet101": (105, "7.801", 44_549_160, 105_344 + 1_000),
    "squeezenet1_1": (26, "0.349", 1_235_496, 3_944),
    "mobilenet_v2": (53, "0.301", 3_504_872, 2 * 17_056 + 1_000),
    "vgg16": (16, "15.470", 138_357_544, 13_416),
    # per block: in_proj 2304, out_proj 768, mlp 3072 + 768, two layer norms of 1536
    "vit_b_32": (
        2 + 6 * 12,
        "4.409",
        88_224_232,
        12 * (2304 + 768 + 3072 + 768 + 2 * 1536) + 768 + 50 * 768 + 768 + 1536 + 1000,
    ),
}
# name: mapped layers, weights in crossbars, with the source of the number in the comment
OTHERS = {
    "lenet": (4, 431_080 - (20 + 50 + 500 + 10)),  # Caffe's lenet.prototxt: 431 080 parameters
    # 784 * 512 + 512 * 512 + 512 * 10; Keras' mnist_mlp prints 669 706 with its 1034 biases
    "mlp": (3, 669_706 - 1_034),
    # pretrainedResnet.h5 of mlcommons/tiny: 77 360 kernel elements in ten layers
    "resnet8": (10, 77_360),
    # akamaster/pytorch_resnet_cifar10: 0.27, 0.46 and 0.85 million parameters, of He et al.'s
    # table 6 too; batch norm has two per channel, the classifier ten biases
    "resnet20": (20, 269_722 - 2 * (7 * 16 + 6 * 32 + 6 * 64) - 10),
    "resnet32": (32, 464_154 - 2 * (11 * 16 + 10 * 32 + 10 * 64) - 10),
    "resnet56": (56, 853_018 - 2 * (19 * 16 + 18 * 32 + 18 * 64) - 10),
    # KerasHub and timm: 4 652 008 parameters; batch norm has two per channel, 1000 biases
    "efficientnet_lite0": (50, 4_652_008 - 2 * 21_008 - 1_000),
    # NeuroSim's NetWork_VGG8: convolutions of 3 x 3 and two fully connected layers
    "vgg8": (8, 9 * (3 * 128 + 128**2 + 128 * 256 + 256**2 + 256 * 512 + 512**2) + 8202 * 1024),
    # Zaremba et al. report 20 and 66 million parameters: embedding, LSTM and softmax with biases
    "lstm_ptb_medium": (3, 19_780_400 - 10_000 * 650 - 2 * 8 * 650 - 10_000),
    "lstm_ptb_large": (3, 66_034_000 - 10_000 * 1500 - 2 * 8 * 1500 - 10_000),
    # 109 482 240 parameters of BertModel less 23 837 184 of the embeddings, the biases (nine times
    # 768 and two layer norms' scales per block) and the pooler's bias
    "bert_base": (12 * 8 + 1, 109_482_240 - 23_837_184 - 12 * (9 * 768 + 4 * 768) - 768),
    # 6 738 415 616 parameters less the embedding and 65 norms
    "llama_7b": (32 * 9 + 1, 6_738_415_616 - 32_000 * 4096 - 65 * 4096),
    "digits_cnn": (5, 9 * (16 + 16 * 32 + 32 * 48 + 48 * 48) + 192 * 10),
}
# Of the 16 depthwise convolutions of the authors' efficientnet_builder.py.
EFFICIENTNET_KERNELS = [9] * 3 + [25] * 2 + [9] * 3 + [25] * 7 + [9]
RESNETS = [name for name in IMAGENET if name.startswith("resnet")]


def weights(network):
    return sum(layer.weights for layer in network.layers if layer.kind != "matmul")


def test_every_network_is_checked_against_a_published_number():
    assert set(IMAGENET) | set(OTHERS) == set(NETWORKS)


@pytest.mark.parametrize("name", IMAGENET)
def test_imagenet_networks_have_the_documented_macs_and_parameters(name):
    layers, giga_macs, parameters, elsewhere = IMAGENET[name]
    network = load_network(name)
    assert len(network) == layers
    assert f"{network.macs / 1e9:.3f}" == giga_macs
    assert weights(network) == parameters - elsewhere


@pytest.mark.parametrize("name", OTHERS)
def test_other_networks_have_the_published_weights(name):
    layers, expected = OTHERS[name]
    assert len(load_network(name)) == layers
    assert weights(load_network(name)) == expected


def test_macs_of_the_cifar_resnets():
    # 125.49 million for ResNet-56: HRank (Lin et al., CVPR 2020)
    assert load_network("resnet56").macs / 1e6 == pytest.approx(125.49, abs=0.005)
    # by hand: stem; six convolutions of 16 x 16 at 32 x 32; one of 16 x 32 and five of 32 x 32 at
    # 16 x 16, which cost as much as those at 8 x 8; classifier
    stage = 9 * 256 * (16 * 32 + 5 * 32 * 32)
    assert load_network("resnet20").macs == 9 * 1024 * (48 + 6 * 256) + 2 * stage + 640


def test_efficientnet_lite0_has_the_macs_and_activations_that_timm_counts():
    # "GMACs: 0.4, Activations (M): 6.7" of tf_efficientnet_lite0; activations are outputs
    network = load_network("efficientnet_lite0")
    assert f"{network.macs / 1e9:.1f}" == "0.4"
    assert f"{sum(layer.outputs for layer in network.layers) / 1e6:.1f}" == "6.7"


def test_weighted_macs_of_a_decoder_are_weights_times_tokens():
    network = load_network("llama_7b")
    *blocks, head = (layer for layer in network.layers if layer.kind == "linear")
    assert len(blocks) + 1 == 225
    assert all(layer.positions == 128 for layer in blocks)
    assert (head.name, head.positions) == ("lm_head", 1)
    products = sum(layer.macs for layer in network.layers if layer.kind == "matmul")
    assert products == 32 * 2 * 128 * 128 * 4096


def test_vector_operations_by_hand():
    def ops(name):
        return [layer.vector_ops for layer in load_network(name).layers]

    # ReLU of 112 x 112 x 64, 3 x 3 windows of 56 x 56 x 64; block: ReLU, then addition and ReLU
    assert ops("resnet18")[:3] == [802_816 + 9 * 200_704, 200_704, 2 * 200_704]
    # the addition belongs to the shortcut's convolution, which runs last
    names = [layer.name for layer in load_network("resnet18").layers]
    place = names.index("layer2.0.downsample")
    assert ops("resnet18")[place - 1 : place + 1] == [0, 2 * 28 * 28 * 128]
    # global pooling of 7 x 7 x 512 behind the last addition and ReLU; none behind the classifier
    assert ops("resnet18")[-2:] == [3 * 25_088, 0]
    # 2 x 2 windows of 12 x 12 x 20 and 4 x 4 x 50, ReLU of 500
    assert ops("lenet") == [4 * 2880, 4 * 800, 500, 0]
    assert ops("digits_cnn") == [64 * 16, 64 * 32, 16 * 48, 4 * 48, 0]
    # nine per hidden unit and step
    assert ops("lstm_ptb_medium") == [9 * 650 * 35] * 2 + [0]
    # BERT's block: softmax; addition and layer norm; GELU; addition and layer norm
    norm = 7 * 128 * 768 + 128
    sum_and_norm = 128 * 768 + norm
    block = [0, 0, 0, 5 * 12 * 128**2, 0, sum_and_norm, 128 * 3072, sum_and_norm]
    assert ops("bert_base")[8:16] == block
    assert ops("bert_base")[0] == 2 * 128 * 768 + norm
    assert ops("bert_base")[-1] == 768  # tanh of the pooler


@pytest.mark.parametrize("name", NETWORKS)
def test_catalogue_knows_how_many_layers_there_are(name):
    assert NETWORKS[name].layers == len(load_network(name))


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_read_what_earlier_layers_produce(name):
    # At most two outputs are concatenated.
    first, *others = load_network(name).layers
    produced = max(first.outputs, first.input_elements)
    for layer in others:
        if layer.kind != "recurrent":  # reads its own hidden state too
            assert layer.input_elements <= 2 * produced, layer.name
        produced = max(produced, layer.outputs)


def test_only_depthwise_convolutions_and_attention_are_grouped():
    for name in NETWORKS:
        for layer in load_network(name).layers:
            if layer.groups > 1:
                assert layer.kind == "matmul" or layer.groups == layer.columns, layer.name
    for name, rows in (("mobilenet_v2", [9] * 17), ("efficientnet_lite0", EFFICIENTNET_KERNELS)):
        found = [layer.rows for layer in load_network(name).layers if layer.groups > 1]
        assert found == rows


@pytest.mark.parametrize("name", RESNETS)
def test_resnets_map_the_first_the_downsampling_and_the_last_layers(name):
    names = [layer.name for layer in load_network(name).layers]
    assert names[0] == "conv1"
    assert names[-1] == "fc"
    # Stages 2 to 4 always change size; stage 1 changes width only with bottleneck blocks.
    first = ["layer1.0.downsample"] if name in ("resnet50", "resnet101") else []
    assert [n for n in names if n.endswith("downsample")] == [
        *first,
        *(f"layer{stage}.0.downsample" for stage in (2, 3, 4)),
    ]


def test_resnet50_strides_in_the_middle_convolution():
    strides = {layer.name: layer.stride for layer in load_network("resnet50").layers}
    assert strides["layer2.0.conv1"] == 1
    assert strides["layer2.0.conv2"] == 2
    assert strides["layer2.0.downsample"] == 2


def test_digits_cnn_layer_by_layer():
    # 8 x 8 images; kernel 3 with padding 1; conv3 and conv4 halve the side: 8 -> 4 -> 2.
    layers = load_network("digits_cnn").layers
    assert [(layer.rows, layer.columns, layer.positions) for layer in layers] == [
        (9 * 1, 16, 64),
        (9 * 16, 32, 64),
        (9 * 32, 48, 16),
        (9 * 48, 48, 4),
        (48 * 4, 10, 1),
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_registered_network_carries_its_name(name):
    assert load_network(name).name == name
    assert load_network(name) is load_network(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("resnet-18", r"resnet18, .* Did you mean 'resnet18'\?$"),
        ("ResNet101", r"resnet101, .* Did you mean 'resnet101'\?$"),
        ("googol", r"bert_base, digits_cnn, .*got 'googol'\.$"),
    ],
)
def test_unknown_network_names_the_known_and_the_nearest(name, hint):
    with pytest.raises(NetworkError, match=rf"network to be one of {hint}"):
        load_network(name)


@pytest.mark.parametrize(
    ("name", "cell_bits", "crossbars"),
    [
        ("resnet18", 4, 727),
        ("resnet18", 2, 1454),
        ("resnet18", 1, 2906),
        ("vgg16", 4, 8456),
        ("vit_b_32", 4, 5664),  # 288 of them hold Q.K^T and A.V, a head each
    ],
)
def test_crossbars_of_cim_aq(name, cell_bits, crossbars):
    """CIM-AQ (arXiv 2601.21737): 8 bits on 256 x 256, slices packed, differential columns."""

    def tiles(layer):
        columns = layer.columns // layer.groups * 2 * -(-8 // cell_bits)
        return layer.groups * -(-layer.rows // 256) * -(-columns // 256)

    assert sum(map(tiles, load_network(name).layers)) == crossbars
