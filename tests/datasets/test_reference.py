"""The list of measured materials to show beside a prediction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition

from ionscout.datasets.settings import settings
from ionscout.datasets.sources.embedded import Embedded
from ionscout.datasets.sources.reference import ReferenceList, _along_scale, embedded_measurements, reference_list


@pytest.fixture
def offline(monkeypatch) -> ReferenceList:
    monkeypatch.delenv("IONSCOUT_DATA_DIR", raising=False)
    settings.cache_clear()
    yield reference_list()
    settings.cache_clear()


def test_offline_only_the_embedded_set_is_searched(offline):
    assert offline.sources == ("embedded",)
    assert {m.source for m in offline.measurements} == {"embedded"}


def test_rows_are_those_of_the_embedded_source_without_crystals():
    light, full = embedded_measurements(), Embedded().load()
    assert [m.id for m in light] == [m.id for m in full]
    for a, b in zip(light, full, strict=True):
        assert (a.formula, a.log10_conductivity, a.censored, a.temperature_K, a.doi, a.kind) == (
            b.formula, b.log10_conductivity, b.censored, b.temperature_K, b.doi, b.kind,
        )  # fmt: skip
        assert a.structure is None
        assert b.cell is None or a.space_group == b.cell.space_group


def test_the_material_itself_comes_first_and_is_at_distance_nought(offline):
    found = offline.nearest(Composition("Li10GeP2S12"), 4)
    assert found[0].measurement.formula == "Li10GeP2S12"
    assert found[0].distance == 0
    assert [n.distance for n in found] == sorted(n.distance for n in found)


def test_the_space_group_tells_polymorphs_apart(offline):
    cubic, tetragonal = (
        offline.nearest(Composition("Li7La3Zr2O12"), 1, space_group=group)[0].measurement.space_group
        for group in (230, 142)
    )
    assert (cubic, tetragonal) == (230, 142)


def test_every_formula_of_a_publication_is_shown_once(offline):
    found = [n.measurement for n in offline.nearest(Composition("Li7La3Zr2O12"), 20)]
    keys = [(m.formula, m.doi) for m in found if m.doi]
    assert len(keys) == len(set(keys))
    assert len(found) == 20


def test_repeats_are_the_rows_of_this_material(offline):
    rows = offline.repeats(Composition("Li7La3Zr2O12"), 142)
    assert rows
    assert {m.formula for m in rows} == {"Li7La3Zr2O12"}
    assert all(m.space_group in (None, 142) for m in rows)
    assert offline.repeats(Composition("LiPt3")) == []


formulas = st.sampled_from(["Li6PS5Cl", "Li3PS4", "LiCl", "Li7La3Zr2O12", "Li3YCl6", "LiBH4"])


@given(formulas, formulas, formulas)
def test_the_distance_of_formulas_is_a_metric(a, b, c):
    def distance(x: str, y: str) -> float:
        one, two = _along_scale([Composition(x), Composition(y)])
        return float(abs(one - two).sum())

    assert distance(a, b) == pytest.approx(distance(b, a))
    assert (distance(a, b) < 1e-9) == (a == b)
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-9


@pytest.mark.skipif(settings().data_dir is None, reason="needs IONSCOUT_DATA_DIR")
def test_tables_of_the_data_folder_are_searched_too():
    found = reference_list()
    assert {"embedded", "obelix", "liverpool"} <= {m.source for m in found.measurements}
    assert len(found.sources) == 5
    nearest = found.nearest(Composition("Li6PS5Cl"), 8, temperature_K=298.15)
    values = [(m.measurement.log10_conductivity, m.measurement.formula) for m in nearest]
    assert len(set(values)) == len(values)  # what tables copied from each other stands once
