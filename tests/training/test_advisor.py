"""What campaigns are advised: new, balanced, within their constraints, and wiser after every observation."""

import math
from dataclasses import replace
from threading import Event

import numpy as np
import pytest

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import InvalidInput, UnknownName, UnsupportedElement
from ionscout.datasets.observations.checking import Report
from ionscout.datasets.observations.records import BadCampaign, Constraint, NewCampaign, Objective
from ionscout.datasets.observations.store import ObservationStore
from ionscout.models.conductivity.predictor import ConductivityPrediction
from ionscout.training.active.advisor import Advisor, StillComputing, failure_cost, shortlist
from ionscout.training.active.advisor_options import AdvisorOptions, default_objectives, goal_of
from ionscout.training.active.campaign import NothingLeft, suggest
from ionscout.training.active.ranking import OBJECTIVES

HOST = "Li3OCl"
POOL = ["Li6PS5Cl", "Li6PS5Br", "Li5.5PS4.5Cl1.5", "Li3YCl6", "Li3InCl6", "Li7La3Zr2O12"]


class ByAnion:
    """Predicts more conductivity the less oxygen there is; counts how often it was asked."""

    version = "by-anion"

    def __init__(self):
        self.asked = 0

    def predict(self, materials, temperature_K=298.15):
        self.asked += len(materials)
        centre = [-4.0 - 3 * m.composition.get_atomic_fraction("O") for m in materials]
        return [
            ConductivityPrediction(
                10**c,
                10 ** (c - 2),
                10 ** (c + 2),
                0.9,
                temperature_K,
                0.3,
                0.1,
                True,
                "composition",
                "x",
                self.version,
            )
            for c in centre
        ]


@pytest.fixture
def store(tmp_path):
    opened = ObservationStore(str(tmp_path / "store.sqlite"))
    yield opened
    opened.close()


def listed(**changes) -> NewCampaign:
    return replace(NewCampaign("c", ("Li6PS5Cl",), options={"candidates": POOL}), **changes)


def test_a_list_is_gone_through_without_repeats_and_ends(store):
    store.create(listed())
    advisor, seen = Advisor(ByAnion()), []
    for _ in range(3):
        seen += [s.formula for s in suggest(store, advisor, "c", 2).suggestions]
    assert len(set(seen)) == len(POOL)
    assert all(any(parse_formula(f).almost_equals(parse_formula(p)) for p in POOL) for f in seen)
    with pytest.raises(NothingLeft):
        suggest(store, advisor, "c", 2)


def test_good_news_of_a_neighbour_changes_the_choice(store):
    store.create(listed(options={"candidates": POOL, "dial": 0.0, "diversity": 0.0}))
    advisor = Advisor(ByAnion())
    assert suggest(store, advisor, "c", 1).suggestions[0].formula != "Li7La3Zr2O12"
    for number in range(5):
        store.observe("c", Report("Li6.75La3Zr1.75Ta0.25O12", 0.1 + number / 1000, "S/cm"))
    found = suggest(store, advisor, "c", 1).suggestions[0]
    assert parse_formula(found.formula).almost_equals(parse_formula("Li7La3Zr2O12"))
    assert "nearest measured Li6.75La3Zr1.75Ta0.25O12" in found.explanation
    assert found.version.startswith("by-anion+5-")
    assert found.conductivity > 1e-5


def test_one_seed_gives_one_answer(tmp_path):
    answers = []
    for number in range(2):
        store = ObservationStore(str(tmp_path / f"{number}.sqlite"))
        store.create(listed(seed=5, options={"candidates": POOL, "method": "thompson"}))
        answers.append([s.formula for s in suggest(store, Advisor(ByAnion()), "c", 3).suggestions])
    assert answers[0] == answers[1]


def test_a_host_is_doped_under_its_constraints_and_computed_once(store):
    model = ByAnion()
    advisor = Advisor(model)
    store.create(
        NewCampaign(
            "doped",
            (HOST,),
            objectives=default_objectives(False),
            constraints=(Constraint("price", maximum=3.0),),
            options={"elements": ["Br", "F", "Mg", "Ba"], "co_doping": False},
        )
    )
    first = suggest(store, advisor, "doped", 3)
    asked = model.asked
    for s in first.suggestions:
        assert parse_formula(s.host) == parse_formula(HOST)
        assert s.scores["cost_of_other_objectives"] > 0
        assert " on " in s.mechanism
        assert float(s.scores["price_class"] or 0) <= 3
        assert {"site_energy", "energy_above_hull", "cost_of_other_objectives"} <= set(s.scores)
        assert s.lower < s.conductivity < s.upper
        charges = {"Li": 1, "O": -2, "Cl": -1, "Br": -1, "F": -1, "Mg": 2, "Ba": 2}
        assert sum(charges[e.symbol] * n for e, n in s.composition.items()) == pytest.approx(0, abs=0.02)
    store.observe("doped", Report(suggestion=first.suggestions[0].id, value=5.0, unit="mS/cm"))
    second = suggest(store, advisor, "doped", 3)
    assert model.asked - asked <= 2  # the observation alone: the candidates are known
    assert not {s.formula for s in first.suggestions} & {s.formula for s in second.suggestions}


def test_constraints_that_nothing_meets_are_named(store):
    store.create(
        NewCampaign(
            "none",
            (HOST,),
            constraints=(Constraint("conductivity", minimum=5.0),),
            options={"elements": ["Br"], "co_doping": False},
        )
    )
    with pytest.raises(InvalidInput, match="conductivity >= 5"):
        suggest(store, Advisor(ByAnion()), "none", 3)
    assert store.suggestions("none") == []


@pytest.mark.parametrize(
    ("campaign", "error"),
    [
        (listed(options={"methods": "ucb"}), BadCampaign),
        (listed(options={"method": "guess"}), BadCampaign),
        (listed(options={"dial": 2.0}), BadCampaign),
        (listed(options={"candidates": ["NaCl"]}), InvalidInput),
        (listed(options={"elements": ["Pu"]}), UnsupportedElement),
        (listed(options={"elements": ["Xx"]}), UnsupportedElement),
        (listed(objectives=(Objective("taste"),)), UnknownName),
        (listed(objectives=(Objective("gap"),)), BadCampaign),
        (listed(objectives=(Objective("conductivity"), Objective("gap"))), BadCampaign),
        (listed(objectives=(Objective("conductivity", "minimise"),)), BadCampaign),
        (listed(constraints=(Constraint("gap", minimum=1.0),)), BadCampaign),
        (listed(constraints=(Constraint("taste", minimum=1.0),), options={}), UnknownName),
    ],
    ids=str,
)
def test_what_no_campaign_can_ask_is_refused(campaign, error):
    with pytest.raises(error):
        AdvisorOptions.of(campaign)


def test_defaults_are_objectives_that_exist_and_point_the_right_way():
    assert [o.name for o in default_objectives(True)] == ["conductivity"]
    for wanted in default_objectives(False):
        assert wanted.name in OBJECTIVES
        assert wanted.goal == goal_of(wanted.name)
    assert (goal_of("conductivity"), goal_of("price")) == ("maximise", "minimise")


def test_the_shortlist_keeps_what_may_be_good(store):
    advisor = Advisor(ByAnion())
    campaign = store.create(listed())
    pool = advisor._pool(campaign, AdvisorOptions.of(campaign))
    kept = shortlist(pool, 3)
    assert len(kept) == 3
    assert (
        min(math.log10(c.prediction.conductivity) for c in kept)
        >= max(math.log10(c.prediction.conductivity) for c in pool if c not in kept) - 1e-9
    )
    assert np.all([c in pool for c in kept])


def test_neighbours_of_a_failed_synthesis_are_put_off(store):
    garnets = [parse_formula(f"Li{7 - x}La3Zr{2 - x}Ta{x}O12") for x in (0.2, 0.3, 1.5)]
    cost = failure_cost(garnets, [garnets[0]])
    assert cost[0] == pytest.approx(1.0)
    assert cost[0] > cost[1] > cost[2]
    assert cost[2] < 0.05
    assert not failure_cost(garnets, []).any()
    store.create(listed(options={"candidates": [*POOL, "Li6.1PS5.1Cl0.9"], "dial": 0.0, "diversity": 0.0}))
    store.observe("c", Report("Li6PS5Cl", failed=True, reason="melted"))
    found = suggest(store, Advisor(ByAnion()), "c", 10).suggestions
    near = next(s for s in found if parse_formula(s.formula).almost_equals(parse_formula("Li6.1PS5.1Cl0.9")))
    assert "failed synthesis nearby" in near.explanation
    assert near.rank > 1


def test_a_long_computation_is_said_and_its_result_kept(store, monkeypatch):
    from ionscout.training.active import advisor as module

    go, model = Event(), ByAnion()
    advisor = Advisor(model, patience=0.05)
    original = module.listed_pool
    monkeypatch.setattr(module, "listed_pool", lambda *args: go.wait(10) and original(*args))
    store.create(listed())
    for _ in range(2):
        with pytest.raises(StillComputing, match="ask again"):
            suggest(store, advisor, "c", 2)
    assert store.suggestions("c") == []
    go.set()
    advisor.patience = 10
    assert len(suggest(store, advisor, "c", 2).suggestions) == 2
    assert model.asked == len(POOL)  # computed once


def test_what_failed_is_tried_again(store, monkeypatch):
    from ionscout.datasets.errors import DataUnavailable
    from ionscout.training.active import advisor as module

    advisor, original = Advisor(ByAnion()), module.listed_pool

    def broken(*args):
        raise DataUnavailable("The hull is away.")

    monkeypatch.setattr(module, "listed_pool", broken)
    store.create(listed())
    with pytest.raises(DataUnavailable):
        suggest(store, advisor, "c", 2)
    monkeypatch.setattr(module, "listed_pool", original)
    assert len(suggest(store, advisor, "c", 2).suggestions) == 2
