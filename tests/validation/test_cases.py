import pytest

from lrmp.baselines.validation import CASES, run_case, run_validation

TESTED = [*(f"V{n}" for n in (*range(1, 12), 14, 15)), "LRMP", "NeuroSim", "PUMA", "NeuRRAM"]


def test_every_case_is_there():
    assert list(CASES) == [*(f"V{n}" for n in range(1, 16)), "LRMP", "NeuroSim", "PUMA", "NeuRRAM"]
    assert [case.case for case in run_validation()] == sorted(
        (case.case for case in run_validation()), key=list(CASES).index
    )


@pytest.mark.parametrize("name", CASES)
def test_case_holds(name):
    cases = run_case(name)
    assert [case.what for case in cases if case.holds is False] == []
    assert any(case.holds for case in cases) == (name in TESTED)


@pytest.mark.parametrize("name", CASES)
def test_case_says_where_its_figures_come_from(name):
    for case in run_case(name):
        assert case.case == name
        assert case.model
        assert case.published
        assert case.source.strip()
        assert set(case.confidence.split(", ")) <= {"H", "C", "M"}
        # A test against figures that nobody could look up would show nothing.
        assert not case.tested or {"H", "C"} & set(case.confidence.split(", "))


@pytest.mark.parametrize("name", CASES)
def test_untested_or_differing_figures_are_explained(name):
    for case in run_case(name):
        far = [ratio for ratio in case.ratios if not 0.9 < ratio < 1.1]
        assert case.note or (case.tested and not far)


@pytest.mark.parametrize(
    ("name", "what", "tolerance"),
    [
        ("V5", "power", 0.01),
        ("V5", "area", 0.01),
        ("V6", "power", 0.001),
        ("V7", "area", 0.005),
        ("V8", "area", 0.1),
        ("V9", "area", 0.03),
        ("V10", "interval of the full pipeline", 2),
        ("V11", "throughput", 0.02),
        ("V11", "efficiency", 0.02),
        ("V14", "throughput", 0.02),
    ],
)
def test_tolerances_are_those_that_were_set(name, what, tolerance):
    cases = [case for case in run_case(name) if what in case.what.split(": ")[-1] and case.tested]
    assert cases
    assert min(case.tolerance for case in cases) == tolerance


@pytest.mark.parametrize("name", ["V2", "V3", "V4"])
def test_exact_cases_are_compared_digit_by_digit(name):
    assert {case.check for case in run_case(name)} == {"digits"}
    assert all(case.tested for case in run_case(name))
