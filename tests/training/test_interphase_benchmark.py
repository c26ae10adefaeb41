"""Benchmark of interphases: every case answered, scored, and written down."""

import json

import pytest

from ionscout.training.benchmarks import interphase


@pytest.fixture(scope="module")
def result():
    return interphase.run(["learned"], funnel=False, steps=4)[0]


def test_every_case_is_scored(result):
    assert result.n == 12
    assert result.right == sum(row.right for row in result.classes if row.listed) >= 11
    assert len(result.classes) == result.n + result.further_n
    for row in result.classes:
        assert row.right == (row.found in row.expected)
        assert row.reason


def test_coatings_are_judged_by_the_gate_against_the_electrolyte(result):
    assert len(result.coatings) == 7
    for row in result.coatings:
        passed = row.with_electrolyte is not None and row.with_electrolyte > -0.1
        assert row.right == (passed == row.should_pass)


def test_wide_and_narrow_maps_are_compared(result):
    shares = {side: [row.stable_share for row in result.map if row.side == side] for side in ("wide", "narrow")}
    assert result.map_right == (min(shares["wide"]) > max(shares["narrow"]))


def test_the_report_holds_every_row(result, tmp_path):
    data, page = interphase.report((result,), tmp_path)
    (written,) = json.loads(data.read_text())["hulls"]
    assert len(written["classes"]) == len(result.classes)
    text = page.read_text()
    for row in result.classes:
        assert f"| {row.name} |" in text
    assert f"{result.right} of {result.n} right" in text


def test_cases_that_a_hull_cannot_answer_are_listed_as_wrong(monkeypatch):
    case = {"name": "hot", "formula": "Li3PoCl6", "classes": ["MCI"]}
    row = interphase._class(case, interphase.load_hull("learned"), True)
    assert row.found is None
    assert not row.right
    assert "Po" in row.reason
