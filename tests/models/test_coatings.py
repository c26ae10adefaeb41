"""The coating funnel: gates, ranking, what dropped a candidate, and going on after an interruption."""

import json
from dataclasses import asdict, replace

import pytest
from hulls_for_tests import TOY, toy_hull
from pymatgen.core import Composition

from ionscout.datasets.errors import (
    BadData,
    InvalidInput,
    NoLithium,
    UnknownName,
    UnsupportedElement,
)
from ionscout.datasets.hulls import load_hull
from ionscout.datasets.hulls.base import TableHull
from ionscout.datasets.settings import settings
from ionscout.models.thermo import coatings
from ionscout.models.thermo.checkpoint import Checkpoint
from ionscout.models.thermo.coating_gates import STAGES, CoatingOptions, Gates
from ionscout.models.thermo.coatings import assess_coating, screen_coatings
from ionscout.models.thermo.interface import half_delithiated, interface

needs_data = pytest.mark.skipif(settings().data_dir is None, reason="IONSCOUT_DATA_DIR is not set")
HULL = toy_hull()
SULFIDE, OXIDE = Composition("Li3PS4"), Composition("LiCoO2")
LOOSE = CoatingOptions(0.2, 0.0, 0.0, 5.0, 5.0)  # lets everything pass


def test_the_first_failed_gate_drops_a_candidate_and_says_by_how_much():
    found = screen_coatings(SULFIDE, OXIDE, HULL)
    for candidate in found.dropped:
        assert candidate.dropped_at in STAGES
        assert candidate.reason
    argyrodite = found.find("Li6PS5Cl")
    assert argyrodite.dropped_at == "stability"
    assert f"{1000 * argyrodite.energy_above_hull:.0f} meV/atom" in argyrodite.reason
    assert argyrodite.oxidation_limit is None  # what comes after was not computed


def test_stages_add_up():
    found = screen_coatings(SULFIDE, OXIDE, HULL)
    assert found.stages[0].entered == len(found.ranked) + len(found.dropped) == len(HULL.compositions("Li")) - 1
    for before, after in zip(found.stages, found.stages[1:], strict=False):
        assert after.entered == before.passed <= before.entered
    assert found.stages[-1].passed == len(found.ranked)


def test_survivors_pass_every_threshold_and_are_ranked_by_their_worst_reaction():
    options = CoatingOptions(min_oxidation=1.0, max_reaction=0.6)
    found = screen_coatings(SULFIDE, OXIDE, HULL, options=options)
    assert found.ranked
    for coating in found.ranked:
        assert coating.energy_above_hull <= options.max_above_hull
        assert coating.band_gap >= options.min_band_gap
        assert coating.oxidation_limit >= options.min_oxidation
        assert coating.reduction_limit <= options.max_reduction
        assert coating.worst_reaction > -options.max_reaction
    worst = [coating.worst_reaction for coating in found.ranked]
    assert worst == sorted(worst, reverse=True)


def test_reactions_are_those_of_the_interface():
    found = assess_coating(Composition("LiPO3"), SULFIDE, OXIDE, HULL)
    half = half_delithiated(OXIDE)
    for value, partner in (
        (found.with_electrolyte, SULFIDE),
        (found.with_cathode, OXIDE),
        (found.with_charged_cathode, half),
    ):
        assert value == pytest.approx(interface(Composition("LiPO3"), partner, HULL).reaction_energy, abs=1e-9)


def test_a_single_candidate_is_judged_at_every_gate():
    found = assess_coating(Composition("Li6PS5Cl"), SULFIDE, OXIDE, HULL)
    assert found.failed[0] == found.dropped_at == "stability"
    assert "oxidation limit" in found.failed
    assert found.worst_reaction is not None


def test_coatings_without_lithium_can_be_assessed():
    found = assess_coating(Composition("Al2O3"), SULFIDE, OXIDE, HULL)
    assert found.oxidation_limit is None
    assert "oxidation limit" not in found.failed
    assert found.worst_reaction is not None


def test_tighter_thresholds_never_let_more_through():
    loose = {coating.formula for coating in screen_coatings(SULFIDE, OXIDE, HULL, options=LOOSE).ranked}
    for tight in (
        replace(LOOSE, min_oxidation=2.0), replace(LOOSE, max_reduction=1.0), replace(LOOSE, max_reaction=0.1),
        replace(LOOSE, min_band_gap=3.0), replace(LOOSE, max_above_hull=0.0),
    ):  # fmt: skip
        assert {coating.formula for coating in screen_coatings(SULFIDE, OXIDE, HULL, options=tight).ranked} < loose


def test_a_predicted_conductivity_is_the_last_gate():
    asked = []

    def conductivity(composition: Composition) -> float:
        asked.append(composition.reduced_formula)
        return -3.0 if "P" in composition else -9.0

    options = replace(LOOSE, min_log10_conductivity=-6.0)
    found = screen_coatings(SULFIDE, OXIDE, HULL, options=options, conductivity=conductivity)
    assert all("P" in coating.formula for coating in found.ranked)
    assert found.find("LiCl").dropped_at == "conductivity"
    assert found.find("LiCl").log10_conductivity == -9.0
    assert len(asked) == found.stages[-1].entered
    single = assess_coating(Composition("LiCl"), SULFIDE, OXIDE, HULL, options=options, conductivity=conductivity)
    assert single == found.find("LiCl")


def test_radioactive_elements_are_left_out():
    table = TOY | {"Li3PuO4": -2.5, "LiTcO4": -1.5}
    hull = TableHull("hot", "1", "invented", list(table), list(table.values()), "test")
    found = screen_coatings(SULFIDE, OXIDE, hull, options=LOOSE)
    for formula in ("Li3PuO4", "LiTcO4"):
        assert found.find(formula).dropped_at == "elements"
        assert "radioactive" in found.find(formula).reason
    with pytest.raises(UnsupportedElement):
        assess_coating(Composition("Li3PuO4"), SULFIDE, OXIDE, hull)


def test_an_interrupted_screening_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(coatings, "CHUNK", 3)
    whole = screen_coatings(SULFIDE, OXIDE, HULL)

    def stop(done: int, total: int) -> None:
        if done >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        screen_coatings(SULFIDE, OXIDE, HULL, checkpoint=tmp_path, progress=stop)
    (file,) = tmp_path.glob("*.jsonl")
    with file.open("a") as torn:
        torn.write('{"formula": "Li2O", "ener')  # as a crash in the middle of a line leaves it

    judged = []
    judge = Gates.judge
    monkeypatch.setattr(Gates, "judge", lambda self, c, **kw: judged.append(c.reduced_formula) or judge(self, c, **kw))
    seen = []
    assert screen_coatings(SULFIDE, OXIDE, HULL, checkpoint=tmp_path, progress=lambda *p: seen.append(p)) == whole
    assert len(judged) == whole.stages[0].entered - 6
    assert seen[-1] == (whole.stages[0].entered, whole.stages[0].entered)
    judged.clear()
    assert screen_coatings(SULFIDE, OXIDE, HULL, checkpoint=tmp_path) == whole
    assert not judged


def test_another_question_or_hull_version_gets_its_own_checkpoint(tmp_path):
    screen_coatings(SULFIDE, OXIDE, HULL, checkpoint=tmp_path)
    screen_coatings(SULFIDE, OXIDE, HULL, checkpoint=tmp_path, options=LOOSE)
    screen_coatings(SULFIDE, OXIDE, HULL.extended([], "2"), checkpoint=tmp_path)
    assert len(list(tmp_path.glob("coatings-*.jsonl"))) == 3


def test_checkpoints_of_another_question_or_without_a_folder_are_refused(tmp_path):
    first = Checkpoint(tmp_path, "x", {"a": 1})
    first.path.write_text(json.dumps({"a": 2}) + "\n")
    with pytest.raises(BadData, match="another question"):
        Checkpoint(tmp_path, "x", {"a": 1})
    (tmp_path / "file").write_text("")
    with pytest.raises(BadData, match="cannot be used"):
        Checkpoint(tmp_path / "file", "x", {"a": 1})


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: screen_coatings(SULFIDE, Composition("CoO2"), HULL), NoLithium),
        (lambda: screen_coatings(Composition("Li3YCl6"), OXIDE, HULL), UnsupportedElement),
        (
            lambda: screen_coatings(SULFIDE, OXIDE, HULL, options=replace(LOOSE, min_log10_conductivity=-6)),
            InvalidInput,
        ),
        (lambda: CoatingOptions(max_reaction=-0.1), InvalidInput),
        (lambda: CoatingOptions(min_oxidation=float("nan")), InvalidInput),
        (lambda: screen_coatings(SULFIDE, OXIDE, HULL).find("LiNbO3"), UnknownName),
        (lambda: assess_coating(Composition("LiNbO3"), SULFIDE, OXIDE, HULL), UnsupportedElement),
    ],
)
def test_bad_questions_are_answered_in_one_sentence(call, error):
    with pytest.raises(error, match=r"\.$"):
        call()


def test_results_survive_json():
    found = screen_coatings(SULFIDE, OXIDE, HULL)
    assert json.loads(json.dumps(asdict(found)))["hull"] == "toy"


@pytest.mark.parametrize("name", ["learned", pytest.param("mp-2019", marks=needs_data)])
def test_phosphates_pass_the_gate_against_sulfides_and_niobate_does_not(name):
    hull, nmc = load_hull(name), Composition("Li3NiMnCoO6")
    for formula in ("LiPO3", "LiTi2(PO4)3", "LiH2PO4", "LiBa(B3O5)3"):
        found = assess_coating(Composition(formula), SULFIDE, nmc, hull)
        assert not {"electrolyte", "cathode", "charged cathode"} & set(found.failed), found
    for formula in ("LiNbO3", "Li2ZrO3"):
        assert "electrolyte" in assess_coating(Composition(formula), SULFIDE, nmc, hull).failed


def test_an_electrolyte_without_lithium_is_refused():
    with pytest.raises(NoLithium, match="no lithium"):
        screen_coatings(Composition("NaCl"), Composition("LiCoO2"), toy_hull())
