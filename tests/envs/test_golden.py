"""Pinned returns. A change here changes results: it needs a new -vN, not a new number."""

import gymnasium as gym
import pytest

from lrmp.envs import load_task

# Layer l is given 2 + l % 7 weight bits and 2 + (3 l + 2) % 7 activation bits.
# id: (budget, reward, latency cycles, bottleneck cycles, tiles)
GOLDEN = {
    "LRMP-Digits-v0": (56, -6.227220100506076, 26090, 11904, 56),
    "LRMP-Digits-Throughput-v0": (56, -5.871219832146355, 26538, 11008, 55),
    "LRMP-ResNet18-v0": (1608, -0.5470027429643569, 7260664, 1099840, 1608),
    "LRMP-ResNet18-Throughput-v0": (1608, 0.3907914867829674, 8689216, 860480, 1607),
    "LRMP-ResNet34-v0": (2968, -0.7030636120084675, 12255816, 1055776, 2968),
    "LRMP-ResNet34-Throughput-v0": (2968, 0.4095503910718987, 15375144, 837088, 2963),
    "LRMP-ResNet50-v0": (3376, -1.2686731444235868, 20871744, 1046528, 3376),
    "LRMP-ResNet50-Throughput-v0": (3376, 0.09168211470894905, 25983472, 845248, 3375),
    "LRMP-ResNet101-v0": (5688, -1.366074762455023, 32995080, 1046528, 5688),
    "LRMP-ResNet101-Throughput-v0": (5688, 0.24770545044451664, 42094120, 824032, 5676),
    "LRMP-MLP-v0": (112, -10.928200147599375, 4282, 2136, 36),
    "LRMP-MLP-Throughput-v0": (112, -11.258041794939073, 4282, 2136, 36),
    "LRMP-ResNet20-v0": (288, -14.460476990582857, 2643290, 305152, 288),
    "LRMP-ResNet20-Throughput-v0": (288, -14.283802716711804, 2831818, 235264, 283),
    "LRMP-ResNet18-v1": (1608, -74.97678729796394, 7260664, 1099840, 1608),
    "LRMP-ResNet18-Throughput-v1": (1608, -74.03899306821661, 8689216, 860480, 1607),
    "LRMP-ResNet34-v1": (2968, -53.03751798008676, 12255816, 1055776, 2968),
    "LRMP-ResNet34-Throughput-v1": (2968, -51.924903977006394, 15375144, 837088, 2963),
    "LRMP-ResNet50-v1": (3376, -69.17703214141429, 20871744, 1046528, 3376),
    "LRMP-ResNet50-Throughput-v1": (3376, -67.81667688228174, 25983472, 845248, 3375),
    "LRMP-ResNet101-v1": (5688, -75.60949227214252, 32995080, 1046528, 5688),
    "LRMP-ResNet101-Throughput-v1": (5688, -73.99571205924298, 42094120, 824032, 5676),
    "LRMP-LeNet-v0": (104, 1.8698348642228266, 38278, 19488, 104),
    "LRMP-LeNet-Throughput-v0": (104, 1.8376058573534737, 40470, 19440, 100),
    "LRMP-ResNet8-v0": (112, -56.903157655274846, 717194, 148096, 112),
    "LRMP-ResNet8-Throughput-v0": (112, -56.33391088284306, 815050, 126976, 103),
    "LRMP-SqueezeNet-v0": (352, -62.93495815204962, 7684008, 985728, 352),
    "LRMP-SqueezeNet-Throughput-v0": (352, -62.71325828555104, 9539144, 822432, 352),
}
# id: first quarter of the task's fingerprint, which records carry
FINGERPRINTS = {
    "LRMP-Digits-v0": "6aec128fec1e5171",
    "LRMP-Digits-Throughput-v0": "a8ebc3c796dbb202",
    "LRMP-ResNet18-v0": "fc66a8fdf20904ce",
    "LRMP-ResNet18-Throughput-v0": "1fd8eaed7688dd59",
    "LRMP-ResNet34-v0": "8c0ef3d67829270b",
    "LRMP-ResNet34-Throughput-v0": "5810e6ff88cd9429",
    "LRMP-ResNet50-v0": "672f67acc37063e4",
    "LRMP-ResNet50-Throughput-v0": "0a196f603acf9ba5",
    "LRMP-ResNet101-v0": "27a4936247b4842d",
    "LRMP-ResNet101-Throughput-v0": "cd35fb608fa5fb57",
    "LRMP-MLP-v0": "2a1d23e64fa0c9ed",
    "LRMP-MLP-Throughput-v0": "2cce1b9baa02ff81",
    "LRMP-ResNet20-v0": "abec465433a7a0b1",
    "LRMP-ResNet20-Throughput-v0": "795a4d75830b0510",
    "LRMP-ResNet18-v1": "d4a391df41fa19ed",
    "LRMP-ResNet18-Throughput-v1": "68c1e7bc9426ae3c",
    "LRMP-ResNet34-v1": "458e9e3db571361b",
    "LRMP-ResNet34-Throughput-v1": "e3ccf6f33f35c20b",
    "LRMP-ResNet50-v1": "f6225e23e7d40512",
    "LRMP-ResNet50-Throughput-v1": "b054836ae0dcee54",
    "LRMP-ResNet101-v1": "ac61a4529f91633f",
    "LRMP-ResNet101-Throughput-v1": "e37f515f9100d9c5",
    "LRMP-LeNet-v0": "31f3b4f2d0a63368",
    "LRMP-LeNet-Throughput-v0": "01ede4a69a28dbb1",
    "LRMP-ResNet8-v0": "33ebe72e7b6a5ba2",
    "LRMP-ResNet8-Throughput-v0": "a6f326d588d116c9",
    "LRMP-SqueezeNet-v0": "3e91aefded84d8ad",
    "LRMP-SqueezeNet-Throughput-v0": "735641a7e3b00d3c",
}


@pytest.fixture
def actions(spec):
    layers = len(load_task(spec.id).network)
    return [[layer % 7, (3 * layer + 2) % 7] for layer in range(layers)]


def test_return_is_the_pinned_one(spec, actions, play):
    budget, expected, latency, bottleneck, tiles = GOLDEN[spec.id]
    env = gym.make(spec, discrete=True)
    *_, (_, reward, _, _, info) = play(env, actions)
    assert env.unwrapped.task.budget == budget
    assert reward == pytest.approx(expected, rel=1e-12)
    report = info["report"]
    assert report.latency_cycles == latency
    assert report.bottleneck_cycles == bottleneck
    assert report.tiles == tiles


def test_fingerprint_is_the_pinned_one(spec):
    assert load_task(spec.id).fingerprint.startswith(FINGERPRINTS[spec.id])


def test_integer_program_gives_the_same_reward(spec, actions, play):
    _, expected, latency, bottleneck, _ = GOLDEN[spec.id]
    env = gym.make(spec, discrete=True, solver="ilp")
    *_, (_, reward, _, _, info) = play(env, actions)
    assert info["proven_optimal"] is True
    assert reward == pytest.approx(expected, rel=1e-12)
    # The copies may differ where several choices are optimal; the objective may not.
    if "Throughput" in spec.id:
        assert info["report"].bottleneck_cycles == bottleneck
    else:
        assert info["report"].latency_cycles == latency
