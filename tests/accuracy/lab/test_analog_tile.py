"""The analog tile: exact without noise, 1/sqrt(copies) with it, and what others compute."""

from dataclasses import replace
from math import log10

import numpy as np
import pytest
import torch

from lrmp.accuracy.lab.analog_tile import AnalogTile
from lrmp.accuracy.model.cell_moments import product_error, programming_deviation
from lrmp.errors import AccuracyDataError
from lrmp.hardware import load_preset
from lrmp.hardware.chip.cell_noise import DeviceNoise
from lrmp.hardware.chip.preset import list_noise, load_noise, with_noise

CHIPS = ("lrmp_frontiers_2024", "neurram_nature_2022", "hermes_2023", "isaac_isca_2016")
FINE = 24  # bits of an ADC that rounds nothing away and adds nothing


def lossless(chip):
    return replace(load_preset(chip), adc_resolution_bits=0)


def fine(chip):
    return replace(load_preset(chip), adc_resolution_bits=FINE)


@pytest.fixture(scope="module")
def product():
    """Weights of 8 bits, 300 x 12, and half of 5 x 300 inputs of 8 bits."""
    rng = np.random.default_rng(0)
    weights = np.rint(30 * rng.standard_normal((300, 12))).clip(-127, 127).astype(np.int64)
    inputs = rng.integers(0, 256, (5, 300)) * (rng.random((5, 300)) < 0.5)
    return weights, inputs


def errors(product, chip, seeds, copies=1, **options):
    weights, inputs = product
    exact = inputs @ weights
    return np.stack(
        [
            AnalogTile(weights, 8, chip, seed, copies, **options)(inputs, 8).numpy() - exact
            for seed in seeds
        ]
    )


def size(found):
    return float(np.sqrt(np.square(found).mean()))


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("copies", [1, 4])
def test_without_noise_it_is_the_integer_product_to_the_bit(chip, copies, product):
    weights, inputs = product
    tile = AnalogTile(weights, 8, lossless(chip), copies=copies)
    assert np.array_equal(tile(inputs, 8).numpy(), inputs @ weights)
    signed = inputs - 128
    assert np.array_equal(tile(signed, 8).numpy(), signed @ weights)
    silent = replace(lossless(chip), noise=DeviceNoise(25.0, (0.0,)))
    assert np.array_equal(
        AnalogTile(weights, 8, silent, copies=copies)(inputs, 8).numpy(), inputs @ weights
    )


def test_few_bits_and_rows_that_are_left_over():
    rng = np.random.default_rng(1)
    for chip in CHIPS:
        for bits in (2, 3, 5):
            weights = rng.integers(1 - 2 ** (bits - 1), 2 ** (bits - 1), (23, 4))
            inputs = rng.integers(0, 8, (3, 23))
            found = AnalogTile(weights, bits, lossless(chip))(inputs, 3)
            assert np.array_equal(found.numpy(), inputs @ weights)


def test_a_lossy_adc_rounds_each_conversion_by_half_a_step_at_most(product):
    # HERMES converts once for each of two slices, which count 1 and 16, and of two crossbars. The
    # 255 codes above 0 cover 256 rows of levels up to 15 and inputs up to 255.
    chip = load_preset("hermes_2023")
    found = errors(product, chip, [0])
    step = 256 * 15 * 255 / 255
    assert 0 < np.abs(found).max() <= 2 * (1 + 16) * step / 2
    assert not errors(product, fine("hermes_2023"), [0]).round(3).any()


def test_a_seed_fixes_what_is_drawn(product):
    weights, inputs = product
    chip = with_noise(fine("neurram_nature_2022"), "rram_wan_2022_1_day")
    one, again, other = (AnalogTile(weights, 8, chip, seed, 2) for seed in (3, 3, 4))
    assert torch.equal(one.conductances, again.conductances)
    first = one(inputs, 8)
    assert torch.equal(first, again(inputs, 8))
    assert not torch.equal(one.conductances, other.conductances)
    assert not torch.equal(one(inputs, 8), first)  # reads are drawn anew
    # Sets are programmed one by one: the first of two is the one of one.
    single = AnalogTile(weights, 8, chip, 3)
    assert torch.equal(single.conductances[0], one.conductances[0])
    assert not torch.equal(one.conductances[0], one.conductances[1])


def test_error_falls_with_the_square_root_of_the_copies(product):
    # Clipping and rounding of the ADC are off; nothing but noise is left.
    chip = with_noise(fine("neurram_nature_2022"), "rram_wan_2022_1_second")
    copies = (1, 2, 4, 8)
    found = [size(errors(product, chip, range(8), count)) for count in copies]
    slope = np.polyfit(np.log(copies), np.log(found), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.05)


def test_averages_do_not_remove_what_the_adc_clips(product):
    chip = with_noise(load_preset("neurram_nature_2022"), "rram_wan_2022_1_second")
    limit = 30.0  # levels, of sums up to several hundred
    floor = size(errors(product, replace(chip, noise=None), [0], column_limit=limit))
    found = [
        size(errors(product, chip, range(4), count, column_limit=limit)) for count in (1, 4, 16)
    ]
    assert found[0] > found[1] > found[2] > floor
    assert found[2] == pytest.approx(floor, rel=0.1)
    assert found[0] > 1.3 * floor


@pytest.mark.parametrize("name", list_noise())
def test_closed_form_agrees_with_the_tile(name, product):
    weights, inputs = product
    chip = with_noise(fine("neurram_nature_2022"), name)
    if chip.noise.drifts:
        chip = with_noise(fine("neurram_nature_2022"), name, elapsed_s=86400.0)
    bias, deviation = product_error(weights, 8, inputs, 8, chip, 1)
    found = errors(product, chip, range(30)) - bias
    # 30 draws of 12 columns, which 5 inputs share: 360 numbers or a few more, whose mean square is
    # known to 2 / sqrt(2 * 360) = 7 % (two deviations).
    ratio = np.square(found).mean() / np.square(deviation).mean()
    assert ratio == pytest.approx(1, abs=0.1)
    assert abs(found.mean()) < 4 * size(deviation) / np.sqrt(360)


def test_few_rows_and_a_lossless_adc_round_the_noise_of_fresh_cells_away(product):
    # LRMP's chip reads 9 rows of 1-bit cells at once: the noise of a conversion is a small part of
    # a level. The closed form, which knows no such rounding, does not hold there, and says so.
    chip = with_noise(load_preset("lrmp_frontiers_2024"), "rram_wan_2022_1_second")
    weights, inputs = product
    rounded = size(errors((weights[:90], inputs[:2, :90]), chip, [0]))
    _, deviation = product_error(weights[:90], 8, inputs[:2, :90], 8, chip, 1)
    assert rounded < 0.3 * size(deviation)


@pytest.mark.parametrize(
    ("weights", "copies"), [([1, 2], 1), ([[8, 0]], 1), ([[-8, 0]], 1), ([[7, 0]], 0)]
)
def test_weights_that_do_not_fit_are_refused(weights, copies):
    with pytest.raises(AccuracyDataError, match=r"^Expected weights of shape \(K, M\) below 8 in"):
        AnalogTile(np.array(weights), 4, load_preset("hermes_2023"), copies=copies)


# IBM's aihwkit, where it is installed


@pytest.mark.parametrize(
    ("elapsed_s", "compensation"), [(0.0, "global"), (86400.0, "global"), (86400.0, "none")]
)
def test_aihwkit_finds_the_same_error(elapsed_s, compensation):
    pytest.importorskip("aihwkit")
    from aihwkit.inference import GlobalDriftCompensation, PCMLikeNoiseModel
    from aihwkit.nn import AnalogLinear
    from aihwkit.simulator.configs import TorchInferenceRPUConfig

    rng = np.random.default_rng(0)
    weights = np.rint(5 * rng.standard_normal((120, 24))).clip(-15, 15).astype(np.int64)
    weights[0] = 15  # so that both map 15 to the largest conductance
    inputs = rng.integers(0, 16, (8, 120))
    exact = inputs @ weights
    chip = with_noise(
        fine("neurram_nature_2022"),
        "pcm_nandakumar_2019",
        elapsed_s=elapsed_s,
        drift_compensation=compensation,
    )
    theirs, ours = [], []
    for seed in range(30):
        torch.manual_seed(seed)
        config = TorchInferenceRPUConfig(
            noise_model=PCMLikeNoiseModel(g_max=25.0),
            drift_compensation=GlobalDriftCompensation() if compensation == "global" else None,
        )
        config.forward.is_perfect = True
        config.mapping.weight_scaling_omega = 1.0
        layer = AnalogLinear(120, 24, bias=False, rpu_config=config)
        layer.set_weights(torch.tensor(weights.T, dtype=torch.float32))
        layer.eval()
        layer.drift_analog_weights(elapsed_s)
        with torch.no_grad():
            found = layer(torch.tensor(inputs, dtype=torch.float32)).numpy()
        theirs.append(size(found - exact))
        ours.append(size(AnalogTile(weights, 5, chip, seed)(inputs, 4).numpy() - exact))
    deviation = np.hypot(np.std(theirs), np.std(ours)) / np.sqrt(30)
    assert abs(np.mean(theirs) - np.mean(ours)) < 3 * deviation


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # the kit's logarithm
def test_statistics_are_those_of_aihwkit():
    pytest.importorskip("aihwkit")
    from aihwkit.inference import ReRamWan2022NoiseModel
    from aihwkit.inference.noise.reram import ReRamCMONoiseModel

    torch.manual_seed(0)
    wan = ReRamWan2022NoiseModel(g_max=40.0)
    wan.coeff_g_max_reference = 40.0  # which its constructor forgets
    cmo = ReRamCMONoiseModel(g_max=88.19, g_min=9.0, acceptance_range=2)
    for x in (0.3, 0.6, 0.9):
        meant = torch.full((200_000,), 40 * x, dtype=torch.float64)
        for name, time in (("rram_wan_2022_1_second", 1.0), ("rram_wan_2022_1_day", 86400.0)):
            drawn = wan.apply_drift_noise_to_conductance(meant, meant, time)
            expected = programming_deviation(load_noise(name)[0], np.array([x]))[0]
            assert float(drawn.std()) / 40 == pytest.approx(expected, rel=0.01)
    # In the middle of the range, where the 1/f noise is that of the file.
    middle = torch.full((200_000,), 9 + 79.19 / 2, dtype=torch.float64)
    programmed = cmo.apply_programming_noise_to_conductance(middle)
    drawn = cmo.apply_drift_noise_to_conductance(programmed, middle, 86400.0)
    noise, _ = load_noise("rram_falcone_2024_1_day")
    assert float(drawn.std()) / 79.19 == pytest.approx(
        programming_deviation(noise, np.array([0.5]))[0], rel=0.01
    )
    assert log10(float(middle[0])) == pytest.approx(log10(48.6), abs=1e-3)
