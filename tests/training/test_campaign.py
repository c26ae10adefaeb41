"""A campaign in rounds: what is suggested is new, what is observed shows in the status and leaves in the export."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionscout.datasets.observations.checking import Report
from ionscout.datasets.observations.records import BadCampaign, NewCampaign, NewSuggestion, UnknownCampaign
from ionscout.datasets.observations.source import Observations, measurements
from ionscout.datasets.observations.store import ObservationStore
from ionscout.datasets.sources.user import UserTable
from ionscout.training.active.campaign import NothingLeft, status, suggest
from ionscout.training.active.export import export

POOL = [f"Li{7 - 3 * x / 100:g}Ga{x / 100:g}La3Zr2O12" for x in (10, 20, 30, 40)]
CIF = """data_Li2O
_cell_length_a 4.62
_cell_length_b 4.62
_cell_length_c 4.62
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Li1 0.25 0.25 0.25 1
O1 0 0 0 1
"""


class Listed:
    """Suggests its list in order, whatever is taken; remembers what it was told."""

    def __init__(self, formulas=POOL):
        self.formulas = formulas
        self.told = []

    def suggest(self, campaign, observations, taken, n):
        self.told.append((campaign.name, len(observations), len(taken), n))
        return [
            NewSuggestion(
                formula, campaign.hosts[0], "Ga³⁺ on Li⁺", 1.0, "listed", 1e-4, 1e-6, 1e-2, 0.9, 298.15, "listed", "1"
            )
            for formula in self.formulas
        ]


@pytest.fixture
def store(tmp_path):
    opened = ObservationStore(str(tmp_path / "store.sqlite"))
    opened.create(NewCampaign("garnet", ("Li7La3Zr2O12",)))
    yield opened
    opened.close()


def test_three_rounds_and_what_the_status_says_of_them(store):
    listed = Listed()
    store.observe("garnet", Report("Li7La3Zr2O12", 3e-4, "S/cm"))
    first = suggest(store, listed, "garnet", 2).suggestions
    store.observe("garnet", Report(value=1.0, unit="mS/cm", suggestion=first[0].id))
    store.observe("garnet", Report(failed=True, reason="La2Zr2O7 formed", suggestion=first[1].id))
    second = suggest(store, listed, "garnet", 1).suggestions
    store.observe("garnet", Report(second[0].formula, 1e-10, "S/cm", censored=True))
    third = suggest(store, listed, "garnet", 5).suggestions
    store.observe("garnet", Report(third[0].formula, 5.0, "mS/cm", temperature_C=200))  # hot: not comparable
    assert listed.told == [("garnet", 1, 1, 2), ("garnet", 3, 5, 1), ("garnet", 4, 7, 5)]
    found = status(store, "garnet")
    assert (found.measured, found.bounds, found.failed) == (3, 1, 1)
    assert found.best is not None
    assert found.best.formula == first[0].formula
    assert [(r.batch, r.suggested, r.open, r.measured, r.failed, r.observations) for r in found.rounds] == [
        (0, 0, 0, 0, 0, 1),
        (1, 2, 0, 1, 1, 2),
        (2, 1, 0, 1, 0, 1),
        (3, 1, 0, 1, 0, 1),
    ]
    assert [r.best for r in found.rounds] == [3e-4, 1e-3, 1e-3, 1e-3]
    assert [r.error for r in found.rounds] == [None, pytest.approx(1.0), None, None]
    assert [step.best for step in found.history] == [3e-4, 1e-3, 1e-3, 1e-3, 1e-3]
    assert found.open == ()


def test_nothing_is_suggested_twice_even_if_the_suggester_tries(store):
    offered = [s.formula for s in suggest(store, Listed([*POOL, *POOL]), "garnet", 3).suggestions]
    assert len(set(offered)) == 3
    store.observe("garnet", Report(POOL[3], failed=True, reason="melted"))
    with pytest.raises(NothingLeft, match="nothing left"):
        suggest(store, Listed(), "garnet", 3)
    assert len(store.suggestions("garnet")) == 3


def test_a_request_sent_again_gives_its_first_batch(store):
    listed = Listed()
    first = suggest(store, listed, "garnet", 2, key="request-1")
    again = suggest(store, listed, "garnet", 2, key="request-1")
    assert (first.new, again.new) == (True, False)
    assert again.suggestions == first.suggestions
    assert len(listed.told) == 1


@pytest.mark.parametrize("n", [0, -1, 97])
def test_a_batch_has_a_size_that_somebody_could_make(n, store):
    with pytest.raises(BadCampaign):
        suggest(store, Listed(), "garnet", n)


def test_unknown_campaigns_are_named(store):
    for call in (lambda: status(store, "x"), lambda: suggest(store, Listed(), "x", 1), lambda: export(store, "x")):
        with pytest.raises(UnknownCampaign):
            call()


def test_an_empty_campaign_has_a_status(store):
    found = status(store, "garnet")
    assert (found.measured, found.best, found.rounds, found.history) == (0, None, (), ())


def test_the_exported_table_is_one_that_training_reads(store, tmp_path):
    store.observe("garnet", Report("Li6.4Ga0.2La3Zr2O12", 1.2, "mS/cm", kind="total", source="doi:10.1000/ABC"))
    store.observe("garnet", Report("Li7La3Zr2O12", 1e-10, "S/cm", censored=True, temperature_C=60, source="=cmd()"))
    store.observe("garnet", Report(None, 1e-9, "S/cm", cif=CIF, measured_by='a, "b"'))
    store.observe("garnet", Report("Li7La3Zr2O12", failed=True, reason="melted"))
    found = export(store, "garnet")
    written = found.write(tmp_path / "own.csv")
    assert [path.name for path in written] == ["own.csv", "garnet-3.cif"]
    assert found.failed == 1
    read = UserTable(tmp_path / "own.csv").load()
    own = Observations(store, "garnet").load()
    for row, same in zip(read, own, strict=True):
        assert row.formula == same.formula
        assert row.log10_conductivity == pytest.approx(same.log10_conductivity, abs=1e-5)
        assert (row.censored, row.temperature_K, row.kind, row.doi) == (
            same.censored,
            pytest.approx(same.temperature_K),
            same.kind,
            same.doi,
        )
        assert (row.structure is None) == (same.structure is None)
    assert read[0].doi == "10.1000/abc"
    assert "\n=cmd" not in found.csv()
    assert ",=cmd" not in found.csv()
    document = json.loads(json.dumps(found.document(), allow_nan=False))
    assert [o["failed"] for o in document["observations"]] == [False, False, False, True]
    assert document["campaign"]["name"] == "garnet"


def test_observations_are_measurements_without_the_failures(store):
    report = Report("Li7La3Zr2O12", 3e-4, "S/cm", kind="bulk", measured_by="us")
    store.observe("garnet", report)
    store.observe("garnet", replace(report, failed=True, reason="melted", value=None))
    (row,) = measurements(store.observations("garnet"))
    assert row.log10_conductivity == pytest.approx(math.log10(3e-4))
    assert (row.kind, row.source, row.temperature_K, row.doi) == ("bulk", "campaign", 298.15, "")
    assert row.reference  # so that grouped splits keep what one laboratory measured together
    assert len(Observations(store).load()) == 1
    assert "own" in Observations(store).card().lower()


@given(st.lists(st.sampled_from(["=1+1", "+1", "-1", "@x", "a,b", 'q"q', "line\nbreak", "naïve"]), max_size=3))
def test_free_text_never_becomes_a_spreadsheet_formula(texts):
    from ionscout.training.active.export import _harmless

    assert all(_harmless(text)[:1] not in "=+-@" for text in texts)
