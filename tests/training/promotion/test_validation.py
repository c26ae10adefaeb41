"""What comes in is looked at before anything is trained."""

from dataclasses import replace

import pytest

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.sources.base import Measurement
from ionscout.training.promotion.fresh import split_new
from ionscout.training.promotion.predictions import row_hash
from ionscout.training.retraining.drift import drift
from ionscout.training.retraining.page import html
from ionscout.training.retraining.validation import validate


def row(name: str, formula: str = "Li6PS5Cl", value: float = -3.0, source: str = "campaign") -> Measurement:
    return Measurement(name, formula, parse_formula(formula), None, value, source=source)


KNOWN = [row(f"k{i}", f"Li{6 + i / 10}PS{5 - i / 10}Cl", -3 - i / 10, "embedded") for i in range(12)]


def checks(report, level: str) -> set[str]:
    return {f.check for f in report.findings if f.level == level}


def test_clean_rows_have_no_findings():
    report = validate([*KNOWN, row("a", "Li5.5PS4.5Cl1.5", -2.1)])
    assert not report.findings
    assert (report.rows, report.new, report.sources) == (13, 1, {"embedded": 12, "campaign": 1})
    assert report.as_dict()["usable"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"log10_conductivity": 3.0},
        {"temperature_K": 25.0},
        {"activation_energy_eV": 33.0},
        {"log10_conductivity": float("nan")},
    ],
)
def test_a_fault_of_a_new_row_is_an_error_that_names_it_and_of_a_known_row_a_warning(wrong):
    bad = replace(row("a"), **wrong)
    report = validate([*KNOWN, bad])
    assert report.errors[0].rows == ("campaign:a",)
    assert "campaign:a" in html(report, "key")
    accepted = validate([*KNOWN, bad], frozenset(row_hash(m) for m in [*KNOWN, bad]))
    assert not accepted.errors
    assert "ranges" in checks(accepted, "warning") or "schema" in checks(accepted, "warning")


def test_millisiemens_read_as_siemens_are_recognised():
    shifted = [
        replace(m, id=f"n{i}", source="campaign", log10_conductivity=m.log10_conductivity + 3)
        for i, m in enumerate(KNOWN[:4])
    ]
    report = validate([*KNOWN, *shifted])
    assert "units" in checks(report, "error")
    assert "+3.0 decades" in report.errors[0].words
    assert set(report.errors[0].rows) == {m.name for m in shifted}
    right = [replace(m, log10_conductivity=m.log10_conductivity - 3 + 0.3) for m in shifted]
    assert "units" not in checks(validate([*KNOWN, *right]), "error")


def test_repeats_contradictions_and_double_names_are_told():
    report = validate([*KNOWN, row("a"), row("b"), row("c", value=-6.0), row("c", "Li3PS4")])
    assert "2 pairs" in " ".join(f.words for f in report.findings)
    assert checks(report, "warning") == {"duplicates"}
    assert [f.words for f in report.errors] == ["1 names are given twice"]


def test_unseen_elements_and_far_compositions_are_drift_and_trained_rows_are_not():
    far = [row(f"f{i}", f"Li3Y{1 - i / 40}In{i / 40 + 0.01}Br6") for i in range(12)]
    found = drift(far, KNOWN)
    assert found.verdict == "drift"
    assert set(found.unseen_elements) == {"Y", "In", "Br"}
    assert drift(KNOWN, KNOWN).verdict == "ok"
    assert drift(KNOWN[:3], KNOWN).verdict == "too few"


def test_a_composition_is_kept_back_for_ever_or_never():
    rows = [row(f"x{i}", f"Li{3 + i / 50}PS4") for i in range(200)]
    train, back = split_new(rows, 0.2)
    assert 20 < len(back) < 60
    _, back_again = split_new([*reversed(rows), *KNOWN], 0.2)
    assert {m.id for m in back} <= {m.id for m in back_again}
    assert not {m.id for m in train} & {m.id for m in back_again}
    assert split_new(rows, 0.0) == (rows, [])


def test_a_page_escapes_what_users_wrote():
    bad = replace(row("<script>"), temperature_K=25.0)
    assert "<script>" not in html(validate([bad]), "k")
