"""Terms, exponent and map that are fitted to designs: what was put in comes out again."""

import dataclasses

import numpy as np
import pytest

from lrmp.accuracy.model.sensitivity_table import measured_terms
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.accuracy.model.table_fit import fit_table, fitted_lines, is_random
from lrmp.accuracy.model.term_fit import Stiffness, fit_terms
from lrmp.errors import AccuracyTableError
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.precision import PRECISION

LAYERS = 6


def terms_of(rng, layers=LAYERS):
    """Terms that fall by about half a decade a bit, from 8 bits' 1e-4 on."""
    return {
        (knob.name,): np.exp(rng.normal(0, 0.5, (layers, 1)))
        * 10.0 ** (-1 - 0.5 * np.arange(7)) * np.exp(rng.normal(0, 0.02, (layers, 7)))
        for knob in PRECISION
    }  # fmt: skip


def sums_of(terms, settings):
    return TableAccuracy(terms, "x", is_estimate=False).sums(settings)


def draw(rng, count):
    return rng.integers(2, 7, (count, LAYERS, 2))


def test_wrong_layers_and_steps_are_mended():
    rng = np.random.default_rng(0)
    true = terms_of(rng)
    measured = {axes: entries.copy() for axes, entries in true.items()}
    measured["weight_bits",][2] /= 5  # a layer that matters more among rounded others
    measured["activation_bits",][4, :3] *= 2
    settings, new = draw(rng, 300), draw(rng, 200)
    fitted = fit_terms(measured, PRECISION, settings, sums_of(true, settings), np.ones(300))
    before = np.log(sums_of(measured, new) / sums_of(true, new))
    after = np.log(sums_of(fitted, new) / sums_of(true, new))
    assert np.abs(before).max() > 0.4
    assert np.abs(after).max() < 0.05
    for axes, entries in fitted.items():
        assert (np.diff(entries, axis=1) < 0).all()
        assert (entries > 0).all()
        assert entries.shape == true[axes].shape


def test_knobs_that_act_together_rise_along_the_first():
    """A share of three kinds: 0 is nothing of any kind, and each kind has steps of its own."""
    rng = np.random.default_rng(3)
    share, kind = Knob("share", (0, 1, 2, 3), 0), Knob("kind", ("a", "b", "c"), "a")
    space = DesignSpace((PRECISION["weight_bits"], share, kind))
    pair = ("share", "kind")
    true = {("weight_bits",): terms_of(rng)["weight_bits",]}
    steps = np.exp(rng.normal(0, 1, (LAYERS, 3, 3))) * np.array([0.01, 0.1, 0.3])
    true[pair] = np.cumsum(np.concatenate([np.zeros((LAYERS, 1, 3)), steps], axis=1), axis=1)
    true[pair][2, :, 0] = 0  # there is nothing of this kind in one layer
    measured = {axes: entries.copy() for axes, entries in true.items()}
    measured[pair][1, :, 2] /= 4  # one kind matters more in one layer among rounded others
    settings = rng.integers(0, [7, 4, 3], (400, LAYERS, 3))

    def sums(terms):
        return TableAccuracy(terms, "x", is_estimate=False, space=space).sums(settings)

    fitted = fit_terms(measured, space, settings, sums(true), np.ones(400))
    assert np.abs(np.log(sums(measured) / sums(true))).max() > 0.1
    assert np.abs(np.log(sums(fitted) / sums(true))).max() < 0.05
    assert (fitted[pair][:, 0] == 0).all()
    assert (fitted[pair][2, :, 0] == 0).all()
    rises = np.diff(fitted[pair], axis=1).min(axis=1) > 0
    assert rises.sum() == 3 * LAYERS - 1
    assert fitted[pair][1, :, 2] == pytest.approx(true[pair][1, :, 2], rel=0.2)


def test_values_that_measure_alike_are_fitted_alike():
    """Of a share 0 the kind does not matter: what is learnt of one holds for the other."""
    rng = np.random.default_rng(4)
    share, kind = Knob("share", (0, 1), 0), Knob("kind", ("a", "b"), "a", acts_with="share")
    space = DesignSpace((PRECISION["weight_bits"], share, kind))
    axes = ("weight_bits", "share", "kind")
    falling = 10.0 ** (-1 - 0.5 * np.arange(7))
    measured = falling[None, :, None, None] * np.exp(rng.normal(0, 0.3, (LAYERS, 1, 2, 2)))
    measured[:, :, 0, 1] = measured[:, :, 0, 0]
    settings = rng.integers(0, [7, 2, 2], (200, LAYERS, 3))
    settings[..., 2] *= settings[..., 1]  # no share of kind b was run

    def sums(entries):
        terms = {axes: entries}
        return TableAccuracy(terms, "x", is_estimate=False, space=space).sums(settings)

    true = measured * np.array([3.0, 1.0])[:, None]
    fitted = fit_terms({axes: measured}, space, settings, sums(true), np.ones(200))[axes]
    assert (fitted[:, :, 0, 1] == fitted[:, :, 0, 0]).all()
    assert fitted[:, 2:4, 0, 1] == pytest.approx(true[:, 2:4, 0, 1], rel=0.3)
    assert (fitted[:, :, 1, 1] != fitted[:, :, 1, 0]).all()


def test_without_much_to_go_by_the_measured_terms_stay():
    rng = np.random.default_rng(1)
    measured = terms_of(rng)
    settings = draw(rng, 10)
    fitted = fit_terms(measured, PRECISION, settings, 3 * sums_of(measured, settings), np.ones(10))
    for axes, entries in measured.items():
        assert fitted[axes] == pytest.approx(3 * entries, rel=0.1)


def test_weights_decide_between_designs_that_disagree():
    rng = np.random.default_rng(2)
    measured = terms_of(rng)
    settings = np.concatenate([draw(rng, 50)] * 2)
    sums = sums_of(measured, settings)
    divergences = sums * np.repeat([1.0, 4.0], 50)
    for heavy, factor in ((0, 1.0), (1, 4.0)):
        weights = np.repeat([1e-6, 1e-6], 50)
        weights[50 * heavy : 50 * heavy + 50] = 1
        fitted = fit_terms(measured, PRECISION, settings, divergences, weights)
        assert sums_of(fitted, settings) == pytest.approx(factor * sums, rel=0.02)


def test_terms_that_rise_with_values_stay_so():
    space = DesignSpace([Knob("pruned", (0, 1, 2, 3), 0, unit="", about="x")])
    measured = {("pruned",): np.array([[0.0, 0.1, 0.2, 0.4], [0.0, 0.2, 0.3, 0.9]])}
    settings = np.random.default_rng(0).integers(0, 4, (60, 2, 1))
    true = measured["pruned",][np.arange(2), settings[..., 0]].sum(1) + 0.01
    fitted = fit_terms(measured, space, settings, true, np.ones(60))["pruned",]
    assert (np.diff(fitted, axis=1) > 0).all()


def test_knob_that_does_nothing_stays_so_and_moves_no_other():
    rng = np.random.default_rng(3)
    true = terms_of(rng)
    settings = draw(rng, 60)
    plain = fit_terms(true, PRECISION, settings, sums_of(true, settings), np.ones(60))
    space = DesignSpace((PRECISION.knobs[0], Knob("still", (1, 2, 4), 1), PRECISION.knobs[1]))
    more = np.insert(settings, 1, rng.integers(0, 3, settings.shape[:2]), axis=2)
    still = {("still",): np.zeros((LAYERS, 3))}
    fitted = fit_terms(true | still, space, more, sums_of(true, settings), np.ones(60))
    assert (fitted["still",] == 0).all()
    assert all((fitted[axes] == entries).all() for axes, entries in plain.items())


def test_network_that_no_knob_changes_is_refused():
    space = DesignSpace((Knob("still", (1, 2), 1),))
    still = {("still",): np.zeros((LAYERS, 2))}
    settings = np.zeros((10, LAYERS, 1), np.int64)
    with pytest.raises(
        AccuracyTableError, match=r"Expected a knob that does something .* among still, got"
    ):
        fit_terms(still, space, settings, np.ones(10), np.ones(10))


@pytest.mark.parametrize("divergences", [[], [0.1, 0.0, 0.2]])
def test_divergences_that_are_not_positive_are_refused(divergences):
    settings = np.zeros((len(divergences), LAYERS, 2), np.int64)
    with pytest.raises(AccuracyTableError, match=r"Expected designs of positive divergence"):
        fit_terms(
            terms_of(np.random.default_rng(0)),
            PRECISION,
            settings,
            np.array(divergences, float),
            np.ones(len(divergences)),
        )


def lines_of(settings, divergences, drops, how="near", **origin):
    values = PRECISION.decode(settings)
    return [
        {
            "design": {name: values[name][at].tolist() for name in values},
            "split": "search",
            "origins": [{"how": how, **(origin or {"round": 0})}],
            "divergence": float(divergences[at]),
            "divergence_error": 0.0,
            "images": 1000,
            "float_correct": 900,
            "lost_images": [],
            "gained_images": [],
            "expected_drops": [float(drops[at] * share) for share in np.linspace(0.8, 1.2, 10)],
        }
        for at in range(len(settings))
    ]


@pytest.mark.long
@pytest.mark.parametrize("exponent", [1.0, 2.5])
def test_exponent_and_map_come_out_again(exponent):
    rng = np.random.default_rng(3)
    true = {axes: entries / 5 for axes, entries in terms_of(rng).items()}
    alone = {axes: entries**exponent for axes, entries in true.items()}
    measured = TableAccuracy(alone, "x", is_estimate=False)
    settings = draw(rng, 250)
    sums = sums_of(true, settings)
    drops = 90 * (1 - np.exp(-((sums / 2) ** (1.2 * exponent))))
    fit = fit_table(measured, lines_of(settings, sums**exponent, drops), 90.0)
    assert fit.exponent == exponent
    assert fit.error < 0.03
    assert fit.drop_map(sums_of(fit.terms, settings)) == pytest.approx(drops, rel=0.1, abs=0.02)
    # Tenths of the images whose drops are 0.8 to 1.2 of the mean: a standard error of 4 %.
    spread = np.std(np.linspace(0.8, 1.2, 10), ddof=1) / np.sqrt(10)
    assert fit.map_errors == pytest.approx((0.5 * spread, 1.0 * spread, 2.0 * spread), rel=0.15)


def test_random_designs_count_less_than_optimised_ones():
    rng = np.random.default_rng(4)
    terms = terms_of(rng)
    measured = TableAccuracy(terms, "x", is_estimate=False)
    settings = np.concatenate([draw(rng, 60)] * 2)
    sums = sums_of(terms, settings)
    lines = [
        *lines_of(settings[:60], sums[:60], 10 * sums[:60], "random"),
        *lines_of(settings[:60], 2 * sums[:60], 20 * sums[:60]),
    ]
    fit = fit_table(measured, lines, 90.0, exponents=(1.0,))
    ratio = np.exp(np.log(sums_of(fit.terms, settings) / sums).mean())
    assert ratio == pytest.approx(2 ** (1 / 1.2), rel=0.03)  # weights of 1 and 0.2
    with pytest.raises(AccuracyTableError, match=r"Expected at least 10 designs .*, got 9\."):
        fit_table(measured, lines[:9], 90.0)


def test_the_map_begins_at_the_plain_design_and_terms_do_not_bend_to_it():
    rng = np.random.default_rng(5)
    terms = terms_of(rng)
    measured = TableAccuracy(terms, "x", is_estimate=False)
    settings = draw(rng, 60)
    sums = sums_of(terms, settings)
    lines = lines_of(settings, sums, 10 * sums)
    plain = PRECISION.plain_settings(LAYERS)[None]
    (of_plain,) = lines_of(plain, 1e-4 * sums_of(terms, plain), [0.0], "plain")
    without, fit = (fit_table(measured, each, 90.0, (1.0,)) for each in (lines, [*lines, of_plain]))
    for axes, entries in without.terms.items():
        assert fit.terms[axes] == pytest.approx(entries)
    at = sums_of(fit.terms, plain)[0]
    assert without.drop_map(at) == pytest.approx(10 * at, rel=0.1)
    assert fit.drop_map(at) < 0.2 * without.drop_map(at)
    assert fit.drop_map.threshold(1.0) == pytest.approx(without.drop_map.threshold(1.0), rel=0.02)


@pytest.mark.parametrize(("chance", "count"), [(0.0, 60), (0.5, 25)])
def test_terms_are_kept_to_where_bending_them_tells_the_next_round_worse(chance, count):
    rng = np.random.default_rng(6)
    true = terms_of(rng)
    measured = {axes: entries.copy() for axes, entries in true.items()}
    measured["weight_bits",][2] /= 5  # which can be learned, unless chance hides it
    lines = []
    for number in range(3):
        settings = draw(rng, count)
        sums = sums_of(true if chance == 0 else measured, settings)
        divergences = sums * np.exp(chance * rng.standard_normal(count))
        lines += lines_of(settings, divergences, 10 * sums, "best", round=number)
    table = TableAccuracy(measured, "x", is_estimate=False)
    fit = fit_table(table, lines, 90.0, (1.0,))
    assert fit.stiffness == Stiffness().times(1.0 if chance == 0 else 1e4)
    assert fit.provenance["stiffness"] == fit.stiffness.layer
    # Of one round alone nothing is known of the next.
    assert fit_table(table, lines[:count], 90.0, (1.0,)).stiffness == Stiffness()


def test_judging_designs_fit_nothing():
    settings = draw(np.random.default_rng(0), 1)
    (judging,) = lines_of(settings, [0.1], [1.0], judges=True)
    (both,) = lines_of(settings, [0.1], [1.0], judges=True)
    both["origins"].append({"how": "best", "round": 0})
    (test,) = lines_of(settings, [0.1], [1.0])
    test["split"] = "test"
    single = {"layer": "a", "knob": "weight_bits", "value": 2, "divergence": 0.5}
    later = both | {"origins": [{"how": "near", "round": 3}]}
    assert fitted_lines([single, judging, both, later, test]) == [both, later]
    assert fitted_lines([single, judging, both, later, test], rounds=3) == [both]
    assert fitted_lines([both, later], rounds=0) == []
    assert not is_random(both)


def test_single_divergences_are_laid_out_by_layer_and_value():
    lines = [
        {"layer": "b", "knob": "weight_bits", "value": 2, "divergence": 0.5},
        {"split": "search"},
    ]
    found = measured_terms(lines, PRECISION, ["a", "b"])
    assert found["weight_bits",][1, 0] == 0.5
    assert np.isnan(found["weight_bits",]).sum() == 13
    assert np.isnan(found["activation_bits",]).all()


def test_fit_is_a_value():
    rng = np.random.default_rng(5)
    terms = terms_of(rng)
    settings = draw(rng, 40)
    sums = sums_of(terms, settings)
    measured = TableAccuracy(terms, "x", is_estimate=False)
    lines = lines_of(settings, sums, 10 * sums)
    one, other = (fit_table(measured, lines, 90.0, (1.0, 2.0)) for _ in range(2))
    assert dataclasses.astuple(one)[1] == dataclasses.astuple(other)[1]
    assert one.error == other.error
    assert all((one.terms[axes] == other.terms[axes]).all() for axes in terms)
